"""What every backend promises: given a conversation and the tools offered, stream one reply.

A backend is a model that can speak; it knows nothing of tasks, worlds or verdicts.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from pydantic import JsonValue

from lamsim_core.errors import ModelError
from lamsim_core.records import PolicyInfo, Record, Sampled, Sampling, ToolSchema, Usage


class PromptTooLongError(ModelError):
    """The conversation is longer than the model may read."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"The conversation has {tokens} tokens; this model may read {limit}. Start a shorter one.")
        self.tokens = tokens
        self.limit = limit


class CallMessage(Record):
    """A call inside an assistant message."""

    name: str
    arguments: dict[str, JsonValue]


class Message(Record):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    """For an assistant: what it says beside its calls, or the whole raw reply when ``calls`` is empty."""
    calls: tuple[CallMessage, ...] = ()
    """Calls of an assistant message (used for training rows; at inference the raw reply is kept in ``content``)."""


UNCONSTRAINED = (
    "Calls of {name} cannot be constrained: each of its tokens would have to be chosen in this process, and it runs elsewhere."
    " Turn constrained calls off, or choose a local model or an adapter. A server may have an option of its own for it."
)
"""Why a model that is no local one cannot be held to a grammar, and what to do."""


class Completion(Record):
    """One finished reply."""

    text: str
    """The raw reply, control tokens removed."""
    usage: Usage
    finish: Literal["end", "length", "stopped"]
    """The model ended by itself, met its token limit, or was stopped."""
    sampled: Sampled | None = None
    """Its tokens and their probabilities; None when no model wrote it, or its server does not tell."""


class Backend(Protocol):
    """A model that can speak."""

    @property
    def info(self) -> PolicyInfo:
        """Who this is, by name and by hash; ``sampling`` is left None."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> Iterator[str | Completion]:
        """Yield the reply's text in pieces as it is written, then exactly one ``Completion``.

        Raises:
            PromptTooLongError: the conversation is longer than the model may read.
            ModelError: the model failed.
        """
        ...

    def close(self) -> None:
        """Free the memory the model holds."""
        ...
