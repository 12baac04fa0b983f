"""Requests to an OpenAI-compatible server: one connection pool, requests tried again, and what the server can do."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import httpx2
import openai
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_when_event_set
from tenacity.nap import sleep_using_event
from tenacity.wait import wait_random_exponential

from lamsim_core.errors import ModelError, StoppedError
from lamsim_core.models.endpoint_entry import Endpoint
from lamsim_core.models.endpoint_errors import PASSING, explain, is_page, message_of, not_a_stream, shown

FIRST_WAIT = 0.5
"""Seconds; the longest first wait before another try. It doubles each time, and is drawn at random below that."""
LONGEST_WAIT = 30.0
"""Seconds; also the most of a Retry-After that is waited for."""
CONNECT_SECONDS = 10.0
HERE_SECONDS = 2.5
"""How long a server may take to show that it is there."""
FRESH_SECONDS = 600.0
"""How long what a probe found is believed."""

_SENT = frozenset({"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"})

ResultT = TypeVar("ResultT")
Tools = Literal["native", "text"]


class Client:
    """A server, ready to be asked. Thread-safe."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        """Where the server is."""
        self.key = endpoint.key()
        """The key. It is put into the request at the last moment and nowhere else."""
        self.tells_tokens = True
        """Whether it is asked for the probability of each token: until it refuses."""
        self._http = httpx2.Client(
            timeout=httpx2.Timeout(endpoint.timeout_seconds, connect=min(CONNECT_SECONDS, endpoint.timeout_seconds)),
            # A redirect could lead to another machine, and so could a proxy of the environment.
            follow_redirects=False,
            trust_env=not endpoint.is_local,
            event_hooks={"request": [self._set_headers]},
        )
        self.api = openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0, http_client=self._http)
        """The library's client. It is given no key, so none can come out of it."""

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def _set_headers(self, request: httpx2.Request) -> None:
        """Send what HTTP needs and the key, nothing the library adds from OPENAI_* or tells about this machine."""
        for name in list(request.headers):
            if name.lower() not in _SENT:
                del request.headers[name]
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"

    def tried(
        self,
        ask: Callable[[], ResultT],
        *,
        stop: threading.Event | None = None,
        on_wait: Callable[[float], None] | None = None,
        tries: int | None = None,
    ) -> ResultT:
        """The result of ``ask``, tried again while it fails for a passing reason.

        Args:
            ask: makes the request.
            stop: ends the waiting when it is set.
            on_wait: told how long is waited before the next try.
            tries: how often it is tried at most; as often as the entry says when None.

        Raises:
            ModelError: it failed for good, or as often as it may.
            StoppedError: ``stop`` was set.
        """
        stop = stop or threading.Event()
        retrying = Retrying(
            retry=retry_if_exception(is_passing),
            wait=_wait,
            stop=stop_after_attempt(min(tries or self.endpoint.tries, self.endpoint.tries)) | stop_when_event_set(stop),
            sleep=sleep_using_event(stop),
            before_sleep=lambda state: on_wait(state.upcoming_sleep) if on_wait is not None else None,
            reraise=True,
        )

        def once() -> ResultT:
            if stop.is_set():
                raise StoppedError("Nobody waits for the server any more.")
            return ask()

        try:
            return retrying(once)
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            raise explain(error, self.endpoint, self.key) from None

    def open_stream(self, **request: Any) -> openai.Stream[Any]:
        """Ask for a streamed reply; returns when the server began to answer.

        Raises:
            openai.OpenAIError: the server refused or could not be reached.
            ModelError: what comes is no stream of events.
        """
        stream: openai.Stream[Any] = self.api.chat.completions.create(
            model=self.endpoint.model, stream=True, stream_options={"include_usage": True}, **request
        )
        content_type = stream.response.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() != "text/event-stream":
            stream.close()
            raise not_a_stream(self.endpoint, content_type)
        return stream


def is_passing(error: BaseException) -> bool:
    """Whether another try may do better. A silent server is not asked again: the time it may take is set by the user."""
    if isinstance(error, openai.APIStatusError):
        refuses = (
            error.status_code == 501 or lacks_tools(error) or is_page(error.response.headers.get("content-type", ""))
        )
        return not refuses and (error.status_code >= 500 or error.status_code in PASSING)
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)


def lacks_tools(error: openai.APIStatusError) -> bool:
    """Whether a server says that it has no tool calling: vLLM with 400, llama.cpp with 500, Ollama with 400."""
    said = message_of(error).lower()
    return error.status_code in (400, 422, 500, 501) and any(
        word in said for word in ("tool", "--jinja", "function call")
    )


def _wait(state: RetryCallState) -> float:
    """Seconds to the next try: what the server asks for, else exponentially longer with jitter."""
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, openai.APIStatusError):
        asked = error.response.headers.get("retry-after", "")
        if asked.isascii() and asked.isdecimal():
            return min(float(asked), LONGEST_WAIT)
    return _JITTERED(state)


