"""Errors of whole attempts: closed too early or never, another answer, something left out, done beside or done otherwise."""

from collections.abc import Iterator
from itertools import chain

from lamsim_core.agent.prompt import call_text
from lamsim_core.explore.proof.case import Injection, Mark
from lamsim_core.explore.proof.scene import Scene
from lamsim_core.feedback.grounding import holds, leaves, values_of
from lamsim_core.records import GoldCall, RowChange
from lamsim_core.tasks.mutations import other_answers
from lamsim_core.tasks.verify import same_outcome

_LOOPS = 12
"""Replies of an attempt that is never closed; the limit comes first."""
_TRIES = 30
"""Random calls of a tool tried until one succeeds."""


def wrong_outcomes(scene: Scene) -> Iterator[Injection]:
    """Every error of whole attempts that the proof puts into an instance."""
    yield from _closed_early(scene)
    yield from _bad_endings(scene)
    yield from _other_answers(scene)
    yield from _left_out(scene)
    yield from _other_tools(scene)
    yield from _collateral(scene)


def _closed_early(scene: Scene) -> Iterator[Injection]:
    """The right closing message after only the first calls, while something that is needed is still undone."""
    everything = range(len(scene.task.gold))
    for place in everything:
        if not any(other >= place for other in scene.needed):
            continue
        marks = [Mark("premature_end", place, ("$",))]
        if place == 0 and _looked_up(scene):
            marks.append(Mark("ungrounded", None, ("$.answer",)))
        replies = scene.replies(instead=dict.fromkeys(everything[place:], ()))
        yield Injection(f"closed after {place} calls", place, tuple(marks), replies, False)


def _looked_up(scene: Scene) -> bool:
    return scene.task.answer is not None and scene.task.answer.kind not in ("decline", "ask")


def _bad_endings(scene: Scene) -> Iterator[Injection]:
    task = scene.task
    end = len(task.gold)
    for what, closing in (("an empty message", ""), ("white space", " \n\t ")):
        mark = Mark("ending", None, ("$.answer",))
        yield Injection(what, end, (mark,), scene.replies(closing=closing), False)
    mark = Mark("ending", None, ("$.ended",))
    calls = scene.replies()[:-1]
    looping = (*calls, *((calls or ("<tool_call>{}</tool_call>",))[-1:] * _LOOPS))
    yield Injection("never closed", end, (mark,), looping, False, max_steps=8)
    yield Injection("cut by the token limit", end, (mark,), scene.replies(), False, cut=True)


def _other_answers(scene: Scene) -> Iterator[Injection]:
    if scene.task.answer is None:
        return
    for text in other_answers(scene.task.answer):
        mark = Mark("answer", None, ("$.answer",))
        replies = scene.replies(closing=text)
        yield Injection(f"answers {text[:40]!r}", len(scene.task.gold), (mark,), replies, False)


def _left_out(scene: Scene) -> Iterator[Injection]:
    """A call that is needed is left out: a change is missing, or the answer was not looked up."""
    for place in sorted(scene.needed):
        marks = [Mark("premature_end", None, (f"$.task.gold[{place}]",))]
        rows = _wanted_of(scene, place)
        if rows:
            marks.append(Mark("state", None, tuple(f"$.{row.table}.{row.id}" for row in rows)))
        elif not scene.mutates(scene.task.gold[place].name):
            marks.append(Mark("ungrounded", None, ("$.answer",)))
        yield Injection("left out", place, tuple(marks), scene.replies(instead={place: ()}), False)


def _wanted_of(scene: Scene, place: int) -> list[RowChange]:
    """The wanted changes that a reference call makes; those it makes possible, when others undo its own."""
    gold = scene.task.gold
    made = {(change.table, change.id) for change in scene.solved.steps[place].changes}
    if not made:
        return []
    world = scene.try_calls((*gold[:place], *gold[place + 1 :]))[0].world
    lost = [change for change in scene.task.goal if world.get(change.table, change.id) != change.after]
    return [change for change in lost if (change.table, change.id) in made] or lost


def _other_tools(scene: Scene) -> Iterator[Injection]:
    """Another offered tool is called in place of a needed one."""
    for place in sorted(scene.needed):
        right = scene.task.gold[place]
        others = [tool for tool in scene.task.tools if tool.name != right.name]
        scene.rng("tools", place).shuffle(others)
        for tool in others[:3]:
            call = next((call for call, _ in scene.other_calls(tool, place)), None)
            if call is None:
                continue
            if not _will_do(scene, place, call):
                names = (right.name, call.name)
                marks = (Mark("tool_choice", None, (f"$.steps[{place}].call.name",), names),)
                replies = scene.replies(instead={place: (call_text(call),)})
                yield Injection("another tool", place, marks, replies, False)


def _will_do(scene: Scene, place: int, call: GoldCall) -> bool:
    """Whether another call does or tells what a needed call does: then it is another way to the same end."""
    task = scene.task
    environment, made = scene.try_calls((*task.gold[:place], call, *task.gold[place + 1 :]))
    if scene.mutates(task.gold[place].name):
        return same_outcome(task, environment)
    seen = list(leaves([step.observation.content for step in made if step.observation.ok]))
    return task.answer is not None and all(holds(seen, value) for value in values_of(task.answer))


def _collateral(scene: Scene) -> Iterator[Injection]:
    """A valid change that nobody asked for, before everything else or after it: one for each tool that makes changes."""
    gold = scene.task.gold
    wanted = {(change.table, change.id) for change in scene.task.goal}
    for place in dict.fromkeys((0, len(gold))):
        for tool in scene.task.tools:
            if not scene.mutates(tool.name):
                continue
            alike = (call for _, _, call in scene.changed_values() if call.name == tool.name)
            others = (call for call, _ in scene.other_calls(tool, place, _TRIES))
            for call in chain(alike, others):
                rows = {(change.table, change.id) for change in scene.try_call(place, call).changes}
                environment, made = scene.try_calls((*gold[:place], call, *gold[place:]))
                spoilt = any(
                    step.observation.ok == reference.fails
                    for step, reference in zip((*made[:place], *made[place + 1 :]), gold, strict=True)
                )
                extra = {(change.table, change.id) for change in environment.net_changes()} & rows
                if not extra or extra & wanted or spoilt:
                    continue
                paths = tuple(f"$.{table}.{row}" for table, row in sorted(extra))
                mark = Mark("collateral", None, paths)
                replies = scene.replies(before={place: call_text(call)})
                yield Injection(f"{tool.name} as well", place, (mark,), replies, False)
                break
