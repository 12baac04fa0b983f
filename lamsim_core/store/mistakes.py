"""What was done wrong, by whom and where: questions to the index over the verdicts in force.

A mistake is either of one action (a malformed call, a missing argument) or of a whole attempt (a wrong answer, a change
nobody asked for); the two have different denominators and are never added up. Only failed gates that are the agent's fault
count as mistakes. Diagnosis stands beside them and says so: it tells what led there and is held against nobody.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import ErrorClass, PolicyKind, Record
from lamsim_core.store.filters import TrajectoryFilter, conditions
from lamsim_core.store.index import Index

Scope = Literal["actions", "attempts"]
"""What mistakes are counted in."""

Axis = Literal["policy", "category", "tool"]
"""What they are counted by. An attempt stands at each tool it called; an action at the tool it called, or at none ("")."""

MODELS: tuple[PolicyKind, ...] = ("model",)
"""Whose mistakes are looked at when nothing else is said."""

_CLASSES = get_args(ErrorClass)
_EVERYTHING = TrajectoryFilter()


class MistakeKind(Record):
    """One kind of mistake of an action or of an attempt."""

    error_class: ErrorClass
    counts: bool
    """Whether it is held against the agent; otherwise it is diagnosis."""


class MistakeTable(Record):
    """How often each kind of mistake was made, by the values of one axis."""

    scope: Scope
    axis: Axis
    totals: dict[str, int]
    """All actions, or attempts, by value of the axis: the denominators. Sorted by value."""
    kinds: tuple[MistakeKind, ...]
    """Kinds that were found: those that count, then diagnosis, each in the order of ``ErrorClass``."""
    counts: tuple[dict[str, int], ...]
    """For each kind: actions, or attempts, with at least one mistake of it, by value of the axis; zeros are left out."""

    def count(self, value: str, place: int) -> int:
        """Actions, or attempts, at this value with a mistake of the kind at this place."""
        return self.counts[place].get(value, 0)

    def per_hundred(self, value: str, place: int) -> float:
        """The same per 100 actions, or attempts, at this value."""
        return 100 * self.count(value, place) / self.totals[value]


class Confusion(Record):
    """One way in which failed attempts left the reference solution, and how often. Names are the tools' own."""

    error_class: ErrorClass
    """``tool_choice``, ``argument_value`` or ``premature_end``."""
    tool: str
    """The reference's tool."""
    called: str | None
    """For ``tool_choice``: what was called instead."""
    argument: str | None
    """For ``argument_value``: the argument, and whence the right and the given value could have come: ``tool.field`` of a
    result, the request, or nowhere."""
    expected_from: str | None
    got_from: str | None
    attempts: tuple[str, ...]
    """Ids of the failed attempts with it, the newest first."""


class Confusions(Record):
    """The confusions of some attempts, the commonest first."""

    failed: int
    """Failed attempts that were looked at."""
    compared: int
    """Those of them that were held beside the reference: not those cut short, and none that only older checks judged."""
    rows: tuple[Confusion, ...]

    def share(self, row: Confusion) -> float:
        """Share of the compared attempts that show this confusion, a fraction."""
        return len(row.attempts) / self.compared if self.compared else 0.0


_FIELDS = tuple(name for name in Confusion.model_fields if name != "attempts")
_NAMES = ", ".join(_FIELDS)

_HELD = "v.outcome = 'fail' AND v.error_class IS NOT NULL AND coalesce(v.blame, 'agent') = 'agent'"
"""Verdicts that blame the agent. A gate among them always counts, so one that does not count is diagnosis."""

_UNITS: dict[Scope, dict[Axis, str]] = {
    "actions": {
        "policy": "SELECT c.id, c.source, c.policy AS value FROM steps s JOIN chosen c ON s.trajectory = c.id",
        "category": "SELECT c.id, c.source, c.category AS value FROM steps s JOIN chosen c ON s.trajectory = c.id",
        "tool": "SELECT c.id, c.source, coalesce(s.tool, '') AS value FROM steps s JOIN chosen c ON s.trajectory = c.id",
    },
    "attempts": {
        "policy": "SELECT id, source, policy AS value FROM chosen",
        "category": "SELECT id, source, category AS value FROM chosen",
        "tool": "SELECT id, source, unnest(tools) AS value FROM chosen",
    },
}
"""What the denominators count, one row each."""

_ACTIONS_WRONG = (
    "SELECT c.id, c.created, v.step, v.error_class, v.counts, {value} AS value FROM verdicts v "
    f"JOIN chosen c ON v.source = c.source WHERE v.step IS NOT NULL AND {_HELD}"
)
_ATTEMPTS_WRONG = (
    "SELECT u.id, c.created, v.step, v.error_class, v.counts, u.value FROM verdicts v JOIN units u ON v.source = u.source "
    f"JOIN chosen c ON c.id = u.id WHERE v.step IS NULL AND {_HELD}"
)
_WRONG: dict[Scope, dict[Axis, str]] = {
    "actions": {
        "policy": _ACTIONS_WRONG.format(value="c.policy"),
        "category": _ACTIONS_WRONG.format(value="c.category"),
        "tool": _ACTIONS_WRONG.format(value="coalesce(v.tool, '')"),
    },
    "attempts": dict.fromkeys(get_args(Axis), _ATTEMPTS_WRONG),
}
"""The mistakes in them, one row per verdict."""

