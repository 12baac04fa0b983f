"""Commands about trained adapters: list and show them, hand one on, merge one, delete one, make one part of the product."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Adapter
from lamsim_core.settings import Settings, get_settings
from lamsim_core.shell.foreground import run_in_foreground
from lamsim_core.shell.output import Report, Table, command

Named = Annotated[str, typer.Argument(metavar="NAME", help="The adapter's name or id.")]
Target = Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder to write into.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    group = typer.Typer(help="List, export, keep, merge, delete and ship trained adapters.", no_args_is_help=True)
    app.add_typer(group, name="adapters")
    command(group, "list")(list_all)
    command(group, "show")(show)
    command(group, "export")(export)
    command(group, "keep")(keep)
    command(group, "merge")(merge)
    command(group, "delete")(delete)
    command(group, "ship")(ship)


def list_all() -> Report:
    """List the adapters: those of the product, then those trained here, the oldest first."""
    from lamsim_core.models.registry import adapter_folders, is_shipped

    settings = get_settings()
    found = [(record, is_shipped(settings, folder)) for folder, record in adapter_folders(settings)]
    rows = [
        (a.name, a.base, a.recipe.method, "yes" if shipped else "no", a.dataset, a.created[:19], a.id)
        for a, shipped in found
    ]
    head = ("name", "base", "method", "shipped", "dataset", "trained", "id")
    return Report(
        {"adapters": [{**adapter.model_dump(mode="json"), "shipped": shipped} for adapter, shipped in found]},
        [Table(head, rows) if rows else "There are no adapters yet. Train one: python -m lamsim_core train"],
    )


def show(name: Named) -> Report:
    """Show one adapter: base, dataset, recipe, metrics, and what it was measured at."""
    from lamsim_core.models.registry import find_adapter, is_shipped

    settings = get_settings()
    folder, adapter = find_adapter(settings, name)
    results = _results(settings, adapter)
    recipe = {f"recipe: {key.replace('_', ' ')}": value for key, value in adapter.recipe.model_dump().items()}
    facts = {
        "name": adapter.name,
        "id": adapter.id,
        "folder": folder,
        "shipped": "yes" if is_shipped(settings, folder) else "no",
        "trained": adapter.created,
        "base": f"{adapter.base} ({adapter.base_hash[:16]})",
        "dataset": f"{adapter.dataset} ({adapter.dataset_hash[:16]})",
        "job": adapter.job,
        "weights": adapter.weights_sha256,
        **recipe,
        **{f"metric: {key.replace('_', ' ')}": f"{value:g}" for key, value in adapter.metrics.items()},
    }
    return Report(
        {
            **adapter.model_dump(mode="json"),
            "shipped": is_shipped(settings, folder),
            "folder": str(folder),
            "measured": results,
        },
        [
            Table(("what", "value"), [(key, value) for key, value in facts.items() if value not in (None, "")]),
            Table(
                ("measured at", "passed", "95 % interval", "base model", "evaluation"),
                [
                    (
                        each["tried_on"],
                        f"{each['passed']} of {each['planned']} ({each['pass_rate']:.1%})",
                        f"{each['low']:.1%} to {each['high']:.1%}",
                        "" if each["base_pass_rate"] is None else f"{each['base_pass_rate']:.1%}",
                        each["evaluation"],
                    )
                    for each in results
                ],
            )
            if results
            else f"It was not measured yet: python -m lamsim_core evaluate --model {adapter.base} --model {adapter.name}",
        ],
    )


def _results(settings: Settings, adapter: Adapter) -> list[dict[str, Any]]:
    from lamsim_core.store import Store
    from lamsim_core.train.measured import measured

    with Store(settings) as store:
        store.index.sync()
        found = measured(store.index, (adapter.id,), adapter.base)
    return [
        {
            "evaluation": each.evaluation.id,
            "split": each.evaluation.split,
            "tried_on": each.attempts,
            "policy": each.row.policy.label,
            **each.row.model_dump(include={"passed", "planned", "pass_rate", "low", "high", "errors_per_100"}),
            "base_pass_rate": None if each.base is None else each.base.pass_rate,
            "comparison": None if each.comparison is None else each.comparison.model_dump(mode="json"),
        }
        for each in found
    ]


def export(name: Named, folder: Target) -> Report:
    """Write an adapter as a folder that PEFT and transformers load without this product."""
    from lamsim_core.train.handing_on import export_folder

    files = export_folder(get_settings(), name, folder)
    return Report(
        {"adapter": name, "folder": str(folder.absolute()), "files": files},
        [f"{name} is in {folder.absolute()}: {', '.join(files)}. Its README says how to load it."],
    )


def keep(job: Annotated[str, typer.Argument(metavar="JOB", help="A training job that was stopped.")]) -> Report:
    """Make an adapter of what a stopped training has learnt so far; the training ends with it."""
    from lamsim_core.train.job import keep as keep_learnt

    adapter = keep_learnt(get_settings(), job)
    steps, planned = adapter.metrics["steps"], adapter.metrics["steps_planned"]
    return Report(
        adapter.model_dump(mode="json"),
        [f"{adapter.name} ({adapter.id}) is what was learnt in {steps:.0f} of {planned:.0f} steps."],
    )


def merge(
    name: Named,
    folder: Target,
    precision: Annotated[
        Literal["bf16", "fp32"], typer.Option("--precision", help="How the merged weights are written.")
    ] = "bf16",
) -> Report:
    """Write base and adapter as one model of its own, then read it back and compare."""
    from lamsim_core.models.registry import find_adapter
    from lamsim_core.train.handing_on import new_folder

    settings = get_settings()
    adapter = find_adapter(settings, name)[1]  # now, not after a job was begun
    params = {"model": name, "precision": precision, "folder": str(new_folder(folder))}
    job, result = run_in_foreground(settings, "merge", params, f"Merge {adapter.name} into {adapter.base}")
    return Report(
        {"job": job, **result},
        [
            f"{adapter.base} with {adapter.name} is in {result['folder']} ({result['bytes'] / 1e6:,.0f} MB).",
            f"Read back, it finds the same next token likeliest at {result['same']:.1%} of the places of a text; no chance "
            f"of a token differs by more than {result['farthest']:.4f}.",
        ],
    )


def delete(
    name: Named, yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is really meant.")] = False
) -> Report:
    """Delete an adapter that was trained here. What it did stays in the store."""
    from lamsim_core.train.removal import delete_adapter, why_not_delete

    settings = get_settings()
    if (why_not := why_not_delete(settings, name)) is not None:
        raise InvalidInputError(why_not)
    if not yes and not typer.confirm(f"Delete the adapter {name}? Its weights are gone then.", err=True):
        return Report({"deleted": None}, ["Nothing was deleted."])
    adapter = delete_adapter(settings, name)
    return Report({"deleted": adapter.id, "name": adapter.name}, [f"{adapter.name} ({adapter.id}) is deleted."])


def ship(
    name: Named,
    new_name: Annotated[str, typer.Option("--as", help="What it is called in the product.")],
    remarks: Annotated[
        Path | None, typer.Option("--remarks", help="A Markdown file with more on how it acts, for its card.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the one of that name.")] = False,
) -> Report:
    """Make a trained adapter part of the product: write its folder into data/models, weights in 16 bits."""
    from lamsim_core.models.registry import find_adapter, shipped_folder
    from lamsim_core.store import Store
    from lamsim_core.train import shipping
    from lamsim_core.train.measured import measured

    settings = get_settings()
    said = "" if remarks is None else remarks.read_text(encoding="utf-8")
    trained = find_adapter(settings, name)[1]
    ids = shipping.ids_of(shipped_folder(settings) / new_name, trained)
    with Store(settings) as store:
        store.index.sync()
        results = measured(store.index, ids, trained.base)
    folder, adapter = shipping.ship(settings, name, new_name, results, remarks=said, replace=replace)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Report(
        {"adapter": adapter.id, "name": adapter.name, "folder": str(folder), "bytes": size, "results": len(results)},
        [
            f"{trained.name} is shipped as {adapter.name}: {folder}, {size / 1e6:.1f} MB.",
            f"Its card states {len(results)} results of evaluations.",
        ],
    )
