"""How messages reach an MCP server: through the pipes of a child process, or over HTTP to this machine. Both bounded."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from lamsim_core.errors import InvalidInputError
from lamsim_core.tools.imported.limits import CALL_SECONDS, MAX_MESSAGE_BYTES
from lamsim_core.tools.imported.servers import LOOPBACK, Server, check_resolves_here

_GRACE_SECONDS = 2.0


def transport(server: Server) -> AbstractAsyncContextManager[Any]:
    """The pair of streams an MCP session speaks through. Raises InvalidInputError when the address is not of this machine."""
    if server.url is None:
        return _pipes(server.command)
    check_resolves_here(server.url)
    return _http(server.url)


@asynccontextmanager
async def _pipes(command: tuple[str, ...]) -> AsyncIterator[Any]:
    """Run the server as a child: no shell, a process group of its own, few environment variables, messages bounded."""
    import anyio
    from mcp.client.stdio import get_default_environment
    from mcp.shared.message import SessionMessage

    to_session, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        process = await anyio.open_process(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.__stderr__,
            env=get_default_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise InvalidInputError(f"The MCP server {command[0][:80]!r} cannot be started: {error.strerror}.") from error
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read_lines, process, to_session)
        tasks.start_soon(_write_lines, process, from_session)
        try:
            yield read_stream, write_stream
        finally:
            with anyio.CancelScope(shield=True):
                write_stream.close()
                await _end(process)
            for stream in (read_stream, to_session, from_session):
                stream.close()
            tasks.cancel_scope.cancel()


async def _read_lines(process: Any, to_session: Any) -> None:
    """Hand each line over as a message; a line that is too long ends the connection."""
    import anyio
    import mcp_types
    from mcp.shared.message import SessionMessage

    buffer = bytearray()
    async with to_session:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, OSError):
            while len(buffer) <= MAX_MESSAGE_BYTES:
                buffer += await process.stdout.receive(65_536)
                *lines, rest = bytes(buffer).split(b"\n") if b"\n" in buffer[-65_536:] else (bytes(buffer),)
                for line in lines:
                    try:
                        message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValueError as error:
                        await to_session.send(error)
                    else:
                        await to_session.send(SessionMessage(message))
                if lines:
                    buffer = bytearray(rest)


async def _write_lines(process: Any, from_session: Any) -> None:
    import anyio

    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
        async with from_session:
            async for message in from_session:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.stdin.send(text.encode() + b"\n")


async def _end(process: Any) -> None:
    """Close the server's input and wait; then end its whole process group."""
    import anyio
    from mcp.os.posix.utilities import terminate_posix_process_tree

    with suppress(OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        await process.stdin.aclose()
    with anyio.move_on_after(_GRACE_SECONDS):
        while process.returncode is None:
            await anyio.sleep(0.01)
    await terminate_posix_process_tree(process, _GRACE_SECONDS)
    with anyio.move_on_after(_GRACE_SECONDS):
        await process.aclose()


@asynccontextmanager
async def _http(url: str) -> AsyncIterator[Any]:
    """Speak streamable HTTP with this machine only: no proxies, no other hosts, answers bounded and uncompressed."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            seen = 0
            async for part in self._stream:
                seen += len(part)
                if seen > MAX_MESSAGE_BYTES:
                    raise httpx2.ReadError(f"The server's answer has more than {MAX_MESSAGE_BYTES:,} bytes.")
                yield part

        async def aclose(self) -> None:
            await self._stream.aclose()

    class Here(httpx2.AsyncBaseTransport):
        def __init__(self) -> None:
            self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.host not in LOOPBACK:
                raise httpx2.UnsupportedProtocol("Only this machine is contacted.")
            response = await self._inner.handle_async_request(request)
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                await response.aclose()
                raise httpx2.RemoteProtocolError("The server's answer is compressed, which was not asked for.")
            return httpx2.Response(
                response.status_code,
                headers=response.headers,
                stream=Bounded(response.stream),
                extensions=response.extensions,
            )

        async def aclose(self) -> None:
            await self._inner.aclose()

    client = httpx2.AsyncClient(
        transport=Here(),
        trust_env=False,
        follow_redirects=False,
        headers={"accept-encoding": "identity"},
        timeout=httpx2.Timeout(10.0, read=CALL_SECONDS),
    )
    async with client, streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES) as streams:
        yield streams
