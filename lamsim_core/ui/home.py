"""The Home page: the flywheel's stations, what is running, and the newest results."""

from typing import NamedTuple

import streamlit as st

from lamsim_core.evaluate.parts import compared, rows_of
from lamsim_core.explore.live import live_runs, start_live
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, Job, JobStatus
from lamsim_core.records import Evaluation, EvaluationRow, Sampling
from lamsim_core.store.queries import Overview, evaluations, find_trajectories
from lamsim_core.tasks import get_template, instantiate, load_templates
from lamsim_core.tools import categories
from lamsim_core.ui import terms
from lamsim_core.ui.draw import chip, clean, guard, label
from lamsim_core.ui.next_step import next_step
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.simulate import FIRST_TASK
from lamsim_core.ui.trajectory_list import trajectory_table
from lamsim_core.ui.wording import SPLIT_NAMES, amount, duration, moment, percent

REFRESH_SECONDS = 2.0
LATEST = 8
"""Newest attempts listed."""
JOB_PAGES = {
    "explore": "pages/2_Explore.py",
    "correct": "pages/2_Explore.py",
    "train": "pages/6_Train.py",
    "evaluate": "pages/7_Evaluate.py",
    "rescore": "pages/4_Review.py",
    "bfcl": "pages/7_Evaluate.py",
    "merge": "pages/8_Catalog.py",
    "turn": "pages/9_Flywheel.py",
}
JOB_ICONS = {
    "explore": ":material/travel_explore:",
    "correct": ":material/healing:",
    "train": ":material/model_training:",
    "evaluate": ":material/monitoring:",
    "rescore": ":material/gavel:",
    "bfcl": ":material/straighten:",
    "merge": ":material/merge:",
    "turn": ":material/autorenew:",
}
VIEWS = {"merge": {"view": "Models"}}
"""Where on its page a kind of job is shown, when that is a part of it."""


class Station(NamedTuple):
    """One station of the flywheel."""

    title: str
    value: int
    detail: str
    page: str
    action: str


def stations(stored: Overview) -> list[Station]:
    """The flywheel, in its order."""
    scored = stored.passed + stored.failed
    rate = f"{percent(stored.passed / scored)} passed" if scored else "none yet"
    return [
        Station(
            "Kinds of tasks",
            len(load_templates()),
            amount(len(categories()), "category", "categories"),
            "pages/8_Catalog.py",
            "Look at them",
        ),
        Station("Attempts", stored.trajectories, rate, "pages/3_Trajectories.py", "Find and open"),
        Station("Accepted", stored.accepted, f"{stored.rejected:,} rejected", "pages/3_Trajectories.py", "Decide"),
        Station("Datasets", stored.datasets, "frozen, to learn from", "pages/5_Datasets.py", "Make one"),
        Station("Adapters", stored.adapters, "trained here", "pages/6_Train.py", "Train"),
        Station("Evaluations", stored.evaluations, "on tasks held out", "pages/7_Evaluate.py", "Measure"),
    ]


def draw_next(studio: Studio, stored: Overview) -> None:
    """The one thing to do next."""
    step = next_step(stored)
    with st.container(border=True):
        left, right = st.columns([4, 1], vertical_alignment="center", gap="large")
        left.subheader(step.title, anchor=False)
        left.text(step.why)
        if right.button(step.button, type="primary", icon=":material/arrow_forward:", key="next", width="stretch"):
            with guard():
                if step.page is None:
                    first_run(studio)
                else:
                    st.switch_page(step.page)


def first_run(studio: Studio) -> None:
    """Let the reference solution solve one task and go there."""
    template = FIRST_TASK if FIRST_TASK in load_templates() else next(iter(load_templates()))
    run = start_live(
        studio.settings,
        instantiate(get_template(template), 0),
        "gold",
        Sampling(max_steps=studio.settings.max_steps),
        attempt=0,
        on_trajectory=studio.store.add,
    )
    run.wait(2.0)
    st.switch_page("pages/1_Simulate.py", query_params={"run": run.id})


def draw_stations(stored: Overview) -> None:
    """The stations as cards."""
    with st.grid(6, min_column_width=130):
        for number, station in enumerate(stations(stored)):
            with st.container(border=True, height="stretch", gap="xsmall", key=f"station-{number}"):
                st.metric(station.title, f"{station.value:,}")
                st.caption(station.detail)
                st.space("stretch")
                link(station.page, station.action, icon=":material/chevron_right:")


