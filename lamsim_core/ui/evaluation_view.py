"""The Evaluate page's second half: what an evaluation found."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from lamsim_core.evaluate.parts import is_model, rows_of
from lamsim_core.evaluate.report import report
from lamsim_core.models.registry import list_models
from lamsim_core.records import Comparison, Evaluation, EvaluationRow, Split, Trials
from lamsim_core.ui.attempts import show_run
from lamsim_core.ui.before_after import draw_before_after
from lamsim_core.ui.charts import Rate, amount_groups, draw_chart, rate_groups, rate_intervals
from lamsim_core.ui.draw import chip, clean, label
from lamsim_core.ui.flaky import draw_tasks_to_look_at
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.tables import button_column
from lamsim_core.ui.terms import category_title, policy_name, policy_title
from lamsim_core.ui.wording import DASH, SPLIT_NAMES, amount, duration, moment, number, p_value, percent, points, spaced


def draw_evaluation(studio: Studio, evaluation: Evaluation, reliability: Mapping[str, Sequence[float]]) -> None:
    """Everything about one evaluation, the answer first.

    Args:
        studio: the page's studio.
        evaluation: the record.
        reliability: for each model pass^1, pass^2, ...; empty when it is not known.
    """
    _head(evaluation)
    models = [row for row in rows_of(evaluation) if row.policy.kind == "model"]
    for after in models[1:]:
        draw_before_after(evaluation, models[0], after)
    split = _pick_part(evaluation)
    _draw_rows(evaluation, split, rows_of(evaluation, split), reliability if split is None else {})
    draw_tasks_to_look_at(studio, evaluation, split)
    comparisons = [each for each in evaluation.comparisons if split is None or each.split == split]
    if comparisons:
        with st.expander("All pairs", icon=":material/compare_arrows:", type="compact"):
            _pairs(comparisons)
    sampled = " For sampled attempts the interval is a bootstrap over tasks." if any(_sampled(evaluation)) else ""
    st.caption(
        "Every planned attempt counts; one that did not finish or could not be scored counts as not passed. Intervals: 95 % "
        f"Wilson for rates, 95 % paired bootstrap over tasks for differences. p: exact McNemar test, two-sided.{sampled}"
    )


def _sampled(evaluation: Evaluation) -> list[Trials]:
    return [row.trials for row in evaluation.rows if row.trials is not None]


def _pick_part(evaluation: Evaluation) -> Split | None:
    """Choose a split to look at, where there are several; None for all together."""
    if len(evaluation.parts) == 1:
        return None
    names: dict[str, str] = {"all": "All together", **{split: SPLIT_NAMES[split] for split in evaluation.parts}}
    chosen = st.segmented_control(
        "Tasks from",
        list(names),
        default="all",
        required=True,
        format_func=names.__getitem__,
        key=f"part.{evaluation.id}",
        label_visibility="collapsed",
    )
    return next((split for split in evaluation.parts if split == chosen), None)


def _draw_rows(
    evaluation: Evaluation,
    split: Split | None,
    shown: Sequence[EvaluationRow],
    reliability: Mapping[str, Sequence[float]],
) -> None:
    """Every policy on the chosen tasks: a table and charts."""
    part = split or "all"
    _table(evaluation, shown, reliability)
    left, right = st.columns(2)
    with left:
        st.markdown("**Pass rate**")
        draw_chart(rate_intervals([_rate(row) for row in shown]), key=f"rates.{evaluation.id}.{part}", alt=_said(shown))
    with right:
        st.markdown("**Mistakes per 100 actions, by kind**")
        errors = {policy_title(row.policy): _per_hundred(row) for row in shown}
        if any(errors.values()):
            draw_chart(
                amount_groups(errors, unit="Per 100 actions"),
                key=f"errors.{evaluation.id}.{part}",
                alt="Mistakes by kind",
            )
        else:
            st.caption("No action failed a check.")
    st.markdown("**Pass rate by category**")
    models = [row for row in shown if is_model(row.policy)]
    groups = {
        policy_title(row.policy): {category_title(name): count for name, count in row.by_category.items()}
        for row in models or shown
    }
    draw_chart(rate_groups(groups), key=f"categories.{evaluation.id}.{part}", alt="Pass rates by category")


def _head(evaluation: Evaluation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(label(evaluation.name), anchor=False, width="content")
        with st.container(horizontal=True, gap="xsmall", width="content"):
            for ending, text, mime in (
                (".html", "Report", "text/html"),
                (".md", "As Markdown", "text/markdown"),
            ):
                st.download_button(
                    text,
                    data=partial(report, evaluation, ending),
                    file_name=f"{evaluation.id}{ending}",
                    mime=mime,
                    key=f"report.{evaluation.id}{ending}",
                    icon=":material/download:",
                    type="secondary" if ending == ".html" else "tertiary",
                    help="One page with drawings, to read and hand on." if ending == ".html" else None,
                    on_click="ignore",
                )
    with st.container(horizontal=True, gap="xsmall"):
        for split in evaluation.parts:
            held_out = split != "train"
            chip(SPLIT_NAMES[split], color="primary" if held_out else "orange", icon=":material/inventory_2:")
        each = " of each" if len(evaluation.parts) > 1 else ""
        chip(
            f"{amount(len(evaluation.task_keys) // len(evaluation.parts), 'task')}{each}, "
            f"{amount(evaluation.attempts, 'attempt')} each",
            icon=":material/tag:",
        )
        if sampled := _sampled(evaluation):
            chip(
                f"{sampled[0].attempts} sampled attempts at {amount(len(sampled[0].passes), 'task')}",
                icon=":material/casino:",
            )
        chip(moment(evaluation.created), icon=":material/schedule:")
        chip(f"{duration(evaluation.seconds)} of agents at work", icon=":material/timer:")


def _table(evaluation: Evaluation, shown: Sequence[EvaluationRow], reliability: Mapping[str, Sequence[float]]) -> None:
    rows = [
        {
            "Attempts": ":material/route:",
            "Policy": clean(policy_title(row.policy)),
            "Pass rate": 100 * row.pass_rate,
            "95 % interval": f"{100 * row.low:.1f} – {100 * row.high:.1f}",
            "Passed": f"{row.passed:,} of {row.planned:,}",
            **_all_pass(evaluation, row, reliability),
            **_trials(row),
            "Mistakes / 100": number(row.errors_per_100),
            "Each": duration(row.mean_seconds),
        }
        for row in shown
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
            "Attempts": button_column(f"open.{evaluation.id}", lambda place: show_run(shown[place].run)),
        },
        alt=_said(shown),
    )


def _all_pass(evaluation: Evaluation, row: EvaluationRow, reliability: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """How often all attempts at a task pass; a column only when there is more than one."""
    if evaluation.attempts < 2 or not reliability:
        return {}
    found = reliability.get(row.policy.label) or ()
    return {f"All {evaluation.attempts} pass": percent(found[-1], 1) if found else DASH}


def _trials(row: EvaluationRow) -> dict[str, str]:
    """Columns about sampled attempts, where there are any."""
    if row.trials is None:
        return {}
    each = row.trials
    return {
        "Sampled": f"{percent(each.pass_rate, 1)} ({100 * each.low:.0f} – {100 * each.high:.0f})",
        f"All {each.attempts} sampled pass": percent(each.all_pass[-1], 1),
    }


def _pairs(comparisons: Sequence[Comparison]) -> None:
    several = any(each.split for each in comparisons)
    rows = [
        {
            **({"Tasks": SPLIT_NAMES[each.split] if each.split else "All together"} if several else {}),
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


def _said(rows: Sequence[EvaluationRow]) -> str:
    return "; ".join(f"{policy_title(row.policy)} passes {percent(row.pass_rate)}" for row in rows)


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
            "Tasks from": ", ".join(SPLIT_NAMES[split] for split in each.parts),
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
    if not any(entry.adapter for entry in list_models(studio.settings)):
        link(
            "pages/6_Train.py", "Train an adapter first to see what training changes", icon=":material/model_training:"
        )
