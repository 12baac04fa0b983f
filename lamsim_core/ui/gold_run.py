"""The reference solution of an instance, run call by call: what comes back, what changes, what the checks say."""

import streamlit as st

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Task, Trajectory
from lamsim_core.ui.draw import untrusted_prose
from lamsim_core.ui.trajectory import draw_judgement, draw_step


def draw_gold_run(task: Task, key: str) -> None:
    """Step through the reference solution.

    Args:
        task: the instance.
        key: prefix of the widgets' keys.
    """
    with st.container(border=True, gap="xsmall"):
        st.caption("The user asks")
        untrusted_prose(task.instruction)
    trajectory = _gold(task)
    place = f"{key}.{task.key}"
    total = len(trajectory.steps)
    shown = min(max(int(st.session_state.get(place, 0)), 0), total)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for text, icon, target in (
            ("Start over", ":material/first_page:", 0),
            ("Back", ":material/chevron_left:", shown - 1),
            ("Next step", ":material/chevron_right:", shown + 1),
            ("To the end", ":material/last_page:", total),
        ):
            st.button(
                text,
                key=f"{place}.{text}",
                icon=icon,
                disabled=not 0 <= target <= total or target == shown,
                type="primary" if text == "Next step" else "secondary",
                on_click=st.session_state.__setitem__,
                args=(place, target),
            )
        st.caption(f"Step {shown} of {total}", width="content")
    for step in trajectory.steps[:shown]:
        draw_step(step, expanded=step.index == shown - 1)
    if shown == total:
        draw_judgement(trajectory)


def _gold(task: Task) -> Trajectory:
    for event in run_attempt(task, GoldPolicy(), run="catalog"):
        if isinstance(event, Ended):
            return event.trajectory
    raise AssertionError("an attempt always ends")
