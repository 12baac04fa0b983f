"""Which trajectories enter a dataset, and why the others do not.

The rules are asked in stages: what is looked at at all, what is selected, what people's decisions let in, what is no
duplicate, what caps and shares have room for, what is not also found in something that is only for measuring, and
what the number of rows has room for.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

from lamsim_core.canonical import content_hash, derive_seed
from lamsim_core.curate.balance import over_cap, over_share, over_size
from lamsim_core.curate.outside import Outside, load_outside
from lamsim_core.curate.sifting import contaminated, near_duplicates_of
from lamsim_core.errors import DamagedRecordError, InvalidInputError
from lamsim_core.feedback.reward import CUT_SHORT
from lamsim_core.records import Record, Selection, Task
from lamsim_core.store import Index, Store
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import TrajectoryRow, ask_ids, find_trajectories, get_trajectory
from lamsim_core.tools.held_out import split_rules

HELD_OUT = "held-out split"
NOT_SCORED = "not scored"
NOT_PASSED = "not passed"
NOT_FAILED = "passed, where only others are wanted"
BROKEN_OFF = "broken off before its end"
EDITED = "with an edited result"
EXCLUDED = "excluded by hand"
NOT_ASKED = "not returned by the question"
TOO_SHORT = "fewer steps than wanted"
TOO_LONG = "more steps than wanted"
OTHER_LOOKS = "with tools in other looks"
TOO_FEW_TOOLS = "fewer tools offered than wanted"
TOO_MANY_TOOLS = "more tools offered than wanted"
NO_TAG = "without a chosen tag"
TOO_MANY_ERRORS = "too many failed actions"
REJECTED = "rejected"
NOT_DECIDED = "without a decision that is let in"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near-duplicate"
DAMAGED = "damaged in the journal"
OVER_CAP = "over the cap per template"
OVER_CATEGORY = "over the share of its category"
OVER_KIND = "over the share of its kind"
OVER_POLICY = "over the share of who acted"
OVER_ROWS = "over the number of rows"
NOT_USED = "in no row"
"""Where rows are made of single turns: let in, and still in none."""
FOUND = {"request": "request", "words": "words in a row", "tool": "tool"}
"""How contamination is said: ``request also in unseen_tools``."""

STAGES = {
    "looked at": (),
    "selected": (
        HELD_OUT, NOT_SCORED, NOT_PASSED, NOT_FAILED, BROKEN_OFF, EDITED, EXCLUDED, NOT_ASKED, TOO_SHORT, TOO_LONG, OTHER_LOOKS,
        TOO_FEW_TOOLS, TOO_MANY_TOOLS, NO_TAG, TOO_MANY_ERRORS,
    ),
    "accepted": (REJECTED, NOT_DECIDED),
    "deduplicated": (DUPLICATE, NEAR_DUPLICATE, DAMAGED),
    "capped": (OVER_CAP, OVER_CATEGORY, OVER_KIND, OVER_POLICY),
    "decontaminated": None,
    "cut to size": (OVER_ROWS,),
}  # fmt: skip
"""The stages in order, each with the reasons it leaves out for; the one without has all others."""

_known: WeakKeyDictionary[Index, dict[str, str]] = WeakKeyDictionary()
"""For each index, what ``_replies`` found out."""


class LeftOut(NamedTuple):
    """A trajectory that was looked at and does not enter."""

    trajectory: str
    reason: str
    """The first reason that holds."""
    because: str = ""
    """The trajectory it repeats, or the words or tool found elsewhere."""


class Chosen(Record):
    """What a selection comes to."""

    rows: tuple[TrajectoryRow, ...]
    """The trajectories that enter, the newest first."""
    out: tuple[LeftOut, ...]
    """Those looked at that do not, each once."""

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the trajectories that enter, the newest first."""
        return tuple(row.id for row in self.rows)

    @property
    def left_out(self) -> dict[str, int]:
        """How many were looked at and do not enter, by reason."""
        return dict(sorted(Counter(each.reason for each in self.out).items()))


def funnel(members: int, left_out: dict[str, int]) -> dict[str, int]:
    """How many trajectories are left after each stage: of a preview, or of a frozen dataset and its counts."""
    staged = {reason for reasons in STAGES.values() if reasons for reason in reasons}
    left = members + sum(left_out.values())
    found: dict[str, int] = {}
    stages = STAGES | ({"used": (NOT_USED,)} if NOT_USED in left_out else {})
    for stage, reasons in stages.items():
        gone = set(left_out) - staged - {NOT_USED} if reasons is None else reasons
        left -= sum(left_out.get(reason, 0) for reason in gone)
        found[stage] = left
    return found


