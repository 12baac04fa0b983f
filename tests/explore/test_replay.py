"""A stored attempt comes out the same when it is done again, and what does not is found."""

from typing import Any

import pytest

from lamsim_core.agent.policy import GoldPolicy, RandomPolicy
from lamsim_core.errors import DivergenceError
from lamsim_core.explore.compare import PARTS, side_by_side
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.replay import replay, replay_all, world_after
from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import get_trajectory
from lamsim_core.tasks import build_environment, plan_tasks
from tests.filling import attempt, fill
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")


def gold() -> Trajectory:
    *_, last = run_attempt(MOVE, GoldPolicy(), run="r")
    assert isinstance(last, Ended)
    return last.trajectory


def tampered(step: int, **fields: Any) -> Trajectory:
    """The reference solution with a record that says something else."""
    made = gold()
    steps = list(made.steps)
    steps[step] = steps[step].model_copy(update=fields)
    return made.model_copy(update={"steps": tuple(steps)})


def test_what_was_stored_comes_out_again(home: Settings) -> None:
    made = fill(home, 25)
    with Store(home) as store:
        store.index.sync()
        stored = [get_trajectory(store.index, each.id) for each in made]
    count = replay_all(stored)
    assert (count.replayed, count.identical, count.different, count.not_built) == (75, 75, 0, 0)
    assert count.steps == sum(len(each.steps) for each in made) and count.wrong == ()


def test_every_kind_of_attempt_replays() -> None:
    for task in plan_tasks("unseen_tools", 6):
        *_, last = run_attempt(task, RandomPolicy(), run="r", attempt=3, max_steps=4)
        assert isinstance(last, Ended)
        found = replay(last.trajectory)
        assert found.identical and len(found.steps) == len(last.trajectory.steps)
        assert found.sentence == f"Every hash matches, in {len(found.steps)} steps."


@pytest.mark.parametrize(
    ("field", "value"),
    [("state_before", "0" * 32), ("state_after", "0" * 32), ("changes", ()), ("observation", None), ("call", None)],
)
def test_a_record_that_lies_is_found_out(field: str, value: object) -> None:
    found = replay(tampered(1, **{field: value}))
    assert not found.identical and found.first is not None
    assert (found.first.step, found.first.part) == (1, field)
    assert PARTS[found.first.part] in found.sentence and "step 2" in found.sentence
    assert [step.same for step in found.steps] == [True, False, True]
    assert found.first.recorded != found.first.found


def test_missing_and_surplus_steps_are_differences() -> None:
    made = gold()
    shorter = made.model_copy(update={"steps": (made.steps[0], made.steps[2])})
    assert replay(shorter).first is not None
    none = made.model_copy(update={"steps": ()})
    assert replay(none).identical, "an attempt that broke down before its first step"


def test_a_task_that_cannot_be_built_says_so() -> None:
    made = gold()
    category = made.model_copy(update={"task": MOVE.model_copy(update={"category": "gardening", "worlds": ()})})
    tool = MOVE.tools[0].model_copy(update={"name": "no_such_tool"})
    unknown = made.model_copy(update={"task": MOVE.model_copy(update={"tools": (tool,), "bindings": ()})})
    gate = made.model_copy(update={"task": MOVE.model_copy(update={"checks": ("state.gone",)})})
    for broken in (category, unknown, gate):
        found = replay(broken)
        assert not found.identical and found.problem is not None
        assert found.problem.startswith("The task cannot be built any more: ")
    lying = tampered(0, state_after="x")
    count = replay_all([made, category, lying])
    assert (count.identical, count.different, count.not_built) == (1, 1, 1)
    assert [each.trajectory for each in count.wrong] == [category.id, lying.id]


def test_two_attempts_side_by_side(home: Settings) -> None:
    one, other = attempt(home, MOVE, "gold"), attempt(home, MOVE, "noop")
    pairs = side_by_side(one.steps, other.steps)
    assert [pair.place for pair in pairs] == [0, 1, 2]
    assert "call" in pairs[0].different and pairs[2].right is None and pairs[2].different == tuple(PARTS)
    assert all(not pair.different for pair in side_by_side(one.steps, attempt(home, MOVE, "gold").steps))


def test_the_world_after_a_step_is_made_again() -> None:
    *_, last = run_attempt(MOVE, GoldPolicy(), run="r")
    assert isinstance(last, Ended)
    steps = last.trajectory.steps
    environment = build_environment(MOVE)
    worlds = []
    for step in steps:
        if step.call is not None:
            environment.step(step.call)
        worlds.append(environment.world.snapshot())
    for step, world in zip(steps, worlds, strict=True):
        assert world_after(MOVE, steps, step.index) == world
    assert worlds[0] != worlds[-1]
    (change,) = steps[1].changes
    assert dict(worlds[1][change.table][change.id]) == change.after


def test_a_world_that_is_not_as_recorded_is_not_shown() -> None:
    *_, last = run_attempt(MOVE, GoldPolicy(), run="r")
    assert isinstance(last, Ended)
    first, *rest = last.trajectory.steps
    steps = [first.model_copy(update={"state_after": "0" * 32}), *rest]
    with pytest.raises(DivergenceError, match="not what is recorded after step 1"):
        world_after(MOVE, steps, 1)
    gone = MOVE.model_copy(update={"category": "gone", "worlds": ("gone",)})
    with pytest.raises(DivergenceError, match="cannot be built any more"):
        world_after(gone, last.trajectory.steps, 0)
