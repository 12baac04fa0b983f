"""Two messages side by side: what differs is marked, what is the same is not, and hostile words stay words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from lamsim_core.ui.pair_view import lines_of, marked
from tests.ui.test_draw import HOSTILE, specials

LINES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6)


def test_a_call_is_a_line_for_the_tool_and_one_for_each_argument() -> None:
    call = {"function": {"name": "find", "arguments": {"title": "Lunch", "day": {"b": 1, "a": [2]}}}}
    said = {"role": "assistant", "content": "I look.\n\nNow.", "tool_calls": [call]}
    assert lines_of(said) == ["I look.", "Now.", "Calls find", 'day = {"a": [2], "b": 1}', 'title = "Lunch"']
    assert lines_of({"role": "assistant", "content": ""}) == ["(says nothing)"]


def test_only_what_differs_is_marked() -> None:
    one, other = ["Calls move", 'start = "9:00"', 'to = "x"'], ["Calls move", 'start = "8:00"', 'to = "x"', "more = 1"]
    assert marked(one, other) == (frozenset({1}), frozenset({1, 3}))


@given(LINES, LINES)
def test_what_is_not_marked_is_the_same_on_both_sides(one: list[str], other: list[str]) -> None:
    left, right = marked(one, other)
    same = [line for place, line in enumerate(one) if place not in left]
    assert same == [line for place, line in enumerate(other) if place not in right]
    assert marked(one, one) == (frozenset(), frozenset())


def _draw(text: str) -> None:
    from lamsim_core.ui import draw

    draw.untrusted_lines([(text, "red"), (text, None)])


@pytest.mark.parametrize("text", HOSTILE)
def test_marked_lines_leave_nothing_for_markdown_to_read(text: str) -> None:
    app = AppTest.from_function(_draw, args=(text,)).run()
    (drawn,) = (element.value for element in app.markdown)
    first, second = drawn.split("  \n")
    inner = re.fullmatch(r":red-background\[(.*)\]", first, re.DOTALL)
    assert inner is not None and inner[1] == second and specials(second) == []
