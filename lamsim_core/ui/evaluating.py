"""The Evaluate page's first half: whom to measure on what, and what is happening while it is measured."""

from collections.abc import Mapping, Sequence

import streamlit as st

from lamsim_core.agent.policy import PLAIN_POLICIES
from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.evaluate.job import PLAN, Plan, beside_earlier
from lamsim_core.evaluate.parts import rows_of
from lamsim_core.jobs.folder import job_folder, read_record
from lamsim_core.jobs.job import RESUMABLE, Job, JobStatus
from lamsim_core.models.registry import list_models
from lamsim_core.records import CONSTRAINED, Evaluation, Split
from lamsim_core.store.queries import TrajectoryFilter, outcome_by
from lamsim_core.tasks import templates_of
from lamsim_core.ui import forms
from lamsim_core.ui.charts import draw_chart, rate_list
from lamsim_core.ui.draw import failure, label
from lamsim_core.ui.jobs import Jobs, chosen_job, start_button
from lamsim_core.ui.page import Studio
from lamsim_core.ui.terms import policy_name
from lamsim_core.ui.wording import SPLIT_NAMES, amount

MODELS = "evaluate_models"
CALLS = {"free": "Free", "constrained": "Constrained", "both": "Both"}
ENDS = {"free": ("",), "constrained": (CONSTRAINED,), "both": ("", CONSTRAINED)}
"""What is added to the names of models."""
TRIALS_HELP = (
    "With these it also shows how often a model passes when its replies are drawn by chance, and how often all of several "
    "attempts at a task pass. So many at each of the first tasks, at temperature 0.7; 0 for none."
)
ATTEMPTS_HELP = "Models are compared by these. More than one is of use only with a temperature above 0."


def setup(studio: Studio, jobs: Jobs) -> None:
    """Whom to measure, on what, what that comes to, and the button that starts it."""
    choices = forms.model_choices(studio.settings, plain=False)
    if MODELS not in st.session_state or "adapter" in st.query_params:
        st.session_state[MODELS] = default_models(studio, st.query_params.pop("adapter", None))
    st.session_state[MODELS] = [name for name in st.session_state[MODELS] if name in choices]
    picked = st.multiselect(
        "Models",
        list(choices),
        format_func=lambda name: forms.choice_title(choices, name),
        key=MODELS,
        persist_state="session",
        wrap=True,
        help="Two or more. Base models stand before adapters, and each is compared with the first.",
    )
    beside = st.pills(
        "Beside them",
        list(PLAIN_POLICIES),
        selection_mode="multi",
        default=list(PLAIN_POLICIES),
        format_func=policy_name,
        key="evaluate_beside",
        persist_state="session",
        wrap=True,
        help="They show that the measuring itself is sound: the reference solution should pass everything, the others nothing.",
    )
    bases = {entry.name: entry.base for entry in list_models(studio.settings)}
    picked = sorted(picked, key=lambda name: bases.get(name) is not None)
    splits = forms.pick_splits("evaluate_splits")
    categories, templates = forms.narrow_down(splits, "evaluate")
    left, right = st.columns(2)
    with left:
        tasks = forms.pick_number(
            "Tasks of each", 50, "evaluate_tasks", help="Every model gets the same, with the same seeds."
        )
    with right:
        trials = forms.pick_number("Sampled attempts", 0, "evaluate_trials", least=0, most=100, help=TRIALS_HELP)
    with st.expander("More", icon=":material/tune:", type="compact"):
        left, right = st.columns(2)
        with left:
            trial_tasks = forms.pick_number("Tasks that get them", 50, "evaluate_trial_tasks", help=TRIALS_HELP)
        with right:
            attempts = forms.pick_number("Attempts compared", 1, "evaluate_attempts", most=100, help=ATTEMPTS_HELP)
        temperature = forms.pick_temperature("evaluate_temperature", 0.0)
        calls = st.segmented_control(
            "Calls",
            ["free", "constrained", "both"],
            default="free",
            required=True,
            format_func=CALLS.__getitem__,
            key="evaluate_calls",
            persist_state="session",
            help=f"{forms.CONSTRAINED_HELP} Both: every model stands beside itself.",
        )
        seed = forms.pick_number("Seed", 0, "evaluate_seed", least=0, most=2**31 - 1, help=forms.SEED_HELP)
        max_steps = forms.pick_number("Turns at most", studio.settings.max_steps, "evaluate_steps", most=100)
        name = st.text_input("Name", max_chars=120, key="evaluate_name", placeholder="made from models and tasks")
    named = [f"{name}{end}" for name in picked for end in ENDS[calls]]
    models = [*named, *beside]
    paces = [forms.pace(studio.index, model) for model in models]
    st.caption(label(forms.estimate(len(splits) * (tasks * attempts + min(tasks, trial_tasks) * trials), paces)))
    why_not = next((choices[model].why_not for model in picked if choices[model].why_not is not None), None)
    why_not = why_not or _no_tasks(splits, categories, templates)
    if why_not is None and len(models) < 2:
        why_not = "Choose two or more, so that there is something to compare."
    if why_not is not None:
        st.caption(label(why_not, limit=600))
    who = ", ".join(map(policy_name, named or models))
    said = (name or "").strip() or f"{who}: {_where(splits, tasks)}"[:120]
    params = {
        "models": models,
        "name": said,
        "split": next(iter(splits), "unseen_instances"),
        "splits": list(splits),
        "categories": list(categories),
        "templates": list(templates),
        "tasks": tasks,
        "attempts": attempts,
        **({"trials": trials, "trial_tasks": trial_tasks} if trials else {}),
        "seed": seed,
        "temperature": temperature,
        "max_steps": max_steps,
        "max_new_tokens": studio.settings.max_new_tokens,
    }
    start_button(studio, "evaluate", params, jobs, name=said, text="Evaluate", why_not=why_not)


