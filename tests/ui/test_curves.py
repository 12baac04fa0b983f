"""Lines stay small, begin where the values do, and tell series apart by shape."""

from datetime import datetime, timedelta

import pytest

from lamsim_core.ui import curves
from lamsim_core.ui.curves import MOST_POINTS, Track
from tests.ui.test_charts import spec


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    points = [(float(step), 1 / (step + 1)) for step in range(50_000)]
    figure = spec(curves.curve(points, title="Loss", x_title="Step", smoothed=True))
    assert [len(trace["x"]) for trace in figure["data"]] == [MOST_POINTS, MOST_POINTS]
    assert all(trace["x"][0] == 0 and trace["x"][-1] == 49_999 for trace in figure["data"])


def test_few_points_are_drawn_as_they_are() -> None:
    figure = spec(curves.curve([(1.0, 0.5)], title="Loss", x_title="Step", smoothed=True))
    assert [trace["mode"] for trace in figure["data"]] == ["markers"]
    assert curves.thin_out([(1.0, 2.0), (3.0, 4.0)]) == [(1.0, 2.0), (3.0, 4.0)]


def test_smoothing_starts_at_the_first_value_and_follows() -> None:
    level = curves.smooth([(float(x), 2.0) for x in range(20)])
    assert all(y == pytest.approx(2.0) for _, y in level)
    rising = curves.smooth([(0.0, 0.0), (1.0, 1.0)], weight=0.5)
    assert rising[1][1] == pytest.approx(2 / 3)


def test_series_over_time_differ_in_shape_and_say_what_happened() -> None:
    start = datetime(2026, 1, 1)
    times = [start, start + timedelta(days=1)]
    tracks = [
        Track("base", times, [10.0, 20.0], [1, 10_000], ["few", "many"], [True, False]),
        Track("<b>tuned", times[1:], [0.0], [4], ["none"], [False]),
    ]
    made = spec(curves.over_time(tracks, {"<i>tuned</i> trained": times[1]}, percent=True))
    base, tuned = made["data"]
    assert base["marker"]["symbol"] == ["circle-open", "circle"]
    assert tuned["marker"]["symbol"] == ["square"]
    few, many = base["marker"]["size"]
    assert few < many < 20
    assert tuned["name"] == "‹b›tuned"
    assert made["layout"]["annotations"][0]["text"] == "‹i›tuned‹/i› trained"
    assert made["layout"]["yaxis"]["range"] == [0, 100]


def test_one_run_without_any_failure_has_axes() -> None:
    made = spec(curves.over_time([Track("base", [datetime(2026, 1, 1)], [0.0], [1], [""], [False])], {}))
    low, high = made["layout"]["xaxis"]["range"]
    assert low < high
    assert made["layout"]["yaxis"]["range"] == [0, 1]
