"""Answers made up from a schema: always the same for the same seed and arguments, always small, never from a network."""

import random
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jsonschema_rs
from pydantic import JsonValue

from lamsim_core.tools.imported.limits import MAX_ANSWER_ITEMS, MAX_ANSWER_VALUES

_WORDS = (
    "amber", "anchor", "aspen", "basil", "birch", "canyon", "cedar", "clover", "coral", "cypress", "delta", "ember",
    "fern", "garnet", "harbor", "hazel", "indigo", "iris", "jasper", "juniper", "lagoon", "laurel", "linden", "maple",
    "meadow", "mesa", "olive", "opal", "orchid", "pebble", "pine", "quartz", "raven", "reed", "ridge", "river",
    "saffron", "sage", "sierra", "slate", "spruce", "summit", "thistle", "topaz", "valley", "violet", "willow",
)  # fmt: skip
_DEEPEST = 8
_LARGEST = 1_000_000_000


class Answers:
    """Makes one answer."""

    def __init__(self, seed: int, now: datetime, arguments: Mapping[str, JsonValue]) -> None:
        """Draw from ``seed``; days lie around ``now``; what was asked for comes back where name and type agree."""
        self._rng = random.Random(seed)
        self._now = now
        self._left = MAX_ANSWER_VALUES
        self._given = {_folded(name): value for name, value in arguments.items()}
        ids = [name for name in self._given if name.endswith("id")]
        self._asked_for = ids[0] if len(ids) == 1 else ""

    def answer(self, schema: Mapping[str, Any] | None, examples: tuple[JsonValue, ...]) -> JsonValue:
        """One of the examples, or a value of the schema; without both, that it is done."""
        if examples:
            return self._rng.choice(examples)
        return {"ok": True} if not schema else self._value(schema, "", 0, 0)

    def _value(self, schema: Any, name: str, depth: int, within: int) -> JsonValue:
        """A value for the field ``name``, which lies ``depth`` schemas deep ``within`` so many objects."""
        self._left -= 1
        if not isinstance(schema, Mapping):
            return None
        echoed = self._echoed(schema, name) if within == 1 else None
        if echoed is not None:
            return echoed
        given = _given(schema)
        if given:
            chosen: JsonValue = self._rng.choice(given)
            return chosen
        for word in ("oneOf", "anyOf"):
            branches = [
                each for each in schema.get(word, ()) if isinstance(each, Mapping) and each.get("type") != "null"
            ]
            if branches:
                rest = {key: value for key, value in schema.items() if key != word}
                return self._value({**rest, **self._rng.choice(branches)}, name, depth + 1, within)
        if schema.get("allOf"):
            return self._value(_joined(schema), name, depth + 1, within)
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth, within + 1)
        if kind == "array":
            return self._array(schema, name, depth, within)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return self._rng.random() < 0.5
        return None if kind == "null" else self._text(schema, name)

    def _echoed(self, schema: Mapping[str, Any], name: str) -> JsonValue:
        value = self._given.get(_folded(name))
        if value is None or isinstance(value, dict | list):
            return None
        return value if jsonschema_rs.Draft202012Validator(dict(schema), offline=True).is_valid(value) else None

    def _object(self, schema: Mapping[str, Any], depth: int, within: int) -> JsonValue:
        required = set(schema.get("required", ()))
        # Asked for /pets/{petId}, the pet has that id, unless it has a field petId of its own.
        own = "id" in self._given or any(_folded(name) == self._asked_for for name in schema.get("properties", {}))
        asked = "id" if own or not self._asked_for else self._asked_for
        found: dict[str, JsonValue] = {}
        for name, each in schema.get("properties", {}).items():
            full = self._left <= 0 or depth >= _DEEPEST
            if not full or (name in required and depth < 2 * _DEEPEST and self._left > -MAX_ANSWER_VALUES):
                found[name] = self._value(each, asked if _folded(name) == "id" else name, depth + 1, within)
        extra = schema.get("additionalProperties")
        if not found and isinstance(extra, Mapping) and self._left > 0 and depth < _DEEPEST:
            found[self._rng.choice(_WORDS)] = self._value(extra, "", depth + 1, within)
        return found

    def _array(self, schema: Mapping[str, Any], name: str, depth: int, within: int) -> JsonValue:
        least, most = _whole(schema, "minItems", 0), _whole(schema, "maxItems", MAX_ANSWER_ITEMS)
        least = min(max(least, 1 if most else 0), MAX_ANSWER_ITEMS)
        number = self._rng.randint(least, max(least, min(most, 3)))
        found: list[JsonValue] = []
        for _ in range(number):
            if self._left <= 0 or depth >= _DEEPEST:
                break
            each = self._value(schema.get("items", {}), name.removesuffix("s"), depth + 1, within)
            if not (schema.get("uniqueItems") and each in found):
                found.append(each)
        return found

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> JsonValue:
        low = _bound(schema, "minimum", "exclusiveMinimum", 1 if whole else 0.01)
        high = _bound(schema, "maximum", "exclusiveMaximum", -1 if whole else -0.01)
        low = low if low is not None else (1.0 if high is None or high >= 1 else high - 1000)
        high = high if high is not None else low + 1000
        step = schema.get("multipleOf")
        if isinstance(step, int | float) and 1e-6 < step < _LARGEST:
            return _plain(round(self._rng.uniform(low, high) / step) * step, whole)
        return _plain(round(self._rng.uniform(low, high), 2), whole, low, high)

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        form = schema.get("format")
        day = self._now + timedelta(days=self._rng.randint(-30, 60), minutes=15 * self._rng.randint(0, 60))
        word, other = self._rng.choice(_WORDS), self._rng.choice(_WORDS)
        forms = {
            "date": f"{day:%Y-%m-%d}",
            "date-time": f"{day:%Y-%m-%dT%H:%M:%SZ}",
            "time": f"{day:%H:%M:%SZ}",
            "email": f"{word}.{other}@example.com",
            "uri": f"https://example.com/{word}",
            "url": f"https://example.com/{word}",
            "hostname": f"{word}.example.com",
            "ipv4": f"192.0.2.{self._rng.randint(1, 254)}",
            "uuid": _uuid(self._rng),
        }
        if isinstance(form, str) and form in forms:
            return forms[form]
        text = f"{word}-{self._rng.randint(100, 999)}" if _folded(name).endswith("id") else f"{word} {other}"
        least, most = _whole(schema, "minLength", 0), _whole(schema, "maxLength", 200)
        while len(text) < min(least, 200):
            text += f" {self._rng.choice(_WORDS)}"
        return text[: max(0, min(most, 200))]


