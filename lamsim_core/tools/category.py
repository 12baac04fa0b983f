"""A category: the tools of one module, and the world they act on.

A category module defines ``TITLE``, ``FAMILY``, ``populate(world, rng, content)``, its tools under ``@tool``, and may
define ``MAKERS``: functions ``(world, rng, **options) -> value`` that task templates can draw values from.

Names of tools and of tables are the category's own: no two categories share one, so that worlds can be joined.
"""

import importlib
import inspect
import pkgutil
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal

import yaml
from pydantic import JsonValue

from lamsim_core.canonical import derive_seed
from lamsim_core.environment import ToolSpec, World
from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.settings import get_settings
from lamsim_core.tools.held_out import content_for

Maker = Callable[..., JsonValue]
Family = Literal["office", "commerce", "money", "travel", "leisure", "home", "reference"]
"""Categories that can do similar things. Tools are never lent within a family: a task stays clear about who does what."""
NOT_CATEGORIES = frozenset({"category", "held_out", "imported"})


@dataclass(frozen=True)
class Category:
    """Tools that belong together, and how to make a world for them."""

    name: str
    title: str
    family: Family
    description: str
    tools: Mapping[str, ToolSpec]
    makers: Mapping[str, Maker]
    populate: Callable[[World, random.Random, dict[str, Any]], None]
    content: dict[str, Any]
    """Curated content of data/<category>/content.yaml."""

    def world(self, seed: int) -> World:
        """The world of ``seed``: always the same for the same seed, another for another."""
        return joined_world((self.name,), seed)


def _load(module: ModuleType, name: str) -> Category:
    path = get_settings().data / name / "content.yaml"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInputError(f"The content of category {name!r} cannot be read from {path}: {error}") from error
    return from_module(module, name, content)


def from_module(module: ModuleType, name: str, content: dict[str, Any]) -> Category:
    """The category a module defines, with its content."""
    return Category(
        name=name,
        title=module.TITLE,
        family=module.FAMILY,
        description=(inspect.getdoc(module) or "").split("\n\n")[0],
        tools={value.name: value for value in vars(module).values() if isinstance(value, ToolSpec)},
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
    shipped = categories()
    if name in shipped:
        return shipped[name]
    known = every_category()
    if name not in known:
        raise NotFoundError("category", name, known)
    return known[name]


def every_category() -> dict[str, Category]:
    """The shipped categories, then those imported by the user, by name."""
    from lamsim_core.tools.imported import imported_categories

    return {**categories(), **imported_categories(get_settings()).categories}


def clock(seed: int) -> datetime:
    """The time it is in every world of a seed: a morning in 2026."""
    rng = random.Random(derive_seed("clock", seed))
    return datetime(2026, rng.randint(1, 12), rng.randint(1, 28), rng.randint(7, 10), rng.choice([0, 15, 30, 45]))


def joined_world(names: tuple[str, ...], seed: int) -> World:
    """One world with the tables of several categories. Raises NotFoundError for an unknown one."""
    world = World(clock(seed))
    for name in names:
        world.join(_world(name, seed))
    return world


@lru_cache(maxsize=512)
def _world(name: str, seed: int) -> World:
    category = get_category(name)
    world = World(clock(seed))
    category.populate(world, random.Random(derive_seed("world", name, seed)), content_for(category.content, seed))
    return world
