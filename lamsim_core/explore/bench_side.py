"""One way of exploring, timed: how many trajectories, and where the time went."""

import os
import statistics
import time
from collections.abc import Sequence
from typing import Literal

from lamsim_core.agent.policy import ModelPolicy
from lamsim_core.explore.engine import explore
from lamsim_core.feedback import Judge
from lamsim_core.models.backend import Backend
from lamsim_core.records import Record, Task, Trajectory
from lamsim_core.store import Store

Way = Literal["plain", "alone", "together", "server"]
"""transformers' own loop; this product one attempt at a time; this product many at a time; a server, one at a time."""


class Side(Record):
    """One way of exploring. Shares are of the whole time."""

    way: Way
    batch: int
    """Attempts at the same time."""
    attempts: int
    replies: int
    seconds: float
    processor_seconds: float
    """Of this process, all its threads together."""
    trajectories_per_minute: float
    tokens_per_second: float
    """Written by the model, over the whole time."""
    tokens_per_reply: float
    prompt_tokens: int
    cached_tokens: int
    """Prompt tokens that were not read again."""
    reading: float
    """Share of the time in which the model read prompts (until the first token, where one attempt runs at a time)."""
    writing: float
    """Share of the time in which the model wrote."""
    environment: float
    """Share of the time that steps of the environment took, without their verdicts."""
    feedback: float
    """Share of the time that verdicts on actions took."""
    store: float
    """Share of the time that storing took."""
    load: float
    """Processes of this machine that wanted a core, over the last minute: median over the rounds."""


class Clock:
    """What one run has cost."""

    def __init__(self) -> None:
        self.seconds = self.processor = self.reading = self.writing = self.store = self.load = 0.0
        self.trajectories: list[Trajectory] = []


def run_side(store: Store, way: Way, policy: ModelPolicy, tasks: Sequence[Task], attempts: int, batch: int) -> Clock:
    """Explore ``tasks`` and note what it cost.

    Raises:
        ModelError: the model broke down several times in a row.
    """
    clock = Clock()

    def keep(trajectory: Trajectory) -> None:
        began = time.perf_counter()
        store.add(trajectory)
        clock.store += time.perf_counter() - began
        clock.trajectories.append(trajectory)

    assert policy.info.sampling is not None
    reading, writing = _passes(policy.backend, forget=True)
    began, used = time.perf_counter(), time.process_time()
    explore(
        tasks,
        policy,
        run="bench",
        attempts=attempts,
        max_steps=policy.info.sampling.max_steps,
        done=set(),
        on_trajectory=keep,
        on_progress=lambda done, total, message: None,
        should_stop=lambda: False,
        batch=batch,
    )
    clock.seconds, clock.processor = time.perf_counter() - began, time.process_time() - used
    if way == "together":
        after = _passes(policy.backend)
        clock.reading, clock.writing = after[0] - reading, after[1] - writing
    else:
        usages = [step.usage for each in clock.trajectories for step in each.steps if step.usage]
        clock.reading = sum(usage.prefill_seconds for usage in usages)
        clock.writing = sum(usage.decode_seconds for usage in usages)
    clock.load = os.getloadavg()[0]
    return clock


def _passes(backend: Backend, *, forget: bool = False) -> tuple[float, float]:
    """Seconds that passes of a batched model read and wrote so far; nothing for other backends."""
    from lamsim_core.models.batched import BatchedBackend

    if not isinstance(backend, BatchedBackend):
        return 0.0, 0.0
    if forget:
        backend.forget()  # or a second round would find its prompts read
    return backend.reading_seconds, backend.writing_seconds


def side(way: Way, clocks: Sequence[Clock], batch: int) -> Side:
    """A way's figures: of all its rounds, or of the median round where every round was the whole."""
    if way == "together":
        clocks = [sorted(clocks, key=lambda clock: clock.seconds)[(len(clocks) - 1) // 2]]
    seconds = sum(clock.seconds for clock in clocks)
    trajectories = [each for clock in clocks for each in clock.trajectories]
    steps = [step for each in trajectories for step in each.steps]
    usages = [step.usage for step in steps if step.usage]
    written = sum(usage.completion_tokens for usage in usages)
    judging = sum(_judging(each) for each in trajectories)
    return Side(
        way=way,
        batch=batch,
        attempts=len(trajectories),
        replies=len(usages),
        seconds=round(seconds, 2),
        processor_seconds=round(sum(clock.processor for clock in clocks), 2),
        trajectories_per_minute=round(60 * len(trajectories) / seconds, 2),
        tokens_per_second=round(written / seconds, 1),
        tokens_per_reply=round(written / max(1, len(usages)), 1),
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        reading=round(sum(clock.reading for clock in clocks) / seconds, 3),
        writing=round(sum(clock.writing for clock in clocks) / seconds, 3),
        environment=round(max(0.0, sum(step.seconds for step in steps) - judging) / seconds, 4),
        feedback=round(judging / seconds, 4),
        store=round(sum(clock.store for clock in clocks) / seconds, 4),
        load=round(statistics.median(clock.load for clock in clocks), 1),
    )


def _judging(trajectory: Trajectory) -> float:
    """Seconds that the verdicts on a trajectory's actions take, judged once more."""
    judge, text = Judge(trajectory.task), ""
    began = time.perf_counter()
    for index, step in enumerate(trajectory.steps):
        text = text if step.reply is None else step.reply
        judge.action(step.call, text, step.observation, step.changes, trajectory.steps[:index])
    return time.perf_counter() - began
