"""Evaluate: several policies on the same held-out attempts, before and after training."""

import streamlit as st

from lamsim_core.store.queries import evaluations
from lamsim_core.ui.bfcl_view import chosen_run, draw_run
from lamsim_core.ui.draw import guard
from lamsim_core.ui.evaluating import draw_going, draw_more_models, reliability_of, setup, unfinished, what_to_show
from lamsim_core.ui.evaluation_view import draw_evaluation, draw_evaluations, draw_none
from lamsim_core.ui.jobs import job_list, job_panel, jobs_of
from lamsim_core.ui.leaderboard_view import benchmark_of, draw_leaderboard
from lamsim_core.ui.page import start_page

studio = start_page(
    "Evaluate",
    ":material/monitoring:",
    "Measure policies on the same held-out tasks, before and after training.",
)

with guard():
    jobs = jobs_of(studio, "evaluate")
    runs = jobs_of(studio, "bfcl")
    found = {evaluation.id: evaluation for evaluation in evaluations(studio.index)}
    left, right = st.columns([5, 11], gap="large")
    with left, guard():
        setup(studio, jobs)
    with right:
        run = chosen_run(runs)
        if run is not None:
            job_panel(studio, run)
            draw_run(studio, run)
        job_id, shown = (None, None) if run is not None else what_to_show(jobs, found)
        if job_id is not None:
            job_panel(studio, job_id, lambda job, status: draw_going(studio, job, status))
        if shown is not None:
            draw_evaluation(studio, found[shown], reliability_of(jobs, shown))
            with guard():
                draw_more_models(studio, jobs, found[shown])
        elif job_id is None and run is None:
            draw_none(studio)
        job_list(unfinished(jobs), "evaluate", shown=job_id, title="Not finished")
        draw_leaderboard(list(found.values()), benchmark_of(studio, runs))
        draw_evaluations(list(found.values()), shown)
        job_list(runs, "bfcl", shown=run, title="BFCL")
