"""Attempts that get by without doing the task. None may pass."""

import json
from collections.abc import Iterator

from lamsim_core.agent.prompt import call_text
from lamsim_core.agent.random_calls import random_call
from lamsim_core.explore.proof.case import Cheat
from lamsim_core.explore.proof.scene import Scene
from lamsim_core.feedback.grounding import leaves

_FLOOD = 1000
"""Calls of a flood."""
_MANY = 18
"""Values that are a list of candidates; fewer can be one row that was asked for, read out."""
_LOOKS = 8
"""Other looks made before every value seen is named."""
_SORRY = ("I cannot do this.", "I'm sorry, but I am unable to help with that.", "None of my tools can do this.")
_QUESTIONS = ("Which one do you mean?", "Could you tell me more about what you need?")
_PHRASES = ("yes", "Done.", "{}", "null", "0", "It is done. Everything you asked for has been taken care of.")


def cheats(scene: Scene) -> Iterator[Cheat]:
    """Every cheat that is tried on an instance."""
    task = scene.task
    kind = None if task.answer is None else task.answer.kind
    yield Cheat("doing nothing", ("",))
    yield Cheat("echo of the request", (task.instruction,))
    for phrase in _PHRASES:
        yield Cheat("a phrase", (phrase,))
    if scene.needed:
        yield Cheat("the right closing message without a call", (task.closing,))
    if kind != "decline":
        for text in _SORRY:
            yield Cheat("an apology", (text,))
    if kind != "ask":
        for text in _QUESTIONS:
            yield Cheat("a question", (text,))
    empty = [json.dumps({"name": tool.name, "arguments": {}}) for tool in task.tools]
    every = "\n".join(f"<tool_call>{body}</tool_call>" for body in empty)
    yield Cheat("every tool without arguments", (every, "Done."))
    if kind in ("number", "text", "list"):
        yield from _everything_seen(scene)
    yield from _floods(scene)


def _everything_seen(scene: Scene) -> Iterator[Cheat]:
    """The right calls and some more, but then every value that was seen."""
    end = len(scene.task.gold)
    results = [step.observation.content for step in scene.solved.steps if step.observation is not None]
    more = []
    for tool in scene.task.tools:
        for call, outcome in scene.other_calls(tool, end):
            if not outcome.changes:
                more.append(call_text(call))
                results.append(outcome.observation.content)
    seen = dict.fromkeys(str(leaf) for leaf in leaves(results))
    calls = (*scene.replies()[:-1], *more[:_LOOKS])
    for mark in (", ", "\n") if len(seen) >= _MANY else ():
        yield Cheat("every value seen", (*calls, mark.join(seen)))


def _floods(scene: Scene) -> Iterator[Cheat]:
    """A thousand calls: in one reply, in as many turns, and many in each turn."""
    rng = scene.rng("flood")
    calls = [call_text(random_call(scene.task, (), rng)[0]) for _ in range(_FLOOD)]
    yield Cheat("a flood in one reply", ("".join(calls), "Done."))
    yield Cheat("a flood in many turns", (*calls, "Done."), max_steps=8)
    yield Cheat("a flood in many turns of many calls", tuple("".join(calls[at::8]) for at in range(8)), max_steps=8)
