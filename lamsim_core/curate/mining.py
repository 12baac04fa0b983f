"""Rows made of single turns, for a whole selection: preference pairs, or labels. Mined task by task, replayed, then capped.

The rules of the selection say which attempts are looked at. Those about outcome and failed actions do not, for failures are the
rejected sides; nor do those about near-duplicates. Caps and shares count rows, not attempts.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, get_args

from lamsim_core.canonical import canonical_json, derive_seed
from lamsim_core.curate.balance import over_cap, over_share, over_size
from lamsim_core.curate.labels import Label, check_label, find_labels, label_row
from lamsim_core.curate.pair_rows import check_pair, pair_row, settled
from lamsim_core.curate.pairs import Pair, find_pairs
from lamsim_core.curate.proof import NotHeldError, Replays
from lamsim_core.curate.select import DAMAGED, HELD_OUT, NOT_USED, OVER_ROWS, LeftOut, choose, held_out, shared
from lamsim_core.errors import DamagedRecordError
from lamsim_core.records import DatasetKind, PairKind, Selection, Trajectory
from lamsim_core.store import Store
from lamsim_core.store.queries import TrajectoryRow, get_trajectory

NOT_REPLAYED = "does not hold when replayed"
OVER_TEMPLATE = "over the cap per template"
OVER_PAIR_KIND = "over the cap per kind of pair"
OVER_LABEL = "more of its label than for balance"

RIGHT, WRONG = "right", "wrong"


class Mined(NamedTuple):
    """One row as it is written, with what it is counted and capped by."""

    line: bytes
    """The line of ``rows.jsonl``."""
    members: tuple[str, ...]
    """Trajectories it is made of."""
    group: str
    """The kind of the pair, or the label."""
    template: str
    category: str
    kinds: tuple[str, ...]
    """What the task demands."""
    policy: str
    """Who wrote the rejected message, or the labelled one."""
    chosen_by: str | None
    """Who wrote the chosen one."""
    order: tuple[int, str]
    """Rows are kept and written in this order, drawn by the seed."""

    @property
    def facts(self) -> Iterator[tuple[str, str]]:
        """What it is counted by; by what the task demands it counts once for each."""
        yield ("label" if self.chosen_by is None else "pair"), self.group
        yield "category", self.category
        yield "template", self.template
        yield "policy", self.policy
        if self.chosen_by is not None:
            yield "chosen_by", self.chosen_by
        for kind in self.kinds:
            yield "kind", kind


class Mine(NamedTuple):
    """What a selection comes to as rows of single turns."""

    rows: list[Mined]
    dropped: dict[str, int]
    """Rows that were found and left out, by reason."""
    out: list[LeftOut]
    """Trajectories that are in no row."""

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the trajectories the rows are made of, each once, in the order of the rows."""
        return tuple(dict.fromkeys(member for row in self.rows for member in row.members))

    @property
    def left_out(self) -> dict[str, int]:
        """How many trajectories were looked at and are in no row, by reason."""
        return dict(sorted(Counter(each.reason for each in self.out).items()))

    def counted(self, by: str) -> dict[str, int]:
        """Rows by one of ``Mined.facts``."""
        return dict(sorted(Counter(value for row in self.rows for key, value in row.facts if key == by).items()))


def mine(
    store: Store,
    selection: Selection,
    kind: DatasetKind,
    *,
    as_of: str | None = None,
    members: Collection[str] = frozenset(),
) -> Mine:
    """Mine the preference pairs or labels of a selection. The same store and selection give the same rows.

    Args:
        store: where the trajectories are.
        selection: the rules.
        kind: ``preference`` or ``labels``.
        as_of, members: as of ``curate.select.select``.

    Raises:
        InvalidInputError, NotFoundError, StoreError: as ``curate.select.choose``.
    """
    chosen = choose(store, looked_at(selection), as_of=as_of, members=members, by_turn=True)
    out = {each.trajectory: each for each in chosen.out}
    by_task: dict[str, list[TrajectoryRow]] = defaultdict(list)
    for row in reversed(chosen.rows):
        by_task[row.task_key].append(row)
    dropped: Counter[str] = Counter()
    found: list[Mined] = []
    for candidates in by_task.values():
        attempts, gone = _read(store, _promising(candidates, kind))
        out |= {each.trajectory: each for each in gone}
        found += _of_task(attempts, selection, kind, dropped)
    rows = _balanced(sorted(found, key=lambda row: row.order), selection, kind, dropped)
    used = {member for row in rows for member in row.members}
    out |= {row.id: LeftOut(row.id, NOT_USED) for row in chosen.rows if row.id not in used and row.id not in out}
    return Mine(rows, {reason: number for reason, number in sorted(dropped.items()) if number}, list(out.values()))


