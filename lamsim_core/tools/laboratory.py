"""A laboratory with a field station: planning calculations, field readings, bookable instruments and stored samples.

What is calculated is rounded by the tool, amounts to two decimals. Counts and minutes are rounded up, since they say how
many are enough. Readings lie within what the quantity can be and are not of the future; bookings of an instrument do not
overlap; of a sample no more can be reserved than is free. People, stations and instruments go by their names.
"""

import math
import random
from datetime import timedelta
from statistics import median, quantiles
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    MOMENT,
    Clock,
    Day,
    Ids,
    Moment,
    ToolRefusedError,
    World,
    parse_day,
    parse_moment,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Laboratory"
FAMILY = "reference"

Real = Annotated[float, Field(ge=0, le=1e6)]
Celsius = Annotated[float, Field(ge=-5, le=100)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Cutoff = Annotated[float, Field(ge=0.5, le=20)]
Decimals = Annotated[int, Field(ge=0, le=6)]
Grams = Annotated[int, Field(ge=1, le=5000)]
Name = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0.1, le=99)]
Readings = Annotated[list[Annotated[float, Field(ge=-1e9, le=1e9)]], Field(min_length=4, max_length=60)]
Salinity = Annotated[float, Field(ge=0, le=45)]
Rule = Literal["interquartile", "median deviation"]
Quantity = Literal["water temperature", "air temperature", "turbidity", "dissolved oxygen", "water level"]
Material = Literal["soil", "sediment", "bark", "moss", "seaweed"]
Storage = Literal["frozen", "chilled", "dried"]

_QUANTITIES: dict[str, tuple[str, float, float, int, int]] = {
    "water temperature": ("degrees Celsius", -2, 45, 3, 26),
    "air temperature": ("degrees Celsius", -60, 60, 4, 33),
    "turbidity": ("NTU", 0, 4000, 2, 90),
    "dissolved oxygen": ("mg/l", 0, 25, 4, 13),
    "water level": ("cm", 0, 1500, 40, 320),
}
"""Unit of each quantity, its least and largest value, and from where to where it usually is."""
_QUANTILES = {90: 1.645, 95: 1.96, 99: 2.576}


@tool(mutates=False)
def plan_dilution_batch(
    world: World, stock_mg_per_l: Real, target_mg_per_l: Real, vials: Count, vial_ml: Real, spare_percent: Real = 0
) -> dict[str, Any]:
    """Plan how much stock solution and how much water to mix so that a number of vials can be filled.

    Args:
        stock_mg_per_l: Concentration of the stock solution in mg/l.
        target_mg_per_l: Concentration wanted in the vials in mg/l.
        vials: How many vials to fill.
        vial_ml: Millilitres in each vial.
        spare_percent: How many percent more than the vials hold is to be prepared.
    """
    if target_mg_per_l >= stock_mg_per_l:
        raise ToolRefusedError("A dilution is weaker than its stock solution; the concentrations do not fit.")
    total = vials * vial_ml * (1 + spare_percent / 100)
    stock = total * target_mg_per_l / stock_mg_per_l
    return {"stock_ml": round(stock, 2), "water_ml": round(total - stock, 2)}


@tool(mutates=False)
def plan_bath_blend(
    world: World, bath_litres: Real, target_celsius: Celsius, warm_celsius: Celsius, cold_celsius: Celsius
) -> dict[str, Any]:
    """Plan how many litres of warm and of cold water fill a water bath at a temperature.

    Args:
        bath_litres: Litres the bath takes.
        target_celsius: Temperature the bath should have.
        warm_celsius: Temperature of the warm water.
        cold_celsius: Temperature of the cold water.
    """
    if not cold_celsius < target_celsius < warm_celsius:
        raise ToolRefusedError("The bath's temperature must lie between those of the cold and the warm water.")
    warm = bath_litres * (target_celsius - cold_celsius) / (warm_celsius - cold_celsius)
    return {"warm_litres": round(warm, 2), "cold_litres": round(bath_litres - warm, 2)}


@tool(mutates=False)
def predict_harvest_time(
    world: World, start_cells: Count, target_cells: Count, doubling_minutes: Real, seeded_at: Moment, lag_min: Real = 0
) -> dict[str, Any]:
    """Predict when a culture that doubles steadily reaches a number of cells.

    Args:
        start_cells: Cells the culture is started with.
        target_cells: Cells it should reach.
        doubling_minutes: Minutes in which the cells double.
        seeded_at: When it is started, YYYY-MM-DD HH:MM.
        lag_min: Minutes after the start before the cells begin to grow.
    """
    if target_cells <= start_cells:
        raise ToolRefusedError("The culture has that many cells from the start.")
    if seeded_at >= "9000":
        raise ToolRefusedError("That is too far away.")
    waits = (lag_min, lag_min + doubling_minutes * math.log2(target_cells / start_cells))
    begins, ready = (parse_moment(seeded_at) + timedelta(minutes=math.ceil(each - 1e-9)) for each in waits)
    return {"growth_begins": begins.strftime(MOMENT), "ready_at": ready.strftime(MOMENT)}


