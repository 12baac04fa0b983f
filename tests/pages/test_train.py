"""Train: what a run comes to is seen before it is started, and how it goes while it runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import TrainingError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import METRICS, job_folder
from lamsim_core.models.registry import adapter_folders
from lamsim_core.records import Adapter, Dataset, DatasetKind, Recipe
from lamsim_core.settings import Settings
from lamsim_core.train import job as train_job
from lamsim_core.train.preflight import Preflight
from lamsim_core.train.presets import PRESETS
from lamsim_core.ui import forms, training
from lamsim_core.ui.training import bad_name, nothing_to_train, suggested_name
from lamsim_core.ui.training_compare import differing, finished_runs, results
from lamsim_core.ui.training_view import by_step, changes, points, started_from
from tests.pages.driving import open_page, texts
from tests.pages.standing import standing_adapter, standing_dataset, standing_job
from tests.train.making import freeze_rows, label_rows, pair_rows

PAGE = "6_Train.py"
COUNTED = Preflight(
    rows=10,
    kept=8,
    dropped_too_long=2,
    dropped_untrained=0,
    tokens=4_000,
    trained_tokens=1_000,
    longest=700,
    steps=5,
    minutes=2.5,
    memory_mb=4_600,
)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Dataset, str, Recipe]]:
    """Counting takes a tokenizer; here it is only noted what was asked. No process is started either."""
    asked: list[tuple[Dataset, str, Recipe]] = []

    def look_ahead(_settings: Settings, dataset: Dataset, base: str, recipe: Recipe) -> Preflight:
        asked.append((dataset, base, recipe))
        return COUNTED

    monkeypatch.setattr(training, "look_ahead", look_ahead)
    monkeypatch.setattr(training, "is_here", lambda *_: True)
    monkeypatch.setattr(supervisor, "_launch", lambda *_, **__: None)
    return asked


def started(home: Settings) -> list[dict[str, Any]]:
    return [dict(job.params) for job, _ in supervisor.list_jobs(home, "train")]


def test_without_a_dataset_it_says_where_to_make_one(home: Settings) -> None:
    app = open_page(PAGE)
    assert "No dataset yet" in texts(app)
    assert [link for link in app.get("page_link") if link.label == "Make a dataset"]
    assert not [button for button in app.button if button.key == "train.start"]


def test_the_numbers_stand_before_the_button(home: Settings, counted: list[Any]) -> None:
    dataset = standing_dataset(home)
    app = open_page(PAGE)
    assert counted[-1] == (dataset, "smollm2-135m", PRESETS["standard"].recipes["sft"])
    table = app.table[0].value
    assert "8 of 10 kept" in table.to_string() and "about 2 min 30 s" in table.to_string()
    assert "1,000 of 4,000 tokens (25 %)" in table.to_string()
    assert "2 rows left out" in texts(app)
    assert not app.button(key="train.start").disabled


@pytest.mark.usefixtures("counted")
def test_one_click_starts_one_training_with_what_the_form_says(home: Settings) -> None:
    dataset = standing_dataset(home)
    app = open_page(PAGE)
    app.session_state["train_preset"] = "quick"
    app.run()
    app.number_input(key="steps.sft.quick").set_value(2).run()
    app.button(key="train.start").click().run()
    (params,) = started(home)
    assert params["dataset"] == dataset.id and params["name"] == "smollm2-135m-tools-1"
    assert params["recipe"]["max_optimizer_steps"] == 2
    assert app.button(key="train.start").disabled
    assert app.query_params["job"] == supervisor.list_jobs(home)[0][0].id


@pytest.mark.usefixtures("counted")
def test_another_run_cannot_take_the_name_of_one_that_goes_on(home: Settings) -> None:
    standing_dataset(home)
    app = open_page(PAGE)
    app.button(key="train.start").click().run()
    app.number_input(key="rank.sft.standard").set_value(8).run()
    assert app.button(key="train.start").disabled
    assert "still going on" in texts(app)
    app.text_input(key=app.text_input[0].key).set_value("another").run()
    app.button(key="train.start").click().run()
    assert len(started(home)) == 2


def test_a_dataset_that_trains_nothing_is_refused_with_the_reason(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = COUNTED.model_copy(update={"kept": 0, "trained_tokens": 0, "dropped_too_long": 10, "tokens": 0})
    monkeypatch.setattr(training, "look_ahead", lambda *_: nothing)
    monkeypatch.setattr(training, "is_here", lambda *_: True)
    standing_dataset(home)
    app = open_page(PAGE)
    assert app.button(key="train.start").disabled
    assert "Nothing would be trained: of 10 rows, 10 are longer than 2,048 tokens" in texts(app)
    assert nothing_to_train(COUNTED, Recipe()) is None


def test_what_cannot_be_counted_is_said(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Preflight:
        raise TrainingError("This model's chat template cannot be trained on.")

    monkeypatch.setattr(training, "look_ahead", refuse)
    monkeypatch.setattr(training, "is_here", lambda *_: True)
    standing_dataset(home)
    app = open_page(PAGE)
    assert "cannot be trained on" in texts(app)
    assert app.button(key="train.start").disabled


def test_nothing_is_fetched_by_merely_looking(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "is_here", lambda *_: False)
    monkeypatch.setattr(training, "look_ahead", lambda *_: pytest.fail("it was counted"))
    standing_dataset(home)
    app = open_page(PAGE)
    assert not app.button(key="train_fetch").disabled
    assert not app.button(key="train.start").disabled


@pytest.mark.usefixtures("counted")
def test_the_dataset_in_the_address_is_chosen(home: Settings) -> None:
    first, second = standing_dataset(home, name="one"), standing_dataset(home, name="two", tasks=2)
    assert open_page(PAGE).selectbox(key="train_dataset").value == second.id
    assert open_page(PAGE, dataset=first.id).selectbox(key="train_dataset").value == first.id


@pytest.mark.usefixtures("counted")
def test_a_run_shows_its_curves_and_offers_to_resume_or_keep_it(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = standing_dataset(home)
    job = standing_job(home, "train", "stopped", done=3, total=9)
    numbers = {"token_accuracy": 0.3, "tokens_per_second": 400.0, "learning_rate": 6e-4}
    lines = [json.dumps({"step": step, "loss": 3.0 / step, **numbers}) for step in (1, 2, 3, 2, 3)]
    (job_folder(home, job.id) / METRICS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    app = open_page(PAGE, job=job.id)
    assert {metric.label: metric.value for metric in app.metric} == {
        "Loss": "1.000",
        "Token accuracy": "30.0 %",
        "Tokens per second": "400",
        "Learning rate": "6.0e-04",
    }
    assert len(app.get("plotly_chart")) == 2
    assert not app.button(key=f"resume.{job.id}").disabled
    monkeypatch.setattr(train_job, "keep", lambda settings, given: standing_adapter(settings, dataset))
    app.button(key=f"keep.{job.id}").click().run()
    assert "mine\\-1" in [heading.value for heading in app.subheader]


@pytest.mark.usefixtures("counted")
def test_a_run_that_cannot_be_kept_says_why(home: Settings) -> None:
    standing_dataset(home)
    job = standing_job(home, "train", "stopped", done=1, total=9)
    (job_folder(home, job.id) / METRICS).write_text(json.dumps({"step": 1, "loss": 3.0}) + "\n", encoding="utf-8")
    app = open_page(PAGE, job=job.id)
    app.button(key=f"keep.{job.id}").click().run()
    assert "Training: dataset" in texts(app)


@pytest.mark.usefixtures("counted")
def test_a_finished_run_shows_its_adapter_and_where_to_go(home: Settings) -> None:
    adapter = standing_adapter(home, standing_dataset(home))
    job = standing_job(home, "train", "done", result={"adapter": adapter.id})
    app = open_page(PAGE, job=job.id)
    assert {"Try it on Simulate", "Evaluate it", "Its dataset"} <= {link.label for link in app.get("page_link")}
    assert "mine\\-1" in [heading.value for heading in app.subheader]
    again = open_page(PAGE, id=adapter.id)
    assert "mine\\-1" in [heading.value for heading in again.subheader]
    unknown = open_page(PAGE, id="adp_nothing")
    assert "There is no adapter named" in texts(unknown).replace("\\", "")


def standing_pairs(home: Settings, kind: DatasetKind = "preference") -> Dataset:
    return freeze_rows(home, pair_rows(2) if kind == "preference" else label_rows(2), kind)


@pytest.fixture
def none_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only adapters of the test's own home, whatever the product ships."""

    def own(settings: Settings) -> list[tuple[Path, Adapter]]:
        return [found for found in adapter_folders(settings) if settings.adapters in found[0].parents]

    monkeypatch.setattr(forms, "adapter_folders", own)


