"""A reference book of an invented world: its countries, cities, censuses, exports, rulers and events from 1800 to 1939.

Figures exist for the years of a survey only, and whole numbers stand for people, tonnes, kilometres and pupils. A reign
covers its first and its last year, and no two reigns of a country share one. Readers add bookmarks and fact checks.
"""

import math
import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from lamsim_core.environment import Clock, FrozenRow, Ids, ToolRefusedError, World, folded, require_named, tool, view

TITLE = "Almanac"
FAMILY = "reference"

SurveyYear = Literal[1840, 1860, 1880, 1900, 1920]
Year = Annotated[int, Field(ge=1800, le=1939)]
Region = Literal["Lantern Isles", "Saltmarch Coast", "Thorn Range", "Mirror Lakes"]
Measure = Literal["population", "grain harvest", "road network", "school attendance"]
Element = Literal["mean high", "mean low", "rainfall", "sunshine"]
Kind = Literal["treaty", "disaster", "expedition"]
Month = Literal[
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
]  # fmt: skip

_REGIONS: tuple[str, ...] = get_args(Region)
_SURVEYS: tuple[int, ...] = get_args(SurveyYear)
_UNITS = {"population": "people", "grain harvest": "tonnes", "road network": "km", "school attendance": "pupils"}
_AGES = ("0-14", "15-39", "40-64", "65+")
_FIRST, _LAST = 1800, 1939
_DETOURS = {"air": 1.0, "sea": 1.18, "rail": 1.27, "road": 1.36}
_KM = {"km": 1.0, "miles": 1.609344, "nautical miles": 1.852}


def _country(world: World, name: str) -> FrozenRow:
    return require_named(world, "almanac_countries", name, "country")


def _city(world: World, name: str) -> FrozenRow:
    return require_named(world, "almanac_cities", name, "city")


def _figure(country: FrozenRow, measure: str, year: int) -> int:
    survey = country["surveys"][str(year)]
    return sum(survey["male"]) + sum(survey["female"]) if measure == "population" else int(survey[measure])


@tool(mutates=False)
def get_census_figure(
    world: World,
    country: str,
    census_year: SurveyYear,
    sex: Literal["male", "female", "both"],
    age_group: Literal["0-14", "15-39", "40-64", "65+", "all"],
    in_percent: bool = False,
) -> dict[str, Any]:
    """Get how many people of a sex and an age group a census counted in a country.

    Args:
        country: Name of the country.
        census_year: Year of the census.
        sex: Whom to count.
        age_group: Their age in years; 65+ is 65 and over.
        in_percent: Give the percentage of everybody counted in the country, with two decimals, instead of people.
    """
    row = _country(world, country)
    survey, ages = row["surveys"][str(census_year)], range(4) if age_group == "all" else [_AGES.index(age_group)]
    people = sum(survey[each][age] for each in ("male", "female") if sex in (each, "both") for age in ages)
    share = round(people / _figure(row, "population", census_year) * 100, 2)
    return {"country": row["name"], "figure": share if in_percent else people}


@tool(mutates=False)
def compare_countries(
    world: World, first_country: str, second_country: str, measure: Measure, year: SurveyYear
) -> dict[str, Any]:
    """Compare two countries: by how much the first is ahead of the second in a measure, less than zero when behind.

    Args:
        first_country: Name of the country that is compared.
        second_country: Name of the country it is compared with.
        measure: What is compared.
        year: Year of the survey.
    """
    first, second = (_figure(_country(world, name), measure, year) for name in (first_country, second_country))
    return {"lead": first - second, "unit": _UNITS[measure]}


@tool(mutates=False)
def rank_countries(
    world: World, region: Region, measure: Measure, year: SurveyYear, lowest_first: bool = False
) -> list[dict[str, Any]]:
    """Rank the countries of a region by a measure.

    Args:
        region: The region.
        measure: What they are ranked by.
        year: Year of the survey.
        lowest_first: Start with the lowest figure instead of the highest.
    """
    rows = [row for row in world.rows("almanac_countries") if row["region"] == region]
    figures = sorted(((_figure(row, measure, year), str(row["name"])) for row in rows), reverse=not lowest_first)
    return [{"country": name, "figure": figure} for figure, name in figures]


