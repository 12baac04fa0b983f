"""A small OpenAI-compatible server for tests, run as a process of its own: ``python -m tests.models.endpoint_server``.

It prints its port, then does what it is told: PUT /plan sets what the next requests are answered with, GET /seen returns
what was asked. A plan is JSON: ``replies`` (one for each completion, the last one again and again) and ``tools`` (what the
server makes of tools: ``native``, ``refused``, ``ignored``), ``models``, ``key``. A reply is a list of events:

    {"delta": {...}}      a chunk, perhaps with "logprobs": [...] of its tokens
                                                       {"raw": "text"}     bytes as they are, UTF-8
    {"finish": "stop"}    the end of the reply         {"usage": {...}}    the counts
    {"wait": 0.2}         a pause                      {"cut": true}       the connection is closed
    {"split": [n, ...]}   the next chunk's bytes are sent in pieces, cut at these places from its end

or ``{"status": 503, "headers": {...}, "body": "..."}``, answered instead of a stream.
"""

import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

TOOL_TOKENS = 50


class Server(ThreadingHTTPServer):
    """Holds the plan, and what was seen."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.plan: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []
        self.at_once = self.most_at_once = self.broken_off = 0

    def next_reply(self) -> Any:
        with self.lock:
            replies = self.plan.get("replies") or [said("pong")]
            return replies.pop(0) if len(replies) > 1 else replies[0]


def said(text: str) -> list[dict[str, Any]]:
    return [{"delta": {"role": "assistant", "content": text}}, {"finish": "stop"}]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        with self.server.lock:
            self.server.plan = self._body()
            self.server.seen = []
            self.server.at_once = self.server.most_at_once = self.server.broken_off = 0
        self._answer(200, {})

    def do_GET(self) -> None:
        if self.path == "/seen":
            with self.server.lock:
                found = {
                    "requests": self.server.seen,
                    "most_at_once": self.server.most_at_once,
                    "broken_off": self.server.broken_off,
                }
            self._answer(200, found)
        elif not self._refused() and self.path == "/v1/models":
            given = self.server.plan.get("models", ["m"])
            if isinstance(given, dict):
                self._plain(given)
            else:
                self._answer(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in given]})

    def do_POST(self) -> None:
        body = self._body()
        with self.server.lock:
            self.server.seen.append({"headers": dict(self.headers), "body": body, "at": time.time()})
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.at_once, self.server.most_at_once)
        try:
            self._complete(body)
        except OSError:
            self.server.broken_off += 1
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def _complete(self, body: dict[str, Any]) -> None:
        if self._refused():
            return
        tools = self.server.plan.get("tools", "native")
        if body.get("tools") and tools == "refused":
            self._answer(400, {"error": {"message": f"{body['model']} does not support tools"}})
            return
        if body["messages"][0]["content"] == "Call the tool ping now." and "probe" not in self.server.plan:
            prompt = 10 + (TOOL_TOKENS if body.get("tools") and tools == "native" else 0)
            self._stream([*said("pong"), {"usage": {"prompt_tokens": prompt, "completion_tokens": 1}}])
            return
        reply = self.server.next_reply()
        if isinstance(reply, dict):
            self._plain(reply)
        else:
            self._stream(reply)

    def _stream(self, events: list[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        split: list[int] = []
        for event in events:
            if "wait" in event:
                time.sleep(event["wait"])
            elif "cut" in event:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            elif "split" in event:
                split = event["split"]
            else:
                data = event["raw"].encode() if "raw" in event else sse(event)
                places = [0, *(len(data) - place for place in split), len(data)]
                for start, end in pairwise(places):
                    self._chunk(data[start:end])
                    time.sleep(0.02 if split else 0)
                split = []
        if events and "quiet" not in events[-1]:
            self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _refused(self) -> bool:
        key = self.server.plan.get("key")
        got = self.headers.get("Authorization", "")
        if key is None or got == f"Bearer {key}":
            return False
        self._answer(401, {"error": {"message": f"Incorrect API key provided: {got.removeprefix('Bearer ')}"}})
        return True

    def _plain(self, reply: dict[str, Any]) -> None:
        body = reply.get("body", "").encode()
        self.send_response(reply["status"])
        for name, value in {"Content-Type": "application/json", **reply.get("headers", {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        self._plain({"status": status, "body": json.dumps(value)})

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")


def sse(event: dict[str, Any]) -> bytes:
    """One event of a stream, characters beyond ASCII as themselves."""
    chunk: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": []}
    if "usage" in event:
        chunk["usage"] = event["usage"]
    else:
        choice = {"index": 0, "delta": event.get("delta", {}), "finish_reason": event.get("finish")}
        if "logprobs" in event:
            choice["logprobs"] = {"content": event["logprobs"]}
        chunk["choices"] = [choice]
    ascii_only = event.get("escaped", False)
    return f"data: {json.dumps(chunk, ensure_ascii=ascii_only)}\n\n".encode()


def stop_with_the_parent(server: Server) -> None:
    """The parent's end of stdin closes when the parent is gone."""
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    server = Server()
    print(server.server_address[1], flush=True)
    threading.Thread(target=stop_with_the_parent, args=(server,), daemon=True).start()
    server.serve_forever()
