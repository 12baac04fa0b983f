"""The Train page's second half: a run as it learns, the adapter that came of it, and all adapters."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from lamsim_core.errors import NotFoundError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, RESUMABLE, Job, JobStatus
from lamsim_core.jobs.output import Number
from lamsim_core.models.registry import adapter_folders
from lamsim_core.records import Adapter, Recipe, Split
from lamsim_core.settings import Settings
from lamsim_core.tasks.splits import seed_range
from lamsim_core.train.adapters import published_by
from lamsim_core.train.methods import METHODS
from lamsim_core.ui.charts import draw_chart
from lamsim_core.ui.curves import Point, curve
from lamsim_core.ui.draw import chip, clean, failure, guard, label
from lamsim_core.ui.jobs import Jobs, chosen_job
from lamsim_core.ui.measuring import measure_button
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.simulate import FIRST_TASK
from lamsim_core.ui.tables import button_column
from lamsim_core.ui.wording import DASH, amount, moment, number, percent, spaced

HELD_OUT: Split = "unseen_instances"
"""Where a trained model is tried out first: on what it was not trained on."""


class Measure(NamedTuple):
    """A number of a step."""

    title: str
    percent: bool = False
    help: str | None = None


MEASURES: Mapping[str, Measure] = {
    "loss": Measure("Loss"),
    "token_accuracy": Measure("Token accuracy", True, "Of the trained tokens."),
    "accuracy": Measure(
        "Told apart", True, "Replies of the step whose better side, or whose right or wrong, the model now tells."
    ),
    "margin": Measure(
        "Reward margin",
        False,
        "How much more than at the start the model favours better replies over worse ones; it begins at 0 and should grow.",
    ),
}
"""What is shown of a run."""


def by_step(metrics: Sequence[Mapping[str, Number]]) -> list[Mapping[str, Number]]:
    """The numbers in the order of the steps; of a step made twice, after a resume, the later ones."""
    newest = {row["step"]: row for row in metrics if row.get("step") is not None}
    return [newest[step] for step in sorted(newest, key=float)]  # type: ignore[arg-type]


def points(rows: Sequence[Mapping[str, Number]], name: str) -> list[Point]:
    """One quantity over the steps; a step where it was not finite is left out."""
    pairs = [(row.get("step"), row.get(name)) for row in rows]
    return [(float(step), float(value)) for step, value in pairs if step is not None and value is not None]


def draw_run(studio: Studio, job: Job, status: JobStatus) -> None:
    """The numbers and curves of a run so far."""
    rows = by_step(supervisor.metrics(studio.settings, job.id))
    if not rows:
        if status.state in ACTIVE:
            st.caption("The first step shows here as soon as it is made.")
        return
    if status.state in RESUMABLE and published_by(studio.settings, job.id) is None:
        _keep_button(studio.settings, job)
    known = {name: points(rows, name) for name in MEASURES}
    shown = [name for name in ("loss", "margin", "accuracy", "token_accuracy") if known[name]][:3]
    if not known["margin"] and not known["accuracy"]:
        shown = [name for name in ("loss", "token_accuracy") if known[name]]
    cells = st.columns(len(shown) + (2 if len(shown) < 3 else 1))
    for cell, name in zip(cells, shown, strict=False):
        measure, last = MEASURES[name], known[name][-1][1]
        said = percent(last, 1) if measure.percent else number(last, 3)
        cell.metric(measure.title, said, border=True, help=measure.help)
    cells[len(shown)].metric("Tokens per second", number(rows[-1].get("tokens_per_second"), 0), border=True)
    if len(shown) < 3:
        rate = rows[-1].get("learning_rate")
        cells[-1].metric("Learning rate", DASH if rate is None else f"{rate:.1e}", border=True)
    for column, name in zip(st.columns(len(shown)) if shown else (), shown, strict=True):
        measure = MEASURES[name]
        with column:
            figure = curve(known[name], title=measure.title, x_title="Step", smoothed=True, percent=measure.percent)
            draw_chart(figure, key=f"{name}.{job.id}", alt=f"{measure.title} over the steps")


def _keep_button(settings: Settings, job: Job) -> None:
    if not st.button(
        "Keep as it is",
        key=f"keep.{job.id}",
        icon=":material/save:",
        help="Makes an adapter of what was learned up to the last checkpoint. The training ends with it.",
    ):
        return
    from lamsim_core.train.job import keep

    with guard():
        with st.spinner("Reading the dataset and the checkpoint"):
            adapter = keep(settings, job.id)
        show_adapter(adapter.id)
        st.rerun()


def what_to_show(settings: Settings, jobs: Jobs) -> tuple[str | None, Adapter | None]:
    """The run and the adapter to show: what the address asks for, else what runs."""
    wanted = st.query_params.get("id")
    if wanted is not None:
        adapter = next((a for _, a in adapter_folders(settings) if wanted in (a.id, a.name)), None)
        if adapter is not None:
            return None, adapter
        failure(NotFoundError("adapter", wanted))
    job_id = chosen_job(jobs)
    made = next((status.result.get("adapter") for job, status in jobs if job.id == job_id), None)
    return job_id, next((a for _, a in adapter_folders(settings) if a.id == made), None)


def draw_adapter(studio: Studio, adapter: Adapter) -> None:
    """An adapter's card, and where to go with it."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                st.subheader(label(adapter.name), anchor=False, width="content")
                chip("adapter", color="primary", icon=":material/extension:")
                chip(f"of {adapter.base}", icon=":material/memory:")
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                measure_button(studio, adapter)
                link(
                    "pages/1_Simulate.py",
                    "Try it on Simulate",
                    icon=":material/play_circle:",
                    query={"task": FIRST_TASK, "seed": str(seed_range(HELD_OUT)[0]), "policy": adapter.name},
                )
                link(
                    "pages/7_Evaluate.py", "Evaluate it", icon=":material/monitoring:", query={"adapter": adapter.name}
                )
        left, right = st.columns(2, gap="large")
        with left:
            st.markdown("**What training changed**")
            st.table(
                facts(changes(adapter.metrics)), border="horizontal", hide_header=True, alt="Metrics of the training"
            )
        with right:
            st.markdown("**Where it comes from**")
            st.table(
                facts(origin(studio.settings, adapter)),
                border="horizontal",
                hide_header=True,
                alt="Provenance of the adapter",
            )
            link("pages/5_Datasets.py", "Its dataset", icon=":material/dataset:", query={"id": adapter.dataset})


