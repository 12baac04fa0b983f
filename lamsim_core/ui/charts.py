"""Charts: Plotly figures in one palette that reads on light and on dark. Nothing is said by colour alone.

Bars, points and tables are made here, lines in ``ui.curves``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from lamsim_core.ui.draw import clean

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SERIES = ("#1d9488", "#c07a24", "#4a8fc4", "#8d78c2", "#84943a", "#c06c93", "#7f8a88")
"""Colours of series, in order. These and the next have a contrast of at least 3:1 on the light and the dark background."""
FAILED, NEUTRAL = "#cf5f4b", "#7f8a88"
"""Colours with a meaning."""

MOST_BARS = 30
"""Bars of one chart; the rest is summed up as one."""
FEW_BARS = 12
"""Bars up to which a chart is short enough to stand beside others."""

PERCENT_TICKS = {"tickvals": [0, 25, 50, 75, 100], "ticktext": ["0 %", "25 %", "50 %", "75 %", "100 %"]}
"""Of an axis of shares of 100."""


class Rate(NamedTuple):
    """A pass rate with its interval, as fractions."""

    name: str
    value: float
    low: float
    high: float
    passed: int
    planned: int


def graph_objects() -> Any:
    """Plotly's figures, imported when first drawn with.

    Plotly asks pandas as soon as anybody has begun to import it; imported here, it is whole by then.
    """
    import pandas  # noqa: F401
    import plotly.graph_objects as go

    return go


def colour(place: int) -> str:
    """The colour of the series at this place, counted from 0."""
    return SERIES[place % len(SERIES)]


def rate_intervals(rates: Sequence[Rate]) -> "Figure":
    """Pass rates as points with their 95 % intervals as bars, one line for each, in the order given."""
    go = graph_objects()

    figure = go.Figure()
    for place, rate in enumerate(rates):
        tint = colour(place)
        figure.add_scatter(
            name=named(rate.name),
            y=[named(rate.name)],
            x=[100 * rate.value],
            mode="markers",
            marker={"size": 13, "color": tint},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (rate.high - rate.value)],
                "arrayminus": [100 * (rate.value - rate.low)],
                "color": tint,
                "thickness": 4,
                "width": 8,
            },
            customdata=[(rate.passed, rate.planned, 100 * rate.low, 100 * rate.high)],
            hovertemplate="%{y}: %{x:.1f} %, %{customdata[0]} of %{customdata[1]}<br>"
            "95 % interval %{customdata[2]:.1f} to %{customdata[3]:.1f} %<extra></extra>",
        )
    figure.update_xaxes(range=[-2, 103], title=None, **PERCENT_TICKS)
    figure.update_yaxes(autorange="reversed", title=None, showgrid=True)
    return finish(figure, height=_tall(len(rates)) + 12 * len(rates))


def rate_list(counts: Mapping[str, tuple[int, int]]) -> "Figure":
    """One policy's pass rates as lying bars: what is compared (a category, say) -> passed and planned."""
    go = graph_objects()

    shown = {named(name): count for name, count in counts.items() if count[1]}
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=list(shown),
            x=[100 * passed / planned for passed, planned in shown.values()],
            text=[f"{passed:,} of {planned:,}" for passed, planned in shown.values()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %, %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 128], title=None, **PERCENT_TICKS)
    figure.update_yaxes(autorange="reversed", title=None)
    return finish(figure, height=_tall(len(shown)))


def rate_groups(groups: Mapping[str, Mapping[str, tuple[int, int]]]) -> "Figure":
    """Pass rates of several policies side by side.

    Args:
        groups: policy -> what is compared (a category, say) -> passed and planned.
    """
    go = graph_objects()

    figure = go.Figure()
    for name, counts in groups.items():
        figure.add_bar(
            name=named(name),
            x=[named(key) for key in counts],
            y=[100 * passed / planned if planned else None for passed, planned in counts.values()],
            text=[f"{100 * passed / planned:.0f}" if planned else "" for passed, planned in counts.values()],
            textposition="outside",
            cliponaxis=False,
            customdata=list(counts.values()),
            hovertemplate="%{x}, %{fullData.name}: %{y:.1f} %<br>%{customdata[0]} of %{customdata[1]}<extra></extra>",
        )
    figure.update_yaxes(range=[0, 108], title=None, **PERCENT_TICKS)
    return finish(figure, height=320, legend=True)


