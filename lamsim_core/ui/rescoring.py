"""The Review page's last tab: judge what is stored again by the checks of today, and see what came out differently."""

import streamlit as st

from lamsim_core.feedback.registry import checks_hash
from lamsim_core.jobs.job import RESUMABLE
from lamsim_core.records import Rescore
from lamsim_core.store.queries import overview, runs
from lamsim_core.store.rejudged import rescores
from lamsim_core.ui import terms
from lamsim_core.ui.draw import clean, label
from lamsim_core.ui.jobs import chosen_job, job_list, job_panel, jobs_of, start_button
from lamsim_core.ui.page import Studio
from lamsim_core.ui.trajectory_list import open_trajectory
from lamsim_core.ui.wording import amount, moment


def draw_rescoring(studio: Studio) -> None:
    """The whole tab."""
    jobs = jobs_of(studio, "rescore")
    stored = overview(studio.index).trajectories
    left, right = st.columns([5, 11], gap="large")
    with left, st.container(border=True):
        st.subheader("Judge again", anchor=False)
        st.text(
            "Every stored attempt is judged by the checks of today, from its record alone: no tool runs again. Old verdicts "
            "stay on record; corrections by people are kept."
        )
        known = [run.run for run in runs(studio.index)]
        chosen = st.multiselect("Only these runs", known, format_func=clean, key="rescore_runs", placeholder="All")
        start_button(
            studio,
            "rescore",
            {"runs": chosen},
            jobs,
            name=f"Judge {amount(stored, 'attempt')} again"
            if not chosen
            else f"Judge {amount(len(chosen), 'run')} again",
            text="Judge again",
            icon=":material/gavel:",
            why_not=None if stored else "Nothing is stored yet.",
        )
        st.caption(f"Checks in force: `{checks_hash()[:8]}`")
    with right:
        job = chosen_job(jobs)
        if job is not None:
            job_panel(studio, job)
        done = rescores(studio.index)
        if not done and job is None:
            st.caption("What changed is shown here. Nothing has been judged again yet.")
        for number, record in enumerate(done[:10]):
            _changes(record, expanded=number == 0)
        job_list([each for each in jobs if each[1].state in RESUMABLE], "rescore", shown=job, title="Not finished")


def _changes(record: Rescore, *, expanded: bool) -> None:
    title = f"{moment(record.created)}: {record.changed:,} of {amount(record.judged, 'attempt')} judged differently"
    with st.expander(label(title), expanded=expanded, icon=":material/difference:"):
        facts = [f"checks {record.checks[:8]}", f"asked for by {record.author}"]
        if record.unjudged:
            facts.append(
                f"{amount(record.unjudged, 'attempt')} could not be judged: their tasks name a gate that is gone"
            )
        st.caption(label(" · ".join(facts), limit=600))
        if record.outcomes:
            moved = [
                {"Outcome before": clean(k.partition(" > ")[0]), "Now": clean(k.partition(" > ")[2]), "Attempts": n}
                for k, n in record.outcomes.items()
            ]
            st.dataframe(moved, hide_index=True, height="content", alt="Outcomes that changed")
        else:
            st.caption("No attempt passes or fails differently.")
        if not record.changes:
            return
        chosen = st.dataframe(
            [
                {
                    "Check": clean(terms.check_title(change.check)),
                    "Said": "not made" if change.before == "none" else clean(change.before),
                    "Says now": "not made" if change.after == "none" else clean(change.after),
                    "Verdicts": change.count,
                }
                for change in record.changes
            ],
            key=f"rescore.changes.{record.id}",
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            height="content" if len(record.changes) <= 14 else 520,
            alt="Verdicts that changed; select a row to open an example",
        )
        st.caption("Select a row to open an example.")
        for row in chosen.selection.rows:
            if row < len(record.changes) and record.changes[row].examples:
                open_trajectory(record.changes[row].examples[0])
