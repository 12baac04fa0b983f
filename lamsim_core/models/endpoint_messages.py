"""From the product's conversation to what an OpenAI-compatible server takes.

The product keeps an assistant's replies raw, calls and all. A server with tool calling of its own wants them apart, each
result tied to its call; one without wants everything as text, the tools described in the system message.

Untrusted text (what users and tools say, how tools are described) is neutralised as for local models. Which tokens steer
a model behind an address is not known here, so the forms common models use are broken, all of them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import JsonValue

from lamsim_core.models.backend import Message
from lamsim_core.models.chat import MARKERS
from lamsim_core.records import ToolSchema

OPEN, CLOSE = "<tool_call>", "</tool_call>"

_CONTROL = (
    r"<[|｜][^<>|｜\s]{1,40}[|｜]>|</?s>|</?(?:bos|eos|pad|unk)>|<(?:start|end)_of_(?:turn|image|text)>"
    r"|<\|?(?:im_start|im_end|endoftext)\|?>|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
)
_OWN = re.compile(_CONTROL)
_UNTRUSTED = re.compile("|".join([_CONTROL, *map(re.escape, MARKERS)]))

PREAMBLE = (
    "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function"
    " signatures within <tools></tools> XML tags:\n<tools>\n{tools}\n</tools>\n\nFor each function call, return a json object"
    " with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{{"name": <function-name>, "arguments": <args-json-object>}}\n</tool_call>'
)
"""How tools are described where a server has no tool calling: the words of data/templates/inst.jinja."""


def native_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages for a server with tool calling of its own.

    Calls in replies become ``tool_calls``; results are tied to them in order. A call that is no JSON object with a name and
    arguments stays in the text, since servers refuse a whole conversation over it, and its result is told by the user.
    """
    shaped: list[dict[str, Any]] = []
    place = 0
    while place < len(messages):
        message = messages[place]
        place += 1
        if message.role != "assistant":
            shaped.append(_plain(message))
            continue
        results: list[Message] = []
        while place < len(messages) and messages[place].role == "tool":
            results.append(messages[place])
            place += 1
        shaped += _turn(message.content, results, len(shaped))
    return shaped


def text_messages(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> list[dict[str, Any]]:
    """Messages for a server without tool calling: tools in the system message, results as what the user says."""
    shaped: list[dict[str, Any]] = []
    after_result = False
    for message in messages:
        item = _plain(message)
        if message.role == "tool":
            item = {"role": "user", "content": f"<tool_response>\n{item['content']}\n</tool_response>"}
        if after_result and item["role"] == "user":
            shaped[-1]["content"] += f"\n{item['content']}"  # many templates refuse two users in a row
            continue
        after_result = message.role == "tool"
        shaped.append(item)
    if tools:
        described = PREAMBLE.format(tools="\n".join(json.dumps(t, ensure_ascii=False) for t in native_tools(tools)))
        if not shaped or shaped[0]["role"] != "system":
            shaped.insert(0, {"role": "system", "content": ""})
        shaped[0]["content"] = (shaped[0]["content"] + described).strip()
    return shaped


def native_tools(tools: Sequence[ToolSchema]) -> list[dict[str, Any]]:
    """Tools in OpenAI shape, untrusted text neutralised."""
    return [
        {
            "type": "function",
            "function": {
                "name": _broken(tool.name, _UNTRUSTED),
                "description": _broken(tool.description, _UNTRUSTED),
                "parameters": _broken_json(dict(tool.parameters)),
            },
        }
        for tool in tools
    ]


def _plain(message: Message) -> dict[str, Any]:
    own = message.role in ("assistant", "system")
    return {"role": message.role, "content": _broken(message.content, _OWN if own else _UNTRUSTED)}


def _turn(reply: str, results: Sequence[Message], number: int) -> Iterator[dict[str, Any]]:
    """A reply and its results. Call ids come from the place in the conversation, so they are the same every time."""
    said, *regions = reply.split(OPEN)
    surplus = len(regions) > len(results)
    if surplus:
        # Beyond so many calls all that follows is one call, that could not be read; without results it is only text.
        kept = max(0, len(results) - 1)
        regions[kept:] = [OPEN.join(regions[kept:])]
    calls: list[dict[str, Any]] = []
    tied: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    for place, region in enumerate(regions):
        body, closed, rest = region.partition(CLOSE)
        readable = place < len(results) and not (surplus and place == len(regions) - 1)
        function = _function(body) if readable else None
        if function is None:
            said += f"{OPEN}{region}"
            if place < len(results):
                told.append({**_plain(results[place]), "role": "user"})
            continue
        call_id = f"call_{number}_{place}"
        calls.append({"id": call_id, "type": "function", "function": function})
        tied.append({**_plain(results[place]), "tool_call_id": call_id})
        said += rest if closed else ""
    answer: dict[str, Any] = {"role": "assistant", "content": _broken(said, _OWN).strip()}
    if calls:
        answer["tool_calls"] = calls
    yield answer
    yield from tied
    yield from told
    yield from ({**_plain(result), "role": "user"} for result in results[len(regions) :])


def _function(body: str) -> dict[str, Any] | None:
    """Name and arguments of a call, or None when it is not one."""
    try:
        value = json.loads(body)
        name, arguments = value["name"], value.get("arguments", {})
        if not isinstance(name, str) or not name or not isinstance(arguments, dict):
            return None
        return {"name": _broken(name, _OWN), "arguments": json.dumps(arguments, ensure_ascii=False, allow_nan=False)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _broken(text: str, pattern: re.Pattern[str]) -> str:
    """Break every match by a space after its first character, until none is left."""
    while pattern.search(text):
        text = pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    return text


def _broken_json(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _broken(value, _UNTRUSTED)
    if isinstance(value, list):
        return [_broken_json(item) for item in value]
    if isinstance(value, dict):
        return {_broken(key, _UNTRUSTED): _broken_json(item) for key, item in value.items()}
    return value
