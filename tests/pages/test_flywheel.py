"""Flywheel: one click starts a whole turn; its stages and what it changed are shown."""

import pytest

from lamsim_core.flywheel.sizes import SIZES
from lamsim_core.flywheel.turn import effort
from lamsim_core.flywheel.wheel import STAGES, Stage, Stages
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import job_folder, write_record
from lamsim_core.settings import Settings
from lamsim_core.ui.turning import STAGE_NAMES, free_name
from tests.pages.driving import open_page, texts
from tests.pages.standing import standing_adapter, standing_dataset, standing_evaluation, standing_job

PAGE = "9_Flywheel.py"
ASKED = {"name": "turn-1", "size": "cpu", "model": "smollm2-135m", "from_adapter": None, "seed": 0, "folder": None}


def test_one_click_starts_a_turn(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_launch", lambda *_, **__: None)  # a job is made, no process is started
    app = open_page(PAGE)
    said = texts(app)
    assert all(name in said for name in STAGE_NAMES.values())
    assert "1,125 reference solutions" in said and "two and a half hours" in said
    app.button(key="turn.start").click().run()
    assert not app.exception
    ((job, _),) = supervisor.list_jobs(home)
    assert (job.kind, job.params) == ("turn", ASKED)
    assert app.query_params["job"] == job.id or app.query_params["job"] == [job.id]


def test_a_turn_can_go_on_from_an_adapter(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_launch", lambda *_, **__: None)
    adapter = standing_adapter(home, standing_dataset(home, tasks=2), name="turn-1-dpo")
    app = open_page(PAGE)
    known = len(app.selectbox(key="turn_base").options)
    assert known and app.text_input(key="turn_name.0").value == "turn-2", "turn-1 has an adapter already"
    start = next(each for each in app.selectbox if str(each.key).startswith("turn_start."))
    start.set_value(adapter.id)
    app.segmented_control(key="turn_size").set_value("smoke").run()
    app.button(key="turn.start").click().run()
    ((job, _),) = supervisor.list_jobs(home)
    assert job.params == {**ASKED, "name": "turn-2", "size": "smoke", "from_adapter": "turn-1-dpo"}


@pytest.mark.parametrize(("name", "why"), [("../x", "letters, digits"), ("mine", "already"), ("", "letters, digits")])
def test_a_name_that_cannot_be_used_is_said(home: Settings, name: str, why: str) -> None:
    standing_adapter(home, standing_dataset(home, tasks=2), name="mine-sft")
    app = open_page(PAGE)
    app.text_input(key="turn_name.0").set_value(name).run()
    if name:
        assert app.button(key="turn.start").disabled
        assert why in texts(app)


def test_the_stages_of_a_turn_are_shown_with_what_came_of_them(home: Settings) -> None:
    evaluation = standing_evaluation(home, name="what it changed")
    job = standing_job(home, "turn", "running", label="turn-1", params=ASKED, done=300, total=1000)
    shown = Stage(name="demonstrations", made_by="job_" + "0" * 26, seconds=90, result={"passed": 12, "run": "run_1"})
    rows = Stage(name="rows", made_by="ds_1", seconds=2, result={"rows": 9, "hash": "h"})
    write_record(job_folder(home, job.id) / STAGES, Stages(done=(shown, rows), at="sft", job=job.id))
    app = open_page(PAGE, job=job.id)
    said = texts(app)
    assert "passed 12" in said and "rows 9" in said and "run_1" not in said and "model gold" not in said
    assert f"pending: **{STAGE_NAMES['sft']}**" in said
    assert said.count("radio_button_unchecked") == len(effort(SIZES["cpu"], "turn-1", ["smollm2-135m"])) - 3
    assert evaluation.name not in said

    done = standing_job(
        home, "turn", "done", params=ASKED, result={"name": "turn-1", "evaluation": evaluation.id, "stages": []}
    )
    later = open_page(PAGE, job=done.id)
    assert evaluation.name in texts(later)
    assert list(later.dataframe[0].value["Passed"])[:2] == ["4 of 40", "22 of 40"]


def test_a_turn_that_was_asked_wrongly_says_why_and_has_no_stages(home: Settings) -> None:
    job = standing_job(home, "turn", "failed", params={**ASKED, "name": "../x"}, error="It cannot start")
    app = open_page(PAGE, job=job.id)
    assert "It cannot start" in texts(app) and "went wrong" not in texts(app)


def test_names_of_turns_are_free() -> None:
    assert free_name(set(), 0) == "turn-1"
    assert free_name({"turn-1-sft", "turn-2-dpo"}, 0) == "turn-3"
    assert free_name({"turn-1-sft"}, 4) == "turn-5"
