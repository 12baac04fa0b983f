"""How fast the app is: how long it takes to start, and how long the server works on each page of a store."""

import logging
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from lamsim_core.errors import LamsimError
from lamsim_core.records import Record
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.store import open_store
from lamsim_core.store.queries import overview

PATIENCE = 60.0
"""Seconds to wait for the app to answer, or for a page to be drawn."""


class PageTime(Record):
    """Milliseconds the server works on one page."""

    page: str
    first: float
    """The first time, with everything still to be imported and read."""
    median: float
    p95: float


class AppBench(Record):
    """Times of the app."""

    trajectories: int
    """In the store the pages were drawn from."""
    start: float
    """Seconds from the command to the first answer, on an empty store."""
    rounds: int
    pages: tuple[PageTime, ...]


def bench_app(settings: Settings, rounds: int = 10) -> AppBench:
    """Start the app on an empty store, then draw every page of this one ``rounds`` times, without a browser.

    Raises:
        LamsimError: the app did not start, or a page broke down.
    """
    # A page without a browser says so, once for each time it is drawn.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").disabled = True
    started = time_start()
    pages = ["app.py", *sorted(f"pages/{path.name}" for path in (REPOSITORY / "pages").glob("*.py"))]
    drawn = tuple(_time_page(page, rounds) for page in pages)
    store = open_store(settings)
    store.index.sync()
    return AppBench(
        trajectories=overview(store.index).trajectories, start=round(started, 2), rounds=rounds, pages=drawn
    )


def time_start() -> float:
    """Seconds from starting the app to its first answer.

    Raises:
        LamsimError: it did not answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "LAMSIM_HOME": home, "LAMSIM_PORT": str(port)}
        began = time.perf_counter()
        app = subprocess.Popen(
            [sys.executable, "-m", "lamsim_core", "app"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while time.perf_counter() - began < PATIENCE and app.poll() is None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                        return time.perf_counter() - began
                except OSError:
                    time.sleep(0.02)
        finally:
            app.terminate()
            app.wait(PATIENCE)
    raise LamsimError(f"The app did not answer within {PATIENCE:.0f} seconds. Start it with `make app` to see why.")


def _time_page(page: str, rounds: int) -> PageTime:
    from streamlit.testing.v1 import AppTest

    times: list[float] = []
    for _ in range(rounds + 1):
        app = AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=PATIENCE)
        if page != "app.py":
            app.switch_page(page)
        began = time.perf_counter()
        app.run()
        times.append(1000 * (time.perf_counter() - began))
        if app.exception:
            raise LamsimError(f"The page {page} broke down: {app.exception[0].message[:300]}")
    later = times[1:]
    worst = statistics.quantiles(later, n=20, method="inclusive")[-1] if len(later) > 1 else later[0]
    return PageTime(
        page="Home" if page == "app.py" else Path(page).stem.partition("_")[2],
        first=round(times[0], 1),
        median=round(statistics.median(later), 1),
        p95=round(worst, 1),
    )
