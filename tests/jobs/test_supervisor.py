"""Start, finish, fail, resume; seen from the parent and from a parent that came later."""

import json
import subprocess
import sys
import time

import pytest

from lamsim_core.errors import InvalidInputError, JobError, NotFoundError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import STATUS, job_folder, read_record
from lamsim_core.jobs.job import JobStatus, Launch
from lamsim_core.settings import REPOSITORY, Settings
from tests.jobs.acting import again, begin, wait, wait_end, wait_state
from tests.jobs.child import MODULE
from tests.jobs.handlers import counted


def attempt(settings: Settings, job_id: str) -> int:
    return read_record(job_folder(settings, job_id) / "process.json", Launch).attempt


def test_a_job_runs_to_its_end(jobs: Settings) -> None:
    job = begin(jobs, "count", n=3, label="Count to three")
    assert supervisor.status(jobs, job.id).state in ("queued", "running", "done")
    status = wait_end(jobs, job.id)
    assert (status.state, status.done, status.total) == ("done", 3, 3)
    assert status.result == {"counted": 3}
    assert status.error is None
    assert status.eta_seconds is None
    assert status.started is not None
    assert status.finished is not None
    assert status.started <= status.finished
    assert supervisor.get_job(jobs, job.id) == job
    assert supervisor.log_tail(jobs, job.id, 2) == "counted 1\ncounted 2"
    assert supervisor.metrics(jobs, job.id) == [{"unit": 0}, {"unit": 1}, {"unit": 2}]


def test_the_child_has_what_it_needs_and_nothing_to_wait_for(jobs: Settings) -> None:
    result = wait_end(jobs, begin(jobs, "environment").id).result
    assert result == {
        "LAMSIM_HOME": str(jobs.home),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "cwd": str(REPOSITORY),
        "stdin": "",
        "leader": True,
        "home": str(jobs.home),
    }


def test_an_expected_error_is_told_as_it_is(jobs: Settings) -> None:
    job = begin(jobs, "refuse")
    status = wait_end(jobs, job.id)
    assert status.state == "failed"
    assert status.error == "There is nothing to do: choose at least one task."
    assert "Traceback" not in supervisor.log_tail(jobs, job.id)


@pytest.mark.parametrize(
    ("do", "what"), [("crash", "ZeroDivisionError: no ? units"), ("exit", "SystemExit: a library left")]
)
def test_an_unexpected_error_is_a_sentence_and_its_traceback_is_in_the_log(jobs: Settings, do: str, what: str) -> None:
    job = begin(jobs, do)
    status = wait_end(jobs, job.id)
    assert status.state == "failed"
    assert status.error is not None
    assert what in status.error
    assert "Traceback" in supervisor.log_tail(jobs, job.id)


@pytest.mark.parametrize(
    ("of", "state", "value"), [("nan", "failed", None), ("path", "failed", None), ("tuple", "done", [1, 2])]
)
def test_a_result_is_json_or_the_job_failed(jobs: Settings, of: str, state: str, value: object) -> None:
    status = wait_end(jobs, begin(jobs, "result", of=of).id)
    assert status.state == state
    assert status.result.get("value") == value


def test_a_handler_that_is_missing_is_a_failed_job(jobs: Settings) -> None:
    job = supervisor.start(jobs, "explore", {}, label="x", _module="tests.jobs.no_such_child")
    status = wait_end(jobs, job.id)
    assert status.state == "dead"
    assert "no_such_child" in supervisor.log_tail(jobs, job.id)


def test_what_is_not_json_never_becomes_a_job(jobs: Settings) -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    for params in ({"x": float("nan")}, {"x": object()}, {"x": "\ud800"}, {"x": deep}):
        with pytest.raises(InvalidInputError, match="cannot be used"):
            supervisor.start(jobs, "explore", params, label="x")
    with pytest.raises(InvalidInputError):
        supervisor.start(jobs, "rob", {}, label="x")  # type: ignore[arg-type]
    assert supervisor.list_jobs(jobs) == []


def test_a_folder_that_cannot_be_written_is_a_sentence(jobs: Settings) -> None:
    jobs.home.mkdir()
    jobs.jobs.write_text("a file where the folder should be")
    with pytest.raises(JobError, match="cannot be written"):
        begin(jobs, "count")
    jobs.jobs.unlink()


