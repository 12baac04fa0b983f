"""Train: a dataset, a base model and one click make an adapter."""

import streamlit as st

from lamsim_core.ui.draw import guard
from lamsim_core.ui.jobs import job_list, job_panel, jobs_of
from lamsim_core.ui.page import start_page
from lamsim_core.ui.training import setup
from lamsim_core.ui.training_compare import draw_compare
from lamsim_core.ui.training_view import draw_adapter, draw_adapters, draw_run, what_to_show

studio = start_page(
    "Train",
    ":material/model_training:",
    "Train an adapter on a frozen dataset: on whole attempts that passed, on better and worse replies, or on labelled ones.",
)

with guard():
    jobs = jobs_of(studio, "train")
    left, right = st.columns([5, 11], gap="large")
    with right:  # first, because counting what would be trained on the left can take a while
        job_id, adapter = what_to_show(studio.settings, jobs)
        if adapter is not None:
            draw_adapter(studio, adapter)
        if job_id is not None:
            job_panel(studio, job_id, lambda job, status: draw_run(studio, job, status), stop_text="Stop and save")
        elif adapter is None:
            st.info(
                "Nothing has been trained yet. Choose a dataset and press **Train**. Stop at any time: what is learned is "
                "saved, and a stopped run can be resumed.",
                icon=":material/model_training:",
            )
        draw_adapters(studio, adapter.id if adapter else None)
        job_list(jobs, "train", shown=job_id, title="Training runs")
        draw_compare(studio.settings, jobs)
    with left, guard():
        setup(studio, jobs)
