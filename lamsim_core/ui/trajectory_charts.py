"""Charts over the list of trajectories: a click on one of their marks narrows the list to what is behind it.

A mark that was clicked becomes part of the filter, which is shown above the list and can be taken away there. The chart is
then drawn anew without a selection, so that the same mark can be clicked again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import Grouping, outcome_by, runs_over_time
from lamsim_core.store.rows import RunOutcome
from lamsim_core.ui import terms
from lamsim_core.ui.charts import FAILED, NEUTRAL, SERIES, graph_objects, ink, named
from lamsim_core.ui.draw import clean
from lamsim_core.ui.page import Studio
from lamsim_core.ui.wording import amount, local_time, moment, percent, spaced

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Narrow = Callable[[Mapping[str, Sequence[Any]]], None]
"""Puts values into the filter: by field of ``TrajectoryFilter``, ``outcome`` by its word."""

OUTCOMES = (("passed", "Passed", "#4c9f70"), ("failed", "Failed", FAILED), ("unscored", "Not scored", NEUTRAL))
"""Column of the answer, word and colour of each part of a bar."""
MOST_BARS = 40
FEWEST = 8
"""Bars there is room for at least, so that few are not broad."""
MOST_RUNS = 1000
HEIGHT = 250
_TURN = "trajectories.charts.turn"
_CONFIG = {"displayModeBar": False, "displaylogo": False}


def draw_charts(studio: Studio, flt: TrajectoryFilter, narrow: Narrow) -> None:
    """Four charts of the trajectories that fit; a click narrows further."""
    st.caption("Click a bar or a point to see only the trajectories behind it. Drag over several runs to see those.")
    left, right = st.columns(2, gap="medium")
    with left:
        _bars(studio, flt, narrow, "category", "Outcome by category", "categories", terms.category_title)
        _bars(studio, flt, narrow, "error_classes", "Mistakes made", "error_classes", spaced)
    with right:
        _bars(studio, flt, narrow, "n_steps", "Number of steps", "lengths", str)
        _runs(studio, flt, narrow, "Runs over time")


def _bars(
    studio: Studio,
    flt: TrajectoryFilter,
    narrow: Narrow,
    column: Grouping,
    title: str,
    field: str,
    name: Callable[[Any], str],
) -> None:
    rows = outcome_by(studio.index, flt, column)
    if column != "n_steps":
        rows.sort(key=lambda row: (-row["count"], row["value"]))
    rows = rows[:MOST_BARS]
    if not rows:
        st.caption("None in these trajectories.")
        return
    figure = outcome_bars(rows, name)
    parts = [part for part, _, _ in OUTCOMES if any(row[part] for row in rows)]
    words = {part: word for part, word, _ in OUTCOMES}

    def taken(points: Sequence[Mapping[str, Any]]) -> None:
        found = [(rows[point["point_index"]]["value"], parts[point["curve_number"]]) for point in points]
        values = list(dict.fromkeys(value for value, _ in found))
        outcomes = {words[part] for _, part in found}
        narrow({field: values, **({"outcome": list(outcomes)} if len(outcomes) == 1 else {})})

    _draw(figure, column, title, f"{title} of the trajectories in the list", taken)


def outcome_bars(rows: Sequence[Mapping[str, Any]], name: Callable[[Any], str]) -> "Figure":
    """Upright bars of counts, each in parts by outcome: passed, failed, not scored. Parts that are nowhere are left out.

    Args:
        rows: as of ``outcome_by``.
        name: a value for a person.
    """
    go = graph_objects()

    figure = go.Figure()
    places = list(range(len(rows)))
    told = [named(name(row["value"])) for row in rows]
    for part, word, tint in OUTCOMES:
        counts = [row[part] for row in rows]
        if any(counts):
            hover = [
                f"<b>{text}</b><br>{word}: {count:,} of {row['count']:,}"
                for text, count, row in zip(told, counts, rows, strict=True)
            ]
            figure.add_bar(
                name=word,
                x=places,
                y=counts,
                marker={"color": tint, "line": {"width": 0}},
                hovertext=hover,
                hovertemplate="%{hovertext}<extra></extra>",
            )
    figure.update_xaxes(
        range=[-0.6, max(len(rows), FEWEST) - 0.4],
        tickvals=places,
        ticktext=told,
        title=None,
        fixedrange=True,
        tickangle=0 if len(max(told, key=len)) < 4 else -40,
    )
    figure.update_yaxes(title=None, fixedrange=True, rangemode="tozero", nticks=5, tickformat=",d")
    figure.update_layout(barmode="stack", bargap=0.25)
    return figure


def _runs(studio: Studio, flt: TrajectoryFilter, narrow: Narrow, title: str) -> None:
    rows = runs_over_time(studio.index, flt, limit=MOST_RUNS)
    if not rows:
        st.caption("None.")
        return

    def taken(points: Sequence[Mapping[str, Any]]) -> None:
        narrow({"runs": list(dict.fromkeys(rows[point["point_index"]].run for point in points))})

    _draw(run_points(rows), "runs", title, "Share of passed trajectories by run, over time", taken)


def run_points(rows: Sequence[RunOutcome]) -> "Figure":
    """Each run as a point: time to the right, share that passed upwards, the larger the more trajectories."""
    go = graph_objects()

    most = max(row.count for row in rows)
    figure = go.Figure(
        go.Scatter(
            x=[local_time(row.first) for row in rows],
            y=[100 * row.passed / row.count for row in rows],
            mode="markers",
            marker={
                "size": [8 + 14 * (row.count / most) ** 0.5 for row in rows],
                "color": SERIES[0],
                "opacity": 0.75 if len(rows) <= 100 else 0.45,
                "line": {"width": 1, "color": "rgba(255,255,255,0.6)"},
            },
            cliponaxis=False,
            hovertext=[
                f"<b>{named(', '.join(map(terms.policy_name, row.policies)))}</b><br>{moment(row.first)}<br>"
                f"{percent(row.passed / row.count)} of {amount(row.count, 'trajectory', 'trajectories')} passed"
                for row in rows
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    ticks = [0, 25, 50, 75, 100]
    figure.update_xaxes(title=None, nticks=5)
    figure.update_yaxes(title=None, range=[-6, 106], tickvals=ticks, ticktext=[f"{tick} %" for tick in ticks])
    figure.update_layout(dragmode="select", showlegend=False)
    return figure


def _draw(
    figure: "Figure", name: str, title: str, alt: str, taken: Callable[[Sequence[Mapping[str, Any]]], None]
) -> None:
    """Draw a figure whose marks can be clicked; what is taken changes the filter before the page is drawn again."""
    figure.update_traces(selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 0.5}})
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        title={"text": title, "font": {"size": 14}, "x": 0, "xanchor": "left", "y": 0.98, "yanchor": "top"},
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.02,
            "xanchor": "right",
            "x": 1,
            "title": None,
            "traceorder": "normal",
        },
        showlegend=len(figure.data) > 1,
        font={"size": 12, "color": ink()},
        uirevision=name,
        clickmode="event+select",
    )
    figure.update_xaxes(automargin=True, zeroline=False, showgrid=False)
    figure.update_yaxes(automargin=True, zeroline=False)
    key = f"trajectories.chart.{name}.{st.session_state.get(_TURN, 0)}"

    def selected() -> None:
        points = selected_points(st.session_state.get(key))
        if points:
            st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
            taken(points)

    st.plotly_chart(
        figure,
        key=key,
        theme="streamlit",
        config=_CONFIG,
        alt=clean(alt, limit=200),
        on_select=selected,
        selection_mode=("points", "box") if name == "runs" else "points",
    )


def selected_points(event: Any) -> list[Mapping[str, Any]]:
    """The marks that were selected, as Streamlit tells it; none when it tells of none."""
    selection = event.get("selection", {}) if isinstance(event, Mapping) else {}
    points = selection.get("points", []) if isinstance(selection, Mapping) else []
    return [
        point
        for point in points
        if isinstance(point, Mapping)
        and isinstance(point.get("point_index"), int)
        and isinstance(point.get("curve_number"), int)
    ]
