"""One model job at a time on this machine: whoever holds the lease may use the processor and its memory in full."""

import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from lamsim_core.errors import StoppedError
from lamsim_core.jobs.folder import read_record, write_record
from lamsim_core.jobs.job import Job
from lamsim_core.records import Record

_POLL_SECONDS = 0.2


class Holder(Record):
    """Who holds the lease, for the message others show while they wait."""

    job: str
    label: str


class Lease:
    """The lease as one job sees it. May be taken again by its holder; the kernel frees it when the holder dies."""

    def __init__(self, jobs: Path) -> None:
        self._holder = jobs / "compute.json"
        # Not per thread: all threads of a job are the same holder.
        self._lock = FileLock(jobs / "compute.lock", thread_local=False)

    def take(self, job: Job, *, waiting: Callable[[str], None], should_stop: Callable[[], bool]) -> None:
        """Wait for the lease and take it.

        Args:
            job: who takes it.
            waiting: called with a sentence when it is held by another, and again when the holder changes.
            should_stop: asked between tries.

        Raises:
            StoppedError: a stop was asked for while waiting.
        """
        said = ""
        while True:
            try:
                self._lock.acquire(blocking=False)
                break
            except Timeout:
                sentence = self._who()
            if should_stop():
                raise StoppedError("Stopped while waiting for its turn.")
            if sentence != said:
                waiting(sentence)
                said = sentence
            time.sleep(_POLL_SECONDS)
        if self._lock.lock_counter == 1:
            try:
                write_record(self._holder, Holder(job=job.id, label=job.label))
            except OSError:
                self._lock.release()
                raise

    def give_back(self) -> None:
        """Let the next job take it."""
        if self._lock.lock_counter == 1:
            self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _who(self) -> str:
        try:
            label = read_record(self._holder, Holder).label
        except (OSError, ValueError):
            return "Waiting for another job to finish: one job uses the models at a time."
        return f"Waiting for “{label}” to finish: one job uses the models at a time."
