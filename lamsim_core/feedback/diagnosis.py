"""Checks of single actions beside what the task wants and what was seen: never gates, since other ways are legal too."""

import re
from collections.abc import Iterator

from pydantic import JsonValue

from lamsim_core.feedback.grounding import IDENTIFIER, leaves, why_ungrounded
from lamsim_core.feedback.reference import matched, nearest, same_call
from lamsim_core.feedback.registry import Abstain, Action, Fail, Finding, action_check
from lamsim_core.feedback.state import compare_changes, net_changes
from lamsim_core.records import RowChange

_MADE_UP = re.compile(rf"{IDENTIFIER.pattern}|[^@\s]{{1,64}}@[^@\s]{{1,255}}")
"""Values that cannot be made up: ids and addresses."""
_NO_CALL = Abstain("The action is not a call that could be read.")


@action_check("arguments.grounded", version=1, gate=False)
def arguments_grounded(action: Action) -> Iterator[Finding]:
    """Every id and address in the arguments was in the request or in a result seen before."""
    call = action.call
    if call is None or call.error is not None:
        yield _NO_CALL
        return
    given = [(path, text) for path, text in _texts(call.arguments, "$.arguments") if _MADE_UP.fullmatch(text)]
    if not given:
        yield Abstain("The arguments hold no id and no address.")
        return
    results = [s.observation.content for s in action.history if s.observation is not None and s.observation.ok]
    seen = [action.task.instruction, *(leaf for leaf in leaves(results) if isinstance(leaf, str))]
    for path, text in given:
        word = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)
        if not any(word.search(other) for other in seen):
            why = f"{text[:80]!r} was neither in the request nor in any result so far; look it up first."
            yield Fail("ungrounded", why, path, "a value that was seen", text[:200])


@action_check("arguments.value", version=2, gate=False)
def arguments_value(action: Action) -> Iterator[Finding]:
    """A call that was refused, or changed what was not asked for, has the values the task calls for."""
    call, seen = action.call, action.observation
    if call is None or call.error is not None or seen is None:
        yield _NO_CALL
        return
    if not (seen.fault == "refused" or (seen.ok and _unwanted(action))):
        yield Abstain("The call was neither refused nor did it change what was not asked for.")
        return
    if call.name not in {reference.name for reference in action.task.gold}:
        yield Abstain("The task calls for no call of this tool.")
        return
    if any(same_call(call, reference, action.task) for reference in action.task.gold):
        return
    for argument, expected, got in nearest(call, matched(action.task, action.history).left, action.task):
        why = f"{argument} should be {_short(expected)} here, not {_short(got)}."
        yield Fail("argument_value", why, f"$.arguments.{argument}", expected, got)


@action_check("ending.premature", version=1, gate=False)
def ending_premature(action: Action) -> Iterator[Finding]:
    """The agent speaks to the user only after everything asked for is done and looked up."""
    task = action.task
    if action.call is not None:
        yield Abstain("The action is a call.")
        return
    if not task.gold:
        yield Abstain("The task needs no call.")
        return
    found = compare_changes(task.goal, net_changes(change for step in action.history for change in step.changes))
    undone = len(found.missing) - len(found.wrong)
    calls = matched(task, action.history)
    left = [call.name for call in calls.left]
    if found.wrong and calls.at_the_end:
        undone += len(found.wrong)  # begun and left off, such as a new event to which nobody was invited yet
    if undone > 0:
        rows = f"{undone} of the changes asked for {'is' if undone == 1 else 'are'} still to be made"
        yield Fail("premature_end", f"The agent closed the attempt though {rows}.", "$", list(left), None)
    elif task.answer is not None and task.answer.kind not in ("decline", "ask"):
        why = why_ungrounded(task.answer, action.history, task.instruction)
        if why:
            yield Fail("premature_end", f"The agent closed the attempt too early. {why}", "$", list(left), None)


def _unwanted(action: Action) -> bool:
    """Whether a row this action changed is now neither as it was nor as the task wants it."""
    mine = {(change.table, change.id) for change in action.changes}
    earlier = (change for step in action.history for change in step.changes)
    found = compare_changes(action.task.goal, net_changes([*earlier, *action.changes]))
    off: list[RowChange] = [*found.collateral, *(made for _, made in found.wrong)]
    return any((change.table, change.id) in mine for change in off)


def _texts(value: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    """The texts of a JSON value with their paths."""
    if isinstance(value, str):
        yield path, value.strip()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(item, f"{path}[{place}]")


def _short(value: JsonValue) -> str:
    return repr(value)[:80]
