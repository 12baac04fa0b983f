"""Many attempts, here or elsewhere, in turn or together, resumable: what is already stored is not tried again."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from threading import Event
from types import MappingProxyType
from typing import NamedTuple

from lamsim_core.agent.policy import Policy
from lamsim_core.errors import ModelError
from lamsim_core.explore.episode import Ended
from lamsim_core.explore.modes import How
from lamsim_core.records import Ending, Task, Trajectory

GIVE_UP_AFTER = 5
"""Attempts in a row that may break down before the exploration is given up; those tried at the same time count as one."""

PLAINLY = How()
Pair = tuple[Task, int]
"""What is planned: a task, and which attempt at it."""
Begun = Mapping[tuple[str, int], Sequence[Trajectory]]
"""What is stored of attempts that are not finished, by task key and attempt; they go on from there."""
NOTHING_BEGUN: Begun = MappingProxyType({})
Made = list[Trajectory]
"""What came of one attempt: one trajectory, or in a tree one for every path."""


class Attempted(NamedTuple):
    """An attempt that has ended and is stored."""

    task: str
    """The task's id, for a person."""
    ended: Ending
    passed: bool | None
    error: str | None

    @classmethod
    def of(cls, made: Sequence[Trajectory]) -> "Attempted":
        """What there is to say of a stored attempt: it is its last path that says how it went."""
        last = made[-1]
        return cls(last.task.id, last.ended, last.passed, last.error)


Executor = Callable[[Sequence[Pair], Callable[[], bool]], Generator[Attempted | None]]
"""Makes what is left and stores it, asking whether to stop; yields each attempt once it is stored, None when stopped."""


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
    begun: Begun = NOTHING_BEGUN,
) -> Summary:
    """Try every task ``attempts`` times in this process and hand what came of an attempt on as soon as it ended.

    Args:
        tasks: what is tried.
        policy: who acts.
        run: the run the attempts belong to.
        attempts: attempts at each task.
        max_steps: turns allowed in one attempt.
        done: task key and attempt of what is already stored for this run and policy.
        on_trajectory: makes a trajectory durable; an attempt counts as finished after it returned. Called, as
            ``on_progress`` is, in the thread that called this.
        on_progress: told how many are finished of how many, and what happened.
        should_stop: asked while it runs.
        batch: attempts tried at the same time, each in a thread of its own. The attempts at one task then follow each
            other, because they share a prompt.
        how: how attempts are made.
        begun: what is stored of attempts that are not finished.

    Raises:
        ModelError: the model broke down several times in a row.
    """
    over = Event()

    def here(left: Sequence[Pair], should_stop: Callable[[], bool]) -> Generator[Attempted | None]:
        def stopping() -> bool:
            return over.is_set() or should_stop()

        def tried(task: Task, attempt: int) -> Made:
            known = begun.get((task.key, attempt), ())
            return list(one_attempt(task, policy, run, attempt, max_steps, stopping, how, known))

        ended = _in_turn(left, tried, stopping) if batch == 1 else _at_once(left, tried, stopping, batch)
        try:
            for made in ended:
                for trajectory in made or ():
                    if trajectory.ended != "stopped":
                        on_trajectory(trajectory)
                yield None if not made or made[-1].ended == "stopped" else Attempted.of(made)
        finally:
            over.set()  # when something broke, the attempts under way end now
            ended.close()

    return carry_out(
        tasks, here, attempts=attempts, done=done, on_progress=on_progress, should_stop=should_stop, together=batch
    )


def carry_out(
    tasks: Sequence[Task],
    executor: Executor,
    *,
    attempts: int,
    done: AbstractSet[tuple[str, int]],
    on_progress: Callable[[int, int, str], None],
    should_stop: Callable[[], bool],
    together: int,
    beginning: str = "",
) -> Summary:
    """Plan ``attempts`` at every task, let an executor make those that are not done, and count what comes of them.

    Args:
        tasks: what is tried.
        executor: makes the attempts, wherever it likes.
        attempts: attempts at each task.
        done: task key and attempt of what is not to be made again.
        on_progress: told how many are finished of how many, and what happened.
        should_stop: asked while it runs.
        together: attempts it makes at the same time. The attempts at one task follow each other if there are several.
        beginning: what is said until the first attempt has ended.

    Raises:
        ModelError: the model broke down several times in a row.
    """
    planned = [(task, attempt) for attempt in range(attempts) for task in tasks]
    if together > 1:
        planned = [(task, attempt) for task in tasks for attempt in range(attempts)]
    left = [(task, attempt) for task, attempt in planned if (task.key, attempt) not in done]
    finished = len(planned) - len(left)
    passed = broken = 0
    on_progress(finished, len(planned), beginning)
    stopped = False
    with closing(executor(left, should_stop)) as ended:
        for attempted in ended:
            if attempted is None:
                stopped = True
                continue
            finished += 1
            passed += attempted.passed is True
            broken = broken + 1 if attempted.ended == "failed" else 0
            if broken >= GIVE_UP_AFTER + together - 1:
                raise ModelError(f"The model broke down {broken} times in a row. The last time: {attempted.error}")
            on_progress(finished, len(planned), f"{attempted.task}: {_outcome(attempted)}")
    return Summary(len(planned), finished, passed, stopped)


def _in_turn(
    left: Sequence[Pair], tried: Callable[[Task, int], Made], should_stop: Callable[[], bool]
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
    left: Sequence[Pair],
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
) -> Iterator[Trajectory]:
    """Make one attempt, without anybody watching; yields what comes of it beyond what is known, each when it ended."""
    events = how.events(
        task, policy, run=run, attempt=attempt, max_steps=max_steps, should_stop=should_stop, known=known
    )
    return (event.trajectory for event in events if isinstance(event, Ended))


def _outcome(attempted: Attempted) -> str:
    return {True: "passed", False: "not passed", None: "not scored"}[attempted.passed]
