"""Replaying every pair or label of a frozen dataset."""

from collections import Counter, defaultdict
from typing import Any

from lamsim_core.curate.folder import load_rows
from lamsim_core.curate.labels import check_label
from lamsim_core.curate.pair_rows import check_pair
from lamsim_core.curate.proof import Replays
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Dataset, Record
from lamsim_core.store import Store
from lamsim_core.store.queries import get_trajectory


class NotHeld(Record):
    """A row that does not hold."""

    row: int
    """Which row, from 1."""
    problem: str


class Verified(Record):
    """What came of replaying every row of a dataset."""

    dataset: str
    checked: int
    held: int
    by_group: dict[str, int]
    """Rows that held, by kind of pair or by label."""
    wrong: tuple[NotHeld, ...]


def verify(store: Store, dataset: Dataset) -> Verified:
    """Replay every pair or label of a dataset.

    Raises:
        NotFoundError, InvalidInputError: the dataset is damaged, or is one of whole attempts.
    """
    if dataset.kind == "sft":
        raise InvalidInputError(
            f"{dataset.name} ({dataset.id}) holds whole attempts, not pairs or labels. `replay` does stored attempts again."
        )
    rows = load_rows(store.settings, dataset.id)
    store.index.sync()
    by_task: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        by_task[str(row.get("task_key"))].append(number)
    wrong: list[NotHeld] = []
    held: Counter[str] = Counter()
    for numbers in by_task.values():
        again = Replays(lambda name: get_trajectory(store.index, name))
        for number in numbers:
            row = rows[number]
            problem = check_pair(row, again) if dataset.kind == "preference" else check_label(row, again)
            if problem is None:
                held[group_of(row)] += 1
            else:
                wrong.append(NotHeld(row=number + 1, problem=problem))
    return Verified(
        dataset=dataset.id,
        checked=len(rows),
        held=sum(held.values()),
        by_group=dict(sorted(held.items())),
        wrong=tuple(sorted(wrong, key=lambda each: each.row)),
    )


def group_of(row: dict[str, Any]) -> str:
    """The kind of a pair, or the label of a labelled message."""
    return str(row["kind"]) if "kind" in row else "right" if row["label"] else "wrong"
