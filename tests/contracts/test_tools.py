"""Every tool of every category, discovered: schema, docstring, reads that read, failures that change nothing."""

import json
import random
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.environment import Environment, ToolSpec
from lamsim_core.records import ToolCall
from lamsim_core.tools import categories, get_category

TOOLS = [(category, tool) for category in categories().values() for tool in category.tools.values()]
IDS = [f"{category.name}.{tool.name}" for category, tool in TOOLS]


@pytest.mark.parametrize("category", categories().values(), ids=lambda c: c.name)
def test_a_category_is_complete(category: Any) -> None:
    assert category.title and category.description
    assert len(category.tools) >= 8
    assert any(tool.mutates for tool in category.tools.values())
    assert any(not tool.mutates for tool in category.tools.values())


@pytest.mark.parametrize(("category", "tool"), TOOLS, ids=IDS)
def test_schema_is_valid_and_described(category: Any, tool: ToolSpec) -> None:
    jsonschema_rs.meta.validate(tool.schema.parameters)
    assert tool.schema.description.endswith(".")
    properties: Any = tool.schema.parameters["properties"]
    for name, schema in properties.items():
        assert schema.get("description"), f"{tool.name}.{name} needs a line in the docstring"
        assert "type" in schema or "enum" in schema, f"{tool.name}.{name} needs a type"
    assert tool.schema.parameters["additionalProperties"] is False


@lru_cache(maxsize=64)
def values(category: str, seed: int) -> list[JsonValue]:
    """Values that occur in a world, so that generated arguments also get past the first look-up."""
    world = get_category(category).world(seed)
    found: list[JsonValue] = []
    for table in world.tables:
        for row in world.rows(table):
            found += [value for value in row.values() if not isinstance(value, list | dict)]
    return found


@lru_cache(maxsize=2048)
def fitting_values(category: str, seed: int, schema: str) -> list[JsonValue]:
    """Those of them that a schema allows: asked for again in every example of every tool with such a parameter."""
    allows = jsonschema_rs.validator_for(json.loads(schema)).is_valid
    return [value for value in values(category, seed) if allows(value)]


@lru_cache(maxsize=2048)
def argument(category: str, seed: int, schema_text: str) -> st.SearchStrategy[Any]:
    """Mostly values the schema allows, now and then anything."""
    schema = json.loads(schema_text)
    anything = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
    )
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), anything)
    kind = schema.get("type")
    fitting = fitting_values(category, seed, schema_text)
    known = st.sampled_from(fitting) if fitting else anything
    if kind == "integer":
        return st.one_of(known, st.integers(-5, 1000), anything)
    if kind == "number":
        return st.one_of(known, st.floats(-10, 1e9), anything)
    if kind == "array":
        return st.one_of(st.lists(argument(category, seed, json.dumps(schema.get("items", {}))), max_size=3), anything)
    return st.one_of(known, known, anything)


@pytest.mark.parametrize(("category", "tool"), TOOLS, ids=IDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_generated_calls_never_raise_and_failures_change_nothing(category: Any, tool: ToolSpec, data: Any) -> None:
    seed = data.draw(st.integers(0, 5))
    environment = Environment(category.world(seed), category.tools)
    properties: Any = tool.schema.parameters["properties"]
    for index in range(3):
        arguments = {
            name: data.draw(argument(category.name, seed, json.dumps(schema)))
            for name, schema in properties.items()
            if data.draw(st.booleans())
        }
        before = environment.world.snapshot()
        result = environment.step(ToolCall(id=f"call_{index}", name=tool.name, arguments=arguments, raw=""))
        assert result.observation.fault != "tool_bug", f"{tool.name}({arguments}) broke down"
        canonical_json(result.observation.content)
        if not result.observation.ok or not tool.mutates:
            assert environment.world.snapshot() == before
            assert result.before == result.after
            assert result.changes == ()
        canonical_json([dict(row) for table in environment.world.tables for row in environment.world.rows(table)])


@pytest.mark.parametrize("category", categories().values(), ids=lambda c: c.name)
def test_the_hash_is_that_of_the_rows(category: Any) -> None:
    """The running hash equals one computed afresh from the rows, after many random steps."""
    from lamsim_core.environment import World

    environment = Environment(category.world(3), category.tools)
    rng = random.Random(1)
    for index in range(300):
        tool = rng.choice(list(category.tools.values()))
        properties: Any = tool.schema.parameters["properties"]
        arguments = {}
        for name, schema in properties.items():
            fitting = fitting_values(category.name, 3, json.dumps(schema))
            if fitting:
                arguments[name] = rng.choice(fitting)
        environment.step(ToolCall(id=f"call_{index}", name=tool.name, arguments=arguments, raw=""))
    fresh = World(environment.world.now)
    for table in environment.world.tables:
        fresh.add_table(table)
        for row in environment.world.rows(table):
            fresh.insert(table, dict(row))
    assert fresh.state_hash() == environment.world.state_hash()


def test_worlds_are_the_same_in_every_process_and_differ_by_seed(tmp_path: Path) -> None:
    code = (
        "from lamsim_core.tools import categories\n"
        "print([c.world(s).state_hash() for c in categories().values() for s in range(4)])"
    )
    root = Path(__file__).resolve().parents[2]
    results = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }
    assert len(results) == 1
    for category in categories().values():
        assert len({category.world(seed).state_hash() for seed in range(20)}) == 20
