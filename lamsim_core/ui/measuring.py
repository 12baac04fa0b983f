"""One button after training: measure what it changed, on everything that was not trained on."""

from typing import Any

import streamlit as st

from lamsim_core.agent.policy import PLAIN_POLICIES
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE, Job, JobStatus
from lamsim_core.models.registry import adapter_folders
from lamsim_core.records import Adapter
from lamsim_core.settings import Settings
from lamsim_core.ui import forms
from lamsim_core.ui.draw import clean, guard
from lamsim_core.ui.page import Studio, link

PAGE = "pages/7_Evaluate.py"
TASKS = 50
"""Of each held-out split: enough to see a difference of some 15 points over all."""


def measure_button(studio: Studio, adapter: Adapter) -> None:
    """Start an evaluation of the base, of what the adapter started from and of the adapter, or lead to the one there is."""
    params = measurement(studio.settings, adapter)
    done = measured(studio, adapter)
    if done is not None:
        job, status = done
        text = "Being measured" if status.state in ACTIVE else "Before and after"
        link(PAGE, text, icon=":material/monitoring:", query={"job": job.id})
        return
    attempts = len(params["splits"]) * TASKS
    said = forms.estimate(attempts, [forms.pace(studio.index, name) for name in params["models"]])
    if st.button(
        "Measure before and after",
        key=f"measure.{adapter.id}",
        type="primary",
        icon=":material/monitoring:",
        help=f"The base model, what this adapter started from and the adapter itself try the same {TASKS} tasks of each "
        f"held-out split. {said}",
    ):
        with guard():
            job = supervisor.start(
                studio.settings,
                "evaluate",
                params,
                label=clean(params["name"]),
                request_id=_request(adapter),
            )
            st.switch_page(PAGE, query_params={"job": job.id})


def measurement(settings: Settings, adapter: Adapter) -> dict[str, Any]:
    """What an evaluation before and after this adapter is asked for."""
    splits = [split for split in forms.open_splits() if split != "train"]
    started = [
        each.name for _, each in adapter_folders(settings) if adapter.start is not None and each.id == adapter.start
    ]
    return {
        "models": list(dict.fromkeys([adapter.base, *started, adapter.name, *PLAIN_POLICIES])),
        "name": f"{adapter.base} before and after {adapter.name}"[:120],
        "split": splits[0],
        "splits": splits,
        "tasks": TASKS,
        "max_steps": settings.max_steps,
        "max_new_tokens": settings.max_new_tokens,
    }


def measured(studio: Studio, adapter: Adapter) -> tuple[Job, JobStatus] | None:
    """The job that the button of this adapter started, if it did."""
    request = _request(adapter)
    jobs = supervisor.list_jobs(studio.settings, "evaluate")
    return next((each for each in jobs if each[0].request_id == request), None)


def _request(adapter: Adapter) -> str:
    return f"measure_{adapter.id}"
