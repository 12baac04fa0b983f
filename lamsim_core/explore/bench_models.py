"""How fast a local model explores: the plain loop, one attempt after another, many together, and a server, in one run."""

import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from lamsim_core.agent.policy import ModelPolicy
from lamsim_core.explore.bench_side import Clock, Side, Way, run_side, side
from lamsim_core.models.backend import Backend
from lamsim_core.models.endpoint_entry import Endpoint
from lamsim_core.models.registry import open_backend
from lamsim_core.records import Record, Sampling, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store


class Faster(Record):
    """Attempts together, measured by another way."""

    than: Way
    times: float
    """Trajectories per minute together, over those of the other way."""
    by_processor: float | None
    """The same by processor seconds of this process for a trajectory, which other work on the machine disturbs less; None
    for a server, whose seconds are its own."""


class Same(Record):
    """Two ways' replies compared, token by token."""

    ways: tuple[Way, Way]
    trajectories: float
    """Share of attempts whose replies were all the same."""
    replies: int
    """Replies given to the same conversation."""
    same: float
    """Share of these that were the same."""


class ModelBench(Record):
    """Ways of exploring, beside each other."""

    model: str
    quantisation: str | None
    device: str | None
    temperature: float
    tasks: int
    attempts: int
    """Attempts at each task."""
    sides: tuple[Side, ...]
    faster: tuple[Faster, ...]
    same: tuple[Same, ...]
    """Empty where chance decides. A server writes its prompts and tokens in its own way and is not compared."""


class Plan(Record):
    """What is timed."""

    attempts: int = 1
    """Attempts at each task."""
    batch: int = 16
    sample: int | None = None
    """Tasks the ways without batches try, spread evenly over all; None for all. They take many times as long."""
    rounds: int = 3
    """Parts that the tasks of the ways without batches are cut into. Attempts together are made whole in each round."""
    ways: tuple[Literal["plain", "alone"], ...] = ("plain", "alone")
    """Ways beside attempts together, and beside the server when there is one."""


def bench_models(
    settings: Settings,
    model: str,
    tasks: Sequence[Task],
    plan: Plan,
    sampling: Sampling,
    quantisation: str,
    server: Endpoint | None = None,
) -> ModelBench:
    """Explore ``tasks`` in every way, with the model loaded once for each; nothing is kept.

    The ways take turns, and each round begins with another one, so that a machine that gets slower or faster meanwhile
    harms none of them.

    Raises:
        ModelError: the model or the server cannot be opened, or broke down.
    """
    few = tasks if plan.sample is None else [tasks[place * len(tasks) // plan.sample] for place in range(plan.sample)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        store = Store(settings.model_copy(update={"home": Path(folder)}))
        stack.callback(store.close)
        backends = _open(settings, model, plan, quantisation, server)
        for backend in backends.values():
            stack.callback(backend.close)
        clocks: dict[Way, list[Clock]] = {way: [] for way in backends}
        first = sampling.model_copy(update={"max_new_tokens": 2, "max_steps": 1})
        for way, backend in backends.items():  # the first pass of a model prepares its kernels
            run_side(store, way, ModelPolicy(backend, first), few[:1], 1, 1)
        for turn in range(plan.rounds):
            order = list(backends)
            for way in order[turn % len(order) :] + order[: turn % len(order)]:
                policy = ModelPolicy(backends[way], sampling)
                mine, batch = (tasks, plan.batch) if way == "together" else (few[turn :: plan.rounds], 1)
                clocks[way].append(run_side(store, way, policy, mine, plan.attempts, batch))
        info = backends["together"].info
    sides = {way: side(way, clocks[way], plan.batch if way == "together" else 1) for way in clocks}
    return ModelBench(
        model=model,
        quantisation=info.quantisation,
        device=info.device,
        temperature=sampling.temperature,
        tasks=len(tasks),
        attempts=plan.attempts,
        sides=tuple(sides.values()),
        faster=tuple(_faster(sides["together"], other) for way, other in sides.items() if way != "together"),
        same=() if sampling.temperature else tuple(_compared(clocks)),
    )


def _open(settings: Settings, model: str, plan: Plan, quantisation: str, server: Endpoint | None) -> dict[Way, Backend]:
    backends: dict[Way, Backend] = {}
    if "plain" in plan.ways:
        from lamsim_core.models.plain import open_plain

        backends["plain"] = open_plain(settings, model, quantisation)
    if "alone" in plan.ways:
        backends["alone"] = open_backend(settings, model, quantisation=quantisation)
    backends["together"] = open_backend(settings, model, quantisation=quantisation, batch=plan.batch)
    if server is not None:
        from lamsim_core.models.endpoint import open_endpoint

        backends["server"] = open_endpoint("server", server)
    return backends


def _faster(mine: Side, other: Side) -> Faster:
    by_processor = None
    if other.way != "server":
        by_processor = round((other.processor_seconds / other.attempts) / (mine.processor_seconds / mine.attempts), 2)
    times = round(mine.trajectories_per_minute / other.trajectories_per_minute, 2)
    return Faster(than=other.way, times=times, by_processor=by_processor)


def _compared(clocks: dict[Way, list[Clock]]) -> list[Same]:
    pairs: list[tuple[Way, Way]] = [("plain", "alone"), ("plain", "together"), ("alone", "together")]
    found = []
    for one, other in pairs:
        if one in clocks and other in clocks:
            mine, theirs = ([each for clock in clocks[way] for each in clock.trajectories] for way in (one, other))
            found.append(_same((one, other), mine, theirs))
    return found


def _same(ways: tuple[Way, Way], mine: Sequence[Trajectory], theirs: Sequence[Trajectory]) -> Same:
    others = {(each.task.key, each.attempt): _said(each) for each in theirs}
    pairs = [(_said(each), others[each.task.key, each.attempt]) for each in mine]
    equal: list[bool] = []
    for first, second in pairs:
        for one, other in zip(first, second, strict=False):
            equal.append(one == other)
            if one != other:
                break  # from here on the conversations differ
    return Same(
        ways=ways,
        trajectories=round(statistics.mean(first == second for first, second in pairs), 4),
        replies=len(equal),
        same=round(statistics.mean(equal), 4),
    )


def _said(trajectory: Trajectory) -> list[tuple[str, int]]:
    """Every reply's text and its number of tokens."""
    said = [step for step in trajectory.steps if step.reply is not None]
    return [(step.reply or "", step.usage.completion_tokens if step.usage else 0) for step in said]
