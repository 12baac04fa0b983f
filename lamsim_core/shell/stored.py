"""Commands about the store: check the journal, rebuild the index."""

import typer

from lamsim_core.settings import get_settings
from lamsim_core.shell.output import FAILED, Report, command


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    group = typer.Typer(help="Check the journal, rebuild the index.", no_args_is_help=True)
    app.add_typer(group, name="store")
    command(group, "check")(check)
    command(group, "rebuild")(rebuild)


def check() -> Report:
    """Read every stored record and check it; exit code 1 when something is damaged. Changes nothing."""
    from lamsim_core.store.check import check as check_journal

    report = check_journal(get_settings().journal)
    return Report({"ok": report.ok, **report.model_dump(mode="json")}, report.sentences, 0 if report.ok else FAILED)


def rebuild() -> Report:
    """Throw the index away and build it again from the journal."""
    from lamsim_core.store import Store

    with Store(get_settings()) as store:
        report = store.index.rebuild()
    return Report(report.model_dump(mode="json"), report.sentences)
