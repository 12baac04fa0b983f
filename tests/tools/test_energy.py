"""The energy tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]
CAR = {"battery_kwh": 45, "start_percent": 20, "target_percent": 90, "charger_kw": 10}
ROOM = {"floor_area": 20, "ceiling_height": 2.5, "insulation": "average", "inside_temp": 21, "outside_temp": -4}
READING = {"meter": "sauna", "reading": 470.25, "read_on": "2026-05-04", "taken_by": "owner"}
SLOT = {"charger": "Museum Quay", "licence_plate": "KLM-204", "day": "2026-05-06", "start": "11:30", "minutes": 60}
PERIOD = {"meter": "sauna", "from_day": "2026-03-01", "to_day": "2026-04-01"}


@pytest.fixture
def home() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    terms = {"supplier": "Voltara", "energy": "electricity", "region": "Tyrol", "contract_months": 12, "green": True}
    taken = {"meter": "sauna", "estimated": False}
    slot = {"day": "2026-05-06", "start": "10:00", "minutes": 90, "max_kw": None}
    rows: dict[str, list[dict[str, Any]]] = {
        "energy_tariffs": [
            {"id": "trf_1", "tariff": "Amber", **terms, "price_per_kwh": 0.3, "low_price": 0.2, "monthly_fee": 10.0},
            {"id": "trf_2", "tariff": "Breeze", **terms, "price_per_kwh": 0.28, "low_price": 0.25, "monthly_fee": 12.5},
        ],
        "energy_meters": [{"id": f"mtr_{name}", "name": name, "unit": "kWh"} for name in ("sauna", "barn water")],
        "energy_readings": [
            {"id": "rdg_1", **taken, "reading": 450.5, "read_on": "2026-04-01", "taken_by": "tenant"},
            {"id": "rdg_2", **taken, "reading": 400.0, "read_on": "2026-03-01", "taken_by": "owner"},
        ],
        "charging_points": [{"id": name, "name": name, "kw": 22} for name in ("Museum Quay", "Linden Court")],
        "charging_slots": [{"id": "slt_1", "charging_point": "Museum Quay", "licence_plate": "ABC-123", **slot}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    world.update("energy_tariffs", "trf_2", contract_months=24, green=False)
    return Environment(world, get_category("energy").tools)


def call(home: Environment, tool: str, **arguments: Any) -> Transition:
    return home.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(home: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(home, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_appliances_cars_and_rooms(home: Environment) -> None:
    run = {"power_watts": 2000, "hours_per_day": 1.5, "days": 30, "price_per_kwh": 0.3}
    assert result(home, "calculate_running_cost", **run) == {"kwh": 90.0, "cost": 27.0}
    assert result(home, "calculate_running_cost", **run, standby_watts=4) == {"kwh": 92.7, "cost": 27.81}
    for start, target, minutes, drawn in ((20, 80, 180, 30), (20, 90, 240, 35), (85, 95, 60, 5), (0, 100, 360, 50)):
        charge = result(home, "estimate_charging_time", **{**CAR, "start_percent": start, "target_percent": target})
        assert charge == {"minutes": minutes, "drawn_kwh": drawn}
    roof = {"panel_count": 10, "panel_watts": 400, "yearly_sun_hours": 1000}
    for facing, tilt, kwh in (("south", 35, 3360), ("north", 35, 1915), ("southeast", 65, 2873), ("west", 5, 2419)):
        assert result(home, "estimate_solar_yield", **roof, facing=facing, tilt_degrees=tilt) == {"kwh_per_year": kwh}
    assert result(home, "compute_room_heat_loss", **ROOM) == {"watts": 1344}
    backup: dict[str, Any] = {"appliance_watts": [100, 50, 10], "backup_hours": 9}
    assert result(home, "size_home_battery", **backup, chemistry="lead_acid") == {"capacity_kwh": 2.88}
    assert result(home, "size_home_battery", **backup, chemistry="lithium", reserve_percent=25) == {"capacity_kwh": 2.0}
    trip = {"trip_km": 150, "litres_per_100km": 6, "litre_price": 1.8}
    assert result(home, "calculate_trip_fuel", **trip, people=7) == {"litres": 9.0, "cost": 16.2, "share": 2.31}
    assert result(home, "calculate_trip_fuel", **trip, return_trip=True)["share"] == 32.4


def test_tariffs_and_readings_are_looked_up(home: Environment) -> None:
    search: dict[str, Any] = {"energy": "electricity", "region": "TYROL"}
    for more, names in (
        ({"max_price": 0.3}, ["Amber", "Breeze"]),
        ({"max_price": 0.29}, ["Breeze"]),
        ({"max_price": 0.3, "max_months": 12}, ["Amber"]),
        ({"max_price": 0.3, "green_only": True}, ["Amber"]),
        ({"max_price": 0.3, "energy": "gas"}, []),
    ):
        assert [row["tariff"] for row in result(home, "search_energy_tariffs", **{**search, **more})] == names
    for off_peak, costs in ((0, [1020.0, 990.0]), (20, [960.0, 972.0]), (100, [720.0, 900.0])):
        year = {"tariffs": ["amber", "Breeze"], "yearly_kwh": 3000, "off_peak_percent": off_peak}
        assert [row["yearly_cost"] for row in result(home, "compare_tariff_costs", **year)] == costs
    found = result(home, "find_meter_readings", **{**PERIOD, "meter": "Sauna meter"})
    assert [(row["reading"], row["unit"]) for row in found] == [(400.0, "kWh"), (450.5, "kWh")]
    assert result(home, "find_meter_readings", **PERIOD, taken_by="tenant") == found[1:]


def test_readings_and_slots_are_kept(home: Environment) -> None:
    between = {"reading": 425, "read_on": "2026-03-15", "estimated": True}
    for change, since in ({}, 19.75), (between, 25.0), ({"meter": "Barn Water"}, None):
        transition = call(home, "log_meter_reading", **{**READING, **change})
        logged: Any = transition.observation.content
        assert logged["since_last"] == since and [c.table for c in transition.changes] == ["energy_readings"]
    for change in {}, {"start": "09:00"}, {"charger": "linden court", "start": "10:00", "max_kw": 11}:
        booked = result(home, "book_charging_slot", **{**SLOT, "licence_plate": " KLM-204 ", **change})
        assert booked == home.world.get("charging_slots", booked["id"]) and booked["licence_plate"] == "KLM-204"
    for change in {"day": "2026-05-04", "start": "09:00"}, {"day": "2027-05-04", "start": "09:00"}:
        assert result(home, "book_charging_slot", **{**SLOT, **change})["max_kw"] is None


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("estimate_charging_time", {**CAR, "target_percent": 20}, "must be higher"),
        ("estimate_charging_time", {**CAR, "charger_kw": 1e-310}, "too weak"),
        ("compute_room_heat_loss", {**ROOM, "outside_temp": 21}, "colder outside"),
        ("search_energy_tariffs", {"energy": "gas", "region": "Mars", "max_price": 1}, "The regions are Tyrol"),
        ("compare_tariff_costs", {"tariffs": ["Amber", "Xenon"], "yearly_kwh": 1}, "search_energy_tariffs"),
        ("find_meter_readings", {**PERIOD, "to_day": "2026-02-28"}, "ends before it begins"),
        ("find_meter_readings", {**PERIOD, "to_day": "2026-04-31"}, "not a real date"),
        ("log_meter_reading", {**READING, "read_on": "2026-05-05"}, "yet to come"),
        ("log_meter_reading", {**READING, "read_on": "2026-04-01"}, "already has a reading"),
        ("log_meter_reading", {**READING, "reading": 450.49}, "never runs backwards"),
        ("log_meter_reading", {**READING, "reading": 451, "read_on": "2026-03-20"}, "never runs backwards"),
        ("book_charging_slot", {**SLOT, "start": "11:29"}, "taken from 10:00 for 90 minutes"),
        ("book_charging_slot", {**SLOT, "day": "2026-05-05", "minutes": 100000}, "taken from 10:00"),
        ("book_charging_slot", {**SLOT, "max_kw": 22.5}, "22 kW at most"),
        ("book_charging_slot", {**SLOT, "day": "2026-05-04", "start": "08:59"}, "from now on"),
        ("book_charging_slot", {**SLOT, "day": "2027-05-04", "start": "09:01"}, "up to a year ahead"),
    ],
)
def test_refusals_change_nothing(home: Environment, tool: str, arguments: dict[str, Any], reason: str) -> None:
    transition = call(home, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    category, world = get_category("energy"), get_category("energy").world(seed)
    tariffs = world.rows("energy_tariffs")
    assert len({row["tariff"] for row in tariffs}) == 30 and len({row["region"] for row in tariffs}) == 3
    assert all(row["low_price"] < row["price_per_kwh"] for row in tariffs)
    for meter in world.rows("energy_meters"):
        shown = [row["reading"] for row in world.rows("energy_readings") if row["meter"] == meter["name"]]
        assert len(shown) == 6 and shown == sorted(shown)
    ends: dict[str, datetime] = {}
    for row in sorted(world.rows("charging_slots"), key=lambda row: (row["day"], row["start"])):
        begins = datetime.strptime(f"{row['day']} {row['start']}", "%Y-%m-%d %H:%M")
        assert ends.get(row["charging_point"], world.now) <= begins
        ends[row["charging_point"]] = begins + timedelta(minutes=row["minutes"])
    new: Any = category.makers["next_readings"](world, random.Random(seed))
    for row in new["readings"]:
        log = {"meter": row["name"], "reading": row["shows"], "read_on": new["day"], "taken_by": "owner"}
        assert result(Environment(world, category.tools), "log_meter_reading", **log)["since_last"] > 0


def test_no_name_contains_another() -> None:
    content = get_category("energy").content
    for pool in (content["tariffs"], content["charging_points"], [row["name"] for row in content["meters"]]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == [] and len(set(names)) == len(names)
