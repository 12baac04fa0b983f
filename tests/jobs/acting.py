"""Start jobs that run the tests' handler, and wait for what they do."""

import time
from collections.abc import Callable
from typing import Any

from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import Job, JobStatus, Kind
from lamsim_core.settings import Settings
from tests.jobs.child import MODULE

ENDED = ("done", "stopped", "failed", "dead")


def begin(
    settings: Settings,
    do: str,
    *,
    kind: Kind = "explore",
    label: str = "",
    request_id: str | None = None,
    **params: Any,
) -> Job:
    return supervisor.start(
        settings, kind, {"do": do, **params}, label=label or do, request_id=request_id, _module=MODULE
    )


def again(settings: Settings, job_id: str) -> Job:
    return supervisor.resume(settings, job_id, _module=MODULE)


def wait(settings: Settings, job_id: str, until: Callable[[JobStatus], bool], seconds: float = 60) -> JobStatus:
    end = time.monotonic() + seconds
    while True:
        status = supervisor.status(settings, job_id)
        if until(status):
            return status
        assert time.monotonic() < end, f"still {status}; log: {supervisor.log_tail(settings, job_id, 20)}"
        time.sleep(0.02)


def wait_state(settings: Settings, job_id: str, *states: str, seconds: float = 60) -> JobStatus:
    return wait(settings, job_id, lambda status: status.state in states, seconds)


def wait_end(settings: Settings, job_id: str, seconds: float = 60) -> JobStatus:
    return wait_state(settings, job_id, *ENDED, seconds=seconds)
