"""Commands about datasets: freeze one from what is stored, list them, hand one on."""

from pathlib import Path
from typing import Annotated

import typer

from lamsim_core.curate.export import Form
from lamsim_core.records import Dataset, Selection
from lamsim_core.settings import get_settings
from lamsim_core.shell.catalog import Category, Template
from lamsim_core.shell.output import FAILED, Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    group = typer.Typer(help="Freeze, list and export datasets.", no_args_is_help=True)
    app.add_typer(group, name="dataset")
    command(group, "create")(create)
    command(group, "list")(list_all)
    command(group, "export")(export_one)


def create(
    name: Annotated[str, typer.Option("--name", help="What the dataset is called.")],
    category: Category = None,
    template: Template = None,
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help="Only attempts of this model or policy; may be given again.")
    ] = None,
    run: Annotated[list[str] | None, typer.Option("--run", help="Only this run; may be given again.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="Only trajectories with this tag; may be given again.")
    ] = None,
    accepted_only: Annotated[
        bool, typer.Option("--accepted-only", help="Only trajectories a person accepted; without it all not rejected.")
    ] = False,
    max_per_template: Annotated[
        int | None, typer.Option("--max-per-template", min=1, help="At most so many per template, the newest first.")
    ] = None,
    max_errors: Annotated[int, typer.Option("--max-errors", min=0, help="Failed actions a trajectory may hold.")] = 0,
    any_errors: Annotated[bool, typer.Option("--any-errors", help="Let in any number of failed actions.")] = False,
    also_failed: Annotated[bool, typer.Option("--also-failed", help="Let in attempts that did not pass.")] = False,
) -> Report:
    """Freeze the trajectories that fit into a dataset version. Held-out tasks never enter."""
    from lamsim_core.curate.datasets import freeze
    from lamsim_core.store import Store

    selection = Selection(
        passed_only=not also_failed,
        decisions=("accept",) if accepted_only else ("accept", "undecided"),
        policies=tuple(policy or ()),
        categories=tuple(category or ()),
        templates=tuple(template or ()),
        runs=tuple(run or ()),
        tags=tuple(tag or ()),
        max_per_template=max_per_template,
        max_errors=None if any_errors else max_errors,
    )
    with Store(get_settings()) as store:
        dataset = freeze(store, name, selection)
    left_out = ", ".join(f"{number} {reason}" for reason, number in dataset.counts["left_out"].items())
    return Report(
        {"dataset": dataset.id, **_summary(dataset), "left_out": dataset.counts["left_out"]},
        [
            f"{dataset.name}: {dataset.rows} rows frozen as {dataset.id} (hash {dataset.hash}).",
            f"Left out: {left_out or 'nothing'}.",
        ],
    )


def list_all() -> Report:
    """List the datasets, the newest first; exit code 1 when a folder is damaged."""
    from lamsim_core.curate.datasets import list_datasets

    datasets, problems = list_datasets(get_settings())
    rows = [(each.id, each.name, each.rows, each.created, each.hash) for each in datasets]
    return Report(
        {"datasets": [{"dataset": each.id, **_summary(each)} for each in datasets], "problems": problems},
        [Table(("id", "name", "rows", "created", "hash"), rows) if rows else "There are no datasets yet.", *problems],
        FAILED if problems else 0,
    )


def export_one(
    dataset: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the dataset, or its name for the newest of that name.")
    ],
    form: Annotated[Form, typer.Option("--form", help="The format to write.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write; an existing one is replaced.")],
) -> Report:
    """Write a dataset to a file for another training program."""
    from lamsim_core.curate.datasets import export, find_dataset

    settings = get_settings()
    found = find_dataset(settings, dataset)
    path = export(settings, found.id, out, form)
    return Report(
        {"dataset": found.id, "form": form, "file": str(path), "rows": found.rows},
        [f"{found.rows} rows of {found.name} written to {path} ({form})."],
    )


def _summary(dataset: Dataset) -> dict[str, object]:
    return {
        "name": dataset.name,
        "rows": dataset.rows,
        "hash": dataset.hash,
        "created": dataset.created,
        "parent": dataset.parent,
    }
