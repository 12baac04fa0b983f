"""One long exploration without supervision, killed with SIGKILL half-way and resumed.

``python -m tests.crash.soak [--tasks 250] [--attempts 4] [--model smollm2-135m]`` prints one JSON object: how long it took,
how memory grew, and that what was planned is what is stored, nothing lost and nothing twice.
"""

import argparse
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, JobStatus
from lamsim_core.settings import Settings
from lamsim_core.store import Store

LOOK_SECONDS = 2.0


class Sample(NamedTuple):
    """The job's process at one moment."""

    pid: int
    done: int
    megabytes: float


def watch(settings: Settings, job: str, samples: list[Sample], until: int) -> JobStatus:
    """Follow a job until it has finished so many attempts, or ended."""
    while True:
        status = supervisor.status(settings, job)
        if status.pid is not None and status.state in ACTIVE:
            try:
                memory = psutil.Process(status.pid).memory_info().rss / 2**20
            except psutil.NoSuchProcess:
                memory = 0.0
            if memory:
                samples.append(Sample(status.pid, status.done, memory))
        if status.state not in ACTIVE or status.done >= until:
            return status
        time.sleep(LOOK_SECONDS)


def slope(samples: Sequence[Sample]) -> float | None:
    """Megabytes that each hundred attempts added, of the process with most samples, its first quarter left out (it loads)."""
    pids = [sample.pid for sample in samples]
    most = max(set(pids), key=pids.count, default=None)
    mine = [sample for sample in samples if sample.pid == most]
    mine = mine[len(mine) // 4 :]
    if len({sample.done for sample in mine}) < 2:
        return None
    fit = statistics.linear_regression([sample.done for sample in mine], [sample.megabytes for sample in mine])
    return round(100 * fit.slope, 2)


def soak(settings: Settings, params: dict[str, object]) -> dict[str, object]:
    """Run the exploration; see the module's text."""
    total = int(str(params["tasks"])) * int(str(params["attempts"]))
    samples: list[Sample] = []
    began = time.perf_counter()
    job = supervisor.start(settings, "explore", params, label="soak", request_id="req_soak").id
    half = watch(settings, job, samples, total // 2)
    acknowledged: set[tuple[str, int]] = set()
    if half.pid is not None and half.state in ACTIVE:
        with Store(settings) as store:
            acknowledged = {(t.task.key, t.attempt) for run in runs(settings) for t in store.read_run(run)}
        os.kill(half.pid, signal.SIGKILL)
        while supervisor.status(settings, job).state in ACTIVE:
            time.sleep(0.2)
        supervisor.resume(settings, job)
    end = watch(settings, job, samples, total + 1)
    took = time.perf_counter() - began
    with Store(settings) as store:
        stored = [(t.task.key, t.attempt) for run in runs(settings) for t in store.read_run(run)]
        store.index.sync()
        indexed = store.index.query("SELECT count(*) AS n FROM trajectories")[0]["n"]
    return {
        "state": end.state,
        "error": end.error,
        "planned": total,
        "stored": len(stored),
        "indexed": indexed,
        "stored_before_the_kill": len(acknowledged),
        "lost": len(acknowledged - set(stored)),
        "doubled": len(stored) - len(set(stored)),
        "seconds": round(took, 1),
        "trajectories_per_minute": round(60 * len(stored) / took, 2),
        "megabytes_at_most": round(max((sample.megabytes for sample in samples), default=0.0)),
        "megabytes_per_100_attempts": slope(samples),
        "load": round(os.getloadavg()[2], 1),
    }


def runs(settings: Settings) -> set[str]:
    """The run of the one job."""
    return {path.read_text(encoding="ascii").strip() for path in settings.jobs.glob("*/run.txt")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=250)
    parser.add_argument("--attempts", type=int, default=4)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--max-steps", type=int, default=4)
    parser.add_argument("--max-new-tokens", type=int, default=80)
    asked = parser.parse_args()
    params: dict[str, object] = {**vars(asked), "split": "train", "temperature": 0.7}
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(soak(Settings(home=Path(folder)), params), indent=1))


if __name__ == "__main__":
    main()
