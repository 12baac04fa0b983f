"""The Datasets page's first half: choose what goes in, see what that comes to, freeze it."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from lamsim_core.canonical import canonical_json
from lamsim_core.curate.folder import list_datasets
from lamsim_core.curate.freezing import freeze
from lamsim_core.curate.select import HELD_OUT, Chosen, select
from lamsim_core.records import Dataset, Selection
from lamsim_core.store import Index
from lamsim_core.store.queries import TrajectoryRow, count_trajectories, facets
from lamsim_core.ui import terms
from lamsim_core.ui.charts import NEUTRAL, count_bars, draw_chart
from lamsim_core.ui.draw import clean, guard, label
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.trajectory_list import value_title
from lamsim_core.ui.wording import amount

GROUPINGS = {"Category": "category", "Kind of task": "template", "Who acted": "policy", "Calls": "calls"}
KEPT = {
    "policies": "Who acted",
    "categories": "Categories",
    "templates": "Kinds of tasks",
    "tags": "Tags",
    "runs": "Runs",
}
"""Choices among what is stored; nothing chosen means all."""
FIRST_NAME = "passed attempts"


def draw_selection(studio: Studio) -> Selection:
    """What goes in."""
    known = facets(studio.index)
    passed_only = st.toggle(
        "Only attempts that passed",
        value=True,
        key="datasets_passed",
        persist_state="session",
        help="Training on attempts that failed teaches the failure. Leave this on unless you know why not.",
    )
    decisions = st.pills(
        "Your decisions let in",
        list(terms.DECISIONS),
        selection_mode="multi",
        default=["accept", "undecided"],
        format_func=lambda decision: terms.DECISIONS[decision],
        key="datasets_decisions",
        persist_state="session",
        wrap=True,
        help="Accept and reject attempts on the Review and Trajectories pages. A rejected one stays out by default.",
    )
    chosen = {name: _choose(name, known.get(name, [])) for name in ("policies", "categories", "templates")}
    left, right = st.columns(2)
    most_errors = left.number_input(
        "Failed actions at most",
        min_value=0,
        value=0,
        step=1,
        key="datasets_errors",
        persist_state="session",
        placeholder="Any number",
        help="Actions that failed a check within the attempt. They are never trained on, but the recovery after them is. "
        "Empty means any number.",
    )
    most_each = right.number_input(
        "Of each kind at most",
        min_value=1,
        value=None,
        step=1,
        key="datasets_cap",
        persist_state="session",
        placeholder="No limit",
        help="The newest of each kind of task are taken, so that no kind outweighs the others.",
    )
    with st.expander("Tags and runs", icon=":material/tune:", type="compact"):
        chosen |= {name: _choose(name, known.get(name, [])) for name in ("tags", "runs")}
    return Selection(
        passed_only=passed_only,
        decisions=tuple(decisions),
        max_per_template=most_each,
        max_errors=most_errors,
        **{name: tuple(values) for name, values in chosen.items()},
    )


def _choose(name: str, known: Sequence[str]) -> list[str]:
    chosen: list[str] = st.multiselect(
        KEPT[name],
        known,
        format_func=lambda value: value_title(name, value),
        placeholder="All",
        key=f"datasets_{name}",
        persist_state="session",
    )
    return [value for value in chosen if value in known]


def preview(studio: Studio, selection: Selection) -> Chosen:
    """What a selection comes to, remembered until something new is stored."""
    asked = canonical_json(selection.model_dump(mode="json"))
    remember = st.cache_data(max_entries=20, show_spinner="Looking through the stored attempts")
    chosen: Chosen = remember(_select)(str(studio.settings.home), studio.index.version, asked, studio.index)
    return chosen


def _select(home: str, version: int, selection: str, _index: Index) -> Chosen:
    return select(_index, Selection.model_validate_json(selection))


def draw_preview(chosen: Chosen) -> None:
    """How many rows, of what, and what stays out and why."""
    first, second, third = st.columns(3)
    first.metric("Rows", f"{len(chosen.rows):,}", border=True)
    second.metric("Left out", f"{sum(chosen.left_out.values()):,}", border=True)
    third.metric(
        "Of these, held out",
        f"{chosen.left_out.get(HELD_OUT, 0):,}",
        border=True,
        help="Attempts at tasks kept for measuring. They can never enter a dataset, whatever is chosen here.",
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
                {reason.capitalize(): number for reason, number in chosen.left_out.items()},
                tint=NEUTRAL,
                unit="Attempts",
            ),
            key="datasets_out",
            alt="Attempts left out, by reason",
        )
        st.caption("Each attempt counts once, under the first reason that holds.")


def group_rows(rows: Sequence[TrajectoryRow], by: str) -> dict[str, int]:
    """How many rows there are of each category, kind of task (``template``), policy or number of calls."""
    return dict(Counter(_group(row, by) for row in rows))


def _group(row: TrajectoryRow, by: str) -> str:
    if by == "template":
        return f"{terms.template_title(row.template)} ({row.category})"
    if by == "policy":
        return terms.policy_name(row.policy)
    return amount(row.n_calls, "call") if by == "calls" else row.category.capitalize()


def draw_freeze(studio: Studio, selection: Selection, chosen: Chosen) -> None:
    """Name it and freeze it. What was frozen before, unchanged, is shown instead of frozen again."""
    newest = next(iter(list_datasets(studio.settings).datasets), None)
    name = st.text_input(
        "Name",
        value=FIRST_NAME if newest is None else newest.name,
        max_chars=80,
        key="datasets_name",
        help="Versions may share a name: the earlier one becomes the parent.",
    )
    if not chosen.rows:
        st.caption("Nothing goes in. Explore first, or loosen the choices above.")
    if st.button(
        f"Freeze {amount(len(chosen.rows), 'row')}",
        key="datasets_freeze",
        type="primary",
        icon=":material/ac_unit:",
        disabled=not chosen.rows,
        width="stretch",
    ):
        with guard():
            dataset = same_version(studio, (name or "").strip(), selection, chosen)
            if dataset is None:
                with st.spinner("Freezing"):
                    dataset = freeze(studio.store, name or "", selection)
                st.toast(label(f"Frozen: {dataset.name}, {amount(dataset.rows, 'row')}."), icon=":material/ac_unit:")
            else:
                st.toast("Exactly this was frozen before; here it is.", icon=":material/info:")
            show_dataset(dataset.id)
            st.rerun()


def same_version(studio: Studio, name: str, selection: Selection, chosen: Chosen) -> Dataset | None:
    """A version of this name with exactly this selection and these members; None when there is none."""
    for dataset in list_datasets(studio.settings).datasets:
        if dataset.name == name and dataset.selection == selection and dataset.members == chosen.members:
            return dataset
    return None


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
    return clean(f"{dataset.name} · {amount(dataset.rows, 'row')} · {dataset.hash[:8]}")
