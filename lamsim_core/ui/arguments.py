"""A call put together by hand: one input per parameter of the tool, from its JSON Schema."""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic import JsonValue

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import GoldCall, ToolSchema
from lamsim_core.ui.draw import clean, label

NOT_GIVEN = "(not given)"


def argument_inputs(tool: ToolSchema, key: str, given: Mapping[str, JsonValue] | None = None) -> dict[str, Any]:
    """Draw one input per parameter and return what was entered, untouched inputs as None.

    Args:
        tool: the tool.
        key: prefix of the widgets' keys.
        given: what the inputs hold at first; a value that does not fit its input is left out.
    """
    entered: dict[str, Any] = {}
    for name, schema in parameters_of(tool).items():
        needed = name in required_of(tool)
        title = label(name if needed else f"{name} (optional)")
        about = clean(schema.get("description", "")) or None
        value = (given or {}).get(name)
        entered[name] = _input(schema, title, about, f"{key}-{tool.name}-{name}", needed, value)
    return entered


def _input(
    schema: dict[str, Any], title: str, about: str | None, key: str, needed: bool, value: JsonValue = None
) -> Any:
    kind = _kind(schema)
    choices = [clean(option) for option in schema["enum"]] if "enum" in schema else ["true", "false"]
    if "enum" in schema or kind == "boolean":
        said = clean(json.dumps(value) if isinstance(value, bool) else value)
        return st.selectbox(
            title,
            choices,
            index=choices.index(said) if said in choices else None,
            key=key,
            placeholder=about if needed else f"{about or ''} {NOT_GIVEN}",
        )
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "integer":
        whole = int(number) if number is not None and number == int(number) else None
        return st.number_input(title, value=whole, step=1, key=key, placeholder=about)
    if kind == "number":
        return st.number_input(
            title, value=None if number is None else float(number), step=0.01, key=key, placeholder=about
        )
    if kind == "string":
        return st.text_input(title, value=value if isinstance(value, str) else None, key=key, placeholder=about)
    return st.text_input(
        title,
        value=None if value is None else json.dumps(value, ensure_ascii=False),
        key=key,
        placeholder=f'{about or "A list or object."} As JSON, e.g. ["a", "b"]',
    )


def call_from(tool: ToolSchema, entered: dict[str, Any]) -> GoldCall:
    """The call that was put together; what was not entered is left out, so that mistakes can be tried too.

    Raises:
        InvalidInputError: a list or object is not JSON.
    """
    arguments: dict[str, JsonValue] = {}
    for name, schema in parameters_of(tool).items():
        value = entered.get(name)
        if value is None:
            continue
        if "enum" in schema:
            arguments[name] = next((option for option in schema["enum"] if clean(option) == value), value)
        elif _kind(schema) == "boolean":
            arguments[name] = value == "true"
        elif _kind(schema) in ("string", "integer", "number"):
            arguments[name] = value
        else:
            arguments[name] = _json(name, value)
    return GoldCall(name=tool.name, arguments=arguments)


def _kind(schema: dict[str, Any]) -> object:
    """The type of a parameter; of one that may be null too, the other."""
    kind = schema.get("type")
    others = [each for each in kind if each != "null"] if isinstance(kind, list) else [kind]
    return others[0] if len(others) == 1 else None


def _json(name: str, text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(
            f'{name} has to be JSON, for example ["a", "b"] or {{"a": 1}}. This is not: {text[:80]}'
        ) from error
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def parameters_of(tool: ToolSchema) -> dict[str, dict[str, Any]]:
    """The schema of each parameter, by name."""
    found = tool.parameters.get("properties")
    return {str(k): v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def required_of(tool: ToolSchema) -> list[str]:
    """The names of the parameters that have to be given."""
    found = tool.parameters.get("required")
    return [str(name) for name in found] if isinstance(found, list) else []
