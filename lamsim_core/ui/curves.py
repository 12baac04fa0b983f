"""Lines: quantities over steps and over time. No line has more than 2,000 points."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lamsim_core.ui.charts import NEUTRAL, PERCENT_TICKS, colour, finish, graph_objects, named

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHAPES = ("circle", "square", "diamond", "triangle-up", "pentagon", "star", "hexagon")
"""Shapes of marks, in the order of the colours."""
MOST_POINTS = 2000
"""Points of one line that are drawn."""

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
    return finish(figure, height=300, top=44)


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
    return finish(figure, height=320, legend=True, top=44)


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
    figure.update_yaxes(title=None, range=[0, most or 1], **(PERCENT_TICKS if percent else {}))
    finish(figure, height=310, legend=True)
    figure.update_layout(legend={"itemsizing": "constant"})
    return figure
