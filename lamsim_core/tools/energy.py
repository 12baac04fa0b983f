"""Energy at home: what appliances, cars, rooms and tariffs need and cost, meter readings, and slots at charging points.

What a tool computes is rounded by the tool, money to cents. Prices are in whatever currency they are given in; tariffs are in
euros. A meter never runs backwards and has one reading a day; slots at one charging point do not overlap.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    Clock,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    parse_day,
    parse_moment,
    require_named,
    tool,
    view,
)

TITLE = "Energy"
FAMILY = "home"

Size = Annotated[float, Field(gt=0, le=1_000_000)]
Hours = Annotated[float, Field(ge=0, le=24)]
Count = Annotated[int, Field(ge=1, le=100_000)]
Percent = Annotated[int, Field(ge=0, le=100)]
Idle = Annotated[float, Field(ge=0, le=1000)]
Tilt = Annotated[int, Field(ge=0, le=90)]
Plate = Annotated[str, Field(min_length=1, max_length=20)]
Names = Annotated[list[str], Field(min_length=1, max_length=8)]
PowerList = Annotated[list[Size], Field(min_length=1, max_length=20)]
Direction = Literal["south", "southeast", "southwest", "east", "west", "north"]
Level = Literal["poor", "average", "good"]
Chemistry = Literal["lithium", "lead_acid", "saltwater"]
Celsius = Annotated[float, Field(ge=-60, le=100)]
Reader = Literal["owner", "tenant", "installer", "supplier"]
Source = Literal["electricity", "gas"]

_FACING = {"south": 1.0, "southeast": 0.95, "southwest": 0.94, "east": 0.82, "west": 0.8, "north": 0.57}
_INSULATION = {"poor": 31.0, "average": 21.5, "good": 12.5}
"""Watts that a cubic metre loses at a difference of 20 degrees."""
_USABLE = {"lithium": 0.9, "lead_acid": 0.5, "saltwater": 0.8}
_SLOW_FROM, _CHARGED = 80, 0.9
"""The percentage from which a car's battery takes half the power, and how much of what it draws gets into it."""


@tool(mutates=False)
def calculate_running_cost(
    world: World, power_watts: Size, hours_per_day: Hours, days: Count, price_per_kwh: Size, standby_watts: Idle = 0
) -> dict[str, Any]:
    """Calculate what an appliance consumes and costs over a number of days.

    Args:
        power_watts: Power in watts while the appliance runs.
        hours_per_day: How many hours a day it runs.
        days: Over how many days.
        price_per_kwh: Price of one kilowatt hour.
        standby_watts: Power in watts on standby, during the rest of each day.
    """
    kwh = (power_watts * hours_per_day + standby_watts * (24 - hours_per_day)) * days / 1000
    return {"kwh": round(kwh, 2), "cost": round(kwh * price_per_kwh, 2)}


@tool(mutates=False)
def estimate_charging_time(
    world: World, battery_kwh: Size, start_percent: Percent, target_percent: Percent, charger_kw: Size
) -> dict[str, Any]:
    """Estimate how many minutes an electric vehicle charges and what it draws; the last fifth charges at half the power.

    Args:
        battery_kwh: Capacity of the battery in kilowatt hours.
        start_percent: Charge of the battery at the beginning, in percent.
        target_percent: Charge wanted at the end, in percent.
        charger_kw: Power of the charger in kilowatts.
    """
    if target_percent <= start_percent:
        raise ToolRefusedError("The charge wanted must be higher than the charge at the beginning.")
    fast = max(0, min(target_percent, _SLOW_FROM) - start_percent)
    slow = target_percent - start_percent - fast
    each = battery_kwh / 100 / _CHARGED
    minutes = (fast + 2 * slow) * each / charger_kw * 60
    if minutes > 1e9:
        raise ToolRefusedError("The charger is far too weak for this battery.")
    return {"minutes": round(minutes), "drawn_kwh": round((fast + slow) * each, 2)}


@tool(mutates=False)
def estimate_solar_yield(
    world: World, panel_count: Count, panel_watts: Count, facing: Direction, tilt_degrees: Tilt, yearly_sun_hours: Count
) -> dict[str, Any]:
    """Estimate how many kilowatt hours the solar panels of a roof yield in a year.

    Args:
        panel_count: How many panels there are.
        panel_watts: Peak power of one panel in watts.
        facing: The direction the roof faces.
        tilt_degrees: How steep the roof is, in degrees.
        yearly_sun_hours: Hours of full sun a year at the place.
    """
    tilt = 1 - (tilt_degrees - 35) ** 2 / 9000
    kwh = panel_count * panel_watts / 1000 * yearly_sun_hours * 0.84 * _FACING[facing] * tilt
    return {"kwh_per_year": round(kwh)}


