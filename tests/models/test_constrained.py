"""Constrained replies: what a grammar lets through, what it refuses, and that both backends follow it alike."""

import json
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from lamsim_core.agent.parse import MAX_CALLS, parse_reply
from lamsim_core.agent.policy import make_policy, reference_reply
from lamsim_core.agent.prompt import call_text
from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.models import grammar
from lamsim_core.models.backend import Backend, Completion, Message
from lamsim_core.models.constrained import Constraint, Grammars
from lamsim_core.models.grammar import check_grammars, reply_grammar
from lamsim_core.models.local import LocalBackend, stop_ids
from lamsim_core.models.registry import open_backend
from lamsim_core.records import GoldCall, Sampling, ToolSchema
from lamsim_core.settings import Settings
from lamsim_core.tasks import plan_tasks

END = 2
HOW = Sampling(constrained=True)


def tool(name: str = "find", **properties: Any) -> ToolSchema:
    required = [key for key in properties if not key.endswith("_")]
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return ToolSchema(name=name, description="Finds.", parameters=parameters)


TOOLS = [
    tool("find", who={"type": "string", "maxLength": 12}, kind_={"enum": ["a", "bc"]}),
    tool("book", day={"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}, seats={"type": "integer", "minimum": 1}),
    tool("list_all"),
]


@pytest.fixture
def local(tiny: Settings) -> LocalBackend:
    opened = open_backend(tiny, "tiny", quantisation="fp32")
    assert isinstance(opened, LocalBackend)
    return opened


@pytest.fixture
def begin(local: LocalBackend) -> Callable[[Sequence[ToolSchema]], Constraint]:
    grammars = Grammars(local._model, local._tokenizer, stop_ids(local._model, local._tokenizer))

    def made(tools: Sequence[ToolSchema]) -> Constraint:
        found = grammars.constraint(HOW, tools)
        assert found is not None
        return found

    return made


@pytest.fixture
def takes(local: LocalBackend, begin: Callable[..., Constraint]) -> Callable[..., bool]:
    """Whether a text may be the beginning of a reply, and, with ``whole``, be all of it."""

    def taken(tools: Sequence[ToolSchema], text: str, whole: bool = True) -> bool:
        ids = local._tokenizer(text, add_special_tokens=False)["input_ids"] + [END] * whole
        return bool(begin(tools).possible(ids) == ids)

    return taken


def test_what_reference_solutions_say_can_be_said(takes: Callable[..., bool]) -> None:
    """With arguments in any order, as tasks have them, and with schemas that were stored and read again."""
    for task in plan_tasks("train", 6, seed=5):
        stored = [ToolSchema.model_validate_json(canonical_json(each.model_dump())) for each in task.tools]
        assert reply_grammar(stored) == reply_grammar(task.tools)
        done = 0
        while done <= len(task.gold):
            text = reference_reply(task, done)
            assert takes(task.tools, text), text
            done += max(1, text.count("<tool_call>"))


@pytest.mark.parametrize(
    "text",
    [
        "It is 12:30.",
        'A < B, and "x" is [1].',
        "",
        "Let me look.\n" + call_text(GoldCall(name="list_all", arguments={})),
        call_text(GoldCall(name="book", arguments={"seats": 3, "day": "2026-11-24"})),
        call_text(GoldCall(name="find", arguments={"kind": "a", "who": 'Ünal "\n\\'})).replace("kind", "kind_"),
        "\n".join([call_text(GoldCall(name="list_all", arguments={}))] * MAX_CALLS),
    ],
)
def test_messages_and_calls_can_be_said(takes: Callable[..., bool], text: str) -> None:
    assert takes(TOOLS, text)


@pytest.mark.parametrize(
    "text",
    [
        "Use <tool_call>",
        "<tool_call>{",
        '<tool_call>\n{"name": "fond',
        '<tool_call>\n{"name": "list_all", "arguments": {"a',
        '<tool_call>\n{"name": "find", "arguments": {}',
        '<tool_call>\n{"name": "find", "arguments": {"who": 1',
        '<tool_call>\n{"name": "find", "arguments": {"who": "a", "who',
        '<tool_call>\n{"name": "find", "arguments": {"who": "longer than twelve',
        '<tool_call>\n{"name": "find", "arguments": {"who": "</tool_call>',
        '<tool_call>\n{"name": "book", "arguments": {"day": "2026-1-',
        '<tool_call>\n{"name": "book", "arguments": {"seats": 0',
        '{"name": ',
        "[TOOL_CALLS]",
        "list_all()",
        call_text(GoldCall(name="list_all", arguments={})) + " Done",
        "\n".join([call_text(GoldCall(name="list_all", arguments={}))] * (MAX_CALLS + 1)),
    ],
)
def test_broken_calls_cannot_be_begun(takes: Callable[..., bool], text: str) -> None:
    assert not takes(TOOLS, text, whole=False)


def test_where_no_tool_is_offered_nothing_can_be_called(takes: Callable[..., bool]) -> None:
    assert takes([], "Hello.") and not takes([], "<tool", whole=False)


def test_as_many_calls_as_are_read() -> None:
    assert grammar.MAX_CALLS == MAX_CALLS


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "not": {"const": "x"}}, "'not'"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "'uniqueItems'"),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "'allOf'"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "'oneOf'"),
        ({"anyOf": [{"type": "string"}], "minLength": 2}, "'minLength'"),
        ({"type": "object", "patternProperties": {"x": {}}}, "'patternProperties'"),
        ({"type": "object", "required": ["x"]}, "does not describe"),
        ({"type": "string", "enum": [1]}, "none of the values"),
        ({"enum": ["a <tool_call> b"]}, "marks of a call"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "cannot be constrained"),
        ({"type": "string", "format": "of my own"}, "of my own"),
        ({"type": "array", "items": {"type": "integer", "multipleOf": 0.3}, "prefixItems": []}, "prefixItems"),
    ],
)
def test_what_cannot_be_promised_is_refused_by_name(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as error:
        check_grammars([[tool("other"), tool("odd", value=schema)]])
    assert "'odd'" in str(error.value) and "Turn constrained calls off" in str(error.value)


def test_many_parameters_have_one_order(takes: Callable[..., bool]) -> None:
    many = tool("many", **{f"p{n}": {"type": "integer"} for n in range(8)}, q_={"type": "boolean"})
    arguments: dict[str, Any] = {f"p{n}": n for n in range(8)}
    assert takes([many], call_text(GoldCall(name="many", arguments=arguments)))
    assert takes([many], call_text(GoldCall(name="many", arguments={**arguments, "q_": True})))
    assert not takes([many], '<tool_call>\n{"name": "many", "arguments": {"p1', whole=False)


def test_what_is_forced_is_what_the_tokenizer_would_write(
    local: LocalBackend, begin: Callable[[Sequence[ToolSchema]], Constraint]
) -> None:
    ids = local._tokenizer(call_text(GoldCall(name="list_all", arguments={})), add_special_tokens=False)["input_ids"]
    constraint = begin(TOOLS[2:])
    assert constraint.accept(ids[0]) == []  # a message may begin like this
    assert [ids[1], *constraint.accept(ids[1])] == ids[1:]


def ask(text: str) -> list[Message]:
    return [Message(role="system", content="Be brief."), Message(role="user", content=text)]


def reply(backend: Backend, text: str, seed: int = 0, **how: Any) -> Completion:
    sampling = Sampling(**{"constrained": True, "max_new_tokens": 60, **how})
    *pieces, last = backend.stream(ask(text), TOOLS, sampling, seed, lambda: False)
    assert isinstance(last, Completion) and "".join(map(str, pieces)) == last.text
    return last


def how_of(number: int) -> dict[str, Any]:
    sampled = {"temperature": 1.3, "top_p": 0.9 + number % 2 / 10} if number % 3 else {}
    return {"max_new_tokens": 60 + 10 * number, "constrained": number % 4 != 3, **sampled}


@pytest.mark.usefixtures("only_calls")
def test_both_backends_write_the_same_in_any_company(tiny: Settings, local: LocalBackend) -> None:
    batched = open_backend(tiny, "tiny", quantisation="fp32", batch=3)
    found: dict[int, Completion] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: reply(batched, f"word {n} " * (n + 1), n, **how_of(n))}))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    alone = {n: reply(local, f"word {n} " * (n + 1), n, **how_of(n)) for n in range(8)}
    assert {n: (each.text, each.finish) for n, each in found.items()} == {
        n: (e.text, e.finish) for n, e in alone.items()
    }
    calls = [call for n, each in alone.items() if how_of(n)["constrained"] for call in parse_reply(each.text).calls]
    assert sum(call.error is None for call in calls) > 3
    assert {call.name for call in calls if call.error is None} <= {each.name for each in TOOLS}
    batched.close()


