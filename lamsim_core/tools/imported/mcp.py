"""Tools of an MCP server: listed once, called through a ``Recorder``, and replayed afterwards without the server."""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import Any, Self

from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError, LamsimError
from lamsim_core.tools.imported.definitions import read_tools
from lamsim_core.tools.imported.limits import (
    CALL_SECONDS,
    CONNECT_SECONDS,
    MAX_FAULT,
    MAX_PAGES,
    MAX_RESULT_BYTES,
    MAX_TOOLS,
)
from lamsim_core.tools.imported.reading import check_value, read_json
from lamsim_core.tools.imported.records import Definition, Result
from lamsim_core.tools.imported.servers import Server
from lamsim_core.tools.imported.transports import transport


class Recorder:
    """A connection to a running server, within ``with``.

    The server keeps its state from call to call for as long as the block lasts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stack = ExitStack()
        self._portal: Any = None
        self._client: Any = None

    def __enter__(self) -> Self:
        """Start or reach the server. Raises InvalidInputError when it cannot be."""
        from anyio.from_thread import start_blocking_portal

        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            connection: AbstractContextManager[Any] = self._portal.wrap_async_context_manager(_connected(self._server))
            try:
                self._client = stack.enter_context(connection)
            except Exception as error:
                raise self._failed("reached", error) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Let the server go; what goes wrong now changes nothing that was answered."""
        from contextlib import suppress

        with suppress(Exception):
            self._stack.__exit__(None, None, None)

    def tools(self) -> list[Definition]:
        """The server's tools. Raises InvalidInputError: it gave none, or one that cannot be used."""
        try:
            found = self._portal.call(_list, self._client)
        except Exception as error:
            raise self._failed("asked for its tools", error) from error
        check_value(found, "The list of tools")
        return read_tools(found)

    def call(self, origin: str, arguments: Mapping[str, JsonValue]) -> Result:
        """Call a tool by the server's name for it. A refusal is a result; it is not raised.

        Raises:
            InvalidInputError: the server could not be asked, or answered what cannot be recorded.
        """
        try:
            answer = self._portal.call(_call, self._client, origin, dict(arguments))
        except Exception as error:
            from mcp import MCPError

            if isinstance(error, MCPError) and error.code == _REFUSED:
                return Result(ok=False, fault=_sentence(str(error)))
            raise self._failed(f"asked to run {origin[:80]!r}", error) from error
        return to_result(answer)

    def _failed(self, what: str, error: BaseException) -> LamsimError:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, LamsimError):
            return error
        reason = "it did not answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        return InvalidInputError(
            f"The MCP server {self._server.shown} could not be {what}: {' '.join(reason.split())[:300]}. Is it an MCP server, "
            "and does it run?"
        )


_REFUSED = -32602
"""Code of JSON-RPC for parameters that a server does not take. Others tell of the connection, not of the call."""


def to_result(answer: Mapping[str, Any]) -> Result:
    """A server's answer as plain JSON: structured content when given, else texts, read as JSON where they are.

    Raises:
        InvalidInputError: it is too large or not plain JSON.
    """
    blocks = [_block(each) for each in answer.get("content") or []]
    if answer.get("isError"):
        texts = " ".join(each if isinstance(each, str) else canonical_json(each) for each in blocks)
        return Result(ok=False, fault=_sentence(texts))
    structured = answer.get("structuredContent")
    content = structured if structured is not None else blocks[0] if len(blocks) == 1 else blocks
    check_value(content, "The server's answer", text=False)
    size = len(canonical_json(content))
    if size > MAX_RESULT_BYTES:
        raise InvalidInputError(
            f"The server's answer has {size:,} bytes; at most {MAX_RESULT_BYTES:,} are recorded. Ask for less."
        )
    return Result(ok=True, content=content)


def _block(block: Any) -> JsonValue:
    if block.get("type") != "text":
        return {"type": str(block.get("type"))[:40], "note": "Only text is recorded."}
    text = str(block.get("text", ""))
    try:
        value = read_json(text)
        check_value(value, "A text", text=False)
    except InvalidInputError:
        return text
    return value


def _sentence(text: str) -> str:
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain[:MAX_FAULT] or "The server refused the call without a reason."


@asynccontextmanager
async def _connected(server: Server) -> AsyncIterator[Any]:
    import anyio
    from mcp import Client

    client = Client(transport(server), mode="auto", cache=None, read_timeout_seconds=CALL_SECONDS)
    with anyio.CancelScope(deadline=anyio.current_time() + CONNECT_SECONDS) as waiting:
        async with client:
            waiting.deadline = math.inf
            yield client
    if waiting.cancelled_caught:
        raise TimeoutError


async def _list(client: Any) -> list[dict[str, Any]]:
    import anyio

    found: list[dict[str, Any]] = []
    cursor: str | None = None
    with anyio.fail_after(CONNECT_SECONDS):
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor or len(found) > MAX_TOOLS:
                break
    return found


async def _call(client: Any, name: str, arguments: dict[str, JsonValue]) -> dict[str, Any]:
    """Call a tool. Not through ``client.call_tool``, which runs the server's patterns over the server's answer."""
    import anyio
    from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult

    with anyio.fail_after(CALL_SECONDS):
        result = await client.session.send_request(
            CallToolRequest(params=CallToolRequestParams(name=name, arguments=arguments)), CallToolResult
        )
    answer: dict[str, Any] = result.model_dump(mode="json", by_alias=True)
    return answer
