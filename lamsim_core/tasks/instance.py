"""From template and seed to a concrete task in a concrete world."""

import random
from typing import Any, cast

from pydantic import JsonValue

from lamsim_core.canonical import derive_seed
from lamsim_core.environment import Environment, World
from lamsim_core.errors import InvalidInputError
from lamsim_core.feedback.answer import leaks
from lamsim_core.records import ExpectedAnswer, GoldCall, Task, ToolCall
from lamsim_core.tasks.expressions import condition, evaluate, plain, world_scope
from lamsim_core.tasks.splits import split_of
from lamsim_core.tasks.template import Pick, Template
from lamsim_core.tools import get_category
from lamsim_core.tools.held_out import held_out_tool

_DRAWS = 40
"""Drawings of slots tried before a template counts as unsolvable for a seed."""


class _RedrawError(Exception):
    """This drawing does not give a fair task; another may."""


def instantiate(template: Template, seed: int) -> Task:
    """The instance of ``template`` for ``seed``: always the same task for the same seed.

    Raises:
        TaskTemplateError: the template's expressions fail, or no fair task was found.
    """
    category = get_category(template.category)
    reason = ""
    for draw in range(_DRAWS):
        rng = random.Random(derive_seed("task", template.id, seed, draw))
        try:
            return _draw(template, seed, rng, category.world(seed))
        except _RedrawError as redraw:
            reason = str(redraw)
        except InvalidInputError as error:
            raise template.error(str(error)) from error
    raise template.error(
        f"no fair instance for seed {seed} in {_DRAWS} drawings; the last was refused because {reason}"
    )


def build_environment(task: Task) -> Environment:
    """The world of a task, with the tools it offers."""
    category = get_category(task.category)
    return Environment(category.world(task.seed), {tool.name: category.tools[tool.name] for tool in task.tools})


def _draw(template: Template, seed: int, rng: random.Random, world: World) -> Task:
    scope = world_scope(world)
    for name, pick in template.pick.items():
        scope[name] = _pick(template, pick, scope, world, rng)
    wordings = [str(evaluate(text, scope)) for text in template.say]
    wording = rng.randrange(len(wordings))
    _require_unique_rows(template, template.say[wording], scope, world)
    gold, goal_environment = _solve(template, scope, world)
    for expression in template.require:
        if not condition(expression, scope):
            raise _RedrawError(f"{expression!r} does not hold")
    answer = _answer(template, scope)
    instruction = wordings[wording]
    if answer is not None and leaks(instruction, answer):
        raise _RedrawError("the request gives the answer away")
    closing = _closing(template, scope, answer, rng)
    split = split_of(template, seed)
    goal = goal_environment.net_changes()
    if template.expect.state != bool(goal):
        raise _RedrawError(f"the reference solution changes {len(goal)} rows and 'state' is {template.expect.state}")
    return Task(
        template=template.id,
        category=template.category,
        seed=seed,
        split=split,
        instruction=instruction,
        tools=tuple(get_category(template.category).tools[name].schema for name in _offer(template, split, rng)),
        gold=gold,
        closing=closing,
        answer=answer,
        goal=goal,
        checks=_checks(answer, bool(goal)),
    )


def _pick(template: Template, pick: Pick, scope: dict[str, Any], world: World, rng: random.Random) -> Any:
    if pick.table is not None:
        if pick.table not in world.tables:
            raise template.error(f"there is no table {pick.table!r}; the category has {', '.join(world.tables)}")
        rows = [dict(row) for row in world.rows(pick.table)]
        if pick.where is not None:
            rows = [row for row in rows if condition(pick.where, {**scope, "row": row})]
        if not rows:
            raise _RedrawError(f"no row of {pick.table!r} fits {pick.where!r}")
        return rng.choice(rows)
    if pick.choice is not None:
        return rng.choice([evaluate(option, scope) for option in pick.choice])
    if pick.number is not None:
        low, high = (float(evaluate(bound, scope)) for bound in pick.number)
        if high < low:
            raise _RedrawError(f"there is no number between {low:g} and {high:g}")
        number = round(low + pick.step * rng.randint(0, int((high - low) / pick.step)), 2)
        return int(number) if number.is_integer() and float(pick.step).is_integer() else number
    if pick.make is not None:
        try:
            return plain(get_category(template.category).makers[pick.make](world, rng, **evaluate(pick.options, scope)))
        except (IndexError, LookupError) as error:
            raise _RedrawError(f"{pick.make} found nothing") from error
    return evaluate(pick.value, scope)


