"""The command that measures: evaluate. It runs in the foreground; the app lists it as a job too."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from lamsim_core.records import EvaluationRow, HeldOutSplit, Split
from lamsim_core.settings import get_settings
from lamsim_core.shell.catalog import Category, Template
from lamsim_core.shell.foreground import run_in_foreground
from lamsim_core.shell.output import Report, Table, command
from lamsim_core.shell.runs import (
    Attempts,
    Batch,
    Constrained,
    MaxNewTokens,
    MaxSteps,
    Quantisation,
    Seed,
    Temperature,
    common,
)

HELD_OUT: tuple[Split, ...] = get_args(HeldOutSplit)
"""What ``--split all`` stands for."""


class Part(StrEnum):
    """What ``--split`` takes."""

    TRAIN = "train"
    INSTANCES = "unseen_instances"
    TOOLS = "unseen_tools"
    CATEGORIES = "unseen_categories"
    ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    command(app, "evaluate")(evaluate)


def evaluate(
    model: Annotated[list[str], typer.Option("--model", help="A model, or gold, random, noop; give it once for each.")],
    split: Annotated[
        list[Part] | None,
        typer.Option("--split", help="Which part of the tasks; give it once for each. all: every unseen."),
    ] = None,
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="Task instances of each split, templates in turn.")] = 50,
    attempts: Attempts = 1,
    trials: Annotated[
        int,
        typer.Option("--trials", min=0, max=100, help="Sampled attempts at the first tasks of each split, as well."),
    ] = 0,
    trial_tasks: Annotated[int, typer.Option("--trial-tasks", min=1, help="How many of its tasks get them.")] = 50,
    trial_temperature: Annotated[
        float, typer.Option("--trial-temperature", min=0.01, max=2, help="Their temperature.")
    ] = 0.7,
    temperature: Temperature = 0.0,
    constrained: Constrained = False,
    seed: Seed = 0,
    category: Category = None,
    template: Template = None,
    max_steps: MaxSteps = None,
    max_new_tokens: MaxNewTokens = None,
    quantisation: Quantisation = None,
    batch: Batch = None,
    name: Annotated[str, typer.Option("--name", help="What the evaluation is called.")] = "",
    beside: Annotated[
        str | None,
        typer.Option(
            "--beside", help="Job of an earlier evaluation: its attempts count, and everything but models is as it was."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Also write a report to this .md or .html file.")
    ] = None,
) -> Report:
    """Try several models on the same held-out attempts, and say how they differ and how sure that is."""
    from lamsim_core.evaluate.job import EvaluateParams, beside_earlier, read_evaluation
    from lamsim_core.evaluate.parts import rows_of, telling
    from lamsim_core.evaluate.report import ending_of, sentence
    from lamsim_core.evaluate.report import report as written

    if report is not None and ending_of(report) and not report.parent.is_dir():
        raise typer.BadParameter(f"--report: there is no folder {report.parent}.")  # now, not after the work
    asked = split or [Part.INSTANCES]
    splits = list(HELD_OUT) if Part.ALL in asked else [each.value for each in dict.fromkeys(asked)]
    settings = get_settings()
    params: dict[str, Any] = {
        "models": list(model),
        **({"split": splits[0]} if len(splits) == 1 else {"split": splits[0], "splits": splits}),
        **({"trials": trials, "trial_tasks": trial_tasks, "trial_temperature": trial_temperature} if trials else {}),
        "name": name,
        **common(
            settings,
            tasks,
            attempts,
            temperature,
            constrained,
            seed,
            category,
            template,
            max_steps,
            max_new_tokens,
            quantisation,
            batch,
        ),
    }
    if beside is not None:
        params = beside_earlier(settings, beside, model, name)
    label = EvaluateParams.model_validate(params).title
    job, result = run_in_foreground(settings, "evaluate", params, label)
    evaluation = read_evaluation(settings, job)
    if report is not None:
        report.write_text(written(evaluation, report.suffix), encoding="utf-8")
    reliability = result["reliability"]
    steady = [(who, *(f"{share:.1%}" for share in shares)) for who, shares in reliability.items()]
    return Report(
        {
            "evaluation": evaluation.id,
            "job": job,
            **evaluation.model_dump(mode="json", exclude={"id", "job", "task_keys"}),
            "reliability": reliability,
            "report": None if report is None else str(report),
        },
        [
            _rates(evaluation.rows),
            *([Table(_passing(attempts), steady)] if attempts > 1 else []),
            *([_trials(rows_of(evaluation), trials)] if trials else []),
            *(sentence(each) for each in telling(evaluation)),
            f"Evaluation {evaluation.id}, job {job}.",
        ],
    )


def _rates(rows: Sequence[EvaluationRow]) -> Table:
    several = any(row.split for row in rows)
    head = ("policy", *(["tasks"] if several else []), "passed", "pass rate", "95 % interval", "errors per 100 actions")
    return Table(
        head,
        [
            (
                row.policy.label,
                *([row.split or "all"] if several else []),
                f"{row.passed} of {row.planned}",
                f"{row.pass_rate:.1%}",
                f"{row.low:.1%} to {row.high:.1%}",
                "" if row.errors_per_100 is None else f"{row.errors_per_100:.1f}",
            )
            for row in rows
        ],
    )


def _trials(rows: Sequence[EvaluationRow], attempts: int) -> Table:
    """Sampled attempts, over all splits."""
    return Table(
        ("sampled attempts", "tasks", "95 % interval of one", *_passing(attempts)),
        [
            (
                row.policy.label,
                len(row.trials.passes),
                f"{row.trials.low:.1%} to {row.trials.high:.1%}",
                "",
                *(f"{share:.1%}" for share in row.trials.all_pass),
            )
            for row in rows
            if row.trials is not None
        ],
    )


def _passing(attempts: int) -> tuple[str, ...]:
    return ("all of k attempts pass, k =", *(str(k + 1) for k in range(attempts)))
