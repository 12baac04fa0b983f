"""The command that proves the feedback by mutation: errors are found, legal variation is spared, cheats do not pass."""

from typing import Annotated

import typer

from lamsim_core.shell.catalog import Category, Template, chosen_templates
from lamsim_core.shell.foreground import progress_bar
from lamsim_core.shell.output import FAILED, Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    command(app, "prove")(prove)


def prove(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Instances of each template to try.")] = 1,
    template: Template = None,
    category: Category = None,
    walks: Annotated[int, typer.Option("--walks", min=0, help="Random walks through each instance.")] = 10,
    examples: Annotated[int, typer.Option("--examples", min=0, help="Examples kept of each thing that is wrong.")] = 3,
) -> Report:
    """Prove the feedback by mutation: every error is found and named, legal variation is spared, no cheat passes."""
    from lamsim_core.explore.proof import prove as run_proof
    from lamsim_core.tasks import load_templates

    known = load_templates()
    chosen = chosen_templates(known, template, category)
    with progress_bar("Proving") as update:
        found = run_proof(chosen, range(seeds), walks=walks, examples=examples, on_progress=update)
    errors = [(name, c.cases, c.caught, c.right_class, c.right_path) for name, c in found.errors.items()]
    spared = [(name, c.cases, c.false_alarms) for name, c in found.legal.items()]
    withstood = [(name, c.tried, c.passed) for name, c in found.cheats.items()]
    walked = [walk.tried for walk in found.walks.values()], [walk.passed for walk in found.walks.values()]
    withstood.append(("random walks", sum(walked[0]), sum(walked[1])))
    wrong = [
        f"{w.kind} {w.name}{f' ({w.what})' if w.what else ''}, {w.task}"
        f"{'' if w.place is None else f', call {w.place + 1}'}: {w.problem}"
        for w in found.wrong
    ]
    missed = found.missed
    return Report(
        {"ok": not missed, "missed": list(missed), **found.model_dump(mode="json")},
        [
            Table(("error", "cases", "caught", "right class", "right path"), errors),
            Table(("legal variation", "cases", "punished"), spared),
            Table(("cheat", "tried", "passed"), withstood),
            *wrong,
            *missed,
            f"{found.templates} templates, {found.instances} instances, {found.attempts} attempts in "
            f"{found.seconds:.0f} s: " + (f"{len(missed)} goals are missed." if missed else "every goal is met."),
        ],
        FAILED if missed else 0,
    )
