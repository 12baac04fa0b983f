"""The program: its commands put together, and how a wrong command line is told."""

from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from lamsim_core import __version__
from lamsim_core.shell import (
    adapters,
    bench,
    bfcl,
    catalog,
    contracts,
    datasets,
    flywheel,
    imports,
    jobs,
    measuring,
    proving,
    replaying,
    review,
    runs,
    serve,
    stored,
    training,
)
from lamsim_core.shell.output import print_json, say

NAME = "python -m lamsim_core"


def program() -> typer.Typer:
    """The whole shell."""
    app = typer.Typer(
        name=NAME,
        help="LAM Simulator: tool-calling agents explore simulated tasks, are judged, and learn from what passed.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for commands in (
        serve,
        catalog,
        contracts,
        proving,
        imports,
        runs,
        measuring,
        training,
        bfcl,
        replaying,
        review,
        datasets,
        adapters,
        flywheel,
        jobs,
        stored,
        bench,
    ):
        commands.register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """LAM Simulator: tool-calling agents explore simulated tasks, are judged, and learn from what passed."""


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped."""
    command = typer.main.get_command(program())
    as_json = "--json" in arguments
    try:
        code = command.main(args=list(arguments), prog_name=NAME, standalone_mode=not as_json)
    except TyperException as error:
        say(f"{error.format_message()} See {NAME} --help.")
        print_json({"error": error.format_message(), "kind": "UsageError"})
        return error.exit_code
    except SystemExit as leaving:  # how typer ends when it speaks to people
        return leaving.code if isinstance(leaving.code, int) else 1
    return code if isinstance(code, int) else 0
