"""What a dataset is made of: whole attempts, preference pairs or labels. Their own rules, and what a selection comes to."""

import json
from typing import Any, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lamsim_core.canonical import canonical_json
from lamsim_core.curate.mining import Mine, mine
from lamsim_core.curate.select import HELD_OUT, funnel
from lamsim_core.records import DatasetKind, PairKind, Selection
from lamsim_core.store import Store
from lamsim_core.ui import terms
from lamsim_core.ui.charts import NEUTRAL, count_bars, draw_chart
from lamsim_core.ui.page import Studio
from lamsim_core.ui.pair_view import PAIR_HELP, PAIR_TITLES, draw_label, draw_pair, group_title
from lamsim_core.ui.wording import spaced

MAKES: dict[DatasetKind, str] = {"sft": "Attempts", "preference": "Pairs", "labels": "Labels"}
"""What datasets are made of, for people."""
WHAT_FOR: dict[DatasetKind, str] = {
    "sft": "Each row is an attempt that passed. The model learns to do the same.",
    "preference": "Each row holds two messages at the same place: one that led to a pass, and a worse one. The model learns to "
    "prefer the first. Failed attempts are used too.",
    "labels": "Each row is one message of a model and whether it was right. Failed attempts are used too.",
}
ROW: dict[DatasetKind, str] = {"sft": "row", "preference": "pair", "labels": "label"}
"""What one row is called."""
GROUPINGS = {
    "pair": "Kind of pair",
    "label": "Label",
    "category": "Category",
    "template": "Kind of task",
    "policy": "Who wrote it",
}
CHOSEN_BY = {"policy": "Who wrote the rejected", "chosen_by": "Who wrote the chosen"}


def choose_kind() -> DatasetKind:
    """What is to be made."""
    chosen: DatasetKind | None = st.segmented_control(
        "Make",
        list(MAKES),
        default="sft",
        required=True,
        format_func=lambda kind: MAKES[kind],
        key="datasets_make",
        persist_state="session",
        width="stretch",
    )
    st.caption(WHAT_FOR[chosen or "sft"])
    return chosen or "sft"


def rules_of_turns(kind: DatasetKind, column: DeltaGenerator) -> dict[str, Any]:
    """The rules that pairs or labels have of their own."""
    if kind == "labels":
        equal = st.toggle(
            "As many right as wrong",
            value=True,
            key="datasets_equal",
            persist_state="session",
            help="Most messages of a weak model are wrong. Without this, training mostly hears what not to do.",
        )
        return {"label_balance": 1.0 if equal else None}
    most = column.number_input(
        "Of each kind of pair at most",
        min_value=1,
        value=None,
        step=1,
        key="datasets_pair_cap",
        persist_state="session",
        placeholder="No limit",
    )
    kinds = st.pills(
        "Kinds of pairs",
        list(PAIR_TITLES),
        selection_mode="multi",
        default=list(PAIR_TITLES),
        format_func=lambda name: PAIR_TITLES[name],
        key="datasets_pair_kinds",
        persist_state="session",
        wrap=True,
        help="\n".join(f"- {PAIR_TITLES[name]}: {PAIR_HELP[name]}" for name in PAIR_TITLES),
    )
    some = len(kinds) < len(get_args(PairKind))
    return {"max_per_pair_kind": most, "pair_kinds": tuple(kinds) if some else ()}


def preview_turns(studio: Studio, selection: Selection, kind: DatasetKind) -> Mine:
    """What a selection comes to as pairs or labels, remembered until something new is stored."""
    asked = canonical_json(selection.model_dump(mode="json"))
    remember = st.cache_data(max_entries=6, show_spinner="Looking for them, and replaying each")
    found: Mine = remember(_mine)(str(studio.settings.home), studio.index.version, asked, kind, studio.store)
    return found


def _mine(home: str, version: int, selection: str, kind: DatasetKind, _store: Store) -> Mine:
    return mine(_store, Selection.model_validate_json(selection), kind)


def draw_mine(found: Mine, kind: DatasetKind) -> None:
    """How many there are, of what, and what stays out and why."""
    first, second, third = st.columns(3)
    first.metric(f"{ROW[kind].capitalize()}s", f"{len(found.rows):,}", border=True)
    second.metric("Attempts they are from", f"{len(found.members):,}", border=True)
    third.metric(
        "Attempts held out",
        f"{found.left_out.get(HELD_OUT, 0):,}",
        border=True,
        help="Attempts at tasks kept for measuring. They can never enter a dataset, whatever is chosen here.",
    )
    if not found.rows:
        st.info(_nothing(kind), icon=":material/search_off:")
    else:
        _draw_counts(found, kind)
    if found.dropped:
        reasons = ", ".join(f"{number:,} ({spaced(reason)})" for reason, number in found.dropped.items())
        st.caption(f"Found and not taken: {reasons}.")
    with st.expander("Which attempts were looked at", icon=":material/filter_alt:", type="compact"):
        stages = funnel(len(found.members), found.left_out)
        draw_chart(
            count_bars({stage.capitalize(): number for stage, number in stages.items()}, unit="Attempts", ranked=False),
            key=f"datasets_funnel_{kind}",
            alt="Attempts left after each stage: " + ", ".join(f"{number} {stage}" for stage, number in stages.items()),
        )
        if found.left_out:
            draw_chart(
                count_bars(
                    {spaced(reason).capitalize(): number for reason, number in found.left_out.items()},
                    tint=NEUTRAL,
                    unit="Attempts",
                ),
                key=f"datasets_out_{kind}",
                alt="Attempts left out, by reason",
            )


def _draw_counts(found: Mine, kind: DatasetKind) -> None:
    titles = GROUPINGS | (CHOSEN_BY if kind == "preference" else {})
    there = {by: title for by, title in titles.items() if found.counted(by)}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**What goes in**", width="content")
        by = st.segmented_control(
            "By",
            list(there),
            default=next(iter(there)),
            required=True,
            format_func=lambda name: there[name],
            key=f"datasets_by_{kind}",
            label_visibility="collapsed",
        ) or next(iter(there))
    counts = {_title(by, value): number for value, number in found.counted(by).items()}
    draw_chart(
        count_bars(counts, unit=f"{ROW[kind].capitalize()}s"), key=f"datasets_chart_{kind}_{by}", alt="Rows, grouped"
    )


def _title(by: str, value: str) -> str:
    if by in ("pair", "label"):
        return group_title(value)
    if by == "template":
        return f"{terms.template_title(value)} ({value.partition('.')[0]})"
    return terms.policy_name(value) if by in ("policy", "chosen_by") else value.capitalize()


def _nothing(kind: DatasetKind) -> str:
    if kind == "labels":
        return "No labels yet. They need messages of a model that were right, and others that were wrong."
    return (
        "No pairs yet. A pair needs two attempts at the same task: one of a model that went wrong, and one that passed. On "
        "Explore, let a model try each task several times, or with feedback, and let the reference solution try the same tasks."
    )


def draw_some(found: Mine, kind: DatasetKind) -> None:
    """Each of the pairs or labels that would go in, one at a time."""
    if not found.rows:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**Each {ROW[kind]}**", width="content")
            number = st.pagination(len(found.rows), key=f"datasets_some_{kind}_{len(found.rows)}")
        row = json.loads(found.rows[number - 1].line)
        (draw_pair if kind == "preference" else draw_label)(row)
