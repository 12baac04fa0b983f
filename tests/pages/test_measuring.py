"""From a trained adapter to its before and after, by one button."""

import pytest

from lamsim_core.evaluate.job import EvaluateParams
from lamsim_core.jobs import supervisor
from lamsim_core.settings import Settings
from lamsim_core.ui.measuring import measurement
from tests.pages.driving import open_page
from tests.pages.standing import standing_adapter, standing_dataset


def test_one_button_measures_before_and_after_on_everything_held_out(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_launch", lambda *_, **__: None)  # a job is made, no process is started
    adapter = standing_adapter(home, standing_dataset(home, tasks=2))
    app = open_page("6_Train.py", id=adapter.id)
    app.button(key=f"measure.{adapter.id}").click().run()
    ((job, _),) = supervisor.list_jobs(home, "evaluate")
    asked = EvaluateParams.model_validate(job.params)
    assert asked.models == ("smollm2-135m", adapter.name, "gold", "random", "noop")
    assert asked.parts == ("unseen_instances", "unseen_tools", "unseen_categories")
    again = open_page("6_Train.py", id=adapter.id)
    assert not [button for button in again.button if str(button.key).startswith("measure.")]
    (link,) = [link for link in again.get("page_link") if link.label == "Being measured"]
    assert job.id in link.query_string


def test_what_an_adapter_started_from_stands_between(home: Settings) -> None:
    dataset = standing_dataset(home, tasks=2)
    first = standing_adapter(home, dataset, name="first")
    second = standing_adapter(home, dataset, name="second").model_copy(update={"start": first.id})
    assert measurement(home, first)["models"][:2] == ["smollm2-135m", "first"]
    assert measurement(home, second)["models"][:3] == ["smollm2-135m", "first", "second"]
