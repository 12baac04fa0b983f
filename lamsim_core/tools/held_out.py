"""What is kept out of training: whole categories, single tools, seeds, and every sixth entry of some lists of content.

``data/splits.yaml`` names the first three; a category's ``content.yaml`` names its lists under ``held_out``.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lamsim_core.errors import InvalidInputError
from lamsim_core.settings import get_settings

EVERY = 6
"""Of a list held out in part, each entry whose place is a multiple of this (counted from 1) is never seen in training."""
LISTS = "held_out"
"""Key of a category's content that names these lists."""


class SplitRules(BaseModel):
    """Content of data/splits.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_out_tools: frozenset[str]
    """``category.tool`` names never offered in training."""
    held_out_categories: frozenset[str]
    train_seeds: int
    """Instances with a seed below this are for training."""
    held_out_seeds: int
    """The next so many seeds are for measuring."""


@lru_cache(maxsize=4)
def _rules(path: Path) -> SplitRules:
    try:
        return SplitRules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise InvalidInputError(f"The split rules in {path} cannot be read: {error}") from error


def split_rules() -> SplitRules:
    """The rules in force."""
    return _rules(get_settings().data / "splits.yaml")


def held_out_tool(category: str, tool: str) -> bool:
    """Whether a tool may never appear in training."""
    rules = split_rules()
    return category in rules.held_out_categories or f"{category}.{tool}" in rules.held_out_tools


def for_training(seed: int) -> bool:
    """Whether instances of this seed are for training."""
    return seed < split_rules().train_seeds


def content_for(content: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The content the world of a seed is made from: all of it, or for training seeds without what is held out."""
    lists = content.get(LISTS, ())
    kept = {key: value for key, value in content.items() if key != LISTS}
    if for_training(seed):
        kept.update({name: [entry for place, entry in enumerate(kept[name], 1) if place % EVERY] for name in lists})
    return kept


def held_out_entries(content: Mapping[str, Any]) -> list[Any]:
    """The entries of content that no world of a training seed holds."""
    return [entry for name in content.get(LISTS, ()) for entry in content[name][EVERY - 1 :: EVERY]]
