"""A process that makes attempts for another: a model of its own, and a journal segment of its own."""

import os
from collections.abc import Sequence
from pathlib import Path

from lamsim_core.agent.policy import make_policy
from lamsim_core.errors import JobError
from lamsim_core.explore.engine import Attempted, one_attempt
from lamsim_core.explore.modes import How
from lamsim_core.records import Record, Sampling, Task, Trajectory
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
    how: How
    """How attempts are made."""


class Worker:
    """Makes attempts, in as many threads as ``attempt`` is called from, and stores what comes of each before it says so."""

    def prepare(self, work: Work) -> None:
        """Get ready for work; no model is loaded yet.

        Raises:
            JobError: this machine does not see the storage of the one that started the run.
        """
        _require_shared(work)
        self._work = work
        self._store = Store(work.settings)

    def open(self) -> None:
        """Load the model.

        Raises:
            ModelError: the model cannot be loaded.
        """
        work = self._work
        self._policy = make_policy(
            work.settings, work.model, work.sampling, quantisation=work.quantisation, batch=work.batch
        )

    def attempt(self, task: Task, attempt: int, known: Sequence[Trajectory]) -> Attempted:
        """Make one attempt, or go on with it, and make each of its trajectories durable as soon as it ended.

        Args:
            task: what is tried.
            attempt: which attempt at it.
            known: what is stored of it.

        Raises:
            StoreWriteError: a trajectory could not be made durable.
        """
        work = self._work
        steps = work.sampling.max_steps
        made = list(known)
        for trajectory in one_attempt(
            task, self._policy, work.run, attempt, steps, lambda: False, work.how, tuple(known)
        ):
            self._store.add(trajectory)
            made.append(trajectory)
        return Attempted.of(made)


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
