"""The command that tries every task template: what must pass passes, what must fail fails."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from lamsim_core.settings import get_settings
from lamsim_core.shell.catalog import Category, Template, chosen_templates
from lamsim_core.shell.foreground import progress_bar
from lamsim_core.shell.output import FAILED, Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    command(app, "verify")(verify)


def verify(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Instances of each template to try.")] = 20,
    template: Template = None,
    category: Category = None,
    walks: Annotated[int, typer.Option("--walks", min=0, help="Random walks through each instance.")] = 2,
) -> Report:
    """Hold every task template to its contracts: what must pass passes, what must fail fails, nothing leaks."""
    from lamsim_core.explore.walks import random_walks
    from lamsim_core.tasks import verify_template
    from lamsim_core.tasks.template import parse_templates
    from lamsim_core.tasks.verify import PROBES
    from lamsim_core.tools import categories
    from lamsim_core.tools.held_out import split_rules

    settings = get_settings()
    known = {}
    for owner in categories().values():
        # Not load_templates, which refuses them all because of one that is unfair: here each gets its report.
        text = (settings.data / owner.name / "tasks.yaml").read_text(encoding="utf-8")
        known.update({each.id: each for each in parse_templates(text, f"{owner.name}/tasks.yaml", owner)})
    chosen = chosen_templates(known, template, category)
    first_held_out = split_rules().train_seeds
    tried = (*range((seeds + 1) // 2), *range(first_held_out, first_held_out + seeds // 2))
    reports, walked = [], {}
    with progress_bar("Verifying") as update:
        for number, each in enumerate(chosen):
            update(number, len(chosen), each.id)
            reports.append(verify_template(each, tried))
            if not reports[-1].problems:
                walked[each.id] = random_walks(each, tried, walks)
    steps_needed = [name for name in walked if known[name].solve]
    totals: dict[str, Any] = {
        "templates": len(reports),
        "seeds": sum(report.seeds for report in reports),
        **{
            probe: {part: sum(getattr(r.probes[probe], part) for r in reports) for part in ("tried", "held")}
            for probe in PROBES
        },
        "random_walks": _walked(walked, steps_needed, len(tried) * walks),
        "random_walks_without_reference": _walked(
            walked, [name for name in walked if name not in steps_needed], len(tried) * walks
        ),
        "problems": sum(len(report.problems) for report in reports),
    }
    rows = [
        (
            r.template,
            r.seeds,
            *(f"{r.probes[p].held} of {r.probes[p].tried}" for p in PROBES),
            f"{walked.get(r.template, 0)} of {len(tried) * walks}",
            len(r.problems),
        )
        for r in reports
    ]
    titles = [probe.replace("_", " ") for probe in PROBES]
    problems = [f"{report.template}: {problem}" for report in reports for problem in report.problems]
    return Report(
        {
            "ok": not problems,
            "totals": totals,
            "templates": [
                {**report.model_dump(mode="json"), "random_walks_passed": walked.get(report.template)}
                for report in reports
            ],
        },
        [
            Table(
                (
                    "template",
                    "instances",
                    *titles,
                    "random walks passed",
                    "problems",
                ),
                rows,
            ),
            *problems,
            f"{totals['templates']} templates, {totals['seeds']} instances: "
            + (f"{len(problems)} problems." if problems else "every contract holds."),
        ],
        FAILED if problems else 0,
    )


def _walked(walked: Mapping[str, int], names: Sequence[str], each: int) -> dict[str, int]:
    return {"tried": len(names) * each, "passed": sum(walked[name] for name in names)}
