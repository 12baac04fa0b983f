"""The command that explores, in the foreground; the app lists it as a job too."""

from typing import Annotated, Any, Literal

import typer

from lamsim_core.explore.curriculum import Order
from lamsim_core.explore.modes import NUMBERS
from lamsim_core.records import Mode, Split
from lamsim_core.settings import Settings, get_settings
from lamsim_core.shell.catalog import Category, Template
from lamsim_core.shell.foreground import run_in_foreground
from lamsim_core.shell.output import Report, command

Precision = Literal["nf4", "bf16", "fp32"]
Executor = Literal["local", "ray"]

Tasks = Annotated[int, typer.Option("--tasks", min=1, help="Task instances planned, templates in turn.")]
Attempts = Annotated[int, typer.Option("--attempts", min=1, help="Attempts at each instance.")]
Seed = Annotated[int, typer.Option("--seed", help="Which instances are drawn.")]
Temperature = Annotated[
    float, typer.Option("--temperature", min=0, max=2, help="0 takes the likeliest token each time.")
]
Constrained = Annotated[
    bool,
    typer.Option(
        "--constrained", help="Let models write calls only in their right form: an offered tool, valid arguments."
    ),
]
MaxSteps = Annotated[int | None, typer.Option("--max-steps", min=1, help="Turns allowed in one attempt.")]
MaxNewTokens = Annotated[
    int | None, typer.Option("--max-new-tokens", min=1, help="Tokens a model may write in one turn.")
]
Quantisation = Annotated[
    Precision | None, typer.Option("--quantisation", help="How the weights are held; nf4 by default.")
]
Batch = Annotated[
    int | None, typer.Option("--batch", min=1, max=256, help="Attempts a model makes at the same time; 8 by default.")
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, help="Tokens a model may write in one attempt in all.")
]
MaxSeconds = Annotated[float | None, typer.Option("--max-seconds", help="Seconds one attempt may take.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    command(app, "explore")(explore)
    command(app, "correct")(correct)


def explore(
    model: Annotated[str, typer.Option("--model", help="A model, or gold, random, noop.")],
    split: Annotated[Split, typer.Option("--split", help="Which part of the tasks.")] = "train",
    tasks: Tasks = 20,
    attempts: Attempts = 1,
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode", help="Once; with feedback; the best of several replies a turn; a search that goes back."
        ),
    ] = "single",
    repairs: Annotated[
        int | None, typer.Option("--repairs", min=1, help="repair: how often feedback is given.")
    ] = None,
    candidates: Annotated[int | None, typer.Option("--candidates", min=2, help="best_of: replies a turn.")] = None,
    width: Annotated[int | None, typer.Option("--width", min=2, help="tree: replies tried at one place.")] = None,
    nodes: Annotated[int | None, typer.Option("--nodes", min=2, help="tree: replies tried in all.")] = None,
    order: Annotated[
        Order, typer.Option("--order", help="As planned, or first the tasks that are passed sometimes.")
    ] = "planned",
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0, max=2, help="0 takes the likeliest token; 0.7 for best_of and tree."),
    ] = None,
    constrained: Constrained = False,
    seed: Seed = 0,
    category: Category = None,
    template: Template = None,
    max_steps: MaxSteps = None,
    max_new_tokens: MaxNewTokens = None,
    max_tokens: MaxTokens = None,
    max_seconds: MaxSeconds = None,
    quantisation: Quantisation = None,
    batch: Batch = None,
    executor: Annotated[
        Executor, typer.Option("--executor", help="Who makes the attempts: this process, or workers under Ray.")
    ] = "local",
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=1000, help="With ray: processes, each with a model.")
    ] = 2,
    address: Annotated[
        str | None, typer.Option("--address", help="With ray: host:port of a running cluster; this machine without it.")
    ] = None,
) -> Report:
    """Let a model try tasks, and store what it did and how it was judged."""
    settings = get_settings()
    numbers = {"repairs": repairs, "candidates": candidates, "width": width, "nodes": nodes}
    given = {name: number for name, number in numbers.items() if number is not None}
    for name in given:
        if name not in NUMBERS[mode]:
            raise typer.BadParameter(f"--{name} does not belong to --mode {mode}.")
    if executor == "local" and address is not None:
        raise typer.BadParameter("--address goes with --executor ray.")
    drawn = temperature if temperature is not None else 0.7 if mode in ("best_of", "tree") else 0.0
    params = {
        "model": model,
        "split": split,
        "mode": mode,
        "order": order,
        "max_tokens": max_tokens,
        "max_seconds": max_seconds,
        **given,
        **({} if executor == "local" else {"executor": executor, "workers": workers, "address": address}),
        **common(
            settings,
            tasks,
            attempts,
            drawn,
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
    label = f"{model} on {tasks} {split} tasks" + ("" if mode == "single" else f", {mode}")
    job, result = run_in_foreground(settings, "explore", params, label)
    return Report(
        {"run": result["run"], "job": job, **result},
        [
            f"{result['passed']} of {result['planned']} attempts passed ({result['pass_rate']:.1%}).",
            *(
                []
                if mode == "single"
                else [f"Passes of the mode {mode} are no plain passes; evaluate counts none of them."]
            ),
            f"Run {result['run']}, job {job}.",
        ],
    )


def correct(
    run: Annotated[
        list[str], typer.Option("--run", help="A run whose failed attempts are corrected; may be given again.")
    ],
    most: Annotated[
        int, typer.Option("--most", min=1, max=100, help="Corrections of one attempt, its first errors first.")
    ] = 2,
) -> Report:
    """Let the reference solution go on where attempts of a model went wrong, for rows and pairs to learn from."""
    params = {"runs": list(dict.fromkeys(run)), "most": most}
    job, result = run_in_foreground(
        get_settings(), "correct", params, f"Corrections of {run[0]}" + (" and others" if run[1:] else "")
    )
    return Report(
        {"job": job, **result},
        [
            f"{result['corrected']:,} of {result['attempts']:,} attempts corrected, {result['corrections']:,} times; "
            f"{result['passed']:,} of these pass.",
            *([f"{result['diverged']:,} do not come out as recorded and were left."] if result["diverged"] else []),
            f"Run {result['run']}, job {job}.",
        ],
    )


def common(
    settings: Settings,
    tasks: int,
    attempts: int,
    temperature: float,
    constrained: bool,
    seed: int,
    category: list[str] | None,
    template: list[str] | None,
    max_steps: int | None,
    max_new_tokens: int | None,
    quantisation: str | None,
    batch: int | None,
) -> dict[str, Any]:
    """Parameters that explore and evaluate share; limits that are not given come from the settings."""
    return {
        "tasks": tasks,
        "attempts": attempts,
        "temperature": temperature,
        "constrained": constrained,
        "seed": seed,
        "categories": list(category or ()),
        "templates": list(template or ()),
        "max_steps": max_steps or settings.max_steps,
        "max_new_tokens": max_new_tokens or settings.max_new_tokens,
        "quantisation": quantisation,
        **({} if batch is None else {"batch": batch}),
    }
