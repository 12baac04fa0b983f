"""The times a person waits, as medians: ``python -m tests.browser.times [--trajectories 20000] [--runs 5]``.

Everything is measured in one run on a store of its own. The real model is used for the time to the first token.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page

from lamsim_core.explore.episode import Acted, run_attempt
from lamsim_core.explore.live import start_live
from lamsim_core.records import Sampling
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.tasks import instantiate, load_templates
from tests.browser.shots import browser, wait_until_drawn
from tests.store.factories import make_trajectory

PORT = 8639


def environment_step_us() -> float:
    """Median time of one step with all its verdicts, over the reference solutions of every template, in microseconds."""
    from lamsim_core.agent.policy import GoldPolicy

    seconds = [
        event.step.seconds
        for template in load_templates().values()
        for seed in range(40)
        for event in run_attempt(instantiate(template, seed), GoldPolicy(), run="bench")
        if isinstance(event, Acted) and event.step.call is not None
    ]
    return statistics.median(seconds) * 1e6


def fill(home: Path, count: int) -> None:
    """Store synthetic trajectories."""
    from lamsim_core.store import Journal

    with Journal(home / "journal") as journal:
        for number in range(count):
            journal.append("trajectory", make_trajectory(number))


def start(home: Path) -> subprocess.Popen[bytes]:
    """Start the app and wait until its server answers."""
    app = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(PORT)],
        cwd=REPOSITORY,
        env={**os.environ, "LAMSIM_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://localhost:{PORT}/_stcore/health", timeout=1):
                return app
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the app did not start")


def paint(page: Page, path: str) -> tuple[float, float]:
    """Seconds until the browser painted anything, and until the page's script had run to its end."""
    began = time.perf_counter()
    page.goto(f"http://localhost:{PORT}/{path}")
    page.wait_for_selector("h1")
    drawn = time.perf_counter() - began
    wait_until_drawn(page)
    first = page.evaluate(
        "performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint').startTime"
    )
    return first / 1000, drawn


def first_token(home: Path, seed: int) -> float:
    """Seconds from starting a run (what a click on Run does) to the first text of the real model."""
    settings = Settings(home=home)
    task = instantiate(load_templates()["calendar.event_place"], seed)
    sampling = Sampling(max_new_tokens=40, max_steps=1)
    run = start_live(settings, task, "smollm2-135m", sampling, attempt=0, on_trajectory=lambda trajectory: None)
    run.wait(300)
    if run.first_token_seconds is None:
        raise TimeoutError(run.error)
    return run.first_token_seconds


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trajectories", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    found: dict[str, object] = {"environment step with verdicts, us": round(environment_step_us(), 1)}
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        empty, full = Path(folder) / "empty", Path(folder) / "full"
        firsts, drawns = [], []
        for _ in range(arguments.runs):
            app = start(empty)
            first, drawn = paint(chromium.new_context().new_page(), "")
            firsts.append(first)
            drawns.append(drawn)
            app.terminate()
            app.wait(20)
        found["app first paint after start, s"] = round(statistics.median(firsts), 2)
        found["Home drawn after start, s"] = round(statistics.median(drawns), 2)
        found["Simulate click to first token, model not loaded, s"] = round(first_token(empty, 1), 2)
        warm = [first_token(empty, seed) for seed in range(2, 2 + arguments.runs)]
        found["Simulate click to first token, model loaded, s"] = round(statistics.median(warm), 2)
        fill(full, arguments.trajectories)
        app = start(full)
        page = chromium.new_context().new_page()
        paint(page, "Trajectories")
        for path in ("", "Trajectories", "Datasets"):
            times = [paint(page, path)[1] for _ in range(arguments.runs)]
            found[f"{path or 'Home'} with {arguments.trajectories:,} stored, s"] = round(statistics.median(times), 2)
        app.terminate()
        app.wait(20)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
