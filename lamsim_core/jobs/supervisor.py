"""The parent's side: start a job, look at it, stop it, resume it. Everything is on disk, nothing in this process.

So a reloaded page, a second browser and a restarted app find every job again. Nothing here imports torch or streamlit.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lamsim_core.canonical import now
from lamsim_core.errors import JobError, NotFoundError
from lamsim_core.jobs import output
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import (
    LAUNCH_LOCK,
    LOG,
    METRICS,
    PROCESS,
    STATUS,
    STOP,
    existing_folder,
    is_job_id,
    remove_drafts,
    write_record,
)
from lamsim_core.jobs.job import ACTIVE, RESUMABLE, Job, JobStatus, Kind, Launch
from lamsim_core.jobs.process import JOB_VARIABLE, end_leftovers, mark_of, reap, send, wait_gone
from lamsim_core.jobs.reading import Reading, read_job_folder
from lamsim_core.settings import REPOSITORY, Settings

_RUNNER = "lamsim_core.jobs.runner"


def start(
    settings: Settings,
    kind: Kind,
    params: dict[str, Any],
    *,
    label: str,
    request_id: str | None = None,
    _module: str = _RUNNER,
) -> Job:
    """Start a job in a process of its own.

    Args:
        settings: where jobs live.
        kind: what the job does.
        params: what its handler needs; must be JSON.
        label: what the user reads in lists.
        request_id: names the click. A second call with the same one, at the same moment or later, in this process or
            another, starts nothing and returns the job of the first.

    Raises:
        InvalidInputError: the parameters are not JSON, or the kind is unknown.
        JobError: the folder cannot be written or the process cannot be started.
    """
    wanted = new_job(kind, params, label=label, request_id=request_id)
    job = create_folder(settings, wanted, group=True)
    if job.id == wanted.id:
        with _launching(settings, job.id) as folder:
            _launch(settings, folder, job, attempt=1, module=_module)
    return job


def resume(settings: Settings, job_id: str, *, _module: str = _RUNNER) -> Job:
    """Start a new process for a job that stopped, failed or died: same id, same folder.

    Raises:
        NotFoundError: there is no such job.
        JobError: it has not ended, it is complete, its job.json is damaged, or no process can be started.
    """
    with _launching(settings, job_id) as folder:
        reading = read_job_folder(settings, job_id)
        _demand_resumable(reading)
        if reading.mark is not None and reading.leads_group:
            # It has written how it ended; let it leave before what it may have left behind is killed.
            wait_gone(reading.mark, job_id, 5.0)
        end_leftovers(job_id)
        remove_drafts(folder)
        attempt = reading.launch.attempt + 1 if reading.launch is not None else 2
        write_record(folder / PROCESS, Launch(attempt=attempt, kind=reading.job.kind, started=now(), group=True))
        (folder / STOP).unlink(missing_ok=True)
        queued = JobStatus(
            state="queued",
            done=reading.status.done,
            total=reading.status.total,
            message="Starting again.",
            updated=now(),
        )
        write_record(folder / STATUS, queued)
        _launch(settings, folder, reading.job, attempt=attempt, module=_module)
    return reading.job


def stop(settings: Settings, job_id: str) -> None:
    """Ask a job to save and stop; returns at once. Nothing happens when it has already ended.

    The job's own watchdog ends it by force when it has not stopped after its grace, also when no page is open.

    Raises:
        NotFoundError: there is no such job.
    """
    reading = read_job_folder(settings, job_id)
    if reading.status.state not in ACTIVE and (reading.status_is_sound or reading.mark is None):
        return
    (existing_folder(settings, job_id) / STOP).touch()
    # A process that has not yet written its pid does not yet listen: the signal would kill it, the flag will do.
    if reading.mark is not None and reading.status.pid == reading.mark.pid:
        # To it alone: what it started must still be there while it saves, and is ended by it.
        send(reading.mark, job_id, signal.SIGTERM, group=False)


def kill(settings: Settings, job_id: str) -> bool:
    """End a hung job at once, without saving, with all it started; it then reads as "dead" and can be resumed.

    Returns:
        Whether there was a process to kill.

    Raises:
        NotFoundError: there is no such job.
        JobError: the job runs inside this very process, or its process is still there afterwards.
    """
    reading = read_job_folder(settings, job_id)
    mark = reading.mark
    if reading.status.state not in ACTIVE and not reading.leads_group:
        # A foreground job that has ended leaves its process to go on with something else.
        mark = None
    if mark is not None and mark.pid == os.getpid():
        raise JobError("This job runs inside this very process, which would be killed with it. Stop the job instead.")
    killed = mark is not None and send(mark, job_id, signal.SIGKILL, group=reading.leads_group)
    end_leftovers(job_id)
    if killed and mark is not None and not wait_gone(mark, job_id, 10.0):
        raise JobError(
            f"Process {mark.pid} of this job does not end although it was killed; a disk may hang. Try again later."
        )
    return killed


def get_job(settings: Settings, job_id: str) -> Job:
    """What was asked for; a stand-in labelled "(damaged job)" when its file is damaged.

    Raises:
        NotFoundError: there is no such job.
    """
    return read_job_folder(settings, job_id).job


def status(settings: Settings, job_id: str) -> JobStatus:
    """How far a job is now. One whose process is gone without a word is "dead".

    Raises:
        NotFoundError: there is no such job.
    """
    return read_job_folder(settings, job_id).status


def list_jobs(settings: Settings, kind: Kind | None = None) -> list[tuple[Job, JobStatus]]:
    """All jobs, or all of a kind, newest first; damaged ones as "failed" with a sentence."""
    try:
        names = sorted((entry.name for entry in settings.jobs.iterdir() if is_job_id(entry.name)), reverse=True)
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        try:
            reading = read_job_folder(settings, name)
        except NotFoundError:
            continue  # a plain file with such a name, or a folder deleted just now
        if kind is None or reading.job.kind == kind:
            found.append((reading.job, reading.status))
    return found


def log_tail(settings: Settings, job_id: str, lines: int = 50) -> str:
    """The last lines of what the job printed: untrusted text.

    Raises:
        NotFoundError: there is no such job.
    """
    return output.tail(existing_folder(settings, job_id) / LOG, lines)


def metrics(settings: Settings, job_id: str) -> list[dict[str, output.Number]]:
    """The numbers the job wrote over time, in the order written.

    Raises:
        NotFoundError: there is no such job.
    """
    return output.read_metrics(existing_folder(settings, job_id) / METRICS)


def _demand_resumable(reading: Reading) -> None:
    state = reading.status.state
    if not reading.job_is_sound:
        raise JobError(reading.status.error or "The job.json of this job is damaged: it cannot be resumed.")
    if state not in RESUMABLE:
        raise JobError(f"Only a job that stopped, failed or died can be resumed; this one is {state}.")
    if not reading.status_is_sound and reading.mark is not None and not wait_gone(reading.mark, reading.job.id, 2.0):
        raise JobError("This job still has a process at work. Stop it first, then resume it.")


@contextmanager
def _launching(settings: Settings, job_id: str) -> Iterator[Path]:
    """Let one caller at a time start a process for this job, whichever process or thread it is in."""
    folder = existing_folder(settings, job_id)
    try:
        with FileLock(folder / LAUNCH_LOCK, timeout=20):
            yield folder
    except Timeout as error:
        raise JobError("This job is being started by somebody else right now. Look at it again in a moment.") from error


def _launch(settings: Settings, folder: Path, job: Job, *, attempt: int, module: str) -> None:
    launch = Launch(attempt=attempt, kind=job.kind, started=now(), group=True)
    try:
        with (folder / LOG).open("ab") as log:
            child = subprocess.Popen(
                _command(job.id, module),
                cwd=REPOSITORY,
                env=_environment(settings, job.id),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        sentence = f"The process of this job could not be started ({error}). Resume the job to try again."
        write_record(folder / STATUS, JobStatus(state="failed", updated=now(), finished=now(), error=sentence))
        raise JobError(sentence) from error
    mark = mark_of(child.pid)
    reap(child)
    if mark is not None:
        write_record(folder / PROCESS, launch.model_copy(update={"pid": mark.pid, "pid_created": mark.created}))


def _command(job_id: str, module: str) -> list[str]:
    return [sys.executable, "-m", module, job_id]


def _environment(settings: Settings, job_id: str) -> dict[str, str]:
    return {
        **os.environ,
        **settings.environment(),
        JOB_VARIABLE: job_id,
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
