"""How far people and checks agree: rates with intervals, the confusion matrix, reviewers beside each other, disagreements."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lamsim_core.records import Review
from lamsim_core.review.agreement import (
    ALL,
    Agreement,
    Share,
    between_reviewers,
    disagreements,
    first_answers,
    pace,
    with_checks,
)
from lamsim_core.review.cases import cases
from lamsim_core.review.corrections import newest_by_reviewer
from lamsim_core.store.rejudged import reviews
from lamsim_core.ui import terms
from lamsim_core.ui.charts import draw_chart, matrix
from lamsim_core.ui.draw import clean
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import BADGE_BLUE, BADGE_GREEN, BADGE_ORANGE, badge_column
from lamsim_core.ui.trajectory_list import open_trajectory
from lamsim_core.ui.wording import DASH, duration, moment, percent, spaced


def draw_agreement(studio: Studio) -> None:
    """The whole tab."""
    found = reviews(studio.index)
    answers = first_answers(found)
    if not answers:
        with st.container(border=True):
            st.subheader("Nobody has reviewed a verdict yet", anchor=False)
            st.text(
                "Answer some questions in the first tab: twenty take a few minutes. Then this says how far to trust the checks."
            )
        return
    rows = with_checks(found)
    _numbers(rows[0], answers, found)
    left, right = st.columns([13, 5], gap="medium")
    with left:
        st.subheader("Check by check", anchor=False)
        _table(rows)
    with right:
        _confusion(rows)
    pairs = between_reviewers(found)
    if pairs:
        st.subheader("Between reviewers", anchor=False)
        st.dataframe(
            [_between(row) for row in pairs], hide_index=True, height="content", alt="Agreement between reviewers"
        )
    _disagreements(studio, found)


def _numbers(everything: Agreement, answers: Sequence[Review], found: Sequence[Review]) -> None:
    blind = sum(review.blind for review in answers)
    with st.container(horizontal=True):
        st.metric(
            "Verdicts reviewed",
            f"{len(answers):,}",
            border=True,
            help=f"{blind:,} of them before the verdict was shown.",
        )
        st.metric(
            "Agreement", percent(everything.agreement.value, 1), border=True, help=_interval(everything.agreement)
        )
        st.metric(
            "Cohen's kappa",
            _kappa(everything.kappa),
            border=True,
            help="Agreement beyond chance: 1 is full, 0 is none.",
        )
        st.metric(
            "Precision of “fails”",
            percent(everything.precision.value, 1),
            border=True,
            help=_interval(everything.precision),
        )
        st.metric(
            "Recall of “fails”", percent(everything.recall.value, 1), border=True, help=_interval(everything.recall)
        )
        st.metric("Time for an answer", duration(pace(found).median_seconds), border=True, help="The median.")
    st.caption(
        "Rates over the verdicts reviewed, drawn by strata: they describe the checks, not how often models fail. "
        "Whoever also wrote the checks is no independent judge of them."
    )


def _table(rows: Sequence[Agreement]) -> None:
    st.dataframe(
        [
            {
                "Check": "All together" if row.name == ALL else clean(terms.check_title(row.name)),
                "Verdicts": row.n,
                "Unsure": row.unsure,
                "Agreement": _rate(row.agreement),
                "Precision": _rate(row.precision),
                "Recall": _rate(row.recall),
                "Kappa": _kappa(row.kappa),
            }
            for row in rows
        ],
        hide_index=True,
        height="content",
        alt="Agreement of people with each check",
        column_config={
            "Precision": st.column_config.TextColumn(help="Of the failures a check finds, those people confirm."),
            "Recall": st.column_config.TextColumn(help="Of the failures people find, those the check finds."),
            "Kappa": st.column_config.TextColumn(help="A dash where only one answer was given."),
        },
    )
    st.caption("In brackets the 95 % Wilson interval.")


def _confusion(rows: Sequence[Agreement]) -> None:
    names: Mapping[str, Agreement] = {row.name: row for row in rows}
    chosen = st.selectbox(
        "Confusion matrix",
        list(names),
        format_func=lambda name: "All checks" if name == ALL else terms.check_title(name),
        key="review_confusion",
    )
    table = names[chosen].confusion
    figure = matrix(
        [list(row) for row in table], rows=["Check: fails", "Check: holds"], columns=["Person: fails", "Person: holds"]
    )
    (both, first), (second, neither) = table
    alt = f"Both fail {both}, only the check {first}, only the person {second}, both hold {neither}"
    draw_chart(figure, key="review.confusion", alt=alt)


def _between(row: Agreement) -> dict[str, Any]:
    return {
        "Reviewers": clean(row.name),
        "Verdicts": row.n,
        "Unsure": row.unsure,
        "Agreement": _rate(row.agreement),
        "Kappa": _kappa(row.kappa),
    }


def _disagreements(studio: Studio, found: Sequence[Review]) -> None:
    wrong = disagreements(found)
    st.subheader("Disagreements", anchor=False)
    if not wrong:
        st.caption("None: every answer met the verdict.")
        return
    seen = newest_by_reviewer(found, blind=False)
    states = {
        "stands": ("Corrected", BADGE_ORANGE),
        "gave_in": ("Check was right", BADGE_GREEN),
        "open": ("Open", BADGE_BLUE),
    }
    rows = []
    for review in wrong:
        last = seen.get(review.place, {}).get(review.reviewer)
        state = "open" if last is None else "stands" if last.corrects else "gave_in"
        rows.append(
            {
                "Settled": [states[state][0]],
                "Check": clean(terms.check_title(review.check)),
                "Action": DASH if review.step is None else str(review.step + 1),
                "Check says": "fails" if review.said == "fail" else "holds",
                "Person says": review.answer,
                "Mistake": spaced(last.error_class) if last is not None and last.error_class else DASH,
                "Why": clean(last.reason if last is not None else ""),
                "Reviewer": clean(review.reviewer),
                "When": moment(review.created),
            }
        )
    chosen = st.dataframe(
        rows,
        key=f"review.disagreements.{studio.index.version}",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height="content" if len(rows) <= 12 else 460,
        alt="Disagreements; select one to open its attempt",
        column_config={"Settled": badge_column("Settled", dict(states.values()), width=120)},
    )
    for number in chosen.selection.rows:
        if number < len(wrong):
            open_trajectory(wrong[number].trajectory)
    st.download_button(
        "Download as regression cases",
        data=lambda: "\n".join(case.model_dump_json() for case in cases(studio.index)),
        file_name="feedback-cases.jsonl",
        mime="application/jsonl",
        icon=":material/download:",
        on_click="ignore",
        help="Each with all that is needed to judge it again; the shell writes one file each: review cases.",
    )


def _rate(share: Share) -> str:
    return DASH if share.value is None else f"{percent(share.value)} [{_percents(share)}] {share.count}/{share.of}"


def _interval(share: Share) -> str:
    return (
        "Nothing to count yet."
        if share.value is None
        else f"{share.count} of {share.of}; 95 % interval {_percents(share)} %."
    )


def _percents(share: Share) -> str:
    return f"{100 * (share.low or 0):.0f} – {100 * (share.high or 0):.0f}"


def _kappa(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"
