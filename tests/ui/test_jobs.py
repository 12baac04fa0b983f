"""A click is one job; what a job offers depends on its state."""

from collections.abc import Sequence

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, RESUMABLE, State
from lamsim_core.jobs.reading import read_job_folder
from lamsim_core.settings import Settings
from tests.pages.standing import standing_job

STATES: Sequence[State] = ("queued", "waiting", "running", "stopping", "done", "stopped", "failed", "dead")


def panel_script(job_id: str) -> None:
    from lamsim_core.settings import get_settings
    from lamsim_core.store import open_store
    from lamsim_core.ui.jobs import job_panel
    from lamsim_core.ui.page import Studio

    settings = get_settings()
    job_panel(Studio(settings, open_store(settings)), job_id, stop_text="Stop and save")


def panel(job_id: str) -> AppTest:
    app = AppTest.from_function(panel_script, args=(job_id,), default_timeout=60).run()
    assert not app.exception, app.exception
    return app


def keys(app: AppTest) -> set[str]:
    return {str(button.key).partition(".")[0] for button in app.button}


@pytest.mark.parametrize("state", STATES)
def test_what_can_be_done_depends_on_the_state(home: Settings, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    job = standing_job(home, "train", state)
    if state in ACTIVE:  # there is no process, so reading it would say "dead"
        as_written = read_job_folder(home, job.id).status.model_copy(update={"state": state})
        monkeypatch.setattr(supervisor, "status", lambda *_: as_written)
    wanted = {"stop"} if state in ("queued", "waiting", "running") else {"kill"} if state == "stopping" else set()
    assert keys(panel(job.id)) == (wanted | ({"resume"} if state in RESUMABLE else set()))


def test_the_stop_button_says_what_it_was_told_to(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = standing_job(home, "train", "queued")
    stopped: list[str] = []
    monkeypatch.setattr(supervisor, "stop", lambda _settings, job_id: stopped.append(job_id))
    app = panel(job.id)
    (button,) = app.button
    assert button.label == "Stop and save"
    button.click().run()
    assert stopped == [job.id]


def test_a_dead_job_is_shown_dead_with_its_reason(home: Settings) -> None:
    job = standing_job(home, "train", "running", pid=2**22 - 7, pid_created=1.0, done=5, total=10)
    app = panel(job.id)
    assert "killed, ran out of memory" in app.error[0].value
    assert keys(app) == {"resume"}


def test_the_log_is_read_only_when_it_is_opened_and_drawn_as_text(home: Settings) -> None:
    job = standing_job(home, "train", "done")
    (home.jobs / job.id / "log.txt").write_text("<script>x</script> **bold**\n", encoding="utf-8")
    app = panel(job.id)
    assert not app.code
    app.session_state[f"log.{job.id}"] = True
    app.run()
    assert [code.value for code in app.code] == ["<script>x</script> **bold**"]


def request_script() -> None:
    import streamlit as st

    from lamsim_core.jobs.job import JobStatus
    from lamsim_core.ui.jobs import request_id

    jobs = st.session_state.get("jobs", [])
    assert all(isinstance(status, JobStatus) for _, status in jobs)
    st.session_state["seen"] = request_id("train", {"name": st.session_state.get("name", "a")}, jobs)


def test_a_request_keeps_its_id_until_the_form_changes_or_its_job_ends(home: Settings) -> None:
    app = AppTest.from_function(request_script, default_timeout=60).run()
    first = app.session_state["seen"]
    assert app.run().session_state["seen"] == first
    app.session_state["name"] = "b"
    second = app.run().session_state["seen"]
    assert second != first
    job = standing_job(home, "train", "done").model_copy(update={"request_id": second})
    app.session_state["jobs"] = [(job, supervisor.status(home, job.id).model_copy(update={"state": "running"}))]
    assert app.run().session_state["seen"] == second
    app.session_state["jobs"] = [(job, supervisor.status(home, job.id))]
    assert app.run().session_state["seen"] not in (first, second)


def list_script() -> None:
    from lamsim_core.settings import get_settings
    from lamsim_core.store import open_store
    from lamsim_core.ui.jobs import job_list, jobs_of
    from lamsim_core.ui.page import Studio

    settings = get_settings()
    job_list(jobs_of(Studio(settings, open_store(settings)), "train"), "train", shown=None)


def test_a_long_list_is_cut_and_says_so(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from lamsim_core.ui import jobs as module

    monkeypatch.setattr(module, "LISTED", 2)
    for number in range(3):
        standing_job(home, "train", "done", label=f"run {number}")
    app = AppTest.from_function(list_script, default_timeout=60).run()
    assert list(app.dataframe[0].value["What"]) == ["run 2", "run 1"]
    assert "The newest 2 of 3 are listed." in [caption.value for caption in app.caption]
