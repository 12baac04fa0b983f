"""The heat map says its numbers in its cells, and knows which was clicked."""

import json
from typing import Any

import pytest

from lamsim_core.ui.heat import HeatGroup, HeatRow, clicked_cell, heat_map, said
from tests.ui.test_charts import DARK, LIGHT, contrast

GROUPS = [HeatGroup("Counts", ["argument missing", "answer"]), HeatGroup("Diagnosis", ["tool choice"])]
ROWS = [
    HeatRow("base", 40, [0, 12.5, 100], ["none", "5 of 40", "all"]),
    HeatRow("<b>x</b>", 1200, [1, 2, 3], ["a"] * 3),
]


def spec(groups: list[HeatGroup] = GROUPS, rows: list[HeatRow] = ROWS) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(heat_map(groups, rows).to_json())
    return made


def test_every_cell_says_its_number() -> None:
    cells, numbers = spec()["data"]
    assert numbers["text"] == ["0", "12", "100", "1.0", "2.0", "3.0"]
    assert numbers["y"] == [0, 0, 0, 1, 1, 1]
    assert numbers["x"] == cells["x"]
    assert cells["hovertext"][1] == "<b>base</b><br>5 of 40"


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0"), (0.01, "< 0.1"), (0.05, "0.1"), (3.14, "3.1"), (9.96, "10"), (33.3, "33"), (100, "100")],
)
def test_a_rate_is_said_shortly_and_more_than_nothing_is_never_0(rate: float, text: str) -> None:
    assert said(rate) == text


def test_groups_stand_apart_and_have_titles() -> None:
    made = spec()
    first, second, third = made["data"][0]["x"][:3]
    assert second - first == 1 and third - second > 1
    assert [note["text"] for note in made["layout"]["annotations"]] == ["<b>Counts</b>", "<b>Diagnosis</b>"]
    assert made["layout"]["xaxis"]["ticktext"] == ["argument<br>missing", "answer", "tool<br>choice"]


def test_names_cannot_be_markup() -> None:
    made = spec()
    assert made["layout"]["yaxis"]["ticktext"] == ["base · 40", "‹b›x‹/b› · 1,200"]
    assert all(text.startswith("<b>‹b›x‹/b›</b>") for text in made["data"][0]["hovertext"][3:])


@pytest.mark.parametrize(("background", "ink"), [(LIGHT, "#1f2b2e"), (DARK, "#e2e6e4")])
def test_numbers_read_on_the_strongest_cell(background: str, ink: str) -> None:
    rows = [HeatRow("base", 1, [100, 100, 100], ["", "", ""])]
    for shade in spec(rows=rows)["data"][0]["marker"]["color"]:
        red, green, blue, opacity = (float(part) for part in shade.removeprefix("rgba(").removesuffix(")").split(","))
        under = [int(background[start : start + 2], 16) for start in (1, 3, 5)]
        mixed = [round(opacity * top + (1 - opacity) * low) for top, low in zip((red, green, blue), under, strict=True)]
        assert contrast("#" + "".join(f"{part:02x}" for part in mixed), ink) >= 4.5


def test_the_clicked_cell_is_a_row_and_a_column() -> None:
    def clicked(*points: dict[str, Any]) -> dict[str, Any]:
        return {"selection": {"points": list(points)}}

    assert clicked_cell(clicked({"curve_number": 0, "point_index": 5}), 3) == (1, 2)
    assert clicked_cell(clicked({"curve_number": 1, "point_index": 5}), 3) is None
    assert clicked_cell(clicked(), 3) is None
    assert clicked_cell({}, 3) is None
