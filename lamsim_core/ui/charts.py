"""Charts: Plotly figures in one palette that reads on light and on dark.

Nothing is said by colour alone, and no line has more than 2,000 points.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from lamsim_core.ui.draw import clean

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SERIES = ("#1d9488", "#c07a24", "#4a8fc4", "#8d78c2", "#84943a", "#c06c93", "#7f8a88")
"""Colours of series, in order. These and the next have a contrast of at least 3:1 on the light and the dark background."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "pentagon", "star", "hexagon")
"""Shapes of marks, in the order of the colours."""
FAILED, NEUTRAL = "#cf5f4b", "#7f8a88"
"""Colours with a meaning."""

MOST_POINTS = 2000
"""Points of one line that are drawn."""
MOST_BARS = 30
"""Bars of one chart; the rest is summed up as one."""
FEW_BARS = 12
"""Bars up to which a chart is short enough to stand beside others."""

_PERCENT_TICKS = {"tickvals": [0, 25, 50, 75, 100], "ticktext": ["0 %", "25 %", "50 %", "75 %", "100 %"]}

Point = tuple[float, float]


class Track(NamedTuple):
    """One series over time."""

    name: str
    times: Sequence[datetime]
    values: Sequence[float]
    amounts: Sequence[int]
    """What each value rests on: the marks grow with it."""
    told: Sequence[str]
    """What is said of each value on hovering: clean text of our own."""
    hollow: Sequence[bool]
    """Which values are drawn as an outline."""


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


def thin_out(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most ``most`` of the points, evenly taken, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    stride = (len(points) - 1) / (most - 1)
    return [points[round(number * stride)] for number in range(most)]


def smooth(points: Sequence[Point], weight: float = 0.9) -> list[Point]:
    """An exponential moving average without the bias of its first values."""
    smoothed, average = [], 0.0
    for number, (x, y) in enumerate(points, start=1):
        average = weight * average + (1 - weight) * y
        smoothed.append((x, average / (1 - weight**number)))
    return smoothed


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
    figure.update_xaxes(range=[-2, 103], title=None, **_PERCENT_TICKS)
    figure.update_yaxes(autorange="reversed", title=None, showgrid=True)
    return _finish(figure, height=_tall(len(rates)) + 12 * len(rates))


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
    figure.update_xaxes(range=[0, 128], title=None, **_PERCENT_TICKS)
    figure.update_yaxes(autorange="reversed", title=None)
    return _finish(figure, height=_tall(len(shown)))


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
    figure.update_yaxes(range=[0, 108], title=None, **_PERCENT_TICKS)
    return _finish(figure, height=320, legend=True)


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
    return _finish(figure, height=120 + (14 + 14 * drawn) * len(kinds), legend=True)


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
    return _finish(figure, height=_tall(len(shown)))


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
    return _finish(figure, height=90 + 84 * len(rows))


def curve(points: Sequence[Point], *, title: str, x_title: str, smoothed: bool, percent: bool = False) -> "Figure":
    """One quantity over time; with ``smoothed``, the moving average over the measured values."""
    go = graph_objects()

    figure = go.Figure()
    raw = thin_out(points)
    averaged = smoothed and len(raw) > 4
    form = "%{x:,}: %{y:.1%}" if percent else "%{x:,}: %{y:.4g}"
    if averaged:
        average = thin_out(smooth(points))
        figure.add_scatter(
            x=[x for x, _ in average],
            y=[y for _, y in average],
            mode="lines",
            name="smoothed",
            line={"width": 2.5},
            zorder=2,
            hovertemplate=f"{form}<extra>smoothed</extra>",
        )
    figure.add_scatter(
        x=[x for x, _ in raw],
        y=[y for _, y in raw],
        mode="lines" if len(raw) > 1 else "markers",
        name="measured",
        opacity=0.6 if averaged else 1.0,
        line={"width": 1.2, "color": NEUTRAL} if averaged else {"width": 2.5},
        zorder=1,
        hovertemplate=f"{form}<extra>measured</extra>",
    )
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=None, tickformat=".0%" if percent else None)
    figure.update_layout(title={"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left"})
    return _finish(figure, height=300, top=44)


def curves(lines: Mapping[str, Sequence[Point]], *, title: str, x_title: str) -> "Figure":
    """The same quantity of several runs over time, smoothed: name -> values."""
    go = graph_objects()

    figure = go.Figure()
    for place, (name, points) in enumerate(lines.items()):
        figure.add_scatter(
            x=[x for x, _ in thin_out(points)],
            y=[y for _, y in thin_out(smooth(points))],
            name=named(name),
            line={"width": 2.5, "color": colour(place), "dash": ("solid", "dash", "dot", "dashdot")[place % 4]},
            hovertemplate="%{x:,}: %{y:.4g}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title=x_title)
    figure.update_layout(title={"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left"})
    return _finish(figure, height=320, legend=True, top=44)


def over_time(tracks: Sequence[Track], events: Mapping[str, datetime], *, percent: bool = False) -> "Figure":
    """Several series over time, each with marks of its own shape, and upright lines at what happened in between.

    Args:
        tracks: the series, in the order of colours.
        events: what happened, by its name.
        percent: whether the values are shares of 100.
    """
    go = graph_objects()

    figure = go.Figure()
    for place, track in enumerate(tracks):
        shape = SHAPES[place % len(SHAPES)]
        figure.add_scatter(
            name=named(track.name),
            x=list(track.times),
            y=list(track.values),
            mode="lines+markers",
            line={"width": 1.5, "color": colour(place)},
            marker={
                "size": [8 + min(9.0, amount**0.5 / 2) for amount in track.amounts],
                "symbol": [f"{shape}-open" if hollow else shape for hollow in track.hollow],
                "color": colour(place),
                "line": {"width": 2, "color": colour(place)},
                "opacity": 1,
            },
            cliponaxis=False,
            hovertext=list(track.told),
            hovertemplate="<b>%{fullData.name}</b><br>%{hovertext}<extra></extra>",
        )
    for name, when in events.items():
        figure.add_shape(
            type="line",
            x0=when,
            x1=when,
            y0=0,
            y1=1,
            yref="paper",
            line={"color": NEUTRAL, "width": 1.2, "dash": "dot"},
        )
        figure.add_annotation(
            x=when, y=1, yref="paper", text=named(name), showarrow=False, textangle=-90, xanchor="right", yanchor="top"
        )
    times = [*(time for track in tracks for time in track.times), *events.values()]
    spare = max((max(times) - min(times)) * 0.06, timedelta(minutes=5))
    figure.update_xaxes(title=None, range=[min(times) - spare, max(times) + spare], nticks=6)
    most = 100 if percent else 1.08 * max((value for track in tracks for value in track.values), default=1)
    figure.update_yaxes(title=None, range=[0, most or 1], **(_PERCENT_TICKS if percent else {}))
    _finish(figure, height=310, legend=True)
    figure.update_layout(legend={"itemsizing": "constant"})
    return figure


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


def _finish(figure: "Figure", *, height: int, legend: bool = False, top: int = 8) -> "Figure":
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
