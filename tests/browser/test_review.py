"""Verdicts are reviewed with the keyboard alone, in a real browser; what is typed into a field is no shortcut."""

import re

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from lamsim_core.records import Review
from lamsim_core.review.corrections import newest_by_reviewer
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.rejudged import reviews
from tests.browser.shots import browser, wait_until_drawn
from tests.filling import fill

pytestmark = pytest.mark.browser


def stored(home: Settings) -> list[Review]:
    """What is stored by now, read by an index of its own."""
    with Store(home) as store:
        store.index.sync()
        return reviews(store.index)


def complains(said: ConsoleMessage) -> bool:
    """Whether the console tells of an error. Streamlit looks for its own server below a page's address first."""
    return said.type == "error" and "/_stcore/" not in said.location.get("url", "")


def press(page: Page, key: str) -> None:
    """Press a key and wait until the page has answered."""
    page.keyboard.press(key)
    page.wait_for_timeout(150)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=\"stApp\"]').dataset.testScriptState === 'notRunning'"
    )


def test_six_verdicts_by_keyboard(home: Settings, address: str) -> None:
    fill(home, 1)
    complaints: list[str] = []
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.on("console", lambda said: complaints.append(said.text) if complains(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/Review")
        wait_until_drawn(page)
        for number, key in enumerate("dududu", 1):
            press(page, key)
            # The answer is seen before the next key: a busy machine may begin to work later than `press` looks.
            expect(page.get_by_text(re.compile(rf"^{number} of \d+ answered$"))).to_be_visible(timeout=10_000)
            if page.get_by_text("Who is right?").count():
                press(page, "k")
                expect(page.get_by_text("Who is right?")).to_have_count(0, timeout=10_000)
        blind = [review for review in stored(home) if review.blind]
        assert len({review.place for review in blind}) == 6
        assert sorted(review.answer for review in blind)[-3:] == ["unsure"] * 3
        assert all(review.seconds is not None and review.seconds > 0 for review in blind)

        press(page, "z")
        expect(page.get_by_text(re.compile(r"^5 of \d+ answered$"))).to_be_visible(timeout=10_000)
        back = stored(home)[-1]
        assert (back.answer, back.place) == ("withdrawn", blind[-1].place)

        while not page.get_by_text("Who is right?").count():
            press(page, "a")
        before = stored(home)
        field = page.get_by_label("Why, in a sentence")
        field.focus()
        page.keyboard.type("skazdun sp")
        page.wait_for_timeout(500)
        assert stored(home) == before, "letters typed into a field answer nothing"
        assert field.input_value() == "skazdun sp"
        press(page, "Enter")
        field.blur()
        press(page, "s")
        expect(page.get_by_text("Corrected; the attempt is scored anew.")).to_be_visible(timeout=10_000)
        last = stored(home)[-1]
        assert (last.blind, last.reason, last.corrects) == (False, "skazdun sp", True)

        mine = sum(map(bool, newest_by_reviewer(stored(home)).values()))
        page.reload()
        wait_until_drawn(page)
        expect(page.get_by_text(re.compile(rf"answered {mine} of them"))).to_be_visible(timeout=10_000)
    assert complaints == []
