"""How failed attempts left the reference solution, as tables whose rows lead to the attempts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import streamlit as st

from lamsim_core.feedback.reference import NOWHERE, REQUEST
from lamsim_core.records import ErrorClass
from lamsim_core.store.mistakes import Confusion, Confusions
from lamsim_core.ui.attempts import show_attempts
from lamsim_core.ui.draw import clean
from lamsim_core.ui.tables import button_column
from lamsim_core.ui.trajectory_list import open_trajectory
from lamsim_core.ui.wording import amount, percent

MOST = 8
"""Rows of each table."""


class Table(NamedTuple):
    """One kind of confusion."""

    error_class: ErrorClass
    title: str
    none: str
    cells: Callable[[Confusion], dict[str, str]]
    what: Callable[[Confusion], str]
    """In a few words, for the list of its attempts."""


TABLES = (
    Table(
        "tool_choice",
        "Another tool was called",
        "No other tool was called where one was needed.",
        lambda row: {"Called": clean(row.called), "Needed": clean(row.tool)},
        lambda row: f"{row.called} called, {row.tool} needed",
    ),
    Table(
        "premature_end",
        "A tool was never called",
        "Every tool that was needed was called.",
        lambda row: {"Never called": clean(row.tool)},
        lambda row: f"{row.tool} never called",
    ),
    Table(
        "argument_value",
        "An argument got another value",
        "Every argument got the value that was needed.",
        lambda row: {
            "Tool": clean(row.tool),
            "Argument": clean(row.argument),
            "Filled from": origin(row.got_from, "made up: seen nowhere"),
            "Needed from": origin(row.expected_from, "worked out: seen nowhere"),
        },
        lambda row: f"another {row.argument} for {row.tool}",
    ),
)


def draw_confusions(found: Confusions) -> None:
    """One table for each kind of confusion."""
    st.subheader("Commonest confusions", anchor=False)
    if not found.compared:
        st.caption(
            "No attempt failed."
            if not found.failed
            else f"{amount(found.failed, 'failed attempt')}, none of which could be held beside the reference solution: they "
            "were cut short, or judged by checks from before this was looked for."
        )
        return
    left_out = found.failed - found.compared
    st.caption(
        f"Where {amount(found.compared, 'failed attempt')} left the reference solution. It is one way to the end, so this is "
        "diagnosis and nobody is judged by it."
        + (f" {left_out:,} more were cut short, or judged by older checks, and are left out." if left_out else "")
    )
    left, right = st.columns(2, gap="medium")
    for table, place in zip(TABLES, (left, right, st.container()), strict=True):
        with place:
            _draw(table, found, [row for row in found.rows if row.error_class == table.error_class])


def _draw(table: Table, found: Confusions, rows: Sequence[Confusion]) -> None:
    st.markdown(f"**{table.title}**")
    if not rows:
        st.caption(table.none)
        return
    shown = rows[:MOST]
    key = f"insight.{table.error_class}"
    st.dataframe(
        [
            {
                **table.cells(row),
                "Attempts": len(row.attempts),
                "Share": percent(found.share(row)),
                "Open": ":material/open_in_new:",
                "All": ":material/list:",
            }
            for row in shown
        ],
        key=key,
        hide_index=True,
        height="content",
        alt=table.title,
        column_config={
            "Attempts": st.column_config.NumberColumn(width=70),
            "Share": st.column_config.TextColumn(
                width=60, help="Of the failed attempts that were compared.", alignment="right"
            ),
            "Open": button_column(f"{key}.open", lambda row: open_trajectory(shown[row].attempts[0]), title="Open"),
            "All": button_column(
                f"{key}.all", lambda row: show_attempts(table.what(shown[row]), shown[row].attempts), title="All"
            ),
        },
    )
    if len(rows) > MOST:
        st.caption(f"The {MOST} commonest of {len(rows):,}.")


def origin(source: str | None, nowhere: str) -> str:
    """Where a value could have come from, for a person: ``balance of list_accounts``."""
    if source is None or source == NOWHERE:
        return nowhere
    if source == REQUEST:
        return source
    tool, _, field = source.rpartition(".")
    return clean(f"{field} of {tool}" if tool else f"result of {source}")
