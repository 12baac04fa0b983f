"""What a job's folder says now: damaged files and dead processes become a state and a sentence, never an exception."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from lamsim_core.jobs.folder import JOB, PROCESS, STATUS, STOP, R, existing_folder, read_record
from lamsim_core.jobs.job import ACTIVE, Job, JobStatus, Launch
from lamsim_core.jobs.process import Mark, is_alive
from lamsim_core.settings import Settings

START_SECONDS = 30.0
"""How long a job may be "queued" without a process before its starter counts as dead."""

_DEAD = (
    "The process of this job is gone and left no word: it was killed, ran out of memory, or the machine restarted. "
    "What it had saved is still there. Resume the job to go on from there; its log holds the last it said."
)
_NEVER_STARTED = "This job was never started: whoever began to start it is gone. Resume the job to start it."


class Reading(NamedTuple):
    """A job as it is to be shown, and what that rests on."""

    job: Job
    """A stand-in when job.json is damaged."""
    status: JobStatus
    launch: Launch | None
    """None when process.json is missing or damaged."""
    job_is_sound: bool
    status_is_sound: bool

    @property
    def mark(self) -> Mark | None:
        """The newest process known to work on the job, dead or alive: its own word before its parent's."""
        for source in (self.status, self.launch):
            if source is not None and source.pid is not None and source.pid_created is not None:
                return Mark(source.pid, source.pid_created)
        return None

    @property
    def leads_group(self) -> bool:
        """Whether that process leads a group of its own, which may be signalled as a whole."""
        mark, launch = self.mark, self.launch
        return mark is not None and launch is not None and launch.group and launch.pid == mark.pid


def read_job_folder(settings: Settings, job_id: str) -> Reading:
    """Read everything about one job.

    Raises:
        NotFoundError: there is no such job.
    """
    folder = existing_folder(settings, job_id)
    reading = _read(folder)
    while reading.status.state in ACTIVE and not _is_at_work(reading):
        # A process writes how it ended and then goes: only what is read after it was seen gone is its last word.
        again = _read(folder)
        if again == reading:
            return reading._replace(status=_dead(reading))
        reading = again
    if reading.status.state in ACTIVE and (folder / STOP).exists():
        reading = reading._replace(status=reading.status.model_copy(update={"state": "stopping"}))
    return reading


def _read(folder: Path) -> Reading:
    job, status, launch = _load(folder / JOB, Job), _load(folder / STATUS, JobStatus), _load(folder / PROCESS, Launch)
    if isinstance(job, Job) and job.id != folder.name:
        job = f"it names another job, {job.id!r}"
    known_launch = launch if isinstance(launch, Launch) else None
    problems = []
    if isinstance(job, str):
        problems.append(f"The job.json of this job cannot be used ({job}): it cannot be resumed. Start it anew.")
    if isinstance(status, str):
        problems.append(
            f"The status.json of this job cannot be used ({status}). Its log may tell how far it came; "
            "stop and resume the job to go on."
        )
    shown = status if isinstance(status, JobStatus) else JobStatus(state="failed", updated=_modified(folder))
    if problems:
        shown = shown.model_copy(update={"state": "failed", "error": " ".join(problems)})
    return Reading(
        job=job if isinstance(job, Job) else _stand_in(folder, known_launch),
        status=shown,
        launch=known_launch,
        job_is_sound=isinstance(job, Job),
        status_is_sound=isinstance(status, JobStatus),
    )


def _is_at_work(reading: Reading) -> bool:
    mark = reading.mark
    if mark is not None:
        return is_alive(mark, reading.job.id)
    begun = reading.launch.started if reading.launch is not None else reading.status.updated
    return _seconds_since(begun) < START_SECONDS


def _dead(reading: Reading) -> JobStatus:
    error = _NEVER_STARTED if reading.mark is None else _DEAD
    update = {"state": "dead", "error": error, "finished": reading.status.updated, "eta_seconds": None}
    return reading.status.model_copy(update=update)


def _load(path: Path, kind: type[R]) -> R | str:
    """The record, or why there is none."""
    try:
        return read_record(path, kind)
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    except ValueError:
        return "its content is damaged"


def _stand_in(folder: Path, launch: Launch | None) -> Job:
    kind = launch.kind if launch is not None else "explore"
    return Job(id=folder.name, kind=kind, label="(damaged job)", params={}, created=_modified(folder))


def _modified(folder: Path) -> str:
    try:
        seconds = folder.stat().st_mtime
    except OSError:
        seconds = time.time()
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _seconds_since(moment: str) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return START_SECONDS
