"""Rows of attempts made in one world that show the same tools, so that they begin alike and training reads that once.

An attempt's tools are drawn for it alone. Here several attempts in one world are shown those that any of them needs and a few
more, in looks drawn for all: an offer that each of them could have had. What was called keeps its meaning under the new name.
Attempts of which that cannot be said are left with the tools they had.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lamsim_core.canonical import canonical_json, derive_seed
from lamsim_core.curate.messages import turns, went_wrong
from lamsim_core.errors import NotFoundError
from lamsim_core.records import ToolBinding, ToolSchema, Trajectory, Weigh
from lamsim_core.tasks import Template, get_template
from lamsim_core.tasks.offer import MOST_TOOLS, Offered
from lamsim_core.tasks.variation import draw_looks
from lamsim_core.tools import categories
from lamsim_core.train.rows import Row, to_row

Own = tuple[str, str]
"""A tool by its category and its own name."""

_ROOM = (2, 4, 6, 8)
"""Tools that are needed in all, at most; drawn anew for each prompt, so that models see short offers and long ones."""


class _Attempt(NamedTuple):
    """An attempt that may share its tools."""

    place: int
    trajectory: Trajectory
    template: Template
    offered: dict[str, tuple[ToolSchema, ToolBinding]]
    """By the name they were offered under."""
    needed: frozenset[Own]
    """What it called, and what its template always offers."""

    @property
    def idle(self) -> bool:
        """Whether none of the tools does what was asked, so that one of elsewhere might."""
        return bool(self.template.expect.decline or self.template.expect.ask)

    def bears(self, tools: Iterable[Own]) -> bool:
        """Whether these tools may be shown to it."""
        homes = self.template.categories
        for category, tool in tools:
            if category in homes:
                if tool in self.template.never_offer:
                    return False
            elif self.idle:
                return False
        return True


def to_rows(
    trajectories: Sequence[Trajectory],
    weigh: Weigh = "verified",
    spare_tools: int | None = None,
    share: int | None = None,
) -> list[Row]:
    """The training rows of attempts made in one world, in the same order.

    Args:
        trajectories: whole attempts at tasks of one category and seed.
        weigh: what of each is trained on.
        spare_tools: how many tools are shown beside the needed ones at most; None shows as many as tasks offer.
        share: up to so many rows show the same tools; None leaves each its own.
    """
    rows = [to_row(trajectory, weigh, spare_tools) for trajectory in trajectories]
    if share is None:
        return rows
    attempts = [each for place, trajectory in enumerate(trajectories) if (each := _sharing(place, trajectory))]
    if not attempts:
        return rows
    world = attempts[0].trajectory.task
    rng = random.Random(derive_seed("shared tools", world.category, world.seed))
    rng.shuffle(attempts)
    while attempts:
        group = _together(attempts, rng.choice(_ROOM), share)
        attempts = [each for each in attempts if each not in group]
        if len(group) > 1:
            for each, row in zip(
                group, _dressed(group, [rows[each.place] for each in group], spare_tools, rng), strict=True
            ):
                rows[each.place] = row
    return rows


def _sharing(place: int, trajectory: Trajectory) -> _Attempt | None:
    """An attempt that may share its tools, or None: nothing went wrong, and no tool is named but in calls."""
    task = trajectory.task
    offered = {schema.name: (schema, binding) for schema, binding in task.bound_tools}
    known = categories()
    if any(binding.category not in known for _, binding in offered.values()):
        return None
    calls = [step.call for step in trajectory.steps if step.call is not None]
    if any(went_wrong(turn) for turn in turns(trajectory.steps)) or any(call.name not in offered for call in calls):
        return None
    told = [step.told.content for step in trajectory.steps if step.told is not None]
    said = canonical_json([task.instruction, trajectory.answer or "", *told])
    if any(name in said for name in offered):
        return None
    try:
        template = get_template(task.template)
    except NotFoundError:
        return None
    needed = {_own(offered[call.name][1]) for call in calls}
    needed |= {_own(binding) for _, binding in offered.values() if binding.tool in template.also_offer}
    return _Attempt(place, trajectory, template, offered, frozenset(needed))


def _together(attempts: Sequence[_Attempt], room: int, share: int) -> list[_Attempt]:
    """The first attempt and those after it that bear each other's tools, as many as there is room for."""
    group = [attempts[0]]
    needed = set(attempts[0].needed)
    for each in attempts[1:]:
        both = needed | each.needed
        if len(group) < share and len(both) <= room and all(one.bears(both) for one in (*group, each)):
            group.append(each)
            needed = both
    return group


def _dressed(group: Sequence[_Attempt], rows: Sequence[Row], spare: int | None, rng: random.Random) -> list[Row]:
    """The rows of attempts that share their tools."""
    needed = sorted(frozenset().union(*(each.needed for each in group)))
    others = sorted({_own(binding) for each in group for _, binding in each.offered.values()} - {*needed})
    others = [tool for tool in others if all(each.bears([tool]) for each in group)]
    # Who is to find that nothing fits is shown something that does not.
    least = max(0, 2 - len(needed)) if any(each.idle for each in group) else 0
    most = max(0, MOST_TOOLS - len(needed)) if spare is None else max(spare, least)
    more = rng.sample(others, min(len(others), rng.randint(least, max(least, most))))
    shown = [Offered(categories()[category], categories()[category].tools[tool]) for category, tool in (*needed, *more)]
    rng.shuffle(shown)
    whole = frozenset(name for each in group for name in each.template.also_offer)
    looks = draw_looks(shown, _used(group), whole, rng)
    names = {
        _own(binding): (schema.name, binding) for schema, binding in zip(looks.schemas, looks.bindings, strict=True)
    }
    tools = [schema.openai() for schema in looks.schemas]
    return [
        {**row, "tools": tools, "messages": [_renamed(message, each.offered, names) for message in row["messages"]]}
        for each, row in zip(group, rows, strict=True)
    ]


def _used(group: Sequence[_Attempt]) -> dict[str, frozenset[str]]:
    """The parameters given to each tool, by their own names."""
    used: dict[str, frozenset[str]] = {}
    for each in group:
        for step in each.trajectory.steps:
            if step.call is not None:
                _, binding = each.offered[step.call.name]
                given = {binding.parameters.get(name, name) for name in step.call.arguments}
                used[binding.tool] = used.get(binding.tool, frozenset()) | given
    return used


def _renamed(
    message: Row, offered: Mapping[str, tuple[ToolSchema, ToolBinding]], names: Mapping[Own, tuple[str, ToolBinding]]
) -> Row:
    """A message with its calls under new names."""
    if not message.get("tool_calls"):
        return message

    def renamed(call: Row) -> Row:
        _, old = offered[call["name"]]
        name, new = names[_own(old)]
        shown = {own: seen for seen, own in new.parameters.items()}
        given: dict[str, Any] = {shown[old.parameters.get(key, key)]: value for key, value in call["arguments"].items()}
        return {**call, "name": name, "arguments": given}

    return {
        **message,
        "tool_calls": [{**call, "function": renamed(call["function"])} for call in message["tool_calls"]],
    }


def _own(binding: ToolBinding) -> Own:
    return binding.category, binding.tool