def _no_tasks(splits: Sequence[Split], categories: Sequence[str], templates: Sequence[str]) -> str | None:
    """Why there are no tasks to try, or None."""
    if not splits:
        return "Choose where the tasks come from."
    try:
        for split in splits:
            templates_of(split, tuple(categories), tuple(templates))
    except InvalidInputError:
        return f"{SPLIT_NAMES[split]} holds none of the chosen tasks. Take it away, or choose other tasks."
    return None


def _where(splits: Sequence[Split], tasks: int) -> str:
    names = ", ".join(SPLIT_NAMES[split].lower() for split in splits)
    return f"{amount(tasks, 'task')}, {names}" if len(splits) == 1 else f"{amount(tasks, 'task')} of each, {names}"


def default_models(studio: Studio, adapter: str | None) -> list[str]:
    """A base model and an adapter of it: the one asked for, else the newest that can be used."""
    entries = {entry.name: entry for entry in list_models(studio.settings) if entry.available}
    trained = [entry for entry in entries.values() if entry.kind == "adapter"]
    asked = [entry for entry in trained if adapter in (entry.name, entry.adapter)]
    if newest := (asked or trained)[-1:]:
        return [name for name in (newest[0].base, newest[0].name) if name is not None]
    return [entry.name for entry in entries.values() if entry.default]


def runs_of(studio: Studio, job: Job) -> dict[str, str]:
    """Which run each model's attempts are stored under; empty before the job has planned."""
    try:
        return read_record(job_folder(studio.settings, job.id) / PLAN, Plan).runs
    except (OSError, ValueError):
        return {}


def draw_more_models(studio: Studio, jobs: Jobs, evaluation: Evaluation) -> None:
    """Below an evaluation: let further models try the same attempts, without doing the others' again."""
    if evaluation.job not in {job.id for job, _ in jobs}:
        return  # it came from elsewhere
    known = {row.policy.label for row in rows_of(evaluation)}
    choices = {name: each for name, each in forms.model_choices(studio.settings).items() if name not in known}
    with st.expander("Try further models on the same attempts", icon=":material/add_chart:", type="compact"):
        picked = st.multiselect(
            "Models",
            list(choices),
            format_func=lambda name: forms.choice_title(choices, name),
            key=f"further.{evaluation.id}",
            wrap=True,
            help="What is measured already is not measured again.",
        )
        paces = [forms.pace(studio.index, name) for name in picked]
        each = len(evaluation.task_keys) * evaluation.attempts
        st.caption(label(forms.estimate(each, paces)) if picked else "Choose one or more.")
        why_not = next((choices[name].why_not for name in picked if choices[name].why_not is not None), None)
        name = f"{evaluation.name}, with {', '.join(map(policy_name, picked))}"[:120]
        start_button(
            studio,
            "evaluate",
            beside_earlier(studio.settings, evaluation.job or "", picked, name),
            jobs,
            name=name,
            text="Evaluate them too",
            why_not=why_not if picked else "Choose a model first.",
            main=False,
            key=f"further.start.{evaluation.id}",
        )


def draw_going(studio: Studio, job: Job, status: JobStatus) -> None:
    """Every model's pass rate so far."""
    counts: dict[str, tuple[int, int]] = {}
    runs = runs_of(studio, job)
    for name in [str(model) for model in job.params.get("models") or () if model in runs]:  # type: ignore[union-attr]
        found = outcome_by(studio.index, TrajectoryFilter(runs=(runs[name],)), "run")
        if found:
            counts[policy_name(name)] = (found[0]["passed"], found[0]["count"])
    if not counts:
        st.caption("The first attempt shows here as soon as it is finished.")
        return
    st.markdown("**Pass rate so far**")
    draw_chart(rate_list(counts), key=f"going.{job.id}", alt="Pass rate of each model so far")


def what_to_show(jobs: Jobs, found: Mapping[str, Evaluation]) -> tuple[str | None, str | None]:
    """The job and the evaluation to show: what the address asks for, else what runs, else the newest evaluation."""
    wanted = st.query_params.get("id")
    if wanted is not None:
        if wanted in found:
            return None, wanted
        failure(NotFoundError("evaluation", wanted))
    job_id = chosen_job(jobs)
    status = {job.id: status for job, status in jobs}.get(job_id or "")
    if status is None:
        return None, next(iter(found), None)
    made = str(status.result.get("evaluation", ""))
    return (None, made) if made in found else (job_id, None)


def reliability_of(jobs: Jobs, evaluation_id: str) -> dict[str, list[float]]:
    """For each model of an evaluation pass^1, pass^2, ..., as its job worked them out; empty when that job is gone."""
    for _, status in jobs:
        found = status.result.get("reliability")
        if status.result.get("evaluation") == evaluation_id and isinstance(found, dict):
            return {
                name: [p for p in parts if isinstance(p, float)]
                for name, parts in found.items()
                if isinstance(parts, list)
            }
    return {}


def unfinished(jobs: Jobs) -> Jobs:
    """Jobs that ended without an evaluation and can be resumed."""
    return [(job, status) for job, status in jobs if status.state in RESUMABLE]
