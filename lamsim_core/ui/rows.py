"""Rows of a world, before and after, expected and got, as tables of clean text."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import JsonValue

from lamsim_core.records import RowChange
from lamsim_core.ui.draw import LONGEST_CELL, clean
from lamsim_core.ui.terms import value_text
from lamsim_core.ui.wording import DASH

Mark = Literal["new", "changed", "gone"]
"""What happened to a row or a cell."""
_HAPPENED = "Change"
"""Title of the column that says it; fields of rows are written small."""


def result_rows(content: JsonValue) -> list[dict[str, str]]:
    """A result that is a list of rows as a table; nothing when it is anything else."""
    if not isinstance(content, list) or not all(isinstance(row, dict) and row for row in content):
        return []
    return [
        {clean(key): clean(value_text(value)) for key, value in row.items()} for row in content if isinstance(row, dict)
    ]


class MarkedTable(NamedTuple):
    """Rows of one of a world's tables, those that were changed first, with what happened to each cell."""

    name: str
    rows: list[dict[str, str]]
    """Clean text; a changed cell holds what was before and after, with an arrow between."""
    marks: list[dict[str, Mark]]
    """By row: the cells that are new, changed or gone."""


def marked_tables(
    changes: Sequence[RowChange], whole: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
) -> list[MarkedTable]:
    """What changed, table by table: whole rows, the fields that differ in front.

    Args:
        changes: the changed rows.
        whole: every row as it is afterwards, by table; those that were not changed come after the others. None for the
            changed rows alone.
    """
    by_table: dict[str, list[RowChange]] = {name: [] for name in whole or ()}
    for change in changes:
        by_table.setdefault(change.table, []).append(change)
    return [_marked(name, found, (whole or {}).get(name, ())) for name, found in by_table.items()]


def _marked(name: str, changes: Sequence[RowChange], whole: Sequence[Mapping[str, Any]]) -> MarkedTable:
    touched = {change.id for change in changes}
    untouched = [row for row in whole if row.get("id") not in touched]
    differing = [field for change in changes if change.before and change.after for field in _differing(change)]
    every: list[Mapping[str, Any]] = [change.after or change.before or {} for change in changes]
    fields = list(dict.fromkeys(["id", *differing, *(field for row in (*every, *untouched) for field in row)]))
    rows: list[dict[str, str]] = []
    marks: list[dict[str, Mark]] = []
    for change, row in zip(changes, every, strict=True):
        kind: Mark = "new" if change.before is None else "gone" if change.after is None else "changed"
        own = _differing(change) if kind == "changed" else fields
        rows.append({_HAPPENED: kind, **{clean(field): _cell(change, row, field, kind) for field in fields}})
        marks.append({_HAPPENED: kind, **{clean(field): kind for field in own}})
    for row in untouched:
        rows.append({_HAPPENED: "", **{clean(field): _said(row, field) for field in fields}})
        marks.append({})
    return MarkedTable(clean(name), rows, marks)


def _differing(change: RowChange) -> list[str]:
    before, after = change.before or {}, change.after or {}
    return [field for field in dict.fromkeys((*before, *after)) if before.get(field) != after.get(field)]


def _cell(change: RowChange, row: Mapping[str, Any], field: str, kind: Mark) -> str:
    if kind == "changed" and field in _differing(change):
        return f"{_said(change.before or {}, field)} → {_said(change.after or {}, field)}"
    return _said(row, field)


def _said(row: Mapping[str, Any], field: str) -> str:
    return clean(value_text(row[field]), limit=LONGEST_CELL // 2) if field in row else DASH


def field_rows(expected: JsonValue, got: JsonValue) -> list[dict[str, str]]:
    """Two rows of a world's table, or one and nothing, field by field; equal fields are left out when both are there."""
    wanted, made = (value if isinstance(value, dict) else {} for value in (expected, got))
    both = bool(wanted) and bool(made)
    return [
        {
            "Field": clean(field),
            "Expected": clean(value_text(wanted[field])) if field in wanted else "(nothing)",
            "Got": clean(value_text(made[field])) if field in made else "(nothing)",
        }
        for field in dict.fromkeys((*wanted, *made))
        if not both or wanted.get(field) != made.get(field)
    ]
