"""A foreign JSON Schema becomes one we can trust: bounded, self-contained, valid, its references written out.

Nothing is ever fetched: a reference that leaves the document is refused before any validator sees it. Keywords that
say nothing about values (titles, comments, extensions) are dropped.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import jsonschema_rs
from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError
from lamsim_core.tools.imported.limits import (
    MAX_DESCRIPTION,
    MAX_ENUM,
    MAX_PATTERN,
    MAX_PROPERTIES,
    MAX_SCHEMA_BYTES,
    MAX_SCHEMA_DEPTH,
    MAX_SCHEMA_NODES,
)
from lamsim_core.tools.imported.pointers import OUTSIDE, resolve, shown
from lamsim_core.tools.imported.reading import check_value

PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""Names of parameters."""

_ONE = {"items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"}
_ONE |= {"unevaluatedItems", "unevaluatedProperties"}
_SOME = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "dependentSchemas"}
_PLAIN = {"type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_PLAIN |= {"minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "minContains"}
_PLAIN |= {"maxContains", "minProperties", "maxProperties", "required", "dependentRequired"}
_TOLD = {"description", "default", "examples"}
_BASES = {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary", "id"}
_MAY_BE_BOOLEAN = {"items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"}
_NOT_AT_THE_TOP = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "enum", "const", "propertyNames")