@pytest.mark.usefixtures("none_shipped")
def test_the_method_follows_the_dataset_and_the_newest_adapter_is_the_start(home: Settings, counted: list[Any]) -> None:
    adapter = standing_adapter(home, standing_dataset(home))
    pairs = standing_pairs(home)
    app = open_page(PAGE, dataset=pairs.id)
    assert "DPO." in texts(app) and "which of two replies" in texts(app)
    assert app.selectbox(key="train_start.smollm2-135m.dpo.1").value == adapter.id
    asked = counted[-1][2]
    assert (asked.method, asked.learning_rate, asked.lora_rank) == ("dpo", 5e-5, adapter.recipe.lora_rank)
    app.number_input(key=f"beta.dpo.standard.{adapter.id}").set_value(0.3).run()
    assert not [field for field in app.number_input if field.key and field.key.startswith(("rank.", "dropout."))]
    app.button(key="train.start").click().run()
    (params,) = started(home)
    assert params["from_adapter"] == adapter.id and params["name"] == "smollm2-135m-dpo-1"
    assert (params["recipe"]["method"], params["recipe"]["beta"]) == ("dpo", 0.3)


@pytest.mark.usefixtures("counted", "none_shipped")
def test_labels_are_trained_from_the_base_alone_when_that_is_chosen(home: Settings) -> None:
    standing_adapter(home, standing_dataset(home))
    app = open_page(PAGE, dataset=standing_pairs(home, "labels").id)
    app.selectbox(key="train_start.smollm2-135m.kto.1").set_value("").run()
    assert app.number_input(key="batch.kto.standard").min == 2
    app.session_state["train_preset"] = "gpu"
    app.run()
    app.button(key="train.start").click().run()
    (params,) = started(home)
    assert "from_adapter" not in params
    assert params["recipe"] == PRESETS["gpu"].recipes["kto"].model_dump(mode="json")


