"""Whatever numbers a model gives, a constrained reply is a message or calls that parse and are valid."""

import random
import re
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamsim_core.agent.parse import parse_reply
from lamsim_core.agent.prompt import call_text
from lamsim_core.environment.arguments import ArgumentValidator
from lamsim_core.feedback.actions import _looks_like_a_call
from lamsim_core.models.backend import Completion
from lamsim_core.models.constrained import Constraint, Grammars
from lamsim_core.models.local import decoded
from lamsim_core.models.reply import Reply
from lamsim_core.records import Sampling, ToolSchema
from tests.models.tiny import write_tokenizer

STOPS = frozenset({0, 2})
HOW = Sampling(constrained=True, temperature=1.0, max_new_tokens=400)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def grammars(tokenizer: Any) -> Grammars:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=len(tokenizer) + 5))
    return Grammars(SimpleNamespace(config=config), tokenizer, STOPS)


TEXTS = st.text(st.sampled_from("aZ 7<>\"\\/'{}é😀\n_tool"), min_size=1, max_size=8)
NAMES = st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True)
STRINGS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"type": "string"}),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 4),
        st.integers(0, 9),
    ),
    st.sampled_from(
        [r"^\d{4}-\d{2}-\d{2}$", r"^([01]\d|2[0-3]):[0-5]\d$", "^[A-Z]{2}\\d{2}[A-Z0-9 ]{3,9}$", "b+", "^.{2,5}$"]
    ).map(lambda pattern: {"type": "string", "pattern": pattern}),
    st.just({"type": "string", "minLength": 3, "pattern": "^[a-f ]*$"}),
    st.sampled_from(["date", "time", "date-time", "uuid", "ipv4"]).map(lambda name: {"type": "string", "format": name}),
)
NUMBERS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from(["integer", "number"]).map(lambda name: {"type": name}),
    st.builds(
        lambda name, low, more: {"type": name, "minimum": low, "maximum": low + more},
        st.sampled_from(["integer", "number"]),
        st.integers(-120, 2000),
        st.integers(0, 300),
    ),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low / 100}, st.integers(-500, 500)),
    st.builds(lambda step: {"type": "integer", "minimum": 0, "maximum": 100, "multipleOf": step}, st.integers(1, 20)),
)
PLAIN = st.one_of(
    STRINGS,
    NUMBERS,
    st.just({"type": "boolean"}),
    st.just({"type": ["string", "null"]}),
    st.lists(
        st.one_of(TEXTS.filter(lambda t: "tool" not in t), st.integers(), st.none(), st.booleans()),
        min_size=1,
        max_size=4,
    ).map(lambda values: {"enum": values}),
    st.just({}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def made(properties: dict[str, Any], wanted: Sequence[bool], more: Any) -> dict[str, Any]:
        required = [name for name, is_wanted in zip(properties, wanted, strict=False) if is_wanted]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": more}

    return st.builds(
        made,
        st.dictionaries(NAMES, inner, max_size=8),
        st.lists(st.booleans(), min_size=8, max_size=8),
        st.sampled_from([False, False, True, {"type": "integer"}]),
    )


def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.builds(
        lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
        inner,
        st.integers(0, 2),
        st.integers(0, 2),
    )
    either = st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches})
    return st.one_of(objects(inner), lists, either, st.just({"type": "array", "items": {"type": "integer"}}))


TOOLS = st.lists(
    st.builds(
        lambda name, parameters: ToolSchema(name=name, description="It does.", parameters=parameters),
        st.from_regex(r"[A-Za-z][A-Za-z_.-]{0,8}", fullmatch=True),
        objects(st.recursive(PLAIN, deeper, max_leaves=5)),
    ),
    max_size=4,
    unique_by=lambda tool: tool.name,
)


class Numbers:
    """Numbers at random, as a model might give that likes to begin calls and to come to an end."""

    def __init__(self, tokenizer: Any, seed: int) -> None:
        import torch

        self._generator = torch.Generator().manual_seed(seed)
        self._width = len(tokenizer) + 5
        rng = random.Random(seed)
        self._liked = torch.zeros(self._width)
        liked = [*STOPS, *tokenizer('<tool_call>"}],\n', add_special_tokens=False)["input_ids"]]
        for token in liked:
            self._liked[token] = rng.choice([0, 5, 9])
        self._begun = tokenizer("<tool", add_special_tokens=False)["input_ids"] if seed % 4 else []

    def rows(self, count: int) -> Any:
        import torch

        found = 3 * torch.randn((count, self._width), generator=self._generator) + self._liked
        if self._begun:
            found[0, self._begun.pop(0)] = 99
        return found


def write(tokenizer: Any, constraint: Constraint | None, seed: int, guesses: int = 3) -> tuple[Completion, Reply]:
    numbers = Numbers(tokenizer, seed)
    reply = Reply(
        tokenizer('He said {"name": "it", [1, 2] <tool_call>', add_special_tokens=False)["input_ids"],
        HOW,
        seed,
        stops=STOPS,
        decode=partial(decoded, tokenizer),
        should_stop=lambda: False,
        constraint=constraint,
    )
    while reply.finish is None:
        list(reply.take(numbers.rows(len(reply.guesses) + 1)))
        reply.guess(guesses)
    *_, last = reply.end()
    assert isinstance(last, Completion)
    return last, reply


def judge(text: str, tools: Sequence[ToolSchema]) -> int:
    """How many calls a reply makes, all of them right."""
    parsed = parse_reply(text)
    if not parsed.calls:
        assert not _looks_like_a_call(text, [tool.name for tool in tools])
        return 0
    validators = {tool.name: ArgumentValidator(tool.parameters) for tool in tools}
    written = []
    for call in parsed.calls:
        assert call.error is None, (call.error, call.raw)
        assert not validators[call.name].faults(call.arguments)
        written.append(call)
    assert text.endswith("\n".join(f"<tool_call>{call.raw}</tool_call>" for call in written))
    for call in written:  # keys and separators as rows of training have them; numbers can be written in more ways
        assert _bare(call.raw) == _bare(call_text(call)[len("<tool_call>") : -len("</tool_call>")])
    return len(written)


def _bare(text: str) -> str:
    return re.sub(r"-?\d+(\.\d+)?", "0", text)


@settings(max_examples=60, deadline=None)
@given(tools=TOOLS, seed=st.integers(0, 2**32))
def test_any_reply_is_a_message_or_valid_calls(
    tokenizer: Any, grammars: Grammars, tools: list[ToolSchema], seed: int
) -> None:
    constraint = grammars.constraint(HOW, tools)
    last, _ = write(tokenizer, constraint, seed)
    if last.finish == "end":
        judge(last.text, tools)
