"""The stages of a turn: each is a job or a frozen dataset that is found again, so a turn can end anywhere.

A job is started with a request made of the turn's name, the stage and everything it is asked: the same stage of the same turn
is the same job, and goes on where it was. A dataset is one by its name and its selection.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from lamsim_core.canonical import content_hash
from lamsim_core.curate.datasets import freeze, list_datasets
from lamsim_core.errors import JobError, StoppedError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.folder import job_folder, read_record, write_record
from lamsim_core.jobs.job import ACTIVE, RESUMABLE, JobStatus, Kind
from lamsim_core.records import Dataset, DatasetKind, Record, Selection
from lamsim_core.settings import Settings
from lamsim_core.store import Store

STAGES = "stages.json"
_POLL_SECONDS = 0.3
_WHOLE = 100
"""Units of progress of a whole turn: it is told in hundredths."""


class Stage(Record):
    """A stage that is done."""

    name: str
    made_by: str
    """Id of the job or the dataset."""
    seconds: float
    """From its first start to its end: for a stage that was broken off, with the time between."""
    result: dict[str, JsonValue]


class Stages(Record):
    """How far a turn is."""

    done: tuple[Stage, ...] = ()
    at: str = ""
    """The stage at work; empty between two."""
    job: str = ""
    """Its job."""


def read_stages(settings: Settings, job_id: str) -> Stages:
    """How far the turn of a job is; nothing before it has begun or where that cannot be read."""
    try:
        return read_record(job_folder(settings, job_id) / STAGES, Stages)
    except (OSError, ValueError):
        return Stages()


class Wheel:
    """Carries out the stages of a turn, or finds what they came to."""

    def __init__(self, context: JobContext, name: str, effort: Mapping[str, int]) -> None:
        """Begin a turn.

        Args:
            context: of the job that turns the wheel.
            name: the turn's; its datasets and adapters begin with it.
            effort: every stage in order, with about how long it takes beside the others.
        """
        self._context = context
        self._effort = effort
        self._path: Path = context.folder / STAGES
        self.name = name
        self.stages: list[Stage] = []

    def job(self, stage: str, kind: Kind, params: dict[str, Any]) -> Stage:
        """Have a job done in a process of its own and wait for its end. A stop is passed on to it.

        Raises:
            StoppedError: it was stopped. Turning the wheel again goes on with it.
            JobError: it failed or died. Likewise.
        """
        settings = self._context.settings
        request = content_hash(["flywheel", self.name, stage, params])
        self._go_on()
        job = supervisor.start(settings, kind, params, label=f"{self.name}: {stage}", request_id=request)
        if supervisor.status(settings, job.id).state in RESUMABLE:
            supervisor.resume(settings, job.id)
        self._tell(stage, job.id)
        status = self._wait(stage, job.id)
        if status.state == "stopped":
            raise StoppedError(f"Stopped at: {stage}. Everything before is kept. Resume to go on.")
        if status.state != "done":
            raise JobError(f"The stage {stage!r} did not come to its end: {status.error or status.state}")
        finished = status.finished or job.created
        seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(job.created)).total_seconds()
        return self._done(Stage(name=stage, made_by=job.id, seconds=seconds, result=status.result))

    def dataset(self, stage: str, selection: Selection, kind: DatasetKind = "sft") -> Dataset:
        """Freeze a selection, or find the version that was frozen of it for this turn.

        Raises:
            InvalidInputError: nothing is left to freeze, or a rule cannot be kept.
            StoppedError: a stop was asked for.
        """
        self._go_on()
        self._tell(stage)
        name, began = f"{self.name} {stage}", time.monotonic()
        known = list_datasets(self._context.settings).datasets
        found = next(
            (each for each in known if (each.name, each.kind, each.selection) == (name, kind, selection)), None
        )
        if found is None:
            with Store(self._context.settings) as store:
                found = freeze(store, name, selection, kind=kind)
        counts: dict[str, JsonValue] = {"rows": found.rows, "hash": found.hash}
        self._done(Stage(name=stage, made_by=found.id, seconds=time.monotonic() - began, result=counts))
        return found

    def _go_on(self) -> None:
        if self._context.should_stop():
            raise StoppedError("Stopped between two stages. Everything before is kept. Resume to go on.")

    def _wait(self, stage: str, job_id: str) -> JobStatus:
        settings, passed_on = self._context.settings, False
        while True:
            status = supervisor.status(settings, job_id)
            self._progress(stage, status)
            if status.state not in ACTIVE:
                return status
            if self._context.should_stop() and not passed_on:
                supervisor.stop(settings, job_id)
                passed_on = True
            time.sleep(_POLL_SECONDS)

    def _progress(self, stage: str, status: JobStatus | None = None) -> None:
        before = sum(self._effort[each.name] for each in self.stages)
        within = min(1.0, status.done / status.total) if status is not None and status.total else 0.0
        said = f": {status.done:,} of {status.total:,}" if status is not None and status.total else ""
        done = (before + self._effort.get(stage, 0) * within) / sum(self._effort.values())
        self._context.progress(round(_WHOLE * done), _WHOLE, f"{stage}{said}" if stage else "")

    def _tell(self, stage: str = "", job: str = "") -> None:
        write_record(self._path, Stages(done=tuple(self.stages), at=stage, job=job))
        self._progress(stage)

    def _done(self, stage: Stage) -> Stage:
        self.stages.append(stage)
        self._tell()
        return stage
