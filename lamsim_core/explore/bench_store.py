"""How fast the store is: a store filled with many attempts, then what the Trajectories page asks of it, timed.

The attempts are real ones (the reference solution, and walks of random valid calls, in real worlds, with all verdicts),
multiplied under new ids, runs, times and attempt numbers: nothing of that is ever mixed with a store of one's own.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lamsim_core.agent.policy import GoldPolicy, Policy, spoken
from lamsim_core.agent.prompt import call_text
from lamsim_core.agent.random_calls import random_call
from lamsim_core.canonical import derive_seed, new_id
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.store_questions import questions
from lamsim_core.models.backend import Completion
from lamsim_core.records import Mark, PolicyInfo, Record, Sampling, Step, Task, Trajectory
from lamsim_core.store import Index, Journal
from lamsim_core.tasks import SPLITS, plan_tasks

GOAL = 300.0
"""Milliseconds that 95 of 100 answers may take at most."""
PER_RUN = 250
"""Attempts in one run."""
MARKED = 20
"""One in so many has a person's decision."""
_WALKS = (8, 19)
"""Fewest and most calls of a walk: with one reference solution to two walks, ten steps on average."""
_LATEST = datetime(2026, 11, 1, tzinfo=UTC)
_DAYS = 90
_RUN = "run_bench"
_MODELS = ("bench-small", "bench-tuned", "bench-large")


class Timed(Record):
    """How long one question took, in milliseconds."""

    question: str
    calls: int
    p50: float
    p95: float
    slowest: float


class StoreBench(Record):
    """A store of a size, and what it takes."""

    trajectories: int
    steps: int
    journal_mb: float
    index_mb: float
    reused: bool
    """Whether the store was there already, so that nothing was stored or projected."""
    stored_per_second: float | None
    """Attempts made durable, one after another, each synced to the disk."""
    projected_per_second: float | None
    """Attempts projected from the journal into the index."""
    steps_projected_per_second: float | None
    catch_up: Timed
    """One more attempt: until the index shows it."""
    questions: tuple[Timed, ...]
    goal: float
    """Milliseconds that 95 of 100 answers may take."""
    missed: tuple[str, ...]
    """Questions beyond it."""
    load: float
    """Processes of this machine that wanted a core, over the last minute."""


class _Walk:
    """A walk of random valid calls, then a message."""

    info = PolicyInfo(kind="random", name="random")

    def __init__(self, length: int) -> None:
        self._length = length

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        call, seen = random_call(task, steps, random.Random(seed))
        return spoken(call_text(call) if len(steps) < self._length else str(seen[-1]))


