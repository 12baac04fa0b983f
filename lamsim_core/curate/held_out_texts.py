"""What the held-out splits ask and offer, as lists a dataset must not hold.

Tools are known in full: those of ``data/splits.yaml``. Requests are without number, since every seed gives others, so some
of every template are made; what held-out attempts in the store were asked is added by whoever compares.
Making them takes seconds, so they are remembered in the cache under a hash of everything they are made from.
"""

import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from lamsim_core.canonical import derive_seed
from lamsim_core.curate.outside import Outside, outside
from lamsim_core.errors import UnfairSeedError
from lamsim_core.files import write_atomic
from lamsim_core.records import HeldOutSplit, Task, ToolSchema
from lamsim_core.settings import Settings, get_settings
from lamsim_core.tasks.instance import instantiate
from lamsim_core.tasks.library import fingerprint, shipped_templates
from lamsim_core.tasks.splits import seed_range, split_of
from lamsim_core.tools import categories
from lamsim_core.tools.held_out import held_out_tool

HELD_OUT_SPLITS: tuple[HeldOutSplit, ...] = get_args(HeldOutSplit)
EACH: Mapping[HeldOutSplit, int] = {"unseen_instances": 1, "unseen_tools": 3, "unseen_categories": 2}
"""Instances made of each template."""
_TRIES = 20


def held_out_texts(split: HeldOutSplit) -> Outside:
    """Requests of a held-out split, and for the splits that hold out tools, those tools as the split shows them."""
    settings = get_settings()
    return _held_out(split, settings.data, settings.cache)


@lru_cache(maxsize=12)
def _held_out(split: HeldOutSplit, data: Path, cache: Path) -> Outside:
    kept = cache / "held_out" / f"{split}-{fingerprint(data)}.json"
    try:
        return Outside.model_validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        made = _make(split)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        for old in kept.parent.glob(f"{split}-*.json"):
            old.unlink(missing_ok=True)
        write_atomic(kept, made.model_dump_json())
    except OSError:
        return made  # a cache that cannot be written costs time, nothing else
    return made


def _make(split: HeldOutSplit) -> Outside:
    tasks = list(_instances(split, get_settings()))
    schemas: list[ToolSchema] = []
    if split != "unseen_instances":
        offered = [(schema, bound) for task in tasks for schema, bound in task.bound_tools]
        schemas = [schema for schema, bound in offered if held_out_tool(bound.category, bound.tool)]
        schemas += [
            tool.schema
            for each in categories().values()
            for name, tool in each.tools.items()
            if held_out_tool(each.name, name)
        ]
    return outside(split, (task.instruction for task in tasks), schemas)


def _instances(split: HeldOutSplit, settings: Settings) -> Iterator[Task]:
    seeds = seed_range(split)
    for template in shipped_templates(settings).values():
        if split_of(template, seeds[0]) != split:
            continue
        made = 0
        for seed in random.Random(derive_seed("held out", split, template.id)).sample(seeds, _TRIES):
            if made == EACH[split]:
                break
            try:
                yield instantiate(template, seed)
            except UnfairSeedError:
                continue
            made += 1
