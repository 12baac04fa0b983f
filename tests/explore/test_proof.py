"""The proof of the feedback by mutation, small, and that the proof itself can fail."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

from lamsim_core.explore.proof import ProofReport, prove
from lamsim_core.explore.proof.arguments import broken_arguments
from lamsim_core.explore.proof.scene import Scene, attempt
from lamsim_core.feedback import Check, registry
from lamsim_core.feedback.registry import Abstain, Fail, action_checks, final_checks
from lamsim_core.records import ErrorClass, GoldCall, ToolSchema
from lamsim_core.tasks import get_template, instantiate, load_templates

FEW = ("banking.before_trip", "calendar.plan_meeting", "contacts.label_taken", "weather.difference")


def proof_of(template: str) -> ProofReport:
    return prove([get_template(template)], range(1), walks=0, examples=1)


def test_errors_are_found_legal_ways_are_spared_and_cheats_are_stopped() -> None:
    """On one instance of every sixteenth template, and on those that have found something before."""
    every = list(load_templates().values())[::16]
    chosen = {template.id: template for template in [*every, *(get_template(name) for name in FEW)]}
    found = prove(list(chosen.values()), range(1), walks=2)
    assert found.missed == (), found.wrong[:3]
    assert set(found.errors) == set(get_args(ErrorClass))
    assert all(count.cases > 0 for count in found.errors.values())
    assert len(found.legal) >= 20 and len(found.cheats) >= 10
    assert found.templates == len(chosen) and found.attempts > 3000


def silent(_: Any) -> Iterator[Any]:
    yield from ()


def elsewhere(_: Any) -> Iterator[Any]:
    yield Fail("structure", "x", "$.elsewhere")


def deaf(_: Any) -> Iterator[Any]:
    yield Abstain("not today")


def replaced(monkeypatch: pytest.MonkeyPatch, check_id: str, run: Callable[[Any], Any]) -> None:
    """Put another body in place of a registered check."""
    checks: Any = registry._ACTION if check_id in action_checks() else registry._FINAL
    old = checks[check_id]
    monkeypatch.setitem(checks, check_id, Check(old.id, old.version, old.gate, old.about, run))


@pytest.mark.parametrize(
    ("check", "error_class", "template", "run"),
    [
        ("structure", "structure", "weather.difference", silent),
        ("tool_name", "tool_name", "weather.difference", deaf),
        ("arguments.type", "argument_type", "weather.difference", silent),
        ("arguments.value", "argument_value", "calendar.plan_meeting", silent),
        ("arguments.grounded", "ungrounded", "calendar.plan_meeting", deaf),
        ("repetition", "repetition", "weather.difference", silent),
        ("execution", "execution", "calendar.plan_meeting", silent),
        ("ending.premature", "premature_end", "weather.difference", silent),
        ("state.collateral", "collateral", "calendar.plan_meeting", silent),
        ("state.goal", "state", "calendar.plan_meeting", deaf),
        ("path.deviation", "tool_choice", "weather.difference", silent),
    ],
)
def test_a_check_that_finds_nothing_is_found_out(
    monkeypatch: pytest.MonkeyPatch, check: str, error_class: str, template: str, run: Callable[[Any], Any]
) -> None:
    assert {check} <= {*action_checks(), *final_checks()}
    replaced(monkeypatch, check, run)
    missed = proof_of(template)
    assert any(sentence.startswith(f"{error_class}: ") for sentence in missed.missed)
    assert {w.name for w in missed.wrong if w.kind == "error"} >= {error_class}


def test_a_wrong_path_and_a_false_alarm_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, "structure", elsewhere)
    found = proof_of("calendar.plan_meeting")
    count = found.errors["structure"]
    assert count.caught > count.right_path == 0
    assert found.legal["the reference solution"].false_alarms == 1
    assert any("were punished" in sentence for sentence in found.missed)


def test_a_cheat_that_passes_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced(monkeypatch, "answer.grounded", silent)
    found = proof_of("weather.difference")
    assert found.cheats["the right closing message without a call"].passed == 1
    assert found.wrong and any(w.kind == "cheat" for w in found.wrong)


def test_the_reference_solution_as_replies() -> None:
    scene = Scene(instantiate(get_template("banking.before_trip"), 0))
    assert [reply.count("<tool_call>") for reply in scene.replies()] == [*map(len, scene.turns), 0]
    assert attempt(scene.task, scene.replies()).passed is True
    assert scene.replies(instead={0: ()}, closing="x")[-1] == "x"
    inserted = scene.replies(before={0: "first", len(scene.task.gold): "last"})
    assert (inserted[0], inserted[-2]) == ("first", "last")
    assert scene.needed and scene.needed <= set(range(len(scene.task.gold)))


def test_arguments_are_broken_in_every_way_a_schema_knows() -> None:
    properties = {
        "day": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "kinds": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
    }
    tool = ToolSchema(
        name="t",
        description="",
        parameters={"type": "object", "properties": properties, "required": ["day"], "additionalProperties": False},  # type: ignore[dict-item]
    )
    call = GoldCall(name="t", arguments={"day": "2026-01-02", "kinds": ["a"]})
    found = {(broken.error_class, broken.path) for broken in broken_arguments(call, tool)}
    assert found == {
        ("argument_missing", "$.arguments.day"),
        ("argument_unknown", "$.arguments.extra_note"),
        ("argument_unknown", "$.arguments.countx"),
        ("argument_type", "$.arguments.day"),
        ("argument_type", "$.arguments.kinds"),
        ("argument_type", "$.arguments.kinds[1]"),
        ("argument_type", "$.arguments.count"),
        ("argument_enum", "$.arguments.kinds[1]"),
        ("argument_format", "$.arguments.day"),
        ("argument_format", "$.arguments.kinds"),
        ("argument_format", "$.arguments.count"),
    }
