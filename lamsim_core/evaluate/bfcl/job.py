"""A run of the benchmark as a job: category after category, several tasks at a time; a resumed job goes on where it was.

Results are lines of a file in the job's folder and nothing else: what happens here is no trajectory, so nobody can select it
for training.
"""

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import Any, Self

from pydantic import Field, model_validator

from lamsim_core.errors import JobError, ModelError, NotFoundError, StoppedError
from lamsim_core.evaluate.bfcl.attempt import INFERENCE_ERROR, Attempt
from lamsim_core.evaluate.bfcl.categories import expand
from lamsim_core.evaluate.bfcl.items import Item, load_items, spread
from lamsim_core.evaluate.bfcl.pack import REQUIREMENT, ensure_pack
from lamsim_core.evaluate.bfcl.results import BfclReport, Result, ResultsFile, category_result
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.folder import job_folder, read_record, write_record
from lamsim_core.models.backend import Backend
from lamsim_core.models.registry import get_model, open_backend, reached, require_constrainable
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import PolicyInfo, Record, Sampling
from lamsim_core.settings import Settings

RESULTS = "results.jsonl"
POLICY = "policy.json"
REPORT = "bfcl.json"
DO_NOTHING = "noop"
"""The model that says nothing: what can be had for nothing."""
GIVE_UP_AFTER = 5
"""Tasks in a row at which the model may break down before the run is given up, beside those done at the same time."""
_STOPPED = "Stopped; the finished tasks are saved. Resume the job to go on."