@pytest.mark.usefixtures("only_calls")
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_guesses_change_nothing_and_forced_tokens_cost_no_pass(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    passes: list[int] = []
    feed = LocalBackend._feed

    def counted(self: LocalBackend, tokens: list[int], rows: int, should_stop: Any) -> Any:
        passes.append(len(tokens))
        return feed(self, tokens, rows, should_stop)

    monkeypatch.setattr(LocalBackend, "_feed", counted)
    guessed = [reply(local, text, 5, temperature=temperature) for text in ("Hello", "find find find")]
    passes.clear()
    monkeypatch.setattr("lamsim_core.models.local.GUESSES", 0)
    plain = [reply(local, text, 5, temperature=temperature) for text in ("Hello", "find find find")]
    assert [each.text for each in plain] == [each.text for each in guessed]
    assert len(passes) < 0.8 * sum(each.usage.completion_tokens for each in plain)


@pytest.mark.usefixtures("only_calls")
def test_the_limit_of_tokens_holds_within_what_is_forced(local: LocalBackend) -> None:
    whole = reply(local, "Hello", max_new_tokens=30)
    for limit in range(1, 12):
        cut = reply(local, "Hello", max_new_tokens=limit)
        assert (cut.finish, cut.usage.completion_tokens) == ("length", limit)
        assert whole.text.startswith(cut.text)


def test_a_tool_that_cannot_be_promised_stops_a_reply_before_the_model_runs(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(LocalBackend, "_feed")
    odd = tool("odd", value={"type": "string", "not": {}})
    with pytest.raises(InvalidInputError, match="'odd'"):
        list(local.stream(ask("Hello"), [odd], HOW, 0, lambda: False))


def test_models_that_run_elsewhere_refuse_and_say_what_to_do(tiny: Settings) -> None:
    tiny.home.mkdir(parents=True, exist_ok=True)
    tiny.endpoints_file.write_text("- {name: far, base_url: 'http://127.0.0.1:8739/v1', model: x, tools: text}\n")
    for name in ("far@constrained", "scripted@constrained"):
        with pytest.raises(InvalidInputError, match="Turn constrained calls off, or choose a local model"):
            make_policy(tiny, name, Sampling())
    from lamsim_core.models.endpoint import EndpointBackend

    backend = EndpointBackend.__new__(EndpointBackend)
    monkey = partial(setattr, backend, "_info")
    monkey(make_policy(tiny, "scripted", Sampling()).info)
    with pytest.raises(ModelError, match="Turn constrained calls off"):
        next(iter(backend.stream(ask("Hello"), [], HOW, 0, lambda: False)))


def test_who_acts_is_told_apart(tiny: Settings) -> None:
    free, held = make_policy(tiny, "tiny", Sampling()), make_policy(tiny, "tiny@constrained", Sampling())
    assert (free.info.name, free.info.label) == ("tiny", "tiny")
    assert (held.info.name, held.info.label) == ("tiny", "tiny@constrained")
    assert make_policy(tiny, "gold", HOW).info.label == "gold"


def test_records_from_before_are_read() -> None:
    old = json.dumps({"temperature": 0.0, "top_p": 1.0, "max_new_tokens": 160, "max_steps": 8})
    assert Sampling.model_validate_json(old) == Sampling(constrained=False)
