"""A call put together by hand says exactly what was entered."""

import pytest

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import ToolSchema
from lamsim_core.ui.arguments import call_from

TOOL = ToolSchema(
    name="book",
    description="Book something.",
    parameters={
        "type": "object",
        "properties": {
            "what": {"type": "string"},
            "count": {"type": "integer"},
            "price": {"type": "number"},
            "urgent": {"type": "boolean"},
            "size": {"type": "string", "enum": ["s", "m"]},
            "guests": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["what"],
    },
)


def test_every_type_arrives_as_itself() -> None:
    entered = {"what": "tea", "count": 2, "price": 1.5, "urgent": "false", "size": "m", "guests": '["Ann", "Bo"]'}
    assert call_from(TOOL, entered).arguments == {
        "what": "tea",
        "count": 2,
        "price": 1.5,
        "urgent": False,
        "size": "m",
        "guests": ["Ann", "Bo"],
    }


def test_what_was_not_entered_is_left_out_even_when_it_is_required() -> None:
    assert call_from(TOOL, dict.fromkeys(("what", "count", "urgent"))).arguments == {}


@pytest.mark.parametrize("text", ["[1,", "NaN", "Ann, Bo", "[" * 100_000])
def test_a_list_that_is_not_json_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r'guests has to be JSON, for example \["a", "b"\]'):
        call_from(TOOL, {"guests": text})


def test_a_value_that_may_be_null_is_entered_like_one_that_may_not() -> None:
    schemas = {
        "born": {"type": ["string", "null"]},
        "age": {"type": ["null", "integer"]},
        "any": {"type": ["string", "array"]},
    }
    tool = ToolSchema(name="add", description="Add.", parameters={"type": "object", "properties": schemas})
    entered = {"born": "2026-01-02", "age": 3, "any": '["a"]'}
    assert call_from(tool, entered).arguments == {"born": "2026-01-02", "age": 3, "any": ["a"]}


def test_a_tool_without_parameters_is_called_without() -> None:
    tool = ToolSchema(name="now", description="The time.", parameters={"type": "object"})
    assert call_from(tool, {}).arguments == {}