class BfclParams(Record):
    """What a run of the benchmark is asked to do."""

    model: str
    """A model of the registry, or noop."""
    categories: tuple[str, ...] = Field(min_length=1)
    """Categories, or groups of them."""
    limit: int | None = Field(default=None, ge=1)
    """Tasks of each category at most, evenly spread over it."""
    max_new_tokens: int = Field(default=400, ge=1, le=4096)
    """In one reply; the longest expected ones have about 350."""
    constrained: bool = False
    """Whether calls can be written in their right form only."""
    quantisation: str | None = None
    batch: int = Field(default=8, ge=1, le=256)
    """Tasks done at the same time."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        expand(self.categories)
        return self


def run(context: JobContext) -> dict[str, Any]:
    """Run the benchmark. Parameters: see ``BfclParams``. Returns the rates; the whole report is in the job's folder.

    Raises:
        InvalidInputError: the parameters cannot be used.
        NotFoundError: there is no such model.
        ModelError: the model or the benchmark's files are not available, or the model broke down.
        JobError: the job was resumed with another model than it began with.
        StoppedError: it was stopped; finished tasks are kept.
    """
    params = context.read(BfclParams)
    needs_memory = _needs_memory(context.settings, params)
    context.progress(0, 0, "Looking for the benchmark's files.")
    pack = ensure_pack(context.settings, lambda sentence: context.progress(0, 0, sentence))
    work = _Run(context, params, pack)
    context.progress(work.finished, work.planned, "Starting.")
    if work.left():
        if context.should_stop():
            raise StoppedError(_STOPPED)  # before a model is loaded for nothing
        context.progress(work.finished, work.planned, f"{params.model}: loading the model.")
        if needs_memory:
            with context.lease():
                work.finish()
        else:
            work.finish()
    report = work.report()
    write_record(context.folder / REPORT, report)
    return {
        "model": params.model,
        "rates": {row.category: row.rate for row in report.categories},
        "passed": {row.category: row.passed for row in report.categories},
        "planned": {row.category: row.planned for row in report.categories},
    }


def _needs_memory(settings: Settings, params: BfclParams) -> bool:
    """Whether the model takes turns with other jobs; finds out now whether it is there and can do what is asked."""
    if params.model == DO_NOTHING:
        return False
    entry = reached(get_model(settings, params.model))
    if not entry.available:
        raise ModelError(f"The model {params.model} is not available. {entry.why_not}")
    if params.constrained:
        require_constrainable(entry)
    return entry.needs_memory


class _Run:
    """The tasks of one run and what came of them so far."""

    def __init__(self, context: JobContext, params: BfclParams, pack: Path) -> None:
        self._context = context
        self._params = params
        self._pack = pack
        self._sampling = Sampling(max_new_tokens=params.max_new_tokens, constrained=params.constrained)
        every = {category: load_items(pack, category) for category in expand(params.categories)}
        self._sizes = {category: len(items) for category, items in every.items()}
        self._items = {category: spread(items, params.limit) for category, items in every.items()}
        self._file = ResultsFile(context.folder / RESULTS)
        self._done = {result.id: result for result in self._file.read()}

    @property
    def planned(self) -> int:
        """Tasks in all."""
        return sum(map(len, self._items.values()))

    @property
    def finished(self) -> int:
        """Tasks something came of."""
        return len(self._done)

    def left(self) -> bool:
        """Whether there is something to do."""
        return self.finished < self.planned

    def finish(self) -> None:
        """Do what is left."""
        backend = self._open()
        try:
            self._settle(backend.info.model_copy(update={"sampling": self._sampling}))
            for category, items in self._items.items():
                self._work_off(backend, category, [item for item in items if item.id not in self._done])
        finally:
            backend.close()

    def _open(self) -> Backend:
        params = self._params
        if params.model == DO_NOTHING:
            return ScriptedBackend(lambda _: "", name=DO_NOTHING)
        return open_backend(self._context.settings, params.model, quantisation=params.quantisation, batch=params.batch)

    def _settle(self, info: PolicyInfo) -> None:
        """Hold a resumed run to the model it began with."""
        path = self._context.folder / POLICY
        if not path.exists():
            write_record(path, info)
        elif read_record(path, PolicyInfo).model_copy(update={"device": None}) != info.model_copy(
            update={"device": None}
        ):
            raise JobError(f"The model {info.name} has changed since this run began. Start it anew.")

    def _work_off(self, backend: Backend, category: str, items: Sequence[Item]) -> None:
        """Do tasks of one category and keep what comes of each.

        Raises:
            StoppedError: it was stopped before the end.
            ModelError: the model broke down several times in a row.
        """
        halt = Event()
        endpoint = (
            backend.info.kind == "model" and get_model(self._context.settings, backend.info.name).kind == "endpoint"
        )

        def stopping() -> bool:
            return halt.is_set() or self._context.should_stop()

        def attempted(item: Item) -> Result | ModelError | None:
            attempt = Attempt(
                item, backend, self._sampling, pack=self._pack, plain_names=endpoint, should_stop=stopping
            )
            try:
                return attempt.run()
            except StoppedError:
                return None
            except ModelError as error:
                return error

        broken, before = 0, time.perf_counter()
        ended = at_once(items, attempted, stopping, self._params.batch)
        try:
            for item, result in ended:
                if result is None:
                    continue
                broken = broken + 1 if isinstance(result, ModelError) else 0
                if isinstance(result, ModelError):
                    if broken >= GIVE_UP_AFTER + self._params.batch - 1:
                        raise ModelError(f"The model broke down {broken} times in a row. The last time: {result}")
                    fields: dict[str, Any] = {"error": INFERENCE_ERROR, "message": str(result)[:2000]}
                    result = Result(id=item.id, category=category, passed=False, **fields)
                now = time.perf_counter()
                result = result.model_copy(update={"seconds": now - before})
                before = now
                self._file.append(result)
                self._done[item.id] = result
                outcome = "passed" if result.passed else str(result.error)
                self._context.progress(self.finished, self.planned, f"{item.id}: {outcome}")
        finally:
            halt.set()  # when something broke, the tasks under way end now
            ended.close()
        if any(item.id not in self._done for item in items):
            raise StoppedError(_STOPPED)

    def report(self) -> BfclReport:
        """What came of it all."""
        rows = [
            category_result(
                category,
                self._sizes[category],
                len(items),
                [self._done[item.id] for item in items],
            )
            for category, items in self._items.items()
        ]
        return BfclReport(
            model=self._params.model,
            policy=read_record(self._context.folder / POLICY, PolicyInfo),
            package=REQUIREMENT,
            limit=self._params.limit,
            categories=tuple(rows),
            seconds=sum(row.seconds for row in rows),
        )


def at_once(
    items: Sequence[Item],
    attempted: Callable[[Item], Result | ModelError | None],
    should_stop: Callable[[], bool],
    size: int,
) -> Generator[tuple[Item, Result | ModelError | None]]:
    """Each task with what came of it, ``size`` at a time in threads of their own; when stopped, those under way end."""
    waiting = iter(items)
    running: dict[Future[Result | ModelError | None], Item] = {}
    with ThreadPoolExecutor(max_workers=size, thread_name_prefix="bfcl") as threads:
        while True:
            while len(running) < size and not should_stop() and (item := next(waiting, None)) is not None:
                running[threads.submit(attempted, item)] = item
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def read_report(settings: Settings, job_id: str) -> BfclReport:
    """What a run found, read from its folder.

    Raises:
        NotFoundError: there is no such job, or it has not come to its end.
    """
    try:
        return read_record(job_folder(settings, job_id) / REPORT, BfclReport)
    except (OSError, ValueError) as error:
        raise NotFoundError("BFCL run of the job", job_id) from error
