"""The Flywheel page: how large a turn is, its button, its stages while it turns, and what it changed."""

from collections.abc import Mapping
from typing import get_args

import streamlit as st
from pydantic import ValidationError

from lamsim_core.errors import NotFoundError
from lamsim_core.flywheel.job import TurnParams, report_folder
from lamsim_core.flywheel.report import told
from lamsim_core.flywheel.sizes import SIZES, Size, SizeName
from lamsim_core.flywheel.turn import BFCL, MEASURED, adapters_of, effort
from lamsim_core.flywheel.wheel import Stage, Stages, read_stages
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import Job
from lamsim_core.models.registry import list_models
from lamsim_core.store.queries import evaluations
from lamsim_core.ui import forms
from lamsim_core.ui.draw import clean, failure, label
from lamsim_core.ui.evaluating import reliability_of
from lamsim_core.ui.evaluation_view import draw_evaluation
from lamsim_core.ui.home import JOB_PAGES
from lamsim_core.ui.jobs import Jobs, jobs_of, start_button
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.terms import policy_name
from lamsim_core.ui.training import BASE_ALONE, bad_name
from lamsim_core.ui.wording import amount, duration

SIZE_NAMES: Mapping[SizeName, str] = {"smoke": "A first look", "cpu": "Two cores", "gpu": "A GPU"}
TAKES: Mapping[SizeName, str] = {
    "smoke": "some five minutes: to see it turn. What is trained is far too little to change anything",
    "cpu": "some two and a half hours on two cores",
    "gpu": "some hours on a data centre's GPU",
}
STAGE_NAMES = {
    "demonstrations": "Reference solutions solve train tasks",
    "rows": "What passed becomes rows",
    "sft": "The model learns from them",
    "own attempts": "It tries other tasks by itself",
    "references": "Reference solutions solve the same",
    "corrections": "Its errors are corrected",
    "pairs": "Better and worse replies become pairs",
    "dpo": "It learns to prefer the better ones",
    MEASURED: "Before and after on held-out tasks",
}
CAME = {
    "rows": "rows",
    "finished": "attempts",
    "attempts": "attempts looked at",
    "corrections": "corrections",
    "passed": "passed",
    "steps": "steps",
    "loss_first": "loss at first",
    "loss": "loss at last",
    "name": "named",
}
"""What is told of a stage that is done, by the name of the fact: how it is called."""
DATASETS = "pages/5_Datasets.py"


def setup(studio: Studio, jobs: Jobs) -> None:
    """How large the turn is, whom it teaches, and the button that starts it."""
    size: SizeName = st.segmented_control(
        "How large",
        get_args(SizeName),
        default="cpu",
        required=True,
        format_func=lambda name: SIZE_NAMES[name],
        key="turn_size",
        persist_state="session",
    )
    st.caption(f"Takes {TAKES[size]}. {_comes_to(SIZES[size])}")
    base = forms.pick_model(
        forms.model_choices(studio.settings, plain=False, adapters=False), "turn_base", text="Base model"
    )
    known = forms.adapters_of(studio.settings, base.name)
    start = st.selectbox(
        "Starts from",
        [BASE_ALONE, *known],
        format_func=lambda adapter_id: clean(known[adapter_id].name) if adapter_id else "The base model alone",
        key=f"turn_start.{base.name}.{len(known)}",
        help="An adapter of it makes this the next turn: learning goes on where it ended.",
    )
    taken = {entry.name for entry in list_models(studio.settings, hidden=True)}
    name = st.text_input(
        "Name of the turn",
        value=free_name(taken, len(jobs)),
        max_chars=60,
        key=f"turn_name.{len(jobs)}",
        help="Its datasets and adapters begin with it.",
    )
    seed = st.number_input(
        "Seed",
        min_value=0,
        value=len(jobs) * 2,
        key=f"turn_seed.{len(jobs)}",
        help="Another turn, other tasks to learn from.",
    )
    params = TurnParams.model_construct(
        name=(name or "").strip(),
        size=size,
        model=base.name,
        from_adapter=known[start].name if start else None,
        seed=int(seed),
    ).model_dump(mode="json")
    why_not = base.why_not or next(
        (wrong for each in adapters_of(params["name"]) if (wrong := bad_name(each, taken)) is not None), None
    )
    if why_not is not None:
        st.warning(label(why_not, limit=600), icon=":material/block:")
    who = policy_name(params["from_adapter"] or base.name)
    start_button(
        studio,
        "turn",
        params,
        jobs,
        name=f"{params['name']}: {SIZE_NAMES[size].lower()}, from {who}",
        text="Turn the wheel",
        icon=":material/autorenew:",
        why_not=why_not,
    )


