"""Commands that time the product on this machine."""

from typing import Annotated

import typer

from lamsim_core.shell.output import Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    bench = typer.Typer(no_args_is_help=True, help="Time the product on this machine.")
    command(bench, "env")(environment)
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
