"""Photograph every page of a running app in light and dark: ``python -m tests.browser.shots OUTDIR --port 8501``.

Pages are found from pages/; further addresses can be given with ``--also "Trajectories?id=trj_..."``.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from lamsim_core.settings import REPOSITORY

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
READY_MS = 30_000


def page_paths() -> list[str]:
    """The addresses of all pages: "" for home, then one for each file of pages/."""
    files = sorted((REPOSITORY / "pages").glob("[0-9]*.py"))
    return ["", *(file.stem.partition("_")[2] for file in files)]


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield chromium
        finally:
            chromium.close()


def wait_until_drawn(page: Page) -> None:
    """Wait until the script behind the page has run to its end and the page has settled."""
    page.wait_for_selector('[data-testid="stApp"]', timeout=READY_MS)
    page.wait_for_selector("h1", timeout=READY_MS)
    page.wait_for_function(
        """() => document.querySelector('[data-testid="stApp"]').dataset.testScriptState === 'notRunning'
              && !document.querySelector('[data-testid="stSkeleton"]')""",
        timeout=READY_MS,
    )
    page.wait_for_timeout(700)


def grow_to_content(page: Page) -> None:
    """Make the window as high as the page, so that a photograph shows all of it."""
    height = page.evaluate(
        """() => Math.max(...['stMain', 'stSidebar'].map(name => {
            const part = document.querySelector(`[data-testid="${name}"]`);
            return part ? part.scrollHeight : 0;
        }))"""
    )
    size = page.viewport_size
    if size is not None and height > size["height"]:
        page.set_viewport_size({"width": size["width"], "height": min(int(height) + 20, 8000)})
        page.wait_for_timeout(500)


def shoot(base: str, paths: Sequence[str], target: Path, *, width: int = 1440, height: int = 900) -> list[Path]:
    """Photograph each address in light and dark.

    Returns:
        The pictures written.
    """
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with browser() as chromium:
        for scheme in SCHEMES:
            context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
            page = context.new_page()
            for path in paths:
                page.set_viewport_size({"width": width, "height": height})
                page.goto(f"{base}/{path}")
                wait_until_drawn(page)
                grow_to_content(page)
                name = re.sub(r"\W+", "-", path).strip("-")[:60] or "Home"
                picture = target / f"{name}-{scheme}.png"
                page.screenshot(path=picture)
                written.append(picture)
            context.close()
    return written


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, metavar="OUTDIR")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--only", action="append", default=[], metavar="ADDRESS", help="only these addresses")
    parser.add_argument("--also", action="append", default=[], metavar="ADDRESS", help="these addresses too")
    arguments = parser.parse_args()
    paths = arguments.only or [*page_paths(), *arguments.also]
    for picture in shoot(f"http://localhost:{arguments.port}", paths, arguments.target, width=arguments.width):
        print(picture)


if __name__ == "__main__":
    main()