def draw_running(studio: Studio) -> None:
    """Jobs and live runs under way; looked at again every two seconds while there are any."""
    active = _active_jobs(studio)
    st.fragment(_running, run_every=REFRESH_SECONDS if active else None)(studio, len(active))


def _active_jobs(studio: Studio) -> list[tuple[Job, JobStatus]]:
    return [(job, status) for job, status in supervisor.list_jobs(studio.settings) if status.state in ACTIVE]


def _running(studio: Studio, before: int) -> None:
    with guard():
        active = _active_jobs(studio)
        if len(active) < before:
            st.rerun()  # a job has ended: the counts and the newest attempts have changed too
        st.subheader("Running now", anchor=False)
        for job, status in active:
            _job(job, status)
        for run in live_runs():
            with st.container(
                border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
            ):
                held = ", paused" if run.state == "paused" else ""
                st.text(clean(f"{terms.template_title(run.task.template)}, {terms.policy_name(run.policy_name)}{held}"))
                link("pages/1_Simulate.py", "Watch", icon=":material/visibility:", query={"run": run.id})
        if not active and not live_runs():
            st.caption("Nothing. What you start goes on in the background and is found here again, after a reload too.")


def _job(job: Job, status: JobStatus) -> None:
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="xsmall"):
                chip(
                    status.state.capitalize(),
                    color="orange" if status.state != "running" else "green",
                    icon=JOB_ICONS[job.kind],
                )
                st.text(clean(job.label))
            link(
                JOB_PAGES[job.kind],
                "Open",
                icon=":material/visibility:",
                query={"job": job.id, **VIEWS.get(job.kind, {})},
            )
        if status.total:
            st.progress(min(1.0, status.done / status.total))
        left = f" · about {duration(status.eta_seconds)} left" if status.eta_seconds else ""
        done = f"{status.done:,} of {status.total:,}" if status.total else "Starting"
        st.caption(f"{done}{left}" + (f" · {label(status.message)}" if status.message else ""))


def draw_latest_evaluation(studio: Studio) -> None:
    """Before and after training, from the newest evaluation that holds both."""
    st.subheader("What training changed", anchor=False)
    for evaluation in evaluations(studio.index):
        pair = before_and_after(evaluation)
        if pair is None:
            continue
        before, after = pair
        with st.container(border=True, gap="small"):
            with st.container(horizontal=True):
                st.metric(label(terms.policy_title(before.policy)), percent(before.pass_rate))
                points = round(100 * (after.pass_rate - before.pass_rate))
                st.metric(
                    label(terms.policy_title(after.policy)),
                    percent(after.pass_rate),
                    f"{points:+d} points" if points else 0,
                )
            difference = compared(evaluation, before.policy.label, after.policy.label)
            interval = (
                f" 95 % interval of the difference: {100 * difference.low:+.0f} to {100 * difference.high:+.0f} points."
                if difference
                else ""
            )
            where = ", ".join(SPLIT_NAMES[split].lower() for split in evaluation.parts)
            st.caption(f"{amount(after.planned, 'attempt')} each, {where}.{interval}")
            link("pages/7_Evaluate.py", f"Evaluation of {moment(evaluation.created)}", icon=":material/monitoring:")
        return
    st.caption(
        "Nothing measured yet. An evaluation lets a model with and without an adapter try the same held-out tasks."
    )


def before_and_after(evaluation: Evaluation) -> tuple[EvaluationRow, EvaluationRow] | None:
    """The row of a model alone and the best one with an adapter, or None when the evaluation lacks either."""
    rows = rows_of(evaluation)
    plain = [row for row in rows if row.policy.kind == "model" and row.policy.adapter is None]
    trained = [row for row in rows if row.policy.adapter is not None]
    if not plain or not trained:
        return None
    return plain[0], max(trained, key=lambda row: row.pass_rate)


def draw_latest(studio: Studio) -> None:
    """The newest attempts."""
    rows = find_trajectories(studio.index, limit=LATEST)
    if rows:
        st.subheader("Newest attempts", anchor=False)
        trajectory_table(rows, key=f"latest-{studio.index.version}")
