"""The command that measures a model on the Berkeley Function Calling Leaderboard, and proves that it measures rightly."""

from typing import Annotated

import typer

from lamsim_core.settings import Settings, get_settings
from lamsim_core.shell.foreground import progress_bar, run_in_foreground
from lamsim_core.shell.output import FAILED, Report, Table, command, say
from lamsim_core.shell.runs import Batch, Constrained, Quantisation


def register(app: typer.Typer) -> None:
    """Add the command to the shell."""
    command(app, "bfcl")(bfcl)


def bfcl(
    model: Annotated[str | None, typer.Option("--model", help="A model, or noop.")] = None,
    category: Annotated[
        list[str] | None,
        typer.Option("--category", help="A category or a group; may be given again. By default non_live."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Tasks of each category at most, evenly spread.")
    ] = None,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, max=4096, help="Tokens a model may write in one reply.")
    ] = 400,
    constrained: Constrained = False,
    quantisation: Quantisation = None,
    batch: Batch = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Measure nothing; prove that the rules are the official ones.")
    ] = False,
    every: Annotated[int, typer.Option("--every", min=1, help="With --self-test: one task of so many.")] = 1,
) -> Report:
    """Measure a model on BFCL v4, a benchmark from outside. Its tasks never enter training."""
    settings = get_settings()
    if self_test:
        return _self_test(settings, every)
    if model is None:
        raise typer.BadParameter("give --model, or --self-test.")
    from lamsim_core.evaluate.bfcl.categories import expand
    from lamsim_core.evaluate.bfcl.job import read_report

    wanted = tuple(category or ("non_live",))
    try:
        expand(wanted)
    except ValueError as error:
        raise typer.BadParameter(f"--category: {error}.") from error
    params = {
        "model": model,
        "categories": list(wanted),
        "limit": limit,
        "max_new_tokens": max_new_tokens,
        "constrained": constrained,
        "quantisation": quantisation,
        **({} if batch is None else {"batch": batch}),
    }
    job, _ = run_in_foreground(settings, "bfcl", params, f"BFCL: {model} on {', '.join(wanted)}")
    report = read_report(settings, job)
    rows = [
        (
            row.category,
            f"{row.passed} of {row.planned}" + ("" if row.planned == row.size else f" (of {row.size})"),
            f"{row.rate:.1%}",
            f"{row.low:.1%} to {row.high:.1%}",
            f"{row.seconds:.0f}",
            ", ".join(f"{kind} {count}" for kind, count in row.errors.items()),
        )
        for row in report.categories
    ]
    broken = sum(row.passed_broken for row in report.categories)
    free = sum(row.free for row in report.categories)
    return Report(
        {"job": job, **report.model_dump(mode="json")},
        [
            Table(("category", "passed", "rate", "95 % interval", "seconds", "what is wrong"), rows),
            *([f"{broken} passed by a call that could not be read, which counts as none."] if broken else []),
            *(
                [f"{free} were asked freely, because the schema of a function does not allow to constrain it."]
                if free
                else []
            ),
            f"{report.package}, job {job}.",
        ],
    )


def _self_test(settings: Settings, every: int) -> Report:
    from lamsim_core.evaluate.bfcl.pack import REQUIREMENT, ensure_pack
    from lamsim_core.evaluate.bfcl.proof import prove_rules, prove_turns

    pack = ensure_pack(settings, say)
    with progress_bar("Rules for calls") as update:
        calls = prove_rules(pack, every=every, on_progress=update)
    with progress_bar("Rules for conversations") as update:
        turns = prove_turns(pack, every=every, on_progress=update)
    ok = calls.ok and turns.ok
    compared = calls.answers - calls.broke
    return Report(
        {
            "ok": ok,
            "package": REQUIREMENT,
            "rules": calls.model_dump(mode="json"),
            "turns": turns.model_dump(mode="json"),
        },
        [
            f"Calls: {calls.answers:,} answers to {calls.tasks:,} tasks, judged by our rules and by the official checker. "
            f"{calls.agreed:,} of {compared:,} verdicts are the same, kind of fault included "
            f"({calls.agreed / compared if compared else 0:.2%}); {calls.passed:,} answers are right. "
            f"{calls.right:,} of {calls.tasks:,} answers made of the first accepted values pass by both.",
            f"The official checker broke down on {calls.broke:,} answers; these are wrong by ours.",
            Table(("fault found by the official checker", "answers"), list(calls.faults.items())),
            f"Conversations: {turns.gold_passed:,} of {turns.tasks:,} references pass; doing nothing passes "
            f"{turns.nothing_passed:,}; with one call left out {turns.caught:,} of {turns.dropped:,} fail, {turns.spared:,} "
            "do not because the call changes nothing and its result was seen otherwise, "
            f"{turns.missed:,} for no such reason.",
            *calls.examples,
            *turns.examples,
            "Everything is as it has to be." if ok else "Something is wrong.",
        ],
        0 if ok else FAILED,
    )
