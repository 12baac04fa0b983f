"""What the model that a preference training starts from says of every row: computed once, kept, found again on a resume."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamsim_core.errors import StoppedError
from lamsim_core.train import world
from lamsim_core.train.running import only_trained_tokens_scored

_FILE = "reference-{}.jsonl"
"""Name of the file of each process: one line for each batch, whole or not counted."""

Said = tuple[float, float]
"""Log-probabilities of the two answers of a row."""


def ask_reference(
    trainer: Any, batch: int, work: Path, run: str, should_stop: Callable[[], bool], say: Callable[[str], None]
) -> list[Said]:
    """Log-probabilities of both answers of every row of a trainer's dataset, by the model it starts from.

    Raises:
        StoppedError: a stop was asked for; what was computed is kept.
    """
    rows = trainer.train_dataset
    starts = range(0, len(rows), batch)
    known = _read(work, run)
    missing = [start for start in starts if len(known.get(start, ())) != min(batch, len(rows) - start)]
    trainer.model.eval()
    with only_trained_tokens_scored(), (work / _FILE.format(world.rank())).open("ab") as file:
        for start in missing[world.rank() :: world.size()]:
            if world.size() == 1 and should_stop():
                raise StoppedError("Training was stopped before its first step. Resume it to go on.")
            say(f"Asking the model it starts from: {start:,} of {len(rows):,} rows.")
            asked = trainer.data_collator([rows[place] for place in range(start, min(start + batch, len(rows)))])
            asked = {name: tensor.to(trainer.accelerator.device) for name, tensor in asked.items()}
            first, second = trainer.compute_ref_log_probs(trainer.model, asked)
            said = list(zip(first.tolist(), second.tolist(), strict=True))
            # A line that a kill tore is closed by the next one's beginning.
            file.write(b"\n" + json.dumps({"run": run, "start": start, "said": said}).encode() + b"\n")
            file.flush()
    world.wait()
    known = _read(work, run)
    if "ref" in getattr(trainer.model, "peft_config", {}):
        trainer.model.delete_adapter("ref")  # TRL's copy of the adapter it starts from has done its work
    return [said for start in starts for said in known[start]]


def _read(work: Path, run: str) -> dict[int, list[Said]]:
    """Start of each batch -> what was said; lines of another run and torn lines are left out."""
    known: dict[int, list[Said]] = {}
    for path in work.glob(_FILE.format("*")):
        for line in path.read_bytes().split(b"\n"):
            try:
                entry = json.loads(line)
                if entry["run"] == run:
                    known[entry["start"]] = [(float(first), float(second)) for first, second in entry["said"]]
            except (ValueError, KeyError, TypeError):
                continue
    return known
