"""The calculator tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]


@pytest.fixture
def desk() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    series = {"id": "srs_1", "name": "Morning run", "unit": "km", "values": [5.2, 8.0], "lowest": 0.2, "highest": 60}
    rows: dict[str, list[dict[str, Any]]] = {
        "currency_rates": [
            {"id": "cur_1", "code": "EUR", "name": "euros", "per_euro": 1.0, "fee_percent": 1.0},
            {"id": "cur_2", "code": "SEK", "name": "Swedish kronor", "per_euro": 11.5, "fee_percent": 2.0},
        ],
        "memory_cells": [{"id": "mem_1", "name": "rent", "value": 812.4}],
        "measurement_series": [series],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("calculator").tools)


def call(desk: Environment, tool: str, **arguments: Any) -> Transition:
    return desk.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(desk: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(desk, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


@pytest.mark.parametrize(
    ("operation", "first", "second", "expected"),
    [
        ("add", 0.1, 0.2, 0.3),
        ("subtract", 5, 7.5, -2.5),
        ("multiply", 37.4, 28.65, 1071.51),
        ("divide", 10, 3, 3.3333),
        ("percent_of", 19, 250, 47.5),
        ("percent_change", 80, 100, 25.0),
        ("percent_change", -80, -100, -25.0),
    ],
)
def test_calculating(desk: Environment, operation: str, first: float, second: float, expected: float) -> None:
    assert result(desk, "calculate_numbers", operation=operation, first=first, second=second) == {"result": expected}


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("sum", 10.6), ("mean", 2.65), ("median", 2.25), ("smallest", 1.1), ("largest", 5.0), ("range", 3.9)],
)
def test_statistics(desk: Environment, statistic: str, expected: float) -> None:
    numbers = [5, 2.5, 1.1, 2]
    assert result(desk, "compute_statistic", statistic=statistic, numbers=numbers) == {"result": expected}


@pytest.mark.parametrize(
    ("value", "one", "two", "expected"),
    [
        (26.2, "mi", "km", 42.1648),
        (100, "celsius", "fahrenheit", 212.0),
        (-40, "fahrenheit", "celsius", -40.0),
        (10, "gal", "l", 37.8541),
        (1, "lb", "oz", 16.0),
        (6, "ft", "in", 72.0),
    ],
)
def test_converting_units_and_back(desk: Environment, value: float, one: str, two: str, expected: float) -> None:
    assert result(desk, "convert_units", value=value, from_unit=one, to_unit=two)["result"] == expected
    back = result(desk, "convert_units", value=expected, from_unit=two, to_unit=one)["result"]
    assert back == pytest.approx(value, abs=0.001)


def test_money_and_dates(desk: Environment) -> None:
    money = {"amount": 100, "from_currency": "EUR", "to_currency": "SEK"}
    assert result(desk, "convert_currency", **money) == {"fee": 0.0, "result": 1150.0, "currency": "SEK"}
    assert result(desk, "convert_currency", **money, with_fee=True) == {"fee": 2.0, "result": 1127.0, "currency": "SEK"}
    assert result(desk, "count_days_between", start="2024-02-28", end="2024-03-01") == {"days": 2}
    assert result(desk, "count_days_between", start="2026-03-01", end="2026-02-28") == {"days": -1}
    assert result(desk, "shift_date", date="2026-12-30", amount=2) == {"date": "2027-01-01", "weekday": "Friday"}
    assert result(desk, "shift_date", date="2026-01-05", amount=-1, unit="weeks")["date"] == "2025-12-29"


def test_memory_and_series(desk: Environment) -> None:
    assert result(desk, "store_memory_cell", name="tax", value=12.3456) == {"name": "tax", "value": 12.35}
    assert result(desk, "store_memory_cell", name="Rent", value=900, overwrite=True) == {"name": "rent", "value": 900}
    assert [row["value"] for row in result(desk, "list_memory_cells")] == [900, 12.35]
    assert result(desk, "read_measurements", series="morning RUN")["values"] == [5.2, 8.0]
    assert result(desk, "add_measurement", series_id="srs_1", value=6.125)["values"] == [5.2, 8.0, 6.12]
    for number in range(10):
        result(desk, "store_memory_cell", name=f"cell {number}", value=number)
    assert "in use" in str(call(desk, "store_memory_cell", name="one more", value=1).observation.content)


MONEY = {"amount": 5, "from_currency": "EUR", "to_currency": "SEK"}


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("calculate_numbers", {"operation": "divide", "first": 1, "second": 0}, "divided by zero"),
        ("calculate_numbers", {"operation": "percent_change", "first": 0, "second": 5}, "divided by zero"),
        ("calculate_numbers", {"operation": "multiply", "first": 1e12, "second": 1e12}, "too large"),
        ("convert_units", {"value": 3, "from_unit": "km", "to_unit": "kg"}, "a unit of length"),
        ("convert_units", {"value": 3, "from_unit": "km", "to_unit": "km"}, "the same"),
        ("convert_currency", {**MONEY, "to_currency": "USD"}, "only for EUR, SEK"),
        ("convert_currency", {**MONEY, "to_currency": "EUR"}, "the same"),
        ("count_days_between", {"start": "2026-02-30", "end": "2026-03-01"}, "not a real date"),
        ("shift_date", {"date": "9999-12-31", "amount": 1}, "too far"),
        ("shift_date", {"date": "0001-01-01", "amount": -5000, "unit": "weeks"}, "too far"),
        ("store_memory_cell", {"name": "RENT", "value": 1}, "already holds 812.4"),
        ("read_measurements", {"series": "Pulse"}, "only Morning run"),
        ("add_measurement", {"series_id": "Morning run", "value": 5}, "read_measurements"),
        ("add_measurement", {"series_id": "srs_1", "value": 60.1}, "takes 0.2 to 60"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    desk: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(desk, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("calculator").world(seed)
    rates = world.rows("currency_rates")
    assert len({row["code"] for row in rates}) == 10
    assert sum(row["per_euro"] < 60 for row in rates) >= 3
    cells = world.rows("memory_cells")
    assert len({row["name"] for row in cells}) == len({row["value"] for row in cells}) == 5
    series = world.rows("measurement_series")
    assert len({row["name"] for row in series}) == 4
    for row in series:
        assert 6 <= len(row["values"]) <= 9
        assert all(row["lowest"] < value < row["highest"] for value in row["values"])
    rng = random.Random(seed)
    span: Any = get_category("calculator").makers["two_dates"](world, rng)
    assert span["start"] < span["end"]
    typo: Any = get_category("calculator").makers["misread"](world, rng)
    assert next(row for row in series if row["name"] == typo["series"])["highest"] < typo["wrong"]


def test_no_name_contains_another() -> None:
    content = get_category("calculator").content
    for pool in (
        content["cells"],
        [row["name"] for row in content["series"]],
        [row["code"] for row in content["currencies"]],
    ):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
