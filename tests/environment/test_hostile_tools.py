"""The grader is out of a tool's reach: whatever it holds on to and edits, records, hashes and the world stay as they were."""

import copy
import json
from datetime import datetime
from typing import Any

import pytest
from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.environment import Environment, World, tool
from lamsim_core.environment.frozen import frozen, thawed
from lamsim_core.records import ToolCall

KEPT: list[Any] = []
"""What the hostile tools below hold on to."""


@tool(mutates=True)
def store_tags(world: World, tags: list[str]) -> JsonValue:
    """Store tags, and edit the arguments.

    Args:
        tags: The tags.
    """
    world.insert("things", {"id": world.new_id("thg"), "tags": tags, "more": {"deep": [tags]}})
    KEPT.append(tags)
    tags.append("edited within the call")
    return {"tags": [*tags]}


@tool(mutates=False)
def read_tags(world: World) -> JsonValue:
    """Return an object that is kept and edited later."""
    answer: dict[str, Any] = {"rows": [dict(row) for row in world.rows("things")], "note": ["honest"]}
    KEPT.append(answer)
    return answer


@tool(mutates=False)
def edit_rows(world: World) -> JsonValue:
    """Edit a row in place."""
    world.rows("things")[0]["tags"].append("edited in place")
    return None


@tool(mutates=False)
def edit_deeply(world: World) -> JsonValue:
    """Edit an object within a row in place."""
    world.rows("things")[0]["more"]["deep"] = 1
    return None


@pytest.fixture
def environment() -> Environment:
    KEPT.clear()
    world = World(datetime(2026, 1, 1))
    world.add_table("things")
    world.insert("things", {"id": "thg_1", "tags": ["a"], "more": {"deep": [["b"]]}})
    return Environment(world, {spec.name: spec for spec in (store_tags, read_tags, edit_rows, edit_deeply)})


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(id="call_0", name=name, arguments=arguments, raw="")


def fresh_hash(world: World) -> str:
    """The state hash counted anew from the rows."""
    twin = World(world.now)
    for table in world.tables:
        twin.add_table(table)
        for row in world.rows(table):
            twin.insert(table, json.loads(canonical_json(dict(row))))
    return twin.state_hash()


def test_arguments_on_record_cannot_be_edited(environment: Environment) -> None:
    made = call("store_tags", tags=["x"])
    result = environment.step(made)
    assert result.observation.ok, result.observation
    assert made.arguments == {"tags": ["x"]}
    row = environment.world.get("things", "thg_9001")
    assert row is not None and row["tags"] == ["x"], "stored as it was when it was stored"
    before = copy.deepcopy(tuple(result))
    KEPT[0].append("edited after the call")
    assert tuple(result) == before
    assert row["tags"] == ["x"] and row["more"] == {"deep": [["x"]]}
    assert environment.world.state_hash() == fresh_hash(environment.world) == result.after
    assert [change.after for change in environment.net_changes()] == [dict(row)]


def test_a_result_on_record_cannot_be_edited(environment: Environment) -> None:
    result = environment.step(call("read_tags"))
    KEPT[0]["note"].append("a lie")
    KEPT[0]["rows"].clear()
    assert result.observation.content == {
        "rows": [{"id": "thg_1", "tags": ["a"], "more": {"deep": [["b"]]}}],
        "note": ["honest"],
    }
    assert result.changes == () and result.before == result.after


@pytest.mark.parametrize("name", ["edit_rows", "edit_deeply"])
def test_rows_cannot_be_edited_at_any_depth(environment: Environment, name: str) -> None:
    before = environment.world.state_hash()
    result = environment.step(call(name))
    assert result.observation.fault == "tool_bug"
    assert (result.before, result.after, result.changes) == (before, before, ())
    assert environment.world.state_hash() == fresh_hash(environment.world)
    assert environment.net_changes() == ()
    environment.reset()
    assert environment.world.rows("things")[0]["tags"] == ["a"], "the first state is out of reach too"


EDITS: list[Any] = [
    lambda v: v["list"].append(1),
    lambda v: v["list"].extend([1]),
    lambda v: v["list"].insert(0, 1),
    lambda v: v["list"].pop(),
    lambda v: v["list"].remove(1),
    lambda v: v["list"].clear(),
    lambda v: v["list"].sort(),
    lambda v: v["list"].reverse(),
    lambda v: v["list"].__setitem__(0, 2),
    lambda v: v["list"].__delitem__(0),
    lambda v: v["list"].__iadd__([1]),
    lambda v: v["list"].__imul__(2),
    lambda v: v["list"][1]["a"].append(1),
    lambda v: v.update(x=1),
    lambda v: v.pop("list"),
    lambda v: v.popitem(),
    lambda v: v.clear(),
    lambda v: v.setdefault("x", 1),
    lambda v: v.__setitem__("x", 1),
    lambda v: v.__delitem__("list"),
    lambda v: v.__ior__({"x": 1}),
]


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_what_is_frozen_refuses_every_edit(number: int) -> None:
    plain = {"list": [1, {"a": [2]}], "text": "x"}
    value = frozen(plain)
    with pytest.raises(TypeError, match="never edited in place"):
        EDITS[number](value)
    assert value == plain and canonical_json(value) == canonical_json(plain)


def test_copies_of_what_is_frozen_are_plain() -> None:
    value = frozen({"list": [1, {"a": [2]}]})
    for twin in (copy.deepcopy(value), copy.copy(value), thawed(value)):
        twin["list"][1]["a"].append(3)
        twin["x"] = 1
    assert value == {"list": [1, {"a": [2]}]}
    assert type(value["list"] + [1]) is list and type(list(value["list"])) is list
