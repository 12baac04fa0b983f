"""What an attempt looks like as messages of a row: every kind of row says the same thing the same way.

A turn in which something went wrong stands in what comes before others as it was written, word for word; a turn that went
well stands with its calls taken apart. As a side of a pair, or a message with a label, a reply is taken apart whenever it can be
read, so that two sides differ in what they do and not in how their text is laid out.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from lamsim_core.agent.parse import parse_reply
from lamsim_core.agent.prompt import call_message, call_text, observation_text, opening
from lamsim_core.records import Step, Task, ToolCall

Message = dict[str, Any]
"""One message in the form TRL reads."""


def turns(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """The steps of each turn."""
    return [tuple(group) for _, group in groupby(steps, key=lambda step: step.turn)]


def went_wrong(steps: Sequence[Step]) -> bool:
    """Whether something of a turn failed, could not be read, or was answered with feedback."""
    return any(
        step.failed or step.feedback is not None or (step.call is not None and step.call.error) for step in steps
    )


def opening_messages(task: Task) -> list[Message]:
    """What an attempt begins with."""
    return [{"role": m.role, "content": m.content} for m in opening(task)]


def in_context(steps: Sequence[Step]) -> Message:
    """The assistant message of a turn, as it stands before others."""
    return _as_written(steps) if went_wrong(steps) else as_side(steps)


def as_side(steps: Sequence[Step]) -> Message:
    """The assistant message of a turn, taken apart whenever every call of it can be read."""
    calls = [step.call for step in steps if step.call is not None]
    if not calls or any(call.error for call in calls):
        return _as_written(steps)
    shaped = [call_message(call) for call in calls]
    return {
        "role": "assistant",
        "content": parse_reply(steps[0].reply or "").content,
        "tool_calls": [
            {"type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in shaped
        ],
    }


def heard(steps: Sequence[Step]) -> list[Message]:
    """What the agent read after a turn: the results, then feedback."""
    results = [{"role": "tool", "content": observation_text(step.told)} for step in steps if step.told is not None]
    return [*results, *({"role": "user", "content": step.feedback} for step in steps if step.feedback is not None)]


def prompt_of(task: Task, steps: Sequence[Step]) -> list[Message]:
    """Everything said before the next reply, after ``steps``."""
    messages = opening_messages(task)
    for turn in turns(steps):
        messages += [in_context(turn), *heard(turn)]
    return messages


def reply_of(message: Message) -> str:
    """The reply that a message of a row is, as an agent writes it."""
    calls = [
        ToolCall(id="", name=call["function"]["name"], arguments=call["function"]["arguments"], raw="")
        for call in message.get("tool_calls") or ()
    ]
    said = message["content"] or ""
    return "\n".join([*([said] if said or not calls else []), *map(call_text, calls)])


def _as_written(steps: Sequence[Step]) -> Message:
    return {"role": "assistant", "content": steps[0].reply or ""}
