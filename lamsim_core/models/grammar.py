"""The grammar of a reply: a message, or calls of the offered tools exactly as ``reply_text`` writes them, or both in turn.

It is written for llguidance, in its dialect of Lark. Objects are written here rather than by llguidance's JSON Schema, which
knows one order of an object's keys: reference solutions, and so the models trained on them, name arguments in any. Values
are llguidance's where they need a pattern or limits. What a grammar cannot promise is refused, never left out: an argument
that was written under a grammar is valid.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema_rs

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import ToolSchema

MAX_CALLS = 16
"""Calls in one reply: as many as are read (``agent.parse.MAX_CALLS``)."""

_OPEN, _CLOSE = '<tool_call>\n{"name": ', "}\n</tool_call>"
_ANY_ORDER = 6
"""Properties up to which an object's keys may come in any order: every set of them is a rule of its own."""
_ANY_DEPTH = 3
"""Levels of lists and objects where a schema allows anything."""
_LARGEST = 2**53 - 1
"""Numbers without a limit end here: what every reader of JSON holds exactly."""

_TOLD = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
_WORDS = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "array": {"items", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
    "boolean": set[str](),
    "null": set[str](),
}
_WORDS["integer"] = _WORDS["number"]
"""Words of JSON Schema that are kept, by the type they speak of."""

_CHARACTER = r'([^"\\\x00-\x1f]|\\["\\bfnrt])'
"""A character within a string as ``json.dumps(ensure_ascii=False)`` writes it."""
_NO_MARKS = r"^([^<]|<+[^<t/])*<*$"
"""A pattern that keeps the marks of calls out of strings that have a pattern of their own."""
_TERMINALS = rf"""
STRING: /"{_CHARACTER}*"/ & UNMARKED
UNMARKED: ~/(?s:.*)<\/?tool_call>(?s:.*)/
"""
_MARKS = r"""<\/?tool|<function|\[TOOL_CALLS\]|<\|python_tag\|>|["'](name|arguments|function|tool)["']\s*:"""
"""What a message must not hold: the beginning of a call, in this form or in one that other models write."""


def reply_grammar(tools: Sequence[ToolSchema]) -> str:
    """What a model that is offered ``tools`` may reply, as llguidance's Lark.

    A message comes first, calls last, and nothing after them. Keys and separators are those of ``json.dumps``.

    Raises:
        InvalidInputError: the schema of a tool has something that cannot be promised.
    """
    rules = _Rules()
    called = [rules.call(tool) for tool in tools]
    # A complement alone would hold what is no text, so that nothing were ever ruled out.
    message = rf"MESSAGE: /(?s:.*)/ & ~/(?s:.*)({_MARKS})(?s:.*)/"
    if tools:  # in the style of Python, a call is one only at the beginning of a message
        names = "|".join(_escaped(tool.name) for tool in tools)
        message += rf" & ~/[\s`;\[\]]*(\w{{1,20}}\n)?({names}) ?\((?s:.*)/"
    lines = [message]
    if called:
        lines += [
            "start: SAID | FIRST tool CLOSE (NEXT tool CLOSE){0," + str(MAX_CALLS - 1) + "}",
            f'FIRST: (MESSAGE "\\n")? {_literal(_OPEN)}',
            f"NEXT: {_literal(chr(10) + _OPEN)}",
            f"CLOSE: {_literal(_CLOSE)}",
            "tool: " + "\n    | ".join(called),
        ]
    else:
        lines.append("start: SAID")
    return "\n".join(["SAID: MESSAGE", *lines, *rules.lines]) + _TERMINALS


def check_grammars(offered: Iterable[Sequence[ToolSchema]]) -> None:
    """Find out now whether replies can be constrained wherever these tools are offered.

    Raises:
        InvalidInputError: the schema of a tool has something that cannot be promised.
    """
    for tools in offered:
        for tool in tools:
            rules = _Rules()
            rules.call(tool)
            for schema in rules.left:
                reason = _why_not(schema)
                if reason:
                    raise InvalidInputError(_refusal(tool.name, reason))


def constrainable(tools: Sequence[ToolSchema]) -> bool:
    """Whether replies can be constrained where these tools are offered."""
    try:
        reply_grammar(tools)
        check_grammars([tools])
    except InvalidInputError:
        return False
    return True


@lru_cache(maxsize=4096)
def _why_not(schema: str) -> str:
    """Why llguidance cannot follow the schema of a value; empty when it can."""
    from llguidance import LLMatcher

    failed, said = LLMatcher.validate_grammar_with_warnings(LLMatcher.grammar_from_lark(f"start: %json {schema}"))
    return " ".join(str(said[0]).split())[:300] if failed else ""


