"""Workers under Ray are killed with SIGKILL while a run goes on: nothing is lost, nothing is stored twice.

Run by hand for more: ``python -m tests.crash.ray_kill 500 1.0`` makes 500 attempts and kills a worker every second,
any of them; with ``busy`` after the numbers, only ones that have stored something.
"""

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

from lamsim_core.explore.engine import Executor, carry_out
from lamsim_core.explore.modes import How
from lamsim_core.explore.ray_cluster import ray_here
from lamsim_core.explore.ray_pool import RayPool
from lamsim_core.explore.worker import Work
from lamsim_core.records import Sampling, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store.journal import check
from lamsim_core.store.segments import read_records
from lamsim_core.tasks import plan_tasks


class Found(NamedTuple):
    kills: int
    busy: int
    """Kills of workers that had stored something; the others were spare or starting."""
    planned: int
    finished: int
    """Counted by the one who handed the attempts out."""
    lost: int
    doubled: int
    damaged: int
    seconds: float


def work_for(settings: Settings, model: str, run: str, *, batch: int = 1, quantisation: str | None = None) -> Work:
    """What workers of a run of these tests have to know."""
    run_file = settings.home.absolute() / f"{run}.txt"
    run_file.parent.mkdir(parents=True, exist_ok=True)
    run_file.write_text(run)
    return Work(
        settings=settings,
        run=run,
        run_file=run_file,
        model=model,
        sampling=Sampling(),
        quantisation=quantisation,
        batch=batch,
        how=How(),
    )


def workers_here() -> list[psutil.Process]:
    """Every process under the Ray of this one that is a worker or is about to be: busy, spare or starting."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            said = process.cmdline()
            title = said[0] if said else ""
            starting = any(part.endswith("default_worker.py") for part in said) and process.name() != "raylet"
            if starting or title.startswith(("ray::Worker", "ray::IDLE")):
                found.append(process)
    return found


def busy(process: psutil.Process, settings: Settings) -> bool:
    """Whether a worker has stored something."""
    with suppress(psutil.Error):
        return any(Path(file.path).parent == settings.journal.absolute() for file in process.open_files())
    return False


def stored(settings: Settings) -> Counter[tuple[str, int]]:
    """How often each attempt lies in the journal."""
    records = (record for _, record in read_records(settings.journal, "trajectory"))
    return Counter((each.task.key, each.attempt) for each in records if isinstance(each, Trajectory))


def run_under_fire(
    settings: Settings,
    pool: Executor,
    tasks: list[Task],
    attempts: int,
    until: Callable[[Callable[[], int], Callable[[], bool]], None],
    only_busy: bool = False,
) -> Found:
    """Make the attempts while a thread kills a worker again and again.

    Args:
        until: waits for the next kill; it can ask how many attempts are finished, and whether all are over.
        only_busy: kill only workers that have stored something.
    """
    finished = 0

    def progress(done: int, total: int, message: str) -> None:
        nonlocal finished
        finished = done

    kills = hits = 0
    over = threading.Event()

    def killing() -> None:
        nonlocal kills, hits
        while not over.is_set():
            until(lambda: finished, over.is_set)
            workers = [each for each in workers_here() if not only_busy or busy(each, settings)]
            if not over.is_set() and workers:
                victim = random.choice(workers)
                hits += busy(victim, settings)
                victim.kill()
                kills += 1

    began = time.monotonic()
    killer = threading.Thread(target=killing)
    killer.start()
    try:
        summary = carry_out(
            tasks, pool, attempts=attempts, done=set(), on_progress=progress, should_stop=lambda: False, together=2
        )
    finally:
        over.set()
        killer.join()
    seconds = time.monotonic() - began
    found = stored(settings)
    planned = {(task.key, attempt) for task in tasks for attempt in range(attempts)}
    return Found(
        kills,
        hits,
        summary.planned,
        summary.finished,
        len(planned - found.keys()),
        sum(found.values()) - len(found),
        len(check(settings.journal).damaged),
        round(seconds, 1),
    )


def main(count: int, pause: float, only_busy: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "var")
        work = work_for(settings, "gold", "run_kill")
        with ray_here(2) as cluster:
            pool = RayPool(work, 2, cluster)
            tasks = plan_tasks("train", count)
            print(run_under_fire(settings, pool, tasks, 1, lambda finished, over: time.sleep(pause), only_busy))


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 500,
        float(sys.argv[2]) if len(sys.argv) > 2 else 1.0,
        "busy" in sys.argv,
    )