@tool(mutates=False)
def sum_exports(
    world: World,
    country: str,
    goods: Annotated[list[str], Field(min_length=1, max_length=5)],
    years: Annotated[list[SurveyYear], Field(min_length=1, max_length=5)],
    unit: Literal["tonnes", "crowns"] = "tonnes",
) -> dict[str, Any]:
    """Add up what a country exported of some goods in some years.

    Args:
        country: Name of the country.
        goods: Names of the goods.
        years: The years that count.
        unit: Weight in tonnes, or worth in crowns.
    """
    row, total = _country(world, country), 0
    known = {folded(name): sold for name, sold in row["exports"].items()}
    for good in sorted({folded(good) for good in goods}):
        if good not in known:
            raise ToolRefusedError(f"{row['name']} does not export {good[:80]}, only {', '.join(row['exports'])}.")
        tonnes = sum(known[good]["tonnes"][_SURVEYS.index(year)] for year in {int(year) for year in years})
        total += tonnes * (known[good]["price"] if unit == "crowns" else 1)
    return {"country": row["name"], "total": total, "unit": unit}


@tool(mutates=False)
def find_ruler(world: World, country: str, year: Year) -> dict[str, Any]:
    """Find who ruled a country in a year.

    Args:
        country: Name of the country.
        year: The year.
    """
    row = _country(world, country)
    reign = next(each for each in row["reigns"] if each["first_year"] <= year <= each["last_year"])
    return {"country": row["name"], **reign}


@tool(mutates=False)
def list_almanac_events(
    world: World, region: Region, kind: Kind, start_year: Year, end_year: Year, newest_first: bool = False
) -> list[dict[str, Any]]:
    """List the events of a kind in a region between two years, both included.

    Args:
        region: The region.
        kind: The kind of event.
        start_year: The first year.
        end_year: The last year.
        newest_first: Begin with the latest event instead of the earliest.
    """
    if end_year < start_year:
        raise ToolRefusedError("The last year is before the first.")
    rows = [row for row in world.rows("almanac_events") if row["region"] == region and row["kind"] == kind]
    found = [view(row, "title", "year") for row in rows if start_year <= row["year"] <= end_year]
    return sorted(found, key=lambda event: (event["year"], event["title"]), reverse=newest_first)


@tool(mutates=False)
def measure_journey(
    world: World,
    origin: str,
    destination: str,
    travel_mode: Literal["air", "sea", "rail", "road"],
    via: str | None = None,
    unit: Literal["km", "miles", "nautical miles"] = "km",
) -> dict[str, Any]:
    """Measure how far it is from one city to another by a way of travel.

    Args:
        origin: City where the journey starts.
        destination: City where it ends.
        travel_mode: The way of travel; only ports are reached by sea.
        via: A city on the way, if the journey makes a detour.
        unit: The unit of the distance, which is rounded to a whole number.
    """
    stops = [_city(world, name) for name in (origin, via, destination) if name is not None]
    kilometres = 0.0
    for start, end in pairwise(stops):
        straight = math.dist((start["east"], start["north"]), (end["east"], end["north"]))
        winding = 1 + (start["winding"] + end["winding"]) / 100 if travel_mode in ("rail", "road") else 1
        kilometres += straight * _DETOURS[travel_mode] * winding
    if travel_mode == "sea" and not all(stop["port"] for stop in stops):
        raise ToolRefusedError(f"No port: {', '.join(stop['name'] for stop in stops if not stop['port'])}.")
    return {"distance": round(kilometres / _KM[unit]), "unit": unit}


@tool(mutates=False)
def convert_city_clock(world: World, from_city: str, to_city: str, clock: Clock, summer_time: bool) -> dict[str, Any]:
    """Convert the local time of one city to that of another.

    Args:
        from_city: City whose time is known.
        to_city: City whose time is wanted.
        clock: Local time in the first city, HH:MM.
        summer_time: Whether it is the time of year when the countries with summer time put their clocks forward.
    """
    offsets = []
    for name in (from_city, to_city):
        row = _country(world, str(_city(world, name)["country"]))
        offsets.append(int(row["offset_minutes"]) + (60 if summer_time and row["has_summer_time"] else 0))
    start = datetime.strptime(f"2000-01-02 {clock}", "%Y-%m-%d %H:%M")
    moved = start + timedelta(minutes=offsets[1] - offsets[0])
    days = {-1: "the day before", 0: "the same day", 1: "the day after"}
    return {"local_time": moved.strftime("%H:%M"), "on": days[(moved.date() - start.date()).days]}


