"""The report of a turn of the flywheel: what each stage came to, the held-out tasks, the benchmark from outside."""

from collections.abc import Mapping
from pathlib import Path

from lamsim_core.evaluate.bfcl.job import read_report as read_bfcl
from lamsim_core.evaluate.blocks import Block, Grid, Heading, Text
from lamsim_core.evaluate.job import read_evaluation
from lamsim_core.evaluate.report import WRITERS
from lamsim_core.evaluate.report import blocks as evaluation_blocks
from lamsim_core.shell.wheel import Stage, Wheel


def write_report(wheel: Wheel, folder: Path, measured: Mapping[str, Stage]) -> list[Path]:
    """Write the report as Markdown and as a page; the files.

    Args:
        wheel: the turn, with its stages.
        folder: where to; made when it is not there.
        measured: the stages that measured: of the name "held-out tasks" the evaluation, all others runs of the benchmark.

    Raises:
        OSError: the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [*_stages(wheel), *_measured(wheel, measured)]
    files = []
    for ending, write in WRITERS.items():
        files.append(folder / f"report{ending}")
        files[-1].write_text(write(parts), encoding="utf-8")
    return files


def _stages(wheel: Wheel) -> list[Block]:
    rows = [
        (stage.name, f"{stage.seconds / 60:.1f}", "; ".join(f"{key} {value}" for key, value in _told(stage).items()))
        for stage in wheel.stages
    ]
    return [
        Heading(f"One turn of the flywheel: {wheel.name}", 1),
        Text("From reference solutions to a model that has learnt from its own attempts, measured before and after."),
        Grid(("stage", "minutes", "what came of it"), rows),
    ]


def _told(stage: Stage) -> dict[str, object]:
    """What a stage says of itself that is a number or a short word."""
    return {
        key: f"{value:.4g}" if isinstance(value, float) else value
        for key, value in {**stage.result, **_numbers(stage.result.get("metrics"))}.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool) and len(str(value)) <= 40
    }


def _numbers(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _measured(wheel: Wheel, measured: Mapping[str, Stage]) -> list[Block]:
    parts: list[Block] = []
    outside = [
        (report.model, row)
        for name, stage in measured.items()
        if name != "held-out tasks"
        for report in (read_bfcl(wheel.settings, stage.made_by),)
        for row in report.categories
    ]
    if outside:
        parts += [
            Heading("The benchmark from outside (BFCL v4)"),
            Grid(
                ("model", "category", "passed", "rate", "95 % interval"),
                [
                    (
                        model,
                        row.category,
                        f"{row.passed} of {row.planned}",
                        f"{row.rate:.1%}",
                        f"{row.low:.1%} to {row.high:.1%}",
                    )
                    for model, row in outside
                ],
            ),
        ]
    held_out = measured.get("held-out tasks")
    if held_out is not None:
        parts += evaluation_blocks(read_evaluation(wheel.settings, held_out.made_by))
    return parts
