"""Errors of single actions, put before the right call (the agent recovers) and in its place."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from pydantic import JsonValue

from lamsim_core.agent.prompt import call_text
from lamsim_core.environment.arguments import validator_of
from lamsim_core.explore.proof.arguments import broken_arguments
from lamsim_core.explore.proof.case import Injection, Mark
from lamsim_core.explore.proof.outcomes import wrong_outcomes
from lamsim_core.explore.proof.scene import Scene, rewritten
from lamsim_core.feedback.reference import same_call
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import GoldCall
from lamsim_core.tasks.verify import same_outcome
from lamsim_core.tools import categories

_ID = re.compile(r"([A-Za-z]+[_-])(\d{2,})")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_NOBODY = "nobody.at.all@example.invalid"


def injections(scene: Scene) -> Iterator[Injection]:
    """Every error the proof puts into an instance."""
    for place, call in enumerate(scene.task.gold):
        marked = chain(_structure(call, place), _tool_name(scene, call, place), _arguments(scene, call, place))
        for what, mark, text in marked:
            yield from _both_ways(scene, place, what, (mark,), text)
        if any(place == turn[0] for turn in scene.turns):
            yield from _messages_like_calls(scene, call, place)
        yield from _invented(scene, call, place)
        yield from _repeated(scene, call, place)
    yield from _other_values(scene)
    yield from wrong_outcomes(scene)


def _both_ways(scene: Scene, place: int, what: str, marks: tuple[Mark, ...], text: str) -> Iterator[Injection]:
    yield Injection(f"{what}, then right", place, marks, scene.replies(before={place: text}), True)
    fails = False if place in scene.needed else None
    yield Injection(f"{what}, instead", place, marks, scene.replies(instead={place: (text,)}), fails)


def _tagged(body: str) -> str:
    return f"<tool_call>\n{body}\n</tool_call>"


def _structure(call: GoldCall, place: int) -> Iterator[tuple[str, Mark, str]]:
    body = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
    written = json.dumps(call.arguments, ensure_ascii=False)
    name = json.dumps(call.name)
    mark = Mark("structure", place, ("$",))
    yield "JSON cut in the middle", mark, _tagged(body[: len(body) // 2])
    yield "JSON without its last brace", mark, _tagged(body[:-1])
    yield "a call that is never closed", mark, f"<tool_call>\n{body[:-2]}"
    yield "arguments as a text", mark, _tagged(f'{{"name": {name}, "arguments": {json.dumps(written)}}}')
    yield "arguments as a list", mark, _tagged(f'{{"name": {name}, "arguments": [{written}]}}')
    yield "no name", mark, _tagged(f'{{"arguments": {written}}}')
    yield "a name that is no text", mark, _tagged(f'{{"name": 7, "arguments": {written}}}')
    yield "arguments beside the name", mark, _tagged(f'{{"name": {name}, "parameters": {written}}}')
    more = f"{written[:-1]}{', ' if call.arguments else ''}"
    yield "NaN", mark, _tagged(f'{{"name": {name}, "arguments": {more}"n": NaN}}}}')
    yield "a key twice", mark, _tagged(f'{{"name": {name}, "name": {name}, "arguments": {written}}}')
    for key, value in list(call.arguments.items())[:1]:
        again = f"{json.dumps(key)}: {json.dumps(value)}"
        yield "an argument twice", mark, _tagged(f'{{"name": {name}, "arguments": {more}{again}}}}}')


def _messages_like_calls(scene: Scene, call: GoldCall, place: int) -> Iterator[Injection]:
    """Calls written in other ways: they are read as a message, which ends the attempt."""
    body = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
    listed = ", ".join(f"{key}={value!r}" for key, value in call.arguments.items())
    forms = {
        "bare JSON": body,
        "JSON in a code block": f"```json\n{body}\n```",
        "JSON with parameters": json.dumps({"name": call.name, "parameters": call.arguments}),
        "a call of Python": f"{call.name}({listed})",
        "a list of calls of Python": f"[{call.name}({listed})]",
        "a function tag": f"<function={call.name}>{json.dumps(call.arguments)}</function>",
    }
    left = any(other >= place for other in scene.needed)
    for what, text in forms.items():
        replies = scene.replies(before={place: text})
        yield Injection(what, place, (Mark("structure", place, ("$",)),), replies, False if left else None)


def _tool_name(scene: Scene, call: GoldCall, place: int) -> Iterator[tuple[str, Mark, str]]:
    offered = {tool.name for tool in scene.task.tools}
    own = next(binding.tool for tool, binding in scene.task.bound_tools if tool.name == call.name)
    unknown = [tool for category in categories().values() for tool in category.tools if tool not in offered]
    names = {
        "a letter less": call.name[:-1],
        "a letter more": f"{call.name}s",
        "another case": call.name.swapcase(),
        "an invented tool": "do_everything",
        "a tool not offered": scene.rng("unknown", place).choice(unknown),
        "the name it has elsewhere": own,
    }
    for what, name in names.items():
        if name not in offered:
            yield what, Mark("tool_name", place, ("$.name",)), call_text(call.model_copy(update={"name": name}))


def _arguments(scene: Scene, call: GoldCall, place: int) -> Iterator[tuple[str, Mark, str]]:
    for broken in broken_arguments(call, scene.schema(call.name)):
        mark = Mark(broken.error_class, place, (broken.path,))
        yield broken.what, mark, call_text(rewritten(call, broken.arguments))


def _invented(scene: Scene, call: GoldCall, place: int) -> Iterator[Injection]:
    """Ids and addresses that nobody has: never seen, and mostly refused."""
    faults = validator_of(scene.schema(call.name).parameters).faults
    for path, arguments in _with_invented(scene, call.arguments):
        if faults(arguments):
            continue
        changed = rewritten(call, arguments)
        outcome = scene.try_call(place, changed)
        marks = [Mark("ungrounded", place, (path,))]
        if outcome.observation.fault == "refused":
            marks.append(Mark("execution", place, ("$",)))
        elif outcome.changes:
            replies = scene.replies(instead={place: (call_text(changed),)})
            passes = False if place in scene.needed else None
            yield Injection("an invented value", place, tuple(marks), replies, passes)
            continue
        yield from _both_ways(scene, place, "an invented value", tuple(marks), call_text(changed))


def _with_invented(scene: Scene, arguments: dict[str, JsonValue]) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    for name, value in arguments.items():
        if isinstance(value, str) and (other := _invent(scene, value)):
            yield f"$.arguments.{name}", {**arguments, name: other}
        elif isinstance(value, list):
            for at, item in enumerate(value):
                if isinstance(item, str) and (other := _invent(scene, item)):
                    yield f"$.arguments.{name}[{at}]", {**arguments, name: [*value[:at], other, *value[at + 1 :]]}


def _invent(scene: Scene, value: str) -> str | None:
    form = _ID.fullmatch(value)
    if form:
        known = {str(row["id"]) for world in scene.worlds for table in world.tables for row in world.rows(table)}
        most = 10 ** len(form[2])
        return next(f"{form[1]}{number}" for number in range(most - 1, 0, -1) if f"{form[1]}{number}" not in known)
    return _NOBODY if _ADDRESS.fullmatch(value) else None


def _repeated(scene: Scene, call: GoldCall, place: int) -> Iterator[Injection]:
    """A call that changes nothing, made twice in a row."""
    if scene.worlds[place].state_hash() == scene.worlds[place + 1].state_hash():
        mark = Mark("repetition", place + 1, ("$",))
        yield Injection("twice", place, (mark,), scene.replies(before={place: call_text(call)}), True)


def _other_values(scene: Scene) -> Iterator[Injection]:
    """Changing calls with another valid value, where that comes to something else."""
    task = scene.task
    for place, name, wrong in chain(scene.changed_values(), _changed_defaults(scene)):
        if any(same_call(wrong, other, task) for other in task.gold):
            continue  # right elsewhere: what is wrong then is that it is made twice
        calls = (*task.gold[:place], wrong, *task.gold[place + 1 :])
        if same_outcome(task, scene.try_calls(calls)[0]):
            continue
        marks = [Mark("argument_value", None, (f"$.steps[{place}].call.arguments.{name}",))]
        if _spoils(scene, place, wrong):
            marks.append(Mark("argument_value", place, (f"$.arguments.{name}",)))
        yield Injection(
            f"another {name}", place, tuple(marks), scene.replies(instead={place: (call_text(wrong),)}), False
        )


def _spoils(scene: Scene, place: int, wrong: GoldCall) -> bool:
    """Whether a wrong call is refused or changes a row in a way that is not wanted.

    One that does a part of what is wanted, or nothing, can still be followed by the rest: the finished attempt tells.
    """
    outcome = scene.try_call(place, wrong)
    rows = {(change.table, change.id) for change in outcome.changes}
    net = scene.try_calls((*scene.task.gold[:place], wrong))[0].net_changes()
    found = compare_changes(scene.task.goal, net)
    off = [*found.collateral, *(made for _, made in found.wrong)]
    return not outcome.observation.ok or any((change.table, change.id) in rows for change in off)


def _changed_defaults(scene: Scene) -> Iterator[tuple[int, str, GoldCall]]:
    """Calls that give an argument which the reference leaves to its default, and ones that leave out what it gives."""
    for place, call in enumerate(scene.task.gold):
        if call.fails or not scene.mutates(call.name):
            continue
        properties: Mapping[str, Any] = scene.schema(call.name).parameters["properties"]  # type: ignore[assignment]
        for name, schema in properties.items():
            if "default" not in schema:
                continue
            if name in call.arguments:
                rest = {key: value for key, value in call.arguments.items() if key != name}
                yield place, name, rewritten(call, rest)
            else:
                for value in (True, *schema.get("enum", ())):
                    if type(value) is type(schema["default"]) and value != schema["default"]:
                        yield place, name, rewritten(call, {**call.arguments, name: value})
                        break
