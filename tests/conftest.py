"""Fixtures every test may use."""

import atexit
import gc
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from lamsim_core.settings import REPOSITORY, Settings, get_settings
from tests.models.endpoint_told import Told


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests stay to the end, so nobody looks through them for garbage while they are collected."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        atexit.register(gc.unfreeze)  # or DuckDB, which looks for leaks at the end, takes what stays for some


@pytest.fixture(scope="module", autouse=True)
def settled() -> None:
    """What is there when a module begins stays: a million objects in the end, which cost every collection half a second.

    Trainers collect after every run, and whoever releases a model does.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of an empty store in a temporary folder; the cache of models stays the user's own."""
    monkeypatch.setenv("LAMSIM_HOME", str(tmp_path / "var"))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def endpoint_process() -> Iterator[int]:
    """Port of an OpenAI-compatible server that runs as a process of its own."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.models.endpoint_server"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stdin is not None
    yield int(child.stdout.readline())
    child.stdin.close()
    child.wait(10)
    child.stdout.close()


@pytest.fixture
def server(endpoint_process: int) -> Told:
    """That server, with nothing planned and nothing seen; what was found out about it is forgotten."""
    from lamsim_core.models.endpoint_client import forget_probes

    forget_probes()
    told = Told(endpoint_process)
    told.plan()
    return told
