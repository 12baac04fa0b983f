"""An adapter in the Catalog: how it was made, what it was measured at, and handing it on, merging it, deleting it."""

from pathlib import Path

import streamlit as st

from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, Job, JobStatus
from lamsim_core.models.registry import ModelEntry, find_adapter
from lamsim_core.records import Adapter
from lamsim_core.tasks.splits import seed_range
from lamsim_core.train.handing_on import export_zip
from lamsim_core.train.measured import Measured, measured
from lamsim_core.train.removal import delete_adapter
from lamsim_core.train.shipping import DATASET_CARD
from lamsim_core.ui.draw import chip, clean, guard, label, untrusted
from lamsim_core.ui.jobs import Jobs, job_list, job_panel, jobs_of, request_id, show_job
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.simulate import FIRST_TASK
from lamsim_core.ui.training_view import HELD_OUT, changes, facts, origin
from lamsim_core.ui.wording import SPLIT_NAMES, amount, percent

MERGE_HELP = (
    "Writes base and adapter as one model of its own, which any program reads without PEFT. It then runs a text through both "
    "and says how near they are."
)


def draw_adapter(studio: Studio, entry: ModelEntry, merges: Jobs) -> None:
    """What can be done with an adapter, and where it comes from."""
    folder, adapter = find_adapter(studio.settings, str(entry.adapter))
    with st.container(horizontal=True, vertical_alignment="center"):
        if entry.available:
            first = {"task": FIRST_TASK, "seed": str(seed_range(HELD_OUT)[0]), "policy": adapter.name}
            link("pages/1_Simulate.py", "Try it on Simulate", icon=":material/play_circle:", query=first)
        _draw_export(studio, adapter)
        if entry.available:
            _draw_merge(studio, adapter, merges)
        if not entry.shipped:
            _draw_delete(studio, adapter)
    details = st.expander(
        "How it was made and measured", icon=":material/fact_check:", key=f"details.{adapter.id}", on_change="rerun"
    )
    if details.open:
        with details, guard():
            _draw_details(studio, folder, adapter)


def _draw_export(studio: Studio, adapter: Adapter) -> None:
    st.download_button(
        "Export",
        data=lambda: export_zip(studio.settings, adapter.id),
        file_name=f"{adapter.name}.zip",
        mime="application/zip",
        key=f"export.{adapter.id}",
        icon=":material/download:",
        on_click="ignore",
        help="A folder that PEFT and transformers load without this product, as an archive.",
    )


def _draw_merge(studio: Studio, adapter: Adapter, merges: Jobs) -> None:
    params = {"model": adapter.id}
    going = any(status.state in ACTIVE and job.params == params for job, status in merges)
    if st.button(
        "Merging" if going else "Merge",
        key=f"merge.{adapter.id}",
        icon=":material/merge:",
        disabled=going,
        help=MERGE_HELP,
    ):
        job = supervisor.start(
            studio.settings,
            "merge",
            params,
            label=clean(f"{adapter.name} into {adapter.base}"),
            request_id=request_id("merge", params, merges),
        )
        show_job(job.id)
        st.rerun()


def _draw_delete(studio: Studio, adapter: Adapter) -> None:
    with st.popover("Delete", icon=":material/delete:", key=f"deleting.{adapter.id}"):
        st.text(f"Delete {clean(adapter.name)}? Its weights are gone then.")
        st.caption("The attempts it made, and how they were judged, stay.")
        if st.button("Delete it", key=f"delete.{adapter.id}", type="primary", icon=":material/delete:"):
            with guard():
                delete_adapter(studio.settings, adapter.id)
                st.toast(f"{label(adapter.name)} is deleted.", icon=":material/delete:")
                st.rerun()


def _draw_details(studio: Studio, folder: Path, adapter: Adapter) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Where it comes from**")
        st.table(
            facts(origin(studio.settings, adapter)),
            border="horizontal",
            hide_header=True,
            alt="Provenance of the adapter",
        )
        if (studio.settings.datasets / adapter.dataset).is_dir():
            link("pages/5_Datasets.py", "Its dataset", icon=":material/dataset:", query={"id": adapter.dataset})
        elif not (folder / DATASET_CARD).is_file():
            st.caption("Its dataset is not on this machine.")
    with right:
        st.markdown("**What training changed**")
        st.table(facts(changes(adapter.metrics)), border="horizontal", hide_header=True, alt="Metrics of the training")
    st.markdown("**What it was measured at**")
    results = measured(studio.index, (adapter.id,), adapter.base)
    for each in results:
        _draw_result(each)
    if (folder / DATASET_CARD).is_file():
        with st.expander("The card of its dataset", icon=":material/dataset:", type="compact"):
            untrusted((folder / DATASET_CARD).read_text(encoding="utf-8", errors="replace"), language="markdown")
    if not results:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("Nothing yet. An evaluation tries it on held-out tasks, beside its base model.", width="content")
            link("pages/7_Evaluate.py", "Evaluate it", icon=":material/monitoring:", query={"adapter": adapter.name})


def _draw_result(each: Measured) -> None:
    row, base, compared = each.row, each.base, each.comparison
    tries = amount(row.planned, "attempt")
    said = f"{percent(row.pass_rate, 1)} passed ({percent(row.low, 1)} to {percent(row.high, 1)})"
    beside = "" if base is None else f" · {label(base.policy.label)} {percent(base.pass_rate, 1)}"
    p_value = "" if compared is None else f" · p = {compared.p_value:.2g}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chip(SPLIT_NAMES[each.split], icon=":material/monitoring:")
        st.text(said)
        st.caption(f"of {tries}{beside}{p_value}", width="content")
        link("pages/7_Evaluate.py", "Open", icon=":material/open_in_new:", query={"id": each.evaluation.id})


def draw_merges(studio: Studio, merges: Jobs) -> None:
    """The merge that goes on, or that the address asks for."""
    wanted = st.query_params.get("job")
    shown = next((job.id for job, status in merges if job.id == wanted or status.state in ACTIVE), None)
    if shown is not None:
        job_panel(studio, shown, _draw_merged)


def draw_earlier_merges(merges: Jobs) -> None:
    """The merges there were, as a list."""
    job_list(merges, "merge", shown=st.query_params.get("job"), title="Merged models")


def _draw_merged(job: Job, status: JobStatus) -> None:
    result = status.result
    folder, size = result.get("folder"), result.get("bytes")
    same, farthest = result.get("same"), result.get("farthest")
    if status.state != "done" or not isinstance(size, int | float):
        return
    st.caption(f"{size / 1e6:,.0f} MB of safetensors, with configuration, tokenizer and card, in this folder")
    untrusted(str(folder))
    if isinstance(same, int | float) and isinstance(farthest, int | float):
        st.caption(
            f"Read back, it finds the same next token likeliest at {percent(same, 1)} of the places of a text, and no chance "
            f"of a token differs by more than {farthest:.3f}."
        )


def merges_of(studio: Studio) -> Jobs:
    """All merges, the newest first."""
    return jobs_of(studio, "merge")