def free_name(taken: set[str], number: int) -> str:
    """A name for a turn of which nothing is there yet."""
    return next(
        name
        for place in range(number + 1, number + len(taken) + 2)
        if not taken & set(adapters_of(name := f"turn-{place}"))
    )


def _comes_to(size: Size) -> str:
    sampled = f", {size.trials} sampled attempts at {size.trial_tasks} of them" if size.trials else ""
    outside = f" and on BFCL ({', '.join(size.bfcl)})" if size.bfcl else ""
    return (
        f"{size.demonstrations:,} reference solutions, at most {amount(size.rows, 'row')}; {size.own_attempts} attempts of the "
        f"model at {amount(size.own_tasks, 'task')}; measured on {amount(size.tasks, 'task')} of each held-out split"
        f"{sampled}{outside}. Stop at any time; it goes on where it was."
    )


def draw_none() -> None:
    """Before the first turn: what will happen."""
    with st.container(border=True):
        st.subheader("One turn, nine stages", anchor=False)
        for name in STAGE_NAMES.values():
            st.markdown(f":material/radio_button_unchecked: {name}")
        st.caption("Each is a job or a dataset like any other: open it, stop it, look at what it made.")


def draw_stages(studio: Studio, job: Job) -> None:
    """Every stage of a turn: done with what came of it, at work, or still to come."""
    try:
        params = TurnParams.model_validate(job.params)
    except ValidationError:
        return  # asked for from the shell in a way that it was refused: it has no stages, and says why itself
    stages = read_stages(studio.settings, job.id)
    done = {stage.name: stage for stage in stages.done}
    for name in effort(SIZES[params.size], params.name, params.before):
        _draw_stage(studio, name, done.get(name), stages)


def _draw_stage(studio: Studio, name: str, stage: Stage | None, stages: Stages) -> None:
    model = name.removeprefix(BFCL)
    title = STAGE_NAMES.get(name) or f"{policy_name(model)} on the benchmark BFCL"
    at_work = stage is None and name == stages.at
    icon = "check_circle" if stage else "pending" if at_work else "radio_button_unchecked"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="content", gap=None):
            shown = label(title)
            st.markdown(f":material/{icon}: {f'**{shown}**' if at_work else shown}")
            if stage is not None:
                st.caption(label(f"{duration(stage.seconds)} · {_came_of(stage)}", limit=200))
        made_by = stage.made_by if stage else stages.job if at_work else ""
        if made_by:
            _open(studio, made_by)


def _came_of(stage: Stage) -> str:
    """What a stage came to, in a few words."""
    facts = told(stage)
    return ", ".join(f"{word} {facts[key]}" for key, word in CAME.items() if key in facts)


def _open(studio: Studio, made_by: str) -> None:
    if made_by.startswith("ds_"):
        link(DATASETS, "Open", icon=":material/visibility:", query={"id": made_by})
        return
    try:
        kind = supervisor.get_job(studio.settings, made_by).kind
    except NotFoundError:
        return
    link(JOB_PAGES[kind], "Open", icon=":material/visibility:", query={"job": made_by})


def draw_result(studio: Studio, job_id: str) -> None:
    """What a finished turn changed: the comparison, and the report to hand on."""
    result = supervisor.status(studio.settings, job_id).result
    wanted = result.get("evaluation")
    if not wanted:
        return
    found = next((each for each in evaluations(studio.index) if each.id == wanted), None)
    if found is None:
        failure(NotFoundError("evaluation", str(wanted)))
        return
    page = report_folder(studio.settings, str(result["name"])) / "report.html"
    if page.is_file():
        st.download_button(
            "Report of the whole turn",
            data=page.read_bytes(),
            file_name=f"{result['name']}.html",
            mime="text/html",
            icon=":material/download:",
            key=f"turn.report.{job_id}",
        )
    draw_evaluation(studio, found, reliability_of(jobs_of(studio, "evaluate"), found.id))
