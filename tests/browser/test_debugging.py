"""A run is held, changed, forked while it is held, and compared with its fork, in a real browser, mostly by keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import find_trajectories
from tests.browser.shots import browser, wait_until_drawn

pytestmark = pytest.mark.browser
PATIENCE_MS = 20_000


def sees(page: Page, words: str) -> None:
    """Wait until the page says something."""
    expect(page.get_by_text(re.compile(words)).first).to_be_visible(timeout=PATIENCE_MS)


def settled(page: Page) -> None:
    """Wait until the script behind the page has run to its end."""
    page.wait_for_timeout(150)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=\"stApp\"]').dataset.testScriptState === 'notRunning'"
    )


def test_pause_edit_fork_compare(home: Settings, address: str) -> None:
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{address}/Simulate?task=calendar.move&seed=3&policy=gold")
        wait_until_drawn(page)
        page.get_by_text("Pause before every action").click()
        settled(page)
        page.keyboard.press("Control+Enter")
        sees(page, "Paused before step 1")
        page.reload()
        wait_until_drawn(page)
        sees(page, "Paused before step 1")
        parent = page.url

        page.get_by_text("Change it first").click()
        title = page.get_by_label("title")
        title.fill("no such event")
        title.press("s")
        settled(page)
        sees(page, "Paused before step 1")  # a letter typed into a field is no order
        title.fill("no such event")
        page.get_by_role("button", name=re.compile("^Make this call instead")).click()
        sees(page, "Paused after step 1")
        sees(page, "edited by hand")
        page.keyboard.press("s")
        sees(page, "Paused before step 2")

        page.get_by_role("button", name=re.compile("Fork from here")).first.click()
        settled(page)
        page.get_by_role("combobox", name=re.compile("Who goes on")).click()
        page.get_by_role("option", name="Reference solution").click()
        settled(page)
        page.get_by_role("button", name=re.compile("^(?!.*from here).*Fork$")).click()
        page.wait_for_url(lambda url: url != parent and "run=live_" in url and "fork=" not in url, timeout=PATIENCE_MS)
        sees(page, "Paused before step 1")
        page.get_by_text("Pause before every action").click()
        settled(page)
        page.get_by_text("Paused before step 1").click()  # away from the switch, which keeps letters to itself
        page.keyboard.press("g")
        sees(page, "^.*Passed$")

        page.goto(parent.partition("&fork")[0])
        wait_until_drawn(page)
        sees(page, "Paused before step 2")
        page.keyboard.press("Escape")
        sees(page, "^.*Stopped$")

        with Store(home) as store:
            store.index.sync()
            child, held = sorted(find_trajectories(store.index), key=lambda row: row.parent is None)
        assert child.parent == held.id and child.passed is True and not child.helped
        assert held.ended == "stopped" and held.helped and held.passed is None
        page.goto(f"{address}/Trajectories?id={held.id}&with={child.id}")
        wait_until_drawn(page)
        sees(page, "They part at step 1")
        sees(page, "helped by hand")