def real_attempts(tasks: int) -> list[Trajectory]:
    """Real attempts at tasks of every split: of each task the reference solution and two walks."""
    rng = random.Random(0)
    planned = [task for split in SPLITS for task in plan_tasks(split, -(-tasks // len(SPLITS)))]
    made: list[Trajectory] = []
    for task in planned[:tasks]:
        policies: list[Policy] = [GoldPolicy(), _Walk(rng.randint(*_WALKS)), _Walk(rng.randint(*_WALKS))]
        for attempt, policy in enumerate(policies):
            *_, last = run_attempt(task, policy, run="bench", attempt=attempt, max_steps=_WALKS[1] + 1)
            assert isinstance(last, Ended)
            made.append(last.trajectory)
    return made


def multiplied(attempts: Sequence[Trajectory], count: int) -> Iterator[Trajectory]:
    """``count`` attempts with the content of these, each with an id, a run, a time and a number of its own."""
    sampling = Sampling(temperature=0.7)
    for number in range(count):
        original = attempts[number * 7919 % len(attempts)]
        run = number // PER_RUN
        created = _LATEST - timedelta(days=_DAYS) * (1 - number / count)
        update: dict[str, object] = {
            "id": new_id("trj"),
            "run": f"{_RUN}{run:06}",
            "created": created.isoformat(timespec="microseconds"),
            "attempt": number,
            "seed": derive_seed(original.task.key, number),
        }
        if original.policy.kind == "random" and run % 4:
            update["policy"] = PolicyInfo(kind="model", name=_MODELS[run % 4 - 1], sampling=sampling)
        yield original.model_copy(update=update)


def bench_store(
    folder: Path, count: int, *, rounds: int, memory: str, on_progress: Callable[[str], None] = lambda said: None
) -> StoreBench:
    """Fill a store in ``folder``, unless it holds so many attempts already, and time what is asked of it.

    Args:
        folder: an empty or new folder, or one that was filled by this before.
        count: attempts.
        rounds: how often each question is asked, each time of something else where it can be.
        memory: what DuckDB may use.
        on_progress: told what is going on.
    """
    index = Index(folder / "index.duckdb", folder / "journal", memory)
    journal = Journal(folder / "journal")
    try:
        index.sync()
        reused = _held(index) == count
        attempts = real_attempts(min(400, count))
        stored = projected = None
        if not reused:
            on_progress(f"Storing {count:,} attempts")
            stored = _store(journal, attempts, count, on_progress)
            on_progress("Projecting them into the index")
            began = time.perf_counter()
            index.sync()
            projected = time.perf_counter() - began
        steps = int(index.query("SELECT count(*) AS n FROM steps")[0]["n"])
        on_progress("Asking")
        timed = [
            _timed(name, [ask for _ in range(max(1, rounds // len(asks))) for ask in asks])
            for name, asks in questions(index, rounds).items()
        ]
        catch_up = _timed("one more attempt", [_one_more(index, journal, each) for each in attempts[: min(rounds, 20)]])
        size = sum(path.stat().st_size for path in (folder / "journal").iterdir())
        return StoreBench(
            trajectories=count,
            steps=steps,
            journal_mb=round(size / 1e6, 1),
            index_mb=round((folder / "index.duckdb").stat().st_size / 1e6, 1),
            reused=reused,
            stored_per_second=None if stored is None else round(count / stored, 1),
            projected_per_second=None if projected is None else round(count / projected, 1),
            steps_projected_per_second=None if projected is None else round(steps / projected, 1),
            catch_up=catch_up,
            questions=tuple(timed),
            goal=GOAL,
            missed=tuple(each.question for each in timed if each.p95 > GOAL),
            load=round(os.getloadavg()[0], 1),
        )
    finally:
        journal.close()
        index.close()


def _held(index: Index) -> int:
    """How many attempts a fill stored here; those of ``catch_up`` do not count."""
    return int(
        index.query("SELECT count(*) AS n FROM trajectories WHERE starts_with(run, $run)", {"run": _RUN})[0]["n"]
    )


def _store(journal: Journal, attempts: Sequence[Trajectory], count: int, on_progress: Callable[[str], None]) -> float:
    """Store them, and a decision about some; the seconds that storing the attempts took."""
    seconds = 0.0
    for number, trajectory in enumerate(multiplied(attempts, count)):
        began = time.perf_counter()
        journal.append("trajectory", trajectory)
        seconds += time.perf_counter() - began
        if number % MARKED == 0:
            journal.append("mark", _mark(trajectory, number))
        if number % 10_000 == 9_999:
            on_progress(f"{number + 1:,} stored")
    return seconds


def _mark(trajectory: Trajectory, number: int) -> Mark:
    return Mark(
        id=new_id("mrk"),
        trajectory=trajectory.id,
        decision="accept" if trajectory.passed else "reject",
        tags=("bench", f"group {number // MARKED % 8}"),
        author="bench",
        created=trajectory.created,
    )


def _one_more(index: Index, journal: Journal, original: Trajectory) -> Callable[[], object]:
    (trajectory,) = multiplied([original], 1)
    changed = trajectory.model_copy(update={"run": new_id("run")})

    def ask() -> object:
        journal.append("trajectory", changed)
        return index.sync()

    return ask


def _timed(name: str, asks: Sequence[Callable[[], object]]) -> Timed:
    taken: list[float] = []
    for ask in asks:
        began = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - began))
    p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
    return Timed(
        question=name,
        calls=len(taken),
        p50=round(statistics.median(taken), 1),
        p95=round(p95, 1),
        slowest=round(max(taken), 1),
    )