@tool(mutates=False)
def get_climate_normal(world: World, city: str, month: Month, element: Element) -> dict[str, Any]:
    """Get what is normal for a city in a month: temperature, rainfall or hours of sunshine.

    Args:
        city: The city.
        month: The month.
        element: What is wanted: mean high and low in degrees Celsius, rain in mm and sun in hours for the whole month.
    """
    row = _city(world, city)
    unit = {"rainfall": "mm", "sunshine": "hours"}.get(element, "degrees Celsius")
    return {"city": row["name"], "value": row["climate"][element][get_args(Month).index(month)], "unit": unit}


@tool(mutates=True)
def save_almanac_bookmark(
    world: World,
    heading: Annotated[str, Field(min_length=1)],
    country: str,
    year: Year,
    keywords: Annotated[list[str], Field(min_length=1, max_length=6)],
    colour: Literal["red", "green", "blue", "yellow", "violet"],
    pinned: bool = False,
) -> dict[str, Any]:
    """Save a bookmark in the almanac.

    Args:
        heading: What the bookmark is called.
        country: Name of the country it is about.
        year: The year it is about.
        keywords: Keywords under which it is found again.
        colour: Colour of the bookmark.
        pinned: Keep it at the top of the list.
    """
    name = _country(world, country)["name"]
    if any(folded(str(row["heading"])) == folded(heading) for row in world.rows("almanac_bookmarks")):
        raise ToolRefusedError(f"There already is a bookmark called {heading[:80]!r}.")
    row = {"heading": heading, "country": name, "year": year, "keywords": sorted({*keywords}), "colour": colour}
    row |= {"id": world.new_id("bkm"), "pinned": pinned}
    return view(world.insert("almanac_bookmarks", row), "id", "heading")


