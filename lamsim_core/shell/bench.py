"""Commands that time the product on this machine."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Sampling
from lamsim_core.settings import get_settings
from lamsim_core.shell.output import Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    bench = typer.Typer(no_args_is_help=True, help="Time the product on this machine.")
    command(bench, "env")(environment)
    command(bench, "explore")(exploring)
    command(bench, "store")(storing)
    command(bench, "curate")(curating)
    command(bench, "train")(training)
    command(bench, "app")(pages)
    app.add_typer(bench, name="bench")


def environment(
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="Instances whose reference solutions are timed.")] = 400,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each is timed.")] = 3,
) -> Report:
    """Time environment steps with all verdicts, over the tools of every category, beside the bare functions."""
    from lamsim_core.explore.bench import bench_environment
    from lamsim_core.tasks import SPLITS, instantiate, load_templates
    from lamsim_core.tasks.splits import seed_range

    templates = list(load_templates().values())
    seeds = [seed_range(SPLITS[place % 2])[place // 2] for place in range(-(-tasks // len(templates)))]
    planned = [instantiate(template, seed) for seed in seeds for template in templates][:tasks]
    found = bench_environment(planned, rounds)
    rows = [
        ("steps per second", f"{found.steps_per_second:,.0f}"),
        ("a step with its verdicts, median", f"{found.median:.1f} µs"),
        ("the same, 95th percentile", f"{found.p95:.1f} µs"),
        ("without the verdicts", f"{found.environment:.1f} µs"),
        ("the bare function", f"{found.bare:.1f} µs"),
        ("judgement of an attempt", f"{found.judgement:.1f} µs"),
    ]
    return Report(
        found.model_dump(mode="json"),
        [Table(("what", "time"), rows), f"{found.steps:,} steps of {found.tools} tools, {found.tasks} instances."],
    )


def exploring(
    model: Annotated[str, typer.Option("--model", help="A local model.")] = "smollm2-135m",
    tasks: Annotated[int, typer.Option("--tasks", min=2, help="Train tasks.")] = 60,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Attempts at each task.")] = 1,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="Tasks the slow ways try, spread over all. All by default.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=2, max=256, help="Attempts at the same time.")] = 16,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often the ways take turns.")] = 3,
    plain: Annotated[bool, typer.Option("--plain/--no-plain", help="Time transformers' plain loop.")] = True,
    alone: Annotated[bool, typer.Option("--alone/--no-alone", help="Time one attempt after another.")] = True,
    server: Annotated[
        str | None,
        typer.Option("--server", help="Address of a server that runs the same weights, up to and including /v1."),
    ] = None,
    server_model: Annotated[str, typer.Option("--server-model", help="What the server calls the model.")] = "default",
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, max=2, help="0 takes the likeliest token.")
    ] = 0.0,
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, help="Turns allowed in one attempt.")] = 8,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Tokens in one turn.")] = 160,
    quantisation: Annotated[
        Literal["nf4", "bf16", "fp32"], typer.Option("--quantisation", help="How the weights are held.")
    ] = "nf4",
    seed: Annotated[int, typer.Option("--seed", help="Which instances are drawn.")] = 0,
) -> Report:
    """Time a local model that explores: transformers' plain loop, one attempt after another, many together, a server."""
    from lamsim_core.explore.bench_models import Plan, bench_models
    from lamsim_core.models.endpoint_entry import Endpoint
    from lamsim_core.tasks import plan_tasks

    if sample is not None and not sample <= tasks:
        raise InvalidInputError("--sample cannot be more than --tasks.")
    sampling = Sampling(max_steps=max_steps, max_new_tokens=max_new_tokens, temperature=temperature)
    planned = plan_tasks("train", tasks, categories=(), templates=(), seed=seed)
    ways: dict[Literal["plain", "alone"], bool] = {"plain": plain, "alone": alone}
    wanted = tuple(way for way, asked in ways.items() if asked)
    plan = Plan(attempts=attempts, batch=batch, sample=sample, rounds=rounds, ways=wanted)
    endpoint = (
        None if server is None else Endpoint(base_url=server, model=server_model, tools="text", timeout_seconds=600)
    )
    found = bench_models(get_settings(), model, planned, plan, sampling, quantisation, endpoint)
    sides = found.sides
    rows = [
        ("attempts at the same time", *(str(side.batch) for side in sides)),
        ("attempts", *(str(side.attempts) for side in sides)),
        ("trajectories per minute", *(f"{side.trajectories_per_minute:.1f}" for side in sides)),
        ("tokens per second", *(f"{side.tokens_per_second:.1f}" for side in sides)),
        ("tokens in a reply", *(f"{side.tokens_per_reply:.1f}" for side in sides)),
        ("prompt tokens read", *(f"{side.prompt_tokens - side.cached_tokens:,}" for side in sides)),
        ("prompt tokens not read again", *(f"{side.cached_tokens:,}" for side in sides)),
        ("time reading prompts", *(f"{side.reading:.1%}" for side in sides)),
        ("time writing", *(f"{side.writing:.1%}" for side in sides)),
        ("time in steps", *(f"{side.environment:.1%}" for side in sides)),
        ("time in verdicts", *(f"{side.feedback:.1%}" for side in sides)),
        ("time in the store", *(f"{side.store:.1%}" for side in sides)),
        ("processor seconds for one", *(f"{side.processor_seconds / side.attempts:.2f}" for side in sides)),
        ("load of the machine", *(f"{side.load:.1f}" for side in sides)),
    ]
    notes = [
        f"Together {each.times:.2f} times as many trajectories per minute as {each.than}"
        + (f" ({each.by_processor:.2f} times by processor time)." if each.by_processor else ".")
        for each in found.faster
    ]
    notes += [
        f"{each.ways[0]} and {each.ways[1]}: {each.same:.1%} of {each.replies} replies and {each.trajectories:.1%} of the"
        " attempts are the same."
        for each in found.same
    ]
    return Report(found.model_dump(mode="json"), [Table(("what", *(side.way for side in sides)), rows), *notes])


