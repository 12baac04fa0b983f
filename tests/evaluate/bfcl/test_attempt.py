"""One task put to a model: the prompt, the reading of the reply, the verdict."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lamsim_core.agent.prompt import SYSTEM
from lamsim_core.errors import ModelError, StoppedError
from lamsim_core.evaluate.bfcl.attempt import Attempt
from lamsim_core.evaluate.bfcl.items import Item, load_items
from lamsim_core.evaluate.bfcl.perturb import right_answer
from lamsim_core.evaluate.bfcl.results import Result
from lamsim_core.models.backend import Backend, Completion, Message, PromptTooLongError
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import Sampling, ToolSchema
from tests.evaluate.bfcl.acting import knowing, written

CALL = '<tool_call>\n{"name": "x", "arguments": {}}\n</tool_call>'
BROKEN = '<tool_call>\n{"name": "x", "arguments": {\n</tool_call>'


def tried(
    pack: Path,
    item: Item,
    backend: Backend,
    *,
    plain_names: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Result:
    sampling = Sampling(max_new_tokens=4000)
    return Attempt(item, backend, sampling, pack=pack, plain_names=plain_names, should_stop=should_stop).run()


class Noting(ScriptedBackend):
    """Notes whether its replies were to be constrained."""

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> Iterator[str | Completion]:
        self.constrained = sampling.constrained
        return super().stream(messages, tools, sampling, seed, should_stop)


def test_calls_are_constrained_where_the_schemas_allow_it(pack: Path) -> None:
    items = [load_items(pack, "simple_python")[0], load_items(pack, "parallel")[0]]
    lacking = {**items[1].functions[0]["parameters"], "required": ["nowhere"]}
    items[1] = replace(items[1], functions=({**items[1].functions[0], "parameters": lacking},))
    found = []
    for item in items:
        backend = Noting(lambda _: CALL)
        sampling = Sampling(max_new_tokens=100, constrained=True)
        result = Attempt(item, backend, sampling, pack=pack, plain_names=False, should_stop=lambda: False).run()
        found.append((backend.constrained, result.free))
    assert found == [(True, False), (False, True)]


@pytest.fixture(scope="module")
def dotted(pack: Path) -> Item:
    """A task whose function has a dot in its name."""
    return next(item for item in load_items(pack, "simple_python") if "." in item.functions[0]["name"])


@pytest.mark.parametrize("category", ["simple_python", "multiple", "parallel", "parallel_multiple", "live_parallel"])
def test_right_answers_pass(pack: Path, category: str) -> None:
    for item in load_items(pack, category)[:5]:
        result = tried(pack, item, knowing([item]))
        assert result.passed and result.error is None and result.completion_tokens > 0, result.message
        assert (result.id, result.category, len(result.replies)) == (item.id, category, 1)


@pytest.mark.parametrize(
    ("category", "reply", "error"),
    [
        ("simple_python", "The area is 25.", "ast_decoder:decoder_failed"),
        ("simple_python", BROKEN, "ast_decoder:decoder_failed"),
        ("simple_python", CALL, "simple_function_checker:wrong_func_name"),
        ("simple_python", CALL + BROKEN, "ast_decoder:decoder_failed"),
        ("parallel", CALL, "parallel_function_checker_no_order:wrong_count"),
        ("irrelevance", "I cannot do that.", None),
        ("irrelevance", BROKEN, None),
        ("irrelevance", CALL, "irrelevance_error:decoder_success"),
        ("live_irrelevance", "", None),
        ("live_relevance", CALL, None),
        ("live_relevance", BROKEN, "relevance_error:decoder_failed"),
    ],
)
def test_other_replies(pack: Path, category: str, reply: str, error: str | None) -> None:
    result = tried(pack, load_items(pack, category)[0], ScriptedBackend([reply]))
    assert (result.passed, result.error) == (error is None, error)
    assert result.broken == (BROKEN in reply)


def test_the_prompt_is_the_products_own(pack: Path) -> None:
    seen: list[Sequence[Message]] = []

    def reply(messages: Sequence[Message]) -> str:
        seen.append(list(messages))
        return ""

    items = load_items(pack, "live_simple")
    own = next(item for item in items if item.turns[0][0].role == "system")
    for item in (items[0], own):
        tried(pack, item, ScriptedBackend(reply))
    assert [message.role for message in seen[0]] == [message.role for message in seen[1]] == ["system", "user"]
    assert seen[0][0].content == SYSTEM
    assert seen[1][0].content == f"{SYSTEM}\n\n{own.turns[0][0].content}"


def test_plain_names_are_understood(pack: Path, dotted: Item) -> None:
    ((name, arguments),) = right_answer(dotted)
    plain = ScriptedBackend(lambda _: written([(name.replace(".", "_"), arguments)]))
    assert tried(pack, dotted, plain, plain_names=True).passed
    assert tried(pack, dotted, plain).error == "simple_function_checker:wrong_func_name"


@pytest.mark.parametrize("category", ["multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param"])
def test_a_conversation_is_led_to_its_end(pack: Path, category: str) -> None:
    items = [
        item
        for item in load_items(pack, category)[50:90]
        if "('" not in str(item.conversation and item.conversation.gold)
    ]
    for item in items[:3]:
        result = tried(pack, item, knowing([item]))
        assert result.passed, result.message
        assert len(result.replies) > len(item.turns)


def test_a_conversation_ends_at_the_first_wrong_turn(pack: Path) -> None:
    item = load_items(pack, "multi_turn_base")[0]
    silent = tried(pack, item, ScriptedBackend([""]))
    assert (silent.error, len(silent.replies)) == ("multi_turn:empty_turn_model_response", 1)
    restless = tried(pack, item, ScriptedBackend(lambda _: written([("pwd", {})])))
    assert (restless.error, len(restless.replies)) == ("multi_turn:force_terminated", 21)
    unreadable = tried(pack, item, ScriptedBackend([f"{written([('pwd', {})])}{BROKEN}"]))
    assert unreadable.error == "multi_turn:empty_turn_model_response" and unreadable.broken


class Failing(ScriptedBackend):
    def __init__(self, error: ModelError) -> None:
        super().__init__([])
        self._error = error

    def _reply(self, messages: Sequence[Message]) -> str:
        raise self._error


@pytest.mark.parametrize("category", ["simple_python", "irrelevance", "multi_turn_base"])
def test_a_task_that_is_too_long_is_failed(pack: Path, category: str) -> None:
    result = tried(pack, load_items(pack, category)[0], Failing(PromptTooLongError(9000, 7000)))
    assert (result.passed, result.error) == (False, "inference_error") and "9000 tokens" in result.message


def test_a_model_that_breaks_down_and_a_stop_are_told(pack: Path) -> None:
    item = load_items(pack, "irrelevance")[0]
    with pytest.raises(ModelError, match="burnt"):
        tried(pack, item, Failing(ModelError("It has burnt down.")))
    with pytest.raises(StoppedError):
        tried(pack, item, ScriptedBackend(["a long reply"]), should_stop=lambda: True)
