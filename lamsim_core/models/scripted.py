"""A backend without a model: replies come from a list or a function. Part of the product, so that tests need no model."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from lamsim_core.errors import ModelError
from lamsim_core.models.backend import Completion, Message
from lamsim_core.records import PolicyInfo, Sampling, ToolSchema, Usage

POLITE_REPLY = "I am sorry, I can only say this one sentence."
"""What the registry's ``scripted`` model always answers."""

_PIECE = 5


class ScriptedBackend:
    """Answers with the given replies, one after the other, or with what a function makes of the messages.

    A list that is used up raises ModelError: a test that asks for more than it planned should fail.
    """

    def __init__(
        self, replies: Sequence[str] | Callable[[Sequence[Message]], str] | None = None, *, name: str = "scripted"
    ) -> None:
        self._replies = (lambda _: POLITE_REPLY) if replies is None else replies
        self._name = name
        self._next = 0
        self._lock = Lock()

    @property
    def info(self) -> PolicyInfo:
        """Who this is: scripted, by name."""
        return PolicyInfo(kind="scripted", name=self._name)

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> Iterator[str | Completion]:
        """Yield the next reply a few characters at a time, then its ``Completion``. A character counts as a token.

        Raises:
            ModelError: the list of replies is used up.
        """
        text = self._reply(messages)
        said = ""
        for start in range(0, min(len(text), sampling.max_new_tokens), _PIECE):
            if should_stop():
                break
            piece = text[start : min(start + _PIECE, sampling.max_new_tokens)]
            said += piece
            yield piece
        usage = Usage(
            prompt_tokens=sum(len(message.content) for message in messages),
            cached_tokens=0,
            completion_tokens=len(said),
            prefill_seconds=0.0,
            decode_seconds=0.0,
        )
        cut = "length" if len(said) == sampling.max_new_tokens else "stopped"
        yield Completion(text=said, usage=usage, finish="end" if said == text else cut)

    def _reply(self, messages: Sequence[Message]) -> str:
        if callable(self._replies):
            return self._replies(messages)
        with self._lock:
            if self._next >= len(self._replies):
                raise ModelError(
                    f"The scripted model has only {len(self._replies)} replies and was asked for one more."
                )
            self._next += 1
            return self._replies[self._next - 1]

    def close(self) -> None:
        """Nothing to free."""
