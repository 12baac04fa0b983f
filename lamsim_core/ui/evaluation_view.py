"""The Evaluate page's second half: what an evaluation found."""

from collections.abc import Mapping, Sequence

import streamlit as st

from lamsim_core.evaluate.report import report
from lamsim_core.records import Comparison, Evaluation, EvaluationRow
from lamsim_core.ui.attempts import show_run
from lamsim_core.ui.charts import Rate, amount_groups, draw_chart, rate_groups, rate_intervals
from lamsim_core.ui.draw import chip, clean, label
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.tables import button_column
from lamsim_core.ui.terms import policy_name, policy_title
from lamsim_core.ui.wording import DASH, SPLIT_NAMES, amount, duration, moment, number, p_value, percent, points, spaced


def draw_evaluation(evaluation: Evaluation, reliability: Mapping[str, Sequence[float]]) -> None:
    """Everything about one evaluation, the answer first.

    Args:
        evaluation: the record.
        reliability: for each model pass^1, pass^2, ...; empty when it is not known.
    """
    _head(evaluation)
    models = [row for row in evaluation.rows if row.policy.kind == "model"]
    if len(models) > 1:
        for after in models[1:]:
            draw_before_after(evaluation, models[0], after)
    _table(evaluation, reliability)
    left, right = st.columns(2)
    with left:
        st.markdown("**Pass rate**")
        draw_chart(
            rate_intervals([_rate(row) for row in evaluation.rows]), key=f"rates.{evaluation.id}", alt=_said(evaluation)
        )
    with right:
        st.markdown("**Mistakes per 100 actions, by kind**")
        errors = {policy_title(row.policy): _per_hundred(row) for row in evaluation.rows}
        if any(errors.values()):
            draw_chart(
                amount_groups(errors, unit="Per 100 actions"), key=f"errors.{evaluation.id}", alt="Mistakes by kind"
            )
        else:
            st.caption("No action failed a check.")
    st.markdown("**Pass rate by category**")
    groups = {
        policy_title(row.policy): {name.capitalize(): count for name, count in row.by_category.items()}
        for row in evaluation.rows
    }
    draw_chart(rate_groups(groups), key=f"categories.{evaluation.id}", alt="Pass rates by category")
    if evaluation.comparisons:
        with st.expander("All pairs", icon=":material/compare_arrows:", type="compact"):
            _pairs(evaluation.comparisons)
    st.caption(
        "Every planned attempt counts; one that did not finish or could not be scored counts as not passed. Intervals: 95 % "
        "Wilson for rates, 95 % paired bootstrap over tasks for differences. p: exact McNemar test, two-sided."
    )


