"""Which trajectories enter a dataset, and why the others do not."""

from collections import Counter
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

from lamsim_core.canonical import content_hash
from lamsim_core.errors import DamagedRecordError
from lamsim_core.feedback.reward import CUT_SHORT
from lamsim_core.records import Record, Selection, Task
from lamsim_core.store import Index
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import TrajectoryRow, find_trajectories, get_trajectory
from lamsim_core.tools.held_out import split_rules

HELD_OUT = "held-out split"
NOT_SCORED = "not scored"
NOT_PASSED = "not passed"
BROKEN_OFF = "broken off before its end"
EDITED = "with an edited result"
REJECTED = "rejected"
NOT_DECIDED = "without a decision that is let in"
NO_TAG = "without a chosen tag"
TOO_MANY_ERRORS = "too many failed actions"
DUPLICATE = "duplicate"
OVER_CAP = "over the cap per template"
DAMAGED = "damaged in the journal"

_known: WeakKeyDictionary[Index, dict[str, str]] = WeakKeyDictionary()
"""For each index, what ``_replies`` found out."""


class Chosen(Record):
    """What a selection comes to."""

    rows: tuple[TrajectoryRow, ...]
    """The trajectories that enter, the newest first."""
    left_out: dict[str, int]
    """How many were looked at and do not enter, by reason. Each counts once, under the first reason that holds."""

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the trajectories that enter, the newest first."""
        return tuple(row.id for row in self.rows)


def select(index: Index, selection: Selection) -> Chosen:
    """Choose trajectories. Policies, categories, templates and runs say which are looked at; the rest leaves some out.

    Whatever the selection says, only training tasks enter: a held-out task never does.

    Raises:
        StoreError: the index cannot answer.
    """
    index.sync()
    looked_at = TrajectoryFilter(
        policies=selection.policies,
        categories=selection.categories,
        templates=selection.templates,
        runs=selection.runs,
    )
    rows = find_trajectories(index, looked_at, limit=None)
    left_out: Counter[str] = Counter()
    fit: list[TrajectoryRow] = []
    for row in rows:
        reason = _reason(row, selection)
        if reason is None:
            fit.append(row)
        else:
            left_out[reason] += 1
    chosen: list[TrajectoryRow] = []
    taken: Counter[str] = Counter()
    for row, repeated in _repeated(index, fit):
        if repeated:
            left_out[repeated] += 1
        elif selection.max_per_template is not None and taken[row.template] >= selection.max_per_template:
            left_out[OVER_CAP] += 1
        else:
            taken[row.template] += 1
            chosen.append(row)
    return Chosen(rows=tuple(chosen), left_out=dict(sorted(left_out.items())))


def _reason(row: TrajectoryRow, selection: Selection) -> str | None:
    """Why a trajectory does not enter, or None when nothing about it alone forbids it."""
    if row.split != "train" or _held_out(row.task_seed, row.offered):
        return HELD_OUT
    if row.ended in CUT_SHORT:
        return BROKEN_OFF
    if row.edited:
        return EDITED
    if selection.passed_only and row.passed is not True:
        return NOT_SCORED if row.passed is None else NOT_PASSED
    if row.decision not in selection.decisions:
        return REJECTED if row.decision == "reject" else NOT_DECIDED
    if selection.tags and not set(selection.tags) & set(row.tags):
        return NO_TAG
    if selection.max_errors is not None and row.n_failed > selection.max_errors:
        return TOO_MANY_ERRORS
    return None


def held_out(task: Task) -> bool:
    """Whether a task must never be trained on: by what it says of itself, or by the rules in force now."""
    offered = (f"{binding.category}.{binding.tool}" for _, binding in task.bound_tools)
    return task.split != "train" or _held_out(task.seed, offered)


def _held_out(seed: int, offered: Iterable[str]) -> bool:
    """Splits can be redrawn after a trajectory was stored; then its own word is out of date."""
    rules = split_rules()
    names = set(offered)
    return (
        seed >= rules.train_seeds
        or bool(names & rules.held_out_tools)
        or bool({name.partition(".")[0] for name in names} & rules.held_out_categories)
    )


def _repeated(index: Index, rows: list[TrajectoryRow]) -> Iterator[tuple[TrajectoryRow, str | None]]:
    """Each row, with a reason when an earlier one has the same task and the same replies, or it cannot be read."""
    alike = Counter(_outline(row) for row in rows)
    seen: set[str] = set()
    for row in rows:
        if alike[_outline(row)] == 1:
            yield row, None  # the same replies would have left the same outline, so this one need not be read
            continue
        try:
            replies = _replies(index, row)
        except DamagedRecordError:
            yield row, DAMAGED
            continue
        yield row, DUPLICATE if replies in seen else None
        seen.add(replies)


def _outline(row: TrajectoryRow) -> tuple[object, ...]:
    return row.task_key, row.n_calls, row.tools, row.answer


def _replies(index: Index, row: TrajectoryRow) -> str:
    """Hash of a task and what was replied to it. Read once per process: a stored trajectory never changes."""
    known = _known.setdefault(index, {})
    if row.id not in known:
        steps = get_trajectory(index, row.id).steps
        known[row.id] = content_hash([row.task_key, *(step.reply for step in steps if step.reply is not None)])
    return known[row.id]
