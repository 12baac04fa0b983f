"""Commands about second looks: judge what is stored again, how far people agree with the checks, disagreements as cases."""

from pathlib import Path
from typing import Annotated

import typer

from lamsim_core.settings import get_settings
from lamsim_core.shell.foreground import run_in_foreground
from lamsim_core.shell.output import FAILED, Report, Table, command


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    command(app, "rescore")(rescore)
    group = typer.Typer(help="What people say of the checks' verdicts.", no_args_is_help=True)
    app.add_typer(group, name="review")
    command(group, "agreement")(agreement)
    command(group, "cases")(cases)
    command(group, "replay")(replay)


def rescore(
    run: Annotated[
        list[str] | None, typer.Option("--run", help="Only attempts of this run; may be given again.")
    ] = None,
) -> Report:
    """Judge every stored attempt again by the checks of today. Old verdicts stay; what changed is told and kept."""
    from lamsim_core.store import Store
    from lamsim_core.store.rejudged import rescores

    settings = get_settings()
    job, result = run_in_foreground(settings, "rescore", {"runs": run or []}, "Judging again")
    with Store(settings) as store:
        store.index.sync()
        record = next(each for each in rescores(store.index) if each.id == result["rescore"])
    return Report(
        {"job": job, **record.model_dump(mode="json")},
        [
            Table(("outcome before and now", "attempts"), list(record.outcomes.items())),
            Table(
                ("check", "said", "says now", "verdicts"),
                [(change.check, change.before, change.after, change.count) for change in record.changes],
            ),
            f"{record.judged:,} attempts judged, {record.changed:,} of them differently, {record.unjudged:,} not possible.",
        ],
    )


def agreement() -> Report:
    """How far people agree with each check, and with each other."""
    from lamsim_core.review.agreement import between_reviewers, pace, with_checks
    from lamsim_core.store import Store
    from lamsim_core.store.rejudged import reviews

    with Store(get_settings()) as store:
        store.index.sync()
        found = reviews(store.index)
    rows, pairs, times = with_checks(found), between_reviewers(found), pace(found)
    shown = [
        (
            row.name,
            row.n,
            row.unsure,
            *(
                "" if share.value is None else f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}]"
                for share in (row.agreement, row.precision, row.recall)
            ),
            "" if row.kappa is None else f"{row.kappa:.2f}",
        )
        for row in [*rows, *pairs]
    ]
    seconds = "" if times.median_seconds is None else f", {times.median_seconds:.1f} s each (median)"
    return Report(
        {
            "checks": [row.model_dump(mode="json") for row in rows],
            "reviewers": [row.model_dump(mode="json") for row in pairs],
            "pace": times.model_dump(mode="json"),
        },
        [
            Table(("check", "verdicts", "unsure", "agreement", "precision", "recall", "kappa"), shown),
            f"{times.answers:,} answers{seconds}.",
        ],
    )


def cases(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the cases are written.")],
) -> Report:
    """Write every verdict people corrected, and nobody defends, as a regression case, one file each."""
    from lamsim_core.review.cases import export
    from lamsim_core.store import Store

    with Store(get_settings()) as store:
        store.index.sync()
        written = export(store.index, out)
    names = [path.name for path in written]
    return Report({"written": names}, [*names, f"{len(names)} new cases in {out}."])


def replay(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="A folder of cases.")],
) -> Report:
    """Judge regression cases by the checks of today; exit code 1 when one does not say what people settled."""
    from lamsim_core.review.cases import ENDING, read_case
    from lamsim_core.review.cases import replay as judge

    found = [judge(read_case(path)) for path in sorted(folder.glob(f"*{ENDING}"))]
    wrong = [each for each in found if not each.right]
    return Report(
        {"cases": [each.model_dump(mode="json") for each in found], "right": len(found) - len(wrong)},
        [
            Table(("case", "should say", "says"), [(each.case, each.wanted, each.says) for each in wrong]),
            f"{len(found) - len(wrong)} of {len(found)} cases are judged as people settled them.",
        ],
        FAILED if wrong else 0,
    )
