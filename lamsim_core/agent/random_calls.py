"""Random calls that are valid by their schema and use values the agent could have seen."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jsonschema_rs
from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.records import GoldCall, Step, Task

_DAYS = ("2026-06-15", "2026-06-15 10:00", "10:00")


def random_call(task: Task, steps: Sequence[Step], rng: random.Random) -> tuple[GoldCall, list[JsonValue]]:
    """One call of a tool offered, and the values it could choose from."""
    seen = _seen(task, steps)
    tool = rng.choice(task.tools)
    parameters: dict[str, Any] = tool.parameters
    arguments = {
        name: _value(schema, seen, rng)
        for name, schema in parameters["properties"].items()
        if name in parameters["required"] or rng.random() < 0.3
    }
    return GoldCall(name=tool.name, arguments=arguments), seen


def _seen(task: Task, steps: Sequence[Step]) -> list[JsonValue]:
    said = task.instruction.split()
    words: list[JsonValue] = [word.strip(".,;:?!'\"") for word in said]
    words += [f"{one} {next_one}".strip(".,;:?!") for one, next_one in pairwise(said)]
    for step in steps:
        if step.told is not None:
            words += list(_leaves(step.told.content))
    return words


def _leaves(value: JsonValue) -> Iterator[JsonValue]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield value


def _value(schema: dict[str, Any], seen: list[JsonValue], rng: random.Random) -> JsonValue:
    if "enum" in schema:
        choice: JsonValue = rng.choice(schema["enum"])
        return choice
    kind = schema.get("type")
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "array":
        return [_value(schema.get("items", {"type": "string"}), seen, rng) for _ in range(rng.randint(0, 2))]
    fits = _validity(canonical_json(schema))
    fitting = [value for value in seen if value != "" and fits(value)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        if fitting and rng.random() < 0.5:
            number: Any = rng.choice(fitting)
            return int(number) if kind == "integer" else number
        return rng.randint(int(low), max(int(low), int(min(schema.get("maximum", low + 100), low + 100))))
    if "pattern" in schema and not fitting:
        fitting = [day for day in _DAYS if fits(day)]
    return rng.choice(fitting or [value for value in seen if isinstance(value, str) and value] or ["x"])


@lru_cache(maxsize=1024)
def _validity(schema: str) -> Callable[[JsonValue], bool]:
    """Whether a value is valid by a schema, compiled once; a schema that is itself broken fits nothing."""
    try:
        return jsonschema_rs.validator_for(json.loads(schema)).is_valid
    except ValueError:
        return lambda value: False
