"""How much memory a training run needs at its peak, and whether it must trade time for memory."""

from pathlib import Path

from lamsim_core.records import Recipe
from lamsim_core.train.together import Reading

MEASURED_BYTES = 269e6
"""Size in bf16 of SmolLM2-135M, with which the figures of this package were measured; needs grow with the size."""

_LIBRARIES_MB = 1400.0
# Peak resident memory less libraries and weights, per token of a padded batch (4 rows of 600 tokens, rank 32, bf16).
_MB_PER_TOKEN = 1.3
_MB_PER_TOKEN_RECOMPUTED = 0.15
# What attention in pieces keeps for a token and each one it sees: two bytes in each of 30 layers and 9 heads.
_MB_PER_SEEN = 2 * 30 * 9 / 1e6
_BYTES_PER_WEIGHT = {"nf4": 0.56, "bf16": 2.0, "fp32": 4.0}
_SHARE = 0.6


def size_ratio(folder: Path) -> float:
    """Size of the weights in ``folder`` against the model that was measured with."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / MEASURED_BYTES


def peak_mb(read: Reading, recipe: Recipe, folder: Path, *, recompute: bool) -> float:
    """Estimated peak memory in MB.

    Args:
        read: what the model reads of the rows.
        recipe: how to train.
        folder: the base model's weights.
        recompute: whether activations are computed again in the backward pass and not kept.
    """
    ratio = size_ratio(folder)
    per_token = _MB_PER_TOKEN_RECOMPUTED if recompute else _MB_PER_TOKEN + _MB_PER_SEEN * read.longest / 2
    wide = 2.0 if recipe.precision == "fp32" else 1.0
    weights = MEASURED_BYTES / 2e6 * ratio * _BYTES_PER_WEIGHT[recipe.precision]
    return _LIBRARIES_MB + weights + read.largest * per_token * wide * ratio


def must_recompute(read: Reading, recipe: Recipe, folder: Path) -> bool:
    """Whether keeping all activations would take more than a good part of the memory that is free now.

    Computing them again costs about a quarter of the time and changes no number. Where the prompt is taken as given, few are
    kept, and they cannot be computed again.
    """
    if not recipe.through_prompt:
        return False
    import psutil  # type: ignore[import-untyped]
    import torch

    free: float = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    return peak_mb(read, recipe, folder, recompute=False) > _SHARE * free / 1e6
