"""How many verified training rows an hour gives on this machine: tasks planned, tried, stored, chosen and frozen, timed.

Everything is real and happens in a store of its own: the reference solution acts, every check judges it, every attempt
is on the disk before it counts, and the balanced preset chooses. A model's own successes cost what its attempts cost,
which ``bench explore`` times.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.canonical import new_id
from lamsim_core.curate.freezing import freeze, rows_maker
from lamsim_core.curate.presets import fill_in
from lamsim_core.explore.engine import explore
from lamsim_core.records import Record, Selection
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.tasks import plan_tasks


class CurateBench(Record):
    """What came of so many tasks, and how long it took."""

    tasks: int
    passed: int
    rows: int
    by_policy: dict[str, int]
    """Rows by who acted."""
    left_out: dict[str, int]
    """Attempts that did not become a row, by reason."""
    seconds: dict[str, float]
    """By step, in their order."""
    processor_seconds: dict[str, float]
    """The same on the processor, which other work on the machine disturbs less."""
    rows_per_hour: float
    """At the pace of all steps together."""
    rows_per_processor_hour: float
    """The same by processor time."""
    attempts_per_hour: float
    """Verified attempts planned, made and stored in an hour, before anything is chosen."""
    load: float
    """Processes of this machine that wanted a core, over the last minute."""


def bench_curate(home: Path, tasks: int, *, on_progress: Callable[[str], None] = lambda said: None) -> CurateBench:
    """Plan, try and store ``tasks`` training tasks in the new folder ``home``, then choose and freeze what came of them."""
    seconds: dict[str, float] = {}
    processor: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        on_progress(step)
        began, worked = time.perf_counter(), time.process_time()
        yield
        seconds[step], processor[step] = time.perf_counter() - began, time.process_time() - worked

    with Store(Settings(home=home)) as store:
        with timed("plan the tasks"):
            planned = plan_tasks("train", tasks)
        with timed("try, judge and store them"):
            summary = explore(
                planned,
                GoldPolicy(),
                run=new_id("run"),
                attempts=1,
                max_steps=store.settings.max_steps,
                done=frozenset(),
                on_trajectory=store.add,
                on_progress=lambda done, of, said: None,
                should_stop=lambda: False,
            )
        made = sum(seconds.values())
        with timed("project them into the index"):
            store.index.sync()
        with timed("load what makes rows"):
            rows_maker(Selection())
        with timed("choose, by the balanced preset"):
            filled = fill_in("balanced", store)
        with timed("choose again and freeze"):
            dataset = freeze(store, "bench", filled.selection)
    return CurateBench(
        tasks=tasks,
        passed=summary.passed,
        rows=dataset.rows,
        by_policy=dataset.counts["policy"],
        left_out=dataset.counts["left_out"],
        seconds={step: round(taken, 2) for step, taken in seconds.items()},
        processor_seconds={step: round(taken, 2) for step, taken in processor.items()},
        rows_per_hour=round(3600 * dataset.rows / sum(seconds.values())),
        rows_per_processor_hour=round(3600 * dataset.rows / sum(processor.values())),
        attempts_per_hour=round(3600 * summary.passed / made),
        load=round(os.getloadavg()[0], 1),
    )
