"""A process that makes attempts for another: a model of its own, and a journal segment of its own."""

import os
from pathlib import Path

from lamsim_core.agent.policy import make_policy
from lamsim_core.errors import JobError
from lamsim_core.explore.engine import Attempted, one_attempt
from lamsim_core.records import Record, Sampling, Task
from lamsim_core.settings import Settings
from lamsim_core.store import Store


class Work(Record):
    """What a worker has to know."""

    settings: Settings
    run: str
    run_file: Path
    """Holds the run's id: a worker that does not find it there does not see the storage of those who started it."""
    model: str
    sampling: Sampling
    quantisation: str | None
    batch: int
    """Attempts a worker makes at the same time."""


class Worker:
    """Makes attempts, in as many threads as ``attempt`` is called from, and stores each before it says so."""

    def open(self, work: Work) -> None:
        """Load the model.

        Raises:
            JobError: this machine does not see the storage of the one that started the run.
            ModelError: the model cannot be loaded.
        """
        _require_shared(work)
        self._work = work
        self._store = Store(work.settings)
        self._policy = make_policy(
            work.settings, work.model, work.sampling, quantisation=work.quantisation, batch=work.batch
        )

    def attempt(self, task: Task, attempt: int) -> Attempted:
        """Make one attempt and make its trajectory durable.

        Raises:
            StoreWriteError: it could not be.
        """
        work = self._work
        trajectory = one_attempt(task, self._policy, work.run, attempt, work.sampling.max_steps, lambda: False)
        self._store.add(trajectory)
        return Attempted.of(trajectory)


def _require_shared(work: Work) -> None:
    try:
        found = work.run_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        found = str(error)
    if found != work.run:
        raise JobError(
            f"A worker on {os.uname().nodename} does not see the store of this run: {work.run_file} should hold "
            f"{work.run} there, but: {found[:200]}. Put LAMSIM_HOME on storage that every machine of the cluster has at "
            "the same path."
        )
