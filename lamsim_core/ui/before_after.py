"""Before and after training: what an evaluation says of two of its policies, over all tasks and split by split."""

import streamlit as st

from lamsim_core.evaluate.parts import compared, rows_of
from lamsim_core.records import Comparison, Evaluation, EvaluationRow
from lamsim_core.ui.draw import clean, label
from lamsim_core.ui.terms import policy_name, policy_title
from lamsim_core.ui.wording import DASH, SPLIT_NAMES, amount, number, p_value, percent, points


def draw_before_after(evaluation: Evaluation, before: EvaluationRow, after: EvaluationRow) -> None:
    """The answer: before and after over all tasks in three numbers and a sentence, then split by split."""
    found = compared(evaluation, before.policy.label, after.policy.label)
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
        if len(evaluation.parts) > 1:
            _by_split(evaluation, before.policy.label, after.policy.label)


def comparison_sentence(found: Comparison) -> str:
    """What a paired comparison says, in plain sentences."""
    first, second = clean(policy_name(found.first)), clean(policy_name(found.second))
    return (
        f"{amount(found.only_second, 'attempt')} passed only with {second}, {found.only_first:,} only with {first}; "
        f"{found.both:,} with both, {found.neither:,} with neither. Difference {points(found.difference)}, 95 % interval "
        f"{100 * found.low:+.1f} to {100 * found.high:+.1f}, {p_value(found.p_value)}. {found.sure}"
    )


def _by_split(evaluation: Evaluation, first: str, second: str) -> None:
    """A table of the splits, and of all together."""
    rows = []
    for split in (*evaluation.parts, None):
        by_name = {row.policy.label: row for row in rows_of(evaluation, split)}
        before, after = by_name[first], by_name[second]
        found = compared(evaluation, first, second, split)
        rows.append(
            {
                "Tasks": SPLIT_NAMES[split] if split else "All together",
                "Number": before.planned,
                clean(policy_title(before.policy)): _rate(before),
                clean(policy_title(after.policy)): _rate(after),
                "Difference": points(found.difference) if found else DASH,
                "95 % interval": f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if found else DASH,
                "p": p_value(found.p_value) if found else DASH,
                "Mistakes / 100": f"{number(before.errors_per_100)} → {number(after.errors_per_100)}",
            }
        )
    st.dataframe(
        rows,
        key=f"splits.{evaluation.id}.{second}",
        hide_index=True,
        height="content",
        column_config={"Tasks": st.column_config.TextColumn("Tasks", pinned=True)},
        alt=f"Before and after on each split: {clean(policy_name(first))} and {clean(policy_name(second))}",
    )


def _rate(row: EvaluationRow) -> str:
    return f"{percent(row.pass_rate, 1)} ({100 * row.low:.0f} – {100 * row.high:.0f})"
