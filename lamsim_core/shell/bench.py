"""Commands that time the product on this machine."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from lamsim_core.records import Sampling
from lamsim_core.settings import get_settings
from lamsim_core.shell.output import Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    bench = typer.Typer(no_args_is_help=True, help="Time the product on this machine.")
    command(bench, "env")(environment)
    command(bench, "explore")(exploring)
    command(bench, "store")(storing)
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
    tasks: Annotated[int, typer.Option("--tasks", min=2, help="Train tasks tried each way.")] = 32,
    batch: Annotated[int, typer.Option("--batch", min=2, max=256, help="Attempts at the same time.")] = 8,
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, help="Turns allowed in one attempt.")] = 4,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Tokens in one turn.")] = 80,
    quantisation: Annotated[
        Literal["nf4", "bf16", "fp32"] | None, typer.Option("--quantisation", help="How the weights are held.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which instances are drawn.")] = 0,
) -> Report:
    """Time a local model that explores: one attempt after another, beside many together, on the same tasks."""
    from lamsim_core.explore.bench_models import bench_models
    from lamsim_core.tasks import plan_tasks

    sampling = Sampling(max_steps=max_steps, max_new_tokens=max_new_tokens)
    planned = plan_tasks("train", tasks, categories=(), templates=(), seed=seed)
    found = bench_models(get_settings(), model, planned, batch, sampling, quantisation)
    sides = (found.alone, found.together)
    rows = [
        ("attempts at the same time", *(str(side.batch) for side in sides)),
        ("trajectories per minute", *(f"{side.trajectories_per_minute:.1f}" for side in sides)),
        ("tokens per second", *(f"{side.tokens_per_second:.1f}" for side in sides)),
        ("prompt tokens read", *(f"{side.prompt_tokens - side.cached_tokens:,}" for side in sides)),
        ("time in the model", *(f"{side.model:.1%}" for side in sides)),
        ("time in steps and verdicts", *(f"{side.environment:.1%}" for side in sides)),
        ("time in the store", *(f"{side.store:.1%}" for side in sides)),
        ("load of the machine", *(f"{side.load:.1f}" for side in sides)),
    ]
    return Report(
        found.model_dump(mode="json"),
        [
            Table(("what", "alone", "together"), rows),
            f"{found.faster:.2f} times as many trajectories per minute; {found.same_trajectories:.1%} of the attempts and"
            f" {found.same_replies:.1%} of the replies are the same.",
        ],
    )


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