def storing(
    trajectories: Annotated[
        int, typer.Option("--trajectories", min=10, help="Attempts the store is filled with.")
    ] = 5000,
    rounds: Annotated[int, typer.Option("--rounds", min=2, help="How often each question is asked.")] = 20,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Keep the store here, and use it again; else it is thrown away.")
    ] = None,
) -> Report:
    """Time the store: fill one with many attempts, then ask it what the Trajectories page asks."""
    from lamsim_core.explore.bench_store import bench_store

    with tempfile.TemporaryDirectory(prefix="lamsim-bench-") as temporary:
        found = bench_store(
            folder or Path(temporary),
            trajectories,
            rounds=rounds,
            memory=get_settings().index_memory,
            on_progress=lambda said: print(said, file=sys.stderr, flush=True),
        )
    rows = [
        (each.question, f"{each.p50:.1f}", f"{each.p95:.1f}", f"{each.slowest:.1f}", str(each.calls))
        for each in (*found.questions, found.catch_up)
    ]
    filled = (
        "The store was there already."
        if found.stored_per_second is None
        else f"Stored {found.stored_per_second:,.0f} a second, projected {found.projected_per_second:,.0f} a second"
        f" ({found.steps_projected_per_second:,.0f} steps)."
    )
    return Report(
        found.model_dump(mode="json"),
        [
            Table(("question", "median, ms", "95 %, ms", "slowest, ms", "asked"), rows),
            f"{found.trajectories:,} attempts with {found.steps:,} steps: {found.journal_mb:,.0f} MB of journal,"
            f" {found.index_mb:,.0f} MB of index. {filled} Load of the machine {found.load:.1f}.",
            f"Slower than {found.goal:.0f} ms at 95 %: {', '.join(found.missed) or 'nothing'}.",
        ],
    )


