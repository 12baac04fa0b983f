"""Jobs in the foreground: same folder, same status, Ctrl-C saves and stops."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from lamsim_core.errors import InvalidInputError, StoppedError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import job_folder
from lamsim_core.jobs.runner import run_inline
from lamsim_core.settings import REPOSITORY, Settings
from tests.jobs.acting import again, wait, wait_end
from tests.jobs.child import HANDLERS
from tests.jobs.handlers import counted

SHELL = """
import sys
from lamsim_core.errors import StoppedError
from lamsim_core.jobs.runner import run_inline
from lamsim_core.settings import get_settings
from tests.jobs.child import HANDLERS
try:
    print(run_inline(get_settings(), "explore", {"do": sys.argv[1], "n": 1000, "pause": 0.02}, handlers=HANDLERS))
except StoppedError as error:
    print(error)
    sys.exit(130)
"""


def test_it_runs_here_and_is_listed_like_any_other(jobs: Settings) -> None:
    seen: list[tuple[int, int, str]] = []
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    result = run_inline(
        jobs,
        "explore",
        {"do": "count", "n": 3},
        lambda done, total, message: seen.append((done, total, message)),
        label="By hand",
        handlers=HANDLERS,
    )
    assert result == {"counted": 3}
    assert seen == [(0, 3, "counting"), (1, 3, "counted 0"), (2, 3, "counted 1"), (3, 3, "counted 2")]
    [(job, status)] = supervisor.list_jobs(jobs)
    assert (job.label, status.state, status.done, status.result) == ("By hand", "done", 3, result)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_its_errors_are_recorded_and_raised(jobs: Settings) -> None:
    with pytest.raises(InvalidInputError, match="nothing to do"):
        run_inline(jobs, "explore", {"do": "refuse"}, handlers=HANDLERS)
    with pytest.raises(ZeroDivisionError):
        run_inline(jobs, "explore", {"do": "crash"}, handlers=HANDLERS)
    (crashed, second), (_, first) = supervisor.list_jobs(jobs)
    assert (first.state, second.state) == ("failed", "failed")
    assert "ZeroDivisionError" in supervisor.log_tail(jobs, crashed.id)


def test_ctrl_c_saves_and_stops_and_it_resumes_in_the_background(jobs: Settings) -> None:
    shell = subprocess.Popen(
        [sys.executable, "-c", SHELL, "count"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    job_id = wait_listed(jobs)
    wait(jobs, job_id, lambda status: status.done >= 2)
    os.killpg(shell.pid, signal.SIGINT)
    said = shell.communicate(timeout=30)[0]
    assert shell.returncode == 130
    assert said.splitlines()[-1] == "Stopped; what was finished is saved."
    status = supervisor.status(jobs, job_id)
    assert status.state == "stopped"
    assert counted(job_folder(jobs, job_id)) == list(range(status.done))
    again(jobs, job_id)
    wait(jobs, job_id, lambda now: now.done > status.done)
    supervisor.stop(jobs, job_id)
    assert wait_end(jobs, job_id).state == "stopped"


def test_a_second_ctrl_c_does_not_wait(jobs: Settings) -> None:
    shell = subprocess.Popen(
        [sys.executable, "-c", SHELL, "hang"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    job_id = wait_listed(jobs)
    wait(jobs, job_id, lambda status: status.message == "hanging")
    shell.send_signal(signal.SIGINT)
    wait(jobs, job_id, lambda status: status.state == "stopping")
    shell.send_signal(signal.SIGINT)
    shell.communicate(timeout=30)
    assert shell.returncode == 130
    assert supervisor.status(jobs, job_id).state == "stopped"


def test_a_page_can_stop_it_without_touching_the_rest_of_its_group(jobs: Settings) -> None:
    """In a shell the group holds more than the job: ``lamsim explore | tee log``."""
    script = f"sleep 600 & echo $! ; {sys.executable} -c '{SHELL}' count; kill -0 $! && echo alive; kill -9 $!"
    shell = subprocess.Popen(
        ["bash", "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    job_id = wait_listed(jobs)
    wait(jobs, job_id, lambda status: status.done >= 1)
    supervisor.stop(jobs, job_id)
    said = shell.communicate(timeout=30)[0]
    assert wait_end(jobs, job_id).state == "stopped"
    assert said.splitlines()[-1] == "alive"


def test_it_also_runs_outside_the_main_thread(jobs: Settings) -> None:
    ended: list[str] = []

    def work() -> None:
        try:
            run_inline(jobs, "explore", {"do": "count", "n": 1000, "pause": 0.01}, handlers=HANDLERS)
        except StoppedError as error:
            ended.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    job_id = wait_listed(jobs)
    wait(jobs, job_id, lambda status: status.done >= 1)
    (job_folder(jobs, job_id) / "stop").touch()
    thread.join(30)
    assert ended == ["Stopped; what was finished is saved."]


def wait_listed(settings: Settings) -> str:
    end = time.monotonic() + 30
    while not (listed := supervisor.list_jobs(settings)):
        assert time.monotonic() < end
        time.sleep(0.02)
    return listed[0][0].id
