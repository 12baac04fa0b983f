"""Every format is read back the way its reader reads it, and nothing said or called is missing."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.curate.datasets import FORMS, Form, export, export_lines, freeze, load_rows
from lamsim_core.curate.export import NEXT_RESULT
from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.records import Selection
from lamsim_core.store import Store
from tests.curate.attempts import attempt, clumsy, row_of, tasks

Row = dict[str, Any]
TOOL = {"type": "function", "function": {"name": "find", "description": "Finds.", "parameters": {"type": "object"}}}


def call(name: str, **arguments: Any) -> Row:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def row(*messages: Row) -> Row:
    opening = [{"role": "system", "content": "Act."}, {"role": "user", "content": "Find it – ü 漢字."}]
    return {"messages": [*opening, *messages], "tools": [TOOL], "trajectory": "trj_x", "template": "a.b"}


THOUGHT_AND_CALL = row(
    {"role": "assistant", "content": "First I look.", "tool_calls": [call("find", what='a "quoted"\n line', n=1.5)]},
    {"role": "tool", "name": "find", "content": '[{"id": "e1"}]'},
    {"role": "assistant", "content": "It is e1."},
)
TWO_AT_ONCE = row(
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [call("find", what="a"), call("find", what="b", deep={"x": [1, None]})],
    },
    {"role": "tool", "name": "find", "content": "1"},
    {"role": "tool", "name": "find", "content": "2"},
    {"role": "assistant", "content": "", "tool_calls": [call("find")]},
    {"role": "tool", "name": "find", "content": "3"},
    {"role": "assistant", "content": "Done: 漢字."},
)
ALREADY_THINKS = row(
    {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nI look.", "tool_calls": [call("find", what="x")]},
    {"role": "tool", "name": "find", "content": "null"},
    {"role": "assistant", "content": "Nothing."},
)
BROKEN_CALL = row(
    {"role": "assistant", "content": '<tool_call>\n{"name": \n</tool_call>', "weight": 0},
    {"role": "tool", "content": '{"error": "not JSON"}'},
    {"role": "assistant", "content": "Sorry."},
)
ROWS = [THOUGHT_AND_CALL, TWO_AT_ONCE, ALREADY_THINKS, BROKEN_CALL]


def lines(rows: list[Row], form: Form) -> list[Row]:
    return [json.loads(line) for line in export_lines(rows, form)]


def said_and_called(source: Row) -> list[tuple[str, list[Row]]]:
    """What the agent said and called, turn by turn: what no export may lose."""
    return [
        (_bare(message["content"]), [each["function"] for each in message.get("tool_calls", [])])
        for message in source["messages"]
        if message["role"] == "assistant"
    ]


def _bare(text: str) -> str:
    return re.sub(r"</?think>", "", text).strip()


def test_trl_is_the_row_without_our_own_keys() -> None:
    for source, read in zip(ROWS, lines(ROWS, "trl"), strict=True):
        assert read == {"messages": source["messages"], "tools": source["tools"]}


def from_openai(exported: Row) -> list[tuple[str, list[Row]]]:
    found = []
    for message in exported["messages"]:
        if message["role"] == "assistant":
            calls = [each["function"] for each in message.get("tool_calls", [])]
            assert all(isinstance(each["arguments"], str) for each in calls)
            found.append(
                (_bare(message["content"]), [{**each, "arguments": json.loads(each["arguments"])} for each in calls])
            )
    return found


def test_openai_keeps_thoughts_and_calls_and_ties_each_result_to_its_call() -> None:
    for source, read in zip(ROWS, lines(ROWS, "openai"), strict=True):
        assert from_openai(read) == said_and_called(source)
        assert read["tools"] == source["tools"]
    two = lines([TWO_AT_ONCE], "openai")[0]["messages"]
    made = [each["id"] for message in two for each in message.get("tool_calls", [])]
    answered = [message["tool_call_id"] for message in two if message["role"] == "tool"]
    assert made == answered and len(set(made)) == 3
    assert [message["content"] for message in two if message["role"] == "tool"] == ["1", "2", "3"]


def test_openai_says_what_is_not_to_be_trained_on_and_leaves_no_result_without_a_call() -> None:
    broken = lines([BROKEN_CALL], "openai")[0]["messages"]
    assert [message.get("weight") for message in broken if message["role"] == "assistant"] == [0, None]
    assert [message["role"] for message in broken] == ["system", "user", "assistant", "user", "assistant"]
    for exported in lines(ROWS, "openai"):
        open_calls: set[str] = set()
        for message in exported["messages"]:
            open_calls |= {each["id"] for each in message.get("tool_calls", [])}
            if message["role"] == "tool":
                open_calls.remove(message["tool_call_id"])


def from_sharegpt(exported: Row) -> list[tuple[str, list[Row]]]:
    """As LLaMA-Factory reads it: places checked by its converter, function_call split by its formatter."""
    turns = exported["conversations"]
    assert len(turns) % 2 == 0, "an odd number of turns is skipped as broken"
    found = []
    for place, turn in enumerate(turns):
        assert turn["from"] in (("human", "observation"), ("gpt", "function_call"))[place % 2]
        value = turn["value"]
        if turn["from"] == "function_call":
            for words in (("<think>", "</think>"), ("<think>\n", "\n</think>\n\n")):
                thought = re.search(rf"{re.escape(words[0])}(.*?){re.escape(words[1])}", value, re.DOTALL)
                calls = json.loads(value.replace(thought.group(0), "") if thought else value)
            found.append((thought.group(1).strip() if thought else "", calls if isinstance(calls, list) else [calls]))
        elif turn["from"] == "gpt":
            found.append((_bare(value), []))
    return found


def test_sharegpt_keeps_thoughts_and_calls_and_the_odd_even_rule() -> None:
    for source, read in zip(ROWS, lines(ROWS, "sharegpt"), strict=True):
        assert from_sharegpt(read) == said_and_called(source)
        assert read["system"] == "Act."
        assert json.loads(read["tools"]) == [TOOL["function"]]
    observed = [
        turn["value"] for turn in lines([TWO_AT_ONCE], "sharegpt")[0]["conversations"] if turn["from"] == "observation"
    ]
    assert observed == ["1\n</tool_response>\n<tool_response>\n2", "3"]


def test_sharegpt_leaves_out_a_last_result_that_nobody_answered() -> None:
    unfinished = {**TWO_AT_ONCE, "messages": TWO_AT_ONCE["messages"][:-1]}
    assert from_sharegpt(lines([unfinished], "sharegpt")[0]) == said_and_called(unfinished)


def test_a_row_that_does_not_fit_sharegpt_is_refused_not_skipped() -> None:
    odd = row({"role": "assistant", "content": "One."}, {"role": "assistant", "content": "Two."})
    with pytest.raises(InvalidInputError, match=r"its message 3 is 'gpt' where human or observation must stand"):
        lines([odd], "sharegpt")


words = st.text(st.characters(codec="utf-8"), max_size=30)
arguments = st.dictionaries(
    words, st.recursive(st.none() | st.booleans() | st.integers() | words, st.lists, max_leaves=5), max_size=4
)
calls = st.lists(
    st.builds(lambda name, given: {"function": {"name": name, "arguments": given}}, words, arguments), max_size=3
)


@given(st.lists(st.tuples(words, calls), min_size=1, max_size=4), words)
def test_nothing_said_or_called_is_lost_whatever_it_is(turns: list[tuple[str, list[Row]]], closing: str) -> None:
    messages: list[Row] = []
    for text, made in turns:
        messages.append({"role": "assistant", "content": text, **({"tool_calls": made} if made else {})})
        messages += [{"role": "tool", "content": "ok"} for _ in range(max(1, len(made)))]
    source = row(*messages, {"role": "assistant", "content": closing})
    for form, read in (("openai", from_openai), ("sharegpt", from_sharegpt)):
        assert read(lines([source], form)[0]) == said_and_called(source)  # type: ignore[arg-type]


def test_real_trajectories_survive_every_form(store: Store, tmp_path: Path) -> None:
    for task in tasks(3):
        store.add(attempt(task))
        store.add(clumsy(task).model_copy(update={"attempt": 1}))
    dataset = freeze(store, "real", Selection(max_errors=None))
    rows = load_rows(store.settings, dataset.id)
    assert len(rows) == 6
    readers: dict[Form, Any] = {"trl": said_and_called, "openai": from_openai, "sharegpt": from_sharegpt}
    for form in FORMS:
        target = export(store.settings, dataset.id, tmp_path / f"{form}.jsonl", form)
        exported = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
        assert [readers[form](each) for each in exported] == [said_and_called(each) for each in rows]
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["openai.jsonl", "sharegpt.jsonl", "trl.jsonl"]
    assert not list(tmp_path.glob(".*"))


def test_files_that_cannot_be_written_and_unknown_forms_are_refused(store: Store, tmp_path: Path) -> None:
    store.add(attempt(tasks(1)[0]))
    dataset = freeze(store, "real", Selection(), to_row=row_of)
    with pytest.raises(InvalidInputError, match="cannot be written: No such file"):
        export(store.settings, dataset.id, tmp_path / "absent" / "x.jsonl", "trl")
    with pytest.raises(InvalidInputError, match="cannot be written"):
        export(store.settings, dataset.id, tmp_path, "trl")
    with pytest.raises(InvalidInputError, match="exported as trl, openai, sharegpt, not as 'parquet'"):
        export(store.settings, dataset.id, tmp_path / "x", "parquet")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        export(store.settings, "../x", tmp_path / "x", "trl")
    assert get_args(Form) == FORMS


def test_feedback_after_a_result_is_exported_with_it() -> None:
    made = {"type": "function", "function": {"name": "find", "arguments": {}}}
    messages: list[Row] = [
        {"role": "system", "content": "Act."},
        {"role": "user", "content": "Find it."},
        {"role": "assistant", "content": "Done.", "weight": 0},
        {"role": "user", "content": "Not met yet."},
        {"role": "assistant", "content": "", "tool_calls": [made], "weight": 0},
        {"role": "tool", "content": "[]"},
        {"role": "user", "content": "Wrong."},
        {"role": "assistant", "content": "Really done."},
    ]
    (read,) = lines([{"messages": messages, "tools": []}], "sharegpt")
    turns = [(turn["from"], turn["value"]) for turn in read["conversations"]]
    assert turns[1:3] == [("gpt", "Done."), ("human", "Not met yet.")]
    assert turns[4] == ("observation", f"[]{NEXT_RESULT}Wrong.") and turns[5] == ("gpt", "Really done.")
    (kept,) = lines([{"messages": messages, "tools": []}], "openai")
    assert [message["role"] for message in kept["messages"]] == [message["role"] for message in messages]


LOOKED: list[Row] = [*row()["messages"], *THOUGHT_AND_CALL["messages"][2:4]]
SAYS = {"role": "assistant", "content": "It is e1."}
CALLS = {"role": "assistant", "content": "", "tool_calls": [call("find", what="b", n=2)]}
PAIR: Row = {"prompt": LOOKED, "chosen": [SAYS], "rejected": [CALLS], "tools": [TOOL], "kind": "stop", "reason": "x"}
LABEL: Row = {"prompt": LOOKED, "completion": [CALLS], "label": False, "tools": [TOOL], "reason": "x"}


def exported(one: Row, form: Form) -> Row:
    (line,) = export_lines([one], form)
    made: Row = json.loads(line)
    return made


def test_pairs_and_labels_are_exported_as_each_program_reads_them() -> None:
    assert exported(PAIR, "trl") == {key: PAIR[key] for key in ("prompt", "chosen", "rejected", "tools")}
    assert exported(LABEL, "trl") == {key: LABEL[key] for key in ("prompt", "completion", "label", "tools")}
    preferred = exported(PAIR, "openai")
    assert [message["role"] for message in preferred["input"]["messages"]] == ["system", "user", "assistant", "tool"]
    assert preferred["input"]["tools"] == [TOOL] and preferred["preferred_output"] == [SAYS]
    (worse,) = preferred["non_preferred_output"]
    assert worse["tool_calls"][0]["id"] == "call_1"
    assert json.loads(worse["tool_calls"][0]["function"]["arguments"]) == {"what": "b", "n": 2}
    ranked = exported(PAIR, "sharegpt")
    assert [turn["from"] for turn in ranked["conversations"]] == ["human", "function_call", "observation"]
    assert ranked["chosen"] == {"from": "gpt", "value": "It is e1."}
    assert ranked["rejected"]["from"] == "function_call"
    assert json.loads(ranked["rejected"]["value"]) == {"name": "find", "arguments": {"what": "b", "n": 2}}
    tagged = exported(LABEL, "sharegpt")
    assert tagged["kto_tag"] is False and tagged["conversations"][-1]["from"] == "function_call"
    with pytest.raises(InvalidInputError, match="Labels have no form at OpenAI"):
        exported(LABEL, "openai")
