"""How calls that were made differ from those of the reference solution.

The reference is one way to the end, never the only one: what is found here is diagnosis, and no gate rests on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from pydantic import JsonValue

from lamsim_core.feedback.grounding import holds
from lamsim_core.feedback.phrases import normalise
from lamsim_core.records import GoldCall, Step, Task, ToolBinding, ToolCall

NOWHERE = "nowhere"
REQUEST = "the request"


class Call(Protocol):
    """A call: an agent's or the reference's."""

    @property
    def name(self) -> str:
        """The tool's name as it was offered."""
        ...

    @property
    def arguments(self) -> dict[str, JsonValue]:
        """The arguments by the names offered."""
        ...


class Difference(NamedTuple):
    """An argument of both calls, given or by default, with different values."""

    argument: str
    expected: JsonValue
    got: JsonValue


class Deviation(NamedTuple):
    """A place where an attempt left the reference."""

    error_class: Literal["argument_value", "tool_choice", "premature_end"]
    path: str
    """JSON path within the trajectory, or within the reference for a call that was never made."""
    tool: str
    """The reference's tool, as offered."""
    argument: str
    expected: JsonValue
    got: JsonValue
    evidence: dict[str, JsonValue]
    """``tool`` and ``argument`` by their own names, ``called`` likewise; ``expected_from`` and ``got_from``: the field
    of a result in which a value was seen, the request, or nowhere."""


def same_value(one: JsonValue, other: JsonValue) -> bool:
    """Whether two argument values mean the same: texts as ``normalise`` has them, numbers by value."""
    return _form(one) == _form(other)


def in_full(call: Call, task: Task) -> dict[str, JsonValue]:
    """The arguments of a call with the defaults of its tool's schema: what is left out means the default."""
    tool = next((tool for tool in task.tools if tool.name == call.name), None)
    properties = tool.parameters.get("properties") if tool is not None else None
    known = properties.items() if isinstance(properties, dict) else ()
    defaults = {name: each["default"] for name, each in known if isinstance(each, dict) and "default" in each}
    return {**defaults, **call.arguments}


def same_call(one: Call, other: Call, task: Task) -> bool:
    """Whether two calls name the same tool and mean the same arguments."""
    return one.name == other.name and _form(in_full(one, task)) == _form(in_full(other, task))


def differences(call: Call, reference: Call, task: Task) -> list[Difference]:
    """Arguments of both calls, given or by default, with different values, in the order of the call."""
    wanted = in_full(reference, task)
    given = {**call.arguments, **in_full(call, task)}
    return [
        Difference(name, wanted[name], value)
        for name, value in given.items()
        if name in wanted and not same_value(value, wanted[name])
    ]


def nearest(call: Call, references: Sequence[GoldCall], task: Task) -> list[Difference]:
    """The differences from the reference call of the same tool that has the fewest; empty when none differs so."""
    found = [differences(call, reference, task) for reference in references if reference.name == call.name]
    return min((each for each in found if each), key=len, default=[])


class Matched(NamedTuple):
    """How the calls made so far match those of the reference."""

    left: tuple[GoldCall, ...]
    """Reference calls not made yet, those refused on purpose left out."""
    at_the_end: tuple[GoldCall, ...]
    """Those of them that come after the last one made, and that no other call of the same tool stands for."""


def followed(task: Task, history: Sequence[Step]) -> tuple[Step | None, ...]:
    """For each reference call, the step that made it; None while none did.

    One that a tool refuses on purpose was made when it was refused.
    """
    free = [step for step in history if step.call is not None and step.observation is not None]
    found: list[Step | None] = []
    for reference in task.gold:
        match = next(
            (
                step
                for step in free
                if step.observation
                and step.observation.ok != reference.fails
                and same_call(_call(step), reference, task)
            ),
            None,
        )
        if match is not None:
            free.remove(match)
        found.append(match)
    return tuple(found)


def _call(step: Step) -> ToolCall:
    assert step.call is not None
    return step.call


def matched(task: Task, history: Sequence[Step]) -> Matched:
    """Which reference calls were made, and which are left."""
    steps = followed(task, history)
    places = [place for place, reference in enumerate(task.gold) if not reference.fails]
    left = [place for place in places if steps[place] is None]
    last = max((place for place in places if steps[place] is not None), default=-1)
    taken = [step.index for step in steps if step is not None]
    others = {_call(s).name for s in history if s.observation and s.observation.ok and s.index not in taken and s.call}
    at_the_end = (task.gold[place] for place in left if place > last and task.gold[place].name not in others)
    return Matched(tuple(task.gold[place] for place in left), tuple(at_the_end))


