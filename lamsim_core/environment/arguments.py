"""One validator for the arguments of every tool: JSON Schema 2020-12 through jsonschema-rs."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jsonschema_rs
from pydantic import JsonValue
from rapidfuzz import fuzz, process
from rapidfuzz.utils import default_process

from lamsim_core.canonical import canonical_json

_LONGEST_RULE = 500

FaultName = Literal["missing", "unknown", "type", "enum", "format"]


class ArgumentFault(NamedTuple):
    """One way in which arguments break a schema."""

    name: FaultName
    path: str
    """JSON path within the call, e.g. ``$.arguments.amount``."""
    expected: JsonValue
    got: JsonValue
    message: str
    rule: str
    """The line of the schema that is broken, as JSON."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest of the known names, with a blank before it; empty when none is near."""
    close = process.extractOne(name[:200], [*known], scorer=fuzz.ratio, processor=default_process, score_cutoff=60)
    return f" Did you mean {close[0]!r}?" if close else ""


def validator_of(parameters: Mapping[str, Any]) -> "ArgumentValidator":
    """The validator of a schema that is JSON. Compiling is slow, so attempts at one task share what is compiled."""
    return _compiled(json.dumps(parameters))


@lru_cache(maxsize=1024)
def _compiled(schema: str) -> "ArgumentValidator":
    return ArgumentValidator(json.loads(schema))


class ArgumentValidator:
    """Compiled schema of one tool's parameters."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._properties: dict[str, Any] = dict(parameters.get("properties", {}))
        self._validator = jsonschema_rs.Draft202012Validator(dict(parameters))

    def faults(self, arguments: dict[str, JsonValue]) -> tuple[ArgumentFault, ...]:
        """Every fault, in the schema's order; empty when the arguments are valid.

        A value of the wrong type has that fault alone: what else is wrong with it says nothing more.
        """
        if self._validator.is_valid(arguments):
            return ()
        found = [fault for error in self._validator.iter_errors(arguments) for fault in self._explain(error, arguments)]
        mistyped = {fault.path for fault in found if fault.name == "type"}
        return tuple(fault for fault in found if fault.name == "type" or fault.path not in mistyped)

    def _explain(self, error: Any, arguments: dict[str, JsonValue]) -> list[ArgumentFault]:
        kind = error.kind
        keyword = getattr(kind, "name", "")
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        path = f"$.arguments{where}"
        shown = where.lstrip(".") or "arguments"
        if keyword == "required":
            name = str(kind.property)
            note = self._properties.get(name, {}).get("description", "")
            return [
                ArgumentFault(
                    "missing",
                    f"{path}.{name}",
                    name,
                    None,
                    f"The argument {name!r} is required{': ' if note else '.'}{note}",
                    f'"required": {canonical_json([name])}',
                )
            ]
        if keyword == "additionalProperties":
            known = sorted(self._properties)
            return [
                ArgumentFault(
                    "unknown",
                    f"{path}.{name}",
                    list(known),
                    name,
                    f"There is no argument {name[:80]!r}; the tool takes {', '.join(known) or 'no arguments'}."
                    f"{did_you_mean(name, known)}",
                    '"additionalProperties": false',
                )
                for name in kind.unexpected
            ]
        got = error.instance
        rule = self._rule(error)
        if keyword == "type":
            types = [str(t) for t in kind.types]
            given = _json_type(got)
            return [
                ArgumentFault(
                    "type", path, "/".join(types), given, f"{shown} must be {' or '.join(types)}, not {given}.", rule
                )
            ]
        if keyword in ("enum", "const"):
            options = kind.options if keyword == "enum" else [kind.expected_value]
            listed = ", ".join(repr(option) for option in options)
            hint = did_you_mean(got, map(str, options)) if isinstance(got, str) else ""
            return [ArgumentFault("enum", path, list(options), got, f"{shown} must be one of {listed}.{hint}", rule)]
        return [ArgumentFault("format", path, keyword, got, f"{shown}: {str(error.message)[:300]}.", rule)]

    def _rule(self, error: Any) -> str:
        """The part of the schema an error speaks of: the keyword and its value."""
        part: Any = self._parameters
        for key in error.schema_path:
            if not isinstance(part, Mapping | list):
                break
            part = part[key]
        return f'"{error.schema_path[-1]}": {canonical_json(part)}'[:_LONGEST_RULE]


def _json_type(value: JsonValue) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]