def test_a_process_that_cannot_be_started_is_a_failed_job(jobs: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(JobError, match="could not be started"):
        begin(jobs, "count", n=1)
    monkeypatch.undo()
    [(job, status)] = supervisor.list_jobs(jobs)
    assert status.state == "failed"
    again(jobs, job.id)
    assert wait_end(jobs, job.id).state == "done"


def test_resume_goes_on_in_the_same_folder(jobs: Settings) -> None:
    job = begin(jobs, "count", n=40, pause=0.05)
    wait(jobs, job.id, lambda status: status.done >= 2)
    supervisor.stop(jobs, job.id)
    stopped = wait_end(jobs, job.id)
    assert stopped.state == "stopped"
    assert 2 <= stopped.done < 40
    assert stopped.result == {"counted": stopped.done}
    assert again(jobs, job.id) == job
    queued = supervisor.status(jobs, job.id)
    assert queued.state in ("queued", "running")
    assert queued.done >= stopped.done
    status = wait_end(jobs, job.id)
    assert (status.state, status.done) == ("done", 40)
    assert counted(job_folder(jobs, job.id)) == list(range(40))
    assert attempt(jobs, job.id) == 2
    assert len(supervisor.list_jobs(jobs)) == 1


def test_resume_is_refused_while_at_work_and_when_done(jobs: Settings) -> None:
    job = begin(jobs, "count", n=20, pause=0.05)
    with pytest.raises(JobError, match=r"this one is (queued|running)"):
        again(jobs, job.id)
    wait_state(jobs, job.id, "running")
    with pytest.raises(JobError, match="this one is running"):
        again(jobs, job.id)
    wait_end(jobs, job.id)
    with pytest.raises(JobError, match="this one is done"):
        again(jobs, job.id)
    assert attempt(jobs, job.id) == 1


def test_two_processes_never_work_on_one_job(jobs: Settings) -> None:
    job = begin(jobs, "count", n=60, pause=0.05)
    wait_state(jobs, job.id, "running")
    second = subprocess.run(
        [sys.executable, "-m", MODULE, job.id], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert "already at work" in second.stderr
    wait_end(jobs, job.id)
    assert counted(job_folder(jobs, job.id)) == list(range(60))
    third = subprocess.run(
        [sys.executable, "-m", MODULE, job.id], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert third.returncode == 2
    assert "already ended (done)" in third.stderr


def test_a_parent_that_comes_later_finds_and_stops_it(jobs: Settings) -> None:
    starter = "from lamsim_core.settings import get_settings; from tests.jobs.acting import begin; "
    starter += "print(begin(get_settings(), 'count', n=2000, pause=0.02, label='Long').id)"
    made = subprocess.run([sys.executable, "-c", starter], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    job_id = made.stdout.strip()
    status = wait(jobs, job_id, lambda status: status.done >= 1)
    assert status.state == "running"
    [(job, _)] = supervisor.list_jobs(jobs)
    assert (job.id, job.label) == (job_id, "Long")
    supervisor.stop(jobs, job_id)
    assert supervisor.status(jobs, job_id).state in ("stopping", "stopped")
    status = wait_end(jobs, job_id)
    assert status.state == "stopped"
    assert counted(job_folder(jobs, job_id)) == list(range(status.done))


def test_jobs_are_listed_newest_first_and_by_kind(jobs: Settings) -> None:
    assert supervisor.list_jobs(jobs) == []
    ids = []
    for kind in ("explore", "train", "explore"):
        ids.append(begin(jobs, "count", kind=kind, n=1).id)
        time.sleep(0.002)
    (jobs.jobs / "job_notes.txt").write_text("not a job")
    (jobs.jobs / f"job_{'0' * 26}").write_text("not a folder")
    assert [job.id for job, _ in supervisor.list_jobs(jobs)] == ids[::-1]
    assert [job.id for job, _ in supervisor.list_jobs(jobs, "train")] == [ids[1]]
    for job_id in ids:
        assert wait_end(jobs, job_id).state == "done"


def test_unknown_jobs_are_not_found(jobs: Settings) -> None:
    unknown = f"job_{'0' * 26}"
    for call in (
        supervisor.status,
        supervisor.get_job,
        supervisor.stop,
        supervisor.kill,
        supervisor.resume,
        supervisor.log_tail,
        supervisor.metrics,
    ):
        with pytest.raises(NotFoundError):
            call(jobs, unknown)


def test_the_product_runs_only_its_own_kinds() -> None:
    from lamsim_core.jobs.runner import HANDLERS

    assert HANDLERS == {
        "explore": "lamsim_core.explore.job",
        "correct": "lamsim_core.explore.correct",
        "train": "lamsim_core.train.job",
        "evaluate": "lamsim_core.evaluate.job",
        "bfcl": "lamsim_core.evaluate.bfcl.job",
        "rescore": "lamsim_core.review.job",
        "merge": "lamsim_core.train.merge_job",
        "turn": "lamsim_core.flywheel.job",
    }


def test_the_products_own_child_records_a_failure_too(jobs: Settings) -> None:
    """With parameters no handler accepts, the real runner still ends with a sentence."""
    job = supervisor.start(jobs, "train", {"no": "such parameter"}, label="x")
    status = wait_end(jobs, job.id)
    assert status.state == "failed"
    assert status.error
    raw = json.loads((job_folder(jobs, job.id) / STATUS).read_text())
    assert JobStatus.model_validate(raw) == status
