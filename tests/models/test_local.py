"""The local backend says what transformers' own generate says, whatever it remembered and guessed on the way."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.models.backend import Completion, Message, PromptTooLongError
from lamsim_core.models.chat import render
from lamsim_core.models.local import LocalBackend
from lamsim_core.models.registry import open_backend
from lamsim_core.records import Sampling, ToolSchema
from lamsim_core.settings import Settings
from tests.models.asking import ask, reply

TOOLS = [ToolSchema(name="find", description="Finds.", parameters={"type": "object", "properties": {"a": {}}})]
PROMPTS = ["Hello", "What is 12 + 30?", "Write it twice: abc abc abc abc", "Grüße, 你好 😀", ""]


@pytest.fixture
def backend(tiny: Settings) -> Iterator[LocalBackend]:
    opened = open_backend(tiny, "tiny", quantisation="fp32")
    assert isinstance(opened, LocalBackend)
    yield opened
    opened.close()


def generated(backend: LocalBackend, messages: Sequence[Message], tools: Sequence[ToolSchema] = ()) -> str:
    """What transformers' generate writes."""
    import torch

    ids = torch.tensor([render(backend._tokenizer, messages, tools, add_generation_prompt=True)])
    out = backend._model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40, eos_token_id=[0, 2]
    )
    return str(backend._tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


def test_greedy_replies_equal_generate(backend: LocalBackend) -> None:
    for text in PROMPTS:
        for tools in ((), TOOLS):
            assert reply(backend, ask(text), tools).text == generated(backend, ask(text), tools)


def test_a_kept_beginning_is_not_computed_again_and_changes_nothing(backend: LocalBackend, tiny: Settings) -> None:
    messages = ask("Hello")
    first = reply(backend, messages, TOOLS)
    assert first.usage.cached_tokens == 0
    messages += [Message(role="assistant", content=first.text), Message(role="tool", content="{}")]
    second = reply(backend, messages, TOOLS)
    assert second.usage.cached_tokens >= first.usage.prompt_tokens
    other = reply(backend, ask("Something else"), TOOLS)
    shared = len(render(backend._tokenizer, ask("")[:1], TOOLS, add_generation_prompt=False))
    assert shared <= other.usage.cached_tokens < other.usage.prompt_tokens
    fresh = open_backend(tiny, "tiny", quantisation="fp32")
    assert reply(fresh, messages, TOOLS).text == second.text
    assert reply(fresh, ask("Something else"), TOOLS).text == other.text


def test_usage_counts_what_was_read_and_written(backend: LocalBackend) -> None:
    last = reply(backend, ask("Hello"))
    assert last.usage.prompt_tokens == len(render(backend._tokenizer, ask("Hello"), (), add_generation_prompt=True))
    assert (last.finish, last.usage.completion_tokens) == ("length", 40)
    assert last.usage.prefill_seconds > 0 and last.usage.decode_seconds > 0


def test_time_the_reader_takes_is_not_counted(backend: LocalBackend) -> None:
    import time

    pieces = []
    for piece in backend.stream(ask("Hello"), (), Sampling(max_new_tokens=10), 0, lambda: False):
        time.sleep(0.05)
        pieces.append(piece)
    last = pieces[-1]
    assert isinstance(last, Completion) and len(pieces) > 4
    assert last.usage.decode_seconds < 0.05 * (len(pieces) - 1)


@pytest.mark.parametrize("top_p", [1.0, 0.8])
def test_a_seed_means_the_same_whatever_was_remembered_or_guessed(
    backend: LocalBackend, top_p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"temperature": 1.0, "top_p": top_p}
    first = [reply(backend, ask(text), seed=7, **how).text for text in PROMPTS]
    again = [reply(backend, ask(text), seed=7, **how).text for text in reversed(PROMPTS)][::-1]
    monkeypatch.setattr("lamsim_core.models.local.GUESSES", 0)
    unguessed = [reply(backend, ask(text), seed=7, **how).text for text in PROMPTS]
    assert first == again == unguessed
    assert first != [reply(backend, ask(text), seed=8, **how).text for text in PROMPTS]


def test_top_p_leaves_only_the_likeliest(backend: LocalBackend) -> None:
    greedy = reply(backend, ask("Hello")).text
    assert reply(backend, ask("Hello"), temperature=1.0, top_p=1e-9, seed=3).text == greedy
    assert reply(backend, ask("Hello"), temperature=1e-4, seed=3).text == greedy


def test_guesses_are_used_and_leave_the_cache_true(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    feed = LocalBackend._feed

    def counted(self: LocalBackend, tokens: list[int], rows: int, should_stop: Any) -> Any:
        fed.append(len(tokens))
        return feed(self, tokens, rows, should_stop)

    monkeypatch.setattr(LocalBackend, "_feed", counted)
    text = "one two three four " * 6
    last = reply(backend, ask(text), max_new_tokens=60)
    assert max(fed[1:]) > 1
    assert backend._cache.get_seq_length() == len(backend._held)
    monkeypatch.setattr("lamsim_core.models.local.GUESSES", 0)
    assert reply(backend, ask(text), max_new_tokens=60).text == last.text


def test_a_long_prompt_is_read_in_portions(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = reply(backend, ask("word " * 60)).text
    for portion in (7, 16, 200):
        monkeypatch.setattr("lamsim_core.models.local._PORTION", portion)
        reply(backend, ask("x"))
        assert reply(backend, ask("word " * 60)).text == whole


def test_it_stops_at_any_token(backend: LocalBackend) -> None:
    for allowed in range(6):
        left = iter([False] * allowed + [True] * 99)
        last = list(backend.stream(ask("Hello"), (), Sampling(max_new_tokens=40), 0, left.__next__))[-1]
        assert isinstance(last, Completion)
        assert last.finish == "stopped" and last.usage.completion_tokens <= allowed
    assert reply(backend, ask("Hello")).text == generated(backend, ask("Hello"))


def test_a_reader_who_leaves_early_harms_nobody(backend: LocalBackend) -> None:
    stream = backend.stream(ask("Hello"), (), Sampling(max_new_tokens=40), 0, lambda: False)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert reply(backend, ask("Hello")).text == generated(backend, ask("Hello"))


def test_a_prompt_that_is_too_long_is_refused(tiny: Settings) -> None:
    small = open_backend(tiny.model_copy(update={"max_prompt_tokens": 300}), "tiny", quantisation="fp32")
    with pytest.raises(PromptTooLongError, match="may read 300") as error:
        reply(small, ask("word " * 400))
    assert error.value.tokens > 300
    with pytest.raises(PromptTooLongError, match="may read 96"):
        reply(small, ask("word " * 50), max_new_tokens=4000)


def test_threads_take_turns_and_each_gets_its_own_reply(backend: LocalBackend) -> None:
    expected = {text: reply(backend, ask(text)).text for text in PROMPTS}
    found: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda text=text: found.update({text: reply(backend, ask(text)).text}))
        for text in PROMPTS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_one_who_waits_for_the_model_can_be_stopped(backend: LocalBackend) -> None:
    holding = backend.stream(ask("Hello"), (), Sampling(), 0, lambda: False)
    next(holding)
    result: list[Any] = []
    waiting = threading.Thread(target=lambda: result.extend(backend.stream(ask("Hi"), (), Sampling(), 0, lambda: True)))
    waiting.start()
    waiting.join(timeout=10)
    holding.close()  # type: ignore[attr-defined]
    assert [piece.finish for piece in result] == ["stopped"]


def test_a_closed_or_damaged_model_says_so(backend: LocalBackend) -> None:
    backend._model.model.layers[0].mlp.up_proj.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        reply(backend, ask("Hello"))
    backend.close()
    with pytest.raises(ModelError, match="closed"):
        reply(backend, ask("Hello"))


def test_identity_is_recorded(tiny: Settings) -> None:
    infos = [open_backend(tiny, "tiny", quantisation=held).info for held in ("nf4", "bf16", "fp32")]
    assert [info.quantisation for info in infos] == ["nf4", "bf16", "fp32"]
    first = infos[0]
    assert (first.kind, first.name, first.adapter, first.sampling) == ("model", "tiny", None, None)
    assert first.device in ("cpu", "cuda")
    assert len(first.model_hash or "") == 64 and len(first.template_hash or "") == 16
    assert {info.model_hash for info in infos} == {first.model_hash}
    with pytest.raises(InvalidInputError, match="nf4, bf16, fp32"):
        open_backend(tiny, "tiny", quantisation="int3")


@pytest.mark.parametrize("held", ["nf4", "bf16"])
def test_small_weights_give_a_reply_too(tiny: Settings, held: str) -> None:
    backend = open_backend(tiny, "tiny", quantisation=held)
    assert reply(backend, ask("Hello")).text == reply(backend, ask("Hello")).text != ""


def test_nf4_is_what_transformers_makes_of_the_same_weights(tiny: Settings) -> None:
    import torch

    from lamsim_core.models.loading import load_weights, read_quantised

    folder = tiny.cache / "models" / "tiny"
    ours, _ = load_weights(folder, "nf4")
    theirs = read_quantised(folder, "nf4", ours.device.type)
    theirs.set_attn_implementation(ours.config._attn_implementation)
    ids = torch.arange(20, 60)[None].to(ours.device)
    with torch.inference_mode():
        assert torch.equal(ours(ids).logits, theirs(ids).logits)
    assert type(ours.model.layers[0].mlp.up_proj).__name__ == "Linear4bit"
    assert type(ours.lm_head).__name__ == "Linear"
