"""A turn of the flywheel: stages are found again, broken ones go on, and the report holds what was measured."""

from pathlib import Path
from typing import Any

import pytest

from lamsim_core.jobs import supervisor
from lamsim_core.records import Selection
from lamsim_core.settings import Settings
from lamsim_core.shell.output import JobEndedError
from lamsim_core.shell.wheel import Wheel
from lamsim_core.shell.wheel_report import write_report
from lamsim_core.shell.wheel_sizes import HELD_OUT, SIZES

SHOWN: dict[str, Any] = {"model": "gold", "split": "train", "tasks": 3}


def test_a_stage_is_done_once_and_found_again(home: Settings) -> None:
    first, again = Wheel(home, "t"), Wheel(home, "t")
    made = first.job("shown", "explore", SHOWN)
    assert again.job("shown", "explore", SHOWN) == made
    assert made.result["passed"] == 3
    rows = first.dataset("rows", Selection(runs=(str(made.result["run"]),)))
    assert again.dataset("rows", Selection(runs=(str(made.result["run"]),))) == rows
    assert rows.rows == 3
    assert [stage.name for stage in again.stages] == ["shown", "rows"]
    assert len(supervisor.list_jobs(home)) == 1
    other = Wheel(home, "other").job("shown", "explore", SHOWN)
    assert other.made_by != made.made_by, "another turn is another job"


def test_a_stage_that_failed_is_tried_again(home: Settings) -> None:
    wheel = Wheel(home, "t")
    wrong: dict[str, Any] = {"model": "nobody", "split": "train", "tasks": 1}
    for _ in range(2):
        with pytest.raises(JobEndedError, match="nobody"):
            wheel.job("own", "explore", wrong)
    [(job, _)] = supervisor.list_jobs(home)
    assert supervisor.status(home, job.id).state == "failed"
    assert wheel.stages == []


def test_the_report_holds_stages_and_what_was_measured(home: Settings, tmp_path: Path) -> None:
    wheel = Wheel(home, "t")
    measured = wheel.job(
        "held-out tasks",
        "evaluate",
        {"models": ["noop", "gold"], "splits": list(HELD_OUT), "tasks": 2, "name": "<b>x</b>"},
    )
    files = write_report(wheel, tmp_path / "out", {"held-out tasks": measured})
    assert [file.name for file in files] == ["report.md", "report.html"]
    plain, page = (file.read_text(encoding="utf-8") for file in files)
    assert "6 of 6" in plain
    assert measured.made_by in page or "held-out tasks" in page
    assert "<b>x</b>" not in page


def test_sizes_are_ones_that_can_be_asked() -> None:
    from lamsim_core.evaluate.bfcl.categories import expand

    for size in SIZES.values():
        assert size.sft.method == "sft" and size.dpo.method == "dpo"
        if size.bfcl:
            expand(size.bfcl)
