"""A store full of hostile text is drawn by every page without one request to anywhere else, in a real browser."""

import pytest

from lamsim_core.canonical import new_id
from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.tasks import get_template, instantiate
from tests.browser.shots import browser, page_paths, wait_until_drawn
from tests.filling import attempt
from tests.ui.test_draw import HOSTILE

pytestmark = pytest.mark.browser


def hostile(settings: Settings) -> Trajectory:
    """An attempt whose every text attacks the page."""
    honest = attempt(settings, instantiate(get_template("calendar.move"), 1), "random", run=new_id("run"))
    step = honest.steps[0]
    assert step.call is not None
    assert step.observation is not None
    steps = []
    for number, text in enumerate(HOSTILE):
        verdicts = tuple(
            v.model_copy(update={"outcome": "fail", "message": text, "path": text}) for v in step.verdicts[:2]
        )
        call = step.call.model_copy(update={"name": text, "arguments": {text: text}, "raw": text})
        content = [{text: text}, {text: text}] if number % 2 else {"x": [text] * 20}
        observation = step.observation.model_copy(update={"content": content})
        changed = {"index": number, "reply": text, "call": call, "observation": observation, "verdicts": verdicts}
        steps.append(step.model_copy(update=changed))
    return honest.model_copy(
        update={
            "task": honest.task.model_copy(update={"instruction": "\n".join(HOSTILE)}),
            "policy": honest.policy.model_copy(update={"kind": "model", "name": " ".join(HOSTILE)}),
            "answer": "\n".join(HOSTILE),
            "steps": tuple(steps),
        }
    )


def test_no_page_asks_for_anything_outside(home: Settings, address: str) -> None:
    trajectory = hostile(home)
    open_store(home).add(trajectory)
    outside: list[str] = []
    dialogs: list[str] = []
    own = (f"{address}/", address.replace("http", "ws"), "data:", "blob:")
    with browser() as chromium:
        context = chromium.new_context(color_scheme="light")
        context.on("request", lambda request: None if request.url.startswith(own) else outside.append(request.url))
        page = context.new_page()
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        paths = [*page_paths(), f"Trajectories?id={trajectory.id}"]
        for path in paths:
            print(f"opening {path or 'Home'}")  # shown when the test fails
            page.goto(f"{address}/{path}")
            wait_until_drawn(page)
            links = [anchor.get_attribute("href") or "" for anchor in page.query_selector_all("a")]
            assert not [link for link in links if "evil" in link or link.startswith("javascript")], path
        assert "evil.test/pixel.png" in page.inner_text('[data-testid="stMain"]'), "the text itself is shown"
    assert outside == []
    assert dialogs == []
