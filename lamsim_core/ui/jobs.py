"""Jobs on a page: start one with one click, watch it, stop it, resume it, find the earlier ones.

A page only draws what is on disk. Which job it shows is in its address, so a reload, a second browser and a restarted
app show the same one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from lamsim_core.canonical import canonical_json, new_id, now
from lamsim_core.errors import LamsimError, NotFoundError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, RESUMABLE, Job, JobStatus, Kind, State
from lamsim_core.settings import Settings
from lamsim_core.ui.draw import Color, chip, clean, failure, guard, label, untrusted
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import BADGE_GREEN, BADGE_GREY, BADGE_ORANGE, BADGE_RED, badge_column, button_column
from lamsim_core.ui.wording import DASH, between, duration, moment

REFRESH_SECONDS = 2.0
"""How often a running job is looked at."""
LISTED = 50
"""Earlier jobs in a list."""

Jobs = Sequence[tuple[Job, JobStatus]]
Details = Callable[[Job, JobStatus], None]
"""Draws what is particular to a kind of job, inside the part of the page that refreshes."""

_STATES: Mapping[State, tuple[str, str, Color, str]] = {
    "queued": ("Starting", ":material/hourglass_top:", "orange", BADGE_ORANGE),
    "waiting": ("Waiting", ":material/hourglass_top:", "orange", BADGE_ORANGE),
    "running": ("Running", ":material/play_circle:", "primary", BADGE_ORANGE),
    "stopping": ("Stopping", ":material/hourglass_bottom:", "orange", BADGE_ORANGE),
    "done": ("Done", ":material/check_circle:", "green", BADGE_GREEN),
    "stopped": ("Stopped", ":material/pause_circle:", "gray", BADGE_GREY),
    "failed": ("Failed", ":material/error:", "red", BADGE_RED),
    "dead": ("Died", ":material/heart_broken:", "red", BADGE_RED),
}
"""State -> name, icon, colour of the badge, colour in tables."""


def jobs_of(studio: Studio, kind: Kind) -> Jobs:
    """All jobs of a kind, the newest first."""
    return supervisor.list_jobs(studio.settings, kind)


def chosen_job(jobs: Jobs) -> str | None:
    """The job to show: the one in the address, else the newest that still runs, else the newest, else none."""
    wanted: str | None = st.query_params.get("job")
    if wanted is not None:
        if any(job.id == wanted for job, _ in jobs):
            return wanted
        failure(NotFoundError("job", wanted))
    running = (job.id for job, status in jobs if status.state in ACTIVE)
    return next(running, jobs[0][0].id if jobs else None)


def request_id(key: str, params: Mapping[str, Any], jobs: Jobs) -> str:
    """Names the click on the start button of a key: the same until the form changes or the job it started has ended."""
    held = f"{key}.request"
    asked = canonical_json(dict(params))
    before: tuple[str, str] | None = st.session_state.get(held)
    ended = {job.request_id for job, status in jobs if status.state not in ACTIVE}
    if before is None or before[0] != asked or before[1] in ended:
        st.session_state[held] = before = (asked, new_id("req"))
    return before[1]


def start_button(
    studio: Studio,
    kind: Kind,
    params: Mapping[str, Any],
    jobs: Jobs,
    *,
    name: str,
    text: str,
    icon: str = ":material/play_arrow:",
    why_not: str | None = None,
    hint: str | None = None,
    main: bool = True,
    key: str | None = None,
) -> None:
    """A button that starts a job and shows it. Two clicks start one; while the same runs, it cannot be clicked.

    Args:
        studio: the page's studio.
        kind: what the job does.
        params: what its handler needs.
        jobs: all jobs of this kind.
        name: what the job is called in lists.
        text: what the button says.
        icon: ``:material/...:``.
        why_not: why the job cannot be started as things are, or None.
        hint: what the button does, where its text does not say so.
        main: whether it is what the page is for; else it takes no more room than its text.
        key: tells it from another one on the page that starts the same kind of job.
    """
    asked = canonical_json(dict(params))
    same = next((job for job, s in jobs if s.state in ACTIVE and canonical_json(job.params) == asked), None)
    if same is not None:
        why_not = "Exactly this is already running. Change something, or stop it first."
    key = key or f"{kind}.start"
    request = request_id(key, params, jobs)
    if st.button(
        text,
        key=key,
        type="primary" if main else "secondary",
        icon=icon,
        disabled=why_not is not None,
        help=why_not or hint,
        width="stretch" if main else "content",
    ):
        with guard():
            job = supervisor.start(studio.settings, kind, dict(params), label=clean(name), request_id=request)
            show_job(job.id)
            st.rerun()


def show_job(job_id: str) -> None:
    """Make a job the one the page shows."""
    st.query_params.pop("id", None)
    st.query_params["job"] = job_id


def job_panel(studio: Studio, job_id: str, details: Details | None = None, *, stop_text: str = "Stop") -> None:
    """One job: state, progress, time left, stop, resume, log. Refreshes by itself as long as the job runs.

    Args:
        studio: the page's studio.
        job_id: the job.
        details: draws more about it; refreshes with it.
        stop_text: what the stop button says.
    """
    with guard():
        active = supervisor.status(studio.settings, job_id).state in ACTIVE
        panel = st.fragment(_panel, run_every=REFRESH_SECONDS if active else None)
        panel(studio, job_id, details, stop_text, active)


def _panel(studio: Studio, job_id: str, details: Details | None, stop_text: str, was_active: bool) -> None:
    with guard(), st.container(border=True):
        job = supervisor.get_job(studio.settings, job_id)
        status = supervisor.status(studio.settings, job_id)
        if was_active and status.state not in ACTIVE:
            st.rerun()  # draws the rest of the page anew, and ends the refreshing
        studio.index.sync()
        _head(studio.settings, job, status, stop_text)
        _progress(status)
        if details is not None:
            details(job, status)
        _log(studio.settings, job)


def _head(settings: Settings, job: Job, status: JobStatus, stop_text: str) -> None:
    title, icon, colour, _ = _STATES[status.state]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            chip(title, icon=icon, color=colour)
            st.subheader(label(job.label), anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            _buttons(settings, job, status, stop_text)


def _buttons(settings: Settings, job: Job, status: JobStatus, stop_text: str) -> None:
    if status.state in ("queued", "waiting", "running"):
        st.button(
            stop_text,
            key=f"stop.{job.id}",
            icon=":material/stop:",
            help="What is finished is saved. It can be resumed later.",
            on_click=_safely,
            args=(supervisor.stop, settings, job.id),
        )
    elif status.state == "stopping":
        st.button(
            "End it now",
            key=f"kill.{job.id}",
            icon=":material/dangerous:",
            help="It is saving and will stop by itself. This ends it at once; what it has not saved is lost.",
            on_click=_safely,
            args=(supervisor.kill, settings, job.id),
        )
    elif status.state in RESUMABLE and st.button(
        "Resume",
        key=f"resume.{job.id}",
        icon=":material/resume:",
        help="Goes on from what is saved.",
    ):
        with guard():
            supervisor.resume(settings, job.id)
            show_job(job.id)
            st.rerun()


def _safely(act: Callable[[Settings, str], object], settings: Settings, job_id: str) -> None:
    """A callback runs outside the page's guard."""
    try:
        act(settings, job_id)
    except LamsimError as error:
        st.toast(label(error), icon=":material/error:")


