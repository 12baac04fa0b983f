"""The world of an imported category, and the tools that act on it.

Every world has a table ``<category>_seed`` with one row, from which simulated answers are drawn, and a table
``<category>_calls``, in which every call that changes something leaves a row. Reading leaves no trace.
"""

import random
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from lamsim_core.canonical import canonical_json, derive_seed
from lamsim_core.environment import ToolRefusedError, ToolSpec, World
from lamsim_core.environment.arguments import ArgumentValidator
from lamsim_core.tools.category import Category, Family, clock
from lamsim_core.tools.imported.records import ImportedCategory, ImportedTool, Result
from lamsim_core.tools.imported.simulate import Answers

FAMILY: Family = "reference"
NOT_RECORDED = (
    "This call was not recorded; only calls that were made while the server ran can be made again. "
    "Use arguments that were recorded, or record this call first."
)
Answer = Callable[[World, dict[str, JsonValue]], JsonValue]


def to_category(stored: ImportedCategory) -> Category:
    """The category agents work in."""
    recorded = {(each.tool, each.arguments): each.results for each in stored.calls}
    return Category(
        name=stored.name,
        title=stored.title,
        family=FAMILY,
        description=stored.description,
        tools={
            each.tool.name: to_spec(
                each, _replay(stored.name, each, recorded) if stored.source == "mcp" else _simulation(stored.name, each)
            )
            for each in stored.tools
        },
        makers={},
        populate=_populate(stored.name),
        content={},
    )


def world_of(category: Category, seed: int) -> World:
    """A world of one imported category: the same as the product makes for ``seed``."""
    world = World(clock(seed))
    category.populate(world, random.Random(derive_seed("world", category.name, seed)), dict(category.content))
    return world


def argument_key(tool: ImportedTool, arguments: Mapping[str, JsonValue]) -> str:
    """Canonical JSON of arguments, whole numbers written as such: what recordings are found by."""
    whole = _integers(tool)
    return canonical_json(
        {
            name: int(value) if name in whole and isinstance(value, float) and value.is_integer() else value
            for name, value in arguments.items()
        }
    )


def to_spec(tool: ImportedTool, answer: Answer) -> ToolSpec:
    """The tool as the environment runs it."""

    def function(world: World, /, **arguments: JsonValue) -> JsonValue:
        return answer(world, arguments)

    return ToolSpec(
        schema=tool.tool,
        mutates=tool.mutates,
        function=function,
        validator=ArgumentValidator(tool.tool.parameters),
        integers=_integers(tool),
        origin=tool.tool.name,
    )


def _integers(tool: ImportedTool) -> frozenset[str]:
    properties: Any = tool.tool.parameters["properties"]
    return frozenset(name for name, schema in properties.items() if schema.get("type") == "integer")


def _populate(name: str) -> Callable[[World, random.Random, dict[str, Any]], None]:
    def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
        world.add_table(f"{name}_seed", f"{name}_calls")
        world.insert(f"{name}_seed", {"id": "seed", "value": rng.randrange(2**31)})

    return populate


def _simulation(category: str, tool: ImportedTool) -> Answer:
    def answer(world: World, arguments: dict[str, JsonValue]) -> JsonValue:
        row = world.get(f"{category}_seed", "seed")
        seed = derive_seed(row["value"] if row else 0, tool.tool.name, argument_key(tool, arguments))
        found = Answers(seed, world.now, arguments).answer(tool.answer, tool.examples)
        if tool.mutates:
            _note(world, category, tool, arguments)
        return found

    return answer


def _replay(category: str, tool: ImportedTool, recorded: Mapping[tuple[str, str], tuple[Result, ...]]) -> Answer:
    def answer(world: World, arguments: dict[str, JsonValue]) -> JsonValue:
        key = argument_key(tool, arguments)
        results = recorded.get((tool.tool.name, key), ())
        place = _times(world, category, tool, key) if tool.mutates else 0
        if place >= len(results):
            often = f" It was recorded {len(results)} times, and was made as often already." if results else ""
            raise ToolRefusedError(NOT_RECORDED + often)
        result = results[place]
        if not result.ok:
            raise ToolRefusedError(result.fault)
        if tool.mutates:
            _note(world, category, tool, arguments)
        return result.content

    return answer


def _note(world: World, category: str, tool: ImportedTool, arguments: dict[str, JsonValue]) -> None:
    row = {"id": world.new_id(f"{category}_call"), "tool": tool.tool.name, "arguments": arguments}
    world.insert(f"{category}_calls", row)


def _times(world: World, category: str, tool: ImportedTool, key: str) -> int:
    """How often this call was made in this world."""
    rows = world.rows(f"{category}_calls")
    return sum(row["tool"] == tool.tool.name and argument_key(tool, row["arguments"]) == key for row in rows)