@tool(mutates=False)
def plan_survey_sample(
    world: World, population: Count, margin_percent: Share, confidence: Literal[90, 95, 99], expected_share: Share = 50
) -> dict[str, Any]:
    """Plan how many members of a population to survey in order to estimate a share.

    Args:
        population: How many there are in all.
        margin_percent: Margin of error allowed, in percentage points.
        confidence: Level of confidence in percent.
        expected_share: Share that is expected, in percent; 50 is the most cautious.
    """
    share = expected_share / 100
    endless = (_QUANTILES[confidence] / (margin_percent / 100)) ** 2 * share * (1 - share)
    size = math.ceil(endless / (1 + (endless - 1) / population) - 1e-9)
    return {"sample_size": size, "sampled_percent": round(size / population * 100, 2)}


@tool(mutates=False)
def trim_outlying_readings(
    world: World, readings: Readings, rule: Rule, cutoff: Cutoff, decimals: Decimals = 2
) -> dict[str, Any]:
    """Leave outliers out of a list of readings and give the mean of those kept.

    Args:
        readings: The readings.
        rule: interquartile measures from the nearer quartile in interquartile ranges, median deviation from the median in
            median absolute deviations.
        cutoff: How many of these a reading may lie away.
        decimals: Decimals of the mean.
    """
    if rule == "interquartile":
        low, _, high = quantiles(readings, n=4, method="inclusive")
        spread = high - low
    else:
        low = high = median(readings)
        spread = median(abs(each - low) for each in readings)
    least, most = low - cutoff * spread - 1e-6, high + cutoff * spread + 1e-6
    kept = [each for each in readings if least <= each <= most]
    if not kept:
        raise ToolRefusedError("No reading is near enough to the others.")
    outliers = [each for each in readings if not least <= each <= most]
    return {"outliers": outliers, "mean_of_kept": round(math.fsum(kept) / len(kept), decimals)}


@tool(mutates=False)
def estimate_echo_depth(
    world: World, echo_milliseconds: Real, water_celsius: Celsius, salinity: Salinity, sonar_metres: Real = 0
) -> dict[str, Any]:
    """Estimate how deep the water is from the time a sonar's echo takes there and back.

    Args:
        echo_milliseconds: Milliseconds from the sound to its echo.
        water_celsius: Temperature of the water.
        salinity: Salt in the water, in grams per kilogram; 0 is fresh water.
        sonar_metres: How far below the surface the sonar hangs.
    """
    warm = water_celsius
    speed = 1449.2 + 4.6 * warm - 0.055 * warm**2 + 0.00029 * warm**3
    speed += (1.34 - 0.01 * warm) * (salinity - 35)
    depth = speed * echo_milliseconds / 2000 + sonar_metres
    return {"sound_metres_per_second": round(speed, 1), "depth_metres": round(depth, 2)}


def _person(world: World, name: str) -> str:
    return str(require_named(world, "lab_people", name, "member of the laboratory")["name"])


@tool(mutates=True)
def log_field_reading(
    world: World,
    station: Name,
    measured: Quantity,
    value: Annotated[float, Field(ge=-1000, le=10000)],
    taken_at: Moment,
    observers: Annotated[list[str], Field(min_length=1, max_length=6)],
    remark: Annotated[str, Field(max_length=200)] = "",
) -> dict[str, Any]:
    """Log a reading that was taken at a field station.

    Args:
        station: Name of the station.
        measured: What was read.
        value: The value: temperatures in degrees Celsius, turbidity in NTU, dissolved oxygen in mg/l, water level in cm.
        taken_at: When it was read, YYYY-MM-DD HH:MM.
        observers: Full names of those who took it.
        remark: A remark in free words.
    """
    place = require_named(world, "field_stations", station, "station")["name"]
    names = sorted({_person(world, name) for name in observers})
    moment, (unit, low, high, *_) = parse_moment(taken_at), _QUANTITIES[measured]
    if moment > world.now:
        raise ToolRefusedError(f"{taken_at} is in the future; it is {world.now.strftime(MOMENT)} now.")
    if not low <= value <= high:
        raise ToolRefusedError(f"{value:g} {unit} cannot be right: {measured} is from {low:g} to {high:g}.")
    key = {"station": place, "quantity": measured, "taken_at": moment.strftime(MOMENT)}
    if any(view(row, *key) == key for row in world.rows("field_readings")):
        raise ToolRefusedError(f"The {measured} at {place} is already logged for {taken_at}.")
    row = {**key, "value": float(round(value, 3)), "observers": names, "remark": remark}
    return view(world.insert("field_readings", {"id": world.new_id("fld"), **row}), "id", *key, "value")


