"""The child's side: run one job to its end, and record how it ended whatever happens."""

import faulthandler
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lamsim_core.canonical import now
from lamsim_core.errors import JobError, LamsimError, StoppedError
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import LOG, PROCESS, RUN_LOCK, job_folder, write_record
from lamsim_core.jobs.job import Kind, Launch
from lamsim_core.jobs.process import end_leftovers, mark_of
from lamsim_core.jobs.reading import read_job_folder
from lamsim_core.jobs.reporter import OnProgress
from lamsim_core.jobs.stopping import watchdog
from lamsim_core.settings import Settings, get_settings

HANDLERS: Mapping[str, str] = {
    "explore": "lamsim_core.explore.job",
    "correct": "lamsim_core.explore.correct",
    "train": "lamsim_core.train.job",
    "evaluate": "lamsim_core.evaluate.job",
    "rescore": "lamsim_core.review.job",
    "bfcl": "lamsim_core.evaluate.bfcl.job",
    "merge": "lamsim_core.train.merge_job",
    "turn": "lamsim_core.flywheel.job",
}
"""The module that does each kind of job. It has ``run(context: JobContext) -> dict``, which returns the result."""

DONE, FAILED, REFUSED, STOPPED = range(4)
"""Exit codes of a job's process."""

GRACE_SECONDS = {"train": 600.0, "turn": 660.0}
"""How long a kind may take to save after a stop was asked for; a training run may be far from its next step, and a turn
of the flywheel waits for it."""

_GRACE_OF_OTHERS = 60.0


def run_job(
    settings: Settings, job_id: str, *, handlers: Mapping[str, str] = HANDLERS, grace: float | None = None
) -> int:
    """Run a job that was started or resumed, in this process; returns the exit code.

    Args:
        settings: where jobs live.
        job_id: the job.
        handlers: the module for each kind.
        grace: seconds between a stop and its being forced; by default those of the kind.

    Raises:
        NotFoundError: there is no such job.
        JobError: its job.json is damaged, it has already ended, or another process is at work on it.
    """
    reading = read_job_folder(settings, job_id)
    if not reading.job_is_sound:
        raise JobError(reading.status.error or "The job.json of this job is damaged.")
    job = reading.job
    seconds = GRACE_SECONDS.get(job.kind, _GRACE_OF_OTHERS) if grace is None else grace
    with _alone(job_folder(settings, job_id)):
        context = JobContext(settings, job)
        if context.reporter.current.state in ("done", "stopped", "failed"):
            raise JobError(f"This job has already ended ({context.reporter.current.state}): resume it to run it again.")

        def give_up() -> None:
            _give_up(context, seconds)

        try:
            with context.stop_request.listening(), watchdog(context.stop_request, seconds, give_up):
                _carry_out(context, handlers)
        except StoppedError:
            return STOPPED
        except (Exception, SystemExit):
            return FAILED
    return DONE


def run_inline(
    settings: Settings,
    kind: Kind,
    params: dict[str, Any],
    on_progress: OnProgress | None = None,
    *,
    label: str = "",
    handlers: Mapping[str, str] = HANDLERS,
) -> dict[str, Any]:
    """Run a job in this process, in the foreground, with the same folder and status as one in the background.

    Ctrl-C saves and stops; a second one stops at once.

    Args:
        settings: where jobs live.
        kind: what the job does.
        params: what its handler needs; must be JSON.
        on_progress: called with done, total and message at every step.
        label: what the user reads in lists; by default the kind.
        handlers: the module for each kind.

    Returns:
        The handler's result.

    Raises:
        InvalidInputError: the parameters are not JSON.
        StoppedError: it was stopped; what was finished is saved, and the job can be resumed.
        Exception: whatever the handler raised, after it was recorded.
    """
    job = create_folder(settings, new_job(kind, params, label=label or kind), group=False)
    folder = job_folder(settings, job.id)
    mark = mark_of(os.getpid())
    if mark is not None:
        launch = Launch(attempt=1, kind=job.kind, started=now(), group=False, pid=mark.pid, pid_created=mark.created)
        write_record(folder / PROCESS, launch)
    with _alone(folder):
        context = JobContext(settings, job, on_progress=on_progress)
        with context.stop_request.listening():
            _carry_out(context, handlers)
    return context.reporter.current.result


def _carry_out(context: JobContext, handlers: Mapping[str, str]) -> None:
    """Run the handler and record how it ended.

    Raises:
        StoppedError: it was stopped.
        Exception: it failed.
    """
    reporter = context.reporter
    try:
        mark = mark_of(os.getpid())
        reporter.set(
            "running",
            "Starting.",
            started=now(),
            finished=None,
            error=None,
            eta_seconds=None,
            pid=os.getpid(),
            pid_created=None if mark is None else mark.created,
        )
        if context.should_stop():
            raise StoppedError("Stopped before it began.")
        context.finish(import_module(handlers[context.job.kind]).run(context))
    except (StoppedError, KeyboardInterrupt) as error:
        reporter.end("stopped", message=str(error) or "Stopped.")
        raise StoppedError(str(error) or "Stopped.") from error
    except LamsimError as error:
        _log(context.folder, f"Failed: {error}\n")
        reporter.end("failed", message="Failed.", error=str(error))
        raise
    except (Exception, SystemExit) as error:
        # Before the end is told: a page looks at the log when it sees the end, and then no more.
        _log(context.folder, traceback.format_exc())
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        reporter.end(
            "failed",
            message="Failed.",
            error=f"An unexpected error ended this job ({what}). Its log says where. Resume the job to try again.",
        )
        raise
    if reporter.current.state == "stopped":
        raise StoppedError(reporter.current.message)


def _give_up(context: JobContext, seconds: float) -> None:
    """End this process by force: it was asked to stop and did not."""
    with (context.folder / LOG).open("a", encoding="utf-8") as log:
        log.write(f"Asked to stop {seconds:.0f} s ago and still at work; ended by force. It was here:\n")
        log.flush()
        faulthandler.dump_traceback(file=log)
    message = f"Stopped by force: it had not saved within {seconds:.0f} s. What it had saved before is still there."
    try:
        context.reporter.end("stopped", lock_seconds=2.0, message=message)
    finally:
        end_leftovers(context.job.id)
        os._exit(STOPPED)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make sure that one process at a time works on a job."""
    lock = FileLock(folder / RUN_LOCK)
    try:
        lock.acquire(timeout=1.0)
    except Timeout as error:
        raise JobError("Another process is already at work on this job.") from error
    try:
        yield
    finally:
        lock.release()


def _log(folder: Path, text: str) -> None:
    """Append to the job's log; when that cannot be done the terminal hears it, and the job's end is still recorded."""
    try:
        with (folder / LOG).open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(text)
    except OSError as error:
        print(f"The log could not be written ({error}):\n{text}", file=sys.stderr)


def main() -> int:
    """Run the job named on the command line."""
    try:
        return run_job(get_settings(), sys.argv[1])
    except LamsimError as error:
        print(error, file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
