"""A double click starts one job: in threads, in processes, and when the first click's process died half-way."""

import shutil
import subprocess
import sys
import threading

import pytest

from lamsim_core.errors import JobError
from lamsim_core.jobs import creation, supervisor
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import job_folder
from lamsim_core.settings import REPOSITORY, Settings
from tests.jobs.acting import begin, wait_end
from tests.jobs.handlers import counted


def test_the_same_request_starts_one_job_in_many_threads(jobs: Settings) -> None:
    barrier = threading.Barrier(8)
    ids: list[str] = []

    def click() -> None:
        barrier.wait()
        ids.append(begin(jobs, "count", n=3, request_id="click 1").id)

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert len(supervisor.list_jobs(jobs)) == 1
    assert wait_end(jobs, ids[0]).state == "done"
    assert counted(job_folder(jobs, ids[0])) == [0, 1, 2]


def test_the_same_request_starts_one_job_in_many_processes(jobs: Settings) -> None:
    click = "from lamsim_core.settings import get_settings; from tests.jobs.acting import begin; "
    click += "print(begin(get_settings(), 'count', n=3, request_id='click 2').id)"
    clicks = [
        subprocess.Popen([sys.executable, "-c", click], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ids = {process.communicate(timeout=60)[0].strip() for process in clicks}
    assert len(ids) == 1
    [(job, _)] = supervisor.list_jobs(jobs)
    assert ids == {job.id}
    assert wait_end(jobs, job.id).state == "done"
    assert counted(job_folder(jobs, job.id)) == [0, 1, 2]


def test_other_requests_and_no_request_start_other_jobs(jobs: Settings) -> None:
    ids = {begin(jobs, "count", n=0, request_id=request).id for request in ("a", "b", "../a", None, None)}
    assert len(ids) == 5
    assert begin(jobs, "count", n=0, request_id="../a").id in ids
    for job_id in ids:
        wait_end(jobs, job_id)


def test_a_request_comes_back_as_its_job_after_it_ended(jobs: Settings) -> None:
    job = begin(jobs, "count", n=1, request_id="click")
    wait_end(jobs, job.id)
    assert begin(jobs, "count", n=1, request_id="click") == job
    assert supervisor.status(jobs, job.id).state == "done"


def test_a_click_whose_process_died_before_the_folder_had_its_place(
    jobs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiedError(BaseException):
        """Stands for SIGKILL."""

    def die(*_: object, **__: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(creation, "_publish", die)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(DiedError):
            begin(jobs, "count", n=2, request_id="click")
    assert supervisor.list_jobs(jobs) == []
    job = begin(jobs, "count", n=2, request_id="click")
    assert [found.id for found, _ in supervisor.list_jobs(jobs)] == [job.id]


def test_a_request_whose_job_was_deleted_is_a_sentence(home: Settings) -> None:
    job = create_folder(home, new_job("explore", {}, label="x", request_id="click"), group=True)
    folder = job_folder(home, job.id)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(JobError, match="Start it again as a new one"):
        begin(home, "count", request_id="click")