@dataclass
class _Reader:
    document: Any
    where: str
    cut: bool
    """What is too deep, too much or circular becomes ``{}`` (anything) instead of being refused."""
    nodes: int = field(default=0)

    def refuse(self, reason: str) -> NoReturn:
        raise InvalidInputError(f"{self.where}: {reason}")

    def too_much(self, reason: str) -> dict[str, JsonValue]:
        if not self.cut:
            self.refuse(reason)
        return {}

    def read(self, schema: Any, depth: int, active: tuple[str, ...]) -> dict[str, JsonValue]:
        if not isinstance(schema, dict):
            self.refuse(f"expected a schema (an object), got {shown(schema)}. Write {{}} where anything may stand.")
        self.nodes += 1
        if depth > MAX_SCHEMA_DEPTH or self.nodes > MAX_SCHEMA_NODES:
            return self.too_much(
                f"the schema is too large: at most {MAX_SCHEMA_DEPTH} levels and {MAX_SCHEMA_NODES} schemas, references "
                "followed. Simplify it."
            )
        for word in sorted(_BASES & schema.keys()):
            if word != "id" or isinstance(schema[word], str):
                self.refuse(
                    f"{word} ({shown(schema[word])}) changes what references mean, which is not followed. {OUTSIDE}"
                )
        if "$ref" in schema:
            return self.follow(schema, depth, active)
        found: dict[str, JsonValue] = {}
        for word, value in self.modern(schema).items():
            if word in _PLAIN or word in _TOLD:
                found[word] = self.plain(word, value)
            elif word in _ONE:
                if isinstance(value, bool) and word in _MAY_BE_BOOLEAN:
                    found[word] = {} if value and word == "items" else value
                else:
                    found[word] = self.read(value, depth + 1, active)
            elif word in _SOME:
                if not isinstance(value, list) or not 1 <= len(value) <= MAX_ENUM:
                    self.refuse(f"{word} must be a list of 1 to {MAX_ENUM} schemas, got {shown(value)}.")
                found[word] = [self.read(each, depth + 1, active) for each in value]
            elif word in _NAMED:
                found[word] = self.named(word, value, depth, active)
        return found

    def named(self, word: str, value: Any, depth: int, active: tuple[str, ...]) -> dict[str, JsonValue]:
        if not isinstance(value, dict):
            self.refuse(f"{word} must be an object of schemas, got {shown(value)}.")
        if len(value) > MAX_PROPERTIES:
            self.too_much(f"{word} has {len(value)} entries; at most {MAX_PROPERTIES} are read. Leave some out.")
        for name in value:
            if not 1 <= len(name) <= MAX_PATTERN or not name.isprintable():
                self.refuse(
                    f"{shown(name)} cannot be a name within {word}: use 1 to {MAX_PATTERN} printable characters."
                )
        return {name: self.read(each, depth + 1, active) for name, each in list(value.items())[:MAX_PROPERTIES]}

    def plain(self, word: str, value: Any) -> JsonValue:
        if word in ("enum", "examples", "required") and isinstance(value, list) and len(value) > MAX_ENUM:
            self.too_much(f"{word} has {len(value):,} values; at most {MAX_ENUM} are read. Describe them instead.")
            return list(value[:MAX_ENUM])
        if word == "description":
            if not isinstance(value, str):
                self.refuse(f"a description must be text, got {shown(value)}.")
            if len(value) > MAX_DESCRIPTION:
                self.too_much(
                    f"a description has {len(value):,} characters; at most {MAX_DESCRIPTION:,} are read. Shorten it."
                )
            return value[:MAX_DESCRIPTION]
        if word == "pattern" and (not isinstance(value, str) or len(value) > MAX_PATTERN):
            self.refuse(f"a pattern must be text of at most {MAX_PATTERN} characters, got {shown(value)}. Shorten it.")
        result: JsonValue = value
        return result

    def follow(self, schema: dict[str, Any], depth: int, active: tuple[str, ...]) -> dict[str, JsonValue]:
        pointer, target = resolve(self.document, schema["$ref"], self.where)
        if pointer in active:
            return self.too_much(
                f"the reference {pointer} leads back to itself. Circular schemas cannot be written out: cut one."
            )
        found = self.read(target, depth + 1, (*active, pointer))
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        told = {word: self.plain(word, beside[word]) for word in _TOLD & beside.keys()}
        more = self.read({w: v for w, v in beside.items() if w not in _TOLD}, depth + 1, active)
        if any(word in found and found[word] != value for word, value in more.items()):
            return {"allOf": [found], **more, **told}
        return {**found, **more, **told}

    def modern(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Words of OpenAPI 3.0 and older drafts, in today's words."""
        found = dict(schema)
        dialect = found.pop("$schema", "")
        if not isinstance(dialect, str) or (dialect and "json-schema.org/" not in dialect):
            self.refuse(f"$schema is {shown(dialect)}; only the dialects of json-schema.org are read. Leave it out.")
        for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(found.get(bound), bool):
                exclusive = found.pop(bound)
                if exclusive and limit in found:
                    found[bound] = found.pop(limit)
        if "example" in found:
            found.setdefault("examples", [found.pop("example")])
        elif isinstance(found.get("examples"), dict):
            found.pop("examples")
        if found.pop("nullable", None) is True:
            if isinstance(found.get("type"), str):
                found["type"] = [found["type"], "null"]
            if isinstance(found.get("enum"), list) and None not in found["enum"]:
                found["enum"] = [*found["enum"], None]
        return found


def read_schema(schema: Any, document: Any, where: str, *, cut: bool = False) -> dict[str, JsonValue]:
    """A schema with its references written out.

    Args:
        schema: the foreign schema.
        document: what its references point into.
        where: begins the sentence of a refusal, e.g. ``Tool 'find'``.
        cut: replace what is circular or too large by ``{}`` instead of refusing it.

    Raises:
        InvalidInputError: it cannot be used; the message says why.
    """
    check_value(schema, where)
    found = _Reader(document, where, cut).read(schema, 1, ())
    size = len(canonical_json(found))
    if size > MAX_SCHEMA_BYTES:
        if cut:
            return {}
        raise InvalidInputError(
            f"{where}: the schema has {size:,} bytes, references followed; at most {MAX_SCHEMA_BYTES:,} are read. Simplify it."
        )
    check_schema(found, where)
    return found


def read_parameters(schema: Any, document: Any, where: str) -> dict[str, JsonValue]:
    """The schema of a tool's parameters: an object with named properties, closed unless it says otherwise.

    Raises:
        InvalidInputError: it cannot be used; the message says why.
    """
    found = read_schema(schema, document, where)
    if found.get("type", "object" if "properties" in found else None) != "object":
        raise InvalidInputError(
            f'{where}: the parameters must be an object schema ("type": "object"), got {shown(found.get("type", found))}. '
            "Put the value into a property of an object."
        )
    for word in _NOT_AT_THE_TOP:
        if word in found:
            raise InvalidInputError(
                f"{where}: {word} cannot stand at the top of the parameters. List the properties directly."
            )
    properties: Any = found.get("properties", {})
    for name in properties:
        if not PARAMETER.fullmatch(name):
            raise InvalidInputError(
                f"{where}: {shown(name)} cannot be the name of a parameter. Use 1 to 64 letters, digits and _ . -, "
                "beginning with a letter or _."
            )
    required: Any = found.get("required", [])
    unknown = [name for name in required if name not in properties]
    if unknown:
        raise InvalidInputError(
            f"{where}: {shown(unknown[0])} is required but not among the properties. Describe it there."
        )
    return {
        **found,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": found.get("additionalProperties", False),
    }


def check_schema(schema: Mapping[str, Any], where: str) -> None:
    """Refuse what is not JSON Schema 2020-12, or holds a pattern that cannot be matched in linear time."""
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: jsonschema_rs.meta.validate(dict(schema)),
        lambda: jsonschema_rs.Draft202012Validator(
            dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions(size_limit=200_000)
        ),
    )
    for attempt in attempts:
        try:
            attempt()
        except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            reason = " ".join(str(error).split("\n")[0].split())[:200]
            raise InvalidInputError(
                f"{where}: this is not a schema that can be used (JSON Schema 2020-12, patterns without look-around and "
                f"back-references): {reason}. Correct it."
            ) from error
