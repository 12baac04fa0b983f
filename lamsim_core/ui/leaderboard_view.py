"""Every model measured so far, as one table on the Evaluate page."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st

from lamsim_core.errors import NotFoundError
from lamsim_core.evaluate.bfcl.job import read_report
from lamsim_core.evaluate.leaderboard import Outside, Standing, leaderboard
from lamsim_core.records import Evaluation, PolicyInfo, Split
from lamsim_core.tasks import SPLITS
from lamsim_core.ui.draw import clean
from lamsim_core.ui.evaluation_view import show_evaluation
from lamsim_core.ui.jobs import Jobs
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import button_column
from lamsim_core.ui.terms import policy_title
from lamsim_core.ui.wording import DASH, SPLIT_NAMES, moment, number, percent


def benchmark_of(studio: Studio, runs: Jobs) -> list[tuple[PolicyInfo, Outside]]:
    """Whom finished runs of the benchmark measured and what passed in all, the newest first."""
    found = []
    for job, status in runs:
        if status.state == "done":
            try:
                report = read_report(studio.settings, job.id)
            except NotFoundError:  # its folder is damaged; the list of runs says more
                continue
            passed, planned = (sum(getattr(each, name) for each in report.categories) for name in ("passed", "planned"))
            found.append((report.policy, Outside(passed, planned)))
    return found


def draw_leaderboard(evaluations: Sequence[Evaluation], benchmark: Sequence[tuple[PolicyInfo, Outside]]) -> None:
    """The table; nothing before two models were measured."""
    standings = leaderboard(evaluations, benchmark)
    if len(standings) < 2:
        return
    st.subheader("Every model measured so far", anchor=False)
    splits = [split for split in SPLITS if any(split in each.splits for each in standings)]
    names = Counter(each.policy.label for each in standings)
    rate = st.column_config.ProgressColumn
    st.dataframe(
        [_row(each, splits, twin=names[each.policy.label] > 1, outside=bool(benchmark)) for each in standings],
        key="leaderboard",
        hide_index=True,
        column_config={
            "Model": st.column_config.TextColumn("Model", pinned=True),
            **{
                SPLIT_NAMES[split]: rate(SPLIT_NAMES[split], min_value=0, max_value=100, format="%.1f %%", width=130)
                for split in splits
            },
            "Tasks": st.column_config.TextColumn("Tasks", help="How many of each, in the order of the columns."),
            "Mistakes / 100": st.column_config.TextColumn("Mistakes / 100", alignment="right"),
            "Show": button_column(
                "leaderboard.show", lambda place: show_evaluation(standings[place].newest.evaluation)
            ),
        },
        alt="; ".join(f"{clean(policy_title(each.policy))} {percent(each.mean)}" for each in standings),
    )
    st.caption(
        "The newest measurement of each model on each split; the best on average first. Few tasks give a rough number, and "
        "different evaluations may have different tasks: only within one is a comparison fair."
    )


def _row(standing: Standing, splits: Sequence[Split], *, twin: bool, outside: bool) -> dict[str, Any]:
    found = [standing.splits.get(split) for split in splits]
    sizes = [each.row.planned if each else None for each in found]
    told = {str(size) for size in sizes if size is not None}
    same = f"{told.pop()} each" if len(told) == 1 and None not in sizes else None
    named = standing.policy.label
    if twin and standing.policy.adapter_hash:
        named = f"{named} ({standing.policy.adapter_hash[:6]})"
    beside = standing.outside
    return {
        "Show": ":material/visibility:",
        "Model": clean(named),
        **{
            SPLIT_NAMES[split]: 100 * each.row.pass_rate if each else None
            for split, each in zip(splits, found, strict=True)
        },
        "Tasks": same or ", ".join(DASH if size is None else f"{size:,}" for size in sizes),
        "Mistakes / 100": number(standing.errors_per_100),
        **({"BFCL": f"{percent(beside.rate, 1)} of {beside.planned:,}" if beside else DASH} if outside else {}),
        "Measured": moment(standing.newest.created),
    }
