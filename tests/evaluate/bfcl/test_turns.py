"""Conversations: references pass, doing nothing and leaving a call out do not, and no text reaches beyond the table."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.evaluate.bfcl.environments import Environment
from lamsim_core.evaluate.bfcl.items import Conversation, Item, load_items
from lamsim_core.evaluate.bfcl.proof import prove_turns
from lamsim_core.evaluate.bfcl.turns import GoldCall, Match, read_gold


@pytest.fixture(scope="module")
def files(pack: Path) -> Conversation:
    """A conversation about a file system: document/ with two reports in it."""
    return conversation(load_items(pack, "multi_turn_base")[0])


def conversation(item: Item) -> Conversation:
    assert item.conversation is not None
    return item.conversation


def test_references_pass_and_nothing_less_does(pack: Path) -> None:
    found = prove_turns(pack, every=20, drops=2)
    assert found.ok and found.tasks == found.gold_passed == 40
    assert found.nothing_passed == 0 and found.caught + found.spared == found.dropped == 80
    assert found.spared <= 2


@pytest.mark.parametrize(
    "name",
    [
        "__init__",
        "_load_scenario",
        "__class__",
        "eval",
        "nothing",
        "",
        "root",
        "cd.__globals__",
        "_navigate_to_directory",
    ],
)
def test_only_public_methods_can_be_called(pack: Path, files: Conversation, name: str) -> None:
    environment = Environment(pack, files)
    before = environment.state()
    assert environment.call(name, {}) == f"Error during execution: name {name!r} is not defined"
    assert environment.state() == before


def test_a_call_is_carried_out_and_its_error_is_told(pack: Path, files: Conversation) -> None:
    environment = Environment(pack, files)
    assert environment.call("cd", {"folder": "document"}) == '{"current_working_directory": "document"}'
    assert "final_report.pdf" in environment.call("ls", {})
    assert "unexpected keyword" in environment.call("cd", {"where": "x"})
    assert "No such" in environment.call("cd", {"folder": "nowhere"})
    assert str(files.initial) == str(conversation(load_items(pack, "multi_turn_base")[0]).initial), "objects get copies"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("power", {"base": 10, "exponent": 10**9}),
        ("power", {"base": 10**4000, "exponent": 2}),
        ("logarithm", {"value": 2, "base": 3, "precision": 10**8}),
        ("sum_values", {"numbers": [1, 10**4000]}),
    ],
)
def test_numbers_that_would_take_for_ever_are_refused(
    pack: Path, files: Conversation, name: str, arguments: dict[str, Any]
) -> None:
    environment = Environment(pack, replace(files, classes=("MathAPI",)))
    assert environment.call(name, arguments).endswith("a number in this call is too large")
    assert environment.call("power", {"base": 2, "exponent": 10}) == '{"result": 1024}'


def test_the_pack_does_not_stay_on_the_search_path(pack: Path, files: Conversation) -> None:
    Environment(pack, files)
    assert str(pack) not in sys.path


def test_a_turn_is_compared_by_state_and_by_what_was_seen(pack: Path, files: Conversation) -> None:
    first = [read_gold(text) for text in files.gold[0]]

    def after(*calls: GoldCall) -> str | None:
        match = Match(pack, files)
        for call in calls:
            match.replay(call)
        fault = match.end_turn()
        return None if fault is None else fault.kind

    assert after(*first) is None
    assert after(GoldCall("pwd", (), {}), *first) is None, "looking more is free"
    assert after() == "multi_turn:empty_turn_model_response"
    assert after(*first[:-1]) == "multi_turn:instance_state_mismatch"
    assert after(*first, GoldCall("touch", (), {"file_name": "x"})) == "multi_turn:instance_state_mismatch"
    seen = replace(files, gold=(("ls()",),))
    match = Match(pack, seen)
    match.call(("pwd", {}))
    fault = match.end_turn()
    assert fault is not None and fault.kind == "multi_turn:execution_response_mismatch"


@pytest.mark.parametrize("text", ["__import__('os').system('x')", "a.b()", "f(x=g())", "1"])
def test_a_reference_that_is_no_plain_call_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_gold(text)


def test_a_reference_is_read() -> None:
    assert read_gold("sort('a', n=[1, {'b': None}])") == GoldCall("sort", ("a",), {"n": [1, {"b": None}]})
