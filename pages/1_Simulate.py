"""Simulate: one agent, one task, live, under a debugger."""

import streamlit as st

from lamsim_core.explore.live import LiveRun
from lamsim_core.records import Trajectory
from lamsim_core.ui.beside import draw_both, is_going_on
from lamsim_core.ui.branches import draw_origin
from lamsim_core.ui.draw import guard, label
from lamsim_core.ui.live import begin, draw_attempt, draw_end, draw_live
from lamsim_core.ui.page import start_page
from lamsim_core.ui.path_so_far import draw_path
from lamsim_core.ui.simulate import (
    draw_going_on,
    draw_reference,
    draw_request,
    follow_beside,
    follow_link,
    leave_run,
    setup,
)

studio = start_page(
    "Simulate",
    ":material/play_circle:",
    "One agent tries one task. Every call is run and judged while you watch; hold it, change what it does, and go on.",
)

with guard():
    shown, beside = follow_link(studio), follow_beside(studio)
    left, right = st.columns([5, 11] if beside is None else [4, 13], gap="large" if beside is None else "medium")
    with left:
        if isinstance(shown, LiveRun) and (shown.alive or (beside is not None and is_going_on(beside))):
            draw_going_on(shown, beside)
        else:
            chosen = setup(studio.settings)
            with st.container(horizontal=True):
                if st.button(
                    "Run", type="primary", icon=":material/play_arrow:", shortcut="Mod+Enter", width="stretch"
                ):
                    begin(studio, chosen)
                if shown is not None:
                    st.button("Clear", icon=":material/close:", on_click=leave_run)
        if isinstance(shown, LiveRun | Trajectory) and beside is None:
            draw_path(shown.task, shown.steps, key=f"path-{shown.id}")
    with right:
        if isinstance(shown, str):
            st.info(label(shown), icon=":material/history:")
        if isinstance(shown, LiveRun | Trajectory):
            draw_request(shown.task, folded=True)
        else:
            draw_request(chosen.task)
        if isinstance(shown, LiveRun | Trajectory) and beside is not None:
            draw_both(studio, shown, beside)
        elif isinstance(shown, LiveRun):
            draw_origin(shown.parent)
            draw_live(studio, shown)
        elif isinstance(shown, Trajectory):
            draw_origin(shown.parent)
            draw_attempt(studio, shown)
            draw_end(studio, shown, shown.error)
        else:
            draw_reference(chosen.task)
