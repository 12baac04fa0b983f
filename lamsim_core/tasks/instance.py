"""From template and seed to a concrete task in a concrete world."""

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue

from lamsim_core.canonical import derive_seed
from lamsim_core.environment import MOMENT, Environment, World
from lamsim_core.errors import InvalidInputError, UnfairSeedError
from lamsim_core.feedback.answer import leaks
from lamsim_core.records import ExpectedAnswer, GoldCall, Task, ToolBinding, ToolCall
from lamsim_core.tasks.answers import closing_message, expected_answer, with_unit
from lamsim_core.tasks.drawing import RedrawError, draw_slots, require_unique_rows
from lamsim_core.tasks.expressions import condition, evaluate, plain, world_scope
from lamsim_core.tasks.offer import draw_offer
from lamsim_core.tasks.splits import split_of
from lamsim_core.tasks.template import Solve, Template
from lamsim_core.tasks.variation import draw_looks
from lamsim_core.tools import get_category
from lamsim_core.tools.category import joined_world
from lamsim_core.tools.held_out import for_training

_DRAWS = 40
"""Drawings of slots tried before a template counts as unsolvable for a seed."""


class _Solution(NamedTuple):
    """What came of the reference solution."""

    calls: tuple[GoldCall, ...]
    """By the tools' own names."""
    results: dict[str, JsonValue]
    """Results by the names the template gives them, or by place."""
    environment: Environment


def instantiate(template: Template, seed: int) -> Task:
    """The instance of ``template`` for ``seed``: always the same task for the same seed.

    Raises:
        UnfairSeedError: no fair task was found for this seed.
        TaskTemplateError: the template's expressions fail.
    """
    reason = ""
    for draw in range(_DRAWS):
        rng = random.Random(derive_seed("task", template.id, seed, draw))
        try:
            return _draw(template, seed, rng, joined_world(template.categories, seed))
        except RedrawError as redraw:
            reason = str(redraw)
        except InvalidInputError as error:
            raise template.error(str(error)) from error
    raise template.error(
        f"no fair instance for seed {seed} in {_DRAWS} drawings; the last was refused because {reason}", UnfairSeedError
    )


def build_environment(task: Task) -> Environment:
    """The world of a task, with the tools it offers as it offers them."""
    tools = {
        schema.name: get_category(binding.category).tools[binding.tool].offered_as(schema, binding.parameters)
        for schema, binding in task.bound_tools
    }
    return Environment(joined_world(task.worlds or (task.category,), task.seed), tools)


def wordings_for(template: Template, seed: int) -> list[str]:
    """The wordings an instance may have: the last is never used in training."""
    return template.say[:-1] if for_training(seed) and len(template.say) > 1 else list(template.say)


def _draw(template: Template, seed: int, rng: random.Random, world: World) -> Task:
    scope = world_scope(world)
    draw_slots(template, scope, world, rng)
    wording = rng.choice(wordings_for(template, seed))
    require_unique_rows(template, wording, scope, world)
    solution = _solve(template, scope, world)
    for expression in template.require:
        if not condition(expression, scope):
            raise RedrawError(f"{expression!r} does not hold")
    answer = expected_answer(template, scope, solution.results)
    instruction = str(evaluate(wording, scope))
    if answer is not None:
        answer = with_unit(answer, template, scope, instruction)
    if answer is not None and leaks(instruction, answer):
        raise RedrawError("the request gives the answer away")
    goal = solution.environment.net_changes()
    if template.expect.state != bool(goal):
        raise RedrawError(f"the reference solution changes {len(goal)} rows and 'state' is {template.expect.state}")
    closing = closing_message(template, scope, answer, rng)
    split = split_of(template, seed)
    offered = draw_offer(template, split, rng)
    looks = draw_looks(offered, _used(solution.calls), frozenset(template.also_offer), rng)
    return Task(
        template=template.id,
        category=template.category,
        seed=seed,
        split=split,
        instruction=instruction,
        tools=looks.schemas,
        gold=_as_offered(solution.calls, looks.bindings, [schema.name for schema in looks.schemas]),
        closing=closing,
        answer=answer,
        goal=goal,
        checks=_checks(answer, bool(goal)),
        now=world.now.strftime(MOMENT),
        kinds=template.kinds,
        worlds=tuple(dict.fromkeys([*template.categories, *sorted(each.category.name for each in offered)])),
        bindings=looks.bindings,
        style=looks.style,
    )


def _solve(template: Template, scope: dict[str, Any], world: World) -> _Solution:
    tools = {name: tool for each in template.categories for name, tool in get_category(each).tools.items()}
    environment = Environment(world, tools)
    calls: list[GoldCall] = []
    results: dict[str, JsonValue] = {}
    for turn in turns(template.solve):
        prepared = [evaluate(step.arguments, scope) for step in turn]  # before any of them has a result
        for step, arguments in zip(turn, prepared, strict=True):
            place = len(calls)
            call = ToolCall(id=f"gold_{place}", name=step.call, arguments=arguments, raw="")
            observation = environment.step(call).observation
            if (observation.fault == "refused") != step.fails:
                what = "is not refused" if observation.ok else f"is refused: {observation.content}"
                raise RedrawError(f"call {place + 1} of the reference solution {what}")
            if not observation.ok and not step.fails:
                raise template.error(f"call {place + 1} of its reference solution fails: {observation.content}")
            result = plain(observation.content)
            results[step.name or f"#{place}"] = result
            if step.name is not None:
                scope[step.name] = result
            calls.append(GoldCall(name=step.call, arguments=arguments, together=step.together, fails=step.fails))
    return _Solution(tuple(calls), results, environment)


def turns(solve: list[Solve]) -> list[list[Solve]]:
    """The calls of a reference solution, those made together in one list."""
    groups: list[list[Solve]] = []
    for step in solve:
        if step.together and groups:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _used(calls: tuple[GoldCall, ...]) -> dict[str, frozenset[str]]:
    used: dict[str, frozenset[str]] = {}
    for call in calls:
        used[call.name] = used.get(call.name, frozenset()) | call.arguments.keys()
    return used


def _as_offered(
    calls: tuple[GoldCall, ...], bindings: tuple[ToolBinding, ...], names: list[str]
) -> tuple[GoldCall, ...]:
    """The calls by the names the agent sees."""
    offered: Mapping[str, tuple[str, ToolBinding]] = {
        binding.tool: (name, binding) for name, binding in zip(names, bindings, strict=True)
    }
    translated = []
    for call in calls:
        name, binding = offered[call.name]
        own = {real: seen for seen, real in binding.parameters.items()}
        arguments = {own[key]: value for key, value in call.arguments.items()}
        translated.append(call.model_copy(update={"name": name, "arguments": arguments}))
    return tuple(translated)


def _checks(answer: ExpectedAnswer | None, changes: bool) -> tuple[str, ...]:
    gates = ["ending.answered"]
    if answer is not None:
        gates.append("answer.value")
        if answer.kind not in ("decline", "ask"):
            gates.append("answer.grounded")
    if changes:
        gates.append("state.goal")
    return (*gates, "state.collateral")
