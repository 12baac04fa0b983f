"""How fast the environment is: steps with all their verdicts, beside the bare functions behind the tools."""

import statistics
import time
from collections.abc import Sequence

from lamsim_core.feedback import Judge
from lamsim_core.records import Record, Step, Task, ToolCall
from lamsim_core.tasks import build_environment
from lamsim_core.tools import get_category
from lamsim_core.tools.category import joined_world


class EnvironmentBench(Record):
    """Times of steps, in microseconds."""

    tasks: int
    steps: int
    tools: int
    """Different tools called."""
    steps_per_second: float
    median: float
    """A step: arguments validated, the tool run in a transaction, every check of actions, both state hashes."""
    p95: float
    environment: float
    """Median of the step without its verdicts."""
    bare: float
    """Median of calling the tool's function alone with the same arguments."""
    ratio: float
    """Median step over median bare call."""
    judgement: float
    """Median of the judgement at the end of an attempt."""


def bench_environment(tasks: Sequence[Task], rounds: int = 3) -> EnvironmentBench:
    """Time the reference solutions of ``tasks``; step and bare call alternate, so that noise meets both alike."""
    whole: list[float] = []
    stepped: list[float] = []
    bare: list[float] = []
    ends: list[float] = []
    called: set[str] = set()
    for _ in range(rounds):
        for task in tasks:
            if task.gold:
                called |= _time_task(task, whole, stepped, bare, ends)
    return EnvironmentBench(
        tasks=len(tasks),
        steps=len(whole),
        tools=len(called),
        steps_per_second=round(len(whole) / sum(whole), 1),
        median=_micro(statistics.median(whole)),
        p95=_micro(statistics.quantiles(whole, n=20)[-1]),
        environment=_micro(statistics.median(stepped)),
        bare=_micro(statistics.median(bare)),
        ratio=round(statistics.median(whole) / statistics.median(bare), 2),
        judgement=_micro(statistics.median(ends)),
    )


def _time_task(task: Task, whole: list[float], stepped: list[float], bare: list[float], ends: list[float]) -> set[str]:
    environment, judge = build_environment(task), Judge(task)
    world = joined_world(task.worlds or (task.category,), task.seed)
    behind = {schema.name: binding for schema, binding in task.bound_tools}
    steps: list[Step] = []
    called = set()
    for index, gold in enumerate(task.gold):
        binding = behind[gold.name]
        called.add(f"{binding.category}.{binding.tool}")
        function = get_category(binding.category).tools[binding.tool].function
        arguments = {binding.parameters.get(key, key): value for key, value in gold.arguments.items()}
        call = ToolCall(id=f"call_{index}", name=gold.name, arguments=gold.arguments, raw="")
        start = time.perf_counter()
        made = environment.step(call)
        middle = time.perf_counter()
        verdicts = judge.action(call, "", made.observation, made.changes, steps)
        end = time.perf_counter()
        whole.append(end - start)
        stepped.append(middle - start)
        steps.append(
            Step(
                index=index,
                turn=index,
                reply=None,
                call=call,
                observation=made.observation,
                verdicts=verdicts,
                changes=made.changes,
                state_before=made.before,
                state_after=made.after,
                seed=0,
                seconds=end - start,
            )
        )
        if not gold.fails:
            start = time.perf_counter()
            function(world, **arguments)
            bare.append(time.perf_counter() - start)
    start = time.perf_counter()
    judge.end(steps, "answered", task.closing, environment.net_changes())
    ends.append(time.perf_counter() - start)
    return called


def _micro(seconds: float) -> float:
    return round(seconds * 1e6, 1)
