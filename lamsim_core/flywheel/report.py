"""The report of a turn of the flywheel: what each stage came to, the held-out tasks, the benchmark from outside."""

from collections.abc import Sequence
from pathlib import Path

from lamsim_core.evaluate.bfcl.job import read_report as read_bfcl
from lamsim_core.evaluate.blocks import Block, Grid, Heading, Text
from lamsim_core.evaluate.job import read_evaluation
from lamsim_core.evaluate.report import WRITERS
from lamsim_core.evaluate.report import blocks as evaluation_blocks
from lamsim_core.flywheel.turn import BFCL, MEASURED
from lamsim_core.flywheel.wheel import Stage
from lamsim_core.settings import Settings


def write_report(settings: Settings, name: str, stages: Sequence[Stage], folder: Path) -> list[Path]:
    """Write the report as Markdown and as a page; the files.

    Args:
        settings: where the stages' jobs are.
        name: the turn's.
        stages: what was done, those that measured among it.
        folder: where to; made when it is not there.

    Raises:
        OSError: the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [*_stages(name, stages), *_measured(settings, stages)]
    files = []
    for ending, write in WRITERS.items():
        files.append(folder / f"report{ending}")
        files[-1].write_text(write(parts), encoding="utf-8")
    return files


def _stages(name: str, stages: Sequence[Stage]) -> list[Block]:
    rows = [
        (stage.name, f"{stage.seconds / 60:.1f}", "; ".join(f"{key} {value}" for key, value in told(stage).items()))
        for stage in stages
    ]
    return [
        Heading(f"One turn of the flywheel: {name}", 1),
        Text("From reference solutions to a model that has learnt from its own attempts, measured before and after."),
        Grid(("stage", "minutes", "what came of it"), rows),
    ]


def told(stage: Stage) -> dict[str, object]:
    """What a stage says of itself that is a number or a short word."""
    return {
        key: f"{value:.4g}" if isinstance(value, float) else value
        for key, value in {**stage.result, **_numbers(stage.result.get("metrics"))}.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool) and len(str(value)) <= 40
    }


def _numbers(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _measured(settings: Settings, stages: Sequence[Stage]) -> list[Block]:
    parts: list[Block] = []
    outside = [
        (report.model, row)
        for stage in stages
        if stage.name.startswith(BFCL)
        for report in (read_bfcl(settings, stage.made_by),)
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
    for stage in stages:
        if stage.name == MEASURED:
            parts += evaluation_blocks(read_evaluation(settings, stage.made_by))
    return parts
