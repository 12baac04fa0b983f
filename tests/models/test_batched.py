"""Replies written together are those written alone, whoever joins, leaves, stops or fails beside them."""

import gc
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lamsim_core.errors import ModelError
from lamsim_core.models.backend import Backend, Completion, Message, PromptTooLongError
from lamsim_core.models.batched import BatchedBackend
from lamsim_core.models.local import LocalBackend
from lamsim_core.models.packed import PackedModel
from lamsim_core.models.pool import PAGE
from lamsim_core.models.registry import open_backend
from lamsim_core.records import Sampling, ToolSchema
from lamsim_core.settings import Settings
from tests.models.asking import ask, reply

TOOLS = [ToolSchema(name="find", description="Finds.", parameters={"type": "object", "properties": {"a": {}}})]
WORDS = [
    *[
        "find",
        "the",
        "12",
        "abc",
        "abc",
        "Grüße",
        "你好",
        "twice",
        "of",
        "it",
        "and",
        "tool",
        "call",
        "name",
        "arguments",
    ],
    "\n",
]


@pytest.fixture
def batched(tiny: Settings) -> Iterator[BatchedBackend]:
    opened = open_backend(tiny, "tiny", quantisation="fp32", batch=4)
    assert isinstance(opened, BatchedBackend)
    yield opened
    opened.close()


@pytest.fixture
def alone(tiny: Settings) -> Iterator[LocalBackend]:
    opened = open_backend(tiny, "tiny", quantisation="fp32")
    assert isinstance(opened, LocalBackend)
    yield opened
    opened.close()


def together(*jobs: Callable[[], object]) -> None:
    """Run each in a thread of its own, all at once."""
    failed: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
        assert not thread.is_alive()
    if failed:
        raise failed[0]


def dialogue(backend: Backend, number: int) -> list[tuple[str, str, int]]:
    """An attempt of several turns, of its own length and limits; every third is sampled."""
    rng = random.Random(number)
    tools = TOOLS * (number % 2)
    how = {"temperature": 1.0, "top_p": 0.9} if number % 3 == 0 else {}
    messages = ask(" ".join(rng.choices(WORDS, k=rng.choice([1, 8, 60, 400]))))
    said: list[tuple[str, str, int]] = []
    for turn in range(rng.randint(1, 4)):
        last = reply(backend, messages, tools, number + turn, max_new_tokens=rng.choice([1, 7, 40]), **how)
        said.append((last.text, last.finish, last.usage.completion_tokens))
        heard = " ".join(rng.choices(WORDS, k=rng.choice([0, 5, 50])))
        messages = [
            *messages,
            Message(role="assistant", content=last.text),
            Message(role="tool", content=heard),
        ]
    return said


