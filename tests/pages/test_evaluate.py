"""Evaluate: the answer first, in numbers that can be checked, with the way to the attempts behind them."""

import pytest

from lamsim_core.evaluate.job import PLAN, Plan
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import job_folder, write_record
from lamsim_core.jobs.runner import run_inline
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.store.queries import evaluations
from lamsim_core.tasks import plan_tasks
from lamsim_core.ui.before_after import comparison_sentence
from lamsim_core.ui.evaluating import default_models
from lamsim_core.ui.page import Studio
from tests.filling import attempt
from tests.pages.driving import open_page, texts
from tests.pages.standing import (
    standing_adapter,
    standing_dataset,
    standing_evaluation,
    standing_job,
    wait_for,
)

PAGE = "7_Evaluate.py"
SPLITS = ["unseen_instances", "unseen_tools", "unseen_categories"]


def test_an_empty_store_says_how_to_begin(home: Settings) -> None:
    app = open_page(PAGE)
    assert "Nothing has been evaluated yet" in texts(app)
    assert app.multiselect(key="evaluate_models").value[:1] == ["smollm2-135m"]
    assert not app.button(key="evaluate.start").disabled


def test_only_held_out_tasks_are_offered_and_all_of_them_at_first(home: Settings) -> None:
    pills = open_page(PAGE).pills(key="evaluate_splits")
    assert pills.options == ["Unseen instances", "Unseen tools", "Unseen categories"]
    assert pills.value == SPLITS


def test_tasks_have_to_come_from_somewhere(home: Settings) -> None:
    app = open_page(PAGE)
    app.pills(key="evaluate_splits").set_value([]).run()
    assert app.button(key="evaluate.start").disabled
    assert "Choose where the tasks come from" in texts(app)
    app.pills(key="evaluate_splits").set_value(["unseen_instances", "unseen_categories"]).run()
    app.multiselect(key="evaluate.categories").set_value(["calendar"]).run()
    assert app.button(key="evaluate.start").disabled
    assert "Unseen categories holds none of the chosen tasks" in texts(app)


def test_one_alone_cannot_be_compared(home: Settings) -> None:
    app = open_page(PAGE)
    app.multiselect(key="evaluate_models").set_value(["smollm2-135m"])
    app.session_state["evaluate_beside"] = []
    app.run()
    assert app.button(key="evaluate.start").disabled
    assert "two or more" in texts(app)


def test_the_base_and_its_newest_adapter_are_chosen_beforehand(home: Settings) -> None:
    dataset = standing_dataset(home, tasks=2)
    first, second = standing_adapter(home, dataset, name="one"), standing_adapter(home, dataset, name="two")
    studio = Studio(home, open_store(home))
    assert default_models(studio, None) == ["smollm2-135m", second.name]
    assert default_models(studio, first.name) == ["smollm2-135m", first.name]
    assert open_page(PAGE, adapter=first.name).multiselect(key="evaluate_models").value == ["smollm2-135m", first.name]


