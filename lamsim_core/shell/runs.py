"""Commands that do the work: explore, train. They run in the foreground; the app lists them as jobs too."""

from typing import Annotated, Any, Literal

import typer

from lamsim_core.explore.curriculum import Order
from lamsim_core.explore.modes import NUMBERS
from lamsim_core.records import Mode, Recipe, Split
from lamsim_core.settings import Settings, get_settings
from lamsim_core.shell.catalog import Category, Template
from lamsim_core.shell.foreground import follow, run_in_foreground
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
    command(app, "train")(train)


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


def train(
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Id of a dataset, or its name for the newest of it.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="The model to train.")] = "smollm2-135m",
    name: Annotated[str | None, typer.Option("--name", help="What the trained adapter is called.")] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="JOB", help="Go on with a training job that was stopped.")
    ] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Passes over the rows.")] = None,
    max_optimizer_steps: Annotated[
        int | None, typer.Option("--max-optimizer-steps", min=1, help="Stop after so many.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Rows at a time.")] = None,
    gradient_accumulation: Annotated[
        int | None, typer.Option("--gradient-accumulation", min=1, help="Batches per step.")
    ] = None,
    lora_rank: Annotated[int | None, typer.Option("--lora-rank", min=1)] = None,
    lora_alpha: Annotated[int | None, typer.Option("--lora-alpha", min=1)] = None,
    lora_dropout: Annotated[float | None, typer.Option("--lora-dropout", min=0, max=1)] = None,
    max_length: Annotated[
        int | None, typer.Option("--max-length", min=1, help="Tokens; longer rows are dropped.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Order of the rows and start of the adapter.")] = None,
    precision: Annotated[Precision | None, typer.Option("--precision", help="How the base weights are held.")] = None,
    save_steps: Annotated[int | None, typer.Option("--save-steps", min=1, help="Steps between checkpoints.")] = None,
) -> Report:
    """Train an adapter on a frozen dataset, or go on with a job that was stopped."""
    settings = get_settings()
    if resume is not None:
        job, result = resume, _resume(settings, resume)
    else:
        if dataset is None or name is None:
            raise typer.BadParameter("give --dataset and --name, or --resume with a job.")
        from lamsim_core.curate.datasets import find_dataset

        given = {
            "epochs": epochs,
            "max_optimizer_steps": max_optimizer_steps,
            "learning_rate": learning_rate,
            "batch_size": batch_size,
            "gradient_accumulation": gradient_accumulation,
            "lora_rank": lora_rank,
            "lora_alpha": lora_alpha,
            "lora_dropout": lora_dropout,
            "max_length": max_length,
            "seed": seed,
            "precision": precision,
            "save_steps": save_steps,
        }
        recipe = Recipe.model_validate({key: value for key, value in given.items() if value is not None})
        found = find_dataset(settings, dataset)
        params = {"dataset": found.id, "model": model, "name": name, "recipe": recipe.model_dump(mode="json")}
        job, result = run_in_foreground(settings, "train", params, f"Train {name} from {model} on {found.name}")
    return Report({"job": job, **result}, [f"The adapter {result.get('name', name)} is ready (job {job})."])


def _resume(settings: Settings, job: str) -> dict[str, Any]:
    from lamsim_core.errors import InvalidInputError
    from lamsim_core.jobs import supervisor

    kind = supervisor.get_job(settings, job).kind
    if kind != "train":
        raise InvalidInputError(f"{job} is a job of kind {kind}. Use: python -m lamsim_core jobs resume {job}")
    supervisor.resume(settings, job)
    return follow(settings, job)


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
