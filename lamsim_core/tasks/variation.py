"""How offered tools look: as they are, or under other names, in other words, with parameters in another order.

Only the looks change. What is behind a tool is kept in its binding, so calls reach the same world and verdicts speak in
the names the agent saw. Models that have seen many looks have to read schemas instead of remembering them.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import ToolBinding, ToolSchema
from lamsim_core.settings import get_settings
from lamsim_core.tasks.offer import Offered
from lamsim_core.tools import categories

PLAIN = "plain"
PLAIN_SHARE = 0.5
"""How often tools look as they are."""
_THING = re.compile(r"^(?:an?|the|all|every|one|some) ")
_OWNED_BY = re.compile(r"^(?:The|An?) ([\w -]+)'s id\.$")


class Vocabulary(BaseModel):
    """Content of data/variation.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verbs: dict[str, list[str]]
    words: dict[str, list[str]]
    describe: list[str]


class Looks(NamedTuple):
    """How the offered tools look in one instance."""

    style: str
    schemas: tuple[ToolSchema, ...]
    bindings: tuple[ToolBinding, ...]


def _snake(words: Sequence[str], owner: str) -> str:
    return "_".join(words)


def _camel(words: Sequence[str], owner: str) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _pascal(words: Sequence[str], owner: str) -> str:
    return "".join(word.capitalize() for word in words)


def _dotted(words: Sequence[str], owner: str) -> str:
    return f"{owner}.{'_'.join(words)}"


_STYLES: dict[str, tuple[Callable[[Sequence[str], str], str], Callable[[Sequence[str], str], str]]] = {
    "snake": (_snake, _snake),
    "camel": (_camel, _camel),
    "pascal": (_pascal, _camel),
    "dotted": (_dotted, _snake),
}
"""How tool names and how parameter names are written."""
STYLES = (PLAIN, *_STYLES)


@lru_cache(maxsize=4)
def _read(path: Path) -> Vocabulary:
    try:
        return Vocabulary.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise InvalidInputError(f"The words for variations in {path} cannot be read: {error}") from error


def vocabulary() -> Vocabulary:
    """The words in force."""
    return _read(get_settings().data / "variation.yaml")


def plain_looks(offered: Sequence[Offered]) -> Looks:
    """The tools as they are."""
    return Looks(
        PLAIN,
        tuple(each.tool.schema for each in offered),
        tuple(
            ToolBinding(
                category=each.category.name,
                tool=each.tool.name,
                parameters={name: name for name in _properties(each.tool.schema)},
            )
            for each in offered
        ),
    )


def draw_looks(
    offered: Sequence[Offered], used: Mapping[str, frozenset[str]], whole: frozenset[str], rng: random.Random
) -> Looks:
    """The tools as they look in one instance.

    With tools from elsewhere among them, all look as they are: their schemas may name parameters in places, and their
    names be so long, that nothing can be renamed.

    Args:
        offered: the tools, in the order offered.
        used: the parameters that the reference solution gives to each tool; other optional ones may be left out.
        whole: tools that keep all their parameters.
        rng: where chance comes from.
    """
    imported = any(each.category.name not in categories() for each in offered)
    if imported or rng.random() < PLAIN_SHARE:
        return plain_looks(offered)
    known = vocabulary()
    style = rng.choice([*_STYLES])
    tool_name, parameter_name = _STYLES[style]
    verbs = _drawn(known.verbs, rng)
    words = _drawn(known.words, rng)
    frame = rng.choice(known.describe)
    taken: set[str] = set()
    schemas, bindings = [], []
    for category, tool in offered:
        own = tool.name.split("_")
        renamed = [*verbs.get(own[0], own[0]).split("_"), *own[1:]]
        if _plain(renamed) in taken or _plain(renamed) in _all_names() - {_plain(own)}:
            renamed = own
        taken.add(_plain(renamed))
        keep = frozenset(_properties(tool.schema)) if tool.name in whole else used.get(tool.name, frozenset())
        schema, parameters = _varied(tool.schema, keep, words, parameter_name, rng)
        description = _described(tool.schema.description, verbs, frame)
        schemas.append(ToolSchema(name=tool_name(renamed, category.name), description=description, parameters=schema))
        bindings.append(ToolBinding(category=category.name, tool=tool.name, parameters=parameters))
    return Looks(style, tuple(schemas), tuple(bindings))


def _drawn(choices: Mapping[str, list[str]], rng: random.Random) -> dict[str, str]:
    """One word for each, often the word itself."""
    return {word: rng.choice([word, *others]) for word, others in choices.items()}


def _swap(words: Sequence[str], choices: Mapping[str, str]) -> list[str]:
    return [part for word in words for part in choices.get(word, word).split("_")]


def _plain(words: Sequence[str]) -> str:
    return "".join(words)


@lru_cache(maxsize=1)
def _all_names() -> frozenset[str]:
    """The name of every tool there is, so that no variation takes the name of another (held out, perhaps)."""
    return frozenset(_plain(name.split("_")) for category in categories().values() for name in category.tools)


def _properties(schema: ToolSchema) -> dict[str, Any]:
    found = schema.parameters.get("properties")
    return dict(found) if isinstance(found, dict) else {}


def _varied(
    schema: ToolSchema,
    used: frozenset[str],
    words: Mapping[str, str],
    written: Callable[[Sequence[str], str], str],
    rng: random.Random,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Parameters renamed, shuffled, some unused optional ones left out; and the own name of each."""
    properties = _properties(schema)
    required: list[str] = list(schema.parameters.get("required") or [])  # type: ignore[arg-type]
    kept = [name for name in properties if name in required or name in used or rng.random() < 0.5]
    rng.shuffle(kept)
    names: dict[str, str] = {}
    for name in kept:
        new = written(_swap(name.split("_"), words), "")
        names[name] = new if new not in names.values() and new not in properties.keys() - {name} else name
    short = rng.random() < 0.3
    parameters = {
        **schema.parameters,
        "properties": {names[name]: _reworded(properties[name], short) for name in kept},
        "required": [names[name] for name in kept if name in required],
    }
    return parameters, {names[name]: name for name in kept}


def _reworded(schema: dict[str, Any], short: bool) -> dict[str, Any]:
    """A parameter with its description in other words, if it has one."""
    text = schema.get("description")
    return {**schema, "description": _parameter_text(text, short)} if isinstance(text, str) else schema


def _parameter_text(text: str, short: bool) -> str:
    owned = _OWNED_BY.match(text)
    if short and owned:
        return f"Identifier of the {owned[1]}"
    return text.removesuffix(".") if short else text


def _described(text: str, verbs: Mapping[str, str], frame: str) -> str:
    """A description in another frame, its first verb swapped like that of the name."""
    first, _, rest = text.partition(" ")
    if first.lower() not in verbs:
        return text
    verb = verbs[first.lower()] if _THING.match(rest) else first.lower()
    body = f"{verb.replace('_', ' ')} {rest}"
    return f"{body[0].upper()}{body[1:]}" if frame == "{}" else frame.format(body)
