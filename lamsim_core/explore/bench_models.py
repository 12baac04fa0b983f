"""How fast a local model explores: one attempt after another, beside many together, on the same tasks in one run."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lamsim_core.agent.policy import ModelPolicy
from lamsim_core.explore.engine import explore
from lamsim_core.models.registry import open_backend
from lamsim_core.records import Record, Sampling, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store


class Side(Record):
    """One way of exploring."""

    batch: int
    """Attempts at the same time."""
    attempts: int
    seconds: float
    trajectories_per_minute: float
    tokens_per_second: float
    """Written by the model, over the whole time."""
    prompt_tokens: int
    cached_tokens: int
    """Prompt tokens that were not read again."""
    model: float
    """Share of the time in which the model wrote."""
    environment: float
    """Share of the time that steps and their verdicts took."""
    store: float
    """Share of the time that storing took."""
    load: float
    """Processes of this machine that wanted a core, at the end (over one minute)."""


class ModelBench(Record):
    """Exploring alone and together."""

    model: str
    quantisation: str | None
    device: str | None
    alone: Side
    together: Side
    faster: float
    """Trajectories per minute together, over those alone."""
    same_trajectories: float
    """Share of attempts whose replies were all the same."""
    same_replies: float
    """Share of replies that were the same, of those given to the same conversation."""


class _Clock:
    """What one side has cost so far."""

    def __init__(self) -> None:
        self.seconds = self.model = self.store = 0.0
        self.trajectories: list[Trajectory] = []


def bench_models(
    settings: Settings, model: str, tasks: Sequence[Task], batch: int, sampling: Sampling, quantisation: str | None
) -> ModelBench:
    """Explore ``tasks`` alone and together, with the model loaded twice; nothing is kept.

    Half of the tasks are tried alone before, and half after, so that a machine that gets slower or faster meanwhile
    harms neither side.
    """
    one = open_backend(settings, model, quantisation=quantisation)
    many = open_backend(settings, model, quantisation=quantisation, batch=batch)
    alone, together = _Clock(), _Clock()
    half = -(-len(tasks) // 2)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(settings.model_copy(update={"home": Path(folder)}))
        try:
            for backend in (one, many):  # the first pass of a model prepares its kernels
                _run(
                    _Clock(), store, ModelPolicy(backend, sampling.model_copy(update={"max_new_tokens": 2})), tasks[:1]
                )
            _run(alone, store, ModelPolicy(one, sampling), tasks[:half])
            busy = getattr(many, "busy_seconds", 0.0)
            _run(together, store, ModelPolicy(many, sampling), tasks, batch)
            together.model = getattr(many, "busy_seconds", 0.0) - busy
            _run(alone, store, ModelPolicy(one, sampling), tasks[half:])
        finally:
            store.close()
            one.close()
            many.close()
    usages = [step.usage for each in alone.trajectories for step in each.steps if step.usage]
    alone.model = sum(usage.prefill_seconds + usage.decode_seconds for usage in usages)
    first, second = _side(alone, 1), _side(together, batch)
    trajectories, replies = _same(alone.trajectories, together.trajectories)
    return ModelBench(
        model=model,
        quantisation=one.info.quantisation,
        device=one.info.device,
        alone=first,
        together=second,
        faster=round(second.trajectories_per_minute / first.trajectories_per_minute, 2),
        same_trajectories=trajectories,
        same_replies=replies,
    )


def _run(clock: _Clock, store: Store, policy: ModelPolicy, tasks: Sequence[Task], batch: int = 1) -> None:
    def keep(trajectory: Trajectory) -> None:
        began = time.perf_counter()
        store.add(trajectory)
        clock.store += time.perf_counter() - began
        clock.trajectories.append(trajectory)

    assert policy.info.sampling is not None
    began = time.perf_counter()
    explore(
        tasks,
        policy,
        run="bench",
        attempts=1,
        max_steps=policy.info.sampling.max_steps,
        done=set(),
        on_trajectory=keep,
        on_progress=lambda done, total, message: None,
        should_stop=lambda: False,
        batch=batch,
    )
    clock.seconds += time.perf_counter() - began


def _side(clock: _Clock, batch: int) -> Side:
    steps = [step for each in clock.trajectories for step in each.steps]
    usages = [step.usage for step in steps if step.usage]
    return Side(
        batch=batch,
        attempts=len(clock.trajectories),
        seconds=round(clock.seconds, 2),
        trajectories_per_minute=round(60 * len(clock.trajectories) / clock.seconds, 2),
        tokens_per_second=round(sum(usage.completion_tokens for usage in usages) / clock.seconds, 1),
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        model=round(clock.model / clock.seconds, 3),
        environment=round(sum(step.seconds for step in steps) / clock.seconds, 3),
        store=round(clock.store / clock.seconds, 3),
        load=round(os.getloadavg()[0], 1),
    )


def _same(alone: Sequence[Trajectory], together: Sequence[Trajectory]) -> tuple[float, float]:
    """Shares of attempts, and of replies to the same conversation, that are the same."""
    others = {each.task.key: each for each in together}
    same = replies = equal = 0
    for trajectory in alone:
        mine, theirs = (
            [step.reply for step in each.steps if step.reply is not None]
            for each in (trajectory, others[trajectory.task.key])
        )
        same += mine == theirs
        for first, second in zip(mine, theirs, strict=False):
            replies += 1
            equal += first == second
            if first != second:
                break  # from here on the conversations differ
    return round(same / len(alone), 3), round(equal / replies, 3)
