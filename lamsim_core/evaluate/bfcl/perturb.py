"""Answers to tasks of one turn: the right one, and many that are wrong in one place, or right in another way."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from lamsim_core.evaluate.bfcl.items import Accepted, Function, Item
from lamsim_core.evaluate.bfcl.rules import Call

Answer = list[Call]


def right_answer(item: Item) -> Answer:
    """The first accepted value of every argument that may not be left out with nothing in its place."""
    return [_right_call(item.functions, expected) for expected in item.accepted]


def _right_call(functions: Sequence[Function], expected: Accepted) -> Call:
    ((name, accepted),) = expected.items()
    described = next(each for each in functions if each["name"] == name)["parameters"]["properties"]
    chosen = {parameter: _first(values) for parameter, values in accepted.items()}
    return name, {
        parameter: _unwrapped(described.get(parameter, {}), value) for parameter, value in chosen.items() if value != ""
    }


def _first(values: list[Any]) -> Any:
    return next((value for value in values if value != ""), "")


def _unwrapped(described: dict[str, Any], value: Any) -> Any:
    """Objects are accepted with a list of values for each key: take the first of each."""
    if described.get("type") == "dict" and isinstance(value, dict):
        return {key: _first(values) for key, values in value.items() if values and _first(values) != ""}
    if described.get("type") in ("array", "tuple") and isinstance(value, list):
        return [_unwrapped(described.get("items", {}), each) for each in value]
    return value


def variants(item: Item, rng: random.Random) -> Iterator[tuple[str, Answer]]:
    """Other answers, each with the name of what was done to the right one.

    Args:
        item: a task with accepted answers.
        rng: says where.
    """
    right = right_answer(item)
    yield "no call", []
    yield "a call twice", [*right, right[0]]
    yield "a call less", right[1:]
    yield "another order", right[::-1]
    for place, (name, arguments) in enumerate(right):
        for what, call in _of_call(name, arguments, rng):
            yield what, [*right[:place], call, *right[place + 1 :]]
        ((_, accepted),) = item.accepted[place].items()
        for parameter in rng.sample(sorted(accepted), min(2, len(accepted))):
            other = rng.choice(accepted[parameter]) if accepted[parameter] else None
            yield (
                "another accepted value",
                [*right[:place], (name, {**arguments, parameter: other}), *right[place + 1 :]],
            )


def _of_call(name: str, arguments: dict[str, Any], rng: random.Random) -> Iterator[tuple[str, Call]]:
    yield "another name", (f"{name}x", arguments)
    yield "a name in capitals", (name.upper(), arguments)
    yield "an unknown argument", (name, {**arguments, "surprise": 1})
    yield "no argument", (name, {})
    for parameter in rng.sample(sorted(arguments), min(3, len(arguments))):
        yield "an argument less", (name, {key: value for key, value in arguments.items() if key != parameter})
        for what, value in _values(arguments[parameter]):
            yield what, (name, {**arguments, parameter: value})


def _values(value: Any) -> Iterator[tuple[str, Any]]:
    """Other values in the place of ``value``."""
    yield "null", None
    yield "an empty text", ""
    yield "a text", str(value)
    yield "in a list", [value]
    yield "a boolean", True
    yield "an empty list", []
    yield "an empty object", {}
    if isinstance(value, str):
        yield "other case and marks", f" {value.swapcase()}-_.,/*^"
        yield "another text", f"{value}zz"
        yield "the other quotes", value.replace("'", '"')
    if type(value) in (int, float):
        yield "another number", value + 1
        yield "a whole number", int(value)
        yield "a number with a point", float(value)
        yield "a huge number", 10**320
    if isinstance(value, list) and value:
        yield "the first of a list", value[0]
        yield "a list less one", value[1:]
        yield "a list the other way round", value[::-1]
        yield "a list of one more", [*value, value[0]]
        for what, item in _values(value[0]) if not isinstance(value[0], list) else ():
            yield f"{what}, within", [item, *value[1:]]
    if isinstance(value, dict):
        yield "a key more", {**value, "surprise": 1}
        for key in list(value)[:2]:
            yield "a key less", {other: item for other, item in value.items() if other != key}
            for what, item in _values(value[key]) if not isinstance(value[key], dict) else ():
                yield f"{what}, within", {**value, key: item}