def amount_groups(groups: Mapping[str, Mapping[str, float]], *, unit: str) -> "Figure":
    """Amounts of several policies side by side, lying bars: policy -> kind -> amount.

    A policy without amounts is not drawn but keeps its place in the order of colours.
    """
    go = graph_objects()

    kinds = sorted({kind for amounts in groups.values() for kind in amounts})
    figure = go.Figure()
    for place, (name, amounts) in enumerate(groups.items()):
        if amounts:
            figure.add_bar(
                orientation="h",
                name=named(name),
                y=[named(kind) for kind in kinds],
                x=[amounts.get(kind, 0) for kind in kinds],
                marker_color=colour(place),
                hovertemplate="%{y}, %{fullData.name}: %{x:.1f}<extra></extra>",
            )
    drawn = len(figure.data)
    figure.update_xaxes(title=unit, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", title=None)
    return finish(figure, height=120 + (14 + 14 * drawn) * len(kinds), legend=True)


def count_bars(counts: Mapping[str, int], *, tint: str | None = None, unit: str = "", ranked: bool = True) -> "Figure":
    """Counts as lying bars, the largest first unless told otherwise; what is beyond ``MOST_BARS`` is summed up.

    Args:
        counts: what is counted.
        tint: one of the colours with a meaning; None for the first of the series.
        unit: title of the axis.
        ranked: whether the largest comes first; otherwise the order is kept.
    """
    go = graph_objects()

    order = sorted(counts.items(), key=lambda item: (-item[1], item[0])) if ranked else list(counts.items())
    shown = [(named(name), count) for name, count in order[:MOST_BARS]]
    if len(order) > MOST_BARS:
        shown.append((f"{len(order) - MOST_BARS} others", sum(count for _, count in order[MOST_BARS:])))
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=[name for name, _ in shown],
            x=[count for _, count in shown],
            text=[f"{count:,}" for _, count in shown],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,}<extra></extra>",
            **({} if tint is None else {"marker": {"color": tint}}),
        )
    )
    most = max([count for _, count in shown], default=1)
    figure.update_xaxes(title=unit or None, range=[0, 1.12 * most], tickformat=",d", dtick=1 if most < 5 else None)
    figure.update_yaxes(autorange="reversed", title=None)
    return finish(figure, height=_tall(len(shown)) + (24 if unit else 0))


def matrix(counts: Sequence[Sequence[int]], *, rows: Sequence[str], columns: Sequence[str]) -> "Figure":
    """Counts as a table of tinted cells, every number written in its cell."""
    go = graph_objects()

    most = max((count for row in counts for count in row), default=0) or 1
    figure = go.Figure(
        go.Heatmap(
            z=[[count / most for count in row] for row in counts],
            x=[named(name) for name in columns],
            y=[named(name) for name in rows],
            text=[[f"{count:,}" for count in row] for row in counts],
            colorscale=[[0, "rgba(29,148,136,0.04)"], [1, "rgba(29,148,136,0.55)"]],
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=4,
            ygap=4,
            hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        )
    )
    font = {"size": 18, "color": ink()}
    for name, row in zip(rows, counts, strict=True):
        for column, count in zip(columns, row, strict=True):
            figure.add_annotation(x=named(column), y=named(name), text=f"{count:,}", showarrow=False, font=font)
    figure.update_xaxes(side="top", showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return finish(figure, height=90 + 84 * len(rows))


def draw_chart(figure: "Figure", *, key: str, alt: str) -> None:
    """Draw a figure so that zoom and hidden series stay when its data change.

    Args:
        figure: from one of the functions above.
        key: the same for the same chart at every run.
        alt: what the chart shows, in a sentence, for those who cannot see it.
    """
    figure.update_layout(uirevision=key)
    config: dict[str, Any] = {"displayModeBar": False, "displaylogo": False}
    st.plotly_chart(figure, key=key, theme="streamlit", config=config, alt=clean(alt, limit=200))


def ink() -> str | None:
    """Colour of the page's text, since that of charts is too faint on coloured cells; None where the theme is unknown."""
    scheme = st.context.theme.type
    return st.get_option(f"theme.{scheme}.textColor") if scheme in ("light", "dark") else None


def named(name: str) -> str:
    """A name as an axis can show it: Plotly reads a little HTML and LaTeX in texts, so their signs are exchanged."""
    return clean(name, limit=42).replace("<", "‹").replace(">", "›").replace("&", "＆").replace("$", "＄")


def _tall(bars: int) -> int:
    """Height in pixels of a chart of lying bars."""
    return 58 + (30 if bars <= FEW_BARS else 22) * max(1, bars)


def finish(figure: "Figure", *, height: int, legend: bool = False, top: int = 8) -> "Figure":
    """What all figures have in common. Height and top in pixels."""
    figure.update_layout(
        height=height,
        showlegend=legend,
        margin={"l": 8, "r": 8, "t": top + (28 if legend else 0), "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0, "title": None},
        bargap=0.35,
        bargroupgap=0.08,
        hoverlabel={"namelength": -1},
        colorway=SERIES,
        font={"size": 12},
    )
    figure.update_xaxes(automargin=True, zeroline=False)
    figure.update_yaxes(automargin=True, zeroline=False)
    return figure