@pytest.mark.parametrize("calls", ["constrained", "both"])
def test_a_model_can_stand_beside_itself_with_constrained_calls(
    home: Settings, calls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_launch", lambda *_, **__: None)  # a job is made, no process is started
    app = open_page(PAGE)
    app.multiselect(key="evaluate_models").set_value(["smollm2-135m"])
    app.session_state["evaluate_beside"] = ["gold"]
    app.session_state["evaluate_calls"] = calls
    app.run()
    app.button(key="evaluate.start").click().run()
    ((job, _),) = supervisor.list_jobs(home)
    models = {"constrained": ["smollm2-135m@constrained"], "both": ["smollm2-135m", "smollm2-135m@constrained"]}[calls]
    assert job.params["models"] == [*models, "gold"]
    assert str(job.params["name"]).startswith(", ".join(models))


def test_an_evaluation_of_policies_without_a_model_runs_and_is_shown(home: Settings) -> None:
    app = open_page(PAGE)
    app.multiselect(key="evaluate_models").set_value([])
    app.number_input(key="evaluate_tasks").set_value(4)
    app.number_input(key="evaluate_trials").set_value(2)
    app.number_input(key="evaluate_trial_tasks").set_value(1).run()
    assert "54 attempts" in texts(app)
    app.button(key="evaluate.start").click().run()
    ((job, _),) = supervisor.list_jobs(home, "evaluate")
    assert job.params["splits"] == SPLITS
    wait_for(home, job.id, "done")
    later = open_page(PAGE, job=job.id)
    (made,) = evaluations(open_store(home).index)
    table = later.dataframe[0].value
    assert list(table["Policy"]) == ["Reference solution", "Random valid calls", "Does nothing"]
    assert list(table["Passed"])[::2] == ["12 of 12", "0 of 12"]
    assert list(table["All 2 sampled pass"])[::2] == ["100.0 %", "0.0 %"]
    assert table["Pass rate"][0] == 100.0
    later.segmented_control(key=f"part.{made.id}").set_value("unseen_tools").run()
    assert list(later.dataframe[0].value["Passed"])[::2] == ["4 of 4", "0 of 4"]


def test_each_split_has_its_before_and_after(home: Settings) -> None:
    evaluation = standing_evaluation(home, splits=("unseen_instances", "unseen_tools"))
    table = open_page(PAGE, id=evaluation.id).dataframe[0].value
    assert list(table["Tasks"]) == ["Unseen instances", "Unseen tools", "All together"]
    assert list(table["smollm2-135m"]) == ["10.0 % (0 – 20)"] * 3
    assert list(table["mine-1"]) == ["55.0 % (45 – 65)"] * 3
    assert list(table["Difference"]) == ["+45.0 points"] * 3
    assert list(table["Mistakes / 100"]) == ["40.0 → 2.0"] * 3


@pytest.mark.parametrize("ending", [".html", ".md"])
def test_the_report_can_be_taken_away(home: Settings, ending: str) -> None:
    evaluation = standing_evaluation(home)
    app = open_page(PAGE, id=evaluation.id)
    assert [each for each in app.get("download_button") if each.proto.id.endswith(f"report.{evaluation.id}{ending}")]


def test_before_and_after_are_said_in_numbers_and_a_sentence(home: Settings) -> None:
    evaluation = standing_evaluation(home)
    app = open_page(PAGE, id=evaluation.id)
    shown = {metric.label.replace("\\", ""): (metric.value, metric.delta) for metric in app.metric}
    assert shown["smollm2-135m passes"] == ("10.0 %", "")
    assert shown["mine-1 passes"] == ("55.0 %", "+45.0 points")
    assert shown["Mistakes per 100 actions"] == ("2.0", "-38.0 against 40.0")
    said = texts(app)
    assert "19 attempts passed only with mine-1, 1 only with smollm2-135m; 3 with both, 17 with neither." in said
    assert "Difference +45.0 points, 95 % interval +30.0 to +60.0, p < 0.001." in said
    assert "more than chance" in said


def test_a_difference_that_may_be_chance_is_said_so(home: Settings) -> None:
    found = standing_evaluation(home).comparisons[0]
    assert "this may be chance" in comparison_sentence(found.model_copy(update={"low": -0.02}))
    few = comparison_sentence(found.model_copy(update={"p_value": 0.062}))
    assert "but p is not below 0.05" in few and "more than chance" not in few


def test_the_newest_evaluation_is_shown_and_the_others_are_listed(home: Settings) -> None:
    older, newer = standing_evaluation(home, name="older one"), standing_evaluation(home, name="newer one")
    app = open_page(PAGE)
    assert [s.value for s in app.subheader if "newer" in s.value]
    assert list(app.dataframe[-1].value["Name"]) == [older.name]
    again = open_page(PAGE, id=older.id)
    assert list(again.dataframe[-1].value["Name"]) == [newer.name]


def test_an_evaluation_that_does_not_exist_is_said(home: Settings) -> None:
    assert "There is no evaluation named" in texts(open_page(PAGE, id="evl_nothing")).replace("\\", "")


def test_tasks_to_look_at_lead_to_their_attempts(home: Settings) -> None:
    evaluation = standing_evaluation(home, attempts=2)
    base, mine = evaluation.rows[:2]
    store = open_store(home)
    first, second = plan_tasks("unseen_instances", 2)
    acted = [(base, 0, "noop", first), (base, 1, "gold", first)]
    acted += [(mine, number, "gold", task) for number in range(2) for task in (first, second)]
    for row, number, policy, task in acted:
        store.add(attempt(home, task, policy, run=row.run).model_copy(update={"attempt": number}))
    app = open_page(PAGE, id=evaluation.id)
    app.segmented_control(key=f"look.{evaluation.id}").set_value("Passed sometimes").run()
    (table,) = [each.value for each in app.dataframe if "Request" in each.value]
    assert list(table["Passed"]) == ["1 of 2 passed"] and list(table["Request"]) == [first.instruction]
    app.segmented_control(key=f"look.{evaluation.id}").set_value("Models differ").run()
    (table,) = [each.value for each in app.dataframe if "Request" in each.value]
    assert list(table["Passed"]) == ["only mine-1"]
    app.button(key=f"differ.{evaluation.id}.all").click().run()
    only = app.session_state["trajectories.only"]
    assert len(only.trajectories) == 2 and "smollm2-135m and mine-1" in only.what


def test_every_model_measured_so_far_is_ranked(home: Settings) -> None:
    evaluation = standing_evaluation(home)
    table = next(each.value for each in open_page(PAGE).dataframe if "Model" in each.value)
    assert list(table["Model"]) == ["mine-1", "smollm2-135m"]
    assert list(table["Unseen instances"]) == pytest.approx([55.0, 10.0])
    assert list(table["Tasks"]) == ["40 each"] * 2
    assert evaluation.name in texts(open_page(PAGE)), "and the newest is shown above"


def test_while_it_runs_every_model_is_counted(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = standing_job(home, "evaluate", "stopped", params={"models": ["noop", "gold"]}, done=4, total=8)
    write_record(job_folder(home, job.id) / PLAN, Plan(runs={"gold": "run_a", "noop": "run_b"}, task_keys=()))
    store = open_store(home)
    for task in plan_tasks("unseen_instances", 2):
        store.add(attempt(home, task, "gold", run="run_a"))
        store.add(attempt(home, task, "noop", run="run_b"))
    app = open_page(PAGE, job=job.id)
    (chart,) = app.get("plotly_chart")
    assert '"text":["0 of 2","2 of 2"]' in chart.proto.spec
    assert not app.button(key=f"resume.{job.id}").disabled


def test_a_run_of_the_benchmark_is_shown_where_home_leads(home: Settings) -> None:
    params = {"model": "noop", "categories": ["irrelevance", "multiple"], "limit": 4}
    run_inline(home, "bfcl", params, label="BFCL: noop")
    ((job, _),) = supervisor.list_jobs(home, "bfcl")
    app = open_page(PAGE, job=job.id)
    assert "noop on BFCL" in texts(app)
    table = next(each.value for each in app.dataframe if "Category" in each.value)
    assert list(table["Passed"]) == ["0 of 4", "4 of 4"]
    assert "BFCL" in texts(open_page(PAGE)), "and listed"


def test_further_models_are_tried_on_the_same_attempts(home: Settings) -> None:
    first = run_inline(home, "evaluate", {"models": ["noop", "gold"], "tasks": 2, "name": "first"})
    app = open_page(PAGE, id=first["evaluation"])
    start = f"further.start.{first['evaluation']}"
    assert app.button(key=start).disabled
    picker = app.multiselect(key=f"further.{first['evaluation']}")
    picker.select("random").run()
    app.button(key=start).click().run()
    assert not app.exception
    job = next(job for job, _ in supervisor.list_jobs(home, "evaluate") if app.query_params["job"] == job.id)
    assert job.params["models"] == ["noop", "gold", "random"] and job.label.startswith("first, with ")
    wait_for(home, job.id, "done")
    later = open_page(PAGE, job=job.id)
    assert not later.exception and job.label in texts(later)


def test_an_evaluation_whose_job_is_gone_cannot_be_gone_on_with(home: Settings) -> None:
    evaluation = standing_evaluation(home)
    app = open_page(PAGE, id=evaluation.id)
    assert not [each for each in app.button if str(each.key).startswith("further")]
