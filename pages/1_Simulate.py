"""Simulate: one agent, one task, live."""

import streamlit as st

from lamsim_core.explore.live import LiveRun
from lamsim_core.records import Trajectory
from lamsim_core.ui.branches import draw_origin
from lamsim_core.ui.draw import guard, label
from lamsim_core.ui.live import begin, draw_end, draw_live
from lamsim_core.ui.page import start_page
from lamsim_core.ui.simulate import draw_reference, draw_request, follow_link, leave_run, setup
from lamsim_core.ui.trajectory import draw_steps

studio = start_page(
    "Simulate",
    ":material/play_circle:",
    "One agent tries one task. Every call is run and judged while you watch.",
)

with guard():
    shown = follow_link(studio)
    running = isinstance(shown, LiveRun) and shown.alive
    left, right = st.columns([5, 11], gap="large")
    with left:
        chosen = setup(studio.settings, disabled=running)
        with st.container(horizontal=True):
            if isinstance(shown, LiveRun) and shown.alive:
                if st.button("Stop", icon=":material/stop_circle:", shortcut="Esc", width="stretch"):
                    shown.stop()
                    shown.wait(1.0)
                    st.rerun()
            elif st.button("Run", type="primary", icon=":material/play_arrow:", shortcut="Mod+Enter", width="stretch"):
                begin(studio, chosen)
            if shown is not None and not running:
                st.button("Clear", icon=":material/close:", on_click=leave_run)
    with right:
        if isinstance(shown, str):
            st.info(label(shown), icon=":material/history:")
        task = shown.task if isinstance(shown, LiveRun | Trajectory) else chosen.task
        draw_request(task)
        if isinstance(shown, LiveRun):
            draw_origin(shown.parent)
            draw_live(studio, shown)
        elif isinstance(shown, Trajectory):
            draw_origin(shown.parent)
            draw_steps(shown.steps, parent=shown.parent)
            draw_end(studio, shown, shown.error)
        else:
            draw_reference(task)
