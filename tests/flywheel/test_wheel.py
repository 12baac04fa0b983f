"""The stages of a turn: each done once and found again, a broken one goes on, a stop reaches the stage at work."""

from typing import Any

import pytest

from lamsim_core.errors import JobError, StoppedError
from lamsim_core.flywheel.wheel import Wheel, read_stages
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import STOP
from lamsim_core.records import Selection
from lamsim_core.settings import Settings

SHOWN: dict[str, Any] = {"model": "gold", "split": "train", "tasks": 3}
EFFORT = {"shown": 3, "rows": 1}


def wheel_of(home: Settings, name: str = "t") -> tuple[Wheel, JobContext]:
    context = JobContext(home, create_folder(home, new_job("turn", {"name": name}, label=name), group=False))
    return Wheel(context, name, EFFORT), context


def explorations(home: Settings) -> list[str]:
    return [job.id for job, _ in supervisor.list_jobs(home, "explore")]


def test_a_stage_is_done_once_and_found_again(home: Settings) -> None:
    (first, context), (again, _), (other, _) = wheel_of(home), wheel_of(home), wheel_of(home, "other")
    made = first.job("shown", "explore", SHOWN)
    assert again.job("shown", "explore", SHOWN) == made
    assert made.result["passed"] == 3
    rows = first.dataset("rows", Selection(runs=(str(made.result["run"]),)))
    assert again.dataset("rows", Selection(runs=(str(made.result["run"]),))) == rows
    assert rows.rows == 3
    assert [stage.name for stage in again.stages] == ["shown", "rows"]
    assert explorations(home) == [made.made_by]
    told = read_stages(home, context.job.id)
    assert told.done == tuple(first.stages) and (told.at, told.job) == ("", "")
    status = context.reporter.current
    assert (status.done, status.total) == (100, 100)
    assert other.job("shown", "explore", SHOWN).made_by != made.made_by, "another turn is another job"


def test_a_stage_that_failed_is_tried_again(home: Settings) -> None:
    wheel, _ = wheel_of(home)
    wrong: dict[str, Any] = {"model": "nobody", "split": "train", "tasks": 1}
    for _ in range(2):
        with pytest.raises(JobError, match=r"'shown' did not come to its end: .*nobody"):
            wheel.job("shown", "explore", wrong)
    [job] = explorations(home)
    assert supervisor.status(home, job).state == "failed"
    assert wheel.stages == []


def test_a_stop_reaches_the_stage_at_work_which_goes_on_later(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel, context = wheel_of(home)
    many = {**SHOWN, "tasks": 1000}
    held: list[Any] = []

    def progress(self: Wheel, stage: str, status: Any = None) -> None:
        if status is not None and status.done and not held:
            held.append((read_stages(home, context.job.id), status))
            (context.folder / STOP).touch()

    monkeypatch.setattr(Wheel, "_progress", progress)
    with pytest.raises(StoppedError, match="Stopped at: shown"):
        wheel.job("shown", "explore", many)
    [job] = explorations(home)
    [(stages, _)] = held
    assert (stages.at, stages.job, stages.done) == ("shown", job, ())
    assert supervisor.status(home, job).state == "stopped" and 0 < supervisor.status(home, job).done < 1000
    with pytest.raises(StoppedError, match="between two stages"):
        wheel.dataset("rows", Selection())
    (context.folder / STOP).unlink()
    monkeypatch.undo()
    assert wheel_of(home)[0].job("shown", "explore", many).result["passed"] == 1000
    assert explorations(home) == [job]


def test_what_cannot_be_read_is_no_stage(home: Settings) -> None:
    _, context = wheel_of(home)
    assert read_stages(home, context.job.id).done == ()
    (context.folder / "stages.json").write_text("{", encoding="utf-8")
    assert read_stages(home, context.job.id).done == ()
