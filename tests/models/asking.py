"""How tests of local backends speak to them."""

from collections.abc import Sequence
from typing import Any

from lamsim_core.models.backend import Backend, Completion, Message
from lamsim_core.records import Sampling, ToolSchema


def ask(text: str) -> list[Message]:
    return [Message(role="system", content="Be brief."), Message(role="user", content=text)]


def reply(
    backend: Backend, messages: Sequence[Message], tools: Sequence[ToolSchema] = (), seed: int = 0, **how: Any
) -> Completion:
    *pieces, last = backend.stream(messages, tools, Sampling(**{"max_new_tokens": 40, **how}), seed, lambda: False)
    assert isinstance(last, Completion)
    assert "".join(str(piece) for piece in pieces) == last.text
    return last
