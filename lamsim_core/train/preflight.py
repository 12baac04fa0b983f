"""What a training run would do and cost, before it is started."""

from pathlib import Path

from lamsim_core.curate.datasets import load_rows
from lamsim_core.errors import InvalidInputError
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.registry import ModelEntry, get_model
from lamsim_core.records import Recipe, Record
from lamsim_core.settings import Settings
from lamsim_core.train.rows import TokenRows, tokenize_rows
from lamsim_core.train.sft import optimizer_steps

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

_MEASURED_BYTES = 269e6
"""Size in bf16 of the model these rates were measured with; the time grows with the size."""
_START_SECONDS = 25.0
"""Loading the libraries and the model."""
_BASE_MB = 1500.0
_MB_PER_TOKEN = 1.0
"""Activations of the default model per token of a batch, measured (4.6 GB in all with 4 rows of 600)."""
_BYTES_PER_WEIGHT = {"nf4": 0.56, "bf16": 2.0, "fp32": 4.0}


class Preflight(Record):
    """The numbers to look at before starting."""

    rows: int
    """Rows of the dataset."""
    kept: int
    """Rows that would be trained on."""
    dropped_too_long: int
    """Rows longer than the recipe allows: left out, never cut."""
    dropped_untrained: int
    """Rows in which no assistant turn would be trained."""
    tokens: int
    """Tokens of the kept rows, all epochs together."""
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
        InvalidInputError: the dataset is damaged, or the model is not one that can be trained.
        ModelError: the model is not available.
        TrainingError: the model's chat template cannot be trained on.
    """
    entry = trainable(settings, model)
    folder, _ = model_folder(settings, entry)
    tokens = tokenize_rows(load_tokenizer(settings, entry, folder), load_rows(settings, dataset_id), recipe.max_length)
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
            f"{model} is not a base model: an adapter is trained on {entry.base}. Choose that instead."
            if entry.base
            else f"{model} has no weights that could be trained. Choose another model."
        )
    return entry


def estimate(tokens: TokenRows, recipe: Recipe, folder: Path) -> Preflight:
    """Steps, minutes and memory of training these rows from the weights in ``folder``."""
    import torch

    kept = tokens.rows
    lengths = [len(row.input_ids) for row in kept]
    steps = optimizer_steps(len(kept), recipe) if kept else 0
    seen = steps * recipe.batch_size * recipe.gradient_accumulation / len(kept) if kept else 0.0
    times = min(recipe.epochs, seen)
    scale = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / _MEASURED_BYTES
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rate = _TOKENS_PER_SECOND[device, recipe.precision] / scale
    weights = _MEASURED_BYTES / 2e6 * scale * _BYTES_PER_WEIGHT[recipe.precision]
    batch = recipe.batch_size * max(lengths, default=0)
    return Preflight(
        rows=len(kept) + tokens.too_long + tokens.untrained,
        kept=len(kept),
        dropped_too_long=tokens.too_long,
        dropped_untrained=tokens.untrained,
        tokens=round(sum(lengths) * times),
        trained_tokens=round(sum(row.trained for row in kept) * times),
        longest=max(lengths, default=0),
        steps=steps,
        minutes=round((_START_SECONDS + sum(lengths) * times / rate) / 60, 2) if kept else 0.0,
        memory_mb=round(_BASE_MB + weights + batch * _MB_PER_TOKEN * scale),
    )
