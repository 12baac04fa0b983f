"""Second looks from the shell."""

import json
from pathlib import Path

import pytest

from lamsim_core.jobs import supervisor
from lamsim_core.records import Trajectory
from lamsim_core.review.corrections import add_review
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import get_trajectory
from tests.review.conftest import keep
from tests.review.making import changed_check, finds_nothing, review, undone
from tests.shell.conftest import Shell

GOAL = "state.goal"


@pytest.fixture
def missed(home: Settings) -> Trajectory:
    """An attempt that a wrong check let pass, and a reviewer who says so."""
    with Store(home) as store, changed_check(GOAL, finds_nothing):
        attempt = undone(passes=True)
        keep(store, attempt)
        add_review(store, review(attempt, GOAL, "fails", blind=True, seconds=3.0))
        add_review(store, review(attempt, GOAL, "fails", reason="Nothing was moved."))
    return attempt


def test_rescore_says_and_keeps_what_changed(shell: Shell, home: Settings, missed: Trajectory) -> None:
    with Store(home) as store:
        keep(store, undone("run_b"))
    data = shell("rescore", "--json").json
    assert (data["judged"], data["unjudged"], data["changed"]) == (2, 0, 1)
    assert data["outcomes"] == {}, "the reviewer had found the same already"
    ((job, status),) = supervisor.list_jobs(home, "rescore")
    assert (job.id, status.state) == (data["job"], "done")
    with Store(home) as store:
        store.index.sync()
        now = get_trajectory(store.index, missed.id)
    assert now.passed is False and {v.version for v in now.verdicts if v.check == GOAL} == {2}
    again = shell("rescore", "--run", "run_b", "--json").json
    assert (again["judged"], again["changed"], again["runs"]) == (1, 0, ["run_b"])
    assert "1 attempts judged, 0 of them differently" in shell("rescore", "--run", "run_b").out


@pytest.mark.usefixtures("missed")
def test_agreement(shell: Shell) -> None:
    data = shell("review", "agreement", "--json").json
    everything, goal = data["checks"]
    assert (everything["name"], goal["name"], goal["n"]) == ("all", GOAL, 1)
    assert goal["confusion"] == [[0, 0], [1, 0]] and goal["agreement"]["value"] == 0
    assert data["reviewers"] == [] and data["pace"] == {"answers": 1, "median_seconds": 3.0}
    assert "1 answers, 3.0 s each (median)." in shell("review", "agreement").out


def test_agreement_of_nobody(shell: Shell) -> None:
    assert shell("review", "agreement", "--json").json["checks"][0]["n"] == 0
    assert "0 answers." in shell("review", "agreement").out


@pytest.mark.usefixtures("missed")
def test_cases_are_written_once_and_replayed(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    (name,) = shell("review", "cases", "--out", str(folder), "--json").json["written"]
    assert json.loads((folder / name).read_text())["reason"] == "Nothing was moved."
    assert shell("review", "cases", "--out", str(folder), "--json").json["written"] == []
    right = shell("review", "replay", str(folder), "--json")
    assert right.code == 0 and right.json["right"] == 1
    with changed_check(GOAL, finds_nothing):
        wrong = shell("review", "replay", str(folder), "--json")
        assert wrong.code == 1 and wrong.json["right"] == 0
        assert wrong.json["cases"][0]["says"] == "pass"
        assert "0 of 1 cases" in shell("review", "replay", str(folder)).out


def test_a_folder_that_is_not_there_and_a_damaged_case(shell: Shell, tmp_path: Path) -> None:
    assert shell("review", "replay", str(tmp_path / "none"), "--json").code == 2
    (tmp_path / "bad.case.json").write_text("{}")
    found = shell("review", "replay", str(tmp_path), "--json")
    assert found.code == 1 and "should be a case" in found.json["error"]
