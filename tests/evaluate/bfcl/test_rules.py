"""The rules for calls: each by hand, and all of them against the official checker."""

from pathlib import Path
from typing import Any

import pytest

from lamsim_core.evaluate.bfcl.proof import prove_rules
from lamsim_core.evaluate.bfcl.rules import Call, check_calls

BOOK: dict[str, Any] = {
    "name": "book.room",
    "parameters": {
        "type": "dict",
        "properties": {
            "town": {"type": "string"},
            "nights": {"type": "integer"},
            "price": {"type": "float"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "guest": {"type": "dict", "properties": {}},
            "beds": {"type": "array", "items": {"type": "dict"}},
        },
        "required": ["town", "nights"],
    },
}
ACCEPTED: dict[str, list[Any]] = {
    "town": ["New York", "NYC"],
    "nights": [2],
    "price": ["", 100.0],
    "tags": ["", ["sea", "quiet"]],
    "guest": ["", {"name": ["Ann"], "age": [30, ""]}],
    "beds": ["", [{"kind": ["double"]}]],
}
RIGHT = {"town": "New York", "nights": 2}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (RIGHT, None),
        ({**RIGHT, "town": "new-york."}, None),
        ({**RIGHT, "town": "Boston"}, "value_error:string"),
        ({**RIGHT, "price": 100}, None),
        ({**RIGHT, "price": 101.0}, "value_error:others"),
        ({**RIGHT, "price": 10**400}, "type_error:simple"),
        ({**RIGHT, "nights": 2.0}, "type_error:simple"),
        ({**RIGHT, "nights": True}, "type_error:simple"),
        ({"town": "NYC"}, "simple_function_checker:missing_required"),
        ({**RIGHT, "pool": True}, "simple_function_checker:unexpected_param"),
        ({**RIGHT, "tags": ["Sea", "quiet!"]}, "value_error:list/tuple"),
        ({**RIGHT, "tags": ["SEA", "quiet "]}, None),
        ({**RIGHT, "guest": {"name": "ann"}}, None),
        ({**RIGHT, "guest": {"age": 30}}, "value_error:dict_key"),
        ({**RIGHT, "guest": {"name": "Bob", "age": 30}}, "value_error:dict_value"),
        ({**RIGHT, "beds": [{"kind": "Double"}]}, None),
        ({**RIGHT, "beds": [{"kind": "double"}] * 2}, "value_error:list_dict_count"),
        ({**RIGHT, "beds": ["double"]}, "value_error:others"),
    ],
)
def test_one_call(arguments: dict[str, Any], fault: str | None) -> None:
    found = check_calls("simple_python", [BOOK], [("book.room", arguments)], [{"book.room": ACCEPTED}])
    assert (found and found.kind) == fault


def test_what_must_not_be_left_out_is_missed() -> None:
    accepted = {**ACCEPTED, "price": [100.0]}
    found = check_calls("multiple", [BOOK], [("book.room", RIGHT)], [{"book.room": accepted}])
    assert found is not None and found.kind == "simple_function_checker:missing_optional"


@pytest.mark.parametrize(
    ("category", "calls", "fault"),
    [
        ("simple_python", [], "simple_function_checker:wrong_count"),
        ("multiple", [("book.room", RIGHT)] * 2, "multiple_function_checker:wrong_count"),
        ("multiple", [("book", RIGHT)], "simple_function_checker:wrong_func_name"),
        ("parallel", [("book.room", RIGHT)], "parallel_function_checker_no_order:wrong_count"),
        ("parallel", [("book.room", {**RIGHT, "nights": 3}), ("book.room", RIGHT)], None),
        ("parallel", [("book.room", RIGHT)] * 2, "parallel_function_checker_no_order:cannot_find_match"),
    ],
)
def test_how_many_calls(category: str, calls: list[Call], fault: str | None) -> None:
    accepted = [{"book.room": ACCEPTED}, {"book.room": {**ACCEPTED, "nights": [3]}}]
    found = check_calls(category, [BOOK], calls, accepted if category == "parallel" else accepted[:1])
    assert (found and found.kind) == fault


def test_they_are_the_official_ones(pack: Path) -> None:
    found = prove_rules(pack, every=40)
    assert found.ok and found.answers > 2000 and found.agreed + found.broke == found.answers
    assert found.right == found.tasks and found.passed > found.tasks
    assert len(found.faults) > 12


def test_a_rule_that_is_another_is_noticed(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamsim_core.evaluate.bfcl.rules.plain", lambda value: value)
    found = prove_rules(pack, every=200)
    assert not found.ok and found.disagreed > 0 and "official None, ours value_error:string" in found.examples[0]
