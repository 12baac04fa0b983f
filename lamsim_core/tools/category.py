"""A category: the tools of one module, and the world they act on.

A category module defines ``TITLE``, ``populate(rng, content) -> World``, its tools under ``@tool``, and may define
``MAKERS``: functions ``(world, rng, **options) -> value`` that task templates can draw values from.
"""

import importlib
import inspect
import pkgutil
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import yaml
from pydantic import JsonValue

from lamsim_core.canonical import derive_seed
from lamsim_core.environment import ToolSpec, World
from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.settings import get_settings

Maker = Callable[..., JsonValue]
NOT_CATEGORIES = frozenset({"category"})


@dataclass(frozen=True)
class Category:
    """Tools that belong together, and how to make a world for them."""

    name: str
    title: str
    description: str
    tools: Mapping[str, ToolSpec]
    makers: Mapping[str, Maker]
    populate: Callable[[random.Random, dict[str, Any]], World]
    content: dict[str, Any]
    """Curated content of data/<category>/content.yaml."""

    def world(self, seed: int) -> World:
        """The world of ``seed``: always the same for the same seed, another for another."""
        return _world(self.name, seed).copy()


def _load(module: ModuleType, name: str) -> Category:
    tools = {value.name: value for value in vars(module).values() if isinstance(value, ToolSpec)}
    path = get_settings().data / name / "content.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInputError(f"The content of category {name!r} cannot be read from {path}: {error}") from error
    return Category(
        name=name,
        title=module.TITLE,
        description=(inspect.getdoc(module) or "").split("\n\n")[0],
        tools=tools,
        makers=getattr(module, "MAKERS", {}),
        populate=module.populate,
        content=content,
    )


@lru_cache(maxsize=1)
def categories() -> Mapping[str, Category]:
    """Every category, by name, in alphabetical order."""
    package = importlib.import_module("lamsim_core.tools")
    found = sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.name not in NOT_CATEGORIES)
    return {name: _load(importlib.import_module(f"lamsim_core.tools.{name}"), name) for name in found}


def get_category(name: str) -> Category:
    """One category. Raises NotFoundError."""
    known = categories()
    if name not in known:
        raise NotFoundError("category", name, known)
    return known[name]


@lru_cache(maxsize=256)
def _world(name: str, seed: int) -> World:
    category = get_category(name)
    return category.populate(random.Random(derive_seed("world", name, seed)), category.content)