@pytest.mark.parametrize("portion", [512, 23])
def test_many_attempts_say_what_they_say_alone(
    batched: BatchedBackend, alone: LocalBackend, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamsim_core.models.batching._PORTION", portion)
    numbers = range(45)
    found: dict[int, Any] = {}
    waiting = iter(numbers)

    def worker() -> None:
        for number in waiting:
            found[number] = dialogue(batched, number)

    together(*[worker] * 6)
    assert found == {number: dialogue(alone, number) for number in numbers}


def test_a_seed_means_the_same_in_any_company(batched: BatchedBackend) -> None:
    how: dict[str, Any] = {"temperature": 1.0, "top_p": 0.8}
    first = reply(batched, ask("Hello"), seed=7, **how).text
    found: list[str] = []
    others = [lambda n=n: reply(batched, ask(f"word {n} " * (n + 1)), seed=n, **how) for n in range(6)]
    together(lambda: found.append(reply(batched, ask("Hello"), seed=7, **how).text), *others)
    assert found == [first] and first != reply(batched, ask("Hello"), seed=8, **how).text


def test_only_what_was_added_is_read_and_a_common_prompt_is_read_once(batched: BatchedBackend) -> None:
    messages = ask("word " * 100)
    first = reply(batched, messages, tools=TOOLS)
    assert first.usage.cached_tokens == 0
    messages += [Message(role="assistant", content=first.text), Message(role="tool", content="{}")]
    second = reply(batched, messages, tools=TOOLS)
    assert second.usage.cached_tokens >= first.usage.prompt_tokens
    cached: list[int] = []
    fresh = ask("other " * 100)
    together(*[lambda: cached.append(reply(batched, fresh, tools=TOOLS).usage.cached_tokens)] * 4)
    length = first.usage.prompt_tokens
    shared = min(cached)
    assert shared < length // 2
    assert sum(each > length // 2 for each in cached) == 3


def test_steps_write_in_place(batched: BatchedBackend) -> None:
    pool = batched._batch.pool
    stream = batched.stream(ask("Hello"), (), Sampling(max_new_tokens=2 * PAGE), 0, lambda: False)
    next(stream)
    held, rooms = pool.keys.data_ptr(), [row.room for row in pool.rows]
    assert isinstance(list(stream)[-1], Completion)
    assert (pool.keys.data_ptr(), [row.room for row in pool.rows]) == (held, rooms)
    reply(batched, ask("word " * 300))
    assert max(row.room for row in pool.rows) > max(rooms)


def test_who_stops_leaves_and_hurts_nobody(batched: BatchedBackend, alone: LocalBackend) -> None:
    expected = reply(alone, ask("Hello")).text
    found: list[str] = []
    ends: list[Any] = []

    def stopping(allowed: int) -> None:
        left = iter([False] * allowed)
        *_, last = batched.stream(ask("Bye"), (), Sampling(max_new_tokens=40), 0, lambda: next(left, True))
        ends.append((last.finish, last.usage.completion_tokens <= allowed) if isinstance(last, Completion) else last)

    def leaving() -> None:
        stream = batched.stream(ask("Hi"), (), Sampling(max_new_tokens=400), 0, lambda: False)
        next(stream)
        stream.close()  # type: ignore[attr-defined]

    def refused() -> None:
        with pytest.raises(PromptTooLongError):
            reply(batched, ask("word " * 4000))

    def broken() -> None:
        with pytest.raises(PromptTooLongError, match="may read 96"):
            reply(batched, ask("word " * 50), max_new_tokens=4000)

    speak = [lambda: found.append(reply(batched, ask("Hello")).text)] * 3
    together(*[lambda n=n: stopping(n) for n in range(8)], leaving, refused, broken, *speak)
    assert ends == [("stopped", True)] * 8 and found == [expected] * 3
    assert reply(batched, ask("Bye")).text == reply(alone, ask("Bye")).text
    assert batched._batch.members == []


def test_a_failed_pass_fails_those_in_it_and_the_next_are_right(
    batched: BatchedBackend, alone: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    reply(batched, ask("Hello"))
    with monkeypatch.context() as patched, pytest.raises(ModelError, match="tiny failed: out of memory"):
        patched.setattr("lamsim_core.models.batching.feed", broken)
        reply(batched, ask("Hello"))
    assert reply(batched, ask("Hello")).text == reply(alone, ask("Hello")).text


def test_numbers_that_are_none_fail(batched: BatchedBackend) -> None:
    assert isinstance(batched._model, PackedModel)
    batched._model._norm.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        reply(batched, ask("Hello"))


def test_closing_frees_the_memory_and_fails_who_waits(batched: BatchedBackend) -> None:
    streams = [batched.stream(ask(f"Hello {n}"), (), Sampling(max_new_tokens=4000), 0, lambda: False) for n in range(2)]
    model = weakref.ref(batched._model)
    next(streams[0])
    keys = weakref.ref(batched._batch.pool.keys)
    batched.close()
    with pytest.raises(ModelError, match="closed"):
        list(streams[0])
    with pytest.raises(ModelError, match="closed"):
        list(streams[1])
    gc.collect()
    assert model() is None and keys() is None


def test_a_backend_that_is_dropped_needs_no_closing(tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamsim_core.models.batched._LINGER_SECONDS", 0.05)
    backend = open_backend(tiny, "tiny", quantisation="fp32", batch=2)
    assert isinstance(backend, BatchedBackend)
    reply(backend, ask("Hello"))
    model, thread = weakref.ref(backend._model), backend._thread
    if thread is not None:
        thread.join(timeout=10)
    del backend, thread
    gc.collect()
    assert model() is None


@pytest.mark.parametrize("held", ["nf4", "bf16"])
def test_small_weights_give_replies_too(tiny: Settings, held: str) -> None:
    backend = open_backend(tiny, "tiny", quantisation=held, batch=3)
    found: list[str] = []
    together(*[lambda: found.append(reply(backend, ask("Hello")).text)] * 3)
    assert len(found) == 3 and all(found)  # rounding may tell them apart
    backend.close()


def test_models_whose_attention_is_not_plain_take_turns(tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamsim_core.models.attention._FAMILIES", frozenset({"qwen2"}))
    backend = open_backend(tiny, "tiny", quantisation="fp32", batch=4)
    assert isinstance(backend, LocalBackend)
    backend.close()


def test_on_a_cpu_four_bit_weights_are_held_wide_with_the_same_values_up_to_rounding(tiny: Settings) -> None:
    import torch

    from lamsim_core.models.loading import load_weights, widen_nf4

    narrow, _ = load_weights(tiny.cache / "models" / "tiny", "nf4")
    wide, _ = load_weights(tiny.cache / "models" / "tiny", "nf4")
    widen_nf4(wide, torch.bfloat16)
    first, second = narrow.model.layers[0].mlp.up_proj, wide.model.layers[0].mlp.up_proj
    assert (type(first).__name__, type(second)) == ("Linear4bit", torch.nn.Linear)
    unit = torch.eye(first.in_features, dtype=torch.bfloat16, device=narrow.device)
    with torch.inference_mode():
        assert torch.allclose(first(unit), second(unit), rtol=2**-7, atol=1e-6)


def test_an_adapter_beside_four_bit_weights_is_added_to_them(tiny: Settings) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from lamsim_core.models.loading import load_weights, widen_nf4
    from lamsim_core.models.packed import can_pack

    def loaded() -> Any:
        return load_weights(tiny.cache / "models" / "tiny", "nf4")[0]

    def adapted() -> Any:
        torch.manual_seed(0)
        recipe = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        return get_peft_model(loaded(), recipe).eval()

    wide = widen_nf4(adapted(), torch.bfloat16)  # before its first pass, which packs 4-bit weights anew
    assert not [layer for layer in wide.modules() if "ora" in type(layer).__name__]
    assert can_pack(wide) or wide.device.type != "cpu"
    ids = torch.arange(20, 50, device=wide.device)[None]
    with torch.inference_mode():
        without, expected, found = (model(ids).logits.float() for model in (loaded(), adapted(), wide))
    assert (found - expected).abs().mean() < (without - expected).abs().mean() / 10
