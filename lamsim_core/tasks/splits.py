"""Splits by construction: which templates, tools and seeds are for training and which are only for measuring."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from lamsim_core.canonical import derive_seed
from lamsim_core.errors import InvalidInputError, UnfairSeedError
from lamsim_core.records import Split, Task
from lamsim_core.tasks.template import Template
from lamsim_core.tools.held_out import for_training, held_out_tool, split_rules

_SPARE = 50
"""Seeds planned beyond those needed, in place of some without a fair instance."""

SPLITS: tuple[Split, ...] = ("train", "unseen_instances", "unseen_tools", "unseen_categories")


def split_of(template: Template, seed: int) -> Split:
    """The split an instance belongs to; decided by category, then tools, then seed."""
    rules = split_rules()
    if rules.held_out_categories.intersection(template.categories):
        return "unseen_categories"
    tools = (*template.needed_tools, *template.also_offer)
    if any(held_out_tool(category, name) for category in template.categories for name in tools):
        return "unseen_tools"
    return "train" if for_training(seed) else "unseen_instances"


def seed_range(split: Split) -> range:
    """The seeds instances of a split are drawn from."""
    rules = split_rules()
    if split == "train":
        return range(rules.train_seeds)
    return range(rules.train_seeds, rules.train_seeds + rules.held_out_seeds)


def templates_of(split: Split, categories: tuple[str, ...] = (), templates: tuple[str, ...] = ()) -> list[Template]:
    """Templates with instances in a split, optionally only some.

    Raises:
        InvalidInputError: none is left.
    """
    from lamsim_core.tasks.library import load_templates  # which needs the rules above to hold templates to them

    seed = seed_range(split)[0]
    chosen = [
        template
        for template in load_templates().values()
        if split_of(template, seed) == split
        and (not categories or template.category in categories)
        and (not templates or template.id in templates)
    ]
    if not chosen:
        narrowed = " with the chosen categories and templates" if categories or templates else ""
        raise InvalidInputError(f"No task template belongs to the split {split!r}{narrowed}. Choose others.")
    return chosen


def plan_tasks(
    split: Split, count: int, *, categories: tuple[str, ...] = (), templates: tuple[str, ...] = (), seed: int = 0
) -> list[Task]:
    """``count`` instances of a split, templates in turn, the same for the same arguments.

    Fewer instances than templates are a fair sample: categories take turns, and chance picks their templates.

    Raises:
        InvalidInputError: no template is left, or more instances are asked for than the split has seeds.
    """
    chosen = templates_of(split, categories, templates)
    seeds = seed_range(split)
    rounds = -(-count // len(chosen))
    if count < 1 or rounds > len(seeds):
        raise InvalidInputError(f"Between 1 and {len(seeds) * len(chosen)} tasks can be planned, not {count}.")
    order = random.Random(derive_seed("plan", split, seed)).sample(seeds, min(len(seeds), rounds + _SPARE))
    drawn = [_instances(template, order) for template in _mixed(chosen, derive_seed("order", split, seed))]
    return [next(drawn[number % len(chosen)]) for number in range(count)]


def _mixed(templates: Sequence[Template], seed: int) -> list[Template]:
    """Templates in an order whose every beginning takes the categories in turn; within a category chance decides."""
    rng = random.Random(seed)
    drawn = rng.sample(templates, len(templates))
    place = Counter[str]()
    ranked: list[tuple[int, Template]] = []
    for template in drawn:
        ranked.append((place[template.category], template))
        place[template.category] += 1
    return [template for _, template in sorted(ranked, key=lambda each: each[0])]


def _instances(template: Template, order: Sequence[int]) -> Iterator[Task]:
    """The instances of a template for seeds in this order; seeds that have no fair one are passed over."""
    from lamsim_core.tasks.instance import instantiate

    for seed in order:
        try:
            yield instantiate(template, seed)
        except UnfairSeedError:
            continue
    raise template.error(f"it has too few fair instances among {len(order)} seeds")
