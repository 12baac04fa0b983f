"""A table of numbers as a heat map whose cells can be clicked; every cell says its number, so the colour only helps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from lamsim_core.ui.charts import FAILED, SERIES, graph_objects, ink, named
from lamsim_core.ui.draw import clean

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROW, HEAD = 34, 96
"""Pixels of a row, and of what stands above the first."""
_GAP = 0.35
"""Between two groups of columns, in columns."""
_FEWEST = 8.0
"""Columns there is room for at least, so that few do not become bars."""
_TINTS = (FAILED, SERIES[2])
_FAINTEST, _STRONGEST = 0.06, 0.62
"""Opacity of 0 and of 100: the text on it keeps the colour of the page and reads on light and on dark."""


class HeatGroup(NamedTuple):
    """Neighbouring columns with a title."""

    title: str
    columns: Sequence[str]
    """Names from a closed set; their words stand below one another."""


class HeatRow(NamedTuple):
    """One row of numbers, over all groups."""

    name: str
    total: int
    """What its rates are of."""
    rates: Sequence[float]
    """Per 100."""
    told: Sequence[str]
    """What is said of each number on hovering: clean text of our own."""


def heat_map(groups: Sequence[HeatGroup], rows: Sequence[HeatRow]) -> "Figure":
    """The heat map: rows from the top, groups from the left, the total beside each name."""
    go = graph_objects()

    places, tints = _places(groups)
    cells = [
        (x, y, tint, rate) for y, row in enumerate(rows) for x, tint, rate in zip(places, tints, row.rates, strict=True)
    ]
    told = [f"<b>{named(row.name)}</b><br>{text}" for row in rows for text in row.told]
    figure = go.Figure()
    figure.add_bar(
        x=[x for x, *_ in cells],
        base=[y - 0.47 for _, y, *_ in cells],
        y=[0.94] * len(cells),
        width=0.96,
        marker={"color": [_shade(tint, rate) for *_, tint, rate in cells], "line": {"width": 0}, "cornerradius": 4},
        hovertext=told,
        hovertemplate="%{hovertext}<extra></extra>",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    figure.add_scatter(
        x=[x for x, *_ in cells],
        y=[y for _, y, *_ in cells],
        text=[said(rate) for *_, rate in cells],
        mode="text",
        hoverinfo="skip",
        textfont={"size": 13},
    )
    titles = [name.replace(" ", "<br>") for group in groups for name in group.columns]
    first = 0
    for group in groups:
        left = places[first] - 0.48
        first += len(group.columns)
        figure.add_annotation(
            x=left, y=1, yref="paper", yshift=HEAD - 30, text=f"<b>{group.title}</b>", showarrow=False,
            xanchor="left", yanchor="bottom", font={"size": 12},
        )  # fmt: skip
    figure.update_xaxes(
        tickvals=places, ticktext=titles, side="top", showgrid=False, zeroline=False, fixedrange=True, title=None,
        range=[-0.55, max(places[-1] + 0.55, _FEWEST)],
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[f"{named(row.name)} · {row.total:,}" for row in rows], title=None,
        range=[len(rows) - 0.5, -0.5], showgrid=False, zeroline=False, fixedrange=True, automargin=True,
    )  # fmt: skip
    figure.update_layout(
        height=HEAD + ROW * len(rows) + 12,
        margin={"l": 8, "r": 8, "t": HEAD, "b": 4},
        showlegend=False,
        hovermode="closest",
        font={"size": 12},
    )
    return figure


def said(rate: float) -> str:
    """A rate per 100 in a cell: whole from 10, with one decimal below, and never 0 for what is more than nothing."""
    if 0 < rate < 0.05:
        return "< 0.1"
    return f"{rate:.1f}" if 0 < rate < 9.95 else f"{rate:.0f}"


def draw_heat_map(figure: "Figure", *, key: str, alt: str, columns: int) -> tuple[int, int] | None:
    """Draw a heat map.

    Args:
        figure: from ``heat_map``.
        key: the same for the same map at every run.
        alt: what it shows, in a sentence.
        columns: how many columns it has, over all groups.

    Returns:
        Row and column of the cell that was clicked, or None.
    """
    colour = ink()
    figure.update_traces(textfont={"color": colour}, selector={"mode": "text"})
    figure.update_layout(font={"color": colour})
    figure.update_xaxes(tickfont={"color": colour, "size": 12})
    figure.update_yaxes(tickfont={"color": colour, "size": 12})
    config: dict[str, Any] = {"displayModeBar": False, "displaylogo": False}
    event = st.plotly_chart(
        figure, key=key, theme="streamlit", config=config, alt=clean(alt, limit=200), on_select="rerun",
        selection_mode="points",
    )  # fmt: skip
    return clicked_cell(event, columns)


def clicked_cell(event: Mapping[str, Any], columns: int) -> tuple[int, int] | None:
    """Row and column of the one selected bar, as Streamlit tells it; None when it tells of none."""
    points = event.get("selection", {}).get("points", [])
    for point in points:
        if point.get("curve_number") == 0 and isinstance(point.get("point_index"), int):
            row, column = divmod(point["point_index"], columns)
            return row, column
    return None


def _places(groups: Sequence[HeatGroup]) -> tuple[list[float], list[str]]:
    """Where each column stands on the axis, and its tint."""
    places: list[float] = []
    tints: list[str] = []
    for number, group in enumerate(groups):
        for _ in group.columns:
            places.append(len(places) + number * _GAP)
            tints.append(_TINTS[number % len(_TINTS)])
    return places, tints


def _shade(tint: str, rate: float) -> str:
    """The tint, the stronger the higher the rate; by its square root, so that few in a hundred can be seen too."""
    red, green, blue = (int(tint[start : start + 2], 16) for start in (1, 3, 5))
    opacity = _FAINTEST + (_STRONGEST - _FAINTEST) * min(1.0, rate / 100) ** 0.5
    return f"rgba({red},{green},{blue},{opacity:.3f})"
