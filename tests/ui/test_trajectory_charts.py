"""Charts over the list: what they draw, and what a click on them lets through."""

import json
from typing import Any

from lamsim_core.store.rows import RunOutcome
from lamsim_core.ui.trajectory_charts import FEWEST, outcome_bars, run_points, selected_points

ROWS = [
    {"value": "calendar", "count": 5, "passed": 3, "failed": 2, "unscored": 0},
    {"value": "<b>$x$</b>", "count": 1, "passed": 0, "failed": 1, "unscored": 0},
]


def spec(figure: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(figure.to_json())
    return made


def test_bars_are_parts_by_outcome_and_leave_out_what_is_nowhere() -> None:
    made = spec(outcome_bars(ROWS, str))
    assert [trace["name"] for trace in made["data"]] == ["Passed", "Failed"]
    assert made["layout"]["barmode"] == "stack"
    assert "Failed: 2 of 5" in made["data"][1]["hovertext"][0]
    assert made["layout"]["xaxis"]["range"][1] == FEWEST - 0.4
    assert "<b>$x$" not in json.dumps(made), "names are cleaned"


def test_runs_are_points() -> None:
    rows = [
        RunOutcome(
            run=f"run_{n}", first=f"2026-11-0{n + 1}T10:00:00+00:00", count=10 * n + 1, passed=n, policies=("gold",)
        )
        for n in range(3)
    ]
    made = spec(run_points(rows))
    (points,) = made["data"]
    assert len(points["hovertext"]) == 3 and "Reference solution" in points["hovertext"][0]
    assert made["layout"]["dragmode"] == "select"


def test_only_whole_points_are_taken() -> None:
    point = {"point_index": 2, "curve_number": 0}
    event = {"selection": {"points": [point, {"point_index": None, "curve_number": 0}, "x", {"curve_number": 1}]}}
    assert selected_points(event) == [point]
    for nothing in (None, {}, {"selection": None}, "x"):
        assert selected_points(nothing) == []