def facts(facts: Mapping[str, str]) -> dict[str, str]:
    """A table reads Markdown; these are to be read as they are written."""
    return {label(name): label(value) for name, value in facts.items()}


def changes(metrics: Mapping[str, float]) -> dict[str, str]:
    """Metrics of a training, those known from its beginning and its end as one."""
    shown: dict[str, str] = {}
    for name, value in metrics.items():
        if name.removesuffix("_first") != name and name.removesuffix("_first") in metrics:
            continue
        before = metrics.get(f"{name}_first")
        said = f"{value:,.4g}"
        shown[spaced(name).capitalize()] = said if before is None else f"{before:,.4g} → {said}"
    return shown


def origin(settings: Settings, adapter: Adapter) -> dict[str, str]:
    """What an adapter was made from and how."""
    names = {record.id: record.name for _, record in adapter_folders(settings)}
    recipe = adapter.recipe
    held = "" if recipe.method == "sft" else f" (beta {recipe.beta:g})"
    often = amount_of_times(recipe)
    return {
        "Trained": moment(adapter.created),
        "Method": f"{recipe.method.upper()}{held}, LoRA rank {recipe.lora_rank}, alpha {recipe.lora_alpha}",
        "Starts from": started_from(adapter, names),
        "Data": f"{adapter.dataset_hash[:8]}, {often}",
        "Learning rate": f"{recipe.learning_rate:g}, seed {recipe.seed}",
        "Base weights": f"{recipe.precision}, {adapter.base_hash[:12]}",
        "Weights": adapter.weights_sha256[:16],
    }


def started_from(adapter: Adapter, names: Mapping[str, str]) -> str:
    """What an adapter started from, by name; ``names`` holds the adapters that are here."""
    if adapter.start is None:
        return adapter.base
    return names.get(adapter.start) or f"an adapter that is no longer here ({adapter.start[-6:]})"


def amount_of_times(recipe: Recipe) -> str:
    """How often the data are gone through."""
    times = "once" if recipe.epochs == 1 else f"{recipe.epochs:g} times"
    return (
        times
        if recipe.max_optimizer_steps is None
        else f"{times}, {amount(recipe.max_optimizer_steps, 'step')} at most"
    )


def draw_adapters(studio: Studio, shown: str | None) -> None:
    """Every adapter; a click shows one."""
    adapters = [adapter for _, adapter in adapter_folders(studio.settings) if adapter.id != shown]
    adapters.sort(key=lambda adapter: adapter.created, reverse=True)
    if not adapters:
        return
    st.subheader("Other adapters" if shown else "Adapters", anchor=False)
    rows: list[dict[str, Any]] = [
        {
            "Show": ":material/visibility:",
            "Name": clean(adapter.name),
            "Base": clean(adapter.base),
            "Method": METHODS[adapter.recipe.method].title,
            "Data": adapter.dataset_hash[:8],
            "Trained": moment(adapter.created),
        }
        for adapter in adapters
    ]
    st.dataframe(
        rows,
        key="adapters",
        hide_index=True,
        column_config={"Show": button_column("adapters.show", lambda row: show_adapter(adapters[row].id))},
        alt="Trained adapters, the newest first",
    )


def show_adapter(adapter_id: str) -> None:
    """Make an adapter the one the page shows."""
    st.query_params.pop("job", None)
    st.query_params["id"] = adapter_id
