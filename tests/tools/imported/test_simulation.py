"""Simulated answers: of the schema, small, the same everywhere; changes leave a row, reading leaves none."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lamsim_core.canonical import canonical_json
from lamsim_core.environment import Environment
from lamsim_core.environment.environment import Transition
from lamsim_core.records import ToolCall
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.tools.category import Category
from lamsim_core.tools.imported import import_openapi, imported_categories, world_of
from lamsim_core.tools.imported.schemas import read_schema
from lamsim_core.tools.imported.simulate import Answers
from lamsim_core.tools.imported.worlds import to_category
from tests.tools.imported.sources import PETS, TOOLS, of, tools


@pytest.fixture
def pets(home: Settings) -> Category:
    return import_openapi(home, "pets", "Pets", PETS)


def step(environment: Environment, tool: str, **arguments: Any) -> Transition:
    return environment.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def test_reading_answers_of_the_schema_and_leaves_no_trace(pets: Category) -> None:
    environment = Environment(world_of(pets, 1), pets.tools)
    found = step(environment, "pets_listPets", status="sold")
    listed: Any = found.observation.content
    assert found.observation.ok and 1 <= len(listed) <= 5
    assert {pet["status"] for pet in listed} == {"sold"}, "what was asked for comes back"
    assert all(isinstance(pet["id"], int) and "@example.com" in pet["owner"]["mail"] for pet in listed)
    assert found.before == found.after and found.changes == ()
    one: Any = step(environment, "pets_get_pets_id", petId=7).observation.content
    assert one["id"] == 7 and one["owner"]["id"] != 7
    assert step(environment, "pets_get_pets_id", petId=7.0).observation.content == one


def test_changing_leaves_a_row_with_name_and_arguments(pets: Category) -> None:
    environment = Environment(world_of(pets, 1), pets.tools)
    found = step(environment, "pets_addPet", name="Miri", price=3.5)
    (change,) = found.changes
    assert change.table == "pets_calls" and change.before is None
    assert change.after == {"id": change.id, "tool": "pets_addPet", "arguments": {"name": "Miri", "price": 3.5}}
    assert found.before != found.after
    assert found.observation.content["name"] == "Miri"  # type: ignore[index, call-overload]
    assert step(environment, "pets_removePet", petId=1).observation.content == {"removed": True}, "the source's example"
    assert len(environment.net_changes()) == 2


def test_only_what_was_asked_for_comes_back(pets: Category) -> None:
    thing = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
    schema = {"type": "object", "properties": {**thing["properties"], "maker": thing, "parts": {"items": thing}}}  # type: ignore[dict-item]
    now = world_of(pets, 0).now
    found: Any = Answers(1, now, {"pet_id": 7777, "name": "Rex"}).answer(schema, ())
    assert (found["id"], found["name"]) == (7777, "Rex")
    assert found["maker"]["id"] != 7777 and {part["name"] for part in found["parts"]}.isdisjoint({"Rex"})
    order = {"type": "object", "properties": {"id": {"type": "integer"}, "petId": {"type": "integer"}}}
    ordered: Any = Answers(1, now, {"petId": 7777}).answer(order, ())
    assert ordered["petId"] == 7777 != ordered["id"], "the order has an id of its own"
    assert isinstance(Answers(1, now, {"id": "text"}).answer(order, ())["id"], int), "not of the right type"  # type: ignore[index, call-overload]


def test_wrong_arguments_change_nothing(pets: Category) -> None:
    environment = Environment(world_of(pets, 1), pets.tools)
    for wrong in ({}, {"name": ""}, {"name": 1}, {"name": "a", "colour": "red"}, {"name": "a", "price": 0}):
        found = step(environment, "pets_addPet", **wrong)
        assert found.observation.fault == "invalid_arguments" and found.before == found.after


def test_worlds_differ_by_seed_and_answers_with_them(pets: Category) -> None:
    assert len({world_of(pets, seed).state_hash() for seed in range(20)}) == 20
    answers = {
        canonical_json(
            step(Environment(world_of(pets, s), pets.tools), "pets_get_pets_id", petId=1).observation.content
        )
        for s in range(10)
    }
    assert len(answers) == 10
    assert world_of(pets, 3).tables == ("pets_seed", "pets_calls")


SCRIPT = """
import json, sys
from lamsim_core.tools import category
from lamsim_core.environment import Environment
from lamsim_core.records import ToolCall
from lamsim_core.settings import get_settings
from lamsim_core.tools.imported import imported_categories, world_of
found = []
for name, each in imported_categories(get_settings()).categories.items():
    environment = Environment(world_of(each, 5), each.tools)
    for tool, arguments in json.loads(sys.argv[1]):
        if tool in each.tools:
            step = environment.step(ToolCall(id="c", name=tool, arguments=arguments, raw=""))
            found.append([tool, step.observation.model_dump(mode="json"), step.after])
