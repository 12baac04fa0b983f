"""A running app for the tests that drive a real browser."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from lamsim_core.settings import REPOSITORY, Settings

SHORT = {"LAMSIM_MAX_STEPS": "3", "LAMSIM_MAX_NEW_TOKENS": "40"}
"""An untrained model rambles; what it says matters little here, and a slow machine has other things to do."""


@pytest.fixture
def address(home: Settings) -> Iterator[str]:
    """A running app on the test's store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    app = subprocess.Popen(
        command, cwd=REPOSITORY, env={**os.environ, **SHORT}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://localhost:{port}"
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        app.terminate()
        app.wait(20)