@pytest.mark.usefixtures("counted", "none_shipped")
def test_without_an_adapter_preferences_say_what_goes_best(home: Settings) -> None:
    app = open_page(PAGE, dataset=standing_pairs(home).id)
    assert "goes best from an adapter" in texts(app)
    assert not app.button(key="train.start").disabled


@pytest.mark.usefixtures("counted")
def test_a_preference_run_shows_margin_and_what_it_tells_apart(home: Settings) -> None:
    job = standing_job(home, "train", "running", done=2, total=9)
    lines = [{"step": 1, "loss": 0.69, "margin": 0.0, "accuracy": 0.5}, {"step": 2, "loss": 0.4, "accuracy": 0.75}]
    lines[1]["tokens_per_second"] = 400.0
    (job_folder(home, job.id) / METRICS).write_text(
        "".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8"
    )
    app = open_page(PAGE, job=job.id)
    assert {metric.label: metric.value for metric in app.metric} == {
        "Loss": "0.400",
        "Reward margin": "0.000",
        "Told apart": "75.0 %",
        "Tokens per second": "400",
    }
    assert len(app.get("plotly_chart")) == 3


def finished(home: Settings, name: str, loss: float, **recipe: Any) -> str:
    adapter = standing_adapter(home, standing_dataset(home), name=name)
    changed = adapter.model_copy(update={"recipe": Recipe(**recipe), "metrics": {"loss_first": 2.0, "loss": loss}})
    (home.adapters / adapter.id / "adapter.json").write_text(changed.model_dump_json(), encoding="utf-8")
    job = standing_job(home, "train", "done", result={"adapter": adapter.id})
    lines = [{"step": step, "loss": loss + 1 / step} for step in (1, 2, 3)]
    (job_folder(home, job.id) / METRICS).write_text(
        "".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8"
    )
    return job.id


