"""Charts stay small, keep zoom between runs, and read on both backgrounds."""

import json
from typing import Any

import pytest

from lamsim_core.ui import charts
from lamsim_core.ui.charts import FAILED, MOST_BARS, NEUTRAL, SERIES, Rate

LIGHT, DARK = "#fcfbf8", "#14191b"


def spec(figure: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(figure.to_json())
    return made


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [*SERIES, FAILED, NEUTRAL])
@pytest.mark.parametrize("background", [LIGHT, DARK])
def test_every_colour_can_be_told_from_both_backgrounds(colour: str, background: str) -> None:
    assert contrast(colour, background) >= 3.0


def test_many_bars_are_summed_up_as_one() -> None:
    figure = spec(charts.count_bars({f"kind {number:02d}": number + 1 for number in range(MOST_BARS + 5)}))
    (trace,) = figure["data"]
    assert len(trace["y"]) == MOST_BARS + 1
    assert trace["y"][-1] == "5 others"
    assert trace["x"][-1] == 1 + 2 + 3 + 4 + 5
    assert trace["x"][0] == MOST_BARS + 5


def test_an_interval_reaches_from_low_to_high() -> None:
    figure = spec(charts.rate_intervals([Rate("base", 0.4, 0.3, 0.55, 4, 10), Rate("trained", 0.9, 0.7, 0.95, 9, 10)]))
    first, second = figure["data"]
    assert first["x"] == [40.0]
    assert first["error_x"]["array"] == [pytest.approx(15)]
    assert first["error_x"]["arrayminus"] == [pytest.approx(10)]
    assert first["marker"]["color"] != second["marker"]["color"]


def test_a_policy_without_mistakes_keeps_its_colour_free() -> None:
    figure = spec(charts.amount_groups({"base": {}, "trained": {"structure": 2.0}}, unit="Per 100 actions"))
    (trace,) = figure["data"]
    assert trace["name"] == "trained"
    assert trace["marker"]["color"] == charts.colour(1)


def test_what_was_not_planned_has_no_rate() -> None:
    listed = spec(charts.rate_list({"calendar": (1, 4), "banking": (0, 0)}))["data"][0]
    assert listed["y"] == ["calendar"] and listed["x"] == [25.0] and listed["text"] == ["1 of 4"]
    grouped = spec(charts.rate_groups({"base": {"calendar": (1, 4), "banking": (0, 0)}}))["data"][0]
    assert grouped["y"] == [25.0, None]


@pytest.mark.parametrize(
    "figure",
    [
        charts.count_bars({"<b>bold</b> $x$ &amp; \u202e\x00": 3}),
        charts.rate_list({"<a href='javascript:x'>y</a>": (1, 2)}),
        charts.rate_intervals([Rate("<img src=x>", 0.5, 0.4, 0.6, 1, 2)]),
        charts.amount_groups({"<i>": {"$\\alpha$": 1.0}}, unit="x"),
        charts.rate_groups({"<i>": {"<br>": (1, 2)}}),
    ],
    ids=["count", "list", "intervals", "amounts", "groups"],
)
def test_names_cannot_be_markup(figure: Any) -> None:
    made = spec(figure)
    for trace in made["data"]:
        for text in (trace.get("name", ""), *trace["y"], *trace["x"]):
            assert not set("<>&$\x00\u202e") & set(str(text))


def test_every_cell_of_a_matrix_says_its_number() -> None:
    figure = charts.matrix([[10, 0], [1200, 4]], rows=["a", "<b>"], columns=["c", "d"])
    said = {(note.y, note.x): note.text for note in figure.layout.annotations}
    assert said == {("a", "c"): "10", ("a", "d"): "0", ("‹b›", "c"): "1,200", ("‹b›", "d"): "4"}
