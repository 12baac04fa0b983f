"""Explore: one click starts one job, and whatever becomes of it is shown."""

import pytest

from lamsim_core.explore.job import RUN_FILE, ExploreParams
from lamsim_core.explore.modes import NUMBERS
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import job_folder
from lamsim_core.jobs.job import ACTIVE
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from tests.explore.test_correct import GOLD, STUCK
from tests.filling import fill
from tests.pages.driving import open_page, texts
from tests.pages.standing import standing_job, wait_for

PAGE = "2_Explore.py"


@pytest.fixture
def unstarted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are made but no process is started for them."""
    monkeypatch.setattr(supervisor, "_launch", lambda *_, **__: None)


def test_an_empty_store_says_how_to_begin(home: Settings) -> None:
    app = open_page(PAGE)
    assert "Nothing has been explored yet" in texts(app)
    assert not app.button(key="explore.start").disabled
    assert not app.dataframe


def test_the_estimate_counts_attempts_and_knows_the_pace_of_stored_ones(home: Settings) -> None:
    app = open_page(PAGE)
    app.number_input(key="explore.tasks").set_value(30)
    app.number_input(key="explore.attempts").set_value(4).run()
    assert "120 attempts" in texts(app) and "nothing is stored yet" in texts(app)
    fill(home, 2)
    app.selectbox(key="explore.model").select("gold").run()
    assert "120 attempts, about" in texts(app)


def test_one_click_explores_and_the_page_shows_what_came_of_it(home: Settings) -> None:
    app = open_page(PAGE)
    app.selectbox(key="explore.model").select("gold")
    app.number_input(key="explore.tasks").set_value(3).run()
    app.button(key="explore.start").click().run()
    assert not app.exception
    ((job, _),) = supervisor.list_jobs(home, "explore")
    assert app.query_params["job"] == job.id
    assert job.params["model"] == "gold" and job.params["tasks"] == 3
    wait_for(home, job.id, "done")
    later = open_page(PAGE, job=job.id)
    shown = {metric.label: metric.value for metric in later.metric}
    assert shown["Attempts"] == "3 of 3"
    assert shown["Pass rate"] == "100.0 %"
    assert "Newest attempts" in texts(later)
    assert "No mistakes so far" in texts(later)


@pytest.mark.usefixtures("unstarted")
def test_the_same_exploration_cannot_be_started_twice_and_another_can(home: Settings) -> None:
    app = open_page(PAGE)
    app.button(key="explore.start").click().run()
    assert app.button(key="explore.start").disabled
    assert len(supervisor.list_jobs(home)) == 1
    app.number_input(key="explore.tasks").set_value(7).run()
    assert not app.button(key="explore.start").disabled
    app.button(key="explore.start").click().run()
    assert len(supervisor.list_jobs(home)) == 2


@pytest.mark.usefixtures("unstarted")
def test_several_processes_run_under_ray(home: Settings) -> None:
    app = open_page(PAGE)
    app.number_input(key="explore.workers").set_value(3).run()
    app.button(key="explore.start").click().run()
    ((job, _),) = supervisor.list_jobs(home)
    assert ExploreParams.model_validate(job.params).executor == "ray" and job.params["workers"] == 3


@pytest.mark.usefixtures("unstarted")
def test_a_reload_finds_what_still_runs_without_being_told(home: Settings) -> None:
    open_page(PAGE).button(key="explore.start").click().run()
    app = open_page(PAGE)
    ((job, status),) = supervisor.list_jobs(home)
    assert status.state in ACTIVE
    assert not app.button(key=f"stop.{job.id}").disabled


@pytest.mark.usefixtures("unstarted")
def test_constrained_calls_are_asked_of_the_job(home: Settings) -> None:
    app = open_page(PAGE)
    assert app.toggle(key="explore.constrained").value is False
    app.toggle(key="explore.constrained").set_value(True).run()
    app.button(key="explore.start").click().run()
    ((job, _),) = supervisor.list_jobs(home)
    assert job.params["constrained"] is True
    app.selectbox(key="explore.model").select("gold").run()
    assert app.toggle(key="explore.constrained").disabled


def test_a_stopped_exploration_can_be_resumed_from_the_page(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = standing_job(home, "explore", "stopped", done=3, total=9, message="Stopped.")
    resumed: list[str] = []
    monkeypatch.setattr(supervisor, "resume", lambda _settings, job_id: resumed.append(job_id))
    app = open_page(PAGE, job=job.id)
    assert "3 of 9" in texts(app)
    app.button(key=f"resume.{job.id}").click().run()
    assert resumed == [job.id]


def test_what_a_failed_job_says_is_text_and_never_markup(home: Settings) -> None:
    job = standing_job(home, "explore", "failed", error="![x](http://evil.example/a.png) **broke**")
    app = open_page(PAGE, job=job.id)
    (said,) = [error.value for error in app.error if "evil" in error.value]
    assert "![x](" not in said and "**broke**" not in said


def test_a_job_that_does_not_exist_is_said_and_the_page_works(home: Settings) -> None:
    app = open_page(PAGE, job="job_" + "0" * 26)
    assert "There is no job named" in texts(app).replace("\\", "")
    assert not app.button(key="explore.start").disabled


def test_earlier_explorations_are_listed_with_what_they_found(home: Settings) -> None:
    standing_job(home, "explore", "done", label="gold: 9 tasks", done=9, total=9, result={"pass_rate": 0.5})
    standing_job(home, "explore", "done", label="the newest one")
    standing_job(home, "train", "done", label="a training")
    app = open_page(PAGE)
    assert "the newest one" in [heading.value for heading in app.subheader]
    (table,) = app.dataframe
    assert list(table.value["What"]) == ["gold: 9 tasks"]
    assert list(table.value["Pass rate"]) == ["50 %"]
    assert list(table.value["State"]) == [["Done"]]


def test_a_model_that_is_not_here_says_why_and_cannot_start(home: Settings) -> None:
    app = open_page(PAGE)
    app.selectbox(key="explore.model").select("Qwen3-0.6B").run()
    assert "weights are not on this machine" in texts(app)
    assert app.button(key="explore.start").disabled


def test_what_was_chosen_gives_way_when_it_no_longer_fits(home: Settings) -> None:
    app = open_page(PAGE)
    app.multiselect(key="explore.templates").set_value(["calendar.move"]).run()
    assert not app.button(key="explore.start").disabled
    app.selectbox(key="explore.split").select("unseen_tools").run()
    assert not app.exception
    app.selectbox(key="explore.model").select("gold").run()
    assert not app.exception


@pytest.mark.usefixtures("unstarted")
def test_a_mode_asks_for_its_own_numbers_alone(home: Settings) -> None:
    app = open_page(PAGE)
    numbers = {f"explore.{name}" for names in NUMBERS.values() for name in names}
    for mode, names in NUMBERS.items():
        app.selectbox(key="explore.mode").select(mode).run()
        assert {each.key for each in app.number_input} & numbers == {f"explore.{name}" for name in names}
    app.number_input(key="explore.width").set_value(2)
    app.number_input(key="explore.nodes").set_value(9)
    app.number_input(key="explore.max_tokens").set_value(900)
    app.selectbox(key="explore.order").select("curriculum").run()
    app.button(key="explore.start").click().run()
    assert not app.exception
    ((job, _),) = supervisor.list_jobs(home, "explore")
    params = ExploreParams.model_validate(job.params)
    assert (params.mode, params.width, params.nodes, params.order) == ("tree", 2, 9, "curriculum")
    assert (params.max_tokens, params.max_seconds) == (900, None)
    assert "repairs" not in job.params and "candidates" not in job.params


def test_a_model_that_leaves_nothing_to_chance_has_nothing_to_choose_from(home: Settings) -> None:
    app = open_page(PAGE)
    app.selectbox(key="explore.mode").select("tree")
    app.slider(key="explore.temperature").set_value(0.0).run()
    assert app.button(key="explore.start").disabled
    app.selectbox(key="explore.model").select("gold").run()
    assert not app.button(key="explore.start").disabled


def test_a_tree_counts_as_one_attempt_however_many_paths_it_has(home: Settings) -> None:
    app = open_page(PAGE)
    app.selectbox(key="explore.model").select("random")
    app.selectbox(key="explore.mode").select("tree")
    app.number_input(key="explore.tasks").set_value(3).run()
    app.button(key="explore.start").click().run()
    ((job, _),) = supervisor.list_jobs(home, "explore")
    wait_for(home, job.id, "done")
    later = open_page(PAGE, job=job.id)
    shown = {metric.label: metric.value for metric in later.metric}
    assert shown["Attempts"] == "3 of 3" and "Passed with help" in shown and "Paths per minute" in shown


def test_one_click_corrects_what_a_model_did_wrong(home: Settings) -> None:
    with Store(home) as store:
        store.add(STUCK)
        store.add(GOLD.model_copy(update={"id": "trj_gold", "run": "g"}))
    explored = standing_job(home, "explore", "done", params={"model": "clumsy", "split": "train"}, done=1, total=1)
    (job_folder(home, explored.id) / RUN_FILE).write_text("r")
    app = open_page(PAGE, job=explored.id)
    app.button(key="correct.start").click().run()
    assert not app.exception
    ((job, _),) = supervisor.list_jobs(home, "correct")
    assert app.query_params["job"] == job.id and job.params["runs"] == ["r"]
    wait_for(home, job.id, "done")
    later = open_page(PAGE, job=job.id)
    shown = {metric.label: metric.value for metric in later.metric}
    assert shown["Attempts"] == "1 of 1" and shown["Passed with help"] == "100.0 %"
    assert not [each for each in later.button if each.key == "correct.start"], "corrections are not corrected"


@pytest.mark.parametrize("params", [{"model": "gold", "split": "train"}, {"model": "clumsy", "split": "unseen_tools"}])
def test_nothing_else_is_offered_for_correction(home: Settings, params: dict[str, str]) -> None:
    explored = standing_job(home, "explore", "done", params=params)
    (job_folder(home, explored.id) / RUN_FILE).write_text("r")
    assert not [each for each in open_page(PAGE, job=explored.id).button if each.key == "correct.start"]
