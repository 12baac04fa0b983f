"""Foreign text becomes plain JSON values, or is refused: bounded, no key twice, no NaN, no aliases, no tags, no code."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import yaml
from pydantic import JsonValue

from lamsim_core.errors import InvalidInputError
from lamsim_core.tools.imported.limits import MAX_DEPTH, MAX_STRING, MAX_TEXT_BYTES, MAX_VALUES

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters no text may hold: control characters other than line breaks and tabs, and halves of characters."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,20}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,30}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, JsonValue] = {"": None, "~": None}
for _word, _value in (("null", None), ("true", True), ("false", False)):
    _WORDS.update(dict.fromkeys((_word, _word.capitalize(), _word.upper()), _value))


def read_text(text: str) -> JsonValue:
    """The value of a JSON or YAML text.

    Text that begins with ``{`` or ``[`` is JSON, everything else YAML, of which only what JSON can say is read.

    Raises:
        InvalidInputError: it is neither, too large, or holds what JSON does not.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise InvalidInputError(
            f"A file of tools has at most {MAX_TEXT_BYTES:,} bytes; this one has {size:,}. Cut it down."
        )
    value = read_json(text) if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") else _read_yaml(text)
    check_value(value, "The file")
    return value


def read_json(text: str) -> JsonValue:
    """The value of a JSON text, without the checks of ``check_value``. Raises InvalidInputError."""
    try:
        value: JsonValue = json.loads(
            text.lstrip("\ufeff"),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_int,
        )
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise InvalidInputError(f"Expected JSON, but this text is none: {reason}. Correct it and try again.") from error
    return value


def check_value(value: Any, what: str, *, text: bool = True) -> None:
    """Refuse values that are not plain, bounded JSON.

    Args:
        value: what was read.
        what: begins the sentence, e.g. ``The file``.
        text: whether control characters are refused too.

    Raises:
        InvalidInputError: with the reason.
    """
    seen = 0
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_VALUES:
            raise InvalidInputError(
                f"{what} is too large: at most {MAX_DEPTH} levels and {MAX_VALUES:,} values are read. Cut it down."
            )
        if isinstance(each, dict):
            for key in each:
                _check_text(key, what, text)
            waiting += [(child, depth + 1) for child in each.values()]
        elif isinstance(each, list):
            waiting += [(child, depth + 1) for child in each]
        elif isinstance(each, str):
            _check_text(each, what, text)
        elif isinstance(each, int):
            if not -(2**63) <= each < 2**63:
                raise InvalidInputError(f"{what} holds a whole number of more than 64 bits. Write it as text.")
        elif isinstance(each, float):
            if not -1e308 <= each <= 1e308:
                raise InvalidInputError(f"{what} holds a number that is not finite. JSON knows finite numbers only.")
        elif each is not None:
            raise InvalidInputError(f"{what} holds a {type(each).__name__}, which JSON has no form for. Leave it out.")


def _check_text(value: Any, what: str, text: bool) -> None:
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} has a key that is no text: {str(value)[:40]!r}. Write it in quotes.")
    if len(value) > MAX_STRING:
        raise InvalidInputError(
            f"{what} holds a text of {len(value):,} characters; at most {MAX_STRING:,} are read. Shorten it."
        )
    found = CONTROL.search(value) if text else None
    if found:
        raise InvalidInputError(
            f"{what} holds the control character U+{ord(found[0]):04X}, which is not read. Take it out."
        )


def _object(pairs: Iterable[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:60]!r} stands twice in one object")
        found[key] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number of JSON")


def _float(digits: str) -> float:
    if len(digits) > 100 or not -1e308 <= float(digits) <= 1e308:
        raise ValueError(f"the number {digits[:30]} is too long or not finite")
    return float(digits)


def _int(digits: str) -> int:
    if len(digits) > 25:
        raise ValueError(f"the number {digits[:30]} is too long")
    return int(digits)


def _read_yaml(text: str) -> JsonValue:
    try:
        return _compose(yaml.parse(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
        raise InvalidInputError(
            f"Expected JSON or YAML, but this text is neither{line}: {reason}. Correct it and try again."
        ) from error


def _compose(events: Iterator[yaml.Event]) -> JsonValue:
    """Build the value from events, without recursion and without YAML's own constructors: YAML 1.2's JSON words only."""
    done: list[JsonValue] = []
    open_nodes: list[list[Any] | dict[str, Any]] = []
    keys: list[str | None] = []
    for count, event in enumerate(events):
        if count > 3 * MAX_VALUES or len(open_nodes) > MAX_DEPTH:
            raise ValueError(f"it has more than {MAX_DEPTH} levels or {MAX_VALUES:,} values")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ValueError("anchors and aliases (& and *) are not read; write the value out")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise ValueError(f"the tag {str(tag)[:60]!r} is not read; write plain values")
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            node: list[Any] | dict[str, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            _place(node, done, open_nodes, keys)
            open_nodes.append(node)
            keys.append(None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            open_nodes.pop()
            keys.pop()
        elif isinstance(event, yaml.ScalarEvent):
            if open_nodes and isinstance(open_nodes[-1], dict) and keys[-1] is None:
                if event.value in open_nodes[-1]:
                    raise ValueError(f"the key {event.value[:60]!r} stands twice in one object")
                keys[-1] = event.value
            else:
                _place(_scalar(event), done, open_nodes, keys)
    if len(done) != 1:
        raise ValueError(f"one document is expected, not {len(done)}")
    return done[0]


def _place(value: Any, done: list[JsonValue], open_nodes: list[Any], keys: list[str | None]) -> None:
    if not open_nodes:
        done.append(value)
    elif isinstance(open_nodes[-1], list):
        open_nodes[-1].append(value)
    else:
        key = keys[-1]
        if key is None:
            raise ValueError("a list or an object cannot be a key")
        open_nodes[-1][key] = value
        keys[-1] = None


def _scalar(event: yaml.ScalarEvent) -> JsonValue:
    word: str = event.value
    if not event.implicit[0]:
        return word
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    if _NUMBER.fullmatch(word):
        return _float(word)
    if word.lstrip("+-").lower() in (".nan", ".inf"):
        _no_number(word)
    return word
