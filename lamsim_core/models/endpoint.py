"""Models of an OpenAI-compatible server (vLLM, llama.cpp, Ollama, ...), streamed.

A reply is read in a thread of its own, so that a stop is heeded while the server is silent. The reply comes out in the
product's own form, whichever way the server was told about tools.
"""

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import openai

from lamsim_core.errors import ModelError, StoppedError
from lamsim_core.models.backend import UNCONSTRAINED, Completion, Message
from lamsim_core.models.endpoint_client import Client, Tools, way_of_tools
from lamsim_core.models.endpoint_entry import Endpoint
from lamsim_core.models.endpoint_errors import cut_off, explain, silent
from lamsim_core.models.endpoint_messages import PREAMBLE, native_messages, native_tools, text_messages
from lamsim_core.models.endpoint_reply import MAX_CHARACTERS, ReplyWriter
from lamsim_core.models.endpoint_tokens import TokenReader, refuses_logprobs
from lamsim_core.records import PolicyInfo, Sampling, ToolSchema, Usage

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 1.0
_SECRET_LENGTH = 12
_NOTHING = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0, prefill_seconds=0.0, decode_seconds=0.0)


def open_endpoint(name: str, endpoint: Endpoint) -> "EndpointBackend":
    """The model behind an entry, after its server showed that it is there and has it.

    Raises:
        ModelError: it cannot be reached, refuses the key, or does not have the model.
    """
    client = Client(endpoint)
    try:
        return EndpointBackend(name, client, way_of_tools(client))
    except ModelError:
        client.close()
        raise


class EndpointBackend:
    """One model of one server. Several threads may use it, up to ``at_once`` of them at the same time."""

    def __init__(self, name: str, client: Client, tools: Tools) -> None:
        self._client = client
        self._tools = tools
        self._slots = threading.BoundedSemaphore(client.endpoint.at_once)
        preamble = hashlib.sha256(PREAMBLE.encode()).hexdigest()[:16]
        self._info = PolicyInfo(
            kind="model",
            name=name,
            model_hash=client.endpoint.model_hash,
            template_hash=preamble if tools == "text" else None,
            device="endpoint",
        )

    @property
    def info(self) -> PolicyInfo:
        """Who this is, by name and by the hash of its address. Where tools went into the text, the hash of those words."""
        return self._info

    @property
    def tools(self) -> Tools:
        """How the server is told about tools."""
        return self._tools

    def close(self) -> None:
        """Close the connections to the server."""
        self._client.close()

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> Iterator[str | Completion]:
        """Yield the reply's text in pieces as it is written, then exactly one ``Completion``.

        Text comes as it is written, calls at the end, since only a whole call can be brought into its form.

        Raises:
            ModelError: the server failed, was silent for too long, or sent what is no reply; or calls are to be constrained.
        """
        if sampling.constrained:
            raise ModelError(UNCONSTRAINED.format(name=self._info.name))
        while not self._slots.acquire(timeout=_POLL_SECONDS):
            if should_stop():
                yield Completion(text="", usage=_NOTHING, finish="stopped")
                return
        reading = _Reading(self._client, self._request(messages, tools, sampling, seed))
        try:
            reading.start()
            yield from self._guarded(reading, should_stop)
        finally:
            reading.stop.set()
            self._slots.release()

    def _request(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], sampling: Sampling, seed: int
    ) -> dict[str, Any]:
        native = self._tools == "native"
        request: dict[str, Any] = {
            "messages": native_messages(messages) if native else text_messages(messages, tools),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            # Some servers keep seeds in 32 bits.
            "seed": seed % 2**31,
        }
        if native and tools:
            request["tools"] = native_tools(tools)
        return request

    def _guarded(self, reading: "_Reading", should_stop: Callable[[], bool]) -> Iterator[str | Completion]:
        """What is read, with an eye on the stop, on the time and on a server that gives the key away."""
        key = self._client.key
        said = ""
        allowed = self._client.endpoint.timeout_seconds + _GRACE_SECONDS
        deadline = time.monotonic() + allowed
        while True:
            if should_stop():
                yield Completion(text=said, usage=_NOTHING, finish="stopped")
                return
            try:
                item = reading.items.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise silent(self._client.endpoint) from None
                continue
            deadline = time.monotonic() + allowed + (item if isinstance(item, float) else 0.0)
            if isinstance(item, ModelError):
                raise item
            if isinstance(item, float):
                continue
            if isinstance(item, str):
                said += item
                if key is not None and len(key) >= _SECRET_LENGTH and key in said:
                    raise ModelError(
                        f"The server at {self._client.endpoint.base_url} repeated the key within its reply, which was not kept."
                        " Change the key, and do not use this server with one."
                    )
                if item:
                    yield item
                continue
            yield item
            return


