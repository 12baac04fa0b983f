"""What happens between training steps: stop and save, report, and make each checkpoint trustworthy.

A checkpoint holds optimizer and random states that torch reads with ``weights_only``; still, only a checkpoint that this
product wrote for this very run is ever resumed: its manifest, written last, must name the run and match every file.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lamsim_core.files import write_atomic
from lamsim_core.models.folder import file_sha256
from lamsim_core.train import world

CHECKPOINT_MANIFEST = "lamsim-checkpoint.json"
"""Name of a checkpoint's manifest."""

Report = Callable[[dict[str, float]], None]
"""Told the numbers of one step."""


MEASURES = {
    "loss": "loss",
    "mean_token_accuracy": "token_accuracy",
    "rewards/accuracies": "accuracy",
    "rewards/margins": "margin",
}
"""What TRL calls the numbers of a step -> what we call them."""


def measures(logs: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a step, by our names; not every step has all."""
    return {ours: float(logs[name]) for name, ours in MEASURES.items() if name in logs}


def seal_checkpoint(folder: Path, run: str) -> None:
    """Write the manifest of a checkpoint that is complete."""
    files = {
        str(path.relative_to(folder)): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CHECKPOINT_MANIFEST
    }
    write_atomic(folder / CHECKPOINT_MANIFEST, json.dumps({"run": run, "files": files}, indent=1).encode())


def sound(folder: Path, run: str) -> bool:
    """Whether a checkpoint belongs to this run and is what was written, no file more, no file less."""
    try:
        manifest = json.loads((folder / CHECKPOINT_MANIFEST).read_bytes())
        files = {
            str(path.relative_to(folder)): file_sha256(path)
            for path in folder.rglob("*")
            if path.is_file() and path.name != CHECKPOINT_MANIFEST
        }
        return bool(manifest["run"] == run and manifest["files"] == files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def last_checkpoint(folder: Path, run: str) -> Path | None:
    """The newest sound checkpoint of this run; those that are not sound are removed."""
    steps: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*"):
        step = path.name.removeprefix("checkpoint-")
        if step.isdecimal() and sound(path, run):
            steps[int(step)] = path
        else:
            shutil.rmtree(path, ignore_errors=True)
    return steps[max(steps)] if steps else None


def make_callback(run: str, epochs: float, should_stop: Callable[[], bool], report: Report) -> Any:
    """A Trainer callback that stops and saves when asked, reports each step, and seals each checkpoint."""
    from transformers import TrainerCallback

    class Between(TrainerCallback):  # type: ignore[misc]
        """Runs between training steps."""

        def __init__(self) -> None:
            self._tokens = 0.0
            self._time = time.perf_counter()

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._time = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if world.told(should_stop()) and state.global_step < state.max_steps:
                control.should_save = control.should_training_stop = True

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            if not logs or "loss" not in logs:
                return
            now = time.perf_counter()
            tokens = float(logs.get("num_tokens", 0))
            report(
                {
                    "step": state.global_step,
                    "steps": state.max_steps,
                    **measures(logs),
                    "epoch": round(epochs * state.global_step / state.max_steps, 4),
                    "tokens_per_second": round((tokens - self._tokens) / max(now - self._time, 1e-9), 1),
                    "learning_rate": logs.get("learning_rate", 0.0),
                }
            )
            self._tokens, self._time = tokens, now

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            world.wait()  # every process has a file of its own in it
            if world.leads():
                seal_checkpoint(Path(args.output_dir) / f"checkpoint-{state.global_step}", run)

    return Between()
