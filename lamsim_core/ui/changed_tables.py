"""Tables of a world with what changed in them: rows marked by a word and a tint, changed cells with before and after."""

from collections.abc import Mapping

import streamlit as st

from lamsim_core.environment import Snapshot
from lamsim_core.records import RowChange
from lamsim_core.ui.draw import label
from lamsim_core.ui.rows import Mark, MarkedTable, marked_tables
from lamsim_core.ui.wording import amount

TINTS: Mapping[Mark, str] = {
    "new": "rgba(76, 159, 112, 0.24)",
    "changed": "rgba(201, 130, 43, 0.28)",
    "gone": "rgba(207, 95, 75, 0.24)",
}
"""Backgrounds: text on them reads on light and on dark, and a word says the same."""
TALLEST = 10
"""Rows of a table up to which it is drawn in full; longer ones scroll."""
HEIGHT = 380
"""Pixels of one that scrolls."""
MOST = 1000
"""Rows that are drawn."""


def draw_marked(table: MarkedTable, *, named: bool = True) -> None:
    """One table.

    Args:
        table: the table.
        named: whether its name stands above it.
    """
    import pandas

    if named:
        st.caption(f"Table {label(table.name)}")
    rows, marks = table.rows[:MOST], table.marks[:MOST]
    frame = pandas.DataFrame(rows)
    styles = [[f"background-color: {TINTS[row[name]]}" if name in row else "" for name in frame] for row in marks]
    css = pandas.DataFrame(styles, columns=frame.columns)
    st.dataframe(
        frame.style.apply(lambda _: css, axis=None),
        hide_index=True,
        height="content" if len(rows) <= TALLEST else HEIGHT,
        alt="Rows of a table of the world; what changed is marked",
    )
    if len(table.rows) > MOST:
        st.caption(f"The first {MOST:,} of {len(table.rows):,} rows.")


def draw_world(world: Snapshot, changes: tuple[RowChange, ...], key: str) -> None:
    """Every table of a world as a step left it, one at a time.

    Args:
        world: all rows afterwards.
        changes: what the step changed.
        key: of the choice.
    """
    touched = {change.table: 0 for change in changes}
    for change in changes:
        touched[change.table] += 1
    names = [*touched, *(name for name in world if name not in touched)]
    if not names:
        st.caption("This world has no tables.")
        return
    chosen = st.selectbox(
        "Table",
        names,
        format_func=lambda name: label_of(name, len(world.get(name, ())), touched.get(name, 0)),
        key=key,
    )
    (table,) = marked_tables(
        [change for change in changes if change.table == chosen], {chosen: list(world.get(chosen, {}).values())}
    )
    if table.rows:
        draw_marked(table, named=False)
    else:
        st.caption("This table is empty.")


def label_of(name: str, rows: int, changed: int) -> str:
    """A table in the list of tables."""
    return f"{name}: {amount(rows, 'row')}" + (f", {changed:,} changed by this step" if changed else "")
