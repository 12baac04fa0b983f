"""What is known about a job: what was asked for, how far it is, and which process works on it."""

from typing import Literal

from pydantic import Field, JsonValue

from lamsim_core.records import Record

Kind = Literal["explore", "correct", "train", "evaluate", "rescore", "bfcl", "merge", "turn"]
"""What a job does."""

State = Literal["queued", "waiting", "running", "stopping", "done", "stopped", "failed", "dead"]
"""Where a job is: not begun, waiting for the model lease, at work, saving before it stops; or ended: complete, stopped
by the user, failed with a sentence, or its process gone without a word."""

ACTIVE: tuple[State, ...] = ("queued", "waiting", "running", "stopping")
"""States of a job that has not ended."""

RESUMABLE: tuple[State, ...] = ("stopped", "failed", "dead")
"""States a job can be resumed from."""


class Job(Record):
    """What was asked for. Never changes."""

    id: str
    """``job_`` and 26 letters; sortable by the time it was made."""
    kind: Kind
    label: str
    """What the user reads in lists."""
    params: dict[str, JsonValue]
    """What the kind's handler needs to know."""
    created: str
    """UTC, ISO 8601."""
    request_id: str | None = None
    """Names the click it came from: the same request never starts a second job."""


class JobStatus(Record):
    """How far a job is."""

    state: State
    done: int = 0
    """Units finished."""
    total: int = 0
    """Units planned; 0 while unknown."""
    message: str = ""
    """What it is doing, for a person."""
    started: str | None = None
    """When the newest process began."""
    updated: str
    """When this was written: the last sign of life."""
    finished: str | None = None
    eta_seconds: float | None = None
    """Seconds to the end at the rate of this process; None while unknown."""
    result: dict[str, JsonValue] = Field(default_factory=dict)
    """What the handler returned."""
    error: str | None = None
    """A sentence that says what went wrong and what to do, when it failed or died."""
    pid: int | None = None
    """The process at work, written by itself once it listens to signals."""
    pid_created: float | None = None
    """When that process was created (seconds since the epoch): tells it from a later one with the same pid."""


class Launch(Record):
    """The newest process started for a job, as its parent knows it."""

    attempt: int
    """1 for the first start, one more for each resume."""
    kind: Kind
    """The job's kind once more, so that a job with a damaged job.json is still listed in its place."""
    started: str
    """When the parent began to start it: UTC, ISO 8601."""
    group: bool
    """Whether the process leads a process group of its own. A job run in a terminal shares the shell's."""
    pid: int | None = None
    """None until it is started."""
    pid_created: float | None = None
