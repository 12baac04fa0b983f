"""How a task is put to an agent, and how what happened is told to it. The one place where prompts are written."""

import json
from collections.abc import Sequence
from datetime import datetime

from lamsim_core.models.backend import CallMessage, Message
from lamsim_core.records import GoldCall, Observation, Step, Task, ToolCall

SYSTEM = (
    "You act for the user by calling tools. Use only values from the request or from results. "
    "Calls that do not need each other's results may be made together. "
    "When the task is done, reply with one short sentence that states only the answer. "
    "If none of the tools can do it, say that you cannot do it. "
    "If a value is missing that you cannot look up, ask the user for it."
)


def opening(task: Task) -> list[Message]:
    """The messages an attempt starts with: how to work, what time it is, and the request."""
    clock = f" It is {datetime.fromisoformat(task.now):%A, %Y-%m-%d %H:%M}." if task.now else ""
    return [Message(role="system", content=SYSTEM + clock), Message(role="user", content=task.instruction)]


def observation_text(observation: Observation) -> str:
    """A tool's result as the agent reads it: keys sorted, so that it reads the same before and after it was stored."""
    return json.dumps(observation.content, ensure_ascii=False, sort_keys=True)


def call_text(call: GoldCall | ToolCall) -> str:
    """A call in the form the agent writes it."""
    body = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>"


def conversation(task: Task, steps: Sequence[Step]) -> list[Message]:
    """The whole conversation after ``steps``, replies as they were written."""
    messages = opening(task)
    for step in steps:
        if step.reply is not None:
            messages.append(Message(role="assistant", content=step.reply))
        if step.told is not None:
            messages.append(Message(role="tool", content=observation_text(step.told)))
        if step.feedback is not None:
            messages.append(Message(role="user", content=step.feedback))
    return messages


def call_message(call: ToolCall) -> CallMessage:
    """A call in the structured form training rows use."""
    return CallMessage(name=call.name, arguments=call.arguments)
