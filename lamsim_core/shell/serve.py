"""The command that opens the app: one app per store, on the loopback address only."""

import fcntl
import json
import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

import typer

from lamsim_core.errors import InvalidInputError
from lamsim_core.settings import REPOSITORY, Settings, get_settings
from lamsim_core.shell.output import Json, Report, carry_out

ADDRESS = "127.0.0.1"
LOCK = "app.lock"
"""Held by the running app of a store; its content says which process and port that is."""


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    app.command("app")(serve)


def serve(as_json: Json = False) -> None:
    """Open the app in the browser's reach: http://localhost on the port of LAMSIM_PORT (8501)."""
    settings = get_settings()
    code = carry_out(lambda: prepare(settings), as_json)
    if code:
        raise typer.Exit(code)
    if as_json:
        os.dup2(2, 1)
    _become(serve_command(settings), settings)


def prepare(settings: Settings) -> Report:
    """Make sure that this process may serve the app, and keep others from doing so until it ends.

    Raises:
        InvalidInputError: another app is open on this store, or the port is taken.
    """
    lock = _hold(settings)
    try:
        _require_free(settings.port)
    except InvalidInputError:
        os.close(lock)
        raise
    url = f"http://localhost:{settings.port}"
    return Report(
        {"url": url, "pid": os.getpid(), "home": str(settings.home)},
        [f"LAM Simulator is opening at {url}. Press Ctrl-C to end it; jobs go on without it."],
    )


def serve_command(settings: Settings) -> list[str]:
    """The command line that serves the app."""
    script = str(REPOSITORY / "app.py")
    return [
        *(sys.executable, "-m", "streamlit", "run", script),
        *("--server.address", ADDRESS, "--server.port", str(settings.port)),
    ]


def _hold(settings: Settings) -> int:
    """Lock the store for this process and what it becomes. The kernel gives the lock back when that ends, however it ends."""
    settings.home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = _holder(descriptor)
        os.close(descriptor)
        raise InvalidInputError(
            f"The app is already open on this store ({settings.home}){who}. Use that one. For a second app set LAMSIM_HOME to "
            "another folder and LAMSIM_PORT to another port."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps({"pid": os.getpid(), "port": settings.port}).encode())
    os.set_inheritable(descriptor, True)
    return descriptor


def _holder(descriptor: int) -> str:
    """Where the running app is, as far as it has said so yet."""
    try:
        said = json.loads(os.read(descriptor, 200))
        return f" at http://localhost:{int(said['port'])}, process {int(said['pid'])}"
    except (ValueError, KeyError, TypeError):
        return ""


def _require_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the server will: a port of which only old connections are left may be taken again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise InvalidInputError(
                f"Port {port} cannot be used: {error.strerror}. Set LAMSIM_PORT to a free port and try again."
            ) from error


def _become(command: list[str], settings: Settings) -> NoReturn:
    """Turn into the server: its signals, its exit code and the lock on the store are then its own."""
    paths = {
        f"LAMSIM_{name.upper()}": value for name, value in settings.model_dump().items() if isinstance(value, Path)
    }
    environment = {**os.environ, **{name: str(path.absolute()) for name, path in paths.items()}}
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(REPOSITORY)  # where .streamlit/config.toml is looked for
    os.execve(command[0], command, environment)
