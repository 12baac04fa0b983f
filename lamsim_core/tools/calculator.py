"""A calculator with unit, currency and date arithmetic, named memory cells and series of measurements.

Results are rounded to four decimals, money and memory cells to two. Memory holds twelve cells; a cell in use is overwritten
only when that is wanted. A series of measurements takes values within its limits only.
"""

import math
import random
from datetime import timedelta
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

TITLE = "Calculator"
FAMILY = "reference"

Number = Annotated[float, Field(ge=-1e12, le=1e12)]
Code = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Unit = Literal["m", "km", "ft", "mi", "in", "cm", "kg", "lb", "g", "oz", "l", "gal", "celsius", "fahrenheit"]

_CELLS = 12
_FACTORS: dict[str, tuple[str, float]] = {
    "cm": ("length", 0.01),
    "m": ("length", 1.0),
    "km": ("length", 1000.0),
    "in": ("length", 0.0254),
    "ft": ("length", 0.3048),
    "mi": ("length", 1609.344),
    "g": ("weight", 0.001),
    "kg": ("weight", 1.0),
    "oz": ("weight", 0.028349523125),
    "lb": ("weight", 0.45359237),
    "l": ("volume", 1.0),
    "gal": ("volume", 3.785411784),
    "celsius": ("temperature", 1.0),
    "fahrenheit": ("temperature", 1.0),
}
"""Kind of each unit, and how many of the kind's first unit it is. Temperatures are converted apart."""


def _rounded(value: float) -> float:
    if not math.isfinite(value) or abs(value) > 1e15:
        raise ToolRefusedError("The result is too large.")
    return round(value, 4)


@tool(mutates=False)
def calculate_numbers(
    world: World,
    operation: Literal["add", "subtract", "multiply", "divide", "percent_of", "percent_change"],
    first: Number,
    second: Number,
) -> dict[str, Any]:
    """Calculate with two numbers.

    Args:
        operation: percent_of gives first percent of second, percent_change the change from first to second in percent.
        first: The first number.
        second: The second number.
    """
    if (operation == "divide" and second == 0) or (operation == "percent_change" and first == 0):
        raise ToolRefusedError("Nothing can be divided by zero.")
    if operation == "add":
        value = first + second
    elif operation == "subtract":
        value = first - second
    elif operation == "multiply":
        value = first * second
    elif operation == "divide":
        value = first / second
    elif operation == "percent_of":
        value = first * second / 100
    else:
        value = (second - first) / abs(first) * 100
    return {"result": _rounded(value)}


@tool(mutates=False)
def compute_statistic(
    world: World,
    statistic: Literal["sum", "mean", "median", "smallest", "largest", "range"],
    numbers: Annotated[list[Number], Field(min_length=1, max_length=50)],
) -> dict[str, Any]:
    """Compute one statistic of a list of numbers.

    Args:
        statistic: Which; the range is the largest minus the smallest.
        numbers: The numbers.
    """
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    values = {
        "sum": math.fsum(ordered),
        "mean": math.fsum(ordered) / len(ordered),
        "median": ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2,
        "smallest": ordered[0],
        "largest": ordered[-1],
        "range": ordered[-1] - ordered[0],
    }
    return {"result": _rounded(values[statistic])}


@tool(mutates=False)
def convert_units(world: World, value: Number, from_unit: Unit, to_unit: Unit) -> dict[str, Any]:
    """Convert a length, weight, volume (US gallons) or temperature to another unit.

    Args:
        value: How much.
        from_unit: The unit it is in.
        to_unit: The unit wanted.
    """
    (kind, factor), (other_kind, other_factor) = _FACTORS[from_unit], _FACTORS[to_unit]
    if kind != other_kind:
        raise ToolRefusedError(f"{from_unit} is a unit of {kind} and {to_unit} one of {other_kind}.")
    if from_unit == to_unit:
        raise ToolRefusedError("Both units are the same.")
    if kind == "temperature":
        result = value * 9 / 5 + 32 if to_unit == "fahrenheit" else (value - 32) * 5 / 9
    else:
        result = value * factor / other_factor
    return {"result": _rounded(result), "unit": to_unit}


@tool(mutates=False)
def convert_currency(
    world: World,
    amount: Annotated[float, Field(ge=0.01, le=1e9)],
    from_currency: Code,
    to_currency: Code,
    with_fee: bool = False,
) -> dict[str, Any]:
    """Convert money at today's rate.

    Args:
        amount: How much.
        from_currency: Code of the currency it is in, e.g. EUR.
        to_currency: Code of the currency wanted.
        with_fee: Take off the exchange office's fee first.
    """
    rows = {str(row["code"]): row for row in world.rows("currency_rates")}
    for code in (from_currency, to_currency):
        if code not in rows:
            raise ToolRefusedError(f"There is no rate for {code} today, only for {', '.join(sorted(rows))}.")
    if from_currency == to_currency:
        raise ToolRefusedError("Both currencies are the same.")
    fee = round(amount * rows[to_currency]["fee_percent"] / 100, 2) if with_fee else 0.0
    rate = rows[to_currency]["per_euro"] / rows[from_currency]["per_euro"]
    return {"fee": fee, "result": round(_rounded((amount - fee) * rate), 2), "currency": to_currency}


@tool(mutates=False)
def count_days_between(world: World, start: Day, end: Day) -> dict[str, Any]:
    """Count the days from one date to another.

    Args:
        start: The first date, YYYY-MM-DD.
        end: The second date, YYYY-MM-DD.
    """
    return {"days": (parse_day(end) - parse_day(start)).days}


