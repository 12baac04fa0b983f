"""Jobs whose child, or whose parent, is killed at any moment: nothing saved is lost, nothing runs twice."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from lamsim_core.jobs import reading, supervisor
from lamsim_core.jobs.folder import job_folder
from lamsim_core.jobs.job import Job
from lamsim_core.settings import REPOSITORY, Settings
from tests.jobs.acting import again, begin, wait, wait_end
from tests.jobs.conftest import jobs as jobs
from tests.jobs.handlers import counted

pytestmark = pytest.mark.crash


def check_complete(settings: Settings, job: Job, units: int) -> None:
    status = supervisor.status(settings, job.id)
    assert (status.state, status.done, status.result) == ("done", units, {"counted": units}), status
    folder = job_folder(settings, job.id)
    assert counted(folder) == list(range(units)), "a unit was lost or done twice"
    assert all(row["unit"] in range(units) for row in supervisor.metrics(settings, job.id))


def test_a_child_killed_at_random_moments_is_dead_and_resumes_to_the_end(jobs: Settings) -> None:
    moments = random.Random(7)
    units = 120
    job = begin(jobs, "count", n=units, pause=0.02)
    kills = 0
    while kills < 12:
        deadline = time.monotonic() + moments.uniform(0.0, 0.9)
        while time.monotonic() < deadline and supervisor.status(jobs, job.id).state != "done":
            time.sleep(0.005)
        found = reading.read_job_folder(jobs, job.id)
        if found.status.state == "done":
            break
        assert found.mark is not None
        saved = counted(job_folder(jobs, job.id))
        os.kill(found.mark.pid, signal.SIGKILL)
        kills += 1
        status = wait_end(jobs, job.id)
        if status.state == "done":
            break
        assert status.state == "dead"
        assert status.error is not None
        assert counted(job_folder(jobs, job.id))[: len(saved)] == saved
        again(jobs, job.id)
    wait_end(jobs, job.id)
    assert kills >= 3
    check_complete(jobs, job, units)
    assert not list(job_folder(jobs, job.id).glob(".*.tmp"))


# Each call by which the parent changes the disk or starts a process, so that it can die just before or just after.
DYING_PARENT = """
import os, signal, subprocess, sys
from pathlib import Path
from lamsim_core.settings import get_settings
from tests.jobs.acting import again, begin

left = int(sys.argv[1])

def dying(call):
    def called(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **kwargs)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return called

Path.replace = dying(Path.replace)
Path.rename = dying(Path.rename)
os.link = dying(os.link)
Popen = subprocess.Popen
subprocess.Popen = dying(Popen)
if sys.argv[2] == "start":
    begin(get_settings(), "count", n=3, request_id="click")
else:
    again(get_settings(), sys.argv[2])
print("survived")
"""


def die_at(point: int, what: str) -> bool:
    """Run a parent that kills itself at its ``point``-th chance; whether it did."""
    done = subprocess.run(
        [sys.executable, "-c", DYING_PARENT, str(point), what],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode == -signal.SIGKILL) != ("survived" in done.stdout), done.stderr
    return done.returncode == -signal.SIGKILL


def test_a_parent_killed_anywhere_in_start_leaves_one_job_that_can_be_finished(
    jobs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "START_SECONDS", 0.3)
    point = 0
    while die_at(point := point + 1, "start"):
        job = begin(jobs, "count", n=3, request_id="click")
        if wait_end(jobs, job.id).state == "dead":
            again(jobs, job.id)
            wait_end(jobs, job.id)
        check_complete(jobs, job, 3)
        assert [found.id for found, _ in supervisor.list_jobs(jobs)] == [job.id]
        for path in sorted(jobs.jobs.glob("**/*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    assert point >= 12, "the harness should have found every point"


def test_a_parent_killed_anywhere_in_resume_leaves_a_job_that_can_be_finished(
    jobs: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "START_SECONDS", 0.3)
    point = 0
    survived = False
    while not survived:
        point += 1
        job = begin(jobs, "count", n=1000, pause=0.01)
        wait(jobs, job.id, lambda status: status.done >= 1)
        supervisor.kill(jobs, job.id)
        survived = not die_at(point, job.id)
        status = wait(jobs, job.id, lambda status: status.state in ("dead", "running"))
        if status.state == "dead":
            again(jobs, job.id)
            wait(jobs, job.id, lambda status: status.state == "running")
        supervisor.stop(jobs, job.id)
        status = wait_end(jobs, job.id)
        assert status.state == "stopped"
        units = counted(job_folder(jobs, job.id))
        assert units == list(range(len(units))), "a unit was lost or done twice"
        # A killed process may not have told its last units, and one stopped before it began does not count them anew.
        assert len(units) >= status.done >= 1
    assert point >= 8, "the harness should have found every point"