@tool(mutates=False)
def compute_room_heat_loss(
    world: World, floor_area: Size, ceiling_height: Size, insulation: Level, inside_temp: Celsius, outside_temp: Celsius
) -> dict[str, Any]:
    """Compute the heat in watts that a room loses, which is what its heating must give.

    Args:
        floor_area: Floor area in square metres.
        ceiling_height: Height of the room in metres.
        insulation: How well the room is insulated.
        inside_temp: Temperature inside in degrees Celsius.
        outside_temp: Temperature outside in degrees Celsius.
    """
    if outside_temp >= inside_temp:
        raise ToolRefusedError("A room loses heat only when it is colder outside than inside.")
    return {"watts": round(floor_area * ceiling_height * _INSULATION[insulation] * (inside_temp - outside_temp) / 20)}


@tool(mutates=False)
def size_home_battery(
    world: World, appliance_watts: PowerList, backup_hours: Size, chemistry: Chemistry, reserve_percent: Percent = 0
) -> dict[str, Any]:
    """Compute the capacity in kilowatt hours of a battery that keeps appliances running through a power cut.

    Args:
        appliance_watts: Power of each appliance in watts.
        backup_hours: How many hours they must run.
        chemistry: Kind of battery.
        reserve_percent: What is added as a reserve, in percent.
    """
    kwh = sum(appliance_watts) * backup_hours / 1000 / _USABLE[chemistry]
    return {"capacity_kwh": round(kwh * (100 + reserve_percent) / 100, 2)}


@tool(mutates=False)
def calculate_trip_fuel(
    world: World, trip_km: Size, litres_per_100km: Size, litre_price: Size, people: Count = 1, return_trip: bool = False
) -> dict[str, Any]:
    """Calculate the fuel of a trip by car, what it costs, and each person's share.

    Args:
        trip_km: Distance one way in kilometres.
        litres_per_100km: What the car consumes, in litres per 100 kilometres.
        litre_price: Price of one litre.
        people: How many people share the cost.
        return_trip: Whether the car drives back as well.
    """
    litres = trip_km * (2 if return_trip else 1) * litres_per_100km / 100
    cost = litres * litre_price
    return {"litres": round(litres, 2), "cost": round(cost, 2), "share": round(cost / people, 2)}


@tool(mutates=False)
def search_energy_tariffs(
    world: World, energy: Source, region: str, max_price: Size, max_months: Count = 60, green_only: bool = False
) -> list[dict[str, Any]]:
    """Search the tariffs for electricity or gas that are offered in a region.

    Args:
        energy: Electricity or gas.
        region: Name of the region.
        max_price: Highest price of a kilowatt hour, in euros.
        max_months: Longest duration of the contract, in months.
        green_only: Only tariffs from renewable sources.
    """
    regions = sorted({str(row["region"]) for row in world.rows("energy_tariffs")})
    if folded(region) not in map(folded, regions):
        raise ToolRefusedError(f"There are no tariffs for {region[:80]!r}. The regions are {', '.join(regions)}.")
    return [
        view(row, "tariff", "supplier", "price_per_kwh", "contract_months", "green")
        for row in world.rows("energy_tariffs")
        if row["energy"] == energy
        and folded(str(row["region"])) == folded(region)
        and row["price_per_kwh"] <= max_price
        and row["contract_months"] <= max_months
        and (row["green"] or not green_only)
    ]


@tool(mutates=False)
def compare_tariff_costs(
    world: World, tariffs: Names, yearly_kwh: Count, off_peak_percent: Percent = 0
) -> list[dict[str, Any]]:
    """Work out what a year costs in euros with each of several tariffs, basic fees included.

    Args:
        tariffs: Names of the tariffs.
        yearly_kwh: Consumption in a year, in kilowatt hours.
        off_peak_percent: How much of it falls into the cheaper off-peak hours, in percent.
    """
    costs, off_peak = [], yearly_kwh * off_peak_percent / 100
    for name in tariffs:
        row = require_named(world, "energy_tariffs", name, "tariff", field="tariff", see="search_energy_tariffs")
        cost = (yearly_kwh - off_peak) * row["price_per_kwh"] + off_peak * row["low_price"] + 12 * row["monthly_fee"]
        costs.append({"tariff": row["tariff"], "yearly_cost": round(cost, 2)})
    return costs


def _meter(world: World, name: str) -> FrozenRow:
    return require_named(world, "energy_meters", folded(name).removesuffix(" meter"), "meter")


def _readings(world: World, meter: FrozenRow) -> list[FrozenRow]:
    """The readings of a meter, oldest first."""
    rows = [row for row in world.rows("energy_readings") if row["meter"] == meter["name"]]
    return sorted(rows, key=lambda row: str(row["read_on"]))