def curating(
    tasks: Annotated[
        int, typer.Option("--tasks", min=10, help="Training tasks tried by the reference solution.")
    ] = 1000,
) -> Report:
    """Time verified training rows from nothing: tasks planned, tried, judged, stored, chosen and frozen."""
    from lamsim_core.curate.bench import bench_curate

    with tempfile.TemporaryDirectory(prefix="lamsim-bench-") as home:
        found = bench_curate(
            Path(home), tasks, on_progress=lambda said: print(f"{said.capitalize()}.", file=sys.stderr, flush=True)
        )
    rows = [
        *(
            (step.capitalize(), f"{seconds:.2f} s, of the processor {found.processor_seconds[step]:.2f} s")
            for step, seconds in found.seconds.items()
        ),
        *((f"Rows by {policy}", f"{number:,}") for policy, number in found.by_policy.items()),
        *((reason.capitalize(), f"{number:,}") for reason, number in found.left_out.items()),
    ]
    return Report(
        found.model_dump(mode="json"),
        [
            Table(("what", "here"), rows),
            f"{found.rows:,} verified training rows of {found.tasks:,} tasks: {found.rows_per_hour:,.0f} rows an hour, "
            f"{found.rows_per_processor_hour:,.0f} by processor time. "
            f"Before anything is chosen, {found.attempts_per_hour:,.0f} verified attempts an hour. Load {found.load:.1f}.",
        ],
    )


def training(
    model: Annotated[str, typer.Option("--model", help="A base model.")] = "smollm2-135m",
    rows: Annotated[int, typer.Option("--rows", min=4, help="Rows to train on.")] = 24,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Take the rows of this dataset, not reference solutions.")
    ] = None,
    epochs: Annotated[float, typer.Option("--epochs", help="Passes over the rows.")] = 1.0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Rows at a time.")] = 4,
    precision: Annotated[
        Literal["nf4", "bf16", "fp32"], typer.Option("--precision", help="How the base weights are held.")
    ] = "nf4",
    seed: Annotated[int, typer.Option("--seed", help="Order of the rows and start of the adapter.")] = 0,
) -> Report:
    """Time training (SFT) beside TRL's own trainer, on the same rows with the same recipe, and compare the losses."""
    from lamsim_core.curate.datasets import find_dataset
    from lamsim_core.train.bench import bench_training
    from lamsim_core.train.presets import recipe_for

    settings = get_settings()
    recipe = recipe_for("sft", epochs=epochs, batch_size=batch_size, precision=precision, seed=seed)
    found = bench_training(
        settings,
        model,
        rows,
        recipe,
        None if dataset is None else find_dataset(settings, dataset).id,
        on_progress=lambda said: print(said, file=sys.stderr, flush=True),
    )
    sides = found.sides
    table = [
        ("tokens per second", *(f"{side.tokens_per_second:,.0f}" for side in sides)),
        ("seconds a step", *(f"{side.seconds_per_step:.2f}" for side in sides)),
        ("processor seconds", *(f"{side.processor_seconds:.1f}" for side in sides)),
        ("tokens read for each", *(f"{side.read:.2f}" for side in sides)),
        ("loss of all rows after training", *(f"{side.final_loss:.3f}" for side in sides)),
        ("load of the machine", *(f"{side.load:.1f}" for side in sides)),
    ]
    return Report(
        found.model_dump(mode="json"),
        [
            Table(("what", *(side.way for side in sides)), table),
            f"{found.rows} rows, {found.tokens:,} tokens, {found.trained_tokens:,} of them trained, {found.steps} steps;"
            f" loss before {found.first_loss:.3f}.",
            f"{found.times:.2f} times as many tokens a second as TRL.",
        ],
    )


def pages(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each page is drawn.")] = 10,
) -> Report:
    """Time the start of the app, and how long the server works on each page of the store in use, without a browser."""
    from lamsim_core.ui.page_bench import bench_app

    found = bench_app(get_settings(), rounds)
    rows = [
        (each.page, f"{each.first:,.0f} ms", f"{each.median:,.0f} ms", f"{each.p95:,.0f} ms") for each in found.pages
    ]
    return Report(
        found.model_dump(mode="json"),
        [
            Table(("page", "first time", "median", "95th percentile"), rows),
            f"The app answers {found.start:.1f} s after its start. {found.trajectories:,} trajectories are stored.",
        ],
    )
