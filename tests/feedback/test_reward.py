"""What verdicts are worth: the formula, case by case."""

from typing import Any

import pytest

from lamsim_core.feedback.reward import action_reward, attempt_outcome, attempt_reward, components, score
from lamsim_core.records import Ending, Verdict
from tests.store.factories import make_step, make_task

TASK = make_task(checks=("a", "b"))


def said(check: str, outcome: str, blame: str | None = None, *, gate: bool = True) -> Verdict:
    return Verdict.model_validate({"check": check, "version": 1, "outcome": outcome, "gate": gate, "blame": blame})


A, B = said("a", "pass"), said("b", "pass")


@pytest.mark.parametrize(
    ("verdicts", "states", "passed"),
    [
        ([A, B], ("passed", "passed"), True),
        ([A, said("b", "fail", "agent")], ("passed", "failed"), False),
        ([A, said("b", "fail")], ("passed", "failed"), False),
        ([A, said("b", "fail", "tool")], ("passed", "excused"), None),
        ([A, said("b", "fail", "task")], ("passed", "excused"), None),
        ([A, said("b", "fail", "tool"), said("b", "fail", "agent")], ("passed", "failed"), False),
        ([said("a", "fail", "agent"), said("b", "fail", "tool")], ("failed", "excused"), False),
        ([said("a", "fail", "agent"), said("b", "error")], ("failed", "unknown"), False),
        ([A, said("b", "abstain")], ("passed", "unknown"), None),
        ([A, said("b", "error")], ("passed", "unknown"), None),
        ([A], ("passed", "unknown"), None),
        ([], ("unknown", "unknown"), None),
        ([A, B, said("c", "fail", "agent")], ("passed", "passed"), True),
    ],
)
def test_an_attempt(verdicts: list[Verdict], states: tuple[str, ...], passed: bool | None) -> None:
    assert [(c.check, c.state) for c in components(TASK, verdicts)] == list(zip(("a", "b"), states, strict=True))
    assert score(TASK, verdicts) is passed
    assert attempt_reward(passed) == {True: 1.0, False: 0.0, None: None}[passed]


@pytest.mark.parametrize(
    ("ended", "passed"),
    [
        *((ended, True) for ended in ("answered", "step_limit", "token_limit", "token_budget")),
        *((ended, None) for ended in ("stopped", "failed", "abandoned", "time_limit")),
    ],
)
def test_an_attempt_cut_short_by_others_is_not_scored(ended: Ending, passed: bool | None) -> None:
    assert attempt_outcome(TASK, ended, [A, B], ()) is passed


def test_a_task_without_gates_passes_nothing() -> None:
    assert score(TASK.model_copy(update={"checks": ()}), [A, B]) is None


@pytest.mark.parametrize(
    ("verdicts", "reward"),
    [
        ([A, B], 1.0),
        ([], 1.0),
        ([A, said("b", "abstain")], 1.0),
        ([A, said("b", "fail", "agent")], 0.0),
        ([A, said("b", "fail")], 0.0),
        ([A, said("b", "fail", "agent", gate=False)], 1.0),
        ([A, said("b", "fail", "task")], 1.0),
        ([A, said("b", "fail", "tool")], 1.0),
        ([A, said("b", "error")], None),
        ([said("a", "fail", "agent"), said("b", "error")], 0.0),
        ([A, said("b", "error", gate=False)], 1.0),
    ],
)
def test_an_action(verdicts: list[Verdict], reward: float | None) -> None:
    step: Any = make_step(0, verdicts=tuple(verdicts))
    assert action_reward(step) == reward