def choose(
    store: Store,
    selection: Selection,
    *,
    as_of: str | None = None,
    members: Collection[str] = frozenset(),
    by_turn: bool = False,
) -> Chosen:
    """``select`` with the lists the selection names, as they are kept. Raises also what ``load_outside`` does."""
    lists = list(load_outside(store.settings, selection))
    return select(store.index, selection, outside=lists, as_of=as_of, members=members, by_turn=by_turn)


def select(
    index: Index,
    selection: Selection,
    *,
    outside: Sequence[Outside] = (),
    as_of: str | None = None,
    members: Collection[str] = frozenset(),
    by_turn: bool = False,
) -> Chosen:
    """Choose trajectories. Whatever the selection says, only training tasks enter: a held-out task never does.

    Policies, categories, templates, kinds, runs, origins and times say which are looked at; the rest leaves some out.

    Args:
        index: of the store.
        selection: the rules.
        outside: the lists that ``selection.outside`` names, in that order.
        as_of: leave aside what was made later than this, as if it were not stored yet.
        members: ids for which ``as_of`` does not hold.
        by_turn: rows are made of single turns. Then attempts that were broken off before their end are let in, such as
            paths that a search left, and duplicates too: turns are compared by whoever makes the rows.

    Raises:
        InvalidInputError: a list is missing, a time cannot be read, a share cannot be kept, or the question may not be asked.
        StoreError: the index cannot answer.
    """
    if tuple(each.ref for each in outside) != selection.outside:
        raise InvalidInputError("The lists of outside texts are not those the selection names.")
    index.sync()
    rows = [
        row
        for row in _candidates(index, selection)
        if as_of is None or row.id in members or _moment(row.created) <= _moment(as_of)
    ]
    asked = set(ask_ids(index, selection.sql)) if selection.sql.strip() else None
    out: dict[str, LeftOut] = {}
    fit: list[TrajectoryRow] = []
    for row in rows:
        reason = _reason(row, selection, asked, by_turn)
        if reason is None:
            fit.append(row)
        else:
            out[row.id] = LeftOut(row.id, reason)
    left = _in_order(fit, selection)
    for stage in (_caps, _shares) if by_turn else (_duplicates, _caps, _shares):
        found = stage(index, left, selection)
        out |= {each.trajectory: each for each in found}
        left = [row for row in left if row.id not in out]
    for row_id, found_in in contaminated(index, left, selection.decontaminate, outside, as_of).items():
        out[row_id] = LeftOut(row_id, f"{FOUND[found_in.by]} also in {found_in.where}", found_in.what)
    for row_id in _beyond_size([row for row in left if row.id not in out], selection):
        out[row_id] = LeftOut(row_id, OVER_ROWS)
    return Chosen(
        rows=tuple(row for row in rows if row.id not in out), out=tuple(out[row.id] for row in rows if row.id in out)
    )


def _candidates(index: Index, selection: Selection) -> list[TrajectoryRow]:
    """What is looked at, the newest first: what the filters let through, and what is included by hand."""
    looked_at = TrajectoryFilter(
        policies=selection.policies,
        categories=selection.categories,
        templates=selection.templates,
        runs=selection.runs,
    )
    since, until = (_moment(text) if text else None for text in (selection.since, selection.until))
    kinds, origins = set(selection.kinds), set(selection.origins)
    rows = {
        row.id: row
        for row in find_trajectories(index, looked_at, limit=None)
        if (not kinds or kinds & set(row.kinds))
        and (not origins or ("forked" if row.parent else "plain") in origins)
        and (since is None or _moment(row.created) >= since)
        and (until is None or _moment(row.created) < until)
    }
    if selection.include:
        by_hand = find_trajectories(index, TrajectoryFilter(ids=selection.include), limit=None)
        rows |= {row.id: row for row in by_hand}
    return sorted(rows.values(), key=lambda row: (row.created, row.id), reverse=True)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInputError(f"{text[:60]!r} is no time; write 2026-11-24 or 2026-11-24T17:30 (UTC).") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _reason(row: TrajectoryRow, selection: Selection, asked: Collection[str] | None, by_turn: bool) -> str | None:
    """Why a trajectory does not enter, or None when nothing about it alone forbids it."""
    if row.split != "train" or _held_out(row.task_seed, row.offered):
        return HELD_OUT
    if row.ended in CUT_SHORT and not by_turn:
        return BROKEN_OFF
    if row.edited:
        return EDITED
    if row.id in selection.exclude:
        return EXCLUDED
    if row.id not in selection.include and (reason := _unfit(row, selection, asked)):
        return reason
    if row.decision not in selection.decisions and (row.decision == "reject" or row.id not in selection.include):
        return REJECTED if row.decision == "reject" else NOT_DECIDED
    return None


