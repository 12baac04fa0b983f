"""The order in which tasks are tried: as planned, or those first from which there is most to learn."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from lamsim_core.records import Task
from lamsim_core.settings import Settings
from lamsim_core.store import Index
from lamsim_core.store.history import Tried, tried_tasks

Order = Literal["planned", "curriculum"]


def by_need(tasks: Sequence[Task], tried: Mapping[str, Tried]) -> list[Task]:
    """Tasks that passed sometimes, then those never tried, then those that always failed, then those that always passed.

    Tasks of one kind stay in their order.

    Args:
        tasks: the tasks as planned.
        tried: how often each was tried and passed, by task key.
    """

    def need(task: Task) -> int:
        found = tried.get(task.key)
        if found is None:
            return 1
        return 2 if found.passed == 0 else 3 if found.passed == found.scored else 0

    return sorted(tasks, key=need)


def learned_order(settings: Settings, tasks: Sequence[Task], policy: str, *, without_run: str) -> list[Task]:
    """Tasks by need, as far as the store knows the policy; while it does not know it, by what everybody did.

    The index of the store belongs to the app, so the journal is read into one that is thrown away.

    Args:
        settings: where the store is.
        tasks: the tasks as planned.
        policy: name of the policy that is to try them.
        without_run: a run that is not looked at: the one to come, which a resumed job has begun already.

    Raises:
        StoreError: the store cannot be asked.
    """
    with (
        TemporaryDirectory(prefix="lamsim-order-") as folder,
        closing(Index(Path(folder) / "index.duckdb", settings.journal, settings.index_memory)) as index,
    ):
        index.sync()
        own = tried_tasks(index, policy=policy, without_run=without_run)
        return by_need(tasks, own or tried_tasks(index, without_run=without_run))