@pytest.mark.usefixtures("counted")
def test_finished_runs_are_compared(home: Settings) -> None:
    one = finished(home, "one", 0.5)
    assert "Compare runs" not in [heading.value for heading in open_page(PAGE).subheader]
    two = finished(home, "two", 0.25, learning_rate=1e-3, epochs=2)
    app = open_page(PAGE)
    app.multiselect(key="train_compare").set_value([one, two]).run()
    assert not app.exception
    assert "What differs" in texts(app) and "What came of it" in texts(app)
    assert (
        "compare.loss" in [chart.key for chart in app.get("plotly_chart") if hasattr(chart, "key")]
        or len(app.get("plotly_chart")) >= 2
    )
    runs = finished_runs(home, supervisor.list_jobs(home, "train"))
    assert [run.name for run in runs] == ["two", "one"]
    rows = {row[""]: [value for name, value in row.items() if name] for row in differing(runs)}
    assert rows["Learning rate"] == ["0.001", "0.0006"] and rows["Epochs"] == ["2", "1"]
    assert "Batch size" not in rows and "Beta" not in rows and "Starts from" not in rows
    assert {row[""]: list(row.values())[1:] for row in results(runs)}["Loss"] == ["2 → 0.25", "2 → 0.5"]


def test_a_step_made_twice_counts_once_and_what_is_not_finite_is_left_out() -> None:
    rows = by_step([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 9.0}, {"step": 2, "loss": None}, {"loss": 1.0}])
    assert rows == [{"step": 1, "loss": 3.0}, {"step": 2, "loss": None}]
    assert points(rows, "loss") == [(1.0, 3.0)]


def test_names_of_adapters() -> None:
    assert suggested_name("base", set()) == "base-tools-1"
    assert suggested_name("base", {"base-dpo-1"}, "dpo") == "base-dpo-2"
    assert suggested_name("base", {"base-tools-1", "base-tools-2"}) == "base-tools-3"
    assert bad_name("mine", {"base"}) is None
    for bad in ("", "../x", "a b", "-x", "a" * 81):
        assert bad_name(bad, set()) is not None
    assert "has this name already" in str(bad_name("base", {"base"}))


def test_what_training_changed_stands_before_and_after() -> None:
    assert changes({"loss_first": 1.5, "loss": 0.25, "steps": 4.0}) == {"Loss": "1.5 → 0.25", "Steps": "4"}
    assert changes({"loss_first": 2.5}) == {"Loss first": "2.5"}


def test_what_an_adapter_started_from_is_named_even_when_it_is_gone(home: Settings) -> None:
    adapter = standing_adapter(home, standing_dataset(home))
    later = adapter.model_copy(update={"start": "adp_0123456789abcdef"})
    assert started_from(adapter, {}) == adapter.base
    assert started_from(later, {"adp_0123456789abcdef": "first"}) == "first"
    assert started_from(later, {}) == "an adapter that is no longer here (abcdef)"