def looked_at(selection: Selection) -> Selection:
    """The rules by which attempts are let in: those of the selection that are not about rows."""
    rules: dict[str, Any] = {
        "passed_only": False,
        "outcomes": (),
        "max_errors": None,
        "alike": None,
        "max_per_template": None,
        "category_shares": {},
        "kind_shares": {},
        "policy_shares": {},
        "rows": None,
    }
    return selection.model_copy(update=rules)


def _promising(rows: Sequence[TrajectoryRow], kind: DatasetKind) -> list[str]:
    """Ids of the attempts at one task that have to be read: those of models, and for pairs also what passed beside them."""
    own = [row.id for row in rows if row.policy_kind == "model"]
    if kind == "labels" or not own:
        return own
    passed = [row.id for row in rows if row.passed]
    return list(dict.fromkeys([*own, *passed])) if passed else []


def _read(store: Store, ids: Sequence[str]) -> tuple[list[Trajectory], list[LeftOut]]:
    attempts: list[Trajectory] = []
    out: list[LeftOut] = []
    for name in ids:
        try:
            trajectory = get_trajectory(store.index, name)
        except DamagedRecordError:
            out.append(LeftOut(name, DAMAGED))
            continue
        if held_out(trajectory.task):
            out.append(LeftOut(name, HELD_OUT))
        else:
            attempts.append(trajectory)
    return attempts, out


def _of_task(
    attempts: Sequence[Trajectory], selection: Selection, kind: DatasetKind, dropped: Counter[str]
) -> Iterator[Mined]:
    """The rows of the attempts at one task that hold when they are replayed."""
    again = Replays({trajectory.id: trajectory for trajectory in attempts}.__getitem__)
    if kind == "labels":
        for label in find_labels(attempts):
            made = label_row(label)
            if check_label(made, again) is None:
                yield _mined_label(label, made, selection.seed)
            else:
                dropped[NOT_REPLAYED] += 1
        return
    for possible in find_pairs(attempts, selection.pair_kinds or get_args(PairKind), selection.seed):
        pairs = list(possible)
        rows = ((pair, row) for pair in pairs if (row := proven(pair, again)) is not None)
        pair, row = next(rows, (None, None))
        if pair is not None and row is not None:
            yield _mined_pair(pair, row, selection.seed)
        elif pairs:
            dropped[NOT_REPLAYED] += 1


def proven(pair: Pair, again: Replays) -> dict[str, Any] | None:
    """A pair as a row, when it holds."""
    try:
        row = pair_row(settled(pair, again))
    except NotHeldError:
        return None
    return row if check_pair(row, again) is None else None


def _mined_pair(pair: Pair, row: dict[str, Any], seed: int) -> Mined:
    key = canonical_json([pair.rejected.place, pair.chosen.form, pair.rejected.form])
    task = pair.rejected.trajectory.task
    return Mined(
        line=_line(row),
        members=tuple(dict.fromkeys((pair.chosen.trajectory.id, pair.rejected.trajectory.id))),
        group=pair.kind,
        template=task.template,
        category=task.category,
        kinds=task.kinds,
        policy=str(pair.rejected.writer),
        chosen_by=str(pair.chosen.writer),
        order=(derive_seed("pair", seed, key), key),
    )


def _mined_label(label: Label, row: dict[str, Any], seed: int) -> Mined:
    key = canonical_json([label.turn.place, label.turn.form])
    task = label.turn.trajectory.task
    return Mined(
        line=_line(row),
        members=(label.turn.trajectory.id,),
        group=RIGHT if label.right else WRONG,
        template=task.template,
        category=task.category,
        kinds=task.kinds,
        policy=str(label.turn.writer),
        chosen_by=None,
        order=(derive_seed("label", seed, key), key),
    )


def _line(row: dict[str, Any]) -> bytes:
    return (canonical_json(row) + "\n").encode()


def _balanced(rows: list[Mined], selection: Selection, kind: DatasetKind, dropped: Counter[str]) -> list[Mined]:
    """The rows that caps and shares have room for."""
    left = rows

    def keep(over: Sequence[bool], reason: str) -> list[Mined]:
        dropped[reason] += sum(over)
        return [row for row, gone in zip(left, over, strict=True) if not gone]

    if selection.max_per_template is not None:
        left = keep(over_cap(left, lambda row: row.template, selection.max_per_template), OVER_TEMPLATE)
    if kind == "preference" and selection.max_per_pair_kind is not None:
        left = keep(over_cap(left, lambda row: row.group, selection.max_per_pair_kind), OVER_PAIR_KIND)
    for shares, group, reason in shared(selection):
        left = keep(over_share(left, group, shares), reason)
    if kind == "labels" and selection.label_balance is not None:
        least = min(sum(row.group == label for row in left) for label in (RIGHT, WRONG))
        left = keep(over_cap(left, lambda row: row.group, int(least * selection.label_balance)), OVER_LABEL)
    if selection.rows is not None:
        left = keep(over_size(left, lambda row: row.group, lambda row: row.template, selection.rows), OVER_ROWS)
    return left
