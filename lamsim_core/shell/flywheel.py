"""The command that turns the whole flywheel once: explore, curate, train, explore again, train on preferences, measure."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lamsim_core.records import Dataset, HeldOutSplit, Recipe, Selection
from lamsim_core.settings import get_settings
from lamsim_core.shell.output import Report, Table, command, say
from lamsim_core.shell.wheel import Stage, Wheel
from lamsim_core.shell.wheel_report import write_report
from lamsim_core.shell.wheel_sizes import HELD_OUT, SIZES, Size, SizeName

_AGAINST: tuple[HeldOutSplit, ...] = ("unseen_instances", "unseen_tools", "unseen_categories")


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    command(app, "flywheel")(flywheel)


def flywheel(
    size: Annotated[SizeName, typer.Option("--size", help="How much of everything.")] = "cpu",
    name: Annotated[
        str, typer.Option("--name", help="Names the turn; the same name and size go on where they were.")
    ] = "turn",
    model: Annotated[str, typer.Option("--model", help="The base model.")] = "smollm2-135m",
    from_adapter: Annotated[
        str | None,
        typer.Option("--from-adapter", help="Go on from this adapter of the base: the next turn of a wheel."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Which train tasks are shown; those tried by the model itself are others.")
    ] = 0,
    report: Annotated[
        Path | None, typer.Option("--report", help="Folder of the report; by default reports/<name> of the store.")
    ] = None,
) -> Report:
    """Explore, curate, train, explore with what was trained, train on its preferences, measure. Goes on where it was stopped."""
    settings = get_settings()
    chosen = SIZES[size]
    wheel = Wheel(settings, name)
    adapters = turn(wheel, chosen, model, start=from_adapter, seed=seed)
    before = [model] if from_adapter is None else [model, from_adapter]
    measured = measure(wheel, chosen, before, adapters)
    folder = report or settings.home / "reports" / name
    files = write_report(wheel, folder, measured)
    say(f"The report is in {folder}.")
    return Report(
        {
            "name": name,
            "size": size,
            "adapters": adapters,
            "stages": [stage.model_dump(mode="json") for stage in wheel.stages],
            "files": [str(file) for file in files],
        },
        [
            Table(
                ("stage", "made by", "minutes"),
                [(stage.name, stage.made_by, f"{stage.seconds / 60:.1f}") for stage in wheel.stages],
            ),
            f"The report: {', '.join(str(file) for file in files)}.",
        ],
    )


def turn(wheel: Wheel, size: Size, model: str, *, start: str | None = None, seed: int = 0) -> list[str]:
    """From demonstrations to an adapter that has learnt from its own mistakes; the adapters' names, the last trained last.

    Args:
        wheel: carries out the stages.
        size: how much of everything.
        model: the base.
        start: an adapter of it to go on from.
        seed: plans the tasks that are shown; the next one those that the model tries by itself.

    Raises:
        InvalidInputError: nothing is left to train on.
        JobEndedError: a stage was stopped, failed or died; turn again to go on.
    """
    limits = {"max_steps": size.max_steps, "max_new_tokens": size.max_new_tokens}
    shown = wheel.job(
        "demonstrations",
        "explore",
        {"model": "gold", "split": "train", "tasks": size.demonstrations, "seed": seed, **limits},
    )
    rows = wheel.dataset("rows", _rows(size, shown))
    first = f"{wheel.name}-sft"
    wheel.job("sft", "train", _training(rows, model, first, size.sft, start))
    others = {"split": "train", "tasks": size.own_tasks, "seed": seed + 1, **limits}
    tried = wheel.job(
        "own attempts",
        "explore",
        {"model": first, "attempts": size.own_attempts, "temperature": 0.7, "batch": size.batch, **others},
    )
    beside = wheel.job("references", "explore", {"model": "gold", **others})
    further = wheel.job("corrections", "correct", {"runs": [str(tried.result["run"])]})
    pairs = wheel.dataset("pairs", _pairs(size, beside, tried, further), kind="preference")
    second = f"{wheel.name}-dpo"
    wheel.job("dpo", "train", _training(pairs, model, second, size.dpo, first))
    return [first, second]


def measure(wheel: Wheel, size: Size, before: list[str], adapters: list[str]) -> dict[str, Stage]:
    """Measure what there was before (base first) and the adapters on the held-out splits and on the benchmark from outside."""
    measured = {
        "held-out tasks": wheel.job(
            "held-out tasks",
            "evaluate",
            {
                "models": ["noop", "random", "gold", *before, *adapters],
                "name": f"{wheel.name}: before and after",
                "splits": list(HELD_OUT),
                "tasks": size.tasks,
                "trials": size.trials,
                "trial_tasks": size.trial_tasks,
                "max_steps": size.max_steps,
                "max_new_tokens": size.max_new_tokens,
                "batch": size.batch,
            },
        )
    }
    if size.bfcl:
        for each in (*before, *adapters):
            stage = f"BFCL {each}"
            params = {"model": each, "categories": list(size.bfcl), "limit": size.bfcl_limit, "batch": size.batch}
            measured[stage] = wheel.job(stage, "bfcl", params)
    return measured


def _rows(size: Size, shown: Stage) -> Selection:
    return Selection(
        runs=(str(shown.result["run"]),),
        alike=0.9,
        keep="seeded",
        max_tools=size.max_tools,
        max_per_template=size.per_template,
        rows=size.rows,
        decontaminate=_AGAINST,
    )


def _pairs(size: Size, *explored: Stage) -> Selection:
    return Selection(
        runs=tuple(str(stage.result["run"]) for stage in explored),
        passed_only=False,
        max_errors=None,
        max_per_pair_kind=size.pairs,
        decontaminate=_AGAINST,
    )


def _training(rows: Dataset, model: str, name: str, recipe: Recipe, start: str | None) -> dict[str, Any]:
    given = {"dataset": rows.id, "model": model, "name": name, "recipe": recipe.model_dump(mode="json")}
    return given if start is None else {**given, "from_adapter": start}
