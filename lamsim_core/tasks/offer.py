"""Which tools an agent is offered: what is needed, a few more, the whole category, or some lent by other categories."""

import random
from typing import Literal, NamedTuple

from lamsim_core.environment import ToolSpec
from lamsim_core.records import Split
from lamsim_core.tasks.template import Template
from lamsim_core.tools import Category, categories, get_category
from lamsim_core.tools.held_out import split_rules

Width = Literal["needed", "few", "category", "lent"]
_WIDTHS: dict[Width, int] = {"needed": 3, "few": 7, "category": 3, "lent": 7}
"""How often each is drawn, in twentieths."""
MOST_TOOLS = 12
"""Tools offered at most, so that a small model can read them all."""


class Offered(NamedTuple):
    """A tool that is offered, and whose it is."""

    category: Category
    tool: ToolSpec


def draw_offer(template: Template, split: Split, rng: random.Random) -> list[Offered]:
    """The tools offered in an instance, in the order offered.

    A tool that is held out from training is offered only where it is needed. Nothing is lent to a task that must be
    declined or lacks a value, where a lent tool could be of help.
    """
    own = [
        Offered(get_category(name), tool) for name in template.categories for tool in get_category(name).tools.values()
    ]
    wanted = dict.fromkeys([*template.needed_tools, *template.also_offer])
    needed = [next(each for each in own if each.tool.name == name) for name in wanted]
    others = [each for each in own if each not in needed and _may_join(template, each)]
    alone = bool(template.expect.decline or template.expect.ask)
    width = rng.choices([*_WIDTHS], weights=[*_WIDTHS.values()])[0]
    if (alone and width == "lent") or (len(needed) < 2 and width == "needed"):
        width = "few"  # a single tool leaves nothing to choose
    room = max(0, MOST_TOOLS - len(needed))
    if width == "category":
        more = others[:room] if len(others) <= room else rng.sample(others, room)
    elif width == "needed":
        more = []
    else:
        least, most = template.distractors
        least = max(least, 2 - len(needed)) if alone else least
        more = rng.sample(others, min(len(others), room, rng.randint(least, max(least, most))))
    if width == "lent":
        more += _lent(template, split, min(room - len(more), rng.randint(1, 4)), rng)
    offered = [*needed, *more]
    if not offered:
        raise template.error("no tool is left to offer")
    rng.shuffle(offered)
    return offered


def _may_join(template: Template, each: Offered) -> bool:
    return each.tool.name not in template.never_offer and not _alone_held_out(each)


def _alone_held_out(each: Offered) -> bool:
    """Whether a tool is held out by itself (not with its whole category, which then is what the task is about)."""
    return f"{each.category.name}.{each.tool.name}" in split_rules().held_out_tools


def _lent(template: Template, split: Split, count: int, rng: random.Random) -> list[Offered]:
    """Tools of one or two categories of other families."""
    families = {get_category(name).family for name in template.categories}
    hidden = frozenset() if split == "unseen_categories" else split_rules().held_out_categories
    lenders = [c for c in categories().values() if c.family not in families and c.name not in hidden]
    if count < 1 or not lenders:
        return []
    chosen = rng.sample(lenders, min(len(lenders), rng.randint(1, 2)))
    pool = [Offered(category, tool) for category in chosen for tool in category.tools.values()]
    pool = [each for each in pool if not _alone_held_out(each)]
    return rng.sample(pool, min(count, len(pool)))
