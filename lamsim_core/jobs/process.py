"""Processes of jobs: told apart from later ones with the same pid, signalled, waited for, never left as zombies."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

JOB_VARIABLE = "LAMSIM_JOB"
"""Environment variable that holds the job's id in its process and in every process that one starts."""

_SAME_SECONDS = 1.0


class Mark(NamedTuple):
    """One process, for good: a pid alone is given to another process later."""

    pid: int
    created: float
    """Seconds since the epoch."""


def mark_of(pid: int) -> Mark | None:
    """The mark of the process that has ``pid`` now, or None when there is none."""
    try:
        return Mark(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_alive(mark: Mark, job_id: str) -> bool:
    """Whether the process is still there; a zombie is not.

    When the clock of the machine was set, creation times seem to move; then the job id in the process's environment
    tells that it is still the same one.
    """
    try:
        process = psutil.Process(mark.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if abs(process.create_time() - mark.created) <= _SAME_SECONDS:
            return True
    except psutil.Error:
        return False
    return _carries(process, job_id)


def send(mark: Mark, job_id: str, number: signal.Signals, *, group: bool) -> bool:
    """Signal the process or its whole group; False when it is gone. A process that only got its pid is left alone."""
    if not is_alive(mark, job_id):
        return False
    try:
        if group:
            os.killpg(mark.pid, number)
        else:
            os.kill(mark.pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_gone(mark: Mark, job_id: str, seconds: float) -> bool:
    """Wait until the process is gone; False when it is still there after ``seconds``."""
    end = time.monotonic() + seconds
    while is_alive(mark, job_id):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True


def end_leftovers(job_id: str) -> int:
    """Kill what a job's process left behind, found by the job id in its environment; returns how many there were."""
    leftovers = [
        process for process in psutil.process_iter() if process.pid != os.getpid() and _carries(process, job_id)
    ]
    for process in leftovers:
        with suppress(psutil.Error):
            process.kill()
    end = time.monotonic() + 5
    while any(_runs(process) for process in leftovers) and time.monotonic() < end:
        time.sleep(0.02)
    return len(leftovers)


def reap(child: subprocess.Popen[bytes]) -> None:
    """Wait for a child in the background, so that it does not stay a zombie when it ends."""
    threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _carries(process: psutil.Process, job_id: str) -> bool:
    try:
        return bool(process.environ().get(JOB_VARIABLE) == job_id)
    except (psutil.Error, OSError):
        return False
