"""One model job at a time; the others wait, say for whom, and can be stopped."""

import os
import signal
import time
from itertools import pairwise

from lamsim_core.jobs import supervisor
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.settings import Settings
from tests.jobs.acting import again, begin, wait, wait_end, wait_state


def test_two_leases_serialise(jobs: Settings) -> None:
    ids = [begin(jobs, "lease", hold=0.5).id for _ in range(3)]
    spans = []
    for job_id in ids:
        status = wait_end(jobs, job_id)
        assert status.state == "done", status.error
        spans.append((status.result["entered"], status.result["left"]))
    spans.sort()
    for (_, left), (entered, _) in pairwise(spans):
        assert left <= entered  # type: ignore[operator]
    assert not (jobs.jobs / "compute.json").exists()


def test_who_waits_says_for_whom_and_can_be_stopped(jobs: Settings) -> None:
    holder = begin(jobs, "lease", hold=600, label="Train the first")
    wait_for_lease(jobs, holder.id)
    waiter = begin(jobs, "lease", label="Train the second")
    status = wait_state(jobs, waiter.id, "waiting")
    assert status.message == "Waiting for “Train the first” to finish: one job uses the models at a time."
    asked = time.monotonic()
    supervisor.stop(jobs, waiter.id)
    status = wait_end(jobs, waiter.id)
    assert time.monotonic() - asked < 5
    assert status.state == "stopped"
    assert "waiting" in status.message
    assert supervisor.status(jobs, holder.id).state == "running"
    again(jobs, waiter.id)
    wait_state(jobs, waiter.id, "waiting")
    supervisor.stop(jobs, holder.id)
    assert wait_end(jobs, waiter.id).state == "done"


def test_a_killed_holder_holds_nothing(jobs: Settings) -> None:
    holder = begin(jobs, "lease", hold=600)
    status = wait_for_lease(jobs, holder.id)
    waiter = begin(jobs, "lease", hold=0)
    wait_state(jobs, waiter.id, "waiting")
    os.kill(status, signal.SIGKILL)
    assert wait_end(jobs, waiter.id).state == "done"
    assert supervisor.status(jobs, holder.id).state == "dead"


def test_the_state_and_message_come_back_after_waiting(home: Settings) -> None:
    first, second = (
        JobContext(home, create_folder(home, new_job("train", {}, label=name), group=True)) for name in "ab"
    )
    second.reporter.set("running", "loading")
    seen = []
    with first.lease():
        set_state = second.reporter.set

        def release_when_waiting(state: str, message: str, **fields: object) -> None:
            seen.append((state, message))
            set_state(state, message, **fields)  # type: ignore[arg-type]
            if state == "waiting":
                first._lease.give_back()

        second.reporter.set = release_when_waiting  # type: ignore[method-assign]
        with second.lease():
            assert second.reporter.current.message == "loading"
        first._lease.take(first.job, waiting=lambda _: None, should_stop=lambda: False)
    assert seen == [
        ("waiting", "Waiting for “a” to finish: one job uses the models at a time."),
        ("running", "loading"),
    ]


def wait_for_lease(settings: Settings, job_id: str) -> int:
    status = wait(settings, job_id, lambda _: (settings.jobs / "compute.json").exists())
    assert status.pid is not None
    return status.pid
