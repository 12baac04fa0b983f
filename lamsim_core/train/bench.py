"""How fast SFT is: this product's way against TRL's trainer as it comes, on the same token rows with the same recipe.

What stays the same: the base's values, the shape and start of the adapter, rows, rows at once, steps, optimizer, whether
activations are computed again. What differs is what this product adds: rows that begin alike share a batch, what they begin
with is read once, nothing is padded, only trained tokens are scored, and on a CPU a small base in 4 bits is held as the numbers
these stand for, which leaves the adapter's own weights in 32 bits. TRL draws its batches at random. At the end both adapters
are measured on all rows in one way.
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.curate.datasets import load_rows
from lamsim_core.errors import InvalidInputError
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.models.loading import load_tokenizer, model_folder, quiet, read_quantised, use_own_cores
from lamsim_core.records import Recipe, Record
from lamsim_core.settings import Settings
from lamsim_core.tasks import plan_tasks
from lamsim_core.train import sft
from lamsim_core.train.callbacks import Report, make_callback
from lamsim_core.train.memory import must_recompute
from lamsim_core.train.preflight import trainable
from lamsim_core.train.rows import IGNORED, Row, TokenRow, to_row, tokenize_rows
from lamsim_core.train.running import (
    arguments,
    base_model,
    lora_config,
    model_and_adapter,
    only_trained_tokens_scored,
    optimizer_steps,
)
from lamsim_core.train.together import reading


class TrainSide(Record):
    """One way of training."""

    way: str
    tokens_per_second: float
    """Tokens of rows, padding left out, over the steps after the first."""
    seconds_per_step: float
    processor_seconds: float
    """Of all steps; other work on the machine disturbs this less."""
    read: float
    """Tokens the model read for each token of the rows: padding makes them more, what is read once for several rows less."""
    final_loss: float
    """Of the trained tokens of all rows, by the adapter that came of it."""
    load: float
    """Load of the machine at the end."""


class TrainBench(Record):
    """Both ways on the same rows."""

    model: str
    rows: int
    tokens: int
    trained_tokens: int
    steps: int
    recipe: Recipe
    first_loss: float
    """Of the trained tokens of all rows, before training."""
    sides: tuple[TrainSide, ...]
    """This product, then TRL."""
    times: float
    """How many times as many tokens a second this product trains on."""


def bench_training(
    settings: Settings,
    model: str,
    rows: int,
    recipe: Recipe,
    dataset: str | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> TrainBench:
    """Train both ways and measure.

    Args:
        settings: where models and datasets are.
        model: name of the base.
        rows: this many rows.
        recipe: how to train; SFT.
        dataset: id of a frozen dataset whose first rows are used; attempts of the reference solution without it.
        on_progress: told in words what is being done.

    Raises:
        InvalidInputError: there are too few rows to time a second step.
    """
    entry = trainable(settings, model)
    base, _ = model_folder(settings, entry)
    tokenizer = load_tokenizer(settings, entry, base)
    made = load_rows(settings, dataset)[:rows] if dataset else _gold_rows(rows)
    kept = tokenize_rows(tokenizer, made, recipe.max_length).rows
    if not kept or optimizer_steps(len(kept), recipe) < 2:
        raise InvalidInputError(f"{len(kept)} rows are too few for two steps. Take more rows, or fewer at once.")
    quiet()
    use_own_cores()
    sides: list[TrainSide] = []
    with tempfile.TemporaryDirectory(prefix="lamsim-bench-") as folder:
        work = Path(folder)
        on_progress("The loss before training.")
        first = mean_loss(kept, base, recipe, None)
        held = sum(row.cost for row in kept)
        for way, train, read in (
            ("this product", _ours, reading(kept, recipe).tokens),
            ("TRL", _stock, _padded([row.cost for row in kept], recipe.batch_size)),
        ):
            on_progress(f"Training: {way}.")
            clock = _Clock(on_progress)
            adapter = train(kept, base, tokenizer, recipe, work / way, clock)
            on_progress(f"The loss after training: {way}.")
            sides.append(
                TrainSide(
                    way=way,
                    tokens_per_second=round(clock.tokens / clock.seconds, 1),
                    seconds_per_step=round(clock.seconds / clock.steps, 3),
                    processor_seconds=round(clock.processor, 1),
                    read=round(read / held, 3),
                    final_loss=round(mean_loss(kept, base, recipe, adapter), 4),
                    load=round(os.getloadavg()[0], 1),
                )
            )
    return TrainBench(
        model=model,
        rows=len(kept),
        tokens=sum(row.cost for row in kept),
        trained_tokens=sum(row.trained for row in kept),
        steps=optimizer_steps(len(kept), recipe),
        recipe=recipe,
        first_loss=round(first, 4),
        sides=tuple(sides),
        times=round(sides[0].tokens_per_second / sides[1].tokens_per_second, 3),
    )


class _Clock:
    """Times the steps after the first, which also warms everything up."""

    def __init__(self, on_progress: Callable[[str], None]) -> None:
        self._say = on_progress
        self._last: float | None = None
        self._begun = 0.0
        self.tokens = self.seconds = self.processor = 0.0
        self.steps = 0

    def __call__(self, numbers: dict[str, float]) -> None:
        """A step was made."""
        now = time.perf_counter()
        if self._last is None:
            self._begun = time.process_time()
        else:
            self.tokens += numbers["tokens_per_second"] * (now - self._last)
            self.seconds += now - self._last
            self.processor = time.process_time() - self._begun
            self.steps += 1
        self._last = now
        self._say(f"Step {numbers['step']:.0f} of {numbers['steps']:.0f}, loss {numbers['loss']:.3f}.")


def _gold_rows(count: int) -> list[Row]:
    ended = (
        event
        for task in plan_tasks("train", count)
        for event in run_attempt(task, GoldPolicy(), run="run_bench")
        if isinstance(event, Ended)
    )
    return [to_row(event.trajectory) for event in ended]


def _padded(lengths: Sequence[int], batch: int) -> int:
    """Tokens of rows in batches as they come, each as long as its longest."""
    parts = [lengths[start : start + batch] for start in range(0, len(lengths), batch)]
    return sum(len(part) * max(part) for part in parts)


def _ours(rows: Sequence[TokenRow], base: Path, tokenizer: Any, recipe: Recipe, work: Path, report: Report) -> Path:
    trained = sft.train(rows, base, tokenizer, recipe, work, run="bench", should_stop=lambda: False, report=report)
    return trained.adapter


def _stock(rows: Sequence[TokenRow], base: Path, tokenizer: Any, recipe: Recipe, work: Path, report: Report) -> Path:
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    recompute, mixed = must_recompute(reading(rows, recipe), recipe, base), recipe.precision != "fp32"
    common = arguments(recipe, work, len(rows), recompute=recompute, mixed=mixed, device=device)
    trainer = SFTTrainer(
        model=read_quantised(base, "nf4", device) if recipe.precision == "nf4" else base_model(base, recipe, device),
        peft_config=lora_config(recipe),
        args=SFTConfig(
            **{**common, "train_sampling_strategy": "random"}, dataset_kwargs={"skip_prepare_dataset": True}
        ),
        train_dataset=Dataset.from_dict(
            {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
        ),
        processing_class=tokenizer,
        callbacks=[make_callback("bench", recipe.epochs, lambda: False, report)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    adapter = work / "adapter"
    trainer.model.save_pretrained(adapter, safe_serialization=True)
    return adapter


def mean_loss(rows: Sequence[TokenRow], base: Path, recipe: Recipe, adapter: Path | None) -> float:
    """The loss of the trained tokens of all rows together, by the base or an adapter of it."""
    import torch
    from trl.trainer.utils import add_fused_lm_head

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model_and_adapter(base, recipe, adapter, device)["model"].eval()
    add_fused_lm_head(model.get_base_model() if adapter else model)
    total = 0.0
    by_length = sorted(rows, key=lambda row: row.cost)
    mixed = model.dtype is not torch.float32
    with torch.no_grad(), only_trained_tokens_scored(), torch.autocast(device, torch.bfloat16, enabled=mixed):
        for start in range(0, len(rows), recipe.batch_size):
            batch = by_length[start : start + recipe.batch_size]
            width = max(row.cost for row in batch)
            ids, seen, labels = (
                torch.tensor([[*part(row), *[fill] * (width - row.cost)] for row in batch], device=device)
                for part, fill in (
                    (lambda row: row.input_ids, 0),
                    (lambda row: [1] * row.cost, 0),
                    (lambda row: row.labels, IGNORED),
                )
            )
            said = model(input_ids=ids, attention_mask=seen, labels=labels, fused_lm_head=True)
            total -= float(said.log_probs.sum())
    return total / sum(row.trained for row in rows)
