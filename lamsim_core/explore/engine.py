"""Many attempts, one after another, resumable: what is already stored is not tried again."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from lamsim_core.agent.policy import Policy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Task, Trajectory

GIVE_UP_AFTER = 5
"""Attempts in a row that may break down before the exploration is given up."""


class Summary(NamedTuple):
    """What became of an exploration."""

    planned: int
    finished: int
    passed: int
    stopped: bool


def explore(
    tasks: Sequence[Task],
    policy: Policy,
    *,
    run: str,
    attempts: int,
    max_steps: int,
    done: AbstractSet[tuple[str, int]],
    on_trajectory: Callable[[Trajectory], object],
    on_progress: Callable[[int, int, str], None],
    should_stop: Callable[[], bool],
) -> Summary:
    """Try every task ``attempts`` times and hand each finished trajectory on as soon as it ended.

    Args:
        done: task key and attempt of what is already stored for this run and policy.
        on_trajectory: makes a trajectory durable; an attempt counts as finished after it returned.

    Raises:
        ModelError: the model broke down several times in a row.
    """
    from lamsim_core.errors import ModelError

    planned = [(task, attempt) for attempt in range(attempts) for task in tasks]
    finished = sum((task.key, attempt) in done for task, attempt in planned)
    passed = broken = 0
    on_progress(finished, len(planned), "")
    for task, attempt in planned:
        if (task.key, attempt) in done:
            continue
        if should_stop():
            return Summary(len(planned), finished, passed, True)
        trajectory = _attempt(task, policy, run, attempt, max_steps, should_stop)
        if trajectory.ended == "stopped":
            return Summary(len(planned), finished, passed, True)
        broken = broken + 1 if trajectory.ended == "failed" else 0
        if broken >= GIVE_UP_AFTER:
            raise ModelError(f"The model broke down {broken} times in a row. The last time: {trajectory.error}")
        on_trajectory(trajectory)
        finished += 1
        passed += trajectory.passed is True
        on_progress(finished, len(planned), f"{task.id}: {_outcome(trajectory)}")
    return Summary(len(planned), finished, passed, False)


def _attempt(
    task: Task, policy: Policy, run: str, attempt: int, max_steps: int, should_stop: Callable[[], bool]
) -> Trajectory:
    for event in run_attempt(task, policy, run=run, attempt=attempt, max_steps=max_steps, should_stop=should_stop):
        if isinstance(event, Ended):
            return event.trajectory
    raise AssertionError("an attempt always ends")


def _outcome(trajectory: Trajectory) -> str:
    return {True: "passed", False: "not passed", None: "not scored"}[trajectory.passed]
