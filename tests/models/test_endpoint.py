"""The endpoint backend against a real server process: replies, stops, retries, limits, and every way a server can fail."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from lamsim_core.agent.parse import parse_reply
from lamsim_core.errors import ModelError
from lamsim_core.models import endpoint_client
from lamsim_core.models.backend import Completion, Message
from lamsim_core.models.endpoint import EndpointBackend, open_endpoint
from lamsim_core.models.endpoint_client import Client, why_unreachable
from lamsim_core.records import Sampling, ToolSchema
from tests.models.endpoint_server import said
from tests.models.endpoint_told import Told

ASK = [Message(role="system", content="Be short."), Message(role="user", content="What is there?")]
TOOL = ToolSchema(
    name="find", description="Finds.", parameters={"type": "object", "properties": {"a": {"type": "integer"}}}
)


@pytest.fixture
def opened(server: Told) -> Iterator[Callable[..., EndpointBackend]]:
    backends: list[EndpointBackend] = []

    def open_one(**more: Any) -> EndpointBackend:
        backends.append(open_endpoint("mine", server.endpoint(**{"tools": "native", **more})))
        return backends[-1]

    yield open_one
    for backend in backends:
        backend.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits between tries."""
    monkeypatch.setattr(endpoint_client, "_JITTERED", lambda state: 0.01)


def ask(
    backend: EndpointBackend,
    messages: Sequence[Message] = ASK,
    should_stop: Callable[[], bool] = lambda: False,
    sampling: Sampling = Sampling(),  # noqa: B008
    seed: int = 7,
) -> Completion:
    *pieces, last = backend.stream(messages, [TOOL], sampling, seed, should_stop)
    assert isinstance(last, Completion) and all(isinstance(piece, str) for piece in pieces)
    assert "".join(map(str, pieces)) == last.text
    return last


def call(index: int | None, name: str | None, arguments: str, call_id: str | None = None) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    number = {} if index is None else {"index": index}
    return {"delta": {"tool_calls": [{**number, "function": function, **({"id": call_id} if call_id else {})}]}}


def test_a_reply_is_streamed_and_counted(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}
    server.plan(
        [
            {"delta": {"role": "assistant", "content": None}},
            {"delta": {"content": "There is "}},
            {"wait": 0.15},
            {"delta": {"content": "one."}},
            {"finish": "stop"},
            {"usage": usage},
        ]
    )
    times: list[float] = []
    stream = opened().stream(
        ASK, [TOOL], Sampling(temperature=0.5, top_p=0.9, max_new_tokens=33), 2**40 + 5, lambda: False
    )
    items = []
    for item in stream:
        items.append(item)
        times.append(time.perf_counter())
    completion = items[-1]
    assert items[:-1] == ["There is ", "one."] and times[1] - times[0] > 0.1
    assert isinstance(completion, Completion)
    assert (completion.text, completion.finish) == ("There is one.", "end")
    assert (completion.usage.prompt_tokens, completion.usage.cached_tokens, completion.usage.completion_tokens) == (
        9,
        6,
        4,
    )
    assert completion.usage.decode_seconds > 0.1 and completion.usage.prefill_seconds > 0
    [request] = server.seen()["requests"]
    body = request["body"]
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["seed"]) == (0.5, 0.9, 33, 5)
    assert body["tools"] == [TOOL.openai()] and body["model"] == "m"
    assert [m["role"] for m in body["messages"]] == ["system", "user"]


