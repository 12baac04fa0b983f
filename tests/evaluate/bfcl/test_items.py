"""The tasks as they are read, and the tools made of them."""

from pathlib import Path

import jsonschema_rs
import pytest

from lamsim_core.evaluate.bfcl.categories import CATEGORIES, GROUPS, expand
from lamsim_core.evaluate.bfcl.items import load_items, spread
from lamsim_core.evaluate.bfcl.schemas import json_schema, offer

SIZES = {
    "simple_python": 400,
    "multiple": 200,
    "parallel": 200,
    "parallel_multiple": 200,
    "irrelevance": 240,
    "live_simple": 258,
    "live_multiple": 1053,
    "live_parallel": 16,
    "live_parallel_multiple": 24,
    "live_irrelevance": 884,
    "live_relevance": 16,
    "multi_turn_base": 200,
    "multi_turn_miss_func": 200,
    "multi_turn_miss_param": 200,
    "multi_turn_long_context": 200,
}


def test_every_category_is_read_whole_and_offered_as_json_schema(pack: Path) -> None:
    assert tuple(SIZES) == CATEGORIES
    for category, size in SIZES.items():
        items = load_items(pack, category)
        assert len(items) == len({item.id for item in items}) == size
        for item in items[::20]:
            for tool in offer(item.functions).tools:
                jsonschema_rs.meta.validate(tool.parameters)
                assert tool.parameters["type"] == "object"


def test_types_are_those_of_json_schema() -> None:
    described = {
        "type": "dict",
        "properties": {
            "a": {"type": "float", "description": "x", "optional": True},
            "b": {"type": "tuple", "items": {"type": "any"}},
            "c": {
                "type": "array",
                "items": {"type": "dict", "properties": {"type": {"type": "string", "enum": ["x"]}}},
            },
        },
        "required": ["a"],
    }
    assert json_schema(described) == {
        "type": "object",
        "properties": {
            "a": {"type": "number", "description": "x"},
            "b": {"type": "array", "items": {}},
            "c": {
                "type": "array",
                "items": {"type": "object", "properties": {"type": {"type": "string", "enum": ["x"]}}},
            },
        },
        "required": ["a"],
    }


def test_names_are_kept_or_made_plain_one_to_one() -> None:
    functions = [
        {"name": name, "description": "", "parameters": {"type": "dict", "properties": {}}}
        for name in ("a.b", "a_b", "a-b", "a b")
    ]
    assert offer(functions).meant == {"a.b": "a.b", "a_b": "a_b", "a-b": "a-b", "a b": "a b"}
    plain = offer(functions, plain_names=True)
    assert plain.meant == {"a_b": "a.b", "a_b_2": "a_b", "a-b": "a-b", "a_b_3": "a b"}
    assert [tool.name for tool in plain.tools] == list(plain.meant)


def test_a_held_back_function_is_handed_over_in_its_turn(pack: Path) -> None:
    for item in load_items(pack, "multi_turn_miss_func")[:20]:
        assert item.conversation is not None
        ((turn, added),) = item.conversation.added.items()
        late = {function["name"] for function in added}
        assert late and not late & {function["name"] for function in item.functions}
        assert [said.content for said in item.turns[turn]] == [
            "I have updated some more functions you can choose from. What about now?"
        ]
        assert len(item.turns) == len(item.conversation.gold)


def test_a_few_tasks_are_spread_over_the_category(pack: Path) -> None:
    items = load_items(pack, "multiple")
    assert [items.index(item) for item in spread(items, 4)] == [0, 50, 100, 150]
    assert spread(items, None) == spread(items, 1000) == items


def test_groups_are_categories() -> None:
    assert expand(("all",)) == CATEGORIES
    assert expand(("parallel", "non_live", "parallel")) == GROUPS["non_live"]
    with pytest.raises(ValueError, match="no category 'simple'; known: simple_python"):
        expand(("simple",))
