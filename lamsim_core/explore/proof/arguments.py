"""Arguments that break a schema in one known way, made from right ones."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue

from lamsim_core.records import ErrorClass, GoldCall, ToolSchema

_OF_ANOTHER_TYPE: dict[str, tuple[JsonValue, ...]] = {
    "string": (7, ["x"], None),
    "integer": ("3", 1.5, None),
    "number": ("3.5", True, None),
    "boolean": ("true", 1, None),
    "array": ("x", {"0": "x"}, None),
    "object": ("x", ["x"], None),
}
_NO_SUCH = "none of these"
_UNFIT = ("?", "2026-13", "12-06-2026 9h", "")
"""Texts of which one breaks any pattern."""


class Broken(NamedTuple):
    """Arguments with one fault."""

    what: str
    error_class: ErrorClass
    path: str
    arguments: dict[str, Any]


def broken_arguments(call: GoldCall, tool: ToolSchema) -> Iterator[Broken]:
    """Every way in which the proof breaks the arguments of a call."""
    properties: Mapping[str, Any] = tool.parameters["properties"]  # type: ignore[assignment]
    right = dict(call.arguments)
    for name in tool.parameters.get("required", ()):  # type: ignore[union-attr]
        rest = {key: value for key, value in right.items() if key != name}
        yield Broken(f"without {name}", "argument_missing", f"$.arguments.{name}", rest)
    yield from _unknown(right, properties)
    for name, schema in properties.items():
        for what, error_class, where, value in _broken_values(schema, right.get(name)):
            yield Broken(f"{name}: {what}", error_class, f"$.arguments.{name}{where}", {**right, name: value})


def _unknown(right: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[Broken]:
    name = "extra_note" if "extra_note" not in properties else "extra_note_too"
    yield Broken("one argument more", "argument_unknown", f"$.arguments.{name}", {**right, name: "x"})
    for known, schema in properties.items():
        misspelt = f"{known}x"
        if "default" in schema and misspelt not in properties:
            rest = {key: value for key, value in right.items() if key != known}
            arguments = {**rest, misspelt: right.get(known, schema["default"])}
            yield Broken(f"{known} misspelt", "argument_unknown", f"$.arguments.{misspelt}", arguments)


def _broken_values(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, ErrorClass, str, Any]]:
    """Values of one argument, or with one bad item in it: what is wrong, of which class, and where within the argument."""
    for other in _OF_ANOTHER_TYPE.get(schema.get("type", ""), ()):
        yield (f"{other!r} for a {schema['type']}", "argument_type", "", other)
    if "enum" in schema:
        known = schema["enum"]
        if all(isinstance(each, str) for each in known):
            yield ("not in the list", "argument_enum", "", _NO_SUCH)
            shouted = known[0].upper()
            if shouted not in known:
                yield ("another case", "argument_enum", "", shouted)
        else:
            yield ("not in the list", "argument_enum", "", max(known) + 1)
    for what, other in _out_of_bounds(schema, value):
        yield (what, "argument_format", "", other)
    if "items" in schema:
        good = list(value) if isinstance(value, list) else []
        good = good[: max(0, schema.get("maxItems", 99) - 1)]
        for what, error_class, where, item in _broken_values(schema["items"], good[0] if good else None):
            yield (f"item {what}", error_class, f"[{len(good)}]{where}", [*good, item])


def _out_of_bounds(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, Any]]:
    """Values that break a format or a limit, and nothing else."""
    integer = schema.get("type") == "integer"
    if "pattern" in schema:
        unfit = next((text for text in _UNFIT if not re.search(schema["pattern"], text)), None)
        if unfit is not None:
            yield "not of the form", unfit
        if isinstance(value, str) and not re.search(schema["pattern"], f"{value} x"):
            yield "more than the form", f"{value} x"
    if "minimum" in schema:
        yield "below the least", schema["minimum"] - 1
    if "exclusiveMinimum" in schema:
        yield "not above the least", schema["exclusiveMinimum"]
    if "maximum" in schema:
        yield "above the most", schema["maximum"] + 1
    if "multipleOf" in schema and integer and isinstance(value, int):
        yield "between two steps", value + 1
    if schema.get("minLength", 0) > 0:
        yield "too short", ""
    if "maxLength" in schema:
        yield "too long", "x" * (schema["maxLength"] + 1)
    if schema.get("minItems", 0) > 0:
        yield "too few", []
    if "maxItems" in schema and isinstance(value, list) and value:
        yield "too many", value[:1] * (schema["maxItems"] + 1)
