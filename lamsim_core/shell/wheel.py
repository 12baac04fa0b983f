"""One turn of the flywheel: each stage is a job or a frozen dataset that is found again, so a turn can end anywhere.

A job is started with a request made of the turn's name, the stage and everything it is asked: the same stage of the same turn
is the same job, and goes on where it was. A dataset is one by its name and its selection.
"""

import time
from datetime import datetime
from typing import Any

from lamsim_core.canonical import content_hash
from lamsim_core.curate.datasets import freeze, list_datasets
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import RESUMABLE, Kind
from lamsim_core.records import Dataset, DatasetKind, Record, Selection
from lamsim_core.settings import Settings
from lamsim_core.shell.foreground import follow
from lamsim_core.shell.output import say
from lamsim_core.store import Store


class Stage(Record):
    """A stage that is done."""

    name: str
    made_by: str
    """Id of the job or the dataset."""
    seconds: float
    """From its first start to its end: for a stage that was broken off, with the time between."""
    result: dict[str, Any]


class Wheel:
    """Carries out stages, or finds what they came to."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings = settings
        self.name = name
        self.stages: list[Stage] = []

    def job(self, stage: str, kind: Kind, params: dict[str, Any]) -> Stage:
        """Have a job done in a process of its own and wait for its end.

        Raises:
            JobEndedError: it was stopped, failed or died. Turning the wheel again goes on with it.
        """
        request = content_hash(["flywheel", self.name, stage, params])
        job = supervisor.start(self.settings, kind, params, label=f"{self.name}: {stage}", request_id=request)
        state = supervisor.status(self.settings, job.id).state
        if state in RESUMABLE:
            supervisor.resume(self.settings, job.id)
        say(f"{stage}: {'done before' if state == 'done' else 'at work'} ({job.id}).")
        result = follow(self.settings, job.id)
        finished = supervisor.status(self.settings, job.id).finished or job.created
        seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(job.created)).total_seconds()
        return self._done(Stage(name=stage, made_by=job.id, seconds=seconds, result=result))

    def dataset(self, stage: str, selection: Selection, kind: DatasetKind = "sft") -> Dataset:
        """Freeze a selection, or find the version that was frozen of it for this turn.

        Raises:
            InvalidInputError: nothing is left to freeze, or a rule cannot be kept.
        """
        name, began = f"{self.name} {stage}", time.monotonic()
        known = list_datasets(self.settings).datasets
        found = next(
            (each for each in known if (each.name, each.kind, each.selection) == (name, kind, selection)), None
        )
        if found is None:
            with Store(self.settings) as store:
                found = freeze(store, name, selection, kind=kind)
        say(f"{stage}: {found.rows} rows ({found.id}).")
        counts = {"rows": found.rows, "hash": found.hash, "policies": found.counts.get("policy", {})}
        self._done(Stage(name=stage, made_by=found.id, seconds=time.monotonic() - began, result=counts))
        return found

    def _done(self, stage: Stage) -> Stage:
        self.stages.append(stage)
        return stage
