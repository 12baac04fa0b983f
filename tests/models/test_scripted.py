"""The scripted backend: deterministic, in pieces, stoppable."""

import pytest

from lamsim_core.errors import ModelError
from lamsim_core.models.backend import Backend, Completion, Message
from lamsim_core.models.registry import open_backend
from lamsim_core.models.scripted import POLITE_REPLY, ScriptedBackend
from lamsim_core.records import Sampling
from lamsim_core.settings import Settings

ASK = [Message(role="user", content="hello")]


def reply(backend: Backend, tokens: int = 1000) -> tuple[list[str], Completion]:
    *pieces, last = backend.stream(ASK, (), Sampling(max_new_tokens=tokens), 0, lambda: False)
    assert isinstance(last, Completion)
    return [str(piece) for piece in pieces], last


def test_replies_come_in_order_and_in_pieces() -> None:
    backend = ScriptedBackend(["first reply", "second"])
    pieces, last = reply(backend)
    assert len(pieces) > 1 and "".join(pieces) == last.text == "first reply"
    assert (last.finish, last.usage.prompt_tokens, last.usage.completion_tokens) == ("end", 5, 11)
    assert reply(backend)[1].text == "second"
    with pytest.raises(ModelError, match="only 2 replies"):
        reply(backend)


def test_a_function_sees_the_messages() -> None:
    assert reply(ScriptedBackend(lambda messages: messages[-1].content.upper()))[1].text == "HELLO"


def test_it_can_be_cut_and_stopped() -> None:
    backend = ScriptedBackend(lambda _: "a long enough reply")
    assert reply(backend, tokens=7)[1].model_dump(include={"text", "finish"}) == {"text": "a long ", "finish": "length"}
    stops = iter([False, True])
    *pieces, last = backend.stream(ASK, (), Sampling(), 0, lambda: next(stops))
    assert isinstance(last, Completion)
    assert ("".join(map(str, pieces)), last.finish, last.text) == ("a lon", "stopped", "a lon")


def test_the_registry_opens_it(tiny: Settings) -> None:
    backend = open_backend(tiny, "scripted")
    assert reply(backend)[1].text == POLITE_REPLY
    assert (backend.info.kind, backend.info.name) == ("scripted", "scripted")
