"""What every method of training shares: the model with its adapter, settings, the run to its end."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lamsim_core.errors import StoppedError, TrainingError
from lamsim_core.models.loading import held_fastest, read_base, read_quantised
from lamsim_core.records import Recipe
from lamsim_core.train import world
from lamsim_core.train.callbacks import MEASURES, last_checkpoint, measures
from lamsim_core.train.memory import must_recompute
from lamsim_core.train.pieces import use_pieces
from lamsim_core.train.rows import Trainable
from lamsim_core.train.together import reading

CHECKPOINTS = "checkpoints"
"""Folder of the checkpoints within a training's own folder."""


class Trained(NamedTuple):
    """A finished training."""

    adapter: Path
    """Folder with adapter_model.safetensors and adapter_config.json."""
    metrics: dict[str, float]
    """Losses and token accuracy at the beginning and end, steps, tokens, seconds."""


def optimizer_steps(rows: int, recipe: Recipe) -> int:
    """Optimizer steps a recipe makes of so many rows; processes that train together make each step on a batch each."""
    batches = -(-round(rows * recipe.epochs) // (recipe.batch_size * world.size()))
    steps = max(1, -(-batches // recipe.gradient_accumulation))
    return steps if recipe.max_optimizer_steps is None else min(steps, recipe.max_optimizer_steps)


def finished_steps(work: Path, run: str) -> int:
    """Optimizer steps that a training in ``work`` would not have to make again."""
    checkpoint = last_checkpoint(work / CHECKPOINTS, run)
    return int(checkpoint.name.removeprefix("checkpoint-")) if checkpoint else 0


def base_model(base: Path, recipe: Recipe, device: str) -> Any:
    """The base model, its weights held as the recipe says.

    On a CPU a small one in 4 bits is held as the numbers these stand for, in the type that multiplies fastest there: they
    would be made anew at every product.
    """
    import torch

    if recipe.precision == "nf4":
        return held_fastest(read_quantised(base, "nf4", device))
    return read_base(base, torch.float32 if recipe.precision == "fp32" else torch.bfloat16)


def lora_config(recipe: Recipe) -> Any:
    """The shape of a new adapter."""
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def model_and_adapter(base: Path, recipe: Recipe, start: Path | None, device: str) -> dict[str, Any]:
    """What a TRL trainer is given to train: the base and the shape of a new adapter, or the base with a copy of another."""
    model = base_model(base, recipe, device)
    use_pieces(model)
    if start is None:
        return {"model": model, "peft_config": lora_config(recipe)}
    from peft import PeftModel

    return {"model": PeftModel.from_pretrained(model, str(start), is_trainable=True, local_files_only=True)}


def assemble(
    rows: Sequence[Trainable], base: Path, recipe: Recipe, work: Path, start: Path | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a TRL trainer is given to train, and the settings all methods share.

    Args:
        rows: what is trained on.
        base: folder with the base model's safetensors.
        recipe: how to train.
        work: folder of the training; checkpoints go into it.
        start: folder of the adapter whose weights are the start; a new one without it.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    recompute = must_recompute(reading(rows, recipe), recipe, base)
    held = model_and_adapter(base, recipe, start, device)
    mixed = held["model"].dtype is not torch.float32
    return held, arguments(recipe, work, len(rows), recompute=recompute, mixed=mixed, device=device)


def arguments(recipe: Recipe, work: Path, rows: int, *, recompute: bool, mixed: bool, device: str) -> dict[str, Any]:
    """The settings of a Trainer that all methods share.

    Args:
        recipe: how to train.
        work: folder of the training.
        rows: number of rows.
        recompute: whether activations are computed again in the backward pass and not kept.
        mixed: whether products are made in 16 bits.
        device: ``cpu`` or ``cuda``.
    """
    steps = optimizer_steps(rows, recipe)
    return {
        "output_dir": str(work / CHECKPOINTS),
        "per_device_train_batch_size": recipe.batch_size,
        "gradient_accumulation_steps": recipe.gradient_accumulation,
        "max_steps": steps,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, steps // 20),
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "train_sampling_strategy": "sequential",
        "max_length": None,
        "bf16": mixed,
        "use_cpu": device == "cpu",
        "gradient_checkpointing": recompute,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": recipe.save_steps,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
    }


def run_to_end(trainer: Any, work: Path, run: str, should_stop: Callable[[], bool]) -> Trained:
    """Train from the newest sound checkpoint, or from the start, to the end, and save the adapter.

    Raises:
        StoppedError: a stop was asked for; a checkpoint was saved.
        TrainingError: the loss is not a number any more.
    """
    from peft.helpers import disable_input_dtype_casting
    from transformers import PrinterCallback

    resume = world.told(last_checkpoint(work / CHECKPOINTS, run) if world.leads() else None)
    trainer.remove_callback(PrinterCallback)
    if world.told(should_stop()):
        raise StoppedError("Training was stopped before its next step. Resume it to go on.")
    # Mixed precision rounds what an adapter reads by itself: widened before, it would be the same number again.
    with only_trained_tokens_scored(), disable_input_dtype_casting(trainer.model, active=trainer.args.bf16):
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    done, planned = trainer.state.global_step, trainer.state.max_steps
    if done < planned:
        raise StoppedError(f"Training was stopped after step {done} of {planned}. Resume it to go on from there.")
    adapter = work / "adapter"
    if world.leads():
        trainer.model.save_pretrained(adapter, safe_serialization=True)
    return Trained(adapter, _metrics(trainer.state.log_history))


def kept(work: Path, run: str) -> Trained:
    """What was learnt up to the newest sound checkpoint of a run.

    Raises:
        TrainingError: there is none, or its loss is not a number.
    """
    checkpoint = last_checkpoint(work / CHECKPOINTS, run)
    if checkpoint is None:
        raise TrainingError("There is no checkpoint of this training that can be used. Resume it, and stop it later.")
    state = json.loads((checkpoint / "trainer_state.json").read_bytes())
    return Trained(checkpoint, _metrics(state["log_history"]))


@contextmanager
def only_trained_tokens_scored() -> Iterator[None]:
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
    steps = [measures(entry) for entry in history if "loss" in entry]
    tenth = max(1, len(steps) // 10)
    metrics: dict[str, float] = {}
    for name in MEASURES.values():
        for key, part in ((f"{name}_first", steps[:tenth]), (name, steps[-tenth:])):
            seen = [entry[name] for entry in part if name in entry]
            if seen:
                metrics[key] = sum(seen) / len(seen)
    metrics["steps"] = float(len(steps))
    if not all(value == value and abs(value) != float("inf") for value in metrics.values()):
        raise TrainingError("The loss became infinite or no number. Train again with a smaller learning rate.")
    return metrics