def _require_unique_rows(template: Template, wording: str, scope: dict[str, Any], world: World) -> None:
    """A row the request mentions must be the only one its mentioned fields fit."""
    for name, pick in template.pick.items():
        if pick.table is None:
            continue
        row = scope[name]
        mentioned = [field for field in row if f"{name}.{field}" in wording]
        twins = [other for other in world.rows(pick.table) if all(other[field] == row[field] for field in mentioned)]
        if mentioned and len(twins) > 1:
            raise _RedrawError(f"several rows of {pick.table!r} have the same {' and '.join(mentioned)}")


def _solve(template: Template, scope: dict[str, Any], world: World) -> tuple[tuple[GoldCall, ...], Environment]:
    environment = Environment(world, get_category(template.category).tools)
    calls: list[GoldCall] = []
    for index, step in enumerate(template.solve):
        arguments = evaluate(step.arguments, scope)
        observation = environment.step(
            ToolCall(id=f"gold_{index}", name=step.call, arguments=arguments, raw="")
        ).observation
        if observation.fault == "refused":
            raise _RedrawError(f"the reference solution is refused: {observation.content}")
        if not observation.ok:
            raise template.error(f"call {index + 1} of its reference solution fails: {observation.content}")
        if step.name is not None:
            scope[step.name] = plain(observation.content)
        calls.append(GoldCall(name=step.call, arguments=arguments))
    return tuple(calls), environment


def _answer(template: Template, scope: dict[str, Any]) -> ExpectedAnswer | None:
    expect = template.expect
    if expect.decline:
        return ExpectedAnswer(kind="decline")
    if expect.answer is None:
        return None
    rivals = tuple(
        dict.fromkeys(str(item) for item in cast(list[JsonValue], evaluate(expect.answer.rivals, scope) or []))
    )
    if expect.answer.number is not None:
        value = evaluate(expect.answer.number, scope)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise template.error(f"its answer should be a number and is {value!r}")
        return ExpectedAnswer(kind="number", value=round(value, 6), tolerance=expect.answer.tolerance)
    if expect.answer.text is not None:
        value = evaluate(expect.answer.text, scope)
        if not isinstance(value, str) or not value.strip():
            raise _RedrawError("the answer is empty")
        return ExpectedAnswer(kind="text", value=value, rivals=rivals)
    items = evaluate(expect.answer.items, scope)
    if not isinstance(items, list) or not items:
        raise _RedrawError("the answer is an empty list")
    return ExpectedAnswer(kind="list", value=[str(item) for item in items], rivals=rivals)


def _closing(template: Template, scope: dict[str, Any], answer: ExpectedAnswer | None, rng: random.Random) -> str:
    if answer is not None and answer.kind == "decline":
        return rng.choice(template.close or ["I cannot do this: none of the offered tools fits."])
    shown: Any = None if answer is None else answer.value
    if isinstance(shown, list):
        shown = ", ".join(shown)
    return str(evaluate(rng.choice(template.close or ["Done."]), {**scope, "answer": shown}))


def _offer(template: Template, split: str, rng: random.Random) -> list[str]:
    needed = [*template.needed_tools, *template.also_offer]
    others = [
        name
        for name in get_category(template.category).tools
        if name not in needed
        and name not in template.never_offer
        and not (split in ("train", "unseen_instances") and held_out_tool(template.category, name))
    ]
    least, most = template.distractors
    if not needed:
        least = max(least, 2)
    count = min(len(others), rng.randint(least, max(least, most)))
    offered = list(dict.fromkeys([*needed, *rng.sample(others, count)]))
    rng.shuffle(offered)
    return offered


def _checks(answer: ExpectedAnswer | None, changes: bool) -> tuple[str, ...]:
    gates = ["ending.answered"]
    if answer is not None:
        gates.append("answer.value")
    if changes:
        gates.append("state.goal")
    return (*gates, "state.collateral")