def _head(evaluation: Evaluation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(label(evaluation.name), anchor=False, width="content")
        st.download_button(
            "Report",
            data=lambda: report(evaluation),
            file_name=f"{evaluation.id}.md",
            mime="text/markdown",
            key=f"report.{evaluation.id}",
            icon=":material/download:",
            on_click="ignore",
        )
    with st.container(horizontal=True, gap="xsmall"):
        held_out = evaluation.split != "train"
        chip(SPLIT_NAMES[evaluation.split], color="primary" if held_out else "orange", icon=":material/inventory_2:")
        chip(
            f"{amount(len(evaluation.task_keys), 'task')}, {amount(evaluation.attempts, 'attempt')} each",
            icon=":material/tag:",
        )
        chip(moment(evaluation.created), icon=":material/schedule:")
        chip(f"{duration(evaluation.seconds)} of agents at work", icon=":material/timer:")


def draw_before_after(evaluation: Evaluation, before: EvaluationRow, after: EvaluationRow) -> None:
    """The answer in three numbers and a sentence."""
    found = comparison_of(evaluation, before.policy.label, after.policy.label)
    with st.container(border=True):
        first, second, third = st.columns(3)
        first.metric(f"{label(policy_title(before.policy))} passes", percent(before.pass_rate, 1))
        second.metric(
            f"{label(policy_title(after.policy))} passes",
            percent(after.pass_rate, 1),
            delta=points(after.pass_rate - before.pass_rate),
            delta_color="normal" if after.pass_rate != before.pass_rate else "off",
        )
        fewer = None
        if before.errors_per_100 is not None and after.errors_per_100 is not None:
            fewer = f"{after.errors_per_100 - before.errors_per_100:+.1f} against {before.errors_per_100:.1f}"
        third.metric("Mistakes per 100 actions", number(after.errors_per_100), delta=fewer, delta_color="inverse")
        if found is not None:
            st.text(comparison_sentence(found))


def comparison_of(evaluation: Evaluation, first: str, second: str) -> Comparison | None:
    """The comparison of two policies by name, in this order."""
    return next((each for each in evaluation.comparisons if (each.first, each.second) == (first, second)), None)


def comparison_sentence(found: Comparison) -> str:
    """What a paired comparison says, in plain sentences."""
    first, second = clean(policy_name(found.first)), clean(policy_name(found.second))
    sure = (
        "The interval leaves out 0: this is more than chance."
        if found.low > 0 or found.high < 0
        else "The interval holds 0: this may be chance."
    )
    return (
        f"{amount(found.only_second, 'attempt')} passed only with {second}, {found.only_first:,} only with {first}; "
        f"{found.both:,} with both, {found.neither:,} with neither. Difference {points(found.difference)}, 95 % interval "
        f"{100 * found.low:+.1f} to {100 * found.high:+.1f}, {p_value(found.p_value)}. {sure}"
    )


def _table(evaluation: Evaluation, reliability: Mapping[str, Sequence[float]]) -> None:
    rows = [
        {
            "Policy": clean(policy_title(row.policy)),
            "Pass rate": 100 * row.pass_rate,
            "95 % interval": f"{100 * row.low:.1f} – {100 * row.high:.1f}",
            "Passed": f"{row.passed:,} of {row.planned:,}",
            **_all_pass(evaluation, row, reliability),
            "Mistakes / 100": number(row.errors_per_100),
            "Each": duration(row.mean_seconds),
            "Attempts": ":material/route:",
        }
        for row in evaluation.rows
    ]

    st.dataframe(
        rows,
        key=f"rows.{evaluation.id}",
        hide_index=True,
        column_config={
            "Policy": st.column_config.TextColumn("Policy", pinned=True),
            "Pass rate": st.column_config.ProgressColumn("Pass rate", min_value=0, max_value=100, format="%.1f %%"),
            "Mistakes / 100": st.column_config.TextColumn(
                "Mistakes / 100", help="Actions that failed a check, per 100 actions.", alignment="right"
            ),
            "Each": st.column_config.TextColumn("Each", help="Mean time of an attempt.", alignment="right"),
            "Attempts": button_column(
                f"open.{evaluation.id}", lambda place: show_run(evaluation.rows[place].run), title="Attempts"
            ),
        },
        alt=_said(evaluation),
    )


def _all_pass(evaluation: Evaluation, row: EvaluationRow, reliability: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """How often all attempts at a task pass; a column only when there is more than one."""
    if evaluation.attempts < 2 or not reliability:
        return {}
    found = reliability.get(row.policy.label) or ()
    return {f"All {evaluation.attempts} pass": percent(found[-1], 1) if found else DASH}


def _pairs(comparisons: Sequence[Comparison]) -> None:
    rows = [
        {
            "First": clean(policy_name(each.first)),
            "Second": clean(policy_name(each.second)),
            "Only first": each.only_first,
            "Only second": each.only_second,
            "Both": each.both,
            "Neither": each.neither,
            "Second minus first": points(each.difference),
            "95 % interval": f"{100 * each.low:+.1f} to {100 * each.high:+.1f}",
            "p": p_value(each.p_value),
        }
        for each in comparisons
    ]
    st.dataframe(rows, hide_index=True, alt="Every pair of policies on the same attempts")


def _rate(row: EvaluationRow) -> Rate:
    return Rate(policy_title(row.policy), row.pass_rate, row.low, row.high, row.passed, row.planned)


def _per_hundred(row: EvaluationRow) -> dict[str, float]:
    return {spaced(kind): 100 * count / row.actions for kind, count in row.errors.items()} if row.actions else {}


def _said(evaluation: Evaluation) -> str:
    return "; ".join(f"{policy_title(row.policy)} passes {percent(row.pass_rate)}" for row in evaluation.rows)


def draw_evaluations(evaluations: Sequence[Evaluation], shown: str | None) -> None:
    """The other evaluations; a click shows one."""
    others = [evaluation for evaluation in evaluations if evaluation.id != shown]
    if not others:
        return
    st.subheader("Other evaluations", anchor=False)
    rows = [
        {
            "Show": ":material/visibility:",
            "Name": clean(each.name),
            "Tasks from": SPLIT_NAMES[each.split],
            "Tasks": len(each.task_keys),
            "Attempts": each.attempts,
            "Made": moment(each.created),
        }
        for each in others
    ]
    st.dataframe(
        rows,
        key="evaluations",
        hide_index=True,
        column_config={
            "Show": button_column("evaluations.show", lambda row: show_evaluation(others[row].id)),
            "Name": st.column_config.TextColumn("Name", width="medium"),
        },
        alt="Evaluations, the newest first",
    )


def show_evaluation(evaluation_id: str) -> None:
    """Make an evaluation the one the page shows."""
    st.query_params.pop("job", None)
    st.query_params["id"] = evaluation_id


def draw_none(studio: Studio) -> None:
    """Say what to do when nothing was evaluated yet."""
    st.info(
        "Nothing has been evaluated yet. Choose models and press **Evaluate**: all get the same held-out tasks with the "
        "same seeds, so the difference between them is the models'.",
        icon=":material/monitoring:",
    )
    if not any(studio.settings.adapters.glob("*/adapter.json")):
        link(
            "pages/6_Train.py", "Train an adapter first to see what training changes", icon=":material/model_training:"
        )
