"""Drawing the slots of a template from a world."""

import random
from typing import Any

from lamsim_core.environment import World
from lamsim_core.tasks.expressions import condition, evaluate, plain
from lamsim_core.tasks.template import Pick, Template
from lamsim_core.tools import get_category


class RedrawError(Exception):
    """This drawing does not give a fair task; another may."""


def draw_slots(template: Template, scope: dict[str, Any], world: World, rng: random.Random) -> None:
    """Add a value for every slot to ``scope``.

    Raises:
        RedrawError: a slot found nothing.
        TaskTemplateError: a slot names what is not there.
        InvalidInputError: an expression fails.
    """
    for name, pick in template.pick.items():
        scope[name] = _pick(template, pick, scope, world, rng)


def _pick(template: Template, pick: Pick, scope: dict[str, Any], world: World, rng: random.Random) -> Any:
    if pick.table is not None:
        if pick.table not in world.tables:
            raise template.error(f"there is no table {pick.table!r}; there are {', '.join(world.tables)}")
        rows = [dict(row) for row in world.rows(pick.table)]
        if pick.where is not None:
            rows = [row for row in rows if condition(pick.where, {**scope, "row": row})]
        if not rows:
            raise RedrawError(f"no row of {pick.table!r} fits {pick.where!r}")
        return rng.choice(rows)
    if pick.choice is not None:
        return rng.choice([evaluate(option, scope) for option in pick.choice])
    if pick.number is not None:
        low, high = (float(evaluate(bound, scope)) for bound in pick.number)
        if high < low:
            raise RedrawError(f"there is no number between {low:g} and {high:g}")
        number = round(low + pick.step * rng.randint(0, int((high - low) / pick.step)), 2)
        return int(number) if number.is_integer() and float(pick.step).is_integer() else number
    if pick.make is not None:
        owner, _, name = pick.make.rpartition(".")
        make = get_category(owner or template.category).makers[name]
        try:
            return plain(make(world, rng, **evaluate(pick.options, scope)))
        except (IndexError, LookupError) as error:
            raise RedrawError(f"{pick.make} found nothing") from error
    return evaluate(pick.value, scope)


def require_unique_rows(template: Template, wording: str, scope: dict[str, Any], world: World) -> None:
    """Raise RedrawError unless every row the request mentions is the only one its mentioned fields fit."""
    for name, pick in template.pick.items():
        if pick.table is None:
            continue
        row = scope[name]
        mentioned = [field for field in row if f"{name}.{field}" in wording]
        twins = [other for other in world.rows(pick.table) if all(other[field] == row[field] for field in mentioned)]
        if mentioned and len(twins) > 1:
            raise RedrawError(f"several rows of {pick.table!r} have the same {' and '.join(mentioned)}")
