"""What a training run would do and cost, before it is started."""

from pathlib import Path
from typing import Any

from lamsim_core.curate.datasets import get_dataset, load_rows
from lamsim_core.errors import InvalidInputError
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.registry import ModelEntry, get_model
from lamsim_core.records import Recipe, Record
from lamsim_core.settings import Settings
from lamsim_core.train.doctor import require_sound
from lamsim_core.train.memory import must_recompute, peak_mb, size_ratio
from lamsim_core.train.methods import require_fit, tokenize
from lamsim_core.train.rows import TokenRows
from lamsim_core.train.running import optimizer_steps
from lamsim_core.train.together import reading

_TOKENS_PER_SECOND = {
    # SmolLM2-135M, rank 32, batch 4, rows of 600 tokens with a quarter trained, 2 AVX-512 cores (AMD EPYC), torch 2.13.
    ("cpu", "nf4"): 530.0,
    ("cpu", "bf16"): 490.0,
    ("cpu", "fp32"): 220.0,
    # Not measured: a tenth of what one H200 can compute in bf16, which leaves room for smaller cards.
    ("cuda", "nf4"): 30_000.0,
    ("cuda", "bf16"): 40_000.0,
    ("cuda", "fp32"): 15_000.0,
}
"""Tokens trained per second with the default model, padding left out, by device and precision."""

_RECOMPUTED_SPEED = 0.75
_REFERENCE = 0.5
"""Time to ask the reference about a row, as a part of the time to train on it."""
_START_SECONDS = 25.0
"""Loading the libraries and the model."""


class Preflight(Record):
    """The numbers to look at before starting."""

    rows: int
    """Rows of the dataset."""
    kept: int
    """Rows that would be trained on."""
    dropped_too_long: int
    """Rows longer than the recipe allows: left out, never cut."""
    dropped_untrained: int
    """Rows in which nothing would be learned: no assistant turn, or two sides that are the same."""
    tokens: int
    """Tokens of the rows in training, all epochs together. What rows of a batch begin with alike is read only once."""
    trained_tokens: int
    """Of these, the ones in the loss."""
    longest: int
    """Tokens of the longest kept row."""
    steps: int
    """Optimizer steps."""
    minutes: float
    """Estimated time on this machine when nothing else is running."""
    memory_mb: float
    """Estimated peak memory."""


def preflight(settings: Settings, dataset_id: str, model: str, recipe: Recipe) -> Preflight:
    """Count and estimate; nothing is trained.

    Raises:
        NotFoundError: no such dataset or model.
        InvalidInputError: the dataset is damaged or of another kind than the method learns from, or the model is not
            one that can be trained.
        ModelError: the model is not available.
        TrainingError: the model's chat template cannot be trained on, or a row cannot be used.
    """
    entry = trainable(settings, model)
    folder, _ = model_folder(settings, entry)
    require_fit(get_dataset(settings, dataset_id), recipe)
    tokenizer = load_tokenizer(settings, entry, folder)
    require_sound(tokenizer)
    tokens = tokenize(recipe.method, tokenizer, load_rows(settings, dataset_id), recipe.max_length)
    return estimate(tokens, recipe, folder)


def trainable(settings: Settings, model: str) -> ModelEntry:
    """The entry of a model that adapters can be trained for.

    Raises:
        NotFoundError: no such model.
        InvalidInputError: it is an adapter or has no weights.
    """
    entry = get_model(settings, model)
    if entry.kind != "local":
        raise InvalidInputError(
            f"{model} is not a base model: an adapter is trained on {entry.base}. Choose that as the model; to go on from"
            f" {model}, start from it."
            if entry.base
            else f"{model} has no weights that could be trained. Choose another model."
        )
    return entry


def estimate(tokens: TokenRows[Any], recipe: Recipe, folder: Path) -> Preflight:
    """Steps, minutes and memory of training these rows from the weights in ``folder``."""
    import torch

    kept = tokens.rows
    read = reading(kept, recipe)
    steps = optimizer_steps(len(kept), recipe) if kept else 0
    seen = steps * recipe.batch_size * recipe.gradient_accumulation / len(kept) if kept else 0.0
    times = min(recipe.epochs, seen)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rate = _TOKENS_PER_SECOND[device, recipe.precision] / size_ratio(folder)
    recompute = must_recompute(read, recipe, folder)
    if recompute:
        rate *= _RECOMPUTED_SPEED
    return Preflight(
        rows=len(kept) + tokens.too_long + tokens.untrained,
        kept=len(kept),
        dropped_too_long=tokens.too_long,
        dropped_untrained=tokens.untrained,
        tokens=round(sum(row.cost for row in kept) * times),
        trained_tokens=round(sum(row.trained for row in kept) * times),
        longest=max((row.longest for row in kept), default=0),
        steps=steps,
        minutes=(_START_SECONDS + read.tokens * (times + _asked(recipe, times)) / rate) / 60 if kept else 0.0,
        memory_mb=round(peak_mb(read, recipe, folder, recompute=recompute)),
    )


def _asked(recipe: Recipe, times: float) -> float:
    """What asking the reference adds: each pair once; each label as often as it comes, since it is compared anew."""
    return {"sft": 0.0, "dpo": _REFERENCE, "kto": _REFERENCE * times}[recipe.method]
