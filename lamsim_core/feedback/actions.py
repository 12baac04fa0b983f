"""Checks of single actions by themselves: structure, tool name, arguments against the schema, execution, repetition."""

import re
from collections.abc import Iterator, Sequence

from lamsim_core.environment.arguments import FaultName, did_you_mean
from lamsim_core.feedback.reference import same_call
from lamsim_core.feedback.registry import Abstain, Action, Fail, Finding, action_check
from lamsim_core.records import Blame, ErrorClass

_MARKS_OF_CALLS = re.compile(
    r"</?tool_call>|<function[=\s>]|\[TOOL_CALLS\]|<\|python_tag\|>|[\"']arguments[\"']\s*:|"
    r"[\"'](?:name|function|tool)[\"']\s*:\s*[\"'][\w.-]+[\"']\s*,\s*[\"'](?:parameters|args|input)[\"']\s*:"
)
"""What only a call holds, in this form or in one of those that other models write."""
_UNREAD = Abstain("The call could not be read.")
_MESSAGE = Abstain("The action is a message to the user.")
_NOT_OFFERED = Abstain("The tool is not one of those offered.")
_CLASSES: dict[FaultName, ErrorClass] = {
    "missing": "argument_missing",
    "unknown": "argument_unknown",
    "type": "argument_type",
    "enum": "argument_enum",
    "format": "argument_format",
}


@action_check("structure", version=2, gate=True)
def structure(action: Action) -> Iterator[Finding]:
    """The reply is a well-formed call, or a message that is not a broken call."""
    if action.call is None:
        if _looks_like_a_call(action.text, [tool.name for tool in action.task.tools]):
            yield Fail(
                "structure",
                "The reply looks like a tool call, but is not written as one.",
                path="$",
                expected='<tool_call>{"name": ..., "arguments": {...}}</tool_call>',
                got=action.text[:300],
            )
    elif action.call.error is not None:
        yield Fail("structure", action.call.error, path="$", expected="a JSON object", got=action.call.raw[:300])


@action_check("tool_name", version=1, gate=True)
def tool_name(action: Action) -> Iterator[Finding]:
    """The called tool is one of those offered."""
    skipped = _no_call(action)
    if skipped:
        yield skipped
    elif action.call is not None and not action.offered:
        offered = [tool.name for tool in action.task.tools]
        yield Fail(
            "tool_name",
            f"No tool named {action.call.name[:80]!r} is offered.{did_you_mean(action.call.name, offered)}",
            path="$.name",
            expected=list(offered),
            got=action.call.name[:200],
        )


def _arguments(action: Action, kind: FaultName) -> Iterator[Finding]:
    skipped = _no_call(action) or (None if action.offered else _NOT_OFFERED)
    if skipped:
        yield skipped
        return
    for fault in action.argument_faults:
        if fault.name == kind:
            yield Fail(
                _CLASSES[kind],
                fault.message,
                fault.path,
                fault.expected,
                fault.got,
                evidence={"schema": fault.rule},
            )


@action_check("arguments.missing", version=2, gate=True)
def arguments_missing(action: Action) -> Iterator[Finding]:
    """Every required argument is given."""
    return _arguments(action, "missing")


@action_check("arguments.unknown", version=2, gate=True)
def arguments_unknown(action: Action) -> Iterator[Finding]:
    """No argument is given that the tool does not have."""
    return _arguments(action, "unknown")


@action_check("arguments.type", version=2, gate=True)
def arguments_type(action: Action) -> Iterator[Finding]:
    """Every argument has the JSON type the schema asks for."""
    return _arguments(action, "type")


@action_check("arguments.enum", version=2, gate=True)
def arguments_enum(action: Action) -> Iterator[Finding]:
    """Arguments with a closed set of values hold one of them."""
    return _arguments(action, "enum")


@action_check("arguments.format", version=2, gate=True)
def arguments_format(action: Action) -> Iterator[Finding]:
    """Arguments keep the format and the limits of the schema."""
    return _arguments(action, "format")


@action_check("execution", version=2, gate=True)
def execution(action: Action) -> Iterator[Finding]:
    """A valid call ran to its end."""
    seen = action.observation
    if action.call is None:
        yield _MESSAGE
    elif seen is None:
        yield Abstain("The call was not run.")
    elif seen.fault == "refused":
        call = action.call
        content = seen.content
        message = str(content.get("error", "")) if isinstance(content, dict) else ""
        intended = any(gold.fails and same_call(call, gold, action.task) for gold in action.task.gold)
        note = " Finding that out is part of the task." if intended else ""
        blame: Blame = "task" if intended else "agent"
        yield Fail("execution", f"The tool refused: {message}{note}", "$", None, content, blame)
    elif seen.fault == "tool_bug":
        yield Fail("execution", "The tool itself broke down.", "$", None, seen.content, "tool")
    elif not seen.ok:
        yield Abstain("The call did not reach the tool.")


@action_check("repetition", version=2, gate=False)
def repetition(action: Action) -> Iterator[Finding]:
    """The same call is not made again while nothing has changed since."""
    if action.call is None:
        yield _MESSAGE
        return
    asked = (action.call.name, action.call.arguments, action.call.error)
    for step in reversed(action.history):
        if step.changes or action.call.error is not None:
            return
        if step.call is not None and (step.call.name, step.call.arguments, step.call.error) == asked:
            why = f"The same call was made in step {step.index + 1} and nothing has changed since."
            yield Fail("repetition", why, "$", evidence={"first_made": step.index})
            return


def _looks_like_a_call(text: str, offered: Sequence[str]) -> bool:
    """Whether a message holds the marks of a call, names an offered tool as one, or is a call in the style of Python."""
    if _MARKS_OF_CALLS.search(text):
        return True
    names = "|".join(map(re.escape, offered))
    named = rf"[\"'](?:name|function|tool)[\"']\s*:\s*[\"'](?:{names})[\"']"
    if re.search(named, text) is not None:
        return True
    bare = text.strip(" \n\r\t[]`;")
    return bare.endswith(")") and re.match(rf"(?:\w{{1,20}}\n)?(?:{names}) ?\(", bare) is not None


def _no_call(action: Action) -> Abstain | None:
    if action.call is None:
        return _MESSAGE
    return _UNREAD if action.call.error is not None else None
