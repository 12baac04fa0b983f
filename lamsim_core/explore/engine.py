"""Many attempts, one after another or several at a time, resumable: what is already stored is not tried again."""

from collections.abc import Callable, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
from types import MappingProxyType
from typing import NamedTuple

from lamsim_core.agent.policy import Policy
from lamsim_core.explore.episode import Ended
from lamsim_core.explore.modes import How
from lamsim_core.records import Task, Trajectory

GIVE_UP_AFTER = 5
"""Attempts in a row that may break down before the exploration is given up; those tried at the same time count as one."""


PLAINLY = How()
Made = list[Trajectory]
"""What came of one attempt: one trajectory, or in a tree one for every path."""


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
    batch: int = 1,
    how: How = PLAINLY,
    begun: Mapping[tuple[str, int], Sequence[Trajectory]] = MappingProxyType({}),
) -> Summary:
    """Try every task ``attempts`` times and hand what came of an attempt on as soon as it ended.

    Args:
        done: task key and attempt of what is already stored for this run and policy.
        on_trajectory: makes a trajectory durable; an attempt counts as finished after it returned. Called, as
            ``on_progress`` is, in the thread that called this.
        batch: attempts tried at the same time, each in a thread of its own. The attempts at one task then follow each
            other, because they share a prompt.
        how: how attempts are made.
        begun: what is stored of attempts that are not finished, by task key and attempt; they go on from there.

    Raises:
        ModelError: the model broke down several times in a row.
    """
    from lamsim_core.errors import ModelError

    planned = [(task, attempt) for attempt in range(attempts) for task in tasks]
    if batch > 1:
        planned = [(task, attempt) for task in tasks for attempt in range(attempts)]
    left = [(task, attempt) for task, attempt in planned if (task.key, attempt) not in done]
    finished = len(planned) - len(left)
    passed = broken = 0
    halt = Event()

    def stopping() -> bool:
        return halt.is_set() or should_stop()

    def tried(task: Task, attempt: int) -> Made:
        known = begun.get((task.key, attempt), ())
        return one_attempt(task, policy, run, attempt, max_steps, stopping, how, known)

    on_progress(finished, len(planned), "")
    stopped = False
    ended = _in_turn(left, tried, stopping) if batch == 1 else _at_once(left, tried, stopping, batch)
    try:
        for made in ended:
            for trajectory in made or ():
                if trajectory.ended == "stopped":
                    continue
                broken = broken + 1 if trajectory.ended == "failed" else 0
                if broken >= GIVE_UP_AFTER + batch - 1:
                    raise ModelError(f"The model broke down {broken} times in a row. The last time: {trajectory.error}")
                on_trajectory(trajectory)
            if not made or made[-1].ended == "stopped":
                stopped = True
                continue
            finished += 1
            passed += any(trajectory.passed for trajectory in made)
            on_progress(finished, len(planned), f"{made[-1].task.id}: {_outcome(made[-1])}")
    finally:
        halt.set()  # when something broke, the attempts under way end now
        ended.close()
    return Summary(len(planned), finished, passed, stopped)


def _in_turn(
    left: Sequence[tuple[Task, int]], tried: Callable[[Task, int], Made], should_stop: Callable[[], bool]
) -> Generator[Made | None]:
    """What came of each attempt that is left, then None when it was stopped before the end."""
    for task, attempt in left:
        if should_stop():
            yield None
            return
        made = tried(task, attempt)
        yield made
        if made[-1].ended == "stopped":
            return


def _at_once(
    left: Sequence[tuple[Task, int]],
    tried: Callable[[Task, int], Made],
    should_stop: Callable[[], bool],
    batch: int,
) -> Generator[Made | None]:
    """As ``_in_turn``, ``batch`` at a time, each attempt when it ended."""
    waiting = iter(left)
    running: set[Future[Made]] = set()
    with ThreadPoolExecutor(max_workers=batch, thread_name_prefix="attempt") as threads:
        while True:
            while len(running) < batch and not should_stop() and (pair := next(waiting, None)) is not None:
                running.add(threads.submit(tried, *pair))
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()
    if next(waiting, None) is not None:
        yield None


def one_attempt(
    task: Task,
    policy: Policy,
    run: str,
    attempt: int,
    max_steps: int,
    should_stop: Callable[[], bool],
    how: How = PLAINLY,
    known: Sequence[Trajectory] = (),
) -> Made:
    """Make one attempt, without anybody watching, and return what came of it beyond what is known."""
    events = how.events(
        task, policy, run=run, attempt=attempt, max_steps=max_steps, should_stop=should_stop, known=known
    )
    return [event.trajectory for event in events if isinstance(event, Ended)]


def _outcome(trajectory: Trajectory) -> str:
    return {True: "passed", False: "not passed", None: "not scored"}[trajectory.passed]