@tool(mutates=False)
def shift_date(
    world: World, date: Day, amount: Annotated[int, Field(ge=-5000, le=5000)], unit: Literal["days", "weeks"] = "days"
) -> dict[str, Any]:
    """Add days or weeks to a date, or take them off.

    Args:
        date: The date, YYYY-MM-DD.
        amount: How many; less than zero goes back.
        unit: Days or weeks.
    """
    try:
        moved = parse_day(date) + timedelta(days=amount * (7 if unit == "weeks" else 1))
    except OverflowError:
        raise ToolRefusedError("That is too far away.") from None
    return {"date": f"{moved.year:04d}{moved.strftime('-%m-%d')}", "weekday": moved.strftime("%A")}


@tool(mutates=False)
def list_memory_cells(world: World) -> list[dict[str, Any]]:
    """List the numbers kept in memory."""
    return [view(row, "name", "value") for row in world.rows("memory_cells")]


@tool(mutates=True)
def store_memory_cell(
    world: World, name: Annotated[str, Field(min_length=1)], value: Number, overwrite: bool = False
) -> dict[str, Any]:
    """Keep a number in memory under a name, rounded to two decimals.

    Args:
        name: The name.
        value: The number.
        overwrite: Whether a number kept under that name may be replaced.
    """
    rows, kept = world.rows("memory_cells"), round(value, 2)
    row = next((row for row in rows if folded(str(row["name"])) == folded(name)), None)
    if row is None and len(rows) >= _CELLS:
        raise ToolRefusedError(f"All {_CELLS} memory cells are in use.")
    if row is None:
        return view(
            world.insert("memory_cells", {"id": world.new_id("mem"), "name": name, "value": kept}), "name", "value"
        )
    if not overwrite:
        raise ToolRefusedError(f"{row['name']!r} already holds {row['value']:g}; it is not overwritten.")
    return view(world.update("memory_cells", str(row["id"]), value=kept), "name", "value")


def _series(row: FrozenRow) -> dict[str, Any]:
    return view(row, "id", "name", "unit", "values")


@tool(mutates=False)
def read_measurements(world: World, series: str) -> dict[str, Any]:
    """Read the values of a series of measurements, oldest first.

    Args:
        series: Name of the series.
    """
    rows = world.rows("measurement_series")
    if not any(folded(str(row["name"])) == folded(series) for row in rows):
        raise ToolRefusedError(
            f"There is no series named {series[:80]!r}, only {', '.join(str(r['name']) for r in rows)}."
        )
    return _series(require_named(world, "measurement_series", series, "series"))


@tool(mutates=True)
def add_measurement(world: World, series_id: str, value: Number) -> dict[str, Any]:
    """Add a value at the end of a series of measurements.

    Args:
        series_id: The series' id.
        value: The value, in the unit of the series.
    """
    row = require_row(world, "measurement_series", series_id, "series", see="read_measurements")
    low, high = row["lowest"], row["highest"]
    if not low <= value <= high:
        raise ToolRefusedError(f"{value:g} {row['unit']} cannot be right: {row['name']} takes {low:g} to {high:g}.")
    added = [*row["values"], round(value, 2)]
    return _series(world.update("measurement_series", series_id, values=added))


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Ten currencies, five memory cells and four series of six to nine measurements."""
    world.add_table("currency_rates", "memory_cells", "measurement_series")
    ids = Ids(rng)
    euro = {"code": "EUR", "name": "euros", "per_euro": 1.0, "fee_percent": rng.choice([0.9, 1.2, 1.5])}
    world.insert("currency_rates", {"id": ids("cur"), **euro})
    for currency in rng.sample(content["currencies"], 9):
        rate = float(f"{currency['per_euro'] * rng.uniform(0.93, 1.07):.5g}")
        terms = {"per_euro": rate, "fee_percent": rng.choice([1.1, 1.4, 1.75, 2.2, 2.5, 3.25])}
        world.insert("currency_rates", {"id": ids("cur"), **view(currency, "code", "name"), **terms})
    cents = rng.sample(range(4_000, 250_000), 5)
    for name, kept in zip(rng.sample(content["cells"], 5), cents, strict=True):
        world.insert("memory_cells", {"id": ids("mem"), "name": name, "value": kept / 100})
    for series in rng.sample(content["series"], 4):
        low, high, steps = series["usual"][0], series["usual"][1], series["decimals"]
        values = [round(rng.uniform(low, high), steps or None) for _ in range(rng.randint(6, 9))]
        limits = {"lowest": series["limits"][0], "highest": series["limits"][1]}
        row = {"name": series["name"], "unit": series["unit"], "values": values, **limits}
        world.insert("measurement_series", {"id": ids("srs"), **row})


def two_dates(world: World, rng: random.Random) -> dict[str, Any]:
    """Two dates, the second up to three years after the first, for task templates."""
    start = world.now - timedelta(days=rng.randint(20, 1500))
    return {"start": start.strftime(DAY), "end": (start + timedelta(days=rng.randint(101, 1100))).strftime(DAY)}


def misread(world: World, rng: random.Random) -> dict[str, Any]:
    """A series, a plausible value for it, and the same without its decimal point or with a zero too many."""
    rows = world.rows("measurement_series")
    for row in rng.sample(rows, len(rows)):
        low, high = min(row["values"]), max(row["values"])
        whole = all(isinstance(value, int) for value in row["values"])
        right = rng.randint(low, high) if whole else round(rng.uniform(low, high), 1)
        wrong = right * 10 if whole else round(right * 10)
        if wrong > row["highest"] and (whole or right % 1):
            return {"series": row["name"], "right": right, "wrong": wrong}
    raise LookupError("every series takes the misread value")


MAKERS = {"two_dates": two_dates, "misread": misread}
