"""The Datasets page's second half: what a selection comes to, stage by stage, and freezing it."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from lamsim_core.canonical import canonical_json
from lamsim_core.curate.folder import list_datasets
from lamsim_core.curate.freezing import freeze
from lamsim_core.curate.rules import shortage
from lamsim_core.curate.select import HELD_OUT, Chosen, choose, funnel
from lamsim_core.records import Dataset, DatasetKind, Selection
from lamsim_core.store import Store
from lamsim_core.store.queries import TrajectoryFilter, TrajectoryRow, count_trajectories, find_trajectories
from lamsim_core.ui import terms
from lamsim_core.ui.charts import NEUTRAL, count_bars, draw_chart
from lamsim_core.ui.draw import clean, guard, label
from lamsim_core.ui.making import ROW
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.trajectory_list import table_row, trajectory_table
from lamsim_core.ui.wording import amount, spaced

GROUPINGS = {
    "Category": "category",
    "What it demands": "kind",
    "Kind of task": "template",
    "Who acted": "policy",
    "Calls": "calls",
}
FIRST_NAMES: dict[DatasetKind, str] = {
    "sft": "passed attempts",
    "preference": "preference pairs",
    "labels": "labels",
}
EXAMPLES = 8
"""Attempts shown of those that go in or stay out."""


def preview(studio: Studio, selection: Selection) -> Chosen:
    """What a selection comes to, remembered until something new is stored."""
    asked = canonical_json(selection.model_dump(mode="json"))
    remember = st.cache_data(max_entries=20, show_spinner="Looking through the stored attempts")
    chosen: Chosen = remember(_choose)(str(studio.settings.home), studio.index.version, asked, studio.store)
    return chosen


def _choose(home: str, version: int, selection: str, _store: Store) -> Chosen:
    return choose(_store, Selection.model_validate_json(selection))


def draw_preview(chosen: Chosen) -> None:
    """How many rows, of what, what stays out and why, and examples of both."""
    stages = funnel(len(chosen.rows), chosen.left_out)
    first, second, third = st.columns(3)
    first.metric("Rows", f"{len(chosen.rows):,}", border=True)
    second.metric("Left out", f"{len(chosen.out):,}", border=True)
    third.metric(
        "Of these, held out",
        f"{chosen.left_out.get(HELD_OUT, 0):,}",
        border=True,
        help="Attempts at tasks kept for measuring. They can never enter a dataset, whatever is chosen here.",
    )
    st.markdown("**What is left after each stage**")
    draw_chart(
        count_bars({stage.capitalize(): number for stage, number in stages.items()}, unit="Attempts", ranked=False),
        key="datasets_funnel",
        alt="Attempts left after each stage: " + ", ".join(f"{number} {stage}" for stage, number in stages.items()),
    )
    if chosen.rows:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**What goes in**", width="content")
            by = st.segmented_control(
                "By",
                list(GROUPINGS),
                default="Category",
                required=True,
                key="datasets_by",
                label_visibility="collapsed",
            )
        counts = group_rows(chosen.rows, GROUPINGS[by or "Category"])
        draw_chart(count_bars(counts, unit="Rows"), key=f"datasets_chart_{by}", alt="Rows that go in, grouped")
    if chosen.left_out:
        st.markdown("**What stays out, and why**")
        draw_chart(
            count_bars(
                {spaced(reason).capitalize(): number for reason, number in chosen.left_out.items()},
                tint=NEUTRAL,
                unit="Attempts",
            ),
            key="datasets_out",
            alt="Attempts left out, by reason",
        )
        st.caption("Each attempt counts once, under the first reason that holds.")


def draw_examples(studio: Studio, chosen: Chosen) -> None:
    """Some of the attempts that go in, and on the other tab some that stay out, with the reason and what it rests on."""
    going, staying = st.tabs(["Some that go in", "Some that stay out"], key="datasets_examples", on_change="rerun")
    if going.open:
        with going:
            if chosen.rows:
                trajectory_table(chosen.rows[:EXAMPLES], key=f"datasets-in-{studio.index.version}")
            else:
                st.caption("Nothing goes in.")
    if staying.open:
        with staying:
            _draw_left_out(studio, chosen)


def _draw_left_out(studio: Studio, chosen: Chosen) -> None:
    reasons = list(chosen.left_out)
    if not reasons:
        st.caption("Nothing stays out.")
        return
    reason = st.selectbox(
        "Reason", reasons, format_func=lambda name: clean(spaced(name).capitalize()), key="datasets_reason"
    )
    out = {each.trajectory: each for each in chosen.out if each.reason == reason}
    some = tuple(list(out)[:EXAMPLES])
    rows = find_trajectories(studio.index, TrajectoryFilter(ids=some), limit=None) if some else []
    st.dataframe(
        [{**table_row(row), "Because": clean(out[row.id].because), "Id": row.id} for row in rows],
        key="datasets_left_out",
        hide_index=True,
        column_order=["Task", "Request", "Because", "Policy", "Made", "Id"],
        column_config={
            "Because": st.column_config.TextColumn(help="The attempt it repeats, or what was found elsewhere.")
        },
        alt="Attempts that stay out for the chosen reason",
    )


def group_rows(rows: Sequence[TrajectoryRow], by: str) -> dict[str, int]:
    """How many rows there are of each category, kind, task (``template``), policy or number of calls.

    By kind a row counts once for each of its task's kinds.
    """
    if by == "kind":
        return dict(Counter(spaced(kind).capitalize() for row in rows for kind in row.kinds))
    return dict(Counter(_group(row, by) for row in rows))


def _group(row: TrajectoryRow, by: str) -> str:
    if by == "template":
        return f"{terms.template_title(row.template)} ({terms.category_title(row.category)})"
    if by == "policy":
        return terms.policy_name(row.policy)
    return amount(row.n_calls, "call") if by == "calls" else terms.category_title(row.category)


def draw_freeze(studio: Studio, selection: Selection, kind: DatasetKind, rows: int, members: tuple[str, ...]) -> None:
    """Name it and freeze it. What was frozen before, unchanged, is shown instead of frozen again."""
    newest = next((each for each in list_datasets(studio.settings).datasets if each.kind == kind), None)
    name = st.text_input(
        "Name",
        value=FIRST_NAMES[kind] if newest is None else newest.name,
        max_chars=80,
        key="datasets_name" if kind == "sft" else f"datasets_name_{kind}",
        help="Versions may share a name: the earlier one becomes the parent.",
    )
    if not rows:
        st.caption("Nothing goes in. Explore first, or loosen the choices above.")
    elif missing := shortage(selection, rows):
        st.caption(missing)
    if selection.weigh == "all":
        st.warning(
            "UNFILTERED: everything the agent said is trained on, failed or not.", icon=":material/filter_alt_off:"
        )
    if st.button(
        f"Freeze {amount(rows, ROW[kind])}",
        key="datasets_freeze",
        type="primary",
        icon=":material/ac_unit:",
        disabled=not rows,
        width="stretch",
    ):
        with guard():
            dataset = same_version(studio, (name or "").strip(), selection, kind, members)
            if dataset is None:
                with st.spinner("Freezing"):
                    dataset = freeze(studio.store, name or "", selection, kind=kind)
                st.toast(label(f"Frozen: {dataset.name}, {rows_of(dataset)}."), icon=":material/ac_unit:")
            else:
                st.toast("Exactly this was frozen before; here it is.", icon=":material/info:")
            show_dataset(dataset.id)
            st.rerun()


def same_version(
    studio: Studio, name: str, selection: Selection, kind: DatasetKind, members: tuple[str, ...]
) -> Dataset | None:
    """A version of this name and kind with exactly this selection and these members; None when there is none."""
    wanted = name, kind, selection, members
    known = list_datasets(studio.settings).datasets
    return next((each for each in known if (each.name, each.kind, each.selection, each.members) == wanted), None)


def rows_of(dataset: Dataset) -> str:
    """How many rows a dataset has, and what they are."""
    return amount(dataset.rows, ROW[dataset.kind])


def show_dataset(dataset_id: str) -> None:
    """Make a dataset the one the page shows."""
    st.query_params["id"] = dataset_id


def hide_dataset() -> None:
    """Show no dataset in particular."""
    st.query_params.pop("id", None)


def draw_empty(studio: Studio) -> bool:
    """Say what to do when nothing is stored yet; whether that is so."""
    if count_trajectories(studio.index):
        return False
    with st.container(border=True):
        st.subheader("Nothing to choose from yet", anchor=False)
        st.text("A dataset is made from stored attempts that passed. Let an agent try some tasks first.")
        link("pages/2_Explore.py", "Explore", icon=":material/travel_explore:")
    return True


def version_title(dataset: Dataset) -> str:
    """A dataset in a select box."""
    return clean(f"{dataset.name} · {rows_of(dataset)} · {dataset.hash[:8]}")
