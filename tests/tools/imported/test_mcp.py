"""A real MCP server, over pipes and over HTTP: listed, called, recorded, stopped; replayed without it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lamsim_core.environment import Environment
from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.records import ToolCall
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.tools.imported import (
    Recorder,
    Recording,
    Server,
    import_mcp,
    import_openapi,
    imported_categories,
    record_call,
    record_calls,
    world_of,
)
from lamsim_core.tools.imported.mcp import to_result
from tests.tools.imported.sources import PETS, of
from tests.tools.imported.test_simulation import elsewhere

MODULE = "tests.tools.imported.server"
CALLS = [
    Recording("spend", {"amount": 30}),
    Recording("bank_spend", {"amount": 30}),
    Recording("spend", {"amount": 60}),
    Recording("get_rate", {"currency": "EUR"}),
    Recording("get_rate", {"currency": "XXX"}),
    Recording("speak", {"words": '{"a": [1, 2]}'}),
    Recording("speak", {"words": "plain"}),
]


@pytest.fixture
def pipes(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.chdir(REPOSITORY)
    return Server((sys.executable, "-m", MODULE))


@pytest.fixture
def over_http() -> Iterator[tuple[Server, "subprocess.Popen[bytes]"]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", MODULE, str(port)], cwd=REPOSITORY)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield Server(url=f"http://127.0.0.1:{port}/mcp"), process
    process.kill()
    process.wait()


@pytest.fixture
def bank(home: Settings) -> None:
    """The bank, imported without being asked: its tools as the server of these tests describes them."""
    from lamsim_core.tools.imported.definitions import read_tools
    from lamsim_core.tools.imported.faces import _add

    listed = [
        {"name": "get_rate", "inputSchema": of(currency={"type": "string"}), "annotations": {"readOnlyHint": True}},
        {"name": "spend", "inputSchema": of(amount={"type": "integer"}, note={"type": "string"})},
        {"name": "flood", "inputSchema": of(size={"type": "integer"})},
    ]
    _add(home, "bank", "Bank", "Replays what an MCP server answered.", "mcp", read_tools(listed))


def replayed(settings: Settings) -> list[Any]:
    """The recorded calls and some others, without a server."""
    category = imported_categories(settings).categories["bank"]
    environment = Environment(world_of(category, 5), category.tools)
    found = []
    for tool, arguments in SEQUENCE:
        done = environment.step(ToolCall(id="c", name=tool, arguments=arguments, raw=""))
        found.append([tool, done.observation.model_dump(mode="json"), done.after])
    return found


SEQUENCE: list[tuple[str, dict[str, Any]]] = [
    ("bank_spend", {"amount": 30}),
    ("bank_get_rate", {"currency": "EUR"}),
    ("bank_spend", {"amount": 30.0}),
    ("bank_spend", {"amount": 30}),
    ("bank_spend", {"amount": 60}),
    ("bank_spend", {"amount": 1}),
    ("bank_get_rate", {"currency": "XXX"}),
    ("bank_get_rate", {"currency": "USD"}),
    ("bank_speak", {"words": '{"a": [1, 2]}'}),
    ("bank_speak", {"words": "plain"}),
]


def check_replay(settings: Settings) -> None:
    found = replayed(settings)
    contents = [observation["content"] for _, observation, _ in found]
    faults = [observation["fault"] for _, observation, _ in found]
    assert contents[0] == {"left": 70} and contents[2] == {"left": 40}
    assert contents[1] == {"currency": "EUR", "rate": 1.25}
    assert "recorded 2 times" in contents[3]["error"] and "not recorded" in contents[5]["error"]
    assert contents[4] == {
        "error": "Error executing tool spend: There is not enough money."
    } or "not enough money" in str(contents[4])
    assert "no such currency" in str(contents[6]) and "not recorded" in contents[7]["error"]
    assert contents[8:] == [{"a": [1, 2]}, "plain"]
    assert faults == [None, None, None, "refused", "refused", "refused", "refused", "refused", None, None]
    hashes = [after for _, _, after in found]
    assert len(set(hashes[:3])) == 2 and hashes[0] == hashes[1] != hashes[2], "reading leaves no trace, spending does"
    assert set(hashes[2:]) == {hashes[2]}
    assert {
        json.dumps(json.loads(elsewhere(settings, [list(each) for each in SEQUENCE], seed))) for seed in ("1", "77")
    } == {json.dumps(found)}


def test_over_pipes(home: Settings, pipes: Server) -> None:
    category = import_mcp(home, "bank", "Bank", pipes)
    assert {name: spec.mutates for name, spec in category.tools.items()} == {
        "bank_get_rate": False,
        "bank_spend": True,
        "bank_speak": False,
        "bank_flood": True,
    }
    results = record_calls(home, "bank", CALLS, pipes)
    assert [result.ok for result in results] == [True, True, False, True, False, True, True]
    check_replay(home)
    assert str(sys.executable) not in (home.home / "tools" / "bank.json").read_text(), "a command is never stored"


def test_over_http_and_then_without_the_server(
    home: Settings, over_http: tuple[Server, "subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, process = over_http
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    import_mcp(home, "bank", "Bank", server)
    record_calls(home, "bank", CALLS[:3], server)
    for call in CALLS[3:]:
        record_call(home, "bank", call, server)
    with pytest.raises(InvalidInputError, match="at most 16,000"):
        record_call(home, "bank", Recording("flood", {"size": 20_000}), server)
    with pytest.raises(InvalidInputError):
        record_call(home, "bank", Recording("flood", {"size": 3_000_000}), server)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(InvalidInputError, match="could not be reached"):
        record_call(home, "bank", CALLS[0], server)
    check_replay(home)


def test_what_cannot_be_recorded_is_refused_and_nothing_is_written(home: Settings, bank: None, pipes: Server) -> None:
    import_openapi(home, "pets", "Pets", PETS)
    before = (home.home / "tools" / "bank.json").read_bytes()
    with pytest.raises(NotFoundError):
        record_call(home, "bank", Recording("get_rates", {}), pipes)
    with pytest.raises(NotFoundError):
        record_call(home, "nobody", Recording("get_rate", {}), pipes)
    with pytest.raises(InvalidInputError, match="must be integer"):
        record_call(home, "bank", Recording("spend", {"amount": "1"}), pipes)
    with pytest.raises(InvalidInputError, match="simulated"):
        record_call(home, "pets", Recording("listPets", {}), pipes)
    with pytest.raises(InvalidInputError, match="8,000"):
        record_call(home, "bank", Recording("spend", {"amount": 1, "note": "x" * 9_000}), pipes)
    with Recorder(pipes) as recorder:
        with pytest.raises(InvalidInputError, match="at most 16,000"):
            to_result({"content": [{"type": "text", "text": "x" * 17_000}]})
        with pytest.raises(InvalidInputError, match="asked to run"):
            recorder.call("flood", {"size": 3_000_000})
    assert (home.home / "tools" / "bank.json").read_bytes() == before


NOT_SERVERS = {
    "nothing": ("raise SystemExit(3)",),
    "letters": ("print('hello', flush=True); import sys; sys.stdin.read()",),
    "one endless line": ("import sys\nwhile True: sys.stdout.write('x' * 65536)",),
}


@pytest.mark.parametrize("what", NOT_SERVERS)
def test_programs_that_are_no_servers(home: Settings, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lamsim_core.tools.imported import mcp

    monkeypatch.setattr(mcp, "CONNECT_SECONDS", 1.5)
    start = time.monotonic()
    with pytest.raises(InvalidInputError, match="could not be reached"):
        import_mcp(home, "bank", "Bank", Server((sys.executable, "-c", *NOT_SERVERS[what])))
    assert time.monotonic() - start < 8
    assert not list(home.home.rglob("*.json"))


def test_a_program_that_is_not_there(home: Settings) -> None:
    with pytest.raises(InvalidInputError, match="cannot be started"):
        import_mcp(home, "bank", "Bank", Server(("/no/such/program",)))


def test_a_server_sees_no_secrets_and_is_ended_with_its_children(
    home: Settings, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    program = (
        "import os, subprocess, sys, json\n"
        f"child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(json.dumps([dict(os.environ), os.getpid(), child.pid]))\n"
        "sys.stdin.read()\n"
    )
    from lamsim_core.tools.imported import mcp

    monkeypatch.setattr(mcp, "CONNECT_SECONDS", 1.5)
    with pytest.raises(InvalidInputError):
        import_mcp(home, "bank", "Bank", Server((sys.executable, "-c", program)))
    environment, *pids = json.loads((tmp_path / "seen").read_text())
    assert "SECRET_TOKEN" not in environment
    for pid in pids:
        end = time.monotonic() + 5
        while time.monotonic() < end and alive(pid):
            time.sleep(0.05)
        assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().split(") ")[1][0] != "Z"


def test_a_redirect_elsewhere_is_not_followed(home: Settings) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(307)
            self.send_header("Location", "http://192.0.2.1/mcp")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(InvalidInputError, match="could not be reached"):
            import_mcp(home, "bank", "Bank", Server(url=f"http://127.0.0.1:{server.server_port}/mcp"))
        server.shutdown()
    assert time.monotonic() - start < 5


def test_answers_as_plain_json() -> None:
    assert to_result({"content": [{"type": "text", "text": "[1, {}]"}]}).content == [1, {}]
    assert to_result({"content": [{"type": "text", "text": "NaN"}]}).content == "NaN"
    assert to_result({"content": [], "structuredContent": {"a": 1}}).content == {"a": 1}
    assert to_result({"content": []}).content == []
    image = {"type": "image", "data": "x" * 10}
    assert to_result({"content": [image, {"type": "text", "text": "7"}]}).content == [
        {"type": "image", "note": "Only text is recorded."},
        7,
    ]
    refused = to_result({"isError": True, "content": [{"type": "text", "text": "No\x1b[2J way\n" + "x" * 900}]})
    assert not refused.ok and refused.fault.startswith("No [2J way x") and len(refused.fault) == 500
    with pytest.raises(InvalidInputError):
        to_result({"content": [], "structuredContent": {"a": float("nan")}})
