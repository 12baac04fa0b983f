"""Nothing is left over from many jobs: no file handle, no thread, no zombie, no draft."""

import threading
import time

import psutil  # type: ignore[import-untyped]

from lamsim_core.jobs import supervisor
from lamsim_core.settings import Settings
from tests.jobs.acting import begin, wait_end


def test_twenty_jobs_leave_nothing(jobs: Settings) -> None:
    me = psutil.Process()
    others = set(me.children())  # of earlier tests in this process
    wait_end(jobs, begin(jobs, "count", n=1).id)
    settle(others)
    handles, threads = me.num_fds(), set(threading.enumerate())
    for _ in range(5):
        ids = [begin(jobs, "count", n=1).id for _ in range(4)]
        for job_id in ids:
            assert wait_end(jobs, job_id).state == "done"
    for _ in range(50):
        supervisor.list_jobs(jobs)
    settle(others)
    assert me.num_fds() == handles
    assert not set(threading.enumerate()) - threads
    assert len(supervisor.list_jobs(jobs)) == 21
    assert not list(jobs.jobs.glob("**/.*"))


def settle(others: set[psutil.Process]) -> None:
    """Wait for the last child to be reaped: it writes "done" a moment before it ends."""
    end = time.monotonic() + 20
    while (left := set(psutil.Process().children()) - others) or any(
        thread.name.startswith("reap-") for thread in threading.enumerate()
    ):
        assert time.monotonic() < end, left
        time.sleep(0.02)
