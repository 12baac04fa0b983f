"""Home: the flywheel at a glance, what is running, and what to do next."""

import streamlit as st

from lamsim_core.store.queries import overview
from lamsim_core.ui.draw import guard
from lamsim_core.ui.home import draw_latest, draw_latest_evaluation, draw_next, draw_running, draw_stations
from lamsim_core.ui.page import start_page

studio = start_page(
    "Home",
    ":material/home:",
    "Agents try tasks, every action is judged, and what passed trains a better agent.",
)

with guard():
    stored = overview(studio.index)
    draw_next(studio, stored)
    draw_stations(stored)
    left, right = st.columns(2, gap="large")
    with left:
        draw_running(studio)
    with right:
        draw_latest_evaluation(studio)
    draw_latest(studio)
