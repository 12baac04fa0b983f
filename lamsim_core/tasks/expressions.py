"""Expressions in task templates: Jinja2 in its immutable sandbox, over slots and the rows of the world."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lamsim_core.environment import World
from lamsim_core.errors import InvalidInputError

_WHOLE = re.compile(r"^\s*\{\{(?P<expression>(?:(?!\}\}).)*)\}\}\s*$", re.DOTALL)


def _weekday(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%A")


def _clock(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%H:%M")


def _day(text: str) -> str:
    return text[:10]


def _money(value: float) -> str:
    return f"{value:.2f}"


@lru_cache(maxsize=1)
def _sandbox() -> ImmutableSandboxedEnvironment:
    sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    sandbox.filters.update(weekday=_weekday, clock=_clock, day=_day, money=_money)
    return sandbox


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Callable[[Mapping[str, Any]], Any]:
    """An expression evaluated to its own type when ``text`` is one ``{{ }}``, a rendered string otherwise."""
    whole = _WHOLE.match(text)
    try:
        if whole:
            expression = _sandbox().compile_expression(whole["expression"], undefined_to_none=False)
            return lambda scope: expression(**scope)
        template = _sandbox().from_string(text)
    except TemplateError as error:
        raise InvalidInputError(f"the expression {text!r} cannot be read: {error}") from error
    return lambda scope: template.render(**scope)


def evaluate(value: Any, scope: Mapping[str, Any]) -> Any:
    """Fill in every ``{{ }}`` of a string, list or mapping; anything else is returned as it is.

    Raises:
        InvalidInputError: an expression cannot be read, names something unknown, or fails.
    """
    if isinstance(value, str):
        if "{{" not in value and "{%" not in value:
            return value
        try:
            result = _compiled(value)(scope)
            if isinstance(result, StrictUndefined):
                str(result)  # raises UndefinedError, which names what is missing
            return plain(result)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise InvalidInputError(f"the expression {value!r} fails: {error}") from error
    if isinstance(value, Mapping):
        return {key: evaluate(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, scope) for item in value]
    return value


def condition(expression: str, scope: Mapping[str, Any]) -> bool:
    """Whether a bare expression (no braces) holds. Raises InvalidInputError like ``evaluate``."""
    return bool(evaluate("{{ " + expression + " }}", scope))


def plain(value: Any) -> Any:
    """Rows become dicts and iterators lists, so that a value can be stored as JSON."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def world_scope(world: World) -> dict[str, Any]:
    """What every expression may use: ``rows(table)`` and ``now``."""
    return {
        "rows": lambda table: [dict(row) for row in world.rows(table)],
        "now": world.now.strftime("%Y-%m-%d %H:%M"),
        "today": world.now.strftime("%Y-%m-%d"),
    }


@lru_cache(maxsize=4096)
def names_in(expression: str) -> frozenset[str]:
    """The names an expression needs from its scope. Raises InvalidInputError when it cannot be read."""
    try:
        return frozenset(meta.find_undeclared_variables(_sandbox().parse(expression)))
    except TemplateError as error:
        raise InvalidInputError(f"the expression {expression!r} cannot be read: {error}") from error
