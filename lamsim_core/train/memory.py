"""How much memory a training run needs at its peak, and whether it must trade time for memory."""

from collections.abc import Sequence
from pathlib import Path

from lamsim_core.records import Recipe
from lamsim_core.train.rows import TokenRow, Trainable
from lamsim_core.train.together import reading

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


def peak_mb(rows: Sequence[Trainable], recipe: Recipe, folder: Path, *, recompute: bool) -> float:
    """Estimated peak memory in MB.

    Args:
        rows: what is trained on; rows that are padded to like length share a batch, so the longest decides.
        recipe: how to train.
        folder: the base model's weights.
        recompute: whether activations are computed again in the backward pass and not kept.
    """
    ratio = size_ratio(folder)
    longest = max((row.cost for row in rows), default=0)
    batch = _largest(rows, recipe) or recipe.batch_size * longest
    per_token = _MB_PER_TOKEN_RECOMPUTED if recompute else _MB_PER_TOKEN + _MB_PER_SEEN * longest / 2
    wide = 2.0 if recipe.precision == "fp32" else 1.0
    weights = MEASURED_BYTES / 2e6 * ratio * _BYTES_PER_WEIGHT[recipe.precision]
    return _LIBRARIES_MB + weights + batch * per_token * wide * ratio


def _largest(rows: Sequence[Trainable], recipe: Recipe) -> int:
    """Tokens of the largest batch where rows are laid together, else 0."""
    laid = [row for row in rows if isinstance(row, TokenRow)] if recipe.through_prompt else []
    return reading(laid, recipe).largest if laid else 0


def must_recompute(rows: Sequence[Trainable], recipe: Recipe, folder: Path) -> bool:
    """Whether keeping all activations would take more than a good part of the memory that is free now.

    Computing them again costs about a quarter of the time and changes no number. Where the prompt is taken as given, few are
    kept, and they cannot be computed again.
    """
    if not recipe.through_prompt:
        return False
    import psutil  # type: ignore[import-untyped]
    import torch

    free: float = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    return peak_mb(rows, recipe, folder, recompute=False) > _SHARE * free / 1e6