class _Reading(threading.Thread):
    """Asks for one reply and reads it. What comes is put into ``items``, an error or the completion last."""

    def __init__(self, client: Client, request: dict[str, Any]) -> None:
        super().__init__(name="endpoint-reply", daemon=True)
        self.items: queue.Queue[str | float | Completion | ModelError] = queue.Queue()
        """Pieces of text (empty when something came that cannot be shown yet), seconds to be waited, and the end."""
        self.stop = threading.Event()
        """Set when nobody listens any more."""
        self._client = client
        self._request = request
        self._writer = ReplyWriter()
        self._tokens = TokenReader()
        self._usage = _NOTHING
        self._finish: str | None = None
        self._asked = 0.0
        self._first: float | None = None

    def run(self) -> None:
        """Read until the end of the reply, or until nobody listens."""
        try:
            stream = self._client.tried(self._open, stop=self.stop, on_wait=self.items.put)
            with stream:
                for chunk in stream:
                    if self.stop.is_set():
                        return
                    self.items.put(self._take(chunk))
                    if self._writer.characters > MAX_CHARACTERS:
                        self._finish = "length"
                        break
            self.items.put(self._end())
        except StoppedError:
            return
        except ModelError as error:
            self.items.put(error)
        except Exception as error:  # the library checks nothing it reads, so a malformed chunk can show as anything
            self.items.put(explain(error, self._client.endpoint, self._client.key))

    def _open(self) -> Any:
        self._asked = time.perf_counter()
        if not self._client.tells_tokens:
            return self._client.open_stream(**self._request)
        try:
            return self._client.open_stream(**self._request, logprobs=True)
        except openai.APIStatusError as error:
            if not refuses_logprobs(error):
                raise
            self._client.tells_tokens = False
            return self._client.open_stream(**self._request)

    def _take(self, chunk: Any) -> str:
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)
        piece = ""
        for choice in (chunk.choices or ())[:1]:
            self._tokens.take(getattr(choice, "logprobs", None))
            delta = choice.delta
            if delta is not None:
                if self._first is None and (delta.content or delta.tool_calls):
                    self._first = time.perf_counter()
                piece = self._writer.say(delta.content or "")
                for call in delta.tool_calls or ():
                    function = call.function
                    self._writer.call(call.index, call.id, function and function.name, function and function.arguments)
            self._finish = choice.finish_reason or self._finish
        return piece

    def _end(self) -> Completion:
        """The whole reply.

        Raises:
            ModelError: the server ended the stream without ending the reply.
        """
        if self._finish is None:
            raise cut_off(self._client.endpoint)
        finish: Literal["end", "length"] = "length" if self._finish == "length" else "end"
        self.items.put(self._writer.end(finish))
        now = time.perf_counter()
        first = now if self._first is None else self._first
        usage = self._usage.model_copy(
            update={"prefill_seconds": first - self._asked, "decode_seconds": max(0.0, now - first)}
        )
        sampled = self._tokens.sampled(usage.completion_tokens, self._client.key)
        return Completion(text=self._writer.text, usage=usage, finish=finish, sampled=sampled)


def _usage(given: Any) -> Usage:
    """What the server counted; what it did not count is 0, and without a count of the prompt nothing is recorded."""
    details = getattr(given, "prompt_tokens_details", None)
    return _NOTHING.model_copy(
        update={
            "prompt_tokens": _count(given.prompt_tokens),
            "cached_tokens": _count(getattr(details, "cached_tokens", None)),
            "completion_tokens": _count(given.completion_tokens),
        }
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
