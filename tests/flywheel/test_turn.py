"""A turn asks its stages for the right things in the right order, measures at the end, and reports."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError
from lamsim_core.flywheel import job as turning
from lamsim_core.flywheel.report import told
from lamsim_core.flywheel.sizes import SIZES
from lamsim_core.flywheel.turn import adapters_of, effort, measure, turn
from lamsim_core.flywheel.wheel import Stage, Wheel
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.records import Selection
from lamsim_core.settings import Settings


class Asked(Wheel):
    """Writes down what it is asked and does only what needs no model."""

    real = False

    def __init__(self, context: JobContext, name: str, effort: Any) -> None:
        super().__init__(context, name, effort)
        self.asked: dict[str, dict[str, Any]] = {}

    def job(self, stage: str, kind: Any, params: dict[str, Any]) -> Stage:
        self.asked[stage] = params
        if self.real and kind == "evaluate":
            return super().job(stage, kind, {**params, "models": ["noop", "gold"], "tasks": 1, "trials": 0})
        made: dict[str, Any] = {"run": f"run of {stage}", "evaluation": "evl_1", "passed": 2}
        return self._done(Stage(name=stage, made_by="job_x", seconds=60, result=made))

    def dataset(self, stage: str, selection: Selection, kind: Any = "sft") -> Any:
        shown = (selection.spare_tools, selection.share_tools)
        self.asked[stage] = {"runs": selection.runs, "kind": kind, "spared and shared": shown}
        self._done(Stage(name=stage, made_by="ds_x", seconds=1, result={"rows": 8, "hash": "h"}))
        return SimpleNamespace(id=f"ds of {stage}")


def context_of(home: Settings, **params: Any) -> JobContext:
    return JobContext(home, create_folder(home, new_job("turn", params, label="turn"), group=False))


def asked_of(home: Settings, size: str, before: list[str]) -> Asked:
    return Asked(context_of(home), "t", effort(SIZES[size], "t", before))  # type: ignore[index]


def test_a_first_turn_begins_with_the_base_and_a_next_one_with_what_came_of_it(home: Settings) -> None:
    first, then = asked_of(home, "smoke", ["base"]), asked_of(home, "cpu", ["base", "t-dpo"])
    adapters = turn(first, SIZES["smoke"], "base")
    assert adapters == adapters_of("t") == ("t-sft", "t-dpo")
    turn(then, SIZES["cpu"], "base", start=adapters[-1], seed=2)
    measure(then, SIZES["cpu"], ["base", adapters[-1]], adapters)
    assert "from_adapter" not in first.asked["sft"]
    assert then.asked["sft"]["from_adapter"] == adapters[-1]
    for wheel, seed, shown in ((first, 0, (2, None)), (then, 2, (1, 8))):
        assert wheel.asked["dpo"]["from_adapter"] == "t-sft" == wheel.asked["own attempts"]["model"]
        assert wheel.asked["demonstrations"]["seed"] == seed
        assert "max_steps" not in wheel.asked["demonstrations"], "only the model is held short"
        assert wheel.asked["own attempts"]["seed"] == wheel.asked["references"]["seed"] == seed + 1
        assert wheel.asked["rows"] == {"runs": ("run of demonstrations",), "kind": "sft", "spared and shared": shown}
        assert wheel.asked["pairs"]["runs"] == ("run of references", "run of own attempts", "run of corrections")
        assert wheel.asked["corrections"] == {"runs": ["run of own attempts"]}
    assert then.asked["held-out tasks"]["models"] == ["noop", "random", "gold", "base", "t-dpo", "t-sft", "t-dpo"]
    assert {f"BFCL {name}" for name in ("base", *adapters)} <= then.asked.keys()


@pytest.mark.parametrize("size", SIZES)
def test_every_stage_is_foreseen(home: Settings, size: str) -> None:
    wheel = asked_of(home, size, ["base"])
    adapters = turn(wheel, wheel_size := SIZES[size], "base")  # type: ignore[index]
    measure(wheel, wheel_size, ["base"], adapters)
    assert [stage.name for stage in wheel.stages] == [*effort(wheel_size, "t", ["base"])]
    status = wheel._context.reporter.current
    assert status.done == status.total == 100


def test_sizes_are_ones_that_can_be_asked() -> None:
    from lamsim_core.evaluate.bfcl.categories import expand

    for size in SIZES.values():
        assert size.sft.method == "sft" and size.dpo.method == "dpo"
        if size.bfcl:
            expand(size.bfcl)


def test_a_turn_ends_with_an_evaluation_and_a_report(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asked, "real", True)
    monkeypatch.setattr(turning, "Wheel", Asked)
    result = turning.run(context_of(home, name="t", size="smoke", folder=str(tmp_path / "out")))
    assert result["adapters"] == ["t-sft", "t-dpo"] and str(result["evaluation"]).startswith("evl_")
    assert [stage["name"] for stage in result["stages"]] == [*effort(SIZES["smoke"], "t", ["smollm2-135m"])]
    plain, page = (Path(file).read_text(encoding="utf-8") for file in result["files"])
    assert [Path(file).name for file in result["files"]] == ["report.md", "report.html"]
    assert "One turn of the flywheel: t" in plain and plain.count("1 of 1") >= 2
    assert "own attempts" in page
    assert turning.report_folder(home, "t").parent == home.home.absolute() / "reports"


def test_a_report_tells_numbers_and_short_words() -> None:
    result = {"passed": 2, "run": "r" * 41, "flag": True, "metrics": {"loss": 0.123456}, "list": [1]}
    assert told(Stage(name="sft", made_by="job_x", seconds=1, result=result)) == {"passed": 2, "loss": "0.1235"}


@pytest.mark.parametrize(
    "params", [{}, {"name": "../x"}, {"name": "x" * 61}, {"name": "t", "size": "huge"}, {"name": "t", "seed": -1}]
)
def test_what_cannot_be_asked_is_refused(home: Settings, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        turning.run(context_of(home, **params))
