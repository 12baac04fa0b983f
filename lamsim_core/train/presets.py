"""Recipes to begin with, the same for the shell and the Train page: for this machine's processor or for a GPU, by method.

Learning rates: SFT writes new behaviour into a small adapter and takes 6e-4. DPO and KTO only shift what is there and are
unstable above a tenth of that: their loss rewards any distance between answers, also one that makes both unlikely. TRL's
own 1e-6 is for training all weights; a LoRA adapter takes some ten times that and more, and 5e-5 is where adapters of the
default model still move within a hundred steps. Large models take a third of each.
"""

from typing import Any, Literal, NamedTuple, get_args

from pydantic import ValidationError

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Adapter, Method, Recipe

PresetName = Literal["quick", "standard", "gpu", "gpu-large"]


class Preset(NamedTuple):
    """A recipe for every method."""

    title: str
    """Its name for people."""
    purpose: str
    """What it is for, in a sentence."""
    recipes: dict[Method, Recipe]


def _by_method(sft: Recipe, gentle: float, **changes: Any) -> dict[Method, Recipe]:
    """A recipe for SFT, and from it those of the other methods, which go through the data once, more gently."""
    once = sft.model_copy(update={"epochs": 1.0, "learning_rate": gentle, **changes})
    return {
        "sft": sft,
        "dpo": once.model_copy(update={"method": "dpo"}),
        "kto": once.model_copy(update={"method": "kto"}),
    }


PRESETS: dict[PresetName, Preset] = {
    "quick": Preset(
        "Quick",
        "At most 30 steps, to see that everything works.",
        _by_method(Recipe(max_optimizer_steps=30, lora_rank=16, lora_alpha=32), 5e-5),
    ),
    "standard": Preset(
        "Standard",
        "The whole dataset on a processor: three times for SFT, once for the others.",
        _by_method(Recipe(epochs=3), 5e-5, gradient_accumulation=2),
    ),
    "gpu": Preset(
        "GPU",
        "QLoRA on one GPU, for models of up to some 3 billion parameters: 16 rows at once.",
        _by_method(Recipe(epochs=3, batch_size=16, learning_rate=4e-4, max_length=4096), 5e-5, batch_size=8),
    ),
    "gpu-large": Preset(
        "Large model",
        "QLoRA for models from 7 billion parameters on: 4 rows at once, 4 batches a step, a smaller adapter.",
        _by_method(
            Recipe(
                epochs=2,
                batch_size=4,
                gradient_accumulation=4,
                learning_rate=2e-4,
                lora_rank=16,
                lora_alpha=32,
                max_length=4096,
            ),
            2e-5,
            batch_size=2,
            gradient_accumulation=8,
        ),
    ),
}
"""Every preset; all hold the base in 4 bits."""


def recipe_for(method: Method, preset: str = "standard", start: Adapter | None = None, **changes: Any) -> Recipe:
    """The recipe of a preset with changes; what is None is not changed.

    An adapter to start from gives its shape, and how its base was held: it has learnt to make up for that rounding.

    Raises:
        InvalidInputError: there is no such preset, or a change cannot be.
    """
    if preset not in PRESETS:
        raise InvalidInputError(f"There is no preset {preset!r}. Choose one of {', '.join(get_args(PresetName))}.")
    before = {} if start is None else start.recipe.model_dump(include={"lora_rank", "lora_alpha", "precision"})
    given = {name: value for name, value in changes.items() if value is not None}
    recipe = PRESETS[preset].recipes[method]  # type: ignore[index]
    try:
        return Recipe.model_validate({**recipe.model_dump(), **before, **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInputError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