print(json.dumps(found))
"""


def elsewhere(settings: Settings, calls: list[Any], hash_seed: str) -> str:
    """What calls answer in a process of their own."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(calls)],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": str(REPOSITORY),
            "LAMSIM_HOME": str(settings.home),
        },
    ).stdout


def test_answers_are_the_same_in_every_process(home: Settings, pets: Category) -> None:
    calls: list[Any] = [
        ["pets_listPets", {}],
        ["pets_addPet", {"name": "a"}],
        ["pets_get_pets_id", {"petId": 3}],
        ["pets_addPet", {"name": "a"}],
    ]
    results = {elsewhere(home, calls, seed) for seed in ("0", "4242")}
    environment = Environment(world_of(pets, 5), pets.tools)
    here = []
    for tool, arguments in calls:
        done = step(environment, tool, **arguments)
        here.append([tool, done.observation.model_dump(mode="json"), done.after])
    assert [json.loads(result) for result in results] == [here]


ANSWERS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 5, "maximum": 6}}, "required": ["a"]},
    {"type": "array", "items": {"type": "string", "minLength": 30, "maxLength": 40}, "minItems": 2},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "multipleOf": 7},
    {"type": "integer", "maximum": -5},
    {"type": ["null", "string"], "format": "date"},
    {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
    {"allOf": [of(a={"const": 1}), of(b={"enum": ["x", "y"]})]},
    {"oneOf": [{**of(a={"type": "string"}), "required": ["a"]}, {**of(b={}), "required": ["b"]}], "type": "object"},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"items": {"format": "uuid"}, "maxItems": 0},
    {"type": "string", "enum": ["only"]},
    {},
]


@pytest.mark.parametrize("schema", ANSWERS, ids=str)
def test_answers_keep_to_their_schema(pets: Category, schema: dict[str, Any]) -> None:
    world = world_of(pets, 0)
    for seed in range(30):
        value = Answers(seed, world.now, {}).answer(schema, ())
        assert jsonschema_rs.is_valid(schema, value), value


def test_answers_are_small_whatever_the_schema(pets: Category) -> None:
    wide: dict[str, Any] = {"type": "string"}
    for _ in range(5):
        wide = {"type": "array", "minItems": 5, "items": of(**{f"p{i}": wide for i in range(4)})}
    value = Answers(1, world_of(pets, 0).now, {}).answer(read_schema(wide, wide, "It", cut=True), ())
    assert len(canonical_json(value)) < 20_000