def _progress(status: JobStatus) -> None:
    if status.state in ACTIVE:
        st.progress(min(1.0, status.done / status.total) if status.total else 0.0)
    facts = []
    if status.total:
        facts.append(f"{status.done:,} of {status.total:,}")
    if status.started:
        facts.append(f"{'running for' if status.state in ACTIVE else 'took'} {_took(status)}")
    if status.state == "running":
        facts.append(f"about {duration(status.eta_seconds)} left" if status.eta_seconds else "time left not known yet")
    elif status.finished:
        facts.append(f"ended {moment(status.finished)}")
    if status.message and status.state != "done" and not status.error:
        facts.append(status.message)
    st.caption(label(" · ".join(facts) or "Not begun yet", limit=700))
    if status.error:
        st.error(label(status.error, limit=1500), icon=":material/error:")


def _took(status: JobStatus) -> str:
    """How long the newest process of a job has been, or was, at work."""
    took = between(status.started, now() if status.state in ACTIVE else status.finished or status.updated)
    return DASH if took is None else duration(max(0.0, took))


def _log(settings: Settings, job: Job) -> None:
    log = st.expander("Log", icon=":material/article:", key=f"log.{job.id}", on_change="rerun", type="compact")
    if log.open:
        with log:
            untrusted(supervisor.log_tail(settings, job.id, 200), height=260)


def job_list(
    jobs: Jobs,
    kind: Kind,
    *,
    shown: str | None,
    title: str | None = None,
    results: Callable[[Job, JobStatus], Mapping[str, Any]] | None = None,
) -> None:
    """The other jobs of a kind as a table, the newest first; a click shows one.

    Args:
        jobs: from ``jobs_of``.
        kind: names the table.
        shown: the job that the page shows already, and so is not listed.
        title: what stands over it.
        results: more columns: title -> value.
    """
    others = [(job, status) for job, status in jobs if job.id != shown]
    if not others:
        return
    st.subheader(label(title or ("Earlier" if shown is not None else "All so far")), anchor=False)
    listed = others[:LISTED]
    rows: list[dict[str, Any]] = [
        {
            "Show": ":material/visibility:",
            "State": [_STATES[status.state][0]],
            "What": clean(job.label),
            **(results(job, status) if results is not None else {}),
            "Done": f"{status.done:,} of {status.total:,}" if status.total else DASH,
            "Took": _took(status),
            "Started": moment(job.created),
        }
        for job, status in listed
    ]
    st.dataframe(
        rows,
        key=f"{kind}.jobs",
        hide_index=True,
        column_config={
            "Show": button_column(f"{kind}.jobs.show", lambda row: show_job(listed[row][0].id)),
            "State": badge_column("State", {name: colour for name, _, _, colour in _STATES.values()}),
            "What": st.column_config.TextColumn("What", width="medium"),
        },
        alt="Jobs of this kind, the newest first",
    )
    if len(others) > LISTED:
        st.caption(f"The newest {LISTED} of {len(others):,} are listed.")
