"""Other ways to the same end. None may be punished: no failed action, no diagnosis, and the attempt passes."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, permutations
from typing import Any

from pydantic import JsonValue

from lamsim_core.agent.prompt import call_text
from lamsim_core.explore.proof.case import Variation
from lamsim_core.explore.proof.closings import closings
from lamsim_core.explore.proof.scene import Scene, rewritten
from lamsim_core.feedback.grounding import holds, leaves, same_leaf
from lamsim_core.records import GoldCall, ToolSchema
from lamsim_core.tasks.verify import same_outcome

_MOST_ORDERS = 6


def variations(scene: Scene) -> Iterator[Variation]:
    """Every legal variation of an instance's reference solution, itself the first."""
    yield Variation("the reference solution", scene.replies())
    yield from _other_orders(scene)
    yield from _other_turns(scene)
    yield from _more_reads(scene)
    yield from _written_otherwise(scene)
    yield from _corrected(scene)
    yield from _told_by_another(scene)
    for what, text in closings(scene.task):
        yield Variation(what, scene.replies(closing=text))


def _swappable(scene: Scene) -> list[int]:
    """Places whose call neither needs what the call before it told nor touches the same rows."""
    gold, steps = scene.task.gold, scene.solved.steps
    places = []
    for place in range(1, len(gold)):
        before, call = gold[place - 1], gold[place]
        known: list[JsonValue] = [scene.task.instruction]
        known += leaves([step.observation.content for step in steps[: place - 1] if step.observation is not None])
        given = list(leaves(_free_values(call, scene.schema(call.name))))
        rows = [{(change.table, change.id) for change in steps[at].changes} for at in (place - 1, place)]
        new = [{change.table for change in steps[at].changes if change.before is None} for at in (place - 1, place)]
        if before.fails or call.fails or rows[0] & rows[1] or new[0] & new[1]:
            continue
        if not all(holds(known, value) for value in given):
            continue
        swapped = [*gold[: place - 1], call, before, *gold[place + 1 :]]
        environment, made = scene.try_calls(swapped)
        results = [step.observation for step in made]
        results[place - 1 : place + 1] = [results[place], results[place - 1]]
        if results == [step.observation for step in steps] and same_outcome(scene.task, environment):
            places.append(place)
    return places


def _free_values(call: GoldCall, tool: ToolSchema) -> dict[str, JsonValue]:
    """The arguments that are not from a closed set."""
    properties: Mapping[str, Any] = tool.parameters["properties"]  # type: ignore[assignment]
    return {name: value for name, value in call.arguments.items() if "enum" not in properties[name]}


def _other_orders(scene: Scene) -> Iterator[Variation]:
    texts = [call_text(call) for call in scene.task.gold]
    for turn in scene.turns:
        for order in list(permutations(turn))[1:_MOST_ORDERS]:
            if any(scene.task.gold[place].fails for place in turn):
                continue
            instead = {place: (texts[other],) for place, other in zip(turn, order, strict=True)}
            yield Variation("calls made together in another order", scene.replies(instead=instead))
    together = {place for turn in scene.turns for place in turn[1:]}
    for place in _swappable(scene):
        if place not in together:
            instead = {place - 1: (texts[place],), place: (texts[place - 1],)}
            yield Variation("independent calls in another order", scene.replies(instead=instead))


def _other_turns(scene: Scene) -> Iterator[Variation]:
    texts = [call_text(call) for call in scene.task.gold]
    if any(len(turn) > 1 for turn in scene.turns):
        yield Variation("parallel calls one by one", (*texts, scene.task.closing))
    for place in _swappable(scene):
        instead = {place - 1: (f"{texts[place - 1]}\n{texts[place]}",), place: ()}
        yield Variation("independent calls together", scene.replies(instead=instead))


def _more_reads(scene: Scene) -> Iterator[Variation]:
    """A call that only looks, and succeeds, at each place."""
    for place in range(len(scene.task.gold) + 1):
        found = 0
        readers = [tool for tool in scene.task.tools if not scene.mutates(tool.name)]
        scene.rng("readers", place).shuffle(readers)
        for tool in readers:
            extra = next((call for call, _ in scene.other_calls(tool, place)), None)
            if extra is not None and found < 2:
                found += 1
                yield Variation("one more look", scene.replies(before={place: call_text(extra)}))


