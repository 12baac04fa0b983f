"""From a trajectory to a training row, and from a row to token ids with a mask. The same rendering as at inference.

A row keeps the whole attempt. What the agent did wrong stays as context, so that the model sees how it went on, but
carries ``"weight": 0`` and is left out of the loss; so does the closing message of an attempt that did not pass, and
whatever was answered with feedback (which stays in the row, as what the user says). Rows weighed as ``all`` leave out
nothing and say so: ``"unfiltered": true``.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from lamsim_core.canonical import canonical_json, derive_seed
from lamsim_core.curate.messages import heard, in_context, opening_messages, turns, went_wrong
from lamsim_core.errors import ModelError, TrainingError
from lamsim_core.models.backend import CallMessage, Message
from lamsim_core.models.chat import apply_template, check_control_ids, render, template_messages, template_tools
from lamsim_core.models.local import STOP_TOKENS
from lamsim_core.records import Task, ToolSchema, Trajectory, Weigh

IGNORED = -100
"""Label of a token that is not trained on."""

Row = dict[str, Any]
"""A training row: messages, tools, and where it came from."""


class TokenRow(NamedTuple):
    """One row ready for training."""

    input_ids: list[int]
    labels: list[int]
    """The id of each trained token, ``IGNORED`` elsewhere."""

    @property
    def trained(self) -> int:
        """Number of tokens in the loss."""
        return sum(label != IGNORED for label in self.labels)

    @property
    def cost(self) -> int:
        """Number of tokens the model reads."""
        return len(self.input_ids)

    @property
    def longest(self) -> int:
        """Number of tokens of the row."""
        return len(self.input_ids)


class Trainable(Protocol):
    """A row of any kind, ready for training."""

    @property
    def trained(self) -> int:
        """Number of tokens in the loss."""

    @property
    def cost(self) -> int:
        """Number of tokens the model reads."""

    @property
    def longest(self) -> int:
        """Number of tokens of its longest conversation."""


RowT = TypeVar("RowT", bound=Trainable)


class TokenRows(NamedTuple, Generic[RowT]):
    """The rows of a dataset ready for training, and how many could not be used."""

    rows: list[RowT]
    too_long: int
    """Rows of more tokens than allowed: dropped, never cut."""
    untrained: int
    """Rows in which nothing would be trained."""


def to_row(trajectory: Trajectory, weigh: Weigh = "verified", spare_tools: int | None = None) -> Row:
    """The training row of a trajectory.

    Args:
        trajectory: a whole attempt.
        weigh: what of it is trained on.
        spare_tools: how many tools it shows beside the needed ones at most; None shows all that were offered.
    """
    messages: list[Row] = opening_messages(trajectory.task)
    unfiltered = weigh == "all"
    for steps in turns(trajectory.steps):
        verified = not went_wrong(steps) and (steps[0].call is not None or trajectory.passed is True)
        messages += [in_context(steps) | ({} if verified or unfiltered else {"weight": 0}), *heard(steps)]
    return {
        "messages": messages,
        "tools": [tool.openai() for tool in _shown(trajectory.task, messages, spare_tools)],
        "trajectory": trajectory.id,
        "template": trajectory.task.template,
        "category": trajectory.task.category,
        "policy": trajectory.policy.label,
        **({"unfiltered": True} if unfiltered else {}),
    }


def _shown(task: Task, messages: Sequence[Row], spare: int | None) -> list[ToolSchema]:
    """The tools a row shows: those that stand anywhere in it, called or named, and up to ``spare`` more, drawn by the task.

    Where none stands in it (the agent declined, or asked) all are shown: that none of many fits is what such a row teaches.
    """
    said = canonical_json([message for message in messages if message["role"] != "system"])
    needed = {tool.name for tool in task.tools if tool.name in said}
    if spare is None or not needed:
        return list(task.tools)
    rng = random.Random(derive_seed("spare tools", task.template, task.seed))
    others = [tool.name for tool in task.tools if tool.name not in needed]
    kept = needed | set(rng.sample(others, min(len(others), rng.randint(0, spare))))
    return [tool for tool in task.tools if tool.name in kept]


class RowTokenizer:
    """Turns rows into token ids and labels for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        """Find the training form of the tokenizer's chat template.

        Raises:
            TrainingError: the template has none, so assistant turns cannot be told apart.
        """
        from trl.chat_template_utils import get_training_chat_template

        self._tokenizer = tokenizer
        try:
            self._template = get_training_chat_template(tokenizer)
        except ValueError as error:
            raise TrainingError(f"This model's chat template cannot be trained on: {error}") from error
        ask = [Message(role="user", content="x")]
        plain, prompt = (render(tokenizer, ask, (), add_generation_prompt=asked) for asked in (False, True))
        self._prompt_end = prompt[len(plain) :]
        self._stops = stop_ids(tokenizer)

    def __call__(self, row: Row) -> TokenRow:
        """Token ids and labels of one row.

        Raises:
            ModelError: the chat template cannot show the row.
            TrainingError: training and inference would see different tokens.
        """
        tools = tools_of(row)
        messages = [to_message(message, tools) for message in row["messages"]]
        shaped, offered = template_messages(self._tokenizer, messages), template_tools(self._tokenizer, tools)
        rendered = apply_template(
            self._tokenizer, shaped, offered, chat_template=self._template, return_assistant_tokens_mask=True
        )
        ids: list[int] = list(rendered["input_ids"])
        check_control_ids(self._tokenizer, ids, shaped, offered)
        if ids != render(self._tokenizer, messages, tools, add_generation_prompt=False):
            raise TrainingError(
                "This model's training template renders a row otherwise than its own chat template does."
            )
        weights = [message.get("weight", 1) for message in row["messages"] if message["role"] == "assistant"]
        turns = list(_runs(rendered["assistant_masks"]))
        if len(turns) != len(weights):
            raise TrainingError(
                f"This model's training template marks {len(turns)} assistant turns in a row that has {len(weights)}."
            )
        labels = [IGNORED] * len(ids)
        for (start, end), weight in zip(turns, weights, strict=True):
            if weight:
                start, end = self._generated(ids, start, end)
                labels[start:end] = ids[start:end]
        return TokenRow(ids, labels)

    def _generated(self, ids: list[int], start: int, end: int) -> tuple[int, int]:
        """The part of a marked turn that the model itself writes: after the prompt's end, up to its first stop."""
        for length in range(min(len(self._prompt_end), end - start), 0, -1):
            if ids[start : start + length] == self._prompt_end[-length:]:
                start += length
                break
        stop = next((place for place in range(start, end) if ids[place] in self._stops), end - 1)
        return start, stop + 1