def _refusal(tool: str, reason: str) -> str:
    return (
        f"Calls of the tool {tool!r} cannot be constrained: {reason.rstrip('.')}. Turn constrained calls off, leave out "
        "the tasks that offer this tool, or simplify its schema."
    )


def _escaped(text: str) -> str:
    """A text as a pattern that may stand between slashes."""
    return re.escape(text).replace("/", r"\/")


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Rules:
    """Rules of values, each written once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.left: list[str] = []
        """Schemas of values that are left to llguidance."""
        self._names: dict[str, str] = {}
        self._tool = ""

    def call(self, tool: ToolSchema) -> str:
        """What follows the opening of a call when it is of this tool."""
        self._tool = tool.name
        begin = f"{json.dumps(tool.name, ensure_ascii=False)}, {json.dumps('arguments')}: "
        parameters: dict[str, Any] = {**tool.parameters, "type": "object"}
        return f"{self._text(begin)} {self.value(parameters)}"

    def value(self, schema: Any) -> str:
        """The rule of the values a schema allows."""
        return self._rule(f"schema {canonical_json(schema)}", lambda: self._value(schema))

    def _rule(self, key: str, write: Any) -> str:
        if key not in self._names:
            self._names[key] = name = f"r{len(self._names)}"
            self.lines.append(f"{name}: {write()}")
        return self._names[key]

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidInputError(_refusal(self._tool, reason))

    def _text(self, text: str) -> str:
        if "<tool_call>" in text or "</tool_call>" in text:
            self._refuse("it has a name or a value that holds the marks of a call")
        return _literal(text)

    def _value(self, schema: Any) -> str:
        if schema is True:
            return self._anything(_ANY_DEPTH)
        if not isinstance(schema, Mapping):
            self._refuse("a part of its schema allows no value")
        kept = {word: value for word, value in schema.items() if word not in _TOLD}
        if not kept:
            return self._anything(_ANY_DEPTH)
        if "enum" in kept or "const" in kept:
            return self._one_of(kept)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in kept:
                return self._branches(word, kept)
        types = kept.pop("type", None) or _implied(kept)
        types = [types] if isinstance(types, str) else list(types)
        strange = sorted(kept.keys() - set[str]().union(*(_WORDS[each] for each in types)))
        if strange:
            self._refuse(f"its schema uses {', '.join(map(repr, strange))}, which cannot be promised")
        return " | ".join(self._of_type(each, {w: kept[w] for w in kept.keys() & _WORDS[each]}) for each in types)

    def _one_of(self, schema: dict[str, Any]) -> str:
        options = schema["enum"] if "enum" in schema else [schema["const"]]
        validator = jsonschema_rs.Draft202012Validator(schema)
        texts = [json.dumps(option, ensure_ascii=False) for option in options if validator.is_valid(option)]
        if not texts:
            self._refuse("none of the values it lists is valid")
        return " | ".join(map(self._text, dict.fromkeys(texts)))

    def _branches(self, word: str, schema: dict[str, Any]) -> str:
        branches = schema[word]
        beside = sorted(schema.keys() - {word})
        if beside:
            self._refuse(f"its schema uses {word!r} beside {', '.join(map(repr, beside))}, which cannot be promised")
        if word == "allOf" and len(branches) > 1:
            self._refuse("its schema joins several parts by 'allOf', which cannot be promised")
        kinds = [kind for branch in branches for kind in _kinds(branch)]
        if word == "oneOf" and len(kinds) > len(set(kinds)):
            self._refuse("its schema uses 'oneOf' with parts of the same type, which cannot be promised")
        return " | ".join(self.value(branch) for branch in branches)

    def _of_type(self, name: str, schema: dict[str, Any]) -> str:
        if name == "string":
            return self._string(schema)
        if name in ("integer", "number"):
            return self._number(name, schema)
        if name == "array":
            return self._array(schema)
        if name == "object":
            return self._object(schema)
        return '"null"' if name == "null" else '"true" | "false"'

    def _string(self, schema: dict[str, Any]) -> str:
        if "pattern" in schema or "format" in schema:
            both = [schema, {"pattern": _NO_MARKS}] if "pattern" in schema else [schema]
            return self._json({"type": "string", "allOf": both})
        if not schema:
            return "STRING"
        least, most = schema.get("minLength", 0), schema.get("maxLength", "")
        # A terminal may not stand within a rule, so it is one of its own.
        terminal = f"STRING_{least}_{most}"
        return self._terminal(terminal, f'/"{_CHARACTER}{{{least},{most}}}"/ & UNMARKED')

    def _terminal(self, name: str, pattern: str) -> str:
        if name not in self._names:
            self._names[name] = name
            self.lines.append(f"{name}: {pattern}")
        return name

    def _number(self, name: str, schema: dict[str, Any]) -> str:
        limits = dict(schema)
        if not limits.keys() & {"minimum", "exclusiveMinimum"}:
            limits["minimum"] = -_LARGEST
        if not limits.keys() & {"maximum", "exclusiveMaximum"}:
            limits["maximum"] = _LARGEST
        return self._json({"type": name, **limits})

    def _json(self, schema: dict[str, Any]) -> str:
        options = {"whitespace_flexible": False, "json_allowed_escapes": 'nrbtf\\"'}
        self.left.append(json.dumps({**schema, "x-guidance": options}, sort_keys=True))
        return f"%json {self.left[-1]}"

    def _array(self, schema: dict[str, Any]) -> str:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if most == 0:
            return '"[]"'
        if schema.get("items", True) is False:
            self._refuse("it has a list that may hold no value")
        item = self.value(schema.get("items", True))
        more = f'("," " " {item}){{{max(0, least - 1)},{"" if most is None else most - 1}}}' if most != 1 else ""
        return f'"[" {item} {more} "]"' + ("" if least else ' | "[]"')

    def _object(self, schema: dict[str, Any]) -> str:
        properties: dict[str, Any] = schema.get("properties", {})
        required = [name for name in schema.get("required", []) if name in properties]
        if len(required) < len(schema.get("required", [])):
            self._refuse("it requires a property that it does not describe")
        # Never by the order of the properties: a schema that was stored comes back sorted.
        names = [*required, *sorted(properties.keys() - set(required))]
        keys = {name: self._text(f"{json.dumps(name, ensure_ascii=False)}: ") for name in names}
        values = {name: self.value(properties[name]) for name in names}
        free = self._free(names, schema.get("additionalProperties", True))
        about = canonical_json([names, required, values, free])

        def rest(used: frozenset[str]) -> str:
            """What may follow when these keys are written."""

            def write() -> str:
                left = [name for name in names if name not in used]
                if len(names) > _ANY_ORDER and left:
                    # In one order: up to the next key that is required.
                    last = next((place for place, name in enumerate(left) if name in required), len(left) - 1)
                    left = left[: last + 1]
                comma = '"," " " ' if used else ""
                ways = [f"{comma}{keys[name]} {values[name]} {rest(after(used, name))}" for name in left]
                if used.issuperset(required):
                    ways += ['"}"', *([f'{comma}{free} "}}"'] if free else [])]
                return " | ".join(ways)

            return self._rule(f"rest {sorted(used)} of {about}", write)

        def after(used: frozenset[str], name: str) -> frozenset[str]:
            skipped = names[: names.index(name)] if len(names) > _ANY_ORDER else ()
            return used | {name, *skipped}

        return f'"{{" {rest(frozenset())}'

    def _free(self, names: Sequence[str], schema: Any) -> str | None:
        """One property beyond those named, or None: of several, no grammar could tell that their names differ."""
        if schema is False:
            return None
        named = "".join(f" & ~/{_escaped(json.dumps(name, ensure_ascii=False))}/" for name in names)
        key = self._terminal(f"KEY_{len(self._names)}", f"STRING{named}")
        return f'{key} ":" " " {self.value(schema)}'

    def _anything(self, depth: int) -> str:
        plain = self.value({"type": ["string", "number", "boolean", "null"]})
        if depth == 0:
            return plain
        inner = self._rule(f"anything {depth - 1}", lambda: self._anything(depth - 1))
        return f'{plain} | "[" {inner} ("," " " {inner})* "]" | "[]" | "{{" STRING ":" " " {inner} "}}" | "{{}}"'


def _implied(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema without a type speaks of; values of other types would be valid too, and are left out."""
    found = [name for name, words in _WORDS.items() if name != "integer" and words & schema.keys()]
    return found or list(_WORDS)


def _kinds(schema: Any) -> set[str]:
    """The types of JSON a schema allows, as far as it names them; integers are numbers."""
    if not isinstance(schema, Mapping) or "type" not in schema:
        return set(_WORDS) - {"integer"}
    types = schema["type"]
    return {"number" if each == "integer" else each for each in ([types] if isinstance(types, str) else types)}