def _written_otherwise(scene: Scene) -> Iterator[Variation]:
    """The same calls in other JSON."""
    forms: dict[str, Callable[[GoldCall, ToolSchema], str]] = {
        "keys in another order": lambda call, _: json.dumps(
            {"arguments": dict(reversed(call.arguments.items())), "name": call.name}
        ),
        "JSON on many lines": lambda call, _: json.dumps(_body(call), indent=3),
        "JSON without blanks": lambda call, _: json.dumps(_body(call), separators=(",", ":")),
        "every letter escaped": lambda call, _: _escaped(_body(call)),
        "integers as 3.0": lambda call, _: json.dumps(_body(rewritten(call, _floats(call.arguments)))),
        "defaults given": lambda call, tool: json.dumps(_body(rewritten(call, {**_defaults(tool), **call.arguments}))),
        "defaults left out": lambda call, tool: json.dumps(_body(rewritten(call, _without_defaults(call, tool)))),
    }
    plain = scene.replies()
    tools = [scene.schema(call.name) for call in scene.task.gold]
    for what, form in forms.items():
        bodies = [form(call, tool) for call, tool in zip(scene.task.gold, tools, strict=True)]
        instead = {place: (f"<tool_call>{body}</tool_call>",) for place, body in enumerate(bodies)}
        same = [json.loads(body) == _body(call) for body, call in zip(bodies, scene.task.gold, strict=True)]
        if scene.task.gold and not (what.startswith("defaults") and all(same)):
            yield Variation(what, scene.replies(instead=instead))
    if scene.task.gold:
        yield Variation(
            "words before the call", tuple(f"I will see to it.\n{reply}" for reply in plain[:-1]) + plain[-1:]
        )
        yield Variation("no closing mark", tuple(_unclosed(reply) for reply in plain))


def _body(call: GoldCall) -> dict[str, JsonValue]:
    return {"name": call.name, "arguments": call.arguments}


def _escaped(body: Any) -> str:
    if isinstance(body, str):
        units = body.encode("utf-16-be").hex()
        return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'
    if isinstance(body, dict):
        return "{" + ",".join(f"{_escaped(key)}:{_escaped(value)}" for key, value in body.items()) + "}"
    return "[" + ",".join(map(_escaped, body)) + "]" if isinstance(body, list) else json.dumps(body)


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _defaults(tool: ToolSchema) -> dict[str, JsonValue]:
    properties: Mapping[str, Any] = tool.parameters["properties"]  # type: ignore[assignment]
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}


def _without_defaults(call: GoldCall, tool: ToolSchema) -> dict[str, JsonValue]:
    defaults = _defaults(tool)
    return {k: value for k, value in call.arguments.items() if k not in defaults or defaults[k] != value}


def _unclosed(reply: str) -> str:
    head, mark, tail = reply.rpartition("\n</tool_call>")
    return head + tail if mark else reply


def _corrected(scene: Scene) -> Iterator[Variation]:
    """A changing call with a wrong value, made good by the right one."""
    gold = scene.task.gold
    for place, _, wrong in scene.changed_values():
        environment, made = scene.try_calls((*gold[:place], wrong, *gold[place:]))
        if made[place].changes and all(step.observation.ok for step in made) and same_outcome(scene.task, environment):
            replies = scene.replies(before={place: call_text(wrong)})
            yield Variation("a wrong value corrected", replies, corrected=place)


def _told_by_another(scene: Scene) -> Iterator[Variation]:
    """Another call that tells all that a look-up tells, and stands for it."""
    for place, right in enumerate(scene.task.gold):
        seen = scene.solved.steps[place].observation
        if right.fails or scene.mutates(right.name) or seen is None:
            continue
        told = list(leaves(seen.content))
        for tool in scene.task.tools:
            if not told or scene.mutates(tool.name):
                continue
            for call, outcome in chain(_alike(scene, right, tool, place), scene.other_calls(tool, place)):
                known = list(leaves(outcome.observation.content))
                if all(any(same_leaf(leaf, other) for other in known) for leaf in told):
                    yield Variation(
                        "another look that tells the same", scene.replies(instead={place: (call_text(call),)})
                    )
                    break


def _alike(scene: Scene, right: GoldCall, tool: ToolSchema, place: int) -> Iterator[tuple[GoldCall, Any]]:
    """A call of another tool with those arguments of the right one that it takes."""
    properties: Mapping[str, Any] = tool.parameters["properties"]  # type: ignore[assignment]
    given = {name: value for name, value in right.arguments.items() if name in properties}
    call = GoldCall(name=tool.name, arguments=given)
    if tool.name != right.name:
        outcome = scene.try_call(place, call)
        if outcome.observation.ok:
            yield call, outcome