def _unfit(row: TrajectoryRow, selection: Selection, asked: Collection[str] | None) -> str | None:
    """Which of the rules about outcome, size, tools offered and tags it does not meet."""
    wanted = selection.outcomes or (("passed",) if selection.passed_only else ("passed", "failed", "unscored"))
    if {True: "passed", False: "failed", None: "unscored"}[row.passed] not in wanted:
        return {True: NOT_FAILED, False: NOT_PASSED, None: NOT_SCORED}[row.passed]
    if asked is not None and row.id not in asked:
        return NOT_ASKED
    if selection.min_steps is not None and row.n_steps < selection.min_steps:
        return TOO_SHORT
    if selection.max_steps is not None and row.n_steps > selection.max_steps:
        return TOO_LONG
    if selection.looks not in ("any", row.looks):
        return OTHER_LOOKS
    if selection.min_tools is not None and len(row.offered) < selection.min_tools:
        return TOO_FEW_TOOLS
    if selection.max_tools is not None and len(row.offered) > selection.max_tools:
        return TOO_MANY_TOOLS
    if selection.tags and not set(selection.tags) & set(row.tags):
        return NO_TAG
    if selection.max_errors is not None and row.n_failed > selection.max_errors:
        return TOO_MANY_ERRORS
    return None


def _in_order(rows: Sequence[TrajectoryRow], selection: Selection) -> list[TrajectoryRow]:
    """The order in which rows are kept where not all can be: those included by hand first, then as the selection says."""
    ordered = list(rows)
    if selection.keep == "oldest":
        ordered.reverse()
    elif selection.keep == "shortest":
        ordered.sort(key=lambda row: row.n_calls)
    elif selection.keep == "seeded":
        ordered.sort(key=lambda row: (derive_seed("keep", selection.seed, row.id), row.id))
    by_hand = set(selection.include)
    return sorted(ordered, key=lambda row: row.id not in by_hand)


def _duplicates(index: Index, rows: list[TrajectoryRow], selection: Selection) -> list[LeftOut]:
    found = [LeftOut(row.id, reason) for row, reason in _repeated(index, rows) if reason]
    if selection.alike is not None:
        gone = {each.trajectory for each in found}
        left = [row for row in rows if row.id not in gone]
        near = near_duplicates_of(index, left, selection.alike)
        found += [LeftOut(row_id, NEAR_DUPLICATE, first) for row_id, first in near.items()]
    return found


def _caps(index: Index, rows: list[TrajectoryRow], selection: Selection) -> list[LeftOut]:
    if selection.max_per_template is None:
        return []
    over = over_cap(rows, lambda row: row.template, selection.max_per_template)
    return [LeftOut(row.id, OVER_CAP) for row, gone in zip(rows, over, strict=True) if gone]


def _shares(index: Index, rows: list[TrajectoryRow], selection: Selection) -> list[LeftOut]:
    found: list[LeftOut] = []
    left = rows
    for shares, group, reason in shared(selection):
        over = over_share(left, group, shares)
        found += [LeftOut(row.id, reason) for row, gone in zip(left, over, strict=True) if gone]
        left = [row for row, gone in zip(left, over, strict=True) if not gone]
    return found


class Shared(Protocol):
    """A row of any kind, as far as shares are about it."""

    @property
    def category(self) -> str:
        """Of its task."""

    @property
    def kinds(self) -> Sequence[str]:
        """What its task demands."""

    @property
    def policy(self) -> str:
        """Who acted."""


def shared(selection: Selection) -> Iterator[tuple[Mapping[str, float], Callable[[Shared], str | None], str]]:
    """What has shares, in the order it is cut in: the shares, what of them a row belongs to, the reason to leave it out."""
    kinds = {str(kind): share for kind, share in selection.kind_shares.items()}
    if selection.category_shares:
        yield selection.category_shares, lambda row: row.category, OVER_CATEGORY
    if kinds:
        yield kinds, lambda row: next((kind for kind in row.kinds if kind in kinds), None), OVER_KIND
    if selection.policy_shares:
        yield selection.policy_shares, lambda row: row.policy, OVER_POLICY


def _beyond_size(rows: list[TrajectoryRow], selection: Selection) -> list[str]:
    """Ids of the rows for which the number of rows has no room."""
    if selection.rows is None:
        return []
    cut = list(shared(selection))

    def named(row: TrajectoryRow) -> tuple[str | None, ...]:
        return tuple(name if (name := group(row)) in shares else None for shares, group, _ in cut)

    over = over_size(rows, named, lambda row: row.template, selection.rows)
    return [row.id for row, gone in zip(rows, over, strict=True) if gone]


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
