"""A weather service: current weather, forecasts, air quality, daylight and warnings of some cities, and saved places.

Temperatures are kept in whole degrees Celsius and wind in km/h; ``imperial`` gives Fahrenheit and mph, rounded to whole
numbers. The forecast covers today and four days more. Alerts about a saved place are sent for the kinds of warnings chosen,
from a level on.
"""

import math
import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    parse_day,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Weather"
FAMILY = "reference"

Units = Literal["metric", "imperial"]
Kind = Literal["flood", "fog", "heat", "ice", "thunderstorm", "wind"]
Level = Literal["yellow", "orange", "red"]

_DAYS = 5
_MOST_PLACES = 6
_SKIES = {"sunny": 15, "partly cloudy": 35, "cloudy": 55, "light rain": 75, "heavy rain": 100}
"""What the sky is like, and up to which chance of rain."""
_PARTS = {"morning": range(6, 12), "afternoon": range(12, 18), "evening": range(18, 24)}


def _city(world: World, name: str) -> FrozenRow:
    return require_named(world, "weather_cities", name, "city with a forecast")


def _place(world: World, place_id: str) -> FrozenRow:
    return require_row(world, "weather_places", place_id, "saved place", see="list_weather_places")


def _degrees(celsius: int, units: Units) -> int:
    return celsius if units == "metric" else round(celsius * 9 / 5 + 32)


def _forecast(world: World, city: str) -> list[FrozenRow]:
    row = _city(world, city)
    return [day for day in world.rows("weather_days") if day["city"] == row["name"]]


def _forecast_day(world: World, city: str, date: str) -> FrozenRow:
    parse_day(date)
    days = _forecast(world, city)
    day = next((day for day in days if day["date"] == date), None)
    if day is None:
        raise ToolRefusedError(f"The forecast covers {days[0]['date']} to {days[-1]['date']} only.")
    return day


def _seen(row: FrozenRow) -> dict[str, Any]:
    """A saved place as tools show it."""
    alerts = f"{', '.join(row['alert_kinds'])} from {row['alert_level']}" if row["alert_kinds"] else "off"
    return {**view(row, "id", "label", "city"), "alerts": alerts}


@tool(mutates=False)
def get_current_weather(world: World, city: str, units: Units = "metric") -> dict[str, Any]:
    """Get the weather in a city right now.

    Args:
        city: The city.
        units: Celsius and km/h, or Fahrenheit and mph.
    """
    row = _city(world, city)
    wind = row["wind"] if units == "metric" else round(row["wind"] / 1.609344)
    now = {"temperature": _degrees(row["temperature"], units), "wind": wind}
    return {"city": row["name"], "sky": row["sky"], **now, "humidity_percent": row["humidity"]}


@tool(mutates=False)
def get_daily_forecast(
    world: World, city: str, days: Annotated[int, Field(ge=1, le=_DAYS)] = 3, units: Units = "metric"
) -> list[dict[str, Any]]:
    """Get the forecast for a city, day by day from today on.

    Args:
        city: The city.
        days: For how many days.
        units: Celsius or Fahrenheit.
    """
    return [
        {
            **view(row, "date", "sky"),
            "high": _degrees(max(row["temperatures"]), units),
            "low": _degrees(min(row["temperatures"]), units),
            "rain_percent": max(row["rain"]),
        }
        for row in _forecast(world, city)[:days]
    ]


@tool(mutates=False)
def get_hourly_forecast(
    world: World, city: str, date: Day, part: Literal["morning", "afternoon", "evening"]
) -> list[dict[str, Any]]:
    """Get the forecast for a part of a day, hour by hour, in degrees Celsius.

    Args:
        city: The city.
        date: The day, YYYY-MM-DD.
        part: Morning from 06:00, afternoon from 12:00 or evening from 18:00.
    """
    row = _forecast_day(world, city, date)
    return [
        {"time": f"{hour:02d}:00", "temperature": row["temperatures"][hour], "rain_percent": row["rain"][hour]}
        for hour in _PARTS[part]
    ]


