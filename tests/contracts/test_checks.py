"""Every check, discovered: described, versioned, and never a pass when it breaks down or does not apply."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from lamsim_core.feedback import Judge, action_checks, final_checks
from lamsim_core.feedback.registry import Check
from lamsim_core.feedback.reward import score
from lamsim_core.records import Ending, Verdict
from lamsim_core.tasks import get_template, instantiate, plan_tasks

CHECKS = [*action_checks().values(), *final_checks().values()]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_check_is_described(check: Check[Any]) -> None:
    assert check.about.endswith(".") or check.about.endswith(")")
    assert check.version >= 1
    assert check.passed.outcome == "pass"


def breakdowns() -> list[Any]:
    def raises(_: Any) -> Any:
        raise RuntimeError("broken")

    def raises_late(_: Any) -> Any:
        yield from ()
        raise RecursionError

    def not_a_finding(_: Any) -> Any:
        return [object()]

    def nothing(_: Any) -> Any:
        return None

    def nan(_: Any) -> Any:
        from lamsim_core.feedback.registry import Fail

        yield Fail("answer", "x", expected=float("nan"))

    return [raises, raises_late, not_a_finding, nothing, nan]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
@pytest.mark.parametrize("broken", breakdowns(), ids=lambda f: f.__name__)
def test_a_check_that_breaks_down_has_passed_nothing(check: Check[Any], broken: Any) -> None:
    verdicts = replace(check, run=broken).judge(None)
    assert [v.outcome for v in verdicts] == ["error"]


def test_unscored_is_never_scored() -> None:
    task = instantiate(get_template("calendar.event_place"), 1)
    passed = [Verdict(check=name, version=1, outcome="pass", gate=True) for name in task.checks]
    assert score(task, passed) is True
    for index, verdict in enumerate(passed):
        others = passed[:index] + passed[index + 1 :]
        assert score(task, others) is None, "a missing verdict is not a pass"
        for outcome in ("abstain", "error"):
            assert score(task, [*others, verdict.model_copy(update={"outcome": outcome})]) is None
        assert score(task, [*others, verdict.model_copy(update={"outcome": "fail"})]) is False


def test_a_task_without_gates_cannot_be_judged() -> None:
    task = instantiate(get_template("calendar.event_place"), 1)
    for checks in ((), ("no.such.check",)):
        with pytest.raises(ValueError, match="gate"):
            Judge(task.model_copy(update={"checks": checks}))


def test_every_task_names_gates_that_can_judge_it() -> None:
    gates = {check.id for check in final_checks().values() if check.gate}
    for task in plan_tasks("train", 60):
        assert set(task.checks) <= gates
        assert "state.collateral" in task.checks and "ending.answered" in task.checks
        assert ("state.goal" in task.checks) == bool(task.goal)
        assert ("answer.value" in task.checks) == (task.answer is not None)


def test_echoing_the_request_or_refusing_everything_does_not_pass() -> None:
    for task in plan_tasks("train", 90):
        judge = Judge(task)
        if task.answer is None or task.answer.kind != "decline":
            for cheat in (task.instruction, "I cannot do this.", "{}", "Done.", "null", "0", "yes"):
                assert judge.end((), "answered", cheat, ()).passed is False, (task.id, cheat)
        for ending in set(get_args(Ending)) - {"answered"}:
            assert judge.end((), ending, task.closing, task.goal).passed is not True