@tool(mutates=False)
def find_meter_readings(
    world: World, meter: str, from_day: Day, to_day: Day, taken_by: Reader | None = None
) -> list[dict[str, Any]]:
    """Find the readings of a meter in a period, oldest first.

    Args:
        meter: Name of the meter.
        from_day: First day of the period, YYYY-MM-DD.
        to_day: Last day of the period, YYYY-MM-DD.
        taken_by: Only readings that this person took.
    """
    row, first, last = _meter(world, meter), parse_day(from_day), parse_day(to_day)
    if last < first:
        raise ToolRefusedError("The period ends before it begins.")
    return [
        {**view(each, "reading", "read_on", "taken_by", "estimated"), "unit": row["unit"]}
        for each in _readings(world, row)
        if first <= parse_day(str(each["read_on"])) <= last and taken_by in (None, each["taken_by"])
    ]


@tool(mutates=True)
def log_meter_reading(
    world: World, meter: str, reading: Size, read_on: Day, taken_by: Reader, estimated: bool = False
) -> dict[str, Any]:
    """Log what a meter shows.

    Args:
        meter: Name of the meter.
        reading: What it shows.
        read_on: The day of the reading, YYYY-MM-DD.
        taken_by: Who read the meter.
        estimated: Whether the reading is only an estimate.
    """
    row, day = _meter(world, meter), parse_day(read_on)
    if day > world.now:
        raise ToolRefusedError(f"{read_on} is yet to come; readings are logged afterwards.")
    known = _readings(world, row)
    if any(each["read_on"] == read_on for each in known):
        raise ToolRefusedError(f"The {row['name']} meter already has a reading of {read_on}.")
    earlier = [each["reading"] for each in known if str(each["read_on"]) < read_on]
    later = [each["reading"] for each in known if str(each["read_on"]) > read_on]
    if (earlier and reading < earlier[-1]) or (later and reading > later[0]):
        raise ToolRefusedError(f"A meter never runs backwards; {reading:g} does not fit those around {read_on}.")
    made = {"meter": row["name"], "reading": round(reading, 2), "read_on": read_on, "taken_by": taken_by}
    world.insert("energy_readings", {"id": world.new_id("rdg"), **made, "estimated": estimated})
    return {**made, "since_last": round(reading - earlier[-1], 2) if earlier else None}


def _clash(world: World, point: str, start: datetime, minutes: int) -> FrozenRow | None:
    """A slot at a charging point that is taken in this time."""
    for row in world.rows("charging_slots"):
        begin = parse_moment(f"{row['day']} {row['start']}")
        ends, end = begin + timedelta(minutes=row["minutes"]), start + timedelta(minutes=minutes)
        if row["charging_point"] == point and begin < end and start < ends:
            return row
    return None


