"""From the benchmark's descriptions of functions to the tools a model is offered."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from lamsim_core.evaluate.bfcl.items import Function
from lamsim_core.records import ToolSchema

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}
"""The benchmark's names of types where JSON Schema has others; ``any`` becomes no type at all."""


class Offer(NamedTuple):
    """Tools as a model sees them."""

    tools: tuple[ToolSchema, ...]
    meant: dict[str, str]
    """For each name offered, the benchmark's own."""


def offer(functions: Sequence[Function], *, plain_names: bool = False) -> Offer:
    """The tools for these functions.

    Args:
        functions: as the benchmark describes them; what it says of results is left out, as tools here have no such part.
        plain_names: write names with letters, digits, ``_`` and ``-`` only, for servers that refuse others. Each stays one of
            its own: of two that would become the same the later gets a number.
    """
    meant: dict[str, str] = {}
    tools = []
    for function in functions:
        name = own = str(function["name"])
        if plain_names:
            name = wanted = re.sub(r"[^\w-]", "_", own, flags=re.ASCII)
            number = 2
            while name in meant:
                name, number = f"{wanted}_{number}", number + 1
        meant[name] = own
        tools.append(
            ToolSchema(
                name=name,
                description=str(function.get("description", "")),
                parameters=json_schema(function["parameters"]),
            )
        )
    return Offer(tuple(tools), meant)


def json_schema(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter, or all of a function's, in the words of JSON Schema."""
    schema = {key: value for key, value in parameter.items() if key not in ("type", "optional")}
    if parameter.get("type", "any") != "any":
        schema["type"] = _TYPES.get(parameter["type"], parameter["type"])
    if "properties" in schema:
        schema["properties"] = {name: json_schema(each) for name, each in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = json_schema(schema["items"])
    return schema
