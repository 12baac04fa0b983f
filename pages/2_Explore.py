"""Explore: many tasks, many attempts, as a job in the background."""

import streamlit as st

from lamsim_core.ui.draw import guard
from lamsim_core.ui.exploring import correct_button, draw_run, results, setup
from lamsim_core.ui.jobs import chosen_job, job_list, job_panel, jobs_of
from lamsim_core.ui.page import start_page

studio = start_page(
    "Explore",
    ":material/travel_explore:",
    "An agent tries many tasks in the background. Every attempt is judged and stored.",
)

with guard():
    explored = jobs_of(studio, "explore")
    jobs = sorted([*explored, *jobs_of(studio, "correct")], key=lambda each: each[0].created, reverse=True)
    left, right = st.columns([5, 11], gap="large")
    with left, guard():
        setup(studio, jobs)
    with right:
        shown = chosen_job(jobs)
        if shown is not None:
            job_panel(studio, shown, lambda job, status: draw_run(studio, job, status))
            correct_button(studio, jobs, shown)
        elif not jobs:
            st.info(
                "Nothing has been explored yet. Choose who acts and on which tasks, then press **Explore**. "
                "Start with the reference solution: it needs no model and shows what good attempts look like.",
                icon=":material/travel_explore:",
            )
        job_list(jobs, "explore", shown=shown, results=results)