@tool(mutates=False)
def get_air_quality(world: World, city: str) -> dict[str, Any]:
    """Get how clean the air of a city is right now.

    Args:
        city: The city.
    """
    return view(_city(world, city), "name", "air_quality_index", "pm25", "pm10", "ozone")


@tool(mutates=False)
def get_sun_times(world: World, city: str, date: Day) -> dict[str, Any]:
    """Get sunrise, sunset and the length of a day in a city.

    Args:
        city: The city.
        date: The day, YYYY-MM-DD.
    """
    row, day = _city(world, city), parse_day(date)
    light = _daylight(row["latitude"], day)
    rise = row["solar_noon"] - light // 2
    times = {"sunrise": rise, "sunset": rise + light}
    shown = {key: f"{value // 60 % 24:02d}:{value % 60:02d}" for key, value in times.items()}
    return {"city": row["name"], **shown, "daylight_minutes": light}


def _daylight(latitude: float, day: datetime) -> int:
    """Minutes of daylight, from the height of the sun over the equator on that day of the year."""
    declination = -23.44 * math.cos(2 * math.pi * (day.timetuple().tm_yday + 10) / 365)
    half = -math.tan(math.radians(latitude)) * math.tan(math.radians(declination))
    return round(math.acos(max(-1.0, min(1.0, half))) / math.pi * 1440)


@tool(mutates=False)
def list_weather_warnings(world: World, city: str) -> list[dict[str, Any]]:
    """List the official warnings in force for a city.

    Args:
        city: The city.
    """
    name = _city(world, city)["name"]
    return [view(row, "kind", "level", "until") for row in world.rows("weather_warnings") if row["city"] == name]


@tool(mutates=False)
def list_weather_places(world: World) -> list[dict[str, Any]]:
    """List the user's saved places and which alerts are sent about them."""
    return [_seen(row) for row in world.rows("weather_places")]


@tool(mutates=True)
def save_weather_place(world: World, label: Annotated[str, Field(min_length=1)], city: str) -> dict[str, Any]:
    """Save a city as a place of the user, under a name of its own.

    Args:
        label: What the user calls the place.
        city: The city it is in.
    """
    name, places = _city(world, city)["name"], world.rows("weather_places")
    taken = next((row for row in places if folded(row["label"]) == folded(label)), None)
    if taken is not None:
        raise ToolRefusedError(f"There is already a place called {taken['label']!r}, in {taken['city']}.")
    if len(places) >= _MOST_PLACES:
        raise ToolRefusedError(f"Only {_MOST_PLACES} places can be saved.")
    row = {"id": world.new_id("plc"), "label": label, "city": name, "alert_kinds": [], "alert_level": None}
    return _seen(world.insert("weather_places", row))


@tool(mutates=True)
def subscribe_weather_alerts(
    world: World, place_id: str, kinds: Annotated[list[Kind], Field(min_length=1)], level: Level
) -> dict[str, Any]:
    """Have alerts sent about a saved place. They replace those chosen before.

    Args:
        place_id: The place's id.
        kinds: Kinds of warnings to hear about.
        level: The lowest level to hear about.
    """
    row, chosen = _place(world, place_id), sorted(set(kinds))
    if (row["alert_kinds"], row["alert_level"]) == (chosen, level):
        raise ToolRefusedError(f"{row['label']} has these alerts already.")
    return _seen(world.update("weather_places", place_id, alert_kinds=chosen, alert_level=level))


