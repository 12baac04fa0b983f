"""Forks held against fresh replays: what is sound is equal, what lies is named."""

import pytest

from lamsim_core.agent.policy import GoldPolicy, Policy, RandomPolicy, ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.explore import fork_check
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.fork_check import check_fork, check_forks, choose_steps
from lamsim_core.explore.replay import Replay
from lamsim_core.records import Task, Trajectory
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")


def attempt(task: Task, policy: Policy) -> Trajectory:
    *_, last = run_attempt(task, policy, run="r")
    assert isinstance(last, Ended)
    return last.trajectory


def test_steps_are_drawn_once_each_and_by_seed() -> None:
    attempts = [("a", 3), ("b", 0), ("c", 2)]
    every = [("a", 0), ("a", 1), ("a", 2), ("c", 0), ("c", 1)]
    assert sorted(choose_steps(attempts, 9, 0)) == every
    drawn = choose_steps(attempts, 3, 1)
    assert drawn == choose_steps(attempts, 3, 1) and len(set(drawn)) == 3
    assert any(choose_steps(attempts, 3, seed) != drawn for seed in range(9))


def test_forks_of_any_step_equal_a_fresh_replay() -> None:
    both = "".join(map(call_text, (MOVE.gold[0], MOVE.gold[0])))
    made = [attempt(MOVE, policy) for policy in (GoldPolicy(), RandomPolicy(), ReplayPolicy([both, "Done."]))]
    by_id = {each.id: each for each in made}
    told: list[int] = []
    chosen = choose_steps([(each.id, len(each.steps)) for each in made], 1000, 0)
    count = check_forks(chosen, by_id.__getitem__, told.append)
    assert count.forks == count.equal == len(chosen) == len(told) and not count.wrong
    assert count.steps > count.forks


def test_what_lies_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    gold = attempt(MOVE, GoldPolicy())
    lying = gold.steps[0].model_copy(update={"state_after": "0" * 32})
    found = check_fork(gold.model_copy(update={"steps": (lying, *gold.steps[1:])}), 1, draw=0)
    assert found.problem is not None and found.steps == 0

    def other(trajectory: Trajectory) -> Replay:
        return Replay(trajectory=trajectory.id, steps=(), first=None, problem="Nothing is as it was.")

    monkeypatch.setattr(fork_check, "replay", other)
    count = check_forks([(gold.id, 1)], lambda name: gold, lambda done: None)
    assert (count.forks, count.equal) == (1, 0) and count.wrong[0].problem == "Nothing is as it was."
