"""The Explore page's parts: what to try, what is happening, what came of it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from lamsim_core.agent.policy import PLAIN_POLICIES
from lamsim_core.explore.curriculum import Order
from lamsim_core.explore.job import RUN_FILE
from lamsim_core.jobs.folder import job_folder
from lamsim_core.jobs.job import ACTIVE, Job, JobStatus
from lamsim_core.store.history import attempts_by
from lamsim_core.store.queries import TrajectoryFilter, TrajectoryRow, find_trajectories, outcome_by
from lamsim_core.ui import forms
from lamsim_core.ui.attempts import run_button
from lamsim_core.ui.charts import FAILED, FEW_BARS, count_bars, draw_chart, rate_list
from lamsim_core.ui.draw import label
from lamsim_core.ui.jobs import Jobs, start_button
from lamsim_core.ui.modes import NAMES as MODES
from lamsim_core.ui.modes import needs_chance, pick_how
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.terms import category_title, outcome, policy_name, template_title
from lamsim_core.ui.wording import DASH, SPLIT_NAMES, amount, between, duration, percent, spaced

NEWEST = 6
"""Trajectories listed while a run goes on."""
ORDERS: dict[Order, str] = {"planned": "As planned", "curriculum": "Most to learn from first"}
TRAJECTORIES = "pages/3_Trajectories.py"
CORRECTIONS = 2
"""Of one attempt."""
CORRECTING = ":material/healing:"
MOST_WORKERS = 64
"""Processes offered for one exploration."""


def setup(studio: Studio, jobs: Jobs) -> None:
    """What to try, what that comes to, and the button that starts it."""
    choices = forms.model_choices(studio.settings)
    who = forms.pick_model(choices, "explore.model", help="A model, or a policy that needs none.")
    if who.why_not is not None:
        st.warning(label(who.why_not, limit=600), icon=":material/cloud_off:")
    split = forms.pick_split("explore.split")
    scope = forms.pick_scope(split, "explore")
    left, right = st.columns(2)
    with left:
        tasks = forms.pick_number("Tasks", 20, "explore.tasks", help="Instances, the kinds of tasks in turn.")
    with right:
        attempts = forms.pick_number("Attempts at each", 1, "explore.attempts", most=100)
    how = pick_how("explore")
    temperature = forms.pick_temperature("explore.temperature", disabled=who.name in PLAIN_POLICIES)
    constrained = forms.pick_constrained("explore.constrained", disabled=who.name in PLAIN_POLICIES)
    with st.expander("More", icon=":material/tune:", type="compact"):
        seed = forms.pick_number(
            "Seed", 0, "explore.seed", least=0, most=2**31 - 1, help="Another seed draws other instances."
        )
        most = studio.settings
        max_steps = forms.pick_number("Turns at most", most.max_steps, "explore.steps", most=100)
        max_new_tokens = forms.pick_number("Tokens a turn at most", most.max_new_tokens, "explore.tokens", most=4096)
        max_tokens = forms.pick_number(
            "Tokens an attempt at most", 0, "explore.max_tokens", least=0, most=10**6, help="0 for no limit."
        )
        max_seconds = forms.pick_number(
            "Seconds an attempt at most",
            0,
            "explore.max_seconds",
            least=0,
            most=86_400,
            help="0 for no limit. An attempt that runs out of time is not scored.",
        )
        order: Order = st.selectbox(
            "Order of the tasks",
            list(ORDERS),
            format_func=lambda order: ORDERS[order],
            key="explore.order",
            persist_state="session",
            help="What is passed sometimes teaches most: such tasks come first, then those never tried, then those that "
            "always failed, then those that always passed.",
        )
        workers = forms.pick_number(
            "Processes",
            1,
            "explore.workers",
            most=MOST_WORKERS,
            help="With more than one, Ray runs them on this machine, each with a model of its own. "
            "A cluster can be used from the shell.",
        )
    st.caption(label(forms.estimate(tasks * attempts, [forms.pace(studio.index, who.name)])))
    if attempts > 1 and temperature == 0 and how["mode"] == "single" and who.name not in PLAIN_POLICIES:
        st.caption(":orange[:material/warning:] At temperature 0 a model does the same at every attempt.")
    params = {
        "model": who.name,
        "split": scope.split,
        "categories": list(scope.categories),
        "templates": list(scope.templates),
        "tasks": tasks,
        "attempts": attempts,
        "seed": seed,
        "temperature": temperature,
        "constrained": constrained,
        "max_steps": max_steps,
        "max_new_tokens": max_new_tokens,
        "max_tokens": max_tokens or None,
        "max_seconds": max_seconds or None,
        "order": order,
        **how,
        **({"executor": "ray", "workers": workers} if workers > 1 else {}),
    }
    name = f"{policy_name(who.name)}: {amount(tasks, 'task')}, {SPLIT_NAMES[split].lower()}"
    if how["mode"] != "single":
        name += f", {MODES[how['mode']].lower()}"
    why_not = who.why_not or (None if who.name in PLAIN_POLICIES else needs_chance(how["mode"], temperature))
    start_button(studio, "explore", params, jobs, name=name, text="Explore", why_not=why_not)


def run_of(studio: Studio, job: Job) -> str | None:
    """The run a job writes into; None before it has begun."""
    try:
        return (job_folder(studio.settings, job.id) / RUN_FILE).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def draw_run(studio: Studio, job: Job, status: JobStatus) -> None:
    """What a run has come to so far: the pass rate, the pace, the mistakes, the newest trajectories."""
    run = run_of(studio, job)
    flt = TrajectoryFilter(runs=(run or "",))
    rows = find_trajectories(studio.index, flt, limit=50)
    if run is None or not rows:
        st.caption("The first attempt shows here as soon as it is finished.")
        return
    by_template = attempts_by(studio.index, flt, "template")
    count, passed, unscored = (sum(row[key] for row in by_template) for key in ("count", "passed", "unscored"))
    _numbers(job, status, rows, count, passed, unscored)
    left, right = st.columns(2)
    with left:
        if len(by_template) <= FEW_BARS:
            st.markdown("**Pass rate by kind of task**")
            rates = {template_title(row["value"]): (row["passed"], row["count"]) for row in by_template}
        else:
            st.markdown("**Pass rate by category**")
            found = attempts_by(studio.index, flt, "category")
            rates = {category_title(row["value"]): (row["passed"], row["count"]) for row in found}
        draw_chart(rate_list(rates), key=f"rates.{job.id}", alt="Pass rates")
    with right:
        st.markdown("**Attempts by kind of mistake**")
        errors = {spaced(row["value"]): row["count"] for row in outcome_by(studio.index, flt, "error_classes")}
        if errors:
            draw_chart(count_bars(errors, tint=FAILED), key=f"errors.{job.id}", alt="Attempts by kind of mistake")
        else:
            st.caption("No mistakes so far.")
    st.markdown("**Newest attempts**")
    _newest(rows[:NEWEST])
    run_button(run)


def correct_button(studio: Studio, jobs: Jobs, shown: str) -> None:
    """Below an exploration that has ended: let the reference solution correct what the model did wrong."""
    job, status = next(each for each in jobs if each[0].id == shown)
    run = run_of(studio, job)
    if job.kind != "explore" or status.state in ACTIVE or run is None or job.params.get("split") != "train":
        return
    if job.params.get("model") in PLAIN_POLICIES:
        return
    start_button(
        studio,
        "correct",
        {"runs": [run], "most": CORRECTIONS},
        jobs,
        name=f"Corrections of {job.label}",
        text="Correct its failed attempts",
        icon=CORRECTING,
        main=False,
        hint="Right after an action that failed, the reference solution goes on. Trained on, this shows the model how to "
        "go on after its own errors.",
    )


def _numbers(job: Job, status: JobStatus, rows: list[TrajectoryRow], count: int, passed: int, unscored: int) -> None:
    first, second, third = st.columns(3)
    planned = count if job.kind == "correct" else status.total or count
    first.metric(
        "Attempts",
        f"{count:,} of {planned:,}",
        delta=f"{max(0, planned - count):,} to go" if count < planned else "all finished",
        delta_arrow="off",
        delta_color="off",
        border=True,
        height="stretch",
    )
    said = f"{passed:,} of {count:,} passed" + (f", {unscored:,} not scored" if unscored else "")
    mode = job.params.get("mode", "single")
    rate_title = "Pass rate" if mode == "single" and job.kind == "explore" else "Passed with help"
    second.metric(
        f"{rate_title} so far" if status.state in ACTIVE else rate_title,
        percent(passed / count, 1),
        delta=said,
        delta_arrow="off",
        delta_color="off",
        border=True,
        height="stretch",
    )
    rate = attempts_per_minute(rows)
    mean = sum(row.seconds for row in rows) / len(rows)
    third.metric(
        "Paths per minute" if mode == "tree" else "Attempts per minute",
        DASH if rate is None else f"{rate:,.1f}" if rate < 100 else f"{rate:,.0f}",
        delta=f"{duration(mean)} each",
        delta_arrow="off",
        delta_color="off",
        border=True,
        height="stretch",
    )


def attempts_per_minute(rows: list[TrajectoryRow]) -> float | None:
    """The pace at which these trajectories, the newest first, came in; None when that cannot be told."""
    if len(rows) < 2:
        return None
    took = between(rows[-1].created, rows[0].created)
    return None if not took or took <= 0 else 60 * (len(rows) - 1) / took


def _newest(rows: list[TrajectoryRow]) -> None:
    for row in rows:
        word, _, icon = outcome(row.passed)
        said = (
            f"{word} · {label(template_title(row.template))} · {amount(row.n_calls, 'call')} · {duration(row.seconds)}"
        )
        link(TRAJECTORIES, said, icon=icon, query={"id": row.id})


def results(job: Job, status: JobStatus) -> Mapping[str, Any]:
    """Columns of the list of explorations."""
    rate = status.result.get("pass_rate")
    return {"Pass rate": percent(rate) if isinstance(rate, int | float) else DASH}
