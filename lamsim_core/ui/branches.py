"""Where a fork comes from, and the branches of an attempt as a tree with outcomes and links."""

import streamlit as st

from lamsim_core.records import Parent, Trajectory
from lamsim_core.store.branches import Branch, branches_of, same_task
from lamsim_core.store.queries import TrajectoryRow
from lamsim_core.ui import terms
from lamsim_core.ui.draw import chip, clean, label
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.trajectory_list import PAGE
from lamsim_core.ui.wording import amount, moment

MOST = 40
"""Branches drawn."""
DEEPEST = 4
"""Levels of indent."""
INDENT = 8
"""Pixels of one."""


def draw_origin(parent: Parent | None) -> None:
    """One line above the steps of a fork: what it left, and where."""
    if parent is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chip("Fork", color="violet", icon=":material/call_split:")
        taken = f"{amount(parent.step, 'step')} taken over from" if parent.step else "From the start of"
        st.caption(taken, width="content")
        link(PAGE, "the attempt it left", icon=":material/route:", query={"id": parent.trajectory})


def draw_branches(studio: Studio, trajectory: Trajectory) -> None:
    """The tree the attempt is in; nothing when it has no branches."""
    tree = branches_of(studio.index, trajectory.id)
    if len(tree) < 2:
        return
    with st.container(border=True, gap="xsmall"):
        st.subheader("Branches", anchor=False)
        for branch in tree[:MOST]:
            _draw_branch(branch, trajectory.id)
        if len(tree) > MOST:
            st.caption(f"{len(tree) - MOST:,} more are not drawn.")


def _draw_branch(branch: Branch, here: str) -> None:
    row = branch.row
    word, color, icon = terms.outcome(row.passed)
    deep = min(branch.depth, DEEPEST)
    left, right = st.columns([9, 1], vertical_alignment="center", gap="xsmall")
    with left, st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        if deep:
            st.space(INDENT * deep)
        chip(word, color=color, icon=icon)
        where = "" if row.parent_step is None else f", step {row.parent_step + 1}"
        text = f"{clean(terms.policy_name(row.policy))}{where}"
        if row.id == here:
            st.markdown(f"**{label(text)}**", width="content")
            return
        st.button(label(text), key=f"branch-{row.id}", type="tertiary", on_click=_open, args=(row.id,), width="content")
        right.button(
            ":material/compare_arrows:",
            key=f"branch-compare-{row.id}",
            type="tertiary",
            help="Compare: side by side with the attempt that is open",
            on_click=compare_with,
            args=(row.id,),
        )


def _open(trajectory: str) -> None:
    st.query_params.from_dict({"id": trajectory})


def compare_with(trajectory: str) -> None:
    """Put another attempt beside the one that is open."""
    st.query_params.pop("fork", None)
    st.query_params["with"] = trajectory


def compare_picker(studio: Studio, trajectory: Trajectory) -> None:
    """Choose another attempt at the same task to compare with."""
    with st.popover("Compare with…", icon=":material/compare_arrows:", key=f"compare-{trajectory.id}"):
        rows = {row.id: row for row in same_task(studio.index, trajectory.id)}
        if not rows:
            st.caption("No other attempt at this task is stored.")
            return
        key = f"compare-choice-{trajectory.id}"
        st.selectbox(
            "Another attempt at this task",
            list(rows),
            index=None,
            format_func=lambda each: _option(rows[each]),
            key=key,
            placeholder="Choose one",
            on_change=_chosen,
            args=(key,),
        )


def _option(row: TrajectoryRow) -> str:
    fork = "" if row.parent_step is None else f", fork at step {row.parent_step + 1}"
    who = f"{terms.policy_name(row.policy)}{fork}"
    return clean(f"{terms.outcome(row.passed)[0]} · {who} · {amount(row.n_steps, 'step')} · {moment(row.created)}")


def _chosen(key: str) -> None:
    if chosen := st.session_state.get(key):
        compare_with(chosen)
