"""The program as users start it: a process of its own, its signals, its streams."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.jobs import supervisor
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.shell import foreground
from lamsim_core.shell.foreground import follow
from lamsim_core.shell.output import JobEndedError
from lamsim_core.store import Store

PROGRAM = [sys.executable, "-m", "lamsim_core"]


def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Any, seconds: float = 40.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def test_help_comes_at_once_and_loads_nothing_slow() -> None:
    code = (
        "import sys, lamsim_core.__main__\nfrom lamsim_core.shell.program import main\nmain(['--help'])\n"
        "slow = {'torch', 'transformers', 'streamlit', 'duckdb', 'statsmodels', 'numpy', 'plotly', 'pyarrow'}\n"
        "print('loaded:', sorted(slow & set(sys.modules)))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "explore" in result.stdout and result.stdout.endswith("loaded: []\n")
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.0, "seconds of processor time"


def test_importing_the_module_runs_nothing() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import lamsim_core.__main__"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    assert (result.stdout, result.stderr) == ("", "")


def test_json_through_a_pipe_is_one_object(home: Settings) -> None:
    process = start("explore", "--model", "gold", "--tasks", "2", "--json")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.count("\n") == 1 and json.loads(out)["passed"] == 2


def test_a_reader_that_leaves_early_causes_no_traceback(home: Settings) -> None:
    process = start("tools")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) in (0, 1)


def test_ctrl_c_saves_what_is_finished_and_the_job_can_go_on(home: Settings) -> None:
    process = start("explore", "--model", "random", "--tasks", "900", "--json")
    job = wait_for(lambda: next((job for job, status in supervisor.list_jobs(home) if status.done >= 3), None))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    said = json.loads(out)
    assert (said["kind"], said["job"]) == ("StoppedError", job.id)
    assert f"jobs resume {job.id}" in err and "Traceback" not in err
    status = supervisor.status(home, job.id)
    assert status.state == "stopped" and status.done >= 3
    with Store(home) as store:
        assert len(store.read_run(status.result["run"])) == status.done  # type: ignore[arg-type]
    try:
        assert supervisor.resume(home, job.id).id == job.id
        wait_for(lambda: supervisor.status(home, job.id).done > status.done)
    finally:
        supervisor.kill(home, job.id)


@pytest.fixture
def jobs(home: Settings) -> Iterator[Settings]:
    yield home
    for job, _ in supervisor.list_jobs(home):
        supervisor.kill(home, job.id)


def test_a_job_in_its_own_process_is_followed_to_its_end(jobs: Settings) -> None:
    job = supervisor.start(jobs, "explore", {"model": "gold", "tasks": 2}, label="two [b]tasks[/b]")
    assert follow(jobs, job.id)["passed"] == 2
    failing = supervisor.start(jobs, "explore", {"model": "nobody"}, label="x")
    with pytest.raises(JobEndedError, match="no model named 'nobody'") as caught:
        follow(jobs, failing.id)
    assert caught.value.job == failing.id


def test_ctrl_c_while_following_asks_the_job_to_stop(jobs: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = supervisor.start(jobs, "explore", {"model": "random", "tasks": 900}, label="x")
    wait_for(lambda: supervisor.status(jobs, job.id).done >= 1)
    pressed: list[float] = []

    def sleep(seconds: float) -> None:
        pressed.append(seconds)
        if len(pressed) == 1:
            raise KeyboardInterrupt
        time.sleep(seconds)

    class Clock:
        pass

    Clock.sleep = staticmethod(sleep)  # type: ignore[attr-defined]
    monkeypatch.setattr(foreground, "time", Clock)
    with pytest.raises(JobEndedError) as caught:
        follow(jobs, job.id)
    assert type(caught.value.cause).__name__ == "StoppedError"
    assert supervisor.status(jobs, job.id).state == "stopped"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_one_app_per_store_and_it_ends_with_ctrl_c(home: Settings, tmp_path: Path) -> None:
    port = free_port()
    app = start("app", "--json", LAMSIM_PORT=str(port))
    try:
        assert app.stdout is not None
        said = json.loads(app.stdout.readline())
        assert said == {"url": f"http://localhost:{port}", "pid": app.pid, "home": str(home.home)}
        wait_for(lambda: app.poll() is not None or healthy(port))
        assert app.poll() is None

        same_store = start("app", "--json", LAMSIM_PORT=str(free_port()))
        out, _ = same_store.communicate(timeout=30)
        sentence = json.loads(out)["error"]
        assert same_store.returncode == 1
        assert f"already open on this store ({home.home}) at http://localhost:{port}, process {app.pid}" in sentence

        same_port = start("app", LAMSIM_PORT=str(port), LAMSIM_HOME=str(tmp_path / "other"))
        _, err = same_port.communicate(timeout=30)
        assert same_port.returncode == 1
        assert f"Port {port} cannot be used" in err and "LAMSIM_PORT" in err
    finally:
        app.send_signal(signal.SIGINT)
        out, _ = app.communicate(timeout=30)
    assert out == "", "with --json the server says nothing on stdout"
    again = start("app", "--json", LAMSIM_PORT=str(free_port()))
    try:
        assert again.stdout is not None
        assert "url" in json.loads(again.stdout.readline()), "the lock went with the process that held it"
    finally:
        again.kill()
        again.communicate(timeout=30)
