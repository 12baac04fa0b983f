"""Reading a reply: text beside calls, and every call on its own. Never raises, whatever the model wrote.

The form is the ChatML one (``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``). transformers' ``parse_response``
reads the same form, but refuses the whole reply when one call of it is malformed, and lets NaN and duplicate keys through;
a verdict needs to know which call is broken, and why. A test holds the two together on well-formed replies.
"""

import json
import re
from typing import Any, NamedTuple, NoReturn

from pydantic import JsonValue

from lamsim_core.records import ToolCall

OPEN, CLOSE = "<tool_call>", "</tool_call>"
MAX_CALLS = 16
"""Calls read from one reply; what follows is one malformed call."""
MAX_CALL_CHARACTERS = 20_000
MAX_DEPTH = 24
_SURROGATES = re.compile("[\ud800-\udfff]")


class ParsedReply(NamedTuple):
    """What a reply says and calls."""

    content: str
    """Text outside the calls."""
    calls: tuple[ToolCall, ...]


class _BadCallError(Exception):
    """Why a text is not a call."""


def parse_reply(text: str, first_index: int = 0) -> ParsedReply:
    """Split a reply into its text and its calls; a call that cannot be read carries its ``error``.

    Args:
        text: the raw reply.
        first_index: number of the first call within the trajectory, for the call ids.
    """
    text = _SURROGATES.sub("\ufffd", text)
    head, *regions = text.split(OPEN)
    content, calls = [head], []
    for number, region in enumerate(regions):
        if number >= MAX_CALLS:
            raw = OPEN + OPEN.join(regions[number:])
            calls.append(
                _broken(
                    first_index + number, raw, f"One reply may hold {MAX_CALLS} calls; this one holds {len(regions)}."
                )
            )
            break
        body, closed, rest = region.partition(CLOSE)
        calls.append(_read(first_index + number, body, bool(closed)))
        content.append(rest)
    return ParsedReply("".join(content).replace(CLOSE, "").strip(), tuple(calls))


def _read(index: int, body: str, closed: bool) -> ToolCall:
    try:
        # A model that stops right after the JSON has said everything: the closing mark alone is no error.
        name, arguments = _decode(body)
    except _BadCallError as error:
        reason = str(error) if closed else f"{error} The call is not closed with {CLOSE}."
        return _broken(index, body, reason)
    return ToolCall(id=f"call_{index}", name=name, arguments=arguments, raw=body)


def _broken(index: int, raw: str, reason: str) -> ToolCall:
    return ToolCall(id=f"call_{index}", name="", arguments={}, raw=raw[:MAX_CALL_CHARACTERS], error=reason)


def _decode(body: str) -> tuple[str, dict[str, JsonValue]]:
    if len(body) > MAX_CALL_CHARACTERS:
        raise _BadCallError(f"The call is {len(body)} characters long; at most {MAX_CALL_CHARACTERS} are read.")
    try:
        value = json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
    except _BadCallError:
        raise
    except RecursionError:
        raise _BadCallError("The call is nested too deeply.") from None
    except ValueError as error:
        raise _BadCallError(f"The call is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise _BadCallError('The call must be a JSON object with "name" and "arguments".')
    name, arguments = value.get("name"), value.get("arguments", {})
    if not isinstance(name, str) or not name:
        raise _BadCallError('The call has no "name" that is a text.')
    if not isinstance(arguments, dict):
        raise _BadCallError('"arguments" must be a JSON object.')
    extra = sorted(set(value) - {"name", "arguments"})
    if extra:
        raise _BadCallError(f'The call has keys beside "name" and "arguments": {", ".join(extra)[:200]}.')
    _require_depth(arguments)
    return _clean(name), _clean(arguments)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise _BadCallError(f"The key {next(key for key in keys if keys.count(key) > 1)[:80]!r} is given twice.")
    return dict(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise _BadCallError(f"{name} is not a JSON number.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _BadCallError(f"The number {text[:40]} is too large.")
    return number


def _require_depth(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise _BadCallError(f"The arguments are nested more than {MAX_DEPTH} deep.")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_depth(item, depth + 1)


def _clean(value: Any) -> Any:
    """JSON can spell lone surrogates, which no file can hold: they become the replacement character."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value
