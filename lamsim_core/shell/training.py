"""The command that trains: a new run, what it would come to, or an earlier run that goes on."""

from typing import Annotated, Any, Literal

import typer

from lamsim_core.records import Dataset, Method, Recipe
from lamsim_core.settings import Settings, get_settings
from lamsim_core.shell.foreground import follow, run_in_foreground
from lamsim_core.shell.output import FAILED, Report, Table, command
from lamsim_core.train import world
from lamsim_core.train.presets import PresetName

Precision = Literal["nf4", "bf16", "fp32"]


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    command(app, "train")(train)


def train(
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Id of a dataset, or its name for the newest of it.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The model to train; that of --from-adapter, or the default model.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What the trained adapter is called.")] = None,
    method: Annotated[
        Method | None, typer.Option("--method", help="How; by default what the dataset's kind is for.")
    ] = None,
    from_adapter: Annotated[
        str | None, typer.Option("--from-adapter", help="Go on from this adapter: its weights are the start.")
    ] = None,
    preset: Annotated[
        PresetName, typer.Option("--preset", help="Where the numbers come from that are not given.")
    ] = "standard",
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="JOB", help="Go on with a training job that was stopped.")
    ] = None,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Only count and estimate what a run would come to.")
    ] = False,
    beta: Annotated[
        float | None, typer.Option("--beta", min=0, help="dpo, kto: how strongly it is held to what it starts from.")
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
    through_prompt: Annotated[
        bool | None,
        typer.Option(
            "--through-prompt/--prompt-as-given",
            help="Whether gradients go through the prompt, too; without, a step takes about half the time.",
        ),
    ] = None,
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
        return _ready(job, result)
    if dataset is None or (name is None and not preflight):
        raise typer.BadParameter("give --dataset and --name, or --resume with a job.")
    from lamsim_core.curate.datasets import find_dataset
    from lamsim_core.models.provision import DEFAULT_MODEL
    from lamsim_core.models.registry import find_adapter
    from lamsim_core.train.job import TrainParams, help_train
    from lamsim_core.train.methods import method_for, require_fit
    from lamsim_core.train.presets import recipe_for

    found = find_dataset(settings, dataset)
    start = None if from_adapter is None else find_adapter(settings, from_adapter)[1]
    recipe = recipe_for(
        method or method_for(found.kind),
        preset,
        start,
        beta=beta,
        epochs=epochs,
        max_optimizer_steps=max_optimizer_steps,
        learning_rate=learning_rate,
        batch_size=batch_size,
        gradient_accumulation=gradient_accumulation,
        lora_rank=lora_rank,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        through_prompt=through_prompt,
        max_length=max_length,
        seed=seed,
        precision=precision,
        save_steps=save_steps,
    )
    require_fit(found, recipe)
    base = model or (start.base if start else DEFAULT_MODEL)
    if preflight:
        return _look_ahead(settings, found, base, recipe)
    params: dict[str, Any] = {
        "dataset": found.id,
        "model": base,
        "name": name,
        "recipe": recipe.model_dump(mode="json"),
    }
    if start is not None:
        params["from_adapter"] = start.id
    if not world.leads():
        help_train(settings, TrainParams.model_validate(params))
        return Report({}, [])
    label = f"Train {name} from {start.name if start else base} on {found.name}"
    return _ready(*run_in_foreground(settings, "train", params, label))


def _ready(job: str, result: dict[str, Any]) -> Report:
    return Report({"job": job, **result}, [f"The adapter {result.get('name', '')} is ready (job {job})."])


def _look_ahead(settings: Settings, dataset: Dataset, base: str, recipe: Recipe) -> Report:
    from lamsim_core.train.preflight import preflight

    found = preflight(settings, dataset.id, base, recipe)
    rows = [
        ("rows kept", f"{found.kept:,} of {found.rows:,}"),
        ("left out: too long", f"{found.dropped_too_long:,}"),
        ("left out: nothing to learn", f"{found.dropped_untrained:,}"),
        ("trained on", f"{found.trained_tokens:,} of {found.tokens:,} tokens"),
        ("longest row", f"{found.longest:,} tokens"),
        ("steps", f"{found.steps:,}"),
        ("time", f"about {found.minutes:.1f} minutes"),
        ("memory", f"about {found.memory_mb / 1000:.1f} GB"),
    ]
    data = {"dataset": dataset.id, "model": base, "recipe": recipe.model_dump(mode="json"), **found.model_dump()}
    return Report(data, [Table(("what", recipe.method), rows)], exit_code=0 if found.trained_tokens else FAILED)


def _resume(settings: Settings, job: str) -> dict[str, Any]:
    from lamsim_core.errors import InvalidInputError
    from lamsim_core.jobs import supervisor

    if world.size() > 1:
        raise InvalidInputError("A run of several processes cannot be resumed. Start it again with the same options.")
    kind = supervisor.get_job(settings, job).kind
    if kind != "train":
        raise InvalidInputError(f"{job} is a job of kind {kind}. Use: python -m lamsim_core jobs resume {job}")
    supervisor.resume(settings, job)
    return follow(settings, job)
