"""The stages of a selection that read more than a row: near-duplicates, and what is found in what is only for measuring."""

from collections.abc import Collection, Sequence
from weakref import WeakKeyDictionary

from lamsim_core.curate.alike import near_duplicates
from lamsim_core.curate.decontaminate import Found, Trace, Watch, trace_of
from lamsim_core.curate.held_out_texts import held_out_texts
from lamsim_core.curate.outside import Outside, outside
from lamsim_core.records import HeldOutSplit
from lamsim_core.store import Index
from lamsim_core.store.queries import TrajectoryRow, asked_in_split, call_sequences, stored_trajectories

_traces: WeakKeyDictionary[Index, dict[str, Trace]] = WeakKeyDictionary()
"""For each index, what can be compared of each task, by its key: read once per process, since a task never changes."""


def near_duplicates_of(index: Index, rows: Sequence[TrajectoryRow], threshold: float) -> dict[str, str]:
    """The rows that are too much like an earlier one, each with that one's id. See ``curate.alike`` for the measure."""
    calls = call_sequences(index)
    found = near_duplicates((((row.template, calls.get(row.id, ())), row.instruction) for row in rows), threshold)
    return {row.id: rows[first].id for row, first in zip(rows, found, strict=True) if first is not None}


def contaminated(
    index: Index,
    rows: Sequence[TrajectoryRow],
    splits: Collection[HeldOutSplit],
    lists: Collection[Outside],
    as_of: str | None = None,
) -> dict[str, Found]:
    """The rows of which something is found in what is only for measuring. See ``curate.decontaminate`` for the measure.

    Args:
        index: of the store.
        rows: what would enter.
        splits: held-out splits; what was asked in stored attempts at them counts, beside what is made of their templates.
        lists: other lists.
        as_of: leave aside attempts made later than this.
    """
    watches = [Watch(_with_stored(index, split, as_of), in_a_row=split != "unseen_instances") for split in splits]
    watches += [Watch(each) for each in lists]
    if not watches or not rows:
        return {}
    traces = _trace(index, rows)
    found: dict[str, Found] = {}
    by_key: dict[str, Found | None] = {}
    for row in rows:
        if row.task_key not in by_key:
            trace = traces.get(row.task_key, Trace(row.instruction, frozenset()))
            by_key[row.task_key] = next((hit for watch in watches if (hit := watch.find(trace))), None)
        if (hit := by_key[row.task_key]) is not None:
            found[row.id] = hit
    return found


def _with_stored(index: Index, split: HeldOutSplit, as_of: str | None) -> Outside:
    made = held_out_texts(split)
    return outside(split, (*made.texts, *asked_in_split(index, split, as_of)), made.schemas)


def _trace(index: Index, rows: Sequence[TrajectoryRow]) -> dict[str, Trace]:
    known = _traces.setdefault(index, {})
    wanted = {row.task_key: row.id for row in rows if row.task_key not in known}
    if wanted:
        for trajectory in stored_trajectories(index, tuple(wanted.values())):
            known[trajectory.task.key] = trace_of(trajectory.task.instruction, trajectory.task.tools)
    return known