_JITTERED = wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)


@dataclass(frozen=True)
class _Found:
    tools: Tools
    at: float


_found: dict[str, _Found] = {}


def way_of_tools(client: Client) -> Tools:
    """How the server is told about tools: as its entry says, or as a probe finds (once per server and model).

    Raises:
        ModelError: the server cannot be reached, refuses, or does not have the model.
    """
    endpoint = client.endpoint
    if endpoint.tools != "probe":
        return endpoint.tools
    known = _found.get(endpoint.model_hash)
    if known is None or time.monotonic() - known.at > FRESH_SECONDS:
        known = _Found(_probe(client), time.monotonic())
        _found[endpoint.model_hash] = known
    return known.tools


def forget_probes() -> None:
    """Probe again at the next opening."""
    _found.clear()


_PROBE_TOOL = {
    "type": "function",
    "function": {
        "name": "ping",
        "description": "Answers pong.",
        "parameters": {"type": "object", "properties": {}, "required": []},
    },
}
_PROBE_TOKENS = 32
PROBE_TRIES = 3
"""Fewer than for a reply: somebody waits for the model to open."""


def _probe(client: Client) -> Tools:
    """The list of models, then two tiny replies, with and without a tool.

    A server has tool calling when a call comes back, or when the tool made the prompt longer: one that ignores ``tools``
    would leave the model without any, and nothing in its answers would say so. In doubt tools go into the text.
    """
    missing = client.tried(lambda: _why_missing(client, client.endpoint.timeout_seconds), tries=PROBE_TRIES)
    if missing is not None:
        raise ModelError(missing)
    try:
        called, with_tool = client.tried(lambda: _tiny(client, tools=[_PROBE_TOOL]), tries=PROBE_TRIES)
    except _NoToolsError:
        client.tried(lambda: _tiny(client), tries=PROBE_TRIES)
        return "text"
    if called:
        return "native"
    _, without = client.tried(lambda: _tiny(client), tries=PROBE_TRIES)
    return "native" if with_tool is not None and without is not None and with_tool > without else "text"


class _NoToolsError(ModelError):
    """The server says that it has no tool calling."""


def _tiny(client: Client, **more: Any) -> tuple[bool, int | None]:
    """A reply of a few tokens: whether it calls a tool, and how many tokens its prompt had."""
    called, prompt = False, None
    try:
        with client.open_stream(
            messages=[{"role": "user", "content": "Call the tool ping now."}],
            max_tokens=_PROBE_TOKENS,
            temperature=0.0,
            **more,
        ) as stream:
            for chunk in stream:
                prompt = chunk.usage.prompt_tokens if chunk.usage else prompt
                called = called or any(choice.delta.tool_calls for choice in chunk.choices or () if choice.delta)
    except openai.APIStatusError as error:
        if more and lacks_tools(error):
            raise _NoToolsError("no tools") from error
        raise
    return called, prompt


def why_unreachable(endpoint: Endpoint) -> str | None:
    """Why the server of an entry cannot be used now, or None. Asks it once, for seconds at most."""
    client = Client(endpoint)
    try:
        return client.tried(lambda: _why_missing(client, HERE_SECONDS), tries=1)
    except ModelError as error:
        return str(error)
    finally:
        client.close()


def _why_missing(client: Client, seconds: float) -> str | None:
    """Why the model is not among those GET /models lists, or None.

    Also None when the server has no such list or cannot make it (``transformers serve`` without a network): only a reply
    can tell then. llama.cpp serves its one model under any name; Ollama adds a tag to names without one.
    """
    endpoint = client.endpoint
    try:
        answer = client.api.with_options(timeout=min(seconds, endpoint.timeout_seconds)).get(
            "/models", cast_to=httpx2.Response
        )
    except openai.APIStatusError as error:
        page = is_page(error.response.headers.get("content-type", ""))
        if page or error.status_code not in (404, 405, 500, 501):
            raise
        return None
    if is_page(answer.headers.get("content-type", "")):
        raise not_a_stream(endpoint, "text/html")
    listed = answer.json()
    models = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(models, list):
        raise ValueError("not a list of models")
    names = [str(item.get("id")) for item in models if isinstance(item, dict)]
    any_name = any(isinstance(item, dict) and item.get("owned_by") == "llamacpp" for item in models)
    if (
        not names
        or any_name
        or {endpoint.model, endpoint.model.partition(":")[0], f"{endpoint.model}:latest"} & {*names}
    ):
        return None
    known = ", ".join(repr(shown(name, client.key)[:80]) for name in names[:6])
    return (
        f"Expected the model {endpoint.model!r} at {endpoint.base_url}, but the server has {known}."
        " Correct the entry, or load the model there."
    )
