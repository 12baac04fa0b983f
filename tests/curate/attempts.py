"""Trajectories to curate, made by really trying tasks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lamsim_core.agent.policy import GoldPolicy, NoopPolicy, Policy, ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.canonical import new_id
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Split, Task, Trajectory
from lamsim_core.tasks import plan_tasks

_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
_made = 0


def tasks(count: int, *, split: Split = "train", template: str = "calendar.move", seed: int = 0) -> list[Task]:
    return plan_tasks(split, count, templates=(template,), seed=seed)


def attempt(task: Task, policy: Policy | None = None, **changes: Any) -> Trajectory:
    """A trajectory, one second younger than the one before; gold unless told otherwise."""
    trajectory = None
    for event in run_attempt(task, policy or GoldPolicy(), run="run_test"):
        if isinstance(event, Ended):
            trajectory = event.trajectory
    assert trajectory is not None
    return stamped(trajectory, **changes)


def stamped(trajectory: Trajectory, **changes: Any) -> Trajectory:
    """The trajectory under a new id, one second younger than the one stamped before."""
    global _made
    _made += 1
    created = (_CLOCK + timedelta(seconds=_made)).isoformat(timespec="milliseconds")
    return trajectory.model_copy(update={"id": new_id("trj"), "created": created, **changes})


def failing(task: Task) -> Trajectory:
    return attempt(task, NoopPolicy())


def clumsy(task: Task) -> Trajectory:
    """Passes, after one call of a tool that does not exist."""
    bad = '<tool_call>\n{"name": "no_such_tool", "arguments": {}}\n</tool_call>'
    return attempt(task, ReplayPolicy([bad, *gold_replies(task)]))


def gold_replies(task: Task) -> Sequence[str]:
    return [*(call_text(call) for call in task.gold), task.closing]


def row_of(trajectory: Trajectory) -> dict[str, Any]:
    """A training row in the form TRL reads, by the shortest way."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Act."},
        {"role": "user", "content": trajectory.task.instruction},
    ]
    for step in trajectory.steps:
        if step.call is None:
            messages.append({"role": "assistant", "content": step.reply or ""})
            continue
        call = {"type": "function", "function": {"name": step.call.name, "arguments": step.call.arguments}}
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        assert step.observation is not None
        messages.append({"role": "tool", "name": step.call.name, "content": str(step.observation.content)})
    tools = [tool.openai() for tool in trajectory.task.tools]
    return {"messages": messages, "tools": tools, "trajectory": trajectory.id, "template": trajectory.task.template}