def stop_ids(tokenizer: Any) -> set[int]:
    """The tokens that end what a model writes."""
    added = tokenizer.get_added_vocab()
    return {tokenizer.eos_token_id, *(added[token] for token in STOP_TOKENS if token in added)}


def tokenize_row(tokenizer: Any, row: Row) -> TokenRow:
    """Token ids and labels of one row; for many rows make one ``RowTokenizer``."""
    return RowTokenizer(tokenizer)(row)


def tokenize_rows(tokenizer: Any, rows: Iterable[Row], max_length: int) -> TokenRows[TokenRow]:
    """Tokenize a dataset, leaving out and counting rows that are too long or would train nothing.

    Raises:
        TrainingError: the tokenizer's template cannot be trained on, or a row cannot be shown; names the trajectory.
    """
    make = RowTokenizer(tokenizer)
    kept: list[TokenRow] = []
    too_long = untrained = 0
    for row in rows:
        try:
            tokens = make(row)
        except ModelError as error:
            raise TrainingError(f"The row of trajectory {row.get('trajectory')} cannot be used. {error}") from error
        if len(tokens.input_ids) > max_length:
            too_long += 1
        elif not tokens.trained:
            untrained += 1
        else:
            kept.append(tokens)
    return TokenRows(kept, too_long, untrained)


def tools_of(row: Row) -> list[ToolSchema]:
    """The tools a row offers."""
    return [ToolSchema.model_validate(tool["function"]) for tool in row["tools"]]


def to_message(message: Row, tools: Sequence[ToolSchema]) -> Message:
    """A message of a row as backends take it, arguments of calls in the order of the tools offered.

    A row is stored with sorted keys, so an order of its own would be lost.
    """
    offered = {tool.name: tool for tool in tools}

    def made(name: str, arguments: dict[str, Any]) -> CallMessage:
        return CallMessage(name=name, arguments=offered[name].in_order(arguments) if name in offered else arguments)

    calls = tuple(
        made(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()
    )
    return Message(role=message["role"], content=message["content"] or "", calls=calls)


def _runs(mask: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last place (exclusive) of each run of ones."""
    place = 0
    for value, group in groupby(mask):
        length = len(list(group))
        if value:
            yield place, place + length
        place += length
