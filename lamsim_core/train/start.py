"""The adapter that a training goes on from: found, proven whole, and taken into the recipe."""

from pathlib import Path
from typing import NamedTuple

from lamsim_core.errors import InvalidInputError
from lamsim_core.models.folder import Manifest
from lamsim_core.models.loading import check_adapter
from lamsim_core.models.registry import find_adapter
from lamsim_core.records import Adapter, Recipe
from lamsim_core.settings import Settings


class Start(NamedTuple):
    """An adapter whose weights are the start of another."""

    folder: Path
    record: Adapter


def open_start(settings: Settings, name: str | None, base: str, manifest: Manifest) -> Start | None:
    """The adapter to start from, proven to be what was published and to belong to the base; None when none is asked for.

    Raises:
        NotFoundError: there is no such adapter.
        InvalidInputError: it belongs to another base model.
        ModelError: its files are not what was published.
    """
    if name is None:
        return None
    start = Start(*find_adapter(settings, name))
    if start.record.base != base:
        raise InvalidInputError(
            f"The adapter {start.record.name} belongs to {start.record.base}, not to {base}. Train {start.record.base}."
        )
    check_adapter(start.folder, manifest)
    return start


def shaped_like(recipe: Recipe, start: Start | None) -> Recipe:
    """The recipe with the shape of the adapter it starts from, which cannot be changed."""
    if start is None:
        return recipe
    before = start.record.recipe
    return recipe.model_copy(update={"lora_rank": before.lora_rank, "lora_alpha": before.lora_alpha})
