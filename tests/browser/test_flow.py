"""The whole way in a real browser, on the real model: simulate, accept, freeze, train, evaluate, open by link."""

import re

import pytest
from playwright.sync_api import Page, expect

from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.store.queries import TrajectoryFilter, adapters, datasets, evaluations, find_trajectories
from tests.browser.shots import browser, wait_until_drawn

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.timeout(900)]
TASK = "calendar.event_place"
MODEL_MS = 300_000
"""The real model loads, writes or learns."""


def simulate(page: Page, address: str, policy: str, seed: int) -> None:
    """Run one attempt and wait for its judgement."""
    page.goto(f"{address}/Simulate?task={TASK}&seed={seed}&policy={policy}")
    wait_until_drawn(page)
    page.get_by_role("button", name=re.compile("^Run")).click()
    expect(page.get_by_role("button", name=re.compile("^Accept"))).to_be_visible(timeout=MODEL_MS)


def test_the_whole_way(home: Settings, address: str) -> None:
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})

        simulate(page, address, "gold", 1)
        expect(page.get_by_text("Passed").first).to_be_visible()
        page.get_by_role("button", name=re.compile("^Accept")).click()
        expect(page.get_by_text("Stored and accepted.")).to_be_visible(timeout=20_000)
        assert "run=live_" in page.url
        page.reload()
        wait_until_drawn(page)
        expect(page.get_by_text("Stored and accepted.")).to_be_visible(timeout=20_000)

        simulate(page, address, "smollm2-135m", 2)

        store = open_store(home)
        store.index.sync()
        rows = find_trajectories(store.index, TrajectoryFilter())
        assert {row.policy for row in rows} == {"gold", "smollm2-135m"}
        gold = next(row for row in rows if row.policy == "gold")
        assert gold.passed is True and gold.decision == "accept"
        by_model = next(row for row in rows if row.policy == "smollm2-135m")
        assert (by_model.completion_tokens or 0) > 0

        page.goto(f"{address}/Datasets")
        wait_until_drawn(page)
        page.get_by_role("button", name=re.compile("^Freeze")).click()
        expect(page.get_by_text(re.compile("Frozen"), exact=False).first).to_be_visible(timeout=30_000)
        store.index.sync()
        (frozen,) = datasets(store.index)
        assert gold.id in frozen.members

        page.goto(f"{address}/Train?dataset={frozen.id}")
        wait_until_drawn(page)
        page.get_by_role("button", name=re.compile("^(Train|Start)")).click()
        expect(page.get_by_text("Done", exact=False).first).to_be_visible(timeout=MODEL_MS)
        store.index.sync()
        (adapter,) = adapters(store.index)
        assert adapter.dataset == frozen.id and adapter.metrics["steps"] >= 1

        page.goto(f"{address}/Evaluate?adapter={adapter.name}")
        wait_until_drawn(page)
        for label, amount in (("Tasks of each", "1"), ("Turns at most", "2")):
            if label == "Turns at most":
                page.get_by_text("More", exact=True).click()
            field = page.get_by_label(label, exact=True)
            field.fill(amount)
            field.press("Enter")
            wait_until_drawn(page)
        page.get_by_role("button", name=re.compile("^Evaluate")).click()
        expect(page.get_by_text("Wilson", exact=False).first).to_be_visible(timeout=MODEL_MS)
        store.index.sync()
        (evaluation,) = evaluations(store.index)
        assert {row.policy.name for row in evaluation.rows} >= {"smollm2-135m", adapter.name, "gold", "noop"}
        assert {(row.split is None, row.finished, row.planned) for row in evaluation.rows} == {
            (True, 3, 3),
            (False, 1, 1),
        }

        page.goto(f"{address}/Trajectories?id={gold.id}")
        wait_until_drawn(page)
        expect(page.get_by_text(gold.instruction).first).to_be_visible()
        expect(page.get_by_text("Accepted", exact=False).first).to_be_visible()
        page.goto(f"{address}/Trajectories?id=trj_no_such_thing")
        wait_until_drawn(page)
        expect(page.get_by_text("There is no trajectory named", exact=False).first).to_be_visible()
