"""Ways to get an instance wrong, made from its reference solution: more done, less done, other values, other answers."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pydantic import JsonValue

from lamsim_core.environment import DAY, MOMENT, Environment, World, diff
from lamsim_core.environment.arguments import validator_of
from lamsim_core.feedback.quantities import UNITS
from lamsim_core.records import ExpectedAnswer, GoldCall, RowChange, Task

_ID = re.compile(r"^([a-z]+)_\d+$")


def collateral_edits(task: Task, solved: Environment) -> Iterator[tuple[RowChange, ...]]:
    """The reference outcome with one more edit: a row changed, deleted or added that nobody asked about, in each table."""
    touched = {(change.table, change.id) for change in task.goal}
    initial = solved.initial()
    for table in solved.world.tables:
        row = next((row for row in solved.world.rows(table) if (table, row["id"]) not in touched), None)
        if row is None:
            continue
        row_id = str(row["id"])
        for edit in ("update", "delete", "insert"):
            world = solved.world.copy()
            if edit == "update":
                field = next(key for key in row if key != "id")
                world.update(table, row_id, **{field: _another(row[field])})
            elif edit == "delete":
                world.delete(table, row_id)
            else:
                world.insert(table, {**row, "id": world.new_id("extra")})
            yield diff(initial, world.snapshot())


def dropped_calls(task: Task, solved: Environment) -> Iterator[tuple[int, tuple[GoldCall, ...]]]:
    """The reference calls without one, for each that changes something or that the answer follows from; and its place."""
    follows_from = () if task.answer is None else task.answer.follows_from
    for place, call in enumerate(task.gold):
        if not call.fails and (solved.tools[call.name].mutates or place in follows_from):
            yield place, task.gold[:place] + task.gold[place + 1 :]


def wrong_values(task: Task, solved: Environment) -> Iterator[tuple[str, tuple[GoldCall, ...]]]:
    """The reference calls with one value of a changing call replaced by another valid one; and where."""
    validators = {tool.name: validator_of(tool.parameters) for tool in task.tools}
    schemas: dict[str, Any] = {tool.name: tool.parameters["properties"] for tool in task.tools}
    for place, call in enumerate(task.gold):
        if call.fails or not solved.tools[call.name].mutates:
            continue
        for name, value in call.arguments.items():
            for other in _others(value, schemas[call.name][name], solved.world):
                arguments = {**call.arguments, name: other}
                if not validators[call.name].faults(arguments):
                    changed = call.model_copy(update={"arguments": arguments})
                    yield f"{call.name}.{name}", (*task.gold[:place], changed, *task.gold[place + 1 :])
                    break


def other_answers(answer: ExpectedAnswer) -> Iterator[str]:
    """Closing messages that state something else, or too much, or nothing, or in another order than asked for."""
    if answer.kind == "number":
        value = float(str(answer.value))
        step = max(1.0, 10 * answer.tolerance)
        yield from (f"{value + step:g}", f"{value - step:g}", f"{value:f} or {value + step:f}", "It is done.")
        if answer.unit is not None:
            yield from (f"{value:f} {other}" for other in _other_units(answer.unit) if abs(value) > 1)
    elif answer.kind == "text":
        others = [rival for rival in answer.rivals if rival.casefold() != str(answer.value).casefold()]
        yield from (*others[:8], f"{answer.value} or {others[0]}" if others else "", "It is done.")
    elif answer.kind == "list" and isinstance(answer.value, list):
        values = [str(value) for value in answer.value]
        others = [rival for rival in answer.rivals if rival not in values]
        yield ", ".join(values[1:])
        if isinstance(answer.value[0], int | float):
            more = f"{max(map(float, values)) + 1:f}"
            yield from (", ".join([*values, more]), ", ".join([*values[1:], more]))
        yield from (f"{', '.join(values)}, {other}" for other in others[:3])
        if answer.ordered:
            yield ", ".join(reversed(values))
    elif answer.kind == "ask" and isinstance(answer.value, list):
        yield from ("Done.", "I cannot do that.", f"Which {answer.value[0]}, and which {answer.rivals[0]}?")
    else:
        yield from ("Done.", "It is done.", "Which one do you mean?")


def _other_units(name: str) -> Iterator[str]:
    """Units in which the number of an answer is wrong: one of the same dimension, and one of another."""
    own = UNITS[name]
    same = (each.name for each in UNITS.values() if each.dimension == own.dimension and each.size != own.size)
    yield from list(same)[:1] if own.dimension != "temperature" else []  # -40 is the same in both
    yield "kg" if own.dimension != "mass" else "km"


def _others(value: JsonValue, schema: dict[str, Any], world: World) -> Iterator[JsonValue]:
    """Other values that might do, the likeliest first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1)
    elif isinstance(value, list):
        yield from (value[:-1], [*value, *value])
    elif isinstance(value, str):
        yield from (option for option in schema.get("enum", ()) if option != value)
        form = _ID.match(value)
        if form:
            yield from (
                row["id"]
                for table in world.tables
                for row in world.rows(table)
                if row["id"] != value and str(row["id"]).startswith(f"{form[1]}_")
            )
        yield from _later(value)
        yield f"{value} {value}"


def _later(text: str) -> Iterator[str]:
    """Another day or time, when the text is one."""
    for form, step in ((DAY, timedelta(days=1)), (MOMENT, timedelta(minutes=15)), ("%H:%M", timedelta(minutes=15))):
        try:
            yield (datetime.strptime(text, form) + step).strftime(form)
        except (ValueError, OverflowError):
            continue


def _another(value: JsonValue) -> JsonValue:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value} (edited)"
