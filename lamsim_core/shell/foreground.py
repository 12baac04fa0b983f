"""Jobs watched from the shell: started in this process, or in their own and followed. The app lists both kinds."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lamsim_core.errors import JobError, LamsimError, StoppedError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, Kind
from lamsim_core.jobs.runner import run_inline
from lamsim_core.settings import Settings
from lamsim_core.shell.output import JobEndedError, say

OnProgress = Callable[[int, int, str], None]

_POLL_SECONDS = 0.3


def run_in_foreground(settings: Settings, kind: Kind, params: dict[str, Any], label: str) -> tuple[str, dict[str, Any]]:
    """Run a job in this process with a progress bar on stderr; its id and its result. Ctrl-C saves and stops it.

    Raises:
        InvalidInputError: the parameters are not JSON.
        JobEndedError: it failed or was stopped; what it finished is saved.
    """
    # As for jobs in a process of their own: nothing is fetched from a model hub while a job runs.
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        with progress_bar(label) as update:
            result = run_inline(settings, kind, params, update, label=label)
    except LamsimError as error:
        job = _own_job(settings, kind)
        if job is None:
            raise
        if isinstance(error, StoppedError):
            say(f"Stopped. To go on: python -m lamsim_core jobs resume {job}")
        raise JobEndedError(job, error) from error
    return _own_job(settings, kind) or "", result


def _own_job(settings: Settings, kind: Kind) -> str | None:
    """The newest job of this very process."""
    return next((job.id for job, status in supervisor.list_jobs(settings, kind) if status.pid == os.getpid()), None)


def follow(settings: Settings, job_id: str) -> dict[str, Any]:
    """Watch a job that runs in its own process until it ends; its result. Ctrl-C asks it to save and stop.

    Raises:
        NotFoundError: there is no such job.
        JobEndedError: it failed, died or was stopped.
    """
    label = supervisor.get_job(settings, job_id).label
    with progress_bar(label) as update:
        while True:
            try:
                status = supervisor.status(settings, job_id)
                update(status.done, status.total, status.message)
                if status.state not in ACTIVE:
                    break
                time.sleep(_POLL_SECONDS)
            except KeyboardInterrupt:
                supervisor.stop(settings, job_id)
    if status.state == "done":
        return dict(status.result)
    if status.state == "stopped":
        raise JobEndedError(job_id, StoppedError(status.message or "Stopped."))
    raise JobEndedError(job_id, JobError(status.error or f"The job is {status.state}."))


@contextmanager
def progress_bar(label: str) -> Iterator[OnProgress]:
    """A progress bar on stderr, which is drawn only where somebody can watch it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from lamsim_core.shell.output import plain

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(escape(plain(label)), total=None, message="")

        def update(done: int, total: int, message: str) -> None:
            progress.update(bar, completed=done, total=total or None, message=escape(plain(message)[:80]))

        yield update
