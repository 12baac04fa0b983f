"""From messages and tools to token ids, so that no untrusted text can become a control token or forge a turn.

Untrusted is everything but the chat template and the assistant's own replies: what users say, what tools answer, how
tools are described and named, and the arguments in training rows. In such text every special token of the tokenizer and
every marker the templates use is broken by a space after its first character. In an assistant's raw reply the markers
stay (they are how it calls tools) and only control tokens are broken.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from pydantic import JsonValue

from lamsim_core.errors import ModelError
from lamsim_core.models.backend import CallMessage, Message
from lamsim_core.records import ToolSchema

MARKERS = (
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "</tools>",
    "<think>",
    "</think>",
    "[INST]",
    "[/INST]",
)
"""Text that chat templates give a meaning to although it need not be a special token."""


def control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Every added token of the tokenizer that no reply may contain, longest first."""
    added = {token.content for token in tokenizer.added_tokens_decoder.values()} | set(tokenizer.all_special_tokens)
    return _longest_first(added.difference(MARKERS))


def untrusted_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Every string that must not survive in untrusted text: the control tokens and the markers, longest first."""
    return _longest_first({*control_tokens(tokenizer), *MARKERS})


def _longest_first(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({token for token in tokens if token.strip()}, key=lambda token: (-len(token), token)))


@lru_cache(maxsize=16)
def _pattern(tokens: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(token) for token in tokens))


def neutralise(text: str, tokens: tuple[str, ...]) -> str:
    """Break every token of ``tokens`` in ``text`` by a space after its first character.

    A token of a single character cannot be broken and is replaced by a space. Breaking one token may bare another that
    overlapped it, so this repeats until none is left.
    """
    pattern = _pattern(tokens)
    while pattern.search(text):
        text = pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}" if len(found[0]) > 1 else " ", text)
    return text


def neutralise_json(value: JsonValue, tokens: tuple[str, ...]) -> JsonValue:
    """Neutralise every string of a JSON value, keys included."""
    if isinstance(value, str):
        return neutralise(value, tokens)
    if isinstance(value, list):
        return [neutralise_json(item, tokens) for item in value]
    if isinstance(value, dict):
        return {neutralise(key, tokens): neutralise_json(item, tokens) for key, item in value.items()}
    return value


def reply_text(content: str, calls: Sequence[CallMessage]) -> str:
    """Write a reply as the chat templates write it: what it says, then its calls."""
    blocks = [content] if content else []
    for call in calls:
        body = f'{{"name": "{call.name}", "arguments": {json.dumps(call.arguments, ensure_ascii=False)}}}'
        blocks.append(f"<tool_call>\n{body}\n</tool_call>")
    return "\n".join(blocks)


def template_messages(tokenizer: Any, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages in the shape chat templates take, untrusted text neutralised."""
    control, untrusted = control_tokens(tokenizer), untrusted_tokens(tokenizer)
    shaped: list[dict[str, Any]] = []
    for message in messages:
        own = message.role in ("assistant", "system")
        item: dict[str, Any] = {
            "role": message.role,
            "content": neutralise(message.content, control if own else untrusted),
        }
        if message.calls:
            item["tool_calls"] = [
                {
                    "type": "function",
                    "function": {
                        "name": neutralise(call.name, untrusted),
                        "arguments": neutralise_json(dict(call.arguments), untrusted),
                    },
                }
                for call in message.calls
            ]
        shaped.append(item)
    return shaped


def template_tools(tokenizer: Any, tools: Sequence[ToolSchema]) -> list[dict[str, Any]] | None:
    """Tools in OpenAI shape, untrusted text neutralised; None when there are none.

    Keys come in one fixed order, so that a schema read back from a sorted file is rendered as it was at first.
    """
    untrusted = untrusted_tokens(tokenizer)
    shaped: list[dict[str, Any]] = [
        {
            "type": "function",
            "function": {
                "name": neutralise(tool.name, untrusted),
                "description": neutralise(tool.description, untrusted),
                "parameters": _sorted(neutralise_json(dict(tool.parameters), untrusted)),
            },
        }
        for tool in tools
    ]
    return shaped or None


def _sorted(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def render(
    tokenizer: Any, messages: Sequence[Message], tools: Sequence[ToolSchema], add_generation_prompt: bool
) -> list[int]:
    """Token ids of a conversation, through the tokenizer's chat template.

    Raises:
        ModelError: the template cannot show these messages, or text in them would have become a control token.
    """
    shaped, offered = template_messages(tokenizer, messages), template_tools(tokenizer, tools)
    ids = apply_template(tokenizer, shaped, offered, add_generation_prompt=add_generation_prompt)["input_ids"]
    check_control_ids(tokenizer, ids, shaped, offered, add_generation_prompt=add_generation_prompt)
    return list(ids)


def apply_template(
    tokenizer: Any, shaped: list[dict[str, Any]], offered: list[dict[str, Any]] | None, **how: Any
) -> Any:
    """Render and encode messages that were already neutralised.

    Raises:
        ModelError: the template cannot show them.
    """
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(shaped, tools=offered, tokenize=True, return_dict=True, **how)
    except (TemplateError, TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"The model's chat template cannot show this conversation: {error}.") from error


def check_control_ids(
    tokenizer: Any,
    ids: Sequence[int],
    shaped: list[dict[str, Any]],
    offered: list[dict[str, Any]] | None,
    **how: Any,
) -> None:
    """Check that ``ids`` holds exactly the control tokens that the template alone writes.

    Raises:
        ModelError: it holds more or fewer, so text was taken for control.
    """
    bare_messages = [
        {
            "role": item["role"],
            "content": "x" if item["content"] else "",
            **({"tool_calls": [_bare_call()] * len(item["tool_calls"])} if "tool_calls" in item else {}),
        }
        for item in shaped
    ]
    bare_tools = [_bare_tool()] * len(offered) if offered else None
    alone = apply_template(tokenizer, bare_messages, bare_tools, **how)["input_ids"]
    control = frozenset(tokenizer.convert_tokens_to_ids(list(control_tokens(tokenizer))))
    found, expected = (sum(token in control for token in given) for given in (ids, alone))
    if found != expected:
        raise ModelError(
            f"A text in the conversation would have been read as a control token ({found} where the chat template"
            f" writes {expected}). The conversation was not shown to the model."
        )


def _bare_call() -> dict[str, Any]:
    return {"type": "function", "function": {"name": "x", "arguments": {}}}


def _bare_tool() -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}, "required": []}
    return {"type": "function", "function": {"name": "x", "description": "x", "parameters": parameters}}


def template_hash(tokenizer: Any) -> str:
    """Short hash of the tokenizer's chat template, recorded with every reply it shaped.

    Raises:
        ModelError: the tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        raise ModelError("The model's tokenizer has no chat template, so it cannot be given a conversation.")
    return hashlib.sha256(str(tokenizer.chat_template).encode()).hexdigest()[:16]