def _given(schema: Mapping[str, Any]) -> list[Any]:
    """Values the schema itself names."""
    if "const" in schema:
        return [schema["const"]]
    for word in ("examples", "enum"):
        if isinstance(schema.get(word), list) and schema[word]:
            return list(schema[word])
    return [schema["default"]] if "default" in schema else []


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    kinds = [each for each in kind if each != "null"] if isinstance(kind, list) else [kind]
    if kinds and isinstance(kinds[0], str):
        return kinds[0]
    if isinstance(kind, list):
        return "null"
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _joined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``allOf`` taken as one schema: enough to make a value up."""
    found: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        if isinstance(part, Mapping):
            part = _joined(part) if part.get("allOf") else part
            properties = {**found.get("properties", {}), **part.get("properties", {})}
            found = {**part, **found, **({"properties": properties} if properties else {})}
    return found


def _bound(schema: Mapping[str, Any], closed: str, open_: str, inward: float) -> float | None:
    values = [(schema[word], shift) for word, shift in ((closed, 0.0), (open_, inward)) if word in schema]
    for value, shift in values:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return min(max(float(value) + shift, -_LARGEST), _LARGEST)
    return None


def _plain(value: float, whole: bool, low: float = -_LARGEST, high: float = _LARGEST) -> int | float:
    value = min(max(value, low), max(low, high))
    return round(value) if whole else round(value, 6)


def _whole(schema: Mapping[str, Any], word: str, otherwise: int) -> int:
    value = schema.get(word)
    return min(int(value), 10_000) if isinstance(value, int | float) and value >= 0 else otherwise


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]))
