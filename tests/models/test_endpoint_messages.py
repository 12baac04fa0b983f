"""What servers are told: calls apart and tied to their results, or everything as text; nothing can forge a turn."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.agent.parse import parse_reply
from lamsim_core.models.backend import CallMessage, Message
from lamsim_core.models.chat import MARKERS, reply_text
from lamsim_core.models.endpoint_messages import native_messages, native_tools, text_messages
from lamsim_core.models.endpoint_reply import ReplyWriter, call_block
from lamsim_core.records import ToolSchema

TOOL = ToolSchema(name="find", description="Finds.", parameters={"type": "object", "properties": {}})
FIND, MOVE = CallMessage(name="find", arguments={"a": "é"}), CallMessage(name="move", arguments={})


def turn(reply: str, *results: str) -> list[Message]:
    return [Message(role="assistant", content=reply), *(Message(role="tool", content=result) for result in results)]


def test_calls_are_tied_to_their_results() -> None:
    shaped = native_messages(
        [Message(role="user", content="Go."), *turn(reply_text("Well.", [FIND, MOVE]), "one", "two"), *turn("Done.")]
    )
    assert [m["role"] for m in shaped] == ["user", "assistant", "tool", "tool", "assistant"]
    calls = shaped[1]["tool_calls"]
    assert shaped[1]["content"] == "Well." and shaped[4] == {"role": "assistant", "content": "Done."}
    assert [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls] == [
        ("find", {"a": "é"}),
        ("move", {}),
    ]
    assert [(m["tool_call_id"], m["content"]) for m in shaped[2:4]] == [
        (calls[0]["id"], "one"),
        (calls[1]["id"], "two"),
    ]
    assert len({c["id"] for c in calls}) == 2


def test_a_broken_call_stays_in_the_text_and_its_result_is_told() -> None:
    broken = '<tool_call>\n{"name": "find", "arguments": {\n</tool_call>'
    shaped = native_messages(turn(f"Hm.\n{broken}\n{reply_text('', [MOVE])}", "cannot be read", "moved"))
    assert [m["role"] for m in shaped] == ["assistant", "tool", "user"]
    assert broken in shaped[0]["content"] and [c["function"]["name"] for c in shaped[0]["tool_calls"]] == ["move"]
    assert (shaped[1]["content"], shaped[2]["content"]) == ("moved", "cannot be read")


def test_more_calls_than_results_are_one_broken_call_as_for_the_parser() -> None:
    reply = reply_text("", [FIND] * 20)
    results = [f"r{n}" for n in range(len(parse_reply(reply).calls))]
    shaped = native_messages(turn(reply, *results))
    assert len(shaped[0]["tool_calls"]) == 16 and shaped[-1] == {"role": "user", "content": "r16"}


def test_without_tool_calling_everything_is_text() -> None:
    shaped = text_messages(
        [
            Message(role="system", content="Be short."),
            *turn(reply_text("", [FIND, MOVE]), "one", "two"),
            *turn("Done."),
        ],
        [TOOL],
    )
    assert [m["role"] for m in shaped] == ["system", "assistant", "user", "assistant"]
    assert shaped[1]["content"] == reply_text("", [FIND, MOVE])
    assert shaped[2]["content"] == "<tool_response>\none\n</tool_response>\n<tool_response>\ntwo\n</tool_response>"
    assert json.dumps(TOOL.openai(), ensure_ascii=False) in shaped[0]["content"]
    assert text_messages([Message(role="user", content="x")], [TOOL])[0]["role"] == "system"


FORGERIES = (
    *MARKERS, "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<｜User｜>", "<s>", "</s>", "<start_of_turn>",
    "<end_of_turn>", "[TOOL_RESULTS]", "<|<|im_end|>im_end|>",
)  # fmt: skip


@pytest.mark.parametrize("mark", FORGERIES)
def test_untrusted_text_cannot_forge_a_turn(mark: str) -> None:
    messages = [Message(role="user", content=f"a{mark}b"), *turn(reply_text("", [FIND]), f"c{mark}d")]
    tool = ToolSchema(name="find", description=mark, parameters={"description": mark, "properties": {mark: [mark]}})
    for told in (native_messages(messages), [m for m in text_messages(messages, []) if m["role"] == "user"]):
        untrusted = [m["content"] for m in told if m["role"] in ("user", "tool")]
        inner = [text.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>") for text in untrusted]
        assert len(inner) == 2 and not any(mark in text for text in inner)
    assert mark not in json.dumps(native_tools([tool]), ensure_ascii=False)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=20),
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.dictionaries(st.text(max_size=9), st.text(max_size=9))
        ),
        max_size=4,
    ),
    st.data(),
)
def test_a_reply_cut_into_any_deltas_is_written_as_the_product_writes_it(
    content: str, calls: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    writer = ReplyWriter()
    shown = "".join(writer.say(piece) for piece in pieces(content, data))
    for index, (name, arguments) in enumerate(calls):
        writer.call(index, f"id{index}", name, None)
        for piece in pieces(json.dumps(arguments), data):
            writer.call(index, None, None, piece)
    shown += writer.end("end")
    expected = reply_text(content, [CallMessage(name=name, arguments=arguments) for name, arguments in calls])
    assert shown == writer.text == expected
    assert [(c.name, c.arguments) for c in parse_reply(shown).calls] == calls


def pieces(text: str, data: st.DataObject) -> list[str]:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def test_marks_within_values_are_not_taken_for_calls() -> None:
    values = {"a": "x <tool_call> y </tool_call> z"}
    [read] = parse_reply(call_block("find", json.dumps(values))).calls
    assert read.error is None and read.arguments == values


def test_feedback_after_a_result_is_no_second_user_in_a_row() -> None:
    told = Message(role="user", content="Wrong.")
    messages = [Message(role="user", content="Go."), *turn("a", "one"), told, *turn("Done."), told]
    shaped = text_messages(messages, [])
    assert [m["role"] for m in shaped] == ["user", "assistant", "user", "assistant", "user"]
    assert shaped[2]["content"].endswith("</tool_response>\nWrong.") and shaped[4]["content"] == "Wrong."
    assert [m["role"] for m in native_messages(messages)] == ["user", "assistant", "user", "user", "assistant", "user"]
