"""Datasets in the formats other training programs read. Nothing an agent said or called is lost on the way.

trl: one JSON object per line with ``messages`` and ``tools``; arguments are objects. Read by TRL and Hugging Face.
openai: the same with arguments as JSON strings and call ids, as OpenAI's fine-tuning and chat endpoints want it.
sharegpt: LLaMA-Factory's format. Human and observation stand at odd places, gpt and function_call at even ones.

Turns that are not to be trained on carry ``"weight": 0`` in the first two; the third has no word for that.

Preference pairs and labels come in the forms these programs have for them: TRL's prompt, chosen, rejected (or completion, label);
OpenAI's input, preferred_output, non_preferred_output; LLaMA-Factory's chosen and rejected beside the conversation, or
``kto_tag``. OpenAI has none for labels.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from lamsim_core.curate.folder import load_rows
from lamsim_core.errors import InvalidInputError
from lamsim_core.files import write_atomic
from lamsim_core.settings import Settings

Form = Literal["trl", "openai", "sharegpt"]
FORMS: tuple[Form, ...] = get_args(Form)

THOUGHT = "<think>\n", "\n</think>\n\n"
"""LLaMA-Factory reads a function_call as JSON and refuses text beside it, unless the text stands between these."""
NEXT_RESULT = "\n</tool_response>\n<tool_response>\n"
"""Between the results of calls made at once, as LLaMA-Factory itself joins them."""
_THOUGHT_MARKS = re.compile(r"</?think>")

Row = Mapping[str, Any]


def export(settings: Settings, dataset_id: str, target: Path, form: Form) -> Path:
    """Write a dataset to a file in another format; an existing file is replaced, whole or not at all.

    Raises:
        NotFoundError: there is no such dataset.
        InvalidInputError: the dataset is damaged, the form is unknown, or the file cannot be written.
    """
    lines = list(export_lines(load_rows(settings, dataset_id), form))
    try:
        write_atomic(target, "".join(f"{line}\n" for line in lines), mode=0o644)
    except OSError as error:
        raise InvalidInputError(
            f"{target} cannot be written: {error.strerror or error}. Choose another file."
        ) from error
    return target


def export_lines(rows: Sequence[Row], form: Form) -> Iterator[str]:
    """The lines of the export, without newlines.

    Raises:
        InvalidInputError: the form is unknown, or (while the lines are read) a row does not fit into it.
    """
    makers = {"trl": _trl, "openai": _openai, "sharegpt": _sharegpt}
    if form not in makers:
        raise InvalidInputError(f"A dataset can be exported as {', '.join(FORMS)}, not as {str(form)[:40]!r}.")
    return (json.dumps(makers[form](row), ensure_ascii=False, allow_nan=False) for row in rows)


TRL = ("messages", "prompt", "chosen", "rejected", "completion", "label", "tools")
"""What of a row TRL reads, whatever kind the row is of."""


def _trl(row: Row) -> dict[str, Any]:
    return {key: row[key] for key in TRL if key in row}


def _openai(row: Row) -> dict[str, Any]:
    if "label" in row:
        raise InvalidInputError("Labels have no form at OpenAI. Export them as trl or sharegpt.")
    if "chosen" not in row:
        return {"messages": _openai_messages(row["messages"]), "tools": row["tools"]}
    before = _openai_messages(row["prompt"])
    sides = [_openai_messages([*row["prompt"], *row[side]])[len(before) :] for side in ("chosen", "rejected")]
    asked = {"messages": before, "tools": row["tools"]}
    return {"input": asked, "preferred_output": sides[0], "non_preferred_output": sides[1]}


def _openai_messages(said: Sequence[Row]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    waiting: list[str] = []
    """Ids of calls whose results have not come yet."""
    made = 0
    for message in said:
        if message["role"] == "tool":
            messages.append(_openai_result(message["content"], waiting))
            continue
        plain = {key: message[key] for key in ("role", "content", "weight") if key in message}
        calls = _calls(message)
        if calls:
            waiting = [f"call_{made + number}" for number in range(len(calls))]
            made += len(calls)
            plain["tool_calls"] = [
                {
                    "id": call_id,
                    "type": "function",
                    "function": {
                        "name": call["name"],
                        "arguments": json.dumps(call["arguments"], ensure_ascii=False, allow_nan=False),
                    },
                }
                for call_id, call in zip(waiting, calls, strict=True)
            ]
        messages.append(plain)
    return messages


def _openai_result(content: str, waiting: list[str]) -> dict[str, Any]:
    """A result, tied to the call it belongs to. That of a call nobody could read has none, and is told by the user."""
    if waiting:
        return {"role": "tool", "tool_call_id": waiting.pop(0), "content": content}
    return {"role": "user", "content": content}


def _sharegpt(row: Row) -> dict[str, Any]:
    said = row["messages"] if "messages" in row else [*row["prompt"], *row.get("completion", ())]
    system = ""
    turns: list[dict[str, str]] = []
    for message in said:
        role, content = message["role"], message["content"] or ""
        if role == "system":
            system = content
        elif role != "assistant" and turns and turns[-1]["from"] == "observation":
            turns[-1]["value"] += NEXT_RESULT + content  # another result, or feedback: two in a row are refused
        elif role == "assistant":
            turns.append(_spoken(content, _calls(message)))
        else:
            turns.append({"from": "observation" if role == "tool" else "human", "value": content})
    if "chosen" not in row and turns and turns[-1]["from"] in ("human", "observation"):
        # The format is pairs: a result after which the agent said nothing more has no partner and teaches nothing.
        turns.pop()
    _require_pairs(turns)
    tools = [tool["function"] for tool in row["tools"]]
    sides = {
        side: _spoken(row[side][0]["content"], _calls(row[side][0])) for side in ("chosen", "rejected") if side in row
    }
    tag = {"kto_tag": row["label"]} if "label" in row else {}
    return {
        **sides,
        **tag,
        "conversations": turns,
        "system": system,
        "tools": json.dumps(tools, ensure_ascii=False, allow_nan=False) if tools else "",
    }


def _require_pairs(turns: Sequence[Mapping[str, str]]) -> None:
    for place, turn in enumerate(turns):
        allowed = ("gpt", "function_call") if place % 2 else ("human", "observation")
        if turn["from"] not in allowed:
            raise InvalidInputError(
                f"A row cannot be exported as sharegpt: its message {place + 1} is {turn['from']!r} where {' or '.join(allowed)} "
                "must stand. Export the dataset as trl or openai instead."
            )


def _spoken(content: str, calls: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    if not calls:
        return {"from": "gpt", "value": content}
    plain = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
    value = json.dumps(plain[0] if len(plain) == 1 else plain, ensure_ascii=False, allow_nan=False)
    thought = _THOUGHT_MARKS.sub("", content).strip()
    return {"from": "function_call", "value": f"{THOUGHT[0]}{thought}{THOUGHT[1]}{value}" if thought else value}


def _calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [call["function"] for call in message.get("tool_calls") or ()]
