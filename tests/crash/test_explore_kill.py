"""kill -9 of an exploring child, again and again on the same run: nothing acknowledged is lost, nothing is done twice.

Run by hand for more: ``python -m tests.crash.test_explore_kill 200``.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from lamsim_core.settings import Settings
from lamsim_core.store import Store


class Kills(NamedTuple):
    kills: int
    acknowledged: int
    lost: int
    doubled: int


def kill_trials(n: int, home: Path, seed: int = 0) -> Kills:
    """Kill ``n`` children that explore the same run, each at a random moment after it went on; read everything back."""
    rng = random.Random(seed)
    acknowledged: list[str] = []
    environment = {**os.environ, "LAMSIM_HOME": str(home)}
    for _ in range(n):
        argv = [sys.executable, "-m", "tests.crash.explore_child", "run_kill"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(rng.random() * 0.1)
            child.kill()
            acknowledged += child.stdout.read().decode().split("\n")[:-1]
    with Store(Settings(home=home)) as store:
        stored = [f"{t.task.key}:{t.attempt}" for t in store.read_run("run_kill")]
        store.index.sync()
        indexed = store.index.query("SELECT count(*) AS n FROM trajectories")[0]["n"]
    assert indexed == len(stored)
    return Kills(n, len(acknowledged), len(set(acknowledged) - set(stored)), len(stored) - len(set(stored)))


@pytest.mark.crash
def test_no_acknowledged_trajectory_is_lost(tmp_path: Path) -> None:
    result = kill_trials(6, tmp_path / "var")
    assert (result.kills, result.lost, result.doubled) == (6, 0, 0)
    assert result.acknowledged > 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(kill_trials(int(sys.argv[1]) if len(sys.argv) > 1 else 200, Path(folder) / "var"))
