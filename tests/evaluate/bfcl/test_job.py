"""A run as a job: every planned task counts, results survive, and nothing of it can be trained on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError, JobError, ModelError, NotFoundError, StoppedError
from lamsim_core.evaluate.bfcl import job as module
from lamsim_core.evaluate.bfcl.items import load_items
from lamsim_core.evaluate.bfcl.job import POLICY, RESULTS, read_report, run
from lamsim_core.evaluate.bfcl.results import Result, ResultsFile, category_result
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import STOP
from lamsim_core.jobs.job import Job
from lamsim_core.jobs.runner import run_inline
from lamsim_core.models.backend import Backend, Message
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.settings import Settings
from tests.evaluate.bfcl.acting import knowing

PARAMS: dict[str, Any] = {"model": "scripted", "categories": ["simple_python", "irrelevance"], "limit": 6, "batch": 3}


def make(settings: Settings, **params: Any) -> Job:
    return create_folder(settings, new_job("bfcl", {**PARAMS, **params}, label="x"), group=False)


def use(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> list[dict[str, Any]]:
    opened: list[dict[str, Any]] = []

    def open_backend(settings: Settings, name: str, **how: Any) -> Backend:
        opened.append({"name": name, **how})
        return backend

    monkeypatch.setattr(module, "open_backend", open_backend)
    return opened


@pytest.fixture
def clever(pack: Path) -> ScriptedBackend:
    return knowing(load_items(pack, "simple_python"))


def test_doing_nothing_passes_where_nothing_is_right(home: Settings) -> None:
    result = run_inline(home, "bfcl", {**PARAMS, "model": "noop"})
    assert result["passed"] == {"simple_python": 0, "irrelevance": 6}
    assert result["planned"] == {"simple_python": 6, "irrelevance": 6}
    assert not home.journal.exists(), "no trajectory is made of the benchmark"


def test_the_report_counts_every_planned_task(
    home: Settings, monkeypatch: pytest.MonkeyPatch, clever: ScriptedBackend
) -> None:
    opened = use(monkeypatch, clever)
    job = make(home, categories=["simple_python"])
    run(JobContext(home, job))
    report = read_report(home, job.id)
    (row,) = report.categories
    assert (row.size, row.planned, row.passed, row.rate) == (400, 6, 6, 1.0) and 0.6 < row.low < row.high == 1.0
    assert (report.model, report.package, report.limit) == ("scripted", "bfcl-eval==2026.3.23", 6)
    assert report.policy.sampling is not None and report.policy.sampling.temperature == 0
    assert opened == [{"name": "scripted", "quantisation": None, "batch": 3}]
    results = ResultsFile(home.jobs / job.id / RESULTS).read()
    assert len({result.id for result in results}) == 6 and row.seconds == sum(result.seconds for result in results)
    assert not home.journal.exists()


def stopping_at(settings: Settings, job: Job, number: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, message: str) -> None:
        if done >= number:
            (settings.jobs / job.id / STOP).touch()

    return progress


@pytest.mark.parametrize("number", [1, 6, 8])
def test_a_stopped_run_goes_on_where_it_was(home: Settings, number: int) -> None:
    job = make(home, model="noop")
    with pytest.raises(StoppedError):
        run(JobContext(home, job, on_progress=stopping_at(home, job, number)))
    with pytest.raises(NotFoundError):
        read_report(home, job.id)
    path = home.jobs / job.id / RESULTS
    kept = path.read_bytes()
    assert number <= kept.count(b"\n") < 12
    path.write_bytes(kept + b'{"id": "cut off by a ki')
    (home.jobs / job.id / STOP).unlink()
    result = run(JobContext(home, job))
    assert path.read_bytes().startswith(kept) and result["planned"] == {"simple_python": 6, "irrelevance": 6}
    assert sum(row.passed for row in read_report(home, job.id).categories) == 6
    assert len({each.id for each in ResultsFile(path).read()}) == len(ResultsFile(path).read()) == 12
    assert run(JobContext(home, job)) == result, "a finished run gives the same again"


def test_a_resumed_run_must_have_the_same_model(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make(home)
    use(monkeypatch, ScriptedBackend(lambda _: ""))
    with pytest.raises(StoppedError):
        run(JobContext(home, job, on_progress=stopping_at(home, job, 2)))
    (home.jobs / job.id / STOP).unlink()
    use(monkeypatch, ScriptedBackend(lambda _: "", name="another"))
    with pytest.raises(JobError, match="has changed"):
        run(JobContext(home, job))
    assert (home.jobs / job.id / POLICY).exists()


class Moody(ScriptedBackend):
    """Breaks down whenever it is asked for ``bad``."""

    def __init__(self, bad: Callable[[int], bool]) -> None:
        super().__init__(lambda _: "")
        self._bad = bad
        self._asked = 0

    def _reply(self, messages: Sequence[Message]) -> str:
        self._asked += 1
        if self._bad(self._asked):
            raise ModelError("It broke down.")
        return ""


def test_a_task_at_which_the_model_breaks_down_is_failed_and_counted(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Moody(lambda number: number % 2 == 0))
    job = make(home, categories=["irrelevance"], batch=1)
    run(JobContext(home, job))
    (row,) = read_report(home, job.id).categories
    assert (row.planned, row.passed, row.errors) == (6, 3, {"inference_error": 3})


def test_a_model_that_only_breaks_down_is_given_up(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Moody(lambda _: True))
    with pytest.raises(ModelError, match="broke down 7 times in a row"):
        run(JobContext(home, make(home, limit=30)))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"categories": []}, "categories"),
        ({"categories": ["simple"]}, "no category 'simple'"),
        ({"limit": 0}, "limit"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_parameters_that_cannot_be_used_are_told(home: Settings, params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        run(JobContext(home, make(home, **params)))


def test_an_unknown_model_is_told_before_anything_runs(home: Settings) -> None:
    with pytest.raises(NotFoundError, match="no model named 'nobody'"):
        run(JobContext(home, make(home, model="nobody")))


def test_a_category_is_counted_by_what_was_planned() -> None:
    results = [
        Result(id="a", category="x", passed=True, broken=True, seconds=1, completion_tokens=3),
        Result(id="b", category="x", passed=False, error="type_error:simple", seconds=2, prompt_tokens=4),
    ]
    row = category_result("x", 10, 4, results)
    assert (row.passed, row.rate, row.passed_broken, row.errors) == (1, 0.25, 1, {"type_error:simple": 1})
    assert (row.seconds, row.prompt_tokens, row.completion_tokens) == (3, 4, 3)
    assert 0.04 < row.low < 0.05 and 0.69 < row.high < 0.71
