"""``@tool``: a typed function with a Google-style docstring becomes a tool; its schema is written nowhere else."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import docstring_parser
from pydantic import BaseModel, JsonValue, create_model

from lamsim_core.environment.arguments import ArgumentValidator, validator_of
from lamsim_core.environment.frozen import thawed
from lamsim_core.environment.world import World
from lamsim_core.records import ToolSchema


class ToolRefusedError(Exception):
    """A tool says no for a reason of its own world (no such row, not enough money). The message is for the agent.

    ``see`` names the tool that tells what is missing. It is told to the agent under the name it was offered, and only
    when it was offered; so messages themselves name no tools.
    """

    def __init__(self, message: str, *, see: str | None = None) -> None:
        super().__init__(message)
        self.see = see


@dataclass(frozen=True)
class ToolSpec:
    """A tool: what the agent sees, and what runs."""

    schema: ToolSchema
    mutates: bool
    """Whether a successful call may change the world."""
    function: Callable[..., JsonValue]
    validator: ArgumentValidator
    integers: frozenset[str]
    """Parameters declared integer: JSON's 3.0 is handed over as 3."""
    origin: str = ""
    """The tool's own name, when it is offered under another."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters offered under another name, with their own names."""

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.schema.name

    def offered_as(self, schema: ToolSchema, parameters: Mapping[str, str]) -> "ToolSpec":
        """The same tool under another schema.

        Args:
            schema: name, description and parameters the agent sees.
            parameters: the own name of each parameter in ``schema``.
        """
        properties: dict[str, Any] = dict(schema.parameters["properties"])  # type: ignore[arg-type]
        return ToolSpec(
            schema=schema,
            mutates=self.mutates,
            function=self.function,
            validator=validator_of(schema.parameters),
            integers=_integers(properties),
            origin=self.origin or self.name,
            parameters=dict(parameters),
        )

    def run(self, world: World, arguments: dict[str, JsonValue]) -> JsonValue:
        """Call the function with a copy of valid arguments, so that it cannot edit the call on record.

        Raises:
            ToolRefusedError: the tool says no.
        """
        given = {
            self.parameters.get(name, name): int(value)
            if name in self.integers and isinstance(value, float)
            else thawed(value)
            for name, value in arguments.items()
        }
        return self.function(world, **given)


def tool(*, mutates: bool) -> Callable[[Callable[..., Any]], ToolSpec]:
    """Turn ``def name(world: World, argument: type, ...) -> JSON`` into a tool.

    Args:
        mutates: whether a successful call may change the world.

    Raises:
        TypeError: the docstring does not describe the tool and every parameter, or a parameter has no type.
    """

    def decorate(function: Callable[..., Any]) -> ToolSpec:
        name = getattr(function, "__name__", "")
        parameters = _parameters(function, name)
        description = docstring_parser.parse(inspect.getdoc(function) or "").short_description
        if not description:
            raise TypeError(f"tool {name!r} needs a docstring whose first line says what it does")
        properties: dict[str, Any] = parameters["properties"]
        return ToolSpec(
            schema=ToolSchema(name=name, description=description, parameters=parameters),
            mutates=mutates,
            function=function,
            validator=ArgumentValidator(parameters),
            integers=_integers(properties),
            origin=name,
        )

    return decorate


def _integers(properties: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(key for key, schema in properties.items() if schema.get("type") == "integer")


def _parameters(function: Callable[..., Any], name: str) -> dict[str, Any]:
    signature = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)
    described = {
        p.arg_name: (p.description or "").replace("\n", " ")
        for p in docstring_parser.parse(inspect.getdoc(function) or "").params
    }
    fields: dict[str, Any] = {}
    for index, parameter in enumerate(signature.parameters.values()):
        if index == 0:
            if hints.get(parameter.name) is not World:
                raise TypeError(f"the first parameter of tool {name!r} must be the world")
            continue
        if parameter.name not in hints or not described.get(parameter.name):
            raise TypeError(f"tool {name!r}: parameter {parameter.name!r} needs a type and a line in the docstring")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    model: type[BaseModel] = create_model(name, **fields)
    raw = model.model_json_schema()
    properties = {
        key: {**_tidy(schema), "description": described[key]} for key, schema in raw.get("properties", {}).items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(raw.get("required", [])),
        "additionalProperties": False,
    }


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop what a model need not read: titles, and the null branch of optional parameters (they are left out instead)."""
    branches = [branch for branch in schema.get("anyOf", []) if branch.get("type") != "null"]
    if len(branches) == 1:
        schema = {**schema, **branches[0]}
        schema.pop("anyOf")
    if schema.get("default", 0) is None:
        schema = {key: value for key, value in schema.items() if key != "default"}
    return {key: _tidy(value) if key == "items" else value for key, value in schema.items() if key != "title"}
