"""Two attempts side by side: how each ended, what each cost, and their steps from where they part."""

import streamlit as st

from lamsim_core.errors import NotFoundError
from lamsim_core.explore.compare import PARTS, Pair, cost_of, first_difference, side_by_side
from lamsim_core.records import Parent, Step, Trajectory
from lamsim_core.store.queries import get_trajectory
from lamsim_core.ui import terms
from lamsim_core.ui.by_hand import helped_chip
from lamsim_core.ui.draw import chip, failure, untrusted_prose
from lamsim_core.ui.modes import search_chip
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.trajectory import draw_step, step_note
from lamsim_core.ui.trajectory_list import PAGE
from lamsim_core.ui.wording import amount, moment


def draw_comparison(studio: Studio, left_id: str, right_id: str) -> None:
    """Both attempts, or a sentence when one of them is not there."""
    with st.container(horizontal=True):
        st.button("Back", icon=":material/arrow_back:", key="compare-back", shortcut="Esc", on_click=_leave)
        st.button(
            "Swap sides", icon=":material/swap_horiz:", key="compare-swap", on_click=_swap, args=(left_id, right_id)
        )
    try:
        left, right = get_trajectory(studio.index, left_id), get_trajectory(studio.index, right_id)
    except NotFoundError as error:
        failure(error)
        return
    same = left.task.key == right.task.key
    if same:
        with st.container(border=True, gap="xsmall"):
            chip(terms.template_title(left.task.template), color="violet", icon=":material/task_alt:")
            untrusted_prose(left.task.instruction)
    else:
        st.info("These are attempts at different tasks, so their steps cannot match.", icon=":material/info:")
    for column, trajectory in zip(st.columns(2), (left, right), strict=True):
        with column:
            _draw_head(trajectory, task=not same)
    pairs = side_by_side(left.steps, right.steps)
    parting = first_difference(pairs)
    if parting is None:
        st.success(f"The same in all {amount(len(pairs), 'step')}.", icon=":material/equal:")
    for pair in pairs:
        if pair.place == parting:
            draw_parting(pair)
        _draw_pair(pair, left, right)


def _leave() -> None:
    st.query_params.pop("with", None)


def _swap(left: str, right: str) -> None:
    st.query_params["id"], st.query_params["with"] = right, left


def _draw_head(trajectory: Trajectory, *, task: bool) -> None:
    word, color, icon = terms.outcome(trajectory.passed)
    cost = cost_of(trajectory.steps, trajectory.seconds)
    written = "" if cost.tokens is None else f" · {cost.tokens:,} tokens written"
    with st.container(border=True, gap="xsmall", height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            chip(word, color=color, icon=icon)
            chip(terms.policy_title(trajectory.policy), color="blue", icon=":material/smart_toy:")
            helped_chip(trajectory)
            search_chip(trajectory)
            if trajectory.parent is not None:
                chip(f"fork at step {trajectory.parent.step + 1}", color="violet", icon=":material/call_split:")
        if task:
            untrusted_prose(trajectory.task.instruction)
        untrusted_prose(terms.why(trajectory))
        st.caption(
            f"{terms.ENDINGS[trajectory.ended]} · {amount(cost.turns, 'turn')} · {amount(cost.calls, 'call')}{written} · "
            f"{terms.fine_duration(cost.seconds)} · {moment(trajectory.created)}"
        )
        link(PAGE, "Open", icon=":material/route:", query={"id": trajectory.id})


def draw_parting(pair: Pair) -> None:
    """Where two attempts part, and in what."""
    if pair.left is None or pair.right is None:
        words = f"The {'left' if pair.left is None else 'right'} attempt has ended before step {pair.place + 1}"
    else:
        words = f"They part at step {pair.place + 1}: {' and '.join(PARTS[part] for part in pair.different[:2])}"
    with st.container(horizontal=True, horizontal_alignment="center"):
        chip(words, color="orange", icon=":material/call_split:")


def _draw_pair(pair: Pair, left: Trajectory, right: Trajectory) -> None:
    if not pair.different and pair.left is not None:
        draw_step(pair.left, expanded=False, note=" :green-badge[the same in both]")
        return
    sides = ((pair.left, left.parent), (pair.right, right.parent))
    for column, (step, parent) in zip(st.columns(2), sides, strict=True):
        with column:
            _draw_side(step, parent)


def _draw_side(step: Step | None, parent: Parent | None) -> None:
    if step is None:
        st.caption("Has ended.")
    else:
        draw_step(step, note=step_note(step, parent))
