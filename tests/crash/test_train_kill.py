"""SIGKILL at places spread over a whole training: no part of an adapter is ever visible, and every run can go on.

More trials: ``python -m tests.crash.test_train_kill 200``, for preferences with ``dpo`` behind it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.records import Method
from lamsim_core.settings import REPOSITORY
from tests.models.tiny import tiny_settings, write_tiny_model
from tests.train.making import QUICK, freeze_rows, gold_dataset, pair_rows, train_params

PREFERENCES = QUICK.model_copy(update={"method": "dpo", "learning_rate": 1e-3})


def kill_trials(root: Path, trials: int, method: Method = "sft") -> dict[str, Any]:
    """Kill ``trials`` trainings at different places and resume each; what was found, counted."""
    settings = tiny_settings(root / "installation", write_tiny_model(root / "model"))
    if method == "dpo":
        params = train_params(freeze_rows(settings, pair_rows(4), "preference"), recipe=PREFERENCES)
    else:
        params = train_params(gold_dataset(settings))
    (root / "installation" / "params.json").write_text(json.dumps(params), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.train_child", str(root / "installation"), str(trials)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.crash
@pytest.mark.parametrize(("method", "trials"), [("sft", 4), ("dpo", 2)])
def test_a_killed_training_shows_nothing_half_done_and_goes_on(tmp_path: Path, method: Method, trials: int) -> None:
    found = kill_trials(tmp_path, trials, method)
    assert found["changes"] > 40
    # How often the status is written depends on the time, so a place near the end may not be reached.
    assert found["killed"] >= trials - 1
    assert found["resumed"] == trials
    assert (found["differing"], found["drafts"]) == (0, 0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(kill_trials(Path(folder), int(sys.argv[1]), "dpo" if "dpo" in sys.argv else "sft"))