@tool(mutates=True)
def book_lab_instrument(
    world: World,
    instrument: Name,
    person: Name,
    day: Day,
    start: Clock,
    minutes: Annotated[int, Field(ge=15, le=600)],
    purpose: Literal["research", "teaching", "calibration"],
    with_operator: bool = False,
) -> dict[str, Any]:
    """Book an instrument of the laboratory for a member.

    Args:
        instrument: Name of the instrument.
        person: Full name of the member who uses it.
        day: The day, YYYY-MM-DD.
        start: When the booking begins, HH:MM.
        minutes: How long it lasts.
        purpose: What it is used for.
        with_operator: Whether an operator has to be there.
    """
    device = require_named(world, "lab_instruments", instrument, "instrument")["name"]
    user, begins = _person(world, person), parse_moment(f"{day} {start}")
    if begins <= world.now:
        raise ToolRefusedError(f"{day} {start} is over; it is {world.now.strftime(MOMENT)} now.")
    ends = begins.hour * 60 + begins.minute + minutes
    end = f"{ends // 60:02d}:{ends % 60:02d}"
    if start < "07:00" or end > "22:00":
        raise ToolRefusedError("The laboratory is open from 07:00 to 22:00.")
    for row in world.rows("instrument_bookings"):
        if (row["instrument"], row["day"]) == (device, day) and row["start"] < end and start < row["end"]:
            raise ToolRefusedError(f"The {device} is booked on {day} from {row['start']} to {row['end']}.")
    row = {"instrument": device, "person": user, "day": day, "start": start, "end": end}
    new = {"id": world.new_id("ibk"), **row, "purpose": purpose, "with_operator": with_operator}
    world.insert("instrument_bookings", new)
    return {"booked": device, "day": day, "start": start, "end": end}


@tool(mutates=False)
def find_lab_samples(
    world: World, material: Material, storage: Storage, collected_from: Day, collected_until: Day, min_grams: Grams = 1
) -> list[dict[str, Any]]:
    """Find stored samples by what they are, how they are kept and when they were collected.

    Args:
        material: What the samples are of.
        storage: How they are kept.
        collected_from: First day of collection, YYYY-MM-DD.
        collected_until: Last day of collection, YYYY-MM-DD.
        min_grams: Only samples of which at least so many grams are free.
    """
    first, last = (parse_day(day).date().isoformat() for day in (collected_from, collected_until))
    found = [
        view(row, "id", "site", "collected_on", "grams_free")
        for row in world.rows("lab_samples")
        if (row["material"], row["storage"]) == (material, storage)
        and first <= str(row["collected_on"]) <= last
        and row["grams_free"] >= min_grams
    ]
    return sorted(found, key=lambda row: str(row["collected_on"]))


