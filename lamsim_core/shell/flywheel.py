"""The command that turns the whole flywheel once: explore, curate, train, explore again, train on preferences, measure."""

from pathlib import Path
from typing import Annotated

import typer

from lamsim_core.canonical import content_hash
from lamsim_core.flywheel.sizes import SizeName
from lamsim_core.flywheel.wheel import read_stages
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import RESUMABLE
from lamsim_core.settings import get_settings
from lamsim_core.shell.foreground import follow
from lamsim_core.shell.output import Report, Table, command, say


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
    params = {
        "name": name,
        "size": size,
        "model": model,
        "from_adapter": from_adapter,
        "seed": seed,
        "folder": None if report is None else str(report.absolute()),
    }
    request = content_hash(["turn", params])
    job = supervisor.start(settings, "turn", params, label=f"Turn {name}", request_id=request).id
    state = supervisor.status(settings, job).state
    if state in RESUMABLE:
        supervisor.resume(settings, job)
    say(f"{name}: {'done before' if state == 'done' else 'at work'} ({job}).")
    result = follow(settings, job)
    return Report(
        {"job": job, **result},
        [
            Table(
                ("stage", "made by", "minutes"),
                [(each.name, each.made_by, f"{each.seconds / 60:.1f}") for each in read_stages(settings, job).done],
            ),
            f"The report: {', '.join(map(str, result['files']))}.",
        ],
    )
