"""Tasks of an evaluation that are worth a look: passed only sometimes, or by one model and not by another."""

from collections.abc import Sequence
from itertools import combinations

import streamlit as st

from lamsim_core.evaluate.parts import is_model, rows_of
from lamsim_core.records import Evaluation, EvaluationRow, Split
from lamsim_core.store.stability import Tried, sometimes_passed, told_apart
from lamsim_core.ui.attempts import show_attempts
from lamsim_core.ui.draw import clean
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import button_column
from lamsim_core.ui.terms import category_title, policy_title, template_title
from lamsim_core.ui.wording import SPLIT_NAMES, amount

LISTED = 50
"""Tasks in a list."""
SOMETIMES, DIFFER = "Passed sometimes", "Models differ"


def draw_tasks_to_look_at(studio: Studio, evaluation: Evaluation, split: Split | None) -> None:
    """A list of tasks, each leading to its attempts; nothing where there can be none."""
    rows = [row for row in rows_of(evaluation, split) if is_model(row.policy)]
    choices = [
        *([SOMETIMES] if any(_run_of_several(evaluation, row) for row in rows) else []),
        *([DIFFER] if len(rows) > 1 else []),
    ]
    if not choices:
        return
    st.markdown("**Tasks to look at**")
    with st.container(horizontal=True, vertical_alignment="center"):
        shown = st.segmented_control(
            "What to list",
            choices,
            default=choices[0],
            required=True,
            key=f"look.{evaluation.id}",
            label_visibility="collapsed",
        )
        if shown == SOMETIMES:
            _draw_sometimes(studio, evaluation, split, rows)
        else:
            _draw_differing(studio, evaluation, split, rows)


def _run_of_several(evaluation: Evaluation, row: EvaluationRow) -> str | None:
    """The run with several attempts at each task, if there is one."""
    if row.trials is not None and row.trials.attempts > 1:
        return row.trials.run
    return row.run if evaluation.attempts > 1 else None


def _draw_sometimes(studio: Studio, evaluation: Evaluation, split: Split | None, rows: Sequence[EvaluationRow]) -> None:
    runs = {policy_title(row.policy): run for row in rows if (run := _run_of_several(evaluation, row))}
    who = st.selectbox(
        "Model", list(runs), format_func=clean, key=f"look.who.{evaluation.id}", label_visibility="collapsed", width=320
    )
    found = sometimes_passed(studio.index, runs[who], split)
    _list(
        found,
        f"sometimes.{evaluation.id}",
        [f"{sum(each.passed)} of {len(each.passed)} passed" for each in found],
        f"Passed sometimes by {who}",
        "Every task was passed by all of its attempts or by none.",
    )


def _draw_differing(studio: Studio, evaluation: Evaluation, split: Split | None, rows: Sequence[EvaluationRow]) -> None:
    pairs = list(combinations(rows, 2))
    titles = [f"{policy_title(first.policy)} and {policy_title(second.policy)}" for first, second in pairs]
    place = st.selectbox(
        "Models",
        range(len(pairs)),
        format_func=lambda place: clean(titles[place]),
        key=f"look.pair.{evaluation.id}",
        label_visibility="collapsed",
        width=420,
    )
    first, second = pairs[place]
    found = told_apart(studio.index, first.run, second.run, split)
    names = policy_title(first.policy), policy_title(second.policy)
    _list(
        found,
        f"differ.{evaluation.id}",
        [f"only {names[each.passed[1]]}" for each in found],
        f"Told apart: {titles[place]}",
        "Both passed the same tasks.",
    )


def _list(found: Sequence[Tried], key: str, outcomes: Sequence[str], what: str, none: str) -> None:
    if not found:
        st.caption(none)
        return
    st.button(
        f"All {amount(len(found), 'task')}",
        key=f"{key}.all",
        icon=":material/list:",
        on_click=show_attempts,
        args=(what, [each for task in found for each in task.trajectories]),
    )
    listed = found[:LISTED]

    def show(place: int) -> None:
        show_attempts(f"{template_title(listed[place].template)}: {outcomes[place]}", listed[place].trajectories)

    st.dataframe(
        [
            {
                "Show": ":material/route:",
                "Passed": clean(outcome),
                "Task": clean(template_title(each.template)),
                "Category": category_title(each.category),
                "Request": clean(each.instruction),
                "Tasks from": SPLIT_NAMES[each.split],
            }
            for each, outcome in zip(listed, outcomes, strict=False)
        ],
        key=key,
        hide_index=True,
        column_config={
            "Show": button_column(f"{key}.show", show),
            "Request": st.column_config.TextColumn("Request", width="medium"),
        },
        alt=clean(what),
    )
    if len(found) > LISTED:
        st.caption(f"The first {LISTED} of {len(found):,} are listed.")