@tool(mutates=True)
def reserve_lab_sample(world: World, sample_id: str, person: Name, grams: Grams, needed_on: Day) -> dict[str, Any]:
    """Reserve some of a stored sample for a member of the laboratory.

    Args:
        sample_id: The sample's id.
        person: Full name of the member.
        grams: How many grams.
        needed_on: Day on which it is needed, YYYY-MM-DD.
    """
    row, user = require_row(world, "lab_samples", sample_id, "sample", see="find_lab_samples"), _person(world, person)
    day, free = parse_day(needed_on).date().isoformat(), int(row["grams_free"])
    if day < world.now.strftime(DAY):
        raise ToolRefusedError(f"{day} is over; today is {world.now.strftime(DAY)}.")
    if grams > free:
        raise ToolRefusedError(f"Only {free} g of this sample are free.")
    world.update("lab_samples", sample_id, grams_free=free - grams)
    new = {"sample_id": sample_id, "person": user, "grams": grams, "needed_on": day}
    world.insert("sample_reservations", {"id": world.new_id("rsv"), **new})
    return {"reserved_grams": grams, "site": row["site"], "needed_on": day, "grams_free": free - grams}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Ten people, ten stations with two readings each, ten instruments, ten bookings and 24 samples."""
    world.add_table("lab_people", "field_stations", "field_readings", "lab_instruments")
    world.add_table("instrument_bookings", "lab_samples", "sample_reservations")
    ids = Ids(rng)
    people, stations, instruments = (rng.sample(content[each], 10) for each in ("people", "stations", "instruments"))
    for table, names in (("lab_people", people), ("field_stations", stations), ("lab_instruments", instruments)):
        for name in names:
            world.insert(table, {"id": ids(table[4:7]), "name": name})
    for station in stations:
        for quantity in rng.sample(sorted(_QUANTITIES), 2):
            row = {"station": station, "quantity": quantity, "taken_at": _past(world, rng, 8, 30)}
            row |= {"value": _value(rng, quantity), "observers": sorted(rng.sample(people, 2)), "remark": ""}
            world.insert("field_readings", {"id": ids("fld"), **row})
    for place in range(10):
        day, hour = (world.now + timedelta(days=1 + place)).strftime(DAY), rng.randint(8, 15)
        row = {"instrument": rng.choice(instruments), "person": rng.choice(people), "day": day}
        row |= {"start": f"{hour:02d}:00", "end": f"{hour + rng.randint(1, 4):02d}:00"}
        row |= {"purpose": rng.choice(["research", "teaching"]), "with_operator": rng.random() < 0.3}
        world.insert("instrument_bookings", {"id": ids("ibk"), **row})
    kinds = [(material, storage) for material in get_args(Material) for storage in get_args(Storage)]
    for material, storage in rng.sample(kinds, 4):
        for ago, grams in zip(rng.sample(range(20, 400), 6), rng.sample(range(30, 400), 6), strict=True):
            day = (world.now - timedelta(days=ago)).strftime(DAY)
            row = {"material": material, "storage": storage, "collected_on": day, "grams_free": grams}
            world.insert("lab_samples", {"id": ids("smp"), "site": rng.choice(content["sites"]), **row})
    for sample in rng.sample(world.rows("lab_samples"), 5):
        row = {"sample_id": sample["id"], "person": rng.choice(people), "grams": rng.randint(5, 40)}
        needed = (world.now + timedelta(days=rng.randint(1, 20))).strftime(DAY)
        world.insert("sample_reservations", {"id": ids("rsv"), **row, "needed_on": needed})


def _past(world: World, rng: random.Random, least: int, most: int) -> str:
    moment = world.now - timedelta(days=rng.randint(least, most))
    return moment.replace(hour=rng.randint(6, 19), minute=rng.randrange(0, 60, 5)).strftime(MOMENT)


def _value(rng: random.Random, quantity: str) -> float:
    return round(rng.uniform(*_QUANTITIES[quantity][3:]), 1)


def new_reading(world: World, rng: random.Random) -> dict[str, Any]:
    """A quantity, its unit, a usual value and a moment of the past week, for task templates."""
    quantity = rng.choice(sorted(_QUANTITIES))
    shown = {"quantity": quantity, "unit": _QUANTITIES[quantity][0], "value": _value(rng, quantity)}
    return {**shown, "moment": _past(world, rng, 1, 7)}


def later_day(world: World, rng: random.Random) -> str:
    """A day after all bookings, for task templates."""
    return (world.now + timedelta(days=rng.randint(11, 40))).strftime(DAY)


def odd_readings(world: World, rng: random.Random) -> list[float]:
    """Readings near each other, and one or two far off, for task templates."""
    middle = rng.uniform(8, 60)
    near = [round(middle * rng.uniform(0.94, 1.06), 1) for _ in range(rng.randint(6, 9))]
    far = [round(middle * rng.choice([0.38, 0.55, 1.6, 2.1]), 1) for _ in range(rng.randint(1, 2))]
    return rng.sample([*near, *far], len(near) + len(far))


def sample_search(world: World, rng: random.Random) -> dict[str, Any]:
    """Filters that a single sample fits, and others but for its amount, for task templates."""
    kind = view(rng.choice(world.rows("lab_samples")), "material", "storage")
    rows = [row for row in world.rows("lab_samples") if view(row, *kind) == kind]
    first, last = sorted(str(row["collected_on"]) for row in rng.sample(rows, 2))
    amounts = sorted(row["grams_free"] for row in rows if first <= row["collected_on"] <= last)
    return {**kind, "first": first, "last": last, "floor": rng.randint(amounts[-2] + 1, amounts[-1])}


MAKERS = {f.__name__: f for f in (new_reading, later_day, odd_readings, sample_search)}
