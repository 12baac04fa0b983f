"""What a job's handler is given: parameters, a folder, and the ways to report, to be stopped and to wait its turn."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError
from lamsim_core.jobs.folder import METRICS, STOP, job_folder
from lamsim_core.jobs.job import Job
from lamsim_core.jobs.lease import Lease
from lamsim_core.jobs.output import MetricsFile, Number
from lamsim_core.jobs.reporter import OnProgress, Reporter
from lamsim_core.jobs.stopping import StopRequest
from lamsim_core.records import Record
from lamsim_core.settings import Settings

ParamsT = TypeVar("ParamsT", bound=Record)


class JobContext:
    """The child's side of one job. Thread-safe."""

    def __init__(self, settings: Settings, job: Job, *, on_progress: OnProgress | None = None) -> None:
        """Open the job's folder, which is made when it is missing.

        Raises:
            NotFoundError: the job's id is not one.
        """
        self.settings = settings
        """Paths and limits."""
        self.job = job
        """What was asked for."""
        self.folder: Path = job_folder(settings, job.id)
        """The job's folder: the handler may keep files of its own in it, and finds them again when resumed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.reporter = Reporter(self.folder, on_progress)
        """Writes the status; handlers use the methods below."""
        self.stop_request = StopRequest(self.folder / STOP)
        """The stop, as it reaches this process."""
        self._metrics = MetricsFile(self.folder / METRICS)
        self._lease = Lease(settings.jobs)
        self._saw_stop = False

    @property
    def params(self) -> dict[str, JsonValue]:
        """What the handler needs to know, as given to ``start``."""
        return self.job.params

    def read(self, params: type[ParamsT]) -> ParamsT:
        """The parameters as the record a handler expects.

        Raises:
            InvalidInputError: one of them cannot be used; says which and why.
        """
        try:
            return params.model_validate(self.params)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the parameters"
            raise InvalidInputError(f"This {self.job.kind} job cannot start: {where}: {first['msg']}.") from error

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Say how far the job is: cheap, may be called as often as liked. Call it first with what is already done.

        Args:
            done: units finished, those of earlier attempts included.
            total: units planned; 0 while unknown.
            message: what is being done, for a person.
        """
        self.reporter.progress(done, total, message)

    def metric(self, **numbers: Number) -> None:
        """Append numbers to metrics.jsonl; those that are not finite become null.

        Raises:
            TypeError, ValueError: a value is not a number.
            OSError: the line could not be written.
        """
        self._metrics.append(numbers)

    def should_stop(self) -> bool:
        """Whether the user asked for a stop: save then, and return or raise ``StoppedError``. Cheap."""
        self._saw_stop = self.stop_request.made() or self._saw_stop
        return self._saw_stop

    def finish(self, result: dict[str, Any]) -> None:
        """Record the end and its result; the runner does this with what the handler returns. The first end counts.

        It is "stopped" when the handler was told to stop before it had done all of its units, "done" otherwise.

        Raises:
            ValueError: the result holds NaN or text that is not Unicode.
            TypeError: the result holds something JSON has no form for.
            OSError: it could not be written.
        """
        result = json.loads(canonical_json(result))
        status = self.reporter.current
        if self._saw_stop and not 0 < status.total <= status.done:
            self.reporter.end("stopped", message="Stopped; what was finished is saved.", result=result)
        else:
            self.reporter.end("done", message="Done.", result=result)

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Use the models alone: wait until no other job does ("waiting"), then go on. Stopping works while waiting.

        Raises:
            StoppedError: a stop was asked for while waiting.
        """
        before = self.reporter.current

        def waiting(sentence: str) -> None:
            self.reporter.set("waiting", sentence)

        self._lease.take(self.job, waiting=waiting, should_stop=self.should_stop)
        try:
            if self.reporter.current.state == "waiting":
                self.reporter.set("running", before.message)
            yield
        finally:
            self._lease.give_back()
