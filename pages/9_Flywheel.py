"""Flywheel: the whole way with one click, from reference solutions to the comparison of before and after."""

import streamlit as st

from lamsim_core.ui.draw import guard
from lamsim_core.ui.jobs import chosen_job, job_list, job_panel, jobs_of
from lamsim_core.ui.page import start_page
from lamsim_core.ui.turning import draw_none, draw_result, draw_stages, setup

studio = start_page(
    "Flywheel",
    ":material/autorenew:",
    "The whole way with one click: explore, curate, train, learn from the model's own mistakes, measure before and after.",
)

with guard():
    jobs = jobs_of(studio, "turn")
    left, right = st.columns([5, 11], gap="large")
    with left, guard():
        setup(studio, jobs)
    with right:
        shown = chosen_job(jobs)
        if shown is None:
            draw_none()
        else:
            job_panel(studio, shown, lambda job, status: draw_stages(studio, job))
            draw_result(studio, shown)
        job_list(jobs, "turn", shown=shown, title="Earlier turns" if shown else None)
