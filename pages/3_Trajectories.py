"""Trajectories: find stored attempts, open them, and decide about them."""

import streamlit as st

from lamsim_core.store.queries import count_trajectories
from lamsim_core.ui.comparing import draw_comparison
from lamsim_core.ui.draw import guard
from lamsim_core.ui.page import go_button, start_page
from lamsim_core.ui.trajectory_charts import draw_charts
from lamsim_core.ui.trajectory_list import draw_filter, draw_list, narrow
from lamsim_core.ui.trajectory_open import draw_open

studio = start_page(
    "Trajectories",
    ":material/route:",
    "Every stored attempt: what the agent did, what the checks said, and what you decide.",
)

with guard():
    if "id" in st.query_params and "with" in st.query_params:
        draw_comparison(studio, st.query_params["id"], st.query_params["with"])
    elif "id" in st.query_params:
        draw_open(studio, st.query_params["id"])
    elif not count_trajectories(studio.index):
        with st.container(border=True):
            st.subheader("Nothing is stored yet", anchor=False)
            st.text("An attempt is stored as soon as it ends. Run one by hand, or many in the background.")
            with st.container(horizontal=True):
                go_button("pages/1_Simulate.py", "Run one", icon=":material/play_circle:", key="one", primary=True)
                go_button("pages/2_Explore.py", "Run many", icon=":material/travel_explore:", key="many")
    else:
        flt = draw_filter(studio)
        charts = st.expander("Charts", icon=":material/bar_chart:", key="trajectories_charts", on_change="rerun")
        if charts.open:
            with charts, guard():
                draw_charts(studio, flt, narrow)
        draw_list(studio, flt)
