"""Stop means save and stop; by force only when the job does not follow, and without any page's help."""

import os
import signal
import subprocess
import sys
import time

import psutil  # type: ignore[import-untyped]
import pytest

from lamsim_core.canonical import now
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import PROCESS, STATUS, STOP, job_folder, read_record, write_record
from lamsim_core.jobs.job import JobStatus, Launch
from lamsim_core.jobs.process import Mark, mark_of, send
from lamsim_core.settings import Settings
from tests.jobs.acting import again, begin, wait, wait_end, wait_state
from tests.jobs.handlers import counted


def test_stop_saves(jobs: Settings) -> None:
    job = begin(jobs, "count", n=1000, pause=0.02)
    wait(jobs, job.id, lambda status: status.done >= 1)
    supervisor.stop(jobs, job.id)
    supervisor.stop(jobs, job.id)
    status = wait_end(jobs, job.id)
    assert (status.state, status.error) == ("stopped", None)
    assert counted(job_folder(jobs, job.id)) == list(range(status.done))


def test_a_job_stopped_before_it_listens_is_stopped_not_dead(jobs: Settings) -> None:
    job = begin(jobs, "count", n=1000, pause=0.02)
    supervisor.stop(jobs, job.id)
    assert supervisor.status(jobs, job.id).state in ("stopping", "stopped")
    assert wait_end(jobs, job.id).state == "stopped"


def test_a_signal_from_the_shell_is_a_stop_too(jobs: Settings) -> None:
    job = begin(jobs, "count", n=1000, pause=0.02)
    status = wait(jobs, job.id, lambda status: status.done >= 1)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGTERM)
    assert wait_end(jobs, job.id).state == "stopped"


def test_the_flag_alone_is_a_stop_too(jobs: Settings) -> None:
    job = begin(jobs, "count", n=1000, pause=0.02)
    wait(jobs, job.id, lambda status: status.done >= 1)
    (job_folder(jobs, job.id) / STOP).touch()
    assert wait_end(jobs, job.id).state == "stopped"


def test_stopping_what_has_ended_changes_nothing(jobs: Settings) -> None:
    job = begin(jobs, "count", n=1)
    before = wait_end(jobs, job.id)
    supervisor.stop(jobs, job.id)
    assert supervisor.status(jobs, job.id) == before
    assert not (job_folder(jobs, job.id) / STOP).exists()


def test_a_job_that_hangs_is_ended_by_its_own_watchdog(jobs: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_GRACE", "0.5")
    job = begin(jobs, "spawn")
    wait_state(jobs, job.id, "running")
    wait(jobs, job.id, lambda status: status.message == "hanging")
    worker = int((job_folder(jobs, job.id) / "worker.pid").read_text())
    supervisor.stop(jobs, job.id)
    status = wait_end(jobs, job.id, seconds=20)
    assert status.state == "stopped"
    assert "by force" in status.message
    log = supervisor.log_tail(jobs, job.id, 100)
    assert "in hang" in log, "the log should say where it hung"
    wait_until_gone(worker)


def test_kill_ends_a_hung_job_with_all_it_started(jobs: Settings) -> None:
    job = begin(jobs, "spawn", once=True)
    status = wait(jobs, job.id, lambda status: status.message == "hanging")
    assert status.pid is not None
    worker = int((job_folder(jobs, job.id) / "worker.pid").read_text())
    os.kill(status.pid, signal.SIGSTOP)
    assert supervisor.kill(jobs, job.id) is True
    status = supervisor.status(jobs, job.id)
    assert status.state == "dead"
    assert status.error is not None
    assert "Resume" in status.error
    wait_until_gone(worker)
    assert supervisor.kill(jobs, job.id) is False


def test_what_a_dead_job_left_behind_is_ended_before_it_is_resumed(jobs: Settings) -> None:
    job = begin(jobs, "spawn", once=True)
    status = wait(jobs, job.id, lambda status: status.message == "hanging")
    assert status.pid is not None
    worker = int((job_folder(jobs, job.id) / "worker.pid").read_text())
    os.kill(status.pid, signal.SIGKILL)
    wait_state(jobs, job.id, "dead")
    assert psutil.pid_exists(worker)
    again(jobs, job.id)
    wait_until_gone(worker)
    assert wait_end(jobs, job.id).state == "stopped"


def test_a_recycled_pid_is_never_signalled(jobs: Settings) -> None:
    job = begin(jobs, "count", n=1)
    wait_end(jobs, job.id)
    folder = job_folder(jobs, job.id)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        mark = mark_of(bystander.pid)
        assert mark is not None
        created = mark.created - 100
        launch = read_record(folder / PROCESS, Launch)
        write_record(folder / PROCESS, launch.model_copy(update={"pid": mark.pid, "pid_created": created}))
        running = JobStatus(state="running", updated=now(), pid=mark.pid, pid_created=created)
        write_record(folder / STATUS, running)
        assert supervisor.status(jobs, job.id).state == "dead"
        supervisor.stop(jobs, job.id)
        assert supervisor.kill(jobs, job.id) is False
        assert send(Mark(mark.pid, created), job.id, signal.SIGKILL, group=True) is False
        time.sleep(0.1)
        assert bystander.poll() is None
        assert send(mark, job.id, signal.SIGKILL, group=True) is True
    finally:
        bystander.kill()
        bystander.wait()


def test_a_clock_that_was_set_does_not_make_a_job_dead(jobs: Settings) -> None:
    """Creation times are counted from the boot by the clock: setting it moves them."""
    job = begin(jobs, "count", n=1000, pause=0.02)
    wait(jobs, job.id, lambda status: status.done >= 1)
    status = supervisor.status(jobs, job.id)
    assert status.pid is not None
    assert status.pid_created is not None
    assert send(Mark(status.pid, status.pid_created - 3600), job.id, signal.SIGTERM, group=True) is True
    assert wait_end(jobs, job.id).state == "stopped"


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.02)
