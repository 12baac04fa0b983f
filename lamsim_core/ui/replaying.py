"""Replaying the opened attempt: the button, and what came of it."""

import streamlit as st

from lamsim_core.explore.replay import Divergence, replay
from lamsim_core.records import Trajectory
from lamsim_core.ui.draw import label, untrusted

HELP = (
    "Does the recorded replies again in a fresh world and compares every state, result and changed row with the record."
)
LONGEST = 3000
"""Characters shown of what was recorded and what was found."""


def replay_button(trajectory: Trajectory) -> None:
    """Do it again; the outcome is kept for as long as this browser tab is open."""
    st.button(
        "Replay",
        key=f"replay-{trajectory.id}",
        icon=":material/replay:",
        help=HELP,
        on_click=_keep,
        args=(trajectory,),
    )


def _keep(trajectory: Trajectory) -> None:
    st.session_state[_place(trajectory)] = replay(trajectory)


def _place(trajectory: Trajectory) -> str:
    return f"replayed-{trajectory.id}"


def draw_replay(trajectory: Trajectory) -> None:
    """What came of the replay, when there was one."""
    found = st.session_state.get(_place(trajectory))
    if found is None:
        return
    if found.identical:
        st.success(f"Replayed. {found.sentence}", icon=":material/verified:")
        return
    st.warning(label(f"Replayed. {found.sentence}", limit=600), icon=":material/difference:")
    if found.first is not None:
        _draw_divergence(found.first)


def _draw_divergence(first: Divergence) -> None:
    left, right = st.columns(2)
    for column, title, text in ((left, "Recorded", first.recorded), (right, "Found now", first.found)):
        with column:
            st.caption(title)
            untrusted(text[:LONGEST], language="json", height=240 if len(text) > 400 else None)
