"""How policies did over time, run by run, before and after training."""

from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st

from lamsim_core.store.progress import PolicyProgress, RunResult
from lamsim_core.ui.charts import draw_chart
from lamsim_core.ui.curves import Track, over_time
from lamsim_core.ui.draw import clean
from lamsim_core.ui.terms import policy_name
from lamsim_core.ui.wording import DASH, SPLIT_NAMES, amount, local_time, moment, number
from lamsim_core.ui.wording import percent as share


def draw_progress(policies: Sequence[PolicyProgress]) -> None:
    """A table of the policies, an adapter after its base, and two charts of their runs."""
    st.subheader("Before and after training", anchor=False)
    st.dataframe(
        [_row(each) for each in policies],
        hide_index=True,
        height="content",
        alt="Policies in the order in which they first acted, an adapter after its base",
        column_config={
            "Passed, training tasks": st.column_config.TextColumn(alignment="right"),
            "Passed, held-out tasks": st.column_config.TextColumn(alignment="right"),
            "Failed actions / 100": st.column_config.TextColumn(
                help="Actions with a mistake that is held against the agent, per 100 actions.", alignment="right"
            ),
        },
    )
    events = {
        f"{policy_name(each.policy)} trained": when
        for each in policies
        if each.trained and (when := local_time(each.trained)) is not None
    }
    left, right = st.columns(2)
    with left:
        _draw_runs(policies, events, lambda run: 100 * run.pass_rate, "Attempts that passed", "insight.passed")
    with right:
        _draw_runs(
            policies,
            events,
            lambda run: run.failed_per_hundred,
            "Failed actions per 100",
            "insight.failed",
            percent=False,
        )
    st.caption(
        "One mark for each run, an exploration or an evaluation; the larger, the more attempts. Outlines: training tasks; "
        "filled: tasks held out from training. Upright lines: when an adapter was made. Different runs have different tasks, "
        "so only an evaluation compares policies fairly."
    )


def _draw_runs(
    policies: Sequence[PolicyProgress],
    events: dict[str, datetime],
    measure: Callable[[RunResult], float | None],
    title: str,
    key: str,
    percent: bool = True,
) -> None:
    unit = " %" if percent else ""
    tracks = [_track(each, measure, unit) for each in policies]
    said = "; ".join(f"{policy_name(t.name)}: {t.values[-1]:.0f}{unit}" for t in tracks if t.values)
    st.markdown(f"**{title}**")
    draw_chart(over_time(tracks, events, percent=percent), key=key, alt=f"{title}, at last: {said}")


def _track(each: PolicyProgress, measure: Callable[[RunResult], float | None], unit: str) -> Track:
    measured = [
        (run, when, value)
        for run in each.runs
        if (value := measure(run)) is not None and (when := local_time(run.first)) is not None
    ]
    return Track(
        name=policy_name(each.policy),
        times=[when for _, when, _ in measured],
        values=[value for *_, value in measured],
        amounts=[run.attempts for run, *_ in measured],
        told=[f"{value:.1f}{unit}, {_told(run)}" for run, _, value in measured],
        hollow=[_in_training(run) for run, *_ in measured],
    )


def _told(run: RunResult) -> str:
    splits = ", ".join(SPLIT_NAMES[split] for split in run.splits).lower()
    passed = f"{run.passed:,} of {amount(run.attempts, 'attempt')} passed"
    wrong = f"{run.failed_actions:,} of {amount(run.actions, 'action')} failed"
    return (
        f"{'evaluation' if run.evaluation else 'exploration'}, {splits}<br>{passed}<br>{wrong}<br>{moment(run.first)}"
    )


def _row(each: PolicyProgress) -> dict[str, object]:
    actions = sum(run.actions for run in each.runs)
    failed = sum(run.failed_actions for run in each.runs)
    return {
        "Policy": clean(policy_name(each.policy)),
        "Trained on": clean(each.base) if each.base else DASH,
        "First acted": moment(each.first),
        "Runs": len(each.runs),
        "Attempts": sum(run.attempts for run in each.runs),
        "Passed, training tasks": _passed([run for run in each.runs if _in_training(run)]),
        "Passed, held-out tasks": _passed([run for run in each.runs if not _in_training(run)]),
        "Failed actions / 100": number(100 * failed / actions if actions else None),
    }


def _in_training(run: RunResult) -> bool:
    """Whether its tasks may be learned from, so that passing them shows less."""
    return "train" in run.splits


def _passed(runs: Sequence[RunResult]) -> str:
    attempts, passed = sum(run.attempts for run in runs), sum(run.passed for run in runs)
    return f"{passed:,} of {attempts:,}, {share(passed / attempts)}" if attempts else DASH
