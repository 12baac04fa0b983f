"""The almanac tools: what each looks up, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]


@pytest.fixture
def almanac() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    count = {"male": [10, 20, 15, 5], "female": [12, 18, 14, 6], "grain harvest": 4000, "road network": 70}
    arvel = {"1840": count, "1860": count, "1900": count, "1920": {**count, "female": [60, 50, 30, 10]}}
    bostra = {year: {**count, "male": [30, 30, 10, 5], "female": [30, 30, 10, 5]} for year in arvel}
    reign = {"ruler": "Ysobel Belrose", "title": "Queen", "first_year": 1800, "last_year": 1850}
    exports = {"wool": {"price": 10, "tonnes": [100, 200, 300, 4, 5]}, "tea": {"price": 7, "tonnes": [1, 2, 3, 4, 5]}}
    country = {"region": "Thorn Range", "exports": exports, "offset_minutes": 60, "has_summer_time": True}
    country["reigns"] = [reign, {**reign, "ruler": "Idris Tarkhan", "first_year": 1851, "last_year": 1939}]
    clock = {"offset_minutes": 570, "has_summer_time": False}
    climate = {"mean high": [*range(12)], "mean low": [-3.5] * 12, "rainfall": [*range(20, 32)], "sunshine": [90] * 12}
    city = {"country": "Arvel", "east": 0, "north": 0, "winding": 10, "port": True, "climate": climate}
    event = {"region": "Thorn Range", "kind": "treaty", "year": 1850}
    rows: dict[str, list[dict[str, Any]]] = {
        "almanac_countries": [
            {**country, "id": "cty_1", "name": "Arvel", "surveys": arvel},
            {**country, **clock, "id": "cty_2", "name": "Bostra", "surveys": bostra},
        ],
        "almanac_cities": [
            {**city, "id": "tow_1", "name": "Selk"},
            {**city, "id": "tow_2", "name": "Tor", "country": "Bostra", "east": 300, "north": 400, "winding": 0},
            {**city, "id": "tow_3", "name": "Ölm", "east": 300, "winding": 4, "port": False},
        ],
        "almanac_events": [
            {**event, "id": "evn_1", "title": "Peace of Tor", "year": 1900},
            {**event, "id": "evn_2", "title": "Accord of Selk"},
            {**event, "id": "evn_3", "title": "Fire of Tor", "kind": "disaster"},
        ],
        "almanac_bookmarks": [{"id": "bkm_1", "heading": "Sheep tax"}],
        "almanac_fact_checks": [],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("almanac").tools)


def call(almanac: Environment, tool: str, **arguments: Any) -> Transition:
    return almanac.step(ToolCall(id="call_0", name=tool, arguments={**BASE[tool], **arguments}, raw=""))


def result(almanac: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(almanac, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


BASE: dict[str, dict[str, Any]] = {
    "get_census_figure": {"country": "ARVEL", "census_year": 1900, "sex": "both", "age_group": "all"},
    "compare_countries": {"first_country": "Arvel", "second_country": "Bostra", "measure": "population", "year": 1900},
    "rank_countries": {"region": "Thorn Range", "measure": "population", "year": 1900},
    "sum_exports": {"country": "Arvel", "goods": ["Wool", "tea"], "years": [1860, 1880]},
    "find_ruler": {"country": "Bostra", "year": 1850},
    "list_almanac_events": {"region": "Thorn Range", "kind": "treaty", "start_year": 1850, "end_year": 1900},
    "measure_journey": {"origin": "Selk", "destination": "Tor", "travel_mode": "air"},
    "convert_city_clock": {"from_city": "Selk", "to_city": "Tor", "clock": "23:30", "summer_time": False},
    "get_climate_normal": {"city": "Selk", "month": "December", "element": "mean high"},
    "save_almanac_bookmark": {"heading": "Tolls", "country": "arvel", "year": 1939, "keywords": ["b"], "colour": "red"},
    "add_fact_check": {"country": "bostra", "measure": "grain harvest", "year": 1840, "claimed_value": 5000}
    | {"source": "Harbour Gazette", "verdict": "wrong"},
}


@pytest.mark.parametrize(
    ("tool", "other", "expected"),
    [
        ("get_census_figure", {"sex": "female", "age_group": "15-39"}, {"country": "Arvel", "figure": 18}),
        ("get_census_figure", {"census_year": 1920, "age_group": "65+", "in_percent": True}, {"figure": 7.5}),
        ("compare_countries", {"year": 1920}, {"lead": 50, "unit": "people"}),
        ("sum_exports", {"unit": "crowns"}, {"total": 5035, "unit": "crowns"}),
        ("sum_exports", {"goods": ["wool", "WOOL"], "years": [1840, 1840]}, {"total": 100}),
        ("find_ruler", {"year": 1851}, {"ruler": "Idris Tarkhan", "first_year": 1851}),
        ("measure_journey", {"travel_mode": "sea", "unit": "nautical miles"}, {"distance": 319}),
        ("measure_journey", {"travel_mode": "road", "via": "olm"}, {"distance": 1031}),
        ("convert_city_clock", {"summer_time": True}, {"local_time": "07:00", "on": "the day after"}),
        ("convert_city_clock", {"from_city": "Tor", "to_city": "Selk", "clock": "08:29"}, {"on": "the day before"}),
        ("get_climate_normal", {"month": "January", "element": "rainfall"}, {"value": 20, "unit": "mm"}),
    ],
)
def test_looking_up(almanac: Environment, tool: str, other: Any, expected: dict[str, Any]) -> None:
    assert expected.items() <= result(almanac, tool, **other).items()


def test_rankings_and_events_are_in_order(almanac: Environment) -> None:
    most = [{"country": "Bostra", "figure": 150}, {"country": "Arvel", "figure": 100}]
    assert result(almanac, "rank_countries") == most == result(almanac, "rank_countries", lowest_first=True)[::-1]
    events = [{"title": "Accord of Selk", "year": 1850}, {"title": "Peace of Tor", "year": 1900}]
    assert result(almanac, "list_almanac_events") == events
    assert result(almanac, "list_almanac_events", newest_first=True) == events[::-1]


def test_bookmarks_and_fact_checks_are_saved(almanac: Environment) -> None:
    (change,) = call(almanac, "save_almanac_bookmark", keywords=["b", "a", "b"]).changes
    saved = {**BASE["save_almanac_bookmark"], "id": "bkm_9001", "country": "Arvel", "keywords": ["a", "b"]}
    assert change.after == {**saved, "pinned": False}
    (change,) = call(almanac, "add_fact_check", urgent=True).changes
    assert change.after == {"id": "fct_9001", **BASE["add_fact_check"], "country": "Bostra", "urgent": True}


@pytest.mark.parametrize(
    ("tool", "other", "reason"),
    [
        ("get_census_figure", {"census_year": 1850}, "1840, 1860"),
        ("sum_exports", {"goods": ["tea", "tin"]}, "does not export tin, only wool, tea"),
        ("sum_exports", {"goods": []}, "goods"),
        ("list_almanac_events", {"start_year": 1901}, "before the first"),
        ("measure_journey", {"travel_mode": "sea", "via": "Ölm"}, "No port: Ölm"),
        ("save_almanac_bookmark", {"heading": "SHEEP tax"}, "already is a bookmark"),
        ("add_fact_check", {"country": "Atlantis"}, "no country named"),
        ("add_fact_check", {"claimed_value": 1e300}, "claimed_value"),
    ],
)
def test_refusals_say_why_and_change_nothing(almanac: Environment, tool: str, other: Any, reason: str) -> None:
    transition = call(almanac, tool, **other)
    assert transition.observation.fault in ("refused", "invalid_arguments"), transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("almanac").world(seed)
    countries, cities, events = (world.rows(f"almanac_{table}") for table in ("countries", "cities", "events"))
    assert len({row["name"] for row in countries}) == 20 and len({row["name"] for row in cities}) == 40
    for row in countries:
        assert sum(city["country"] == row["name"] for city in cities) == 2 and len(row["exports"]) == 5
        assert [y for r in row["reigns"] for y in range(r["first_year"], r["last_year"] + 1)] == [*range(1800, 1940)]
        assert all(min(*survey["male"], *survey["female"]) > 0 for survey in row["surveys"].values())
    for climate in (row["climate"] for row in cities):
        assert sum(low < high for low, high in zip(climate["mean low"], climate["mean high"], strict=True)) == 12
    assert len({row["title"] for row in events}) == len({(row["region"], row["year"]) for row in events}) == 40
    span: Any = get_category("almanac").makers["event_span"](world, random.Random(seed))
    alike = [row for row in events if (row["region"], row["kind"]) == (span["region"], span["kind"])]
    assert 2 <= sum(span["start"] <= row["year"] <= span["end"] for row in alike) < len(alike)


def test_no_name_contains_another() -> None:
    content = get_category("almanac").content
    places = [name for row in content["countries"] for name in (row["name"], *row["cities"])]
    for pool in (places, content["goods"], content["headings"], content["houses"]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
