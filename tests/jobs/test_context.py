"""Reporting from inside a job: throttled, never missing the last word, honest about the rate and the end."""

import os
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import NotFoundError
from lamsim_core.files import write_atomic
from lamsim_core.jobs import reporter as reporter_module
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import STATUS, STOP, read_record, write_record
from lamsim_core.jobs.job import JobStatus
from lamsim_core.settings import Settings


@pytest.fixture
def context(home: Settings) -> JobContext:
    return JobContext(home, create_folder(home, new_job("train", {"a": 1}, label="x"), group=True))


def on_disk(context: JobContext) -> JobStatus:
    return read_record(context.folder / STATUS, JobStatus)


def test_progress_is_throttled_and_its_last_word_lands_by_itself(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[float] = []
    write = write_record

    def counting(path: Path, record: Any) -> None:
        writes.append(time.monotonic())
        write(path, record)

    monkeypatch.setattr(reporter_module, "write_record", counting)
    began = time.monotonic()
    calls = 0
    while time.monotonic() - began < 1.0:
        calls += 1
        context.progress(calls, 10**9, f"unit {calls}")
    end = time.monotonic() + 5
    while on_disk(context).done != calls:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert on_disk(context).message == f"unit {calls}"
    assert calls > 1000
    assert len(writes) <= 7
    assert min(late - early for early, late in pairwise(writes)) >= 0.2


def test_progress_counts_in_whole_numbers_and_storable_text(context: JobContext) -> None:
    context.progress(True, 2.9, "half \ud800 a pair" + "x" * 10_000)  # type: ignore[arg-type]
    status = on_disk(context)
    assert (status.done, status.total) == (1, 2)
    assert type(status.done) is int
    assert status.message.startswith("half ? a pair")
    assert len(status.message) == 500


def test_the_remaining_time_is_from_the_rate_of_this_process(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def eta(seconds: float, done: int, total: int) -> float | None:
        clock[0] += seconds
        context.progress(done, total)
        return context.reporter.current.eta_seconds

    assert eta(0, 500, 1000) is None, "what was resumed is no speed"
    assert eta(10, 510, 1000) == 490
    assert eta(10, 540, 1000) == 230
    assert eta(0, 1000, 1000) == 0
    assert eta(1, 0, 10) is None, "a new phase"
    assert eta(2, 1, 10) == 18
    assert eta(2, 5, 0) is None, "nothing known to be planned"


def test_a_full_disk_does_not_end_the_work(
    context: JobContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(reporter_module, "write_record", full)
        context.progress(1, 2, "working")
        assert "No space left" in capsys.readouterr().err
        with pytest.raises(OSError, match="No space left"):
            context.finish({})
    context.finish({"x": 1})
    assert on_disk(context).state == "done"


def test_an_interrupted_write_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    write_atomic(path, "old")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_after_the_end(context: JobContext) -> None:
    context.progress(1, 2, "working")
    context.progress(2, 2, "nearly")
    context.finish({"x": 1})
    ended = on_disk(context)
    context.progress(1, 2, "late")
    context.reporter.set("running", "late")
    context.finish({"x": 2})
    assert context.reporter.end("failed", error="late") is False
    time.sleep(0.4)
    assert on_disk(context) == ended
    assert (ended.state, ended.result, ended.done) == ("done", {"x": 1}, 2)


@pytest.mark.parametrize(
    ("done", "total", "asked", "state"),
    [(1, 2, True, "stopped"), (2, 2, True, "done"), (0, 0, True, "stopped"), (1, 2, False, "done")],
)
def test_it_is_stopped_only_if_it_was_told_so_before_it_was_complete(
    context: JobContext, done: int, total: int, asked: bool, state: str
) -> None:
    context.progress(done, total)
    (context.folder / STOP).touch()
    if asked:
        assert context.should_stop()
    context.finish({"saved": True})
    assert on_disk(context).state == state
    assert on_disk(context).result == {"saved": True}


def test_a_stop_once_asked_for_stays(context: JobContext) -> None:
    assert not context.should_stop()
    (context.folder / STOP).touch()
    assert context.should_stop()
    (context.folder / STOP).unlink()
    assert context.should_stop()


def test_the_parameters_and_the_folder(context: JobContext, home: Settings) -> None:
    assert context.params == {"a": 1}
    assert context.folder == home.jobs / context.job.id
    context.metric(step=1, loss=0.5)
    assert (context.folder / "metrics.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n'
    with pytest.raises(NotFoundError):
        JobContext(home, context.job.model_copy(update={"id": "../elsewhere"}))


def test_many_threads_may_report(context: JobContext) -> None:
    def report() -> None:
        for unit in range(200):
            context.progress(unit, 200, "thread")
            context.metric(unit=unit)

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    context.finish({})
    assert on_disk(context).state == "done"
    assert len((context.folder / "metrics.jsonl").read_text().splitlines()) == 800
