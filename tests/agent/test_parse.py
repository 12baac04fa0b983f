import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamsim_core.agent.parse import MAX_CALLS, parse_reply
from lamsim_core.agent.prompt import call_text
from lamsim_core.records import GoldCall

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_letters, max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=8), json_values, max_size=4))
def test_what_is_written_is_read_again(arguments: dict[str, object]) -> None:
    text = call_text(GoldCall(name="a_tool", arguments=arguments))  # type: ignore[arg-type]
    if any(mark in json.dumps(arguments) for mark in ("<tool_call>", "</tool_call>")):
        return
    parsed = parse_reply(text)
    assert parsed.content == ""
    assert [(c.name, c.arguments, c.error) for c in parsed.calls] == [("a_tool", arguments, None)]


def test_text_beside_several_calls() -> None:
    text = 'First.\n<tool_call>{"name": "a", "arguments": {"x": 1}}</tool_call> then <tool_call>{"name": "b"}</tool_call> end'
    parsed = parse_reply(text, first_index=3)
    assert parsed.content == "First.\n then  end"
    assert [(c.id, c.name, c.arguments) for c in parsed.calls] == [("call_3", "a", {"x": 1}), ("call_4", "b", {})]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"name": "a", "arguments": {"x": 1}', "not valid JSON"),
        ("[1, 2]", "must be a JSON object"),
        ('{"arguments": {}}', 'no "name"'),
        ('{"name": "", "arguments": {}}', 'no "name"'),
        ('{"name": 3, "arguments": {}}', 'no "name"'),
        ('{"name": "a", "arguments": "x"}', '"arguments" must be'),
        ('{"name": "a", "arguments": {"x": NaN}}', "NaN is not"),
        ('{"name": "a", "arguments": {"x": 1e999}}', "too large"),
        ('{"name": "a", "arguments": {"x": 1, "x": 2}}', "given twice"),
        ('{"name": "a", "arguments": {}, "extra": 1}', "keys beside"),
        ('{"name": "a", "arguments": ' + '{"a":' * 60 + "1" + "}" * 60 + "}", "deep"),
        ('{"name": "a", "arguments": {"x": ' + "9" * 6000 + "}}", "not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_a_broken_call_says_why_and_spares_its_neighbour(body: str, reason: str) -> None:
    good = '<tool_call>{"name": "b", "arguments": {}}</tool_call>'
    first, second = parse_reply(f"<tool_call>{body}</tool_call>{good}").calls
    assert first.error is not None and reason in first.error
    assert first.name == "" and first.arguments == {}
    assert second.error is None and second.name == "b"


def test_a_flood_of_calls_is_cut() -> None:
    calls = parse_reply('<tool_call>{"name": "b"}</tool_call>' * 1000).calls
    assert len(calls) == MAX_CALLS + 1
    assert calls[-1].error is not None and "1000" in calls[-1].error


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    parse_reply(text)
    parse_reply(f"<tool_call>{text}</tool_call>")
