"""The tokens of a reply as they were drawn, and their probabilities, hold whatever was remembered, guessed or batched."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from lamsim_core.models.backend import Backend, Completion, Message
from lamsim_core.models.chat import render
from lamsim_core.models.endpoint import open_endpoint
from lamsim_core.models.registry import open_backend
from lamsim_core.models.reply import Reply, logprob
from lamsim_core.records import Sampled, Sampling
from lamsim_core.settings import Settings
from tests.models.endpoint_told import Told

ASK = [Message(role="system", content="Be brief."), Message(role="user", content="Write it twice: abc abc abc")]


def reply(backend: Backend, messages: Sequence[Message] = ASK, seed: int = 0, **how: Any) -> Completion:
    *_, last = backend.stream(messages, (), Sampling(**{"max_new_tokens": 30, **how}), seed, lambda: False)
    assert isinstance(last, Completion)
    return last


def read_again(backend: Any, messages: Sequence[Message], tokens: Sequence[int]) -> list[float]:
    """What one fresh pass over prompt and reply says about each token of the reply."""
    import torch

    prompt = render(backend._tokenizer, messages, (), add_generation_prompt=True)
    with torch.inference_mode():
        numbers = backend._model(torch.tensor([[*prompt, *tokens]])).logits[0].float().log_softmax(-1)
    return [float(numbers[len(prompt) - 1 + place, token]) for place, token in enumerate(tokens)]


@pytest.mark.parametrize("how", [{}, {"temperature": 1.4, "top_p": 0.7}], ids=["likeliest", "drawn"])
def test_tokens_and_probabilities_are_those_of_a_fresh_pass(tiny: Settings, how: dict[str, Any]) -> None:
    backend: Any = open_backend(tiny, "tiny", quantisation="fp32")
    for messages in (ASK, [*ASK, Message(role="assistant", content="abc"), Message(role="tool", content="{}")]):
        last = reply(backend, messages, seed=5, **how)
        assert last.sampled is not None
        tokens = list(last.sampled.tokens)
        assert len(tokens) - (last.finish == "end") == last.usage.completion_tokens
        assert backend._tokenizer.decode(tokens, skip_special_tokens=True) == last.text
        assert list(last.sampled.logprobs) == pytest.approx(read_again(backend, messages, tokens), abs=2e-3)
    backend.close()


def test_replies_written_together_tell_the_same(tiny: Settings) -> None:
    alone = open_backend(tiny, "tiny", quantisation="fp32")
    together = open_backend(tiny, "tiny", quantisation="fp32", batch=2)
    one, other = reply(alone).sampled, reply(together).sampled
    assert one is not None and other is not None
    assert one.tokens == other.tokens
    assert one.logprobs == pytest.approx(other.logprobs, abs=2e-3)
    alone.close()
    together.close()


def test_the_token_that_ends_a_reply_is_among_them() -> None:
    import torch

    rows = torch.full((2, 8), -3.0)
    rows[0, 5], rows[1, 2] = 4.0, 4.0
    written = Reply(
        [1, 1], Sampling(), 0, stops=frozenset({2}), decode=lambda ids: "x" * len(ids), should_stop=lambda: False
    )
    before = rows.clone()
    assert list(written.take(rows[:1])) == ["x"]
    written.guesses = []
    assert list(written.take(rows[1:])) == []
    *_, last = written.end()
    assert isinstance(last, Completion) and last.sampled is not None
    assert last.sampled.tokens == (5, 2)
    assert bool((rows == before).all()), "looking must not change the numbers"
    assert last.sampled.logprobs == (logprob(rows[0], 5), logprob(rows[1], 2))


def test_a_certain_token_has_a_plain_zero() -> None:
    import torch

    row = torch.full((4,), float("-inf"))
    row[1] = 3.0
    assert str(logprob(row, 1)) == "0.0"


@pytest.mark.parametrize(
    "given",
    [
        {"tokens": (1, 2), "logprobs": (-0.1,)},
        {"tokens": (1,), "texts": ("a",), "logprobs": (-0.1,)},
        {"tokens": (1,), "logprobs": (float("nan"),)},
        {"texts": ("a",), "logprobs": (float("-inf"),)},
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Sampled(**given)


def told(*tokens: tuple[Any, Any]) -> dict[str, Any]:
    text = "".join(str(token) for token, _ in tokens)
    return {"delta": {"content": text}, "logprobs": [{"token": token, "logprob": value} for token, value in tokens]}


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        ([told(("There", -0.25), (" is", -1.0)), told((" one", -0.00001))], ("There", " is", " one")),
        ([told(("There", float("-inf")), (" is", -1.0))], ("There", " is")),
        ([{"delta": {"content": "There is one"}}], None),
        ([told(("There", "high"))], None),
        ([told(("There", -1.0))], None),
        ([told((None, -1.0), (" is", -1.0))], None),
    ],
    ids=["told", "impossible", "untold", "no number", "a part", "no text"],
)
def test_what_a_server_tells_is_kept_whole_or_not_at_all(
    server: Told, events: list[dict[str, Any]], kept: tuple[str, ...] | None
) -> None:
    server.plan([*events, {"finish": "stop"}, {"usage": {"prompt_tokens": 9, "completion_tokens": 3}}])
    backend = open_endpoint("mine", server.endpoint(tools="native"))
    last = reply(backend)
    backend.close()
    assert (last.sampled and last.sampled.texts) == kept
    assert server.seen()["requests"][0]["body"]["logprobs"] is True
    if last.sampled:
        assert all(-1000 <= value <= 0 for value in last.sampled.logprobs)


def test_a_server_that_refuses_is_asked_again_without(server: Told, request_log: Callable[[], list[bool]]) -> None:
    refusal = {"status": 400, "body": '{"error": {"message": "logprobs is not supported with this model"}}'}
    fine = [{"delta": {"content": "Yes."}}, {"finish": "stop"}]
    server.plan(refusal, fine)
    backend = open_endpoint("mine", server.endpoint(tools="native"))
    assert reply(backend).text == "Yes."
    assert reply(backend).sampled is None
    backend.close()
    assert request_log() == [True, False, False]


@pytest.fixture
def request_log(server: Told) -> Callable[[], list[bool]]:
    return lambda: ["logprobs" in each["body"] for each in server.seen()["requests"]]