class Place(NamedTuple):
    """One call of the reference, and the step of an attempt that stands for it."""

    gold: int
    """Which call of the reference, from 0."""
    step: Step | None
    """None when nothing stands for it."""
    how: Literal["same", "other_values", "instead", "missing"]
    """The same call; the same tool with other values; another call made in its place; none."""


def along(task: Task, steps: Sequence[Step]) -> list[Place]:
    """The reference beside the calls of an attempt, in the order of the reference.

    The same call stands for a reference call; else a call of the same tool with other values; else the first other call
    made in its place; else nothing does, and it is missing. For one that is refused on purpose only the same call does.
    """
    taken = [step for step in steps if step.call is not None and step.call.error is None]
    matches: dict[int, Step] = {}
    for place, reference in enumerate(task.gold):
        match = next(
            (s for s in taken if s.call and s not in matches.values() and same_call(s.call, reference, task)), None
        )
        if match is not None:
            matches[place] = match
    free = [step for step in taken if step not in matches.values()]
    found: list[Place] = []
    for place, reference in enumerate(task.gold):
        if place in matches or reference.fails:
            found.append(Place(place, matches.get(place), "same" if place in matches else "missing"))
            continue
        alike = [
            (len(differences(s.call, reference, task)), s) for s in free if s.call and s.call.name == reference.name
        ]
        alike = [pair for pair in alike if pair[0]]
        if alike:
            step = min(alike, key=lambda pair: pair[0])[1]
            free.remove(step)
            found.append(Place(place, step, "other_values"))
            continue
        before = max((matches[p].index for p in matches if p < place), default=-1)
        after = min((matches[p].index for p in matches if p > place), default=len(steps))
        instead = next((s for s in free if before < s.index < after and s.call and s.call.name != reference.name), None)
        if instead is not None:
            free.remove(instead)
        found.append(Place(place, instead, "missing" if instead is None else "instead"))
    return found


def deviations(task: Task, steps: Sequence[Step]) -> Iterator[Deviation]:
    """Where the calls of an attempt left the reference: each reference call not made, with what was done instead."""
    own = {schema.name: binding for schema, binding in task.bound_tools}
    for place, step, how in along(task, steps):
        reference = task.gold[place]
        if how == "same" or reference.fails:
            continue
        names: dict[str, JsonValue] = {"tool": _own(own, reference.name)}
        if step is None or step.call is None:
            yield Deviation("premature_end", f"$.task.gold[{place}]", reference.name, "", reference.name, None, names)
        elif how == "other_values":
            yield from _other_values(task, steps, step, reference, own)
        else:
            names["called"] = _own(own, step.call.name)
            path = f"$.steps[{step.index}].call.name"
            yield Deviation("tool_choice", path, reference.name, "", reference.name, step.call.name, names)


def _other_values(
    task: Task, steps: Sequence[Step], step: Step, reference: GoldCall, own: Mapping[str, ToolBinding]
) -> Iterator[Deviation]:
    assert step.call is not None
    binding = own.get(reference.name)
    for argument, expected, got in differences(step.call, reference, task):
        evidence: dict[str, JsonValue] = {
            "tool": _own(own, reference.name),
            "argument": binding.parameters.get(argument, argument) if binding else argument,
            "expected_from": seen_in(expected, task, steps[: step.index]),
            "got_from": seen_in(got, task, steps[: step.index]),
        }
        path = f"$.steps[{step.index}].call.arguments.{argument}"
        yield Deviation("argument_value", path, reference.name, argument, expected, got, evidence)


def seen_in(value: JsonValue, task: Task, steps: Sequence[Step]) -> str:
    """Where a value could have been seen: ``tool.field`` of a result, by own names, the request, or nowhere."""
    own = {schema.name: binding for schema, binding in task.bound_tools}
    for step in reversed(steps):
        if step.call is None or step.observation is None or not step.observation.ok:
            continue
        for field, leaf in _fields(step.observation.content, ""):
            if holds([leaf], value):
                return f"{_own(own, step.call.name)}.{field}" if field else _own(own, step.call.name)
    return REQUEST if holds([task.instruction], value) else NOWHERE


def _own(own: Mapping[str, ToolBinding], name: str) -> str:
    """A tool's own name, where it was offered under another."""
    return own[name].tool if name in own else name


def _fields(value: JsonValue, field: str) -> Iterator[tuple[str, JsonValue]]:
    """The texts and numbers of a JSON value, each with the name of the field it is in."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _fields(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, field)
    elif value is not None:
        yield field, value


def _form(value: JsonValue) -> JsonValue:
    """A value in the form in which two are equal when they mean the same."""
    if isinstance(value, str):
        return normalise(value)
    if isinstance(value, dict):
        return {key: _form(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_form(item) for item in value]
    return repr(value) if isinstance(value, bool) else value  # True is no 1
