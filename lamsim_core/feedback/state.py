"""What an attempt changed, compared with what had to change.

Rows made by tools are compared without their ids, which depend on the order of calls; free text is compared by
``phrases.normalise``.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from lamsim_core.feedback.phrases import normalise
from lamsim_core.records import Row, RowChange


class StateComparison(NamedTuple):
    """How the changes made differ from the changes wanted."""

    missing: tuple[RowChange, ...]
    """Wanted and not done, or done with other values."""
    wrong: tuple[tuple[RowChange, RowChange], ...]
    """Wanted and made, for rows that were changed to other values."""
    collateral: tuple[RowChange, ...]
    """Done and not wanted."""


def net_changes(changes: Iterable[RowChange]) -> tuple[RowChange, ...]:
    """What changes made one after the other come to: rows that are as they were before are left out."""
    first: dict[tuple[str, str], RowChange] = {}
    last: dict[tuple[str, str], RowChange] = {}
    for change in changes:
        place = (change.table, change.id)
        first.setdefault(place, change)
        last[place] = change
    return tuple(
        change if change is last[place] else change.model_copy(update={"after": last[place].after})
        for place, change in first.items()
        if change.before != last[place].after
    )


def compare_changes(goal: Sequence[RowChange], made: Sequence[RowChange]) -> StateComparison:
    """Match every wanted change with one that was made. The order in which changes are listed makes no difference."""
    goal_new, made_new = _new_ids(goal), _new_ids(made)
    left = sorted(made, key=lambda change: (change.table, change.id))
    missing: list[RowChange] = []
    wrong: list[tuple[RowChange, RowChange]] = []
    unmatched: list[RowChange] = []
    for wanted in goal:
        form = _form(wanted, goal_new)
        match = next((change for change in left if _form(change, made_new) == form), None)
        if match is None:
            unmatched.append(wanted)
        else:
            left.remove(match)
    for wanted in unmatched:
        near = next((change for change in left if _same_place(wanted, change)), None)
        missing.append(wanted)
        if near is not None:
            wrong.append((wanted, near))
            left.remove(near)
    return StateComparison(tuple(missing), tuple(wrong), tuple(left))


def _same_place(wanted: RowChange, made: RowChange) -> bool:
    if wanted.table != made.table:
        return False
    if wanted.before is None:
        return made.before is None
    return wanted.id == made.id


def _new_ids(changes: Iterable[RowChange]) -> frozenset[str]:
    return frozenset(change.id for change in changes if change.before is None)


def _form(change: RowChange, new_ids: frozenset[str]) -> tuple[str, str | None, str | None]:
    """A change in the form in which two are equal when they mean the same."""
    row_id = None if change.before is None else change.id
    after = None if change.after is None else repr(_plain_row(change.after, new_ids))
    return (change.table, row_id, after)


def _plain_row(row: Row, new_ids: frozenset[str]) -> dict[str, JsonValue]:
    return {key: _plain(value, new_ids) for key, value in sorted(row.items()) if not (key == "id" and value in new_ids)}


def _plain(value: JsonValue, new_ids: frozenset[str]) -> JsonValue:
    if isinstance(value, str):
        return "<new>" if value in new_ids else normalise(value)
    if isinstance(value, list):
        return [_plain(item, new_ids) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, new_ids) for key, item in sorted(value.items())}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(float(value), 6)
    return value