_DEVIATIONS = """
SELECT c.id, c.created, v.error_class, v.evidence->>'tool' AS tool, v.evidence->>'called' AS called,
       v.evidence->>'argument' AS argument, v.evidence->>'expected_from' AS expected_from,
       v.evidence->>'got_from' AS got_from
FROM verdicts v JOIN chosen c ON v.source = c.source
WHERE v.check_id = 'path.deviation' AND v.outcome = 'fail' AND v.evidence->>'tool' IS NOT NULL AND NOT c.passed
"""
_COMPARED = """
EXISTS (SELECT 1 FROM verdicts v WHERE v.source = c.source AND v.check_id = 'path.deviation' AND v.outcome = 'fail')
OR EXISTS (SELECT 1 FROM passes p WHERE p.source = c.source AND list_contains(p.checks, 'path.deviation'))
"""


def mistake_table(
    index: Index,
    scope: Scope,
    axis: Axis,
    flt: TrajectoryFilter = _EVERYTHING,
    kinds: Sequence[PolicyKind] = MODELS,
) -> MistakeTable:
    """Mistakes of the attempts that fit.

    Args:
        index: whom to ask.
        scope: mistakes of actions or of attempts.
        axis: by what.
        flt: which attempts.
        kinds: kinds of policies whose attempts are looked at; none for all.

    Raises:
        InvalidInputError: there is no such scope or axis.
    """
    given, params = _given(scope, axis, flt, kinds)
    totals = index.query(f"{given} SELECT value, count(*) AS n FROM units GROUP BY value ORDER BY value", params)
    found = index.query(
        f"{given} SELECT value, error_class, counts, count(*) AS n FROM "
        "(SELECT DISTINCT id, step, value, error_class, counts FROM found) GROUP BY value, error_class, counts",
        params,
    )
    counts: dict[MistakeKind, dict[str, int]] = {}
    for row in found:
        kind = MistakeKind(error_class=row["error_class"], counts=row["counts"])
        counts.setdefault(kind, {})[row["value"]] = row["n"]
    ordered = sorted(counts, key=lambda kind: (not kind.counts, _CLASSES.index(kind.error_class)))
    return MistakeTable(
        scope=scope,
        axis=axis,
        totals={row["value"]: row["n"] for row in totals},
        kinds=tuple(ordered),
        counts=tuple(counts[kind] for kind in ordered),
    )


def mistaken(
    index: Index,
    scope: Scope,
    axis: Axis,
    value: str,
    kind: MistakeKind,
    flt: TrajectoryFilter = _EVERYTHING,
    kinds: Sequence[PolicyKind] = MODELS,
) -> tuple[str, ...]:
    """Ids of the attempts behind one number of a ``MistakeTable``, the newest first. The rest is as there."""
    given, params = _given(scope, axis, flt, kinds)
    rows = index.query(
        f"{given} SELECT DISTINCT id, created FROM found WHERE value = $value AND error_class = $error_class "
        "AND counts = $counts ORDER BY created DESC, id DESC",
        {**params, "value": value, "error_class": kind.error_class, "counts": kind.counts},
    )
    return tuple(row["id"] for row in rows)


def confusions(index: Index, flt: TrajectoryFilter = _EVERYTHING, kinds: Sequence[PolicyKind] = MODELS) -> Confusions:
    """How the failed attempts among those that fit left the reference solution, the commonest first.

    From the verdicts of the check ``path.deviation``; arguments as for ``mistake_table``.
    """
    attempts, params = chosen(flt, kinds)
    failed = index.query(
        f"WITH {attempts} SELECT count(*) AS failed, count(*) FILTER ({_COMPARED}) AS compared FROM chosen c "
        "WHERE NOT c.passed",
        params,
    )[0]
    rows = index.query(
        f"WITH {attempts}, deviations AS ({_DEVIATIONS}), each AS (SELECT DISTINCT ON (id, {_NAMES}) * FROM deviations) "
        f"SELECT {_NAMES}, count(*) AS n, list(id ORDER BY created DESC, id DESC) AS attempts FROM each "
        f"GROUP BY {_NAMES} ORDER BY n DESC, {_NAMES}",
        params,
    )
    found = tuple(Confusion(attempts=tuple(row["attempts"]), **{n: row[n] for n in _FIELDS}) for row in rows)
    return Confusions(**failed, rows=found)


def _given(scope: Scope, axis: Axis, flt: TrajectoryFilter, kinds: Sequence[PolicyKind]) -> tuple[str, dict[str, Any]]:
    """The attempts looked at, what their denominators count, and the mistakes in them, as an SQL WITH."""
    if scope not in get_args(Scope) or axis not in get_args(Axis):
        raise InvalidInputError(f"Mistakes cannot be counted in {scope!r} by {axis!r}.")
    attempts, params = chosen(flt, kinds)
    return f"WITH {attempts}, units AS ({_UNITS[scope][axis]}), found AS ({_WRONG[scope][axis]})", params


def chosen(flt: TrajectoryFilter, kinds: Sequence[PolicyKind]) -> tuple[str, dict[str, Any]]:
    """The attempts looked at, as one part of an SQL WITH, and its parameters.

    Forks stay out: what they took over was done by somebody else, and is counted where it was done. So do attempts in
    which a person acted in the policy's place or edited a result, and those that were not made plainly: what came of them
    is not the policy's own.
    """
    where, params = conditions(flt)
    where = f"{where} AND parent IS NULL AND plain AND NOT helped AND NOT edited"
    if kinds:
        where, params = f"{where} AND list_contains($kinds, policy_kind)", {**params, "kinds": list(kinds)}
    return f"chosen AS (SELECT * FROM current WHERE {where})", params
