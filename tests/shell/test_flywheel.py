"""A turn of the flywheel: stages are found again, broken ones go on, and the report holds what was measured."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamsim_core.jobs import supervisor
from lamsim_core.records import Selection
from lamsim_core.settings import Settings
from lamsim_core.shell.flywheel import measure, turn
from lamsim_core.shell.output import JobEndedError
from lamsim_core.shell.wheel import Stage, Wheel
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


class _Asked(Wheel):
    """Writes down what it is asked instead of doing it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "t")
        self.asked: dict[str, dict[str, Any]] = {}

    def job(self, stage: str, kind: Any, params: dict[str, Any]) -> Stage:
        self.asked[stage] = params
        return Stage(name=stage, made_by="job", seconds=0, result={"run": f"run of {stage}"})

    def dataset(self, stage: str, selection: Selection, kind: Any = "sft") -> Any:
        self.asked[stage] = {"runs": selection.runs}
        return SimpleNamespace(id=f"ds of {stage}")


def test_a_first_turn_begins_with_the_base_and_a_next_one_with_what_came_of_it(home: Settings) -> None:
    first, then = _Asked(home), _Asked(home)
    adapters = turn(first, SIZES["smoke"], "base")
    turn(then, SIZES["smoke"], "base", start=adapters[-1], seed=2)
    measure(then, SIZES["cpu"], ["base", adapters[-1]], adapters)
    assert "from_adapter" not in first.asked["sft"]
    assert then.asked["sft"]["from_adapter"] == adapters[-1]
    for wheel, seed in ((first, 0), (then, 2)):
        assert wheel.asked["dpo"]["from_adapter"] == "t-sft" == wheel.asked["own attempts"]["model"]
        assert wheel.asked["demonstrations"]["seed"] == seed
        assert wheel.asked["own attempts"]["seed"] == wheel.asked["references"]["seed"] == seed + 1
        assert wheel.asked["rows"]["runs"] == ("run of demonstrations",)
        assert wheel.asked["pairs"]["runs"] == ("run of references", "run of own attempts", "run of corrections")
        assert wheel.asked["corrections"] == {"runs": ["run of own attempts"]}
    assert then.asked["held-out tasks"]["models"] == ["noop", "random", "gold", "base", "t-dpo", "t-sft", "t-dpo"]
    assert {f"BFCL {name}" for name in ("base", *adapters)} <= then.asked.keys()
