"""The laboratory tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]
BATCH = {"stock_mg_per_l": 500, "target_mg_per_l": 20, "vials": 30, "vial_ml": 10}
BATH = {"bath_litres": 60, "target_celsius": 37, "warm_celsius": 60, "cold_celsius": 10}
CULTURE = {"start_cells": 1000, "target_cells": 8000, "doubling_minutes": 40, "seeded_at": "2026-05-04 23:00"}
SURVEY = {"population": 1000, "margin_percent": 5, "confidence": 95}
TRIM = {"readings": [50, 10, 11, 13, 12], "rule": "median deviation", "cutoff": 1}
LOG = {"station": "alder weir", "measured": "turbidity", "value": 12.3456, "taken_at": "2026-05-04 09:00"}
LOG |= {"observers": ["emre yildiz", "Aroha Ngata", "Emre Yildiz"]}
BOOK = {"instrument": "Sonicator", "person": "aroha ngata", "day": "2026-05-05", "start": "12:00", "minutes": 60}
BOOK |= {"purpose": "research"}
FIND = {"material": "soil", "storage": "frozen", "collected_from": "0999-03-10", "collected_until": "2025-06-01"}
RESERVE = {"sample_id": "smp_1", "person": "Emre Yildiz", "grams": 80, "needed_on": "2026-05-04"}


@pytest.fixture
def lab() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    reading = {"quantity": "turbidity", "taken_at": "2026-05-03 08:00", "value": 9.5, "observers": [], "remark": ""}
    booking = {"day": "2026-05-05", "start": "10:00", "end": "12:00", "purpose": "teaching", "with_operator": False}
    soil = {"site": "Ashby Fen", "material": "soil", "storage": "frozen"}
    rows: dict[str, list[dict[str, Any]]] = {
        "lab_people": [{"id": name, "name": name} for name in ("Aroha Ngata", "Emre Yildiz")],
        "field_stations": [{"id": "sta_1", "name": "Alder Weir"}],
        "field_readings": [{"id": "fld_1", "station": "Alder Weir", **reading}],
        "lab_instruments": [{"id": name, "name": name} for name in ("sonicator", "ball mill")],
        "instrument_bookings": [{"id": "ibk_1", "instrument": "sonicator", "person": "Emre Yildiz", **booking}],
        "lab_samples": [
            {"id": "smp_1", **soil, "collected_on": "2025-06-01", "grams_free": 80},
            {"id": "smp_2", **soil, "collected_on": "2025-03-10", "grams_free": 30},
        ],
        "sample_reservations": [],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("laboratory").tools)


def call(lab: Environment, tool: str, **arguments: Any) -> Transition:
    return lab.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(lab: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(lab, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


ECHO = {"water_celsius": 10, "echo_milliseconds": 200}
HALVES = {"seeded_at": "2026-05-04 00:00", "target_cells": 2000, "lag_min": 0.5}
SIX = {"readings": [1, 2, 1, 2, 2, 2], "rule": "interquartile"}
LEAP = {"seeded_at": "2024-02-28 23:30", "target_cells": 3000, "doubling_minutes": 60}


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("plan_dilution_batch", {**BATCH, "spare_percent": 10}, [13.2, 316.8]),
        ("plan_bath_blend", BATH, [32.4, 27.6]),
        ("predict_harvest_time", {**CULTURE, "lag_min": 30}, ["2026-05-04 23:30", "2026-05-05 01:30"]),
        ("predict_harvest_time", {**CULTURE, **LEAP}, ["2024-02-28 23:30", "2024-02-29 01:06"]),
        ("predict_harvest_time", {**CULTURE, **HALVES}, ["2026-05-04 00:01", "2026-05-04 00:41"]),
        ("plan_survey_sample", SURVEY, [278, 27.8]),
        ("plan_survey_sample", {**SURVEY, "expected_share": 20}, [198, 19.8]),
        ("plan_survey_sample", {**SURVEY, "margin_percent": 10, "confidence": 90}, [64, 6.4]),
        ("plan_survey_sample", {**SURVEY, "population": 1}, [1, 100]),
        ("plan_survey_sample", {**SURVEY, "population": 1_000_000_000}, [385, 0]),
        ("trim_outlying_readings", {**TRIM, "rule": "interquartile", "cutoff": 1.5}, [[50], 11.5]),
        ("trim_outlying_readings", TRIM, [[50, 10], 12]),
        ("trim_outlying_readings", {**TRIM, "readings": [1e9] * 60}, [[], 1e9]),
        ("trim_outlying_readings", {**TRIM, **SIX, "decimals": 4}, [[], 1.6667]),
        ("estimate_echo_depth", {**ECHO, "salinity": 35, "sonar_metres": 1.5}, [1490, 150.5]),
        ("estimate_echo_depth", {**ECHO, "salinity": 0}, [1446.6, 144.66]),
    ],
)
def test_reckoning(lab: Environment, tool: str, arguments: dict[str, Any], expected: list[Any]) -> None:
    assert [*result(lab, tool, **arguments).values()] == expected


def test_readings_bookings_and_samples(lab: Environment) -> None:
    (change,) = call(lab, "log_field_reading", **LOG, remark="Iced over. ").changes
    logged = {"station": "Alder Weir", "quantity": "turbidity", "taken_at": "2026-05-04 09:00", "value": 12.346}
    who = {"observers": ["Aroha Ngata", "Emre Yildiz"], "remark": "Iced over. "}
    assert change.table == "field_readings" and change.after == {"id": change.id, **logged, **who}
    assert result(lab, "book_lab_instrument", **BOOK)["end"] == "13:00"
    latest = {"instrument": "Ball Mill", "start": "12:00", "minutes": 600, "with_operator": True}
    for free in {"start": "08:00", "minutes": 120}, {"day": "2026-05-04", "start": "09:01"}, latest:
        assert len(call(lab, "book_lab_instrument", **{**BOOK, **free}).changes) == 1
    found = result(lab, "find_lab_samples", **FIND)
    assert [row["id"] for row in found] == ["smp_2", "smp_1"]
    assert result(lab, "find_lab_samples", **FIND, min_grams=31) == found[1:]
    transition = call(lab, "reserve_lab_sample", **RESERVE)
    assert {change.table for change in transition.changes} == {"lab_samples", "sample_reservations"}
    assert result(lab, "find_lab_samples", **FIND) == found[:1]


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("plan_dilution_batch", {**BATCH, "target_mg_per_l": 500}, "weaker than its stock"),
        ("plan_bath_blend", {**BATH, "target_celsius": 60}, "must lie between"),
        ("predict_harvest_time", {**CULTURE, "target_cells": 1000}, "from the start"),
        ("predict_harvest_time", {**CULTURE, "seeded_at": "9999-12-31 23:59"}, "too far away"),
        ("predict_harvest_time", {**CULTURE, "seeded_at": "2026-05-04 24:00"}, "not a real date and time"),
        ("trim_outlying_readings", {**TRIM, "readings": [0, 0, 10, 10], "cutoff": 0.5}, "near enough"),
        ("log_field_reading", {**LOG, "taken_at": "2026-05-04 09:01"}, "in the future"),
        ("log_field_reading", {**LOG, "value": 4000.5}, "turbidity is from 0 to 4000"),
        ("log_field_reading", {**LOG, "taken_at": "2026-05-03 08:00"}, "already logged"),
        ("log_field_reading", {**LOG, "observers": ["Emre Falk"]}, "Similar: Emre Yildiz"),
        ("book_lab_instrument", {**BOOK, "start": "09:01"}, "from 10:00 to 12:00"),
        ("book_lab_instrument", {**BOOK, "start": "06:59"}, "open from 07:00"),
        ("book_lab_instrument", {**BOOK, "start": "20:00", "minutes": 600}, "to 22:00"),
        ("book_lab_instrument", {**BOOK, "day": "2026-05-04", "start": "09:00"}, "is over"),
        ("find_lab_samples", {**FIND, "collected_from": "2025-02-29"}, "not a real date"),
        ("reserve_lab_sample", {**RESERVE, "sample_id": "smp_9"}, "find_lab_samples"),
        ("reserve_lab_sample", {**RESERVE, "needed_on": "0999-12-31"}, "is over"),
        ("reserve_lab_sample", {**RESERVE, "grams": 81}, "Only 80 g"),
    ],
)
def test_refusals_change_nothing(lab: Environment, tool: str, arguments: dict[str, Any], reason: str) -> None:
    transition = call(lab, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    category, world = get_category("laboratory"), get_category("laboratory").world(seed)
    for table in ("lab_people", "field_stations", "lab_instruments"):
        assert len({row["name"] for row in world.rows(table)}) == 10
    readings, bookings = world.rows("field_readings"), world.rows("instrument_bookings")
    assert len({(row["station"], row["quantity"]) for row in readings}) == 20
    assert all(row["taken_at"] < world.now.date().isoformat() for row in readings)
    assert len({(row["instrument"], row["day"]) for row in bookings}) == 10
    assert len({(row["material"], row["storage"], row["grams_free"]) for row in world.rows("lab_samples")}) == 24
    one: Any = category.makers["sample_search"](world, random.Random(seed))
    search = {"material": one["material"], "storage": one["storage"], "min_grams": one["floor"]}
    period = {"collected_from": one["first"], "collected_until": one["last"]}
    assert len(result(Environment(world, category.tools), "find_lab_samples", **search, **period)) == 1


def test_no_name_contains_another() -> None:
    content = get_category("laboratory").content
    for pool in (content["people"], content["stations"], content["instruments"], content["sites"]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == [] and len(set(names)) == len(names)
