"""The weather tools: what each does, what each refuses, and what holds in every populated world."""

from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]
CITY = {
    "id": "cty_1",
    "name": "Bogotá",
    "country": "Colombia",
    "temperature": -4,
    "sky": "sunny",
    "wind": 16,
    "humidity": 60,
    "air_quality_index": 41,
    "pm25": 12.3,
    "pm10": 20.1,
    "ozone": 33,
    "latitude": 0.0,
    "solar_noon": 720,
}


@pytest.fixture
def station() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    day = {"city": "Bogotá", "sky": "cloudy", "temperatures": [*range(24)], "rain": [*range(0, 48, 2)]}
    place: dict[str, Any] = {"city": "Bogotá", "alert_kinds": [], "alert_level": None}
    rows: dict[str, list[dict[str, Any]]] = {
        "weather_cities": [CITY, {**CITY, "id": "cty_2", "name": "Hobart"}],
        "weather_days": [{**day, "id": f"fct_{n}", "date": f"2026-05-0{n}"} for n in (4, 5, 6, 7, 8)],
        "weather_warnings": [
            {"id": "wrn_1", "city": "Bogotá", "kind": "wind", "level": "red", "until": "2026-05-05 20:00"}
        ],
        "weather_places": [
            {**place, "id": "plc_1", "label": "Ski Hut"},
            {**place, "id": "plc_2", "label": "Orchard", "alert_kinds": ["ice"], "alert_level": "red"},
        ],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("weather").tools)


def call(station: Environment, tool: str, **arguments: Any) -> Transition:
    return station.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(station: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(station, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_reads_show_what_is_needed_and_change_nothing(station: Environment) -> None:
    before = station.world.state_hash()
    now = result(station, "get_current_weather", city="bogota")
    assert (now["city"], now["temperature"], now["wind"]) == ("Bogotá", -4, 16)
    imperial = result(station, "get_current_weather", city="Bogotá", units="imperial")
    assert (imperial["temperature"], imperial["wind"]) == (25, 10)
    days = result(station, "get_daily_forecast", city="Bogotá")
    assert [row["date"] for row in days] == ["2026-05-04", "2026-05-05", "2026-05-06"]
    assert (days[0]["high"], days[0]["low"], days[0]["rain_percent"]) == (23, 0, 46)
    assert result(station, "get_daily_forecast", city="Bogotá", days=1, units="imperial")[0]["low"] == 32
    hours = result(station, "get_hourly_forecast", city="Bogotá", date="2026-05-08", part="evening")
    assert hours[0] == {"time": "18:00", "temperature": 18, "rain_percent": 36} and len(hours) == 6
    assert result(station, "get_air_quality", city="Bogotá")["pm25"] == 12.3
    sun = {"city": "Bogotá", "sunrise": "06:00", "sunset": "18:00", "daylight_minutes": 720}
    assert result(station, "get_sun_times", city="Bogotá", date="2026-06-21") == sun
    assert result(station, "list_weather_warnings", city="Hobart") == []
    assert result(station, "list_weather_warnings", city="Bogotá")[0]["level"] == "red"
    assert [row["alerts"] for row in result(station, "list_weather_places")] == ["off", "ice from red"]
    assert station.world.state_hash() == before


def test_places_and_alerts(station: Environment) -> None:
    made = result(station, "save_weather_place", label="Our Boat", city="hobart")
    assert made["city"] == "Hobart" and made["alerts"] == "off"
    alerts = {"place_id": made["id"], "kinds": ["wind", "fog", "wind"], "level": "orange"}
    assert result(station, "subscribe_weather_alerts", **alerts)["alerts"] == "fog, wind from orange"
    assert call(station, "subscribe_weather_alerts", **alerts).observation.fault == "refused"
    result(station, "stop_weather_alerts", place_id=made["id"])
    row = station.world.get("weather_places", made["id"])
    assert row is not None and (row["alert_kinds"], row["alert_level"]) == ([], None)


def test_only_six_places_can_be_saved(station: Environment) -> None:
    for number in range(4):
        result(station, "save_weather_place", label=f"Place {number}", city="Hobart")
    assert "Only 6" in str(call(station, "save_weather_place", label="One more", city="Hobart").observation.content)


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_current_weather", {"city": "Atlantis"}, "no city with a forecast"),
        (
            "get_hourly_forecast",
            {"city": "Bogotá", "date": "2026-05-09", "part": "morning"},
            "2026-05-04 to 2026-05-08",
        ),
        ("get_hourly_forecast", {"city": "Bogotá", "date": "2026-02-30", "part": "morning"}, "not a real date"),
        ("get_sun_times", {"city": "Bogotá", "date": "2026-13-01"}, "not a real date"),
        ("save_weather_place", {"label": "ski hut", "city": "Hobart"}, "already a place called 'Ski Hut'"),
        ("save_weather_place", {"label": "New", "city": "Atlantis"}, "no city"),
        ("subscribe_weather_alerts", {"place_id": "Ski Hut", "kinds": ["fog"], "level": "red"}, "list_weather_places"),
        ("subscribe_weather_alerts", {"place_id": "plc_2", "kinds": ["ice"], "level": "red"}, "these alerts already"),
        ("stop_weather_alerts", {"place_id": "plc_1"}, "No alerts are sent"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    station: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(station, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("weather").world(seed)
    cities = world.rows("weather_cities")
    names = {row["name"] for row in cities}
    assert len(names) == len({row["temperature"] for row in cities}) == 8
    days = world.rows("weather_days")
    assert len(days) == 40 and {row["city"] for row in days} == names
    assert min(str(row["date"]) for row in days) == world.now.strftime("%Y-%m-%d")
    assert all(len(row["temperatures"]) == len(row["rain"]) == 24 for row in days)
    assert all(0 <= min(row["rain"]) <= max(row["rain"]) <= 100 for row in days)
    for name in names:
        assert len({max(row["rain"]) for row in days if row["city"] == name}) == 5
    places = world.rows("weather_places")
    assert len({row["label"] for row in places}) == len({row["city"] for row in places}) == 4
    assert sum(bool(row["alert_kinds"]) for row in places) == 2
    assert len({row["city"] for row in world.rows("weather_warnings")}) == 4
    environment = Environment(world, get_category("weather").tools)
    for name in names:
        light = [
            result(environment, "get_sun_times", city=name, date=day)["daylight_minutes"]
            for day in ("2026-06-21", "2026-12-21")
        ]
        assert all(200 < minutes < 1240 for minutes in light)


def test_no_name_contains_another() -> None:
    content = get_category("weather").content
    for pool in ([row["name"] for row in content["cities"]], content["labels"]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
