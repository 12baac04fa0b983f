"""Columns that tables of several pages share."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

BADGE_GREEN, BADGE_RED, BADGE_ORANGE, BADGE_GREY, BADGE_BLUE = "#4c9f70", "#cf5f4b", "#c9822b", "#8a9492", "#4a8fc4"
"""Colours of badges in tables, readable on light and on dark."""


def badge_column(title: str, colours: Mapping[str, str], *, help: str | None = None, width: int | None = None) -> Any:
    """A column whose cells are lists of short words from a closed set, drawn as coloured badges.

    Args:
        title: title of the column.
        colours: every word there can be, and its colour.
        help: shown on hovering over the title.
        width: pixels; None for narrow.
    """
    return st.column_config.MultiselectColumn(
        title, options=list(colours), color=list(colours.values()), help=help, width=width or "small"
    )


def button_column(key: str, on_row: Callable[[int], None], *, title: str = "") -> Any:
    """A column of buttons, one in each row; the cells hold what the buttons say.

    Args:
        key: of the click.
        on_row: called with the number of the row.
        title: title of the column.
    """

    def clicked() -> None:
        click = st.session_state.get(key)
        if click is not None:
            on_row(int(click["row"]))

    return st.column_config.ButtonColumn(title, key=key, on_click=clicked, type="secondary", width=60)