@tool(mutates=True)
def book_charging_slot(
    world: World, charger: str, licence_plate: Plate, day: Day, start: Clock, minutes: Count, max_kw: Size | None = None
) -> dict[str, Any]:
    """Book a time at a charging point for an electric vehicle.

    Args:
        charger: Name of the charging point.
        licence_plate: The vehicle's licence plate.
        day: The day, YYYY-MM-DD.
        start: When charging starts, HH:MM.
        minutes: How many minutes it lasts.
        max_kw: Highest power in kilowatts, if it is to be limited.
    """
    point = require_named(world, "charging_points", charger, "charging point")
    begin = parse_moment(f"{day} {start}")
    if not world.now <= begin <= world.now + timedelta(days=365):
        raise ToolRefusedError("Slots are booked from now on up to a year ahead.")
    if max_kw is not None and max_kw > point["kw"]:
        raise ToolRefusedError(f"{point['name']} gives {point['kw']:g} kW at most.")
    taken = _clash(world, str(point["name"]), begin, minutes)
    if taken is not None:
        raise ToolRefusedError(f"{point['name']} is taken from {taken['start']} for {taken['minutes']} minutes.")
    slot = {"charging_point": point["name"], "licence_plate": licence_plate.strip(), "day": day, "start": start}
    row = {"id": world.new_id("slt"), **slot, "minutes": minutes, "max_kw": max_kw}
    return dict(world.insert("charging_slots", row))


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Thirty tariffs in three regions, five meters with six readings each, five charging points and ten slots taken."""
    world.add_table("energy_tariffs", "energy_meters", "energy_readings", "charging_points", "charging_slots")
    ids = Ids(rng)
    names = rng.sample(content["tariffs"], 30)
    for region in rng.sample(content["regions"], 3):
        for energy, low in (("electricity", 240), ("gas", 90)):
            prices, fees = rng.sample(range(low, low + 130, 2), 5), rng.sample(range(450, 1690, 5), 5)
            for price, fee in zip(prices, fees, strict=True):
                terms = {"price_per_kwh": price / 1000, "low_price": round(price * rng.uniform(0.62, 0.93)) / 1000}
                terms |= {"monthly_fee": fee / 100, "contract_months": 6 * rng.randint(1, 4), "green": price % 4 == 0}
                row = {"tariff": names.pop(), "supplier": rng.choice(content["suppliers"]), "energy": energy}
                world.insert("energy_tariffs", {"id": ids("trf"), **row, "region": region, **terms})
    for meter in rng.sample(content["meters"], 5):
        world.insert("energy_meters", {"id": ids("mtr"), **view(meter, "name", "unit")})
        shown, ago = rng.uniform(*meter["shows"]), rng.randint(290, 340)
        for place in range(6):
            day = (world.now - timedelta(days=ago)).strftime(DAY)
            taken = {"read_on": day, "taken_by": rng.choice(["owner", "tenant", "installer", "supplier"])}
            row = {"meter": meter["name"], "reading": round(shown, 1), **taken, "estimated": place % 4 == 2}
            world.insert("energy_readings", {"id": ids("rdg"), **row})
            shown, ago = shown + rng.uniform(*meter["rises"]), ago - rng.randint(42, 55)
    for name in rng.sample(content["charging_points"], 5):
        world.insert("charging_points", {"id": ids("chp"), "name": name, "kw": rng.choice([11, 22, 50, 75, 150])})
        for _ in range(2):
            slot = {"charging_point": name, "licence_plate": _plate(rng), **_moment(world, rng)}
            minutes = rng.choice([45, 90])
            while _clash(world, name, parse_moment(f"{slot['day']} {slot['start']}"), minutes) is not None:
                slot |= _moment(world, rng)
            world.insert("charging_slots", {"id": ids("slt"), **slot, "minutes": minutes, "max_kw": None})


def _plate(rng: random.Random) -> str:
    return f"{''.join(rng.sample('ABCDEFGHJKLMNPRSTUVWXYZ', 3))}-{rng.randint(102, 987)}"


def _moment(world: World, rng: random.Random) -> dict[str, str]:
    day = (world.now + timedelta(days=rng.randint(2, 24))).strftime(DAY)
    return {"day": day, "start": f"{rng.randint(6, 20):02}:{rng.choice([0, 15, 30, 45]):02}"}


def _spoken(day: str) -> str:
    return f"{parse_day(day).day} {parse_day(day).strftime('%B %Y')}"


def free_slot(world: World, rng: random.Random) -> dict[str, Any]:
    """A time at which a charging point is free, with a plate, a length and a limit it allows, for task templates."""
    point, slot, minutes = rng.choice(world.rows("charging_points")), _moment(world, rng), 15 * rng.randint(3, 9)
    if _clash(world, str(point["name"]), parse_moment(f"{slot['day']} {slot['start']}"), minutes) is not None:
        raise LookupError("the slot is taken")
    limits = [kw for kw in (7, 9, 14, 18, 35, 60, 110) if kw < point["kw"]]
    fixed = {"point": point["name"], "plate": _plate(rng), "minutes": minutes, "kw": rng.choice(limits)}
    return {**slot, **fixed, "spoken": _spoken(slot["day"])}


def next_readings(world: World, rng: random.Random) -> dict[str, Any]:
    """What three meters showed on one of the past days, for task templates."""
    day = (world.now - timedelta(days=rng.randint(1, 6))).strftime(DAY)
    meters = rng.sample(world.rows("energy_meters"), 3)
    shown = [_readings(world, meter)[-1]["reading"] + rng.randint(11, 4000) / 10 for meter in meters]
    readings = [{**view(row, "name", "unit"), "shows": round(at, 1)} for row, at in zip(meters, shown, strict=True)]
    return {"day": day, "spoken": _spoken(day), "readings": readings}


def past_reading(world: World, rng: random.Random) -> dict[str, Any]:
    """A reading, and a period with others in which its reader took no other, for task templates."""
    rows = _readings(world, meter := rng.choice(world.rows("energy_meters")))
    period = rng.choice([rows[:3], rows[1:5], rows[2:5], rows[2:]])
    readers = [str(row["taken_by"]) for row in period]
    row = rng.choice([row for row in period if readers.count(str(row["taken_by"])) == 1])
    start = parse_day(str(period[0]["read_on"])) - timedelta(days=rng.randint(2, 20))
    end = parse_day(str(period[-1]["read_on"])) + timedelta(days=rng.randint(2, 20))
    days = {"from": start.strftime(DAY), "to": end.strftime(DAY)}
    return {**view(meter, "name", "unit"), **view(row, "taken_by"), **days}


MAKERS = {"free_slot": free_slot, "next_readings": next_readings, "past_reading": past_reading}
