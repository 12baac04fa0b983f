"""Rows of a world, before and after, expected and got, as tables of clean text."""

from collections.abc import Sequence

from pydantic import JsonValue

from lamsim_core.records import RowChange
from lamsim_core.ui.draw import clean
from lamsim_core.ui.terms import value_text


def result_rows(content: JsonValue) -> list[dict[str, str]]:
    """A result that is a list of rows as a table; nothing when it is anything else."""
    if not isinstance(content, list) or not all(isinstance(row, dict) and row for row in content):
        return []
    return [
        {clean(key): clean(value_text(value)) for key, value in row.items()} for row in content if isinstance(row, dict)
    ]


def change_rows(changes: Sequence[RowChange]) -> list[dict[str, str]]:
    """Updated rows as a table, one line per field that differs."""
    return [
        {
            "Row": clean(f"{change.table} / {change.id}"),
            "Field": clean(field),
            "Before": clean(value_text(change.before.get(field))),
            "After": clean(value_text(change.after.get(field))),
        }
        for change in changes
        if change.before is not None and change.after is not None
        for field in dict.fromkeys((*change.before, *change.after))
        if change.before.get(field) != change.after.get(field)
    ]


def whole_rows(changes: Sequence[RowChange]) -> dict[str, list[dict[str, str]]]:
    """New and deleted rows as tables: what happened and where -> the rows."""
    tables: dict[str, list[dict[str, str]]] = {}
    for change in changes:
        if (change.before is None) == (change.after is None):
            continue
        what = f"New in {change.table}" if change.before is None else f"Deleted from {change.table}"
        row = change.after or change.before or {}
        tables.setdefault(what, []).append({clean(k): clean(value_text(v)) for k, v in row.items()})
    return tables


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