@tool(mutates=True)
def stop_weather_alerts(world: World, place_id: str) -> dict[str, Any]:
    """Send no more alerts about a saved place.

    Args:
        place_id: The place's id.
    """
    row = _place(world, place_id)
    if not row["alert_kinds"]:
        raise ToolRefusedError(f"No alerts are sent about {row['label']}.")
    return _seen(world.update("weather_places", place_id, alert_kinds=[], alert_level=None))


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Eight cities with five days of forecast, warnings for half of them, and four saved places, two with alerts."""
    world.add_table("weather_cities", "weather_days", "weather_warnings", "weather_places")
    ids = Ids(rng)
    cities = rng.sample(content["cities"], 8)
    temperatures = _distinct_temperatures(world, rng, cities)
    for city, temperature in zip(cities, temperatures, strict=True):
        _fill_city(world, rng, ids, city, temperature)
    names = [city["name"] for city in cities]
    for name in rng.sample(names, 4):
        warm = max(max(row["temperatures"]) for row in _forecast(world, name)) > 24
        kind = rng.choice(["flood", "fog", "wind", "heat" if warm else "ice", "thunderstorm" if warm else "wind"])
        until = (world.now + timedelta(days=rng.randint(0, 2))).strftime(DAY) + f" {rng.choice([18, 20, 22])}:00"
        warning = {"city": name, "kind": kind, "level": rng.choice(["yellow", "orange", "red"]), "until": until}
        world.insert("weather_warnings", {"id": ids("wrn"), **warning})
    with_alerts = rng.sample(range(4), 2)
    for index, (label, name) in enumerate(zip(rng.sample(content["labels"], 4), rng.sample(names, 4), strict=True)):
        alerts: dict[str, Any] = {"alert_kinds": [], "alert_level": None}
        if index in with_alerts:
            kinds = rng.sample(["flood", "fog", "heat", "ice", "thunderstorm", "wind"], rng.randint(1, 2))
            alerts = {"alert_kinds": sorted(kinds), "alert_level": rng.choice(["yellow", "orange"])}
        world.insert("weather_places", {"id": ids("plc"), "label": label, "city": name, **alerts})


def _distinct_temperatures(world: World, rng: random.Random, cities: list[dict[str, Any]]) -> list[int]:
    """What it is like in each city at this time of the year, no two alike."""
    season = math.cos(2 * math.pi * (world.now.timetuple().tm_yday - 200) / 365)
    taken: list[int] = []
    for city in cities:
        usual = city["mean"] + city["swing"] * season
        temperature = round(usual + rng.uniform(-3, 3))
        while temperature in taken:
            temperature += rng.choice([-1, 1])
        taken.append(temperature)
    return taken


def _fill_city(world: World, rng: random.Random, ids: Ids, city: dict[str, Any], temperature: int) -> None:
    index = rng.randint(18, 160)
    air = {"air_quality_index": index, "pm25": round(index * rng.uniform(0.25, 0.45), 1)}
    air |= {"pm10": round(index * rng.uniform(0.5, 0.9), 1), "ozone": rng.randint(20, 120)}
    sun = {"latitude": city["latitude"], "solar_noon": 720 + rng.randint(-30, 75)}
    sky = {"sky": rng.choice(list(_SKIES)), "wind": rng.randint(3, 48), "humidity": rng.randint(28, 95)}
    row = {"id": ids("cty"), "name": city["name"], "country": city["country"], "temperature": temperature}
    world.insert("weather_cities", {**row, **sky, **air, **sun})
    peaks = rng.sample(range(4, 98), _DAYS)
    for ahead in range(_DAYS):
        peak = peaks[ahead]
        sky_then = next(name for name, most in _SKIES.items() if peak <= most)
        wettest, middle = rng.randint(7, 22), temperature + rng.randint(-3, 3)
        rain = [max(0, peak - rng.randint(3, 6) * abs(hour - wettest)) for hour in range(24)]
        degrees = [round(middle + 5 * math.cos(2 * math.pi * (hour - 15) / 24)) for hour in range(24)]
        day = {"city": city["name"], "date": (world.now + timedelta(days=ahead)).strftime(DAY), "sky": sky_then}
        world.insert("weather_days", {"id": ids("fct"), **day, "temperatures": degrees, "rain": rain})
