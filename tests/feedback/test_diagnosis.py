"""Diagnosis of actions, and whose fault a failure is."""

import re
from dataclasses import replace
from typing import Any

import pytest

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.environment.toolspec import ToolSpec
from lamsim_core.environment.world import World
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.feedback.reward import action_reward
from lamsim_core.records import Step, Task
from lamsim_core.tasks import plan_tasks
from lamsim_core.tools import get_category
from tests.feedback.acting import EVENT, FOUND, MOVE, MOVED, RESCHEDULE, START, call, failures, tried


def break_down(world: World, **_: Any) -> Any:
    raise RuntimeError("the tool itself is broken")


@pytest.fixture
def broken_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """``reschedule_event`` breaks down whenever it is called."""
    tools: dict[str, ToolSpec] = get_category("calendar").tools  # type: ignore[assignment]
    monkeypatch.setitem(tools, RESCHEDULE.name, replace(tools[RESCHEDULE.name], function=break_down))


@pytest.mark.usefixtures("broken_tool")
def test_a_bug_of_a_tool_is_the_tools_fault_and_the_attempt_is_not_scored() -> None:
    trajectory = tried(FOUND, MOVED, MOVE.closing)
    step = trajectory.steps[1]
    assert step.observation is not None and step.observation.fault == "tool_bug"
    (verdict,) = failures(step.verdicts, "execution")
    assert verdict.blame == "tool" and not verdict.counts and step.failed == () and action_reward(step) == 1.0
    (goal,) = failures(trajectory.verdicts, "state.goal")
    assert goal.blame == "tool" and not goal.counts
    assert (trajectory.passed, trajectory.reward) == (None, None)


@pytest.mark.usefixtures("broken_tool")
def test_damage_done_beside_a_broken_tool_stays_the_agents() -> None:
    trajectory = tried(FOUND, MOVED, call("create_event", title="x", start=START, minutes=30), "Done.")
    (damage,) = failures(trajectory.verdicts, "state.collateral")
    assert damage.blame == "agent" and trajectory.passed is False


def meant_to_be_refused() -> Task:
    return next(task for task in plan_tasks("train", 300) if any(reference.fails for reference in task.gold))


def test_a_refusal_that_is_part_of_the_task_does_not_count() -> None:
    *_, last = run_attempt(meant_to_be_refused(), GoldPolicy(), run="r")
    assert isinstance(last, Ended) and last.trajectory.passed is True
    refused = [step for step in last.trajectory.steps if step.observation and step.observation.fault == "refused"]
    assert refused
    for step in refused:
        (verdict,) = failures(step.verdicts, "execution")
        assert verdict.blame == "task" and "part of the task" in verdict.message
        assert not verdict.counts and step.failed == () and action_reward(step) == 1.0


def test_any_other_refusal_is_the_agents_fault() -> None:
    step = tried(call(RESCHEDULE.name, event_id="evt_0000", start=START), "Done.").steps[0]
    (verdict,) = failures(step.verdicts, "execution")
    assert verdict.blame == "agent" and verdict.counts and action_reward(step) == 0.0


def test_an_id_made_up_is_told_and_one_that_was_seen_is_not() -> None:
    (made_up,) = failures(tried(MOVED, "Done.").steps[0].verdicts, "arguments.grounded")
    assert (made_up.error_class, made_up.path, made_up.got) == ("ungrounded", "$.arguments.event_id", EVENT)
    assert not made_up.counts
    assert failures(tried(FOUND, MOVED, "Done.").steps[1].verdicts, "arguments.grounded") == []
    outcome = {v.check: v.outcome for v in tried(FOUND, "Done.").steps[0].verdicts}
    assert outcome["arguments.grounded"] == "abstain", "a title is neither an id nor an address"


def test_part_of_a_seen_id_is_not_that_id() -> None:
    shorter = EVENT[:-1]
    assert re.fullmatch(r"evt_\d+", shorter)
    step = tried(FOUND, call(RESCHEDULE.name, event_id=shorter, start=START), "Done.").steps[1]
    assert failures(step.verdicts, "arguments.grounded")


def test_a_wrong_value_that_did_harm_is_told_with_the_right_one() -> None:
    other = START[:-5] + "03:00"
    step = tried(FOUND, call(RESCHEDULE.name, event_id=EVENT, start=other), "Done.").steps[1]
    (verdict,) = failures(step.verdicts, "arguments.value")
    assert (verdict.path, verdict.expected, verdict.got) == ("$.arguments.start", START, other)
    assert not verdict.counts
    assert said_of_values(tried(FOUND, MOVED, "Done.").steps[1]) == "abstain"


def said_of_values(step: Step) -> str:
    return {verdict.check: verdict.outcome for verdict in step.verdicts}["arguments.value"]


def test_values_of_a_call_the_task_has_no_use_for_are_not_right() -> None:
    """There is nothing to compare them with; that another tool was called is for other checks to say."""
    step = tried(FOUND, call("create_event", title="x", start=START, minutes=30), "Done.").steps[1]
    assert step.changes
    assert said_of_values(step) == "abstain"


def test_closing_too_early_is_told_with_what_is_left() -> None:
    step = tried(FOUND, "Done.").steps[1]
    (verdict,) = failures(step.verdicts, "ending.premature")
    assert (verdict.error_class, verdict.expected) == ("premature_end", [RESCHEDULE.name])
    assert "1 of the changes asked for is still to be made" in verdict.message and not verdict.counts
    assert failures(tried(FOUND, MOVED, "Done.").steps[2].verdicts, "ending.premature") == []
    outcome = {v.check: v.outcome for v in tried(FOUND, "Done.").steps[0].verdicts}
    assert outcome["ending.premature"] == "abstain"