schemas = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["string", "integer", "number", "boolean", "null", "array", "object", ["null", "integer"]]
            ),
            "minimum": st.floats(-1e300, 1e300) | st.integers(-100, 100),
            "maximum": st.floats(-1e300, 1e300) | st.integers(-100, 100),
            "exclusiveMinimum": st.integers(-5, 5),
            "multipleOf": st.floats(1e-300, 1e300, exclude_min=True),
            "minLength": st.integers(0, 10**9),
            "maxLength": st.integers(0, 10**9),
            "minItems": st.integers(0, 10**9),
            "maxItems": st.integers(0, 3),
            "enum": st.lists(
                st.none() | st.integers(-3, 3) | st.text("ab", max_size=3), min_size=1, max_size=3, unique=True
            ),
            "pattern": st.sampled_from(["^a+$", "[0-9]{3}", "."]),
            "format": st.sampled_from(["date", "uuid", "nonsense"]),
            "default": st.none() | st.integers(0, 3),
        },
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.sampled_from(["a", "id", "name"]), inner, max_size=3),
            }
        ),
        st.fixed_dictionaries({"items": inner, "uniqueItems": st.booleans()}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=3), "additionalProperties": inner}),
    ),
    max_leaves=8,
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@examples(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(schema=schemas, answer=schemas, value=anything, mutates=st.booleans())
def test_generated_schemas_and_arguments_never_raise(
    home: Settings, schema: Any, answer: Any, value: Any, mutates: bool
) -> None:
    from lamsim_core.tools.imported.names import named_tools
    from lamsim_core.tools.imported.openapi import read_definitions
    from lamsim_core.tools.imported.records import ImportedCategory

    text = tools(of(a=schema, world=schema, self={}), outputSchema=answer, mutates=mutates)
    named = named_tools("pets", read_definitions(text).tools)
    record = ImportedCategory(name="pets", title="P", description="P", source="tools", created="", tools=named)
    category = to_category(record)
    environment = Environment(world_of(category, 0), category.tools)
    for arguments in ({"a": value}, {"world": value, "self": value}, {}, {"other": value}):
        before = environment.world.snapshot()
        done = step_any(environment, "pets_look_up", arguments)
        assert done.observation.fault in (None, "invalid_arguments")
        assert len(canonical_json(done.observation.content)) < 60_000
        if not mutates:
            assert environment.world.snapshot() == before


def step_any(environment: Environment, tool: str, arguments: dict[str, Any]) -> Transition:
    return environment.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def test_a_damaged_file_is_reported_and_the_others_stay(home: Settings, pets: Category) -> None:
    import_openapi(home, "rooms", "Rooms", json.dumps(TOOLS))
    path = home.home / "tools" / "pets.json"
    whole = path.read_bytes()
    raw = json.loads(whole)
    edited = {**raw, "category": {**raw["category"], "title": "Edited"}}
    for damaged in (
        b"",
        whole[:-1],
        whole[: len(whole) // 2],
        whole.replace(b"sold", b"gone"),
        json.dumps(edited).encode(),
        b"[]",
        b"\xff",
    ):
        path.write_bytes(damaged)
        found = imported_categories(home)
        assert list(found.categories) == ["rooms"]
        (problem,) = found.problems
        assert "pets.json is damaged" in problem and "import it again" in problem
    path.write_bytes(whole)
    assert list(imported_categories(home).categories) == ["pets", "rooms"]
    (home.home / "tools" / "Not A Name.json").write_bytes(whole)
    (home.home / "tools" / "other.json").write_bytes(whole)
    assert len(imported_categories(home).problems) == 2


def test_a_forged_file_brings_in_nothing_an_import_could_not(home: Settings, pets: Category) -> None:
    """Even with the right hash, a schema that would be fetched, or a name without the prefix, is left out."""
    from lamsim_core.canonical import content_hash

    path: Path = home.home / "tools" / "pets.json"
    raw = json.loads(path.read_text())
    for change in (
        {"parameters": {"$ref": "http://127.0.0.1:1/x"}},
        {"name": "transfer_money"},
        {"name": "pets_../x"},
        {"description": "\x1b[2J"},
    ):
        content = json.loads(json.dumps(raw["category"]))
        content["tools"][0]["tool"].update(change)
        path.write_text(json.dumps({"hash": content_hash(content), "category": content}))
        found = imported_categories(home)
        assert found.categories == {} and len(found.problems) == 1
