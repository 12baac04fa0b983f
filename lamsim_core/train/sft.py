"""Supervised fine-tuning of a LoRA adapter with TRL: the loss is on what the assistant itself writes, nothing else."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lamsim_core.errors import StoppedError, TrainingError
from lamsim_core.models.loading import quiet, read_base, read_quantised, use_own_cores
from lamsim_core.records import Recipe
from lamsim_core.train.callbacks import Report, last_checkpoint, make_callback
from lamsim_core.train.memory import must_recompute
from lamsim_core.train.rows import TokenRow

CHECKPOINTS = "checkpoints"
"""Folder of the checkpoints within a training's own folder."""

_POOL_BATCHES = 50


class Trained(NamedTuple):
    """A finished training."""

    adapter: Path
    """Folder with adapter_model.safetensors and adapter_config.json."""
    metrics: dict[str, float]
    """Losses and token accuracy at the beginning and end, steps, tokens, seconds."""


def optimizer_steps(rows: int, recipe: Recipe) -> int:
    """Optimizer steps a recipe makes of so many rows."""
    batches = -(-round(rows * recipe.epochs) // recipe.batch_size)
    steps = max(1, -(-batches // recipe.gradient_accumulation))
    return steps if recipe.max_optimizer_steps is None else min(steps, recipe.max_optimizer_steps)


def order(lengths: Sequence[int], recipe: Recipe) -> list[int]:
    """The rows in the order they are trained on, all epochs after one another, the same for the same seed.

    Rows of like length share a batch, so that little is padding. The order is fixed beforehand, so a resumed training
    goes on with exactly the rows it has not seen.
    """
    rng = random.Random(recipe.seed)
    size = recipe.batch_size
    wanted = round(len(lengths) * recipe.epochs)
    chosen: list[int] = []
    left: list[int] = []
    while len(chosen) + len(left) < wanted:
        fresh = list(range(len(lengths)))
        rng.shuffle(fresh)
        pool = left + fresh[: wanted - len(chosen) - len(left)]
        full = len(pool) - len(pool) % size
        pool, left = pool[:full], pool[full:]
        batches: list[list[int]] = []
        for start in range(0, full, size * _POOL_BATCHES):
            grouped = sorted(pool[start : start + size * _POOL_BATCHES], key=lambda row: -lengths[row])
            batches += [grouped[place : place + size] for place in range(0, len(grouped), size)]
        rng.shuffle(batches)
        chosen += [row for batch in batches for row in batch]
    return chosen + left


def finished_steps(work: Path, run: str) -> int:
    """Optimizer steps that a training in ``work`` would not have to make again."""
    checkpoint = last_checkpoint(work / CHECKPOINTS, run)
    return int(checkpoint.name.removeprefix("checkpoint-")) if checkpoint else 0


def train(
    rows: Sequence[TokenRow],
    base: Path,
    tokenizer: Any,
    recipe: Recipe,
    work: Path,
    *,
    run: str,
    should_stop: Callable[[], bool],
    report: Report,
) -> Trained:
    """Train an adapter, going on from the newest sound checkpoint in ``work`` when there is one.

    Args:
        rows: tokenized rows, none longer than the recipe allows.
        base: folder with the base model's safetensors.
        tokenizer: its tokenizer.
        recipe: how to train.
        work: folder for checkpoints and the finished adapter; only this run writes to it.
        run: names what is trained from what and how; checkpoints of another run are not resumed.
        should_stop: asked at every step.
        report: told the numbers of each step.

    Raises:
        StoppedError: a stop was asked for; a checkpoint was saved.
        TrainingError: the loss is not a number any more.
    """
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PrinterCallback
    from trl import SFTTrainer

    quiet()
    use_own_cores()
    checkpoints = work / CHECKPOINTS
    resume = last_checkpoint(checkpoints, run)
    chosen = order([len(row.input_ids) for row in rows], recipe)
    dataset = Dataset.from_dict(
        {"input_ids": [rows[i].input_ids for i in chosen], "labels": [rows[i].labels for i in chosen]}
    )
    callback = make_callback(run, recipe.epochs, should_stop, report)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = SFTTrainer(
        model=_base_model(base, recipe, device),
        args=_arguments(
            recipe,
            checkpoints,
            steps=optimizer_steps(len(rows), recipe),
            recompute=must_recompute(rows, recipe, base),
            device=device,
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
        callbacks=[callback],
        peft_config=LoraConfig(
            r=recipe.lora_rank,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=recipe.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    trainer.remove_callback(PrinterCallback)
    if should_stop():
        raise StoppedError("Training was stopped before its next step. Resume it to go on.")
    with _only_trained_tokens_scored():
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    done, planned = trainer.state.global_step, trainer.state.max_steps
    if done < planned:
        raise StoppedError(f"Training was stopped after step {done} of {planned}. Resume it to go on from there.")
    adapter = work / "adapter"
    trainer.model.save_pretrained(adapter, safe_serialization=True)
    return Trained(adapter, _metrics(trainer.state.log_history))


def _base_model(base: Path, recipe: Recipe, device: str) -> Any:
    import torch

    if recipe.precision == "nf4":
        return read_quantised(base, "nf4", device)
    return read_base(base, torch.float32 if recipe.precision == "fp32" else torch.bfloat16)


def _arguments(recipe: Recipe, folder: Path, *, steps: int, recompute: bool, device: str) -> Any:
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        max_steps=steps,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, steps // 20),
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=recipe.seed,
        data_seed=recipe.seed,
        train_sampling_strategy="sequential",
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        bf16=recipe.precision != "fp32",
        use_cpu=device == "cpu",
        gradient_checkpointing=recompute,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
    )


@contextmanager
def _only_trained_tokens_scored() -> Iterator[None]:
    """Let TRL compute the 49,152 scores of a token for trained tokens only, on a CPU too.

    TRL 1.16 selects the trained positions before the output head on devices with Triton and scores every position on
    others, because some of those recompile for each shape. A CPU does not.
    """
    from trl.trainer import utils as trl_utils

    selects = getattr(trl_utils, "_use_triton", None)
    if selects is None:
        yield
        return
    trl_utils._use_triton = lambda device: device.type in ("cpu", "cuda")
    try:
        yield
    finally:
        trl_utils._use_triton = selects


def _metrics(history: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over the first and last tenth of the steps, and totals.

    Raises:
        TrainingError: the loss is not a number.
    """
    steps = [entry for entry in history if "loss" in entry]
    tenth = max(1, len(steps) // 10)

    def mean(entries: Sequence[dict[str, Any]], key: str) -> float:
        return sum(float(entry[key]) for entry in entries) / len(entries)

    metrics = {
        "loss_first": mean(steps[:tenth], "loss"),
        "loss": mean(steps[-tenth:], "loss"),
        "token_accuracy_first": mean(steps[:tenth], "mean_token_accuracy"),
        "token_accuracy": mean(steps[-tenth:], "mean_token_accuracy"),
        "steps": float(len(steps)),
    }
    if not all(value == value and abs(value) != float("inf") for value in metrics.values()):
        raise TrainingError("The loss became infinite or no number. Train again with a smaller learning rate.")
    return metrics