@tool(mutates=True)
def add_fact_check(
    world: World,
    country: str,
    measure: Measure,
    year: SurveyYear,
    claimed_value: Annotated[float, Field(ge=0, le=1e10)],
    source: Annotated[str, Field(min_length=1)],
    verdict: Literal["confirmed", "doubtful", "wrong"],
    urgent: bool = False,
) -> dict[str, Any]:
    """Add a fact check of a figure that another source claims.

    Args:
        country: Name of the country.
        measure: What the figure is about.
        year: The year of the figure.
        claimed_value: The figure as it is claimed, in people, tonnes, kilometres or pupils.
        source: Who claims it.
        verdict: What the check came to.
        urgent: Ask the editors to deal with it first.
    """
    row = {"country": _country(world, country)["name"], "measure": measure, "year": year, "source": source}
    row |= {"claimed_value": float(claimed_value), "verdict": verdict, "urgent": urgent}
    return view(world.insert("almanac_fact_checks", {"id": world.new_id("fct"), **row}), "id", "verdict")


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Twenty countries in four regions with two cities and two events each, and what readers added."""
    world.add_table("almanac_countries", "almanac_cities", "almanac_events", "almanac_bookmarks", "almanac_fact_checks")
    ids = Ids(rng)
    rulers = rng.sample([f"{name} {house}" for name in content["given"] for house in content["houses"]], 200)
    chosen = rng.sample(content["countries"], 20)
    for place, country in enumerate(chosen):
        clock = {"offset_minutes": 30 * rng.randint(-16, 20), "has_summer_time": rng.random() < 0.5}
        goods = {
            good: {"price": rng.randint(11, 480), "tonnes": [rng.randint(140, 9700) for _ in _SURVEYS]}
            for good in sorted(rng.sample(content["goods"], 5))
        }
        reigns, first = [], _FIRST
        while first <= _LAST:
            last = min(_LAST, first + rng.randint(16, 41))
            reign = {"ruler": rulers.pop(), "title": rng.choice(content["titles"])}
            reigns.append({**reign, "first_year": first, "last_year": last})
            first = last + 1
        row = {"name": country["name"], "region": _REGIONS[place % 4], **clock, "exports": goods, "reigns": reigns}
        size = rng.randint(300, 3000)
        surveys = {str(year): _counts(rng, size * (year - 1740)) for year in _SURVEYS}
        world.insert("almanac_countries", {"id": ids("cty"), **row, "surveys": surveys})
        for city in country["cities"]:
            world.insert("almanac_cities", {"id": ids("tow"), "name": city, "country": country["name"], **_town(rng)})
    _fill_events(world, rng, content, ids)
    names = [str(country["name"]) for country in chosen]
    for heading in rng.sample(content["headings"], 6):
        about = {"heading": heading, "country": rng.choice(names), "year": rng.randint(_FIRST, _LAST)}
        about |= {"keywords": sorted(rng.sample(content["keywords"], 2)), "colour": rng.choice(["red", "blue"])}
        world.insert("almanac_bookmarks", {"id": ids("bkm"), **about, "pinned": rng.random() < 0.3})
    for source in rng.sample(content["sources"], 5):
        claim = {"country": rng.choice(names), "measure": rng.choice([*_UNITS]), "year": rng.choice(_SURVEYS)}
        claim |= {"source": source, "claimed_value": float(rng.randint(900, 90_000)), "verdict": "doubtful"}
        world.insert("almanac_fact_checks", {"id": ids("fct"), **claim, "urgent": rng.random() < 0.3})


def _town(rng: random.Random) -> dict[str, Any]:
    mean, swing = rng.uniform(4, 26), rng.choice([-1, 1]) * rng.uniform(2, 13)
    days = [mean - swing * math.cos(2 * math.pi * month / 12) for month in range(12)]
    climate = {
        "mean high": [round(day + rng.uniform(3, 7), 1) for day in days],
        "mean low": [round(day - rng.uniform(3, 7), 1) for day in days],
        "rainfall": [rng.randint(21, 289) for _ in days],
        "sunshine": [rng.randint(61, 318) for _ in days],
    }
    where = {"east": rng.randint(0, 4200), "north": rng.randint(0, 3100)}
    return {**where, "winding": rng.randint(0, 14), "port": rng.random() < 0.6, "climate": climate}


def _counts(rng: random.Random, size: int) -> dict[str, Any]:
    male, female = ([int(size * share * rng.uniform(0.8, 1.2)) for share in (1.0, 1.15, 0.6, 0.15)] for _ in range(2))
    grain, roads, pupils = size * rng.uniform(0.3, 1.9), size ** rng.uniform(0.62, 0.72), size * rng.uniform(0.1, 0.9)
    whole = {"grain harvest": int(grain), "road network": int(roads), "school attendance": int(pupils)}
    return {"male": male, "female": female, **whole}


def _fill_events(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> None:
    """One event for each city; three or four of a kind in a region, of different years."""
    regions = {row["name"]: row["region"] for row in world.rows("almanac_countries")}
    for region in _REGIONS:
        cities = [str(row["name"]) for row in world.rows("almanac_cities") if regions[row["country"]] == region]
        years = rng.sample(range(_FIRST + 5, _LAST - 5), len(cities))
        for place, (city, year) in enumerate(zip(rng.sample(cities, len(cities)), years, strict=True)):
            kind = get_args(Kind)[place % 3]
            event = {"title": f"{rng.choice(content[kind])} {city}", "region": region, "kind": kind}
            world.insert("almanac_events", {"id": ids("evn"), **event, "year": year})


def trade(world: World, rng: random.Random) -> dict[str, Any]:
    """A country, two of its goods and three years of a survey, for task templates."""
    row = rng.choice(world.rows("almanac_countries"))
    goods, years = rng.sample(sorted(row["exports"]), 2), sorted(rng.sample(_SURVEYS, 3))
    return {"country": row["name"], "goods": goods, "years": years}


def event_span(world: World, rng: random.Random) -> dict[str, Any]:
    """A region, a kind of event and two years between which there are two or three, but not all, for task templates."""
    events = world.rows("almanac_events")
    about = view(rng.choice(events), "region", "kind")
    years = sorted(int(row["year"]) for row in events if view(row, "region", "kind") == about)
    kept, low, high = (years[1:], years[0] + 1, _LAST) if rng.random() < 0.5 else (years[:-1], _FIRST, years[-1] - 1)
    return {**about, "start": max(low, kept[0] - rng.randint(1, 4)), "end": min(high, kept[-1] + rng.randint(1, 4))}


def journey(world: World, rng: random.Random) -> dict[str, Any]:
    """Three cities and a way of travel that reaches them all, for task templates."""
    mode = rng.choice(["air", "sea", "rail", "road"])
    cities = [str(row["name"]) for row in world.rows("almanac_cities") if row["port"] or mode != "sea"]
    origin, via, destination = rng.sample(cities, 3)
    return {"mode": mode, "origin": origin, "via": via, "destination": destination}


MAKERS = {"trade": trade, "event_span": event_span, "journey": journey}