def test_without_counts_nothing_is_invented(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    server.plan(said("Yes."), [*said("No."), {"usage": {"prompt_tokens": None, "completion_tokens": 3}}])
    backend = opened()
    assert ask(backend).usage.prompt_tokens == 0
    assert (counted := ask(backend).usage).prompt_tokens == 0 and counted.completion_tokens == 3


@pytest.mark.parametrize(
    ("finish", "expected"), [("stop", "end"), ("tool_calls", "end"), ("length", "length"), ("eos", "end")]
)
def test_finish_reasons(server: Told, opened: Callable[..., EndpointBackend], finish: str, expected: str) -> None:
    server.plan([{"delta": {"content": "x"}}, {"finish": finish}])
    assert ask(opened()).finish == expected


def test_several_calls_come_out_as_the_product_writes_them(
    server: Told, opened: Callable[..., EndpointBackend]
) -> None:
    server.plan(
        [
            {"delta": {"content": "Looking."}},
            call(0, "find", "", "a"),
            call(0, None, '{"a"'),
            call(1, "move", '{"to": "Zürich 😀"}', "b"),
            call(0, None, ":1}"),
            {"finish": "tool_calls"},
        ]
    )
    text = ask(opened()).text
    assert text == (
        'Looking.\n<tool_call>\n{"name": "find", "arguments": {"a": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "move", "arguments": {"to": "Zürich 😀"}}\n</tool_call>'
    )
    assert [(c.name, c.arguments, c.error) for c in parse_reply(text).calls] == [
        ("find", {"a": 1}, None),
        ("move", {"to": "Zürich 😀"}, None),
    ]


def test_calls_all_numbered_0_or_not_numbered_are_told_apart(
    server: Told, opened: Callable[..., EndpointBackend]
) -> None:
    end = {"finish": "tool_calls"}
    server.plan(
        [call(0, "find", '{"a": 1}', "x"), call(0, "find", '{"a": 2}', "y"), end],
        [call(None, "find", '{"a"'), call(None, None, ": 3}"), call(None, "find", '{"a": 4}'), end],
    )
    backend = opened()
    found = [[c.arguments for c in parse_reply(ask(backend).text).calls] for _ in range(2)]
    assert found == [[{"a": 1}, {"a": 2}], [{"a": 3}, {"a": 4}]]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"a": 1', "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ('"{}"', "must be a JSON object"),
        ('{"a": NaN}', "not a JSON number"),
        ('{"a": 1, "a": 2}', "given twice"),
        ('{"a": 1}}', "not valid JSON"),
        ('{}, "x": 1', "keys beside"),
        ("find the first", "not valid JSON"),
    ],
)
def test_broken_arguments_stay_a_broken_call(
    server: Told,
    opened: Callable[..., EndpointBackend],
    arguments: str,
    why: str,
) -> None:
    server.plan([call(0, "find", arguments, "a"), call(1, "find", '{"a": 2}', "b"), {"finish": "tool_calls"}])
    text = ask(opened()).text
    broken, good = parse_reply(text).calls
    assert broken.error is not None and why in broken.error and arguments in broken.raw
    assert good.arguments == {"a": 2} and good.error is None


