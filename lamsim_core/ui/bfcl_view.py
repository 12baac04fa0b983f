"""Runs of the benchmark BFCL on the Evaluate page. They are started from the shell."""

import streamlit as st

from lamsim_core.errors import NotFoundError
from lamsim_core.evaluate.bfcl.job import read_report
from lamsim_core.ui.draw import clean, label
from lamsim_core.ui.jobs import Jobs
from lamsim_core.ui.page import Studio
from lamsim_core.ui.wording import percent


def chosen_run(runs: Jobs) -> str | None:
    """The run the address asks for, or None when it asks for something else."""
    wanted: str | None = st.query_params.get("job")
    return wanted if any(job.id == wanted for job, _ in runs) else None


def draw_run(studio: Studio, job_id: str) -> None:
    """What a run found, category by category; nothing before its end."""
    try:
        report = read_report(studio.settings, job_id)
    except NotFoundError:
        return
    st.subheader(label(f"{report.model} on BFCL"), anchor=False)
    st.dataframe(
        [
            {
                "Category": row.category,
                "Passed": f"{row.passed:,} of {row.planned:,}",
                "Rate": percent(row.rate),
                "95 % interval": f"{percent(row.low)} to {percent(row.high)}",
                "What is wrong": clean(", ".join(f"{kind} {count}" for kind, count in row.errors.items())),
            }
            for row in report.categories
        ],
        key=f"bfcl.{job_id}",
        hide_index=True,
        alt="What passed, by category",
    )
    st.caption(label(f"{report.package}. Every planned task counts. Nothing of it is trained on.", limit=200))
