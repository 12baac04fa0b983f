"""Forks of stored attempts held against fresh replays: whether a branch is the same as an attempt made from the start."""

import random
from collections.abc import Callable, Sequence

from lamsim_core.agent.policy import RandomPolicy
from lamsim_core.errors import DivergenceError
from lamsim_core.explore.episode import Ended
from lamsim_core.explore.fork import fork_at, turns_of
from lamsim_core.explore.replay import replay
from lamsim_core.records import Record, Trajectory

TURNS = 4
"""Turns a fork goes on for after those it takes over."""


class ForkReplay(Record):
    """A fork of one step, beside its fresh replay."""

    trajectory: str
    """The attempt it leaves."""
    step: int
    """The step it leaves it at."""
    steps: int
    """Steps compared, those taken over included."""
    problem: str | None
    """What is not as it should be, or None."""


class ForkCount(Record):
    """What came of many forks."""

    forks: int
    equal: int
    steps: int
    """Steps compared."""
    wrong: tuple[ForkReplay, ...]
    """Those that are not equal, or cannot be made."""


def choose_steps(attempts: Sequence[tuple[str, int]], forks: int, seed: int) -> list[tuple[str, int]]:
    """Steps drawn at random, each at most once: ids of attempts and indices of their steps.

    Args:
        attempts: ids and numbers of steps.
        forks: how many are wanted; all there are when that is fewer.
        seed: the same draws the same.
    """
    every = [(name, step) for name, steps in attempts for step in range(steps)]
    return random.Random(seed).sample(every, min(forks, len(every)))


def check_forks(
    chosen: Sequence[tuple[str, int]], get: Callable[[str], Trajectory], progress: Callable[[int], None]
) -> ForkCount:
    """Fork each of these steps, and hold every fork against a fresh replay of its replies.

    Args:
        chosen: ids of attempts and indices of their steps.
        get: the attempt of an id.
        progress: told how many are done.
    """
    found: list[ForkReplay] = []
    for number, (name, step) in enumerate(chosen):
        progress(number)
        found.append(check_fork(get(name), step, draw=number))
    wrong = tuple(each for each in found if each.problem is not None)
    return ForkCount(
        forks=len(found), equal=len(found) - len(wrong), steps=sum(each.steps for each in found), wrong=wrong
    )


def check_fork(origin: Trajectory, step: int, *, draw: int) -> ForkReplay:
    """Fork one step, let random calls go on, and do all of it again from the start in a world of its own.

    The steps taken over must be those of the attempt, state by state, and the replay must have the fork's actions, state
    hashes, results and changed rows.

    Args:
        origin: the attempt.
        step: index of its step.
        draw: which random calls go on.
    """
    try:
        fork = fork_at(origin, step, attempt=draw)
        events = fork.run(RandomPolicy(), run="fork-check", max_steps=turns_of(fork.taken) + TURNS)
        made = next(event.trajectory for event in events if isinstance(event, Ended))
    except DivergenceError as error:
        return ForkReplay(trajectory=origin.id, step=step, steps=0, problem=str(error))
    if _states(made, step) != _states(origin, step):
        problem: str | None = "The steps taken over left the world in other states than those of the attempt."
    else:
        again = replay(made)
        problem = None if again.identical else again.sentence
    return ForkReplay(trajectory=origin.id, step=step, steps=len(made.steps), problem=problem)


def _states(trajectory: Trajectory, steps: int) -> list[tuple[str, str]]:
    return [(each.state_before, each.state_after) for each in trajectory.steps[:steps]]
