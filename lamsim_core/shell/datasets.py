"""Commands about datasets: freeze one from what is stored, list and compare them, make one again, hand one on."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from lamsim_core.curate.export import Form
from lamsim_core.curate.rules import selection_of, shares_of, shortage
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Dataset, DatasetKind, HeldOutSplit, Keep, Preset, Weigh
from lamsim_core.settings import get_settings
from lamsim_core.shell.catalog import Category, Template
from lamsim_core.shell.output import FAILED, Report, Table, command

Named = Annotated[str, typer.Argument(metavar="ID", help="Id of the dataset, or its name for the newest of that name.")]

ROWS: dict[DatasetKind, str] = {"sft": "rows", "preference": "preference pairs", "labels": "labels"}
"""What the rows of a dataset are called."""


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    group = typer.Typer(help="Freeze, list and export datasets.", no_args_is_help=True)
    app.add_typer(group, name="dataset")
    command(group, "create")(create)
    command(group, "list")(list_all)
    command(group, "export")(export_one)
    command(group, "rebuild")(rebuild_one)
    command(group, "diff")(compare)
    command(group, "pairs")(pairs)


def create(
    name: Annotated[str, typer.Option("--name", help="What the dataset is called.")],
    preset: Annotated[
        Preset | None, typer.Option("--preset", help="Fill in what no other option says: balanced.")
    ] = None,
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
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only tasks that demand this; may be given again.")
    ] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option("--outcome", help="Only attempts with this outcome, in place of passed ones; may be given again."),
    ] = None,
    origin: Annotated[list[str] | None, typer.Option("--origin", help="Only plain or only forked attempts.")] = None,
    since: Annotated[
        str, typer.Option("--since", help="Only attempts made then or later: 2026-11-24, or with a time.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Only attempts made before then.")] = "",
    min_steps: Annotated[int | None, typer.Option("--min-steps", min=0, help="Steps an attempt has at least.")] = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", min=0, help="Steps an attempt has at most.")] = None,
    looks: Annotated[
        Literal["any", "plain", "varied"],
        typer.Option("--looks", help="Only tools that look as they are (plain), or only renamed ones (varied)."),
    ] = "any",
    min_tools: Annotated[int | None, typer.Option("--min-tools", min=0, help="Tools offered at least.")] = None,
    max_tools: Annotated[int | None, typer.Option("--max-tools", min=0, help="Tools offered at most.")] = None,
    sql: Annotated[str, typer.Option("--sql", help="Only ids this SELECT over attempts and actions returns.")] = "",
    include: Annotated[list[str] | None, typer.Option("--include", help="Let this id in; may be given again.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Keep this id out; may be given again.")
    ] = None,
    keep: Annotated[Keep, typer.Option("--keep", help="Which come first where not all can be kept.")] = "newest",
    seed: Annotated[int, typer.Option("--seed", help="For --keep seeded.")] = 0,
    alike: Annotated[
        float | None,
        typer.Option("--alike", min=0.01, max=1, help="Drop near-duplicates that share this part of their words."),
    ] = None,
    share: Annotated[
        list[str] | None, typer.Option("--share", help="Part of the dataset of a category, as calendar=0.3.")
    ] = None,
    kind_share: Annotated[
        list[str] | None, typer.Option("--kind-share", help="Part of the dataset of a kind, as lookup=0.5.")
    ] = None,
    policy_share: Annotated[
        list[str] | None,
        typer.Option(
            "--policy-share", help="Part of the dataset of a model or policy, as gold=0.5; the others share the rest."
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", min=1, help="At most so many rows in all: shares are kept, templates take turns."),
    ] = None,
    weigh: Annotated[
        Weigh, typer.Option("--weigh", help="Train on what was verified, or on all the agent said (UNFILTERED).")
    ] = "verified",
    spare_tools: Annotated[
        int | None,
        typer.Option("--spare-tools", min=0, help="Show the needed tools and up to so many others; all without it."),
    ] = None,
    share_tools: Annotated[
        int | None,
        typer.Option(
            "--share-tools",
            min=2,
            help="Up to so many attempts in one world show the same tools: read once in training.",
        ),
    ] = None,
    outside: Annotated[
        list[Path] | None,
        typer.Option("--outside", help="A file of texts and tools that must not be in it; may be given again."),
    ] = None,
    decontaminate: Annotated[
        bool, typer.Option(help="Leave out what shares requests, words or tools with held-out tasks.")
    ] = True,
    make: Annotated[
        DatasetKind, typer.Option("--make", help="What a row is: a whole attempt, a preference pair or a label.")
    ] = "sft",
    pair_kind: Annotated[
        list[str] | None, typer.Option("--pair-kind", help="Only pairs of this kind; may be given again.")
    ] = None,
    max_per_pair_kind: Annotated[
        int | None, typer.Option("--max-per-pair-kind", min=1, help="At most so many pairs of each kind.")
    ] = None,
    balance: Annotated[
        float, typer.Option("--balance", help="Most labels of the more frequent one for each of the other; 0 for any.")
    ] = 1.0,
) -> Report:
    """Freeze what fits into a dataset version: attempts, preference pairs or labels. Held-out tasks never enter."""
    from lamsim_core.curate.datasets import freeze, keep_outside, read_outside
    from lamsim_core.curate.presets import fill_in
    from lamsim_core.curate.select import funnel
    from lamsim_core.store import Store

    settings = get_settings()
    selection = selection_of(
        passed_only=not also_failed,
        kinds=tuple(kind or ()),
        outcomes=tuple(outcome or ()),
        origins=tuple(origin or ()),
        since=since,
        until=until,
        min_steps=min_steps,
        max_steps=max_steps,
        looks=looks,
        min_tools=min_tools,
        max_tools=max_tools,
        sql=sql,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        keep=keep,
        seed=seed,
        alike=alike,
        category_shares=shares_of(share or ()),
        kind_shares=shares_of(kind_share or ()),
        policy_shares=shares_of(policy_share or (), as_written=True),
        rows=rows,
        weigh=weigh,
        spare_tools=spare_tools,
        share_tools=share_tools,
        outside=tuple(keep_outside(settings, read_outside(path)) for path in outside or ()),
        decontaminate=get_args(HeldOutSplit) if decontaminate else (),
        decisions=("accept",) if accepted_only else ("accept", "undecided"),
        policies=tuple(policy or ()),
        categories=tuple(category or ()),
        templates=tuple(template or ()),
        runs=tuple(run or ()),
        tags=tuple(tag or ()),
        max_per_template=max_per_template,
        max_errors=None if any_errors else max_errors,
        pair_kinds=tuple(pair_kind or ()),
        max_per_pair_kind=max_per_pair_kind,
        label_balance=balance or None,
    )
    says: tuple[str, ...] = ()
    with Store(settings) as store:
        if preset is not None:
            if make != "sft":
                raise InvalidInputError("A preset chooses whole attempts; pairs and labels have rules of their own.")
            selection, says = fill_in(preset, store, selection)
        dataset = freeze(store, name, selection, kind=make)
    stages = funnel(len(dataset.members), dataset.counts["left_out"])
    missing = shortage(selection, dataset.rows)
    groups = dataset.counts.get("pair") or dataset.counts.get("label") or {}
    dropped = dataset.counts.get("dropped", {})
    counted = {"groups": groups, "dropped": dropped} if make != "sft" else {}
    left_out = _listed(dataset.counts["left_out"])
    return Report(
        {
            "dataset": dataset.id,
            **_summary(dataset),
            **counted,
            "left_out": dataset.counts["left_out"],
            "stages": stages,
            "shortage": missing,
            "preset": {"name": preset, "says": says},
        },
        [
            f"{dataset.name}: {dataset.rows} {ROWS[make]} frozen as {dataset.id} (hash {dataset.hash}).",
            *([f"Of these: {_listed(groups)}. Found and not taken: {_listed(dropped) or 'none'}."] if counted else []),
            f"Left after each stage: {', '.join(f'{number} {stage}' for stage, number in stages.items())}.",
            f"Left out: {left_out or 'nothing'}.",
            *says,
            *([missing] if missing else []),
            *(["UNFILTERED: everything the agent said is trained on, failed or not."] if weigh == "all" else []),
        ],
    )


def list_all() -> Report:
    """List the datasets, the newest first; exit code 1 when a folder is damaged."""
    from lamsim_core.curate.datasets import list_datasets

    datasets, problems = list_datasets(get_settings())
    rows = [(each.id, each.name, each.kind, each.rows, each.created, each.hash) for each in datasets]
    return Report(
        {"datasets": [{"dataset": each.id, **_summary(each)} for each in datasets], "problems": problems},
        [
            Table(("id", "name", "kind", "rows", "created", "hash"), rows) if rows else "There are no datasets yet.",
            *problems,
        ],
        FAILED if problems else 0,
    )


def export_one(
    dataset: Named,
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


def rebuild_one(
    dataset: Named,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare, freeze nothing; exit code 1 when it differs.")
    ] = False,
) -> Report:
    """Make a dataset again from its card: --check compares with what was frozen, without it a new version is frozen."""
    from lamsim_core.curate.datasets import find_dataset, freeze, rebuild
    from lamsim_core.store import Store

    settings = get_settings()
    found = find_dataset(settings, dataset)
    with Store(settings) as store:
        if not check:
            made = freeze(store, found.name, found.selection, kind=found.kind)
            return Report(
                {"dataset": made.id, **_summary(made)},
                [f"{made.name}: {made.rows} rows frozen as {made.id} by the rules of {found.id} (hash {made.hash})."],
            )
        again = rebuild(store, found)
    if again.same:
        says = f"{found.name} ({found.id}) is the same when made again: {again.rows} rows, hash {again.hash}."
    elif again.differences.none:
        says = f"{found.name} ({found.id}) has the same members but other rows: judged anew, or made otherwise."
    else:
        says = f"{found.name} ({found.id}) is not the same when made again from its card and this store."
    changes = _changes(again.differences.came, again.differences.went)
    return Report(again.model_dump(mode="json"), [says, *changes], 0 if again.same else FAILED)


def compare(
    dataset: Named,
    other: Annotated[str, typer.Option("--with", help="The version to compare with; its parent when not given.")] = "",
) -> Report:
    """Say what came into a dataset and what went out since an earlier version, by rule."""
    from lamsim_core.curate.datasets import differences, find_dataset, get_dataset

    settings = get_settings()
    found = find_dataset(settings, dataset)
    if not other and found.parent is None:
        raise InvalidInputError(f"{found.name} ({found.id}) has no earlier version. Name one: --with ID.")
    before = find_dataset(settings, other) if other else get_dataset(settings, str(found.parent))
    diff = differences(settings, found, before)
    rules = [f"Rule changed, {name}: {old} > {new}." for name, (old, new) in diff.rules.items()]
    return Report(
        {"dataset": found.id, "before": before.id, **diff.model_dump(mode="json")},
        [
            f"From {before.id} ({before.rows} rows) to {found.id} ({found.rows} rows): {diff.same} in both.",
            *rules,
            *_changes(diff.came, diff.went),
        ],
    )


def pairs(
    dataset: Named,
    check: Annotated[
        bool, typer.Option("--check", help="Replay each one; exit code 1 when one does not hold.")
    ] = False,
) -> Report:
    """Count the preference pairs or labels of a dataset; --check replays each in a fresh world and judges it again."""
    from lamsim_core.curate.datasets import find_dataset, verify
    from lamsim_core.store import Store

    settings = get_settings()
    found = find_dataset(settings, dataset)
    groups = found.counts.get("pair") or found.counts.get("label") or {}
    if not check:
        if found.kind == "sft":
            raise InvalidInputError(f"{found.name} ({found.id}) holds whole attempts, not pairs or labels.")
        says = f"{found.name} ({found.id}): {found.rows} {ROWS[found.kind]}, {_listed(groups)}."
        return Report({"dataset": found.id, "kind": found.kind, "rows": found.rows, "groups": groups}, [says])
    with Store(settings) as store:
        done = verify(store, found)
    says = f"{done.held} of {done.checked} {ROWS[found.kind]} of {found.name} ({found.id}) hold when replayed: "
    wrong = [f"Row {each.row}: {each.problem}" for each in done.wrong]
    code = FAILED if done.wrong else 0
    return Report(done.model_dump(mode="json"), [f"{says}{_listed(done.by_group) or 'none'}.", *wrong], code)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _changes(came: dict[str, tuple[str, ...]], went: dict[str, tuple[str, ...]]) -> list[str]:
    """What came in and went out, by rule."""
    return [
        *(f"Came in: {len(ids)}, before that {reason}." for reason, ids in came.items()),
        *(f"Went out: {len(ids)}, {reason}." for reason, ids in went.items()),
    ]


def _summary(dataset: Dataset) -> dict[str, object]:
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "rows": dataset.rows,
        "hash": dataset.hash,
        "created": dataset.created,
        "parent": dataset.parent,
    }