def test_a_call_without_arguments_or_cut_off_before_them(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    server.plan([call(0, "find", "", "a"), {"finish": "tool_calls"}], [call(0, "find", "", "a"), {"finish": "length"}])
    backend = opened()
    [whole] = parse_reply(ask(backend).text).calls
    assert whole.error is None and whole.arguments == {}
    [cut] = parse_reply(ask(backend).text).calls
    assert cut.error is not None


def test_characters_split_between_chunks_and_deltas(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    halves = [
        {"delta": {"content": "A \ud83d"}, "escaped": True},
        {"delta": {"content": "\ude00 and \ud83d"}, "escaped": True},
        {"delta": {"content": "x"}},
        {"finish": "stop"},
    ]
    end = len('"}, "finish_reason": null}]}\n\n')
    bytewise = [{"split": [end + 5, end + 3, end + 2, end + 1]}, {"delta": {"content": "Grüße 😀"}}, {"finish": "stop"}]
    server.plan(bytewise, halves)
    backend = opened()
    assert ask(backend).text == "Grüße 😀"
    assert ask(backend).text == "A 😀 and \ufffdx"


def test_a_stop_ends_a_stream_at_once_even_while_the_server_is_silent(
    server: Told,
    opened: Callable[..., EndpointBackend],
) -> None:
    server.plan([{"delta": {"content": "On and"}}, {"wait": 1.5}, *said(" on")])
    backend, stop = opened(), threading.Event()
    stream = backend.stream(ASK, [], Sampling(), 0, stop.is_set)
    assert next(stream) == "On and"
    stop.set()
    started = time.perf_counter()
    last = next(stream)
    assert time.perf_counter() - started < 0.5
    assert isinstance(last, Completion) and (last.finish, last.text) == ("stopped", "On and")
    server.plan(said("Later."))
    assert ask(backend).text == "Later."


def test_a_stop_ends_the_waiting_between_tries(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    server.plan({"status": 429, "headers": {"Retry-After": "20"}, "body": "{}"})
    backend, stop = opened(), threading.Event()
    threading.Timer(0.4, stop.set).start()
    started = time.perf_counter()
    assert ask(backend, should_stop=stop.is_set).finish == "stopped"
    assert time.perf_counter() - started < 2
    time.sleep(0.2)
    assert len(server.seen()["requests"]) == 1


@pytest.mark.usefixtures("quick")
def test_passing_failures_are_tried_again_and_then_given_up(
    server: Told, opened: Callable[..., EndpointBackend]
) -> None:
    failure = {"status": 503, "body": '{"error": {"message": "Loading model"}}'}
    server.plan(failure, failure, said("Here."))
    backend = opened(tries=3)
    assert ask(backend).text == "Here."
    server.plan(failure)
    with pytest.raises(ModelError, match=r"failed \(503: Loading model\)"):
        ask(backend)
    assert len(server.seen()["requests"]) == 3


def test_retry_after_is_honoured(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    server.plan({"status": 429, "headers": {"Retry-After": "1"}, "body": "{}"}, said("Now."))
    assert ask(opened(timeout_seconds=0.5)).text == "Now."
    first, second = (request["at"] for request in server.seen()["requests"])
    assert 1.0 <= second - first < 2.5


def test_no_more_replies_at_once_than_allowed(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    server.plan([{"delta": {"content": "a"}}, {"wait": 0.2}, {"finish": "stop"}])
    backend = opened(at_once=3)
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(ask(backend).text)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert texts == ["a"] * 8 and server.seen()["most_at_once"] == 3


def test_waiting_for_a_place_can_be_stopped(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    server.plan([{"delta": {"content": "a"}}, {"wait": 1.0}, {"finish": "stop"}])
    backend = opened(at_once=1)
    first = backend.stream(ASK, [], Sampling(), 0, lambda: False)
    assert next(first) == "a"
    assert ask(backend, should_stop=lambda: True).finish == "stopped"
    first.close()  # type: ignore[attr-defined]
    server.plan(said("b"))
    assert ask(backend).text == "b"


HTML = {"headers": {"Content-Type": "text/html"}, "body": "<html>Welcome</html>"}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"status": 401, "body": '{"error": {"message": "no"}}'}, "refused the key or the access .401.* key_env"),
        ({"status": 403, "body": "{}"}, "refused the key or the access .403"),
        (
            {"status": 404, "body": '{"error": {"message": "model m not found"}}'},
            "no model 'm'.*not found.*GET /models",
        ),
        (
            {"status": 400, "body": '{"error": {"message": "context length 4096"}}'},
            "refused the request.*context length",
        ),
        ({"status": 200, **HTML}, "Expected a stream of events.*a web page came.*ends in /v1"),
        ({"status": 502, **HTML}, "answered with a web page .502"),
        ({"status": 302, "headers": {"Location": "http://192.0.2.1/"}}, "sent the request elsewhere .302"),
        ({"status": 200, "body": '{"choices": []}'}, "'application/json' came"),
        ([{"delta": {"content": "Half a"}}, {"cut": True}], "closed the connection before its reply was complete"),
        ([{"delta": {"content": "Half a"}}], "no finish_reason came"),
        ([{"raw": "data: {oops\n\n"}, {"finish": "stop"}], "something malformed"),
        ([{"raw": "data: [1, 2]\n\n"}, {"finish": "stop"}], "something malformed"),
        ([{"delta": {"content": [1]}}, {"finish": "stop"}], "something malformed"),
        ([{"raw": 'data: {"error": {"message": "out of memory"}}\n\n'}], "broke off its reply.*out of memory"),
        ([{"wait": 2.2}, *said("late")], "silent for more than 0.7 seconds.*timeout_seconds"),
        ([*[{"raw": ": ping\n\n"}, {"wait": 0.3}] * 8, *said("late")], "silent for more than 0.7 seconds"),
    ],
)
def test_each_way_to_fail_is_a_sentence(
    server: Told,
    opened: Callable[..., EndpointBackend],
    reply: Any,
    expected: str,
) -> None:
    server.plan(reply)
    with pytest.raises(ModelError, match=expected) as error:
        ask(opened(timeout_seconds=0.7, tries=2))
    assert server.base_url in str(error.value) and len(str(error.value)) < 700
    assert error.value.__cause__ is None, "the library's error holds the request"


@pytest.mark.usefixtures("quick")
def test_a_server_that_is_not_there(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    gone = "http://127.0.0.1:9/v1"
    with pytest.raises(ModelError, match=r"nothing could be reached there.*Start the server"):
        ask(opened(base_url=gone))
    with pytest.raises(ModelError, match="nothing could be reached"):
        open_endpoint("mine", server.endpoint(base_url=gone, tools="probe"))
    assert "nothing could be reached" in str(why_unreachable(server.endpoint(base_url=gone)))


@pytest.mark.parametrize(("tools", "way"), [("native", "native"), ("refused", "text"), ("ignored", "text")])
def test_the_way_of_tools_is_found_once(server: Told, tools: str, way: str) -> None:
    server.plan(tools=tools)
    first = open_endpoint("mine", server.endpoint())
    asked = len(server.seen()["all"])
    again = open_endpoint("mine", server.endpoint())
    assert first.tools == again.tools == way and 1 <= asked <= 2 and len(server.seen()["all"]) == asked
    first.close()
    again.close()


def test_a_call_in_answer_to_the_probe_settles_it(server: Told) -> None:
    server.plan([call(0, "ping", "{}", "a"), {"finish": "tool_calls"}], probe=True)
    backend = open_endpoint("mine", server.endpoint())
    assert backend.tools == "native" and len(server.seen()["all"]) == 1
    backend.close()


def test_a_server_without_tools_is_told_in_the_system_message(
    server: Told, opened: Callable[..., EndpointBackend]
) -> None:
    raw = 'Well: <tool_call>\n{"name": "find", "arguments": {"a": 1}\n</tool_call>'
    server.plan(said(raw))
    backend = opened(tools="text")
    assert ask(backend).text == raw, "the raw reply is kept, broken call and all"
    [request] = server.seen()["requests"]
    assert "tools" not in request["body"]
    system = request["body"]["messages"][0]["content"]
    assert system.startswith("Be short.\n\n# Tools") and '"name": "find"' in system
    assert backend.info.template_hash is not None


def test_what_a_server_lists(server: Told) -> None:
    server.plan(models=["other"])
    assert "Expected the model 'm'" in str(why_unreachable(server.endpoint())) and "'other'" in str(
        why_unreachable(server.endpoint())
    )
    with pytest.raises(ModelError, match="'other'"):
        open_endpoint("mine", server.endpoint())
    llama = '{"data": [{"id": "/models/x.gguf", "owned_by": "llamacpp"}]}'
    for models in (["m"], ["m:latest"], {"status": 200, "body": llama}, {"status": 404, "body": "{}"}, {"status": 500}):
        server.plan(models=models)
        assert why_unreachable(server.endpoint()) is None, models
    for models in (
        {"status": 200, **HTML},
        {"status": 404, **HTML},
        {"status": 200, "body": "[]"},
        {"status": 200, "body": "x"},
    ):
        server.plan(models=models)
        assert "Expected" in str(why_unreachable(server.endpoint())), models


def test_identity(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    info = opened().info
    assert (info.kind, info.name, info.model_hash) == ("model", "mine", server.endpoint().model_hash)
    assert server.endpoint(model="n").model_hash != info.model_hash
    assert server.endpoint(base_url=server.base_url + "/").model_hash == info.model_hash


def test_nothing_of_this_machine_is_sent(
    server: Told,
    opened: Callable[..., EndpointBackend],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: sk-of-somebody-else")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
    ask(opened())
    [request] = server.seen()["requests"]
    assert "sk-of-somebody-else" not in str(request)
    assert not {"authorization", "x-stainless-os", "x-mine"} & {name.lower() for name in request["headers"]}


def test_a_closed_backend_says_so(server: Told, opened: Callable[..., EndpointBackend]) -> None:
    backend = opened()
    backend.close()
    with pytest.raises(ModelError):
        ask(backend)


def test_the_client_library_holds_no_key(server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE_KEY", "sk-secret-0123456789")
    client = Client(server.endpoint(key_env="MINE_KEY"))
    assert client.api.api_key == "none" and client.key == "sk-secret-0123456789"
    client.close()
