"""Best of several: the world is as if only the best reply had been made, and the others stay in the record."""

from collections.abc import Sequence

import pytest

from lamsim_core.agent.policy import ModelPolicy, RandomPolicy
from lamsim_core.agent.prompt import conversation
from lamsim_core.explore.best_of import worth
from lamsim_core.explore.compare import cost_of
from lamsim_core.explore.fork import fork_at
from lamsim_core.explore.modes import How
from lamsim_core.explore.replay import replay
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import Sampling, Step, Trajectory
from lamsim_core.tasks import plan_tasks
from tests.explore.sometimes import Sometimes, made, replies
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")
TASKS = plan_tasks("train", 40)
FIND = (
    f'<tool_call>{{"name": "find_events", "arguments": {{"title": "{MOVE.gold[0].arguments["title"]}"}}}}</tool_call>'
)
UNKNOWN = '<tool_call>{"name": "find_event", "arguments": {}}</tool_call>'
BROKEN = "<tool_call>{</tool_call>"


def best_of(number: int) -> How:
    return How(mode="best_of", candidates=number)


def only(trajectories: list[Trajectory]) -> Trajectory:
    (trajectory,) = trajectories
    return trajectory


def scripted(said: Sequence[str]) -> ModelPolicy:
    return ModelPolicy(ScriptedBackend(said), Sampling(max_new_tokens=1000))


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ([UNKNOWN, FIND, BROKEN], 1),
        ([UNKNOWN, BROKEN, FIND], 2),
        ([FIND, FIND, FIND], 0),
        ([BROKEN, UNKNOWN, BROKEN], 0),
        (["Done.", FIND, UNKNOWN], 1),
        ([f"{FIND}{UNKNOWN}", FIND, f"{FIND}{FIND}"], 1),
    ],
)
def test_the_best_by_its_gates_is_taken_then_by_diagnosis_then_the_first(said: list[str], taken: int) -> None:
    trajectory = only(made(MOVE, scripted(said), best_of(3), max_steps=1))
    assert replies(trajectory) == [said[taken]]
    others = [steps[0].reply for steps in trajectory.steps[0].untaken]
    assert others == [reply for place, reply in enumerate(said) if place != taken]
    assert all(step.verdicts for steps in trajectory.steps[0].untaken for step in steps)
    assert all(not step.untaken for step in trajectory.steps[1:])


def attempts() -> list[Trajectory]:
    return [only(made(task, Sometimes(0.4), best_of(4), attempt=place)) for place, task in enumerate(TASKS)]


ATTEMPTS = attempts()


def test_the_world_is_as_if_only_the_best_had_been_made() -> None:
    changed = 0
    for trajectory in ATTEMPTS:
        assert replay(trajectory).identical
        for step in trajectory.steps:
            for steps in step.untaken:
                changed += any(each.changes for each in steps)
                assert steps[0].state_before == step.state_before and steps[0].index == step.index
    assert changed > 10


def test_nobody_better_was_left() -> None:
    for trajectory in ATTEMPTS:
        for turn in range(trajectory.steps[-1].turn + 1):
            taken: list[Step] = [step for step in trajectory.steps if step.turn == turn]
            assert len(taken[0].untaken) == 3
            assert all(worth(steps) <= worth(taken) for steps in taken[0].untaken)


def test_it_passes_more_often_than_one_try() -> None:
    plain = [only(made(task, Sometimes(0.4), How(), attempt=place)) for place, task in enumerate(TASKS)]
    several = sum(t.passed is True for t in ATTEMPTS)
    assert several > sum(t.passed is True for t in plain) + 10


def test_the_first_candidate_is_the_plain_reply() -> None:
    for place, task in enumerate(TASKS[:10]):
        plain = only(made(task, Sometimes(0.4), How(), attempt=place))
        several = ATTEMPTS[place].steps[0]
        drawn = {several.seed: several.reply} | {steps[0].seed: steps[0].reply for steps in several.untaken}
        assert drawn[plain.steps[0].seed] == plain.steps[0].reply and len(drawn) == 4


def test_what_was_not_taken_costs_and_is_not_read() -> None:
    trajectory = only(made(MOVE, scripted([UNKNOWN, FIND, "Done.", "Done."]), best_of(2), max_steps=2))
    assert cost_of(trajectory.steps, 0).tokens == len(UNKNOWN) + len(FIND) + 2 * len("Done.")
    assert UNKNOWN not in "".join(message.content for message in conversation(MOVE, trajectory.steps))
    assert trajectory.search is not None and trajectory.search.oracle and not trajectory.plain


def test_the_limit_of_tokens_counts_every_candidate() -> None:
    long = How(mode="best_of", candidates=8, max_tokens=3 * len(UNKNOWN))
    trajectory = only(made(MOVE, scripted([UNKNOWN] * 8), long))
    assert trajectory.ended == "token_budget" and trajectory.passed is False
    assert len(trajectory.steps) == 1 and len(trajectory.steps[0].untaken) == 2


def test_a_fork_takes_over_what_was_taken_alone() -> None:
    trajectory = next(t for t in ATTEMPTS if len(t.steps) > 1 and t.steps[0].call is not None)
    fork = fork_at(trajectory, 1)
    events = list(fork.run(RandomPolicy(), run="f", max_steps=8))
    assert events and not events[0].step.untaken  # type: ignore[union-attr]
