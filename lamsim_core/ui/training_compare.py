"""Finished training runs beside each other: their curves, what differs in their recipes, what came of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from lamsim_core.curate.folder import list_datasets
from lamsim_core.jobs import supervisor
from lamsim_core.models.registry import adapter_folders
from lamsim_core.records import Recipe
from lamsim_core.settings import Settings
from lamsim_core.ui.charts import draw_chart
from lamsim_core.ui.curves import curves
from lamsim_core.ui.draw import clean
from lamsim_core.ui.jobs import Jobs
from lamsim_core.ui.training_view import MEASURES, by_step, changes, points, started_from
from lamsim_core.ui.wording import between, duration, spaced

MOST = 6
"""Runs that are set beside each other."""
SAME = "The recipes are the same."


class Run(NamedTuple):
    """A finished run."""

    job: str
    name: str
    """Of its adapter."""
    recipe: Recipe
    facts: Mapping[str, str]
    """What it was trained on and from."""
    metrics: Mapping[str, float]
    took: float | None


def finished_runs(settings: Settings, jobs: Jobs) -> list[Run]:
    """Every run that ended with an adapter, the newest first."""
    adapters = {record.id: record for _, record in adapter_folders(settings)}
    names = {record.id: record.name for record in adapters.values()}
    datasets = {dataset.id: dataset.name for dataset in list_datasets(settings).datasets}
    runs: list[Run] = []
    for job, status in jobs:
        adapter = adapters.get(str(status.result.get("adapter"))) if status.state == "done" else None
        if adapter is not None:
            facts = {
                "Dataset": f"{datasets.get(adapter.dataset, 'no longer here')} · {adapter.dataset_hash[:8]}",
                "Starts from": started_from(adapter, names),
            }
            took = between(status.started, status.finished)
            runs.append(Run(job.id, adapter.name, adapter.recipe, facts, adapter.metrics, took))
    return runs


def draw_compare(settings: Settings, jobs: Jobs) -> None:
    """Choose finished runs, and see them beside each other. Nothing where there are not two."""
    runs = {run.job: run for run in finished_runs(settings, jobs)}
    if len(runs) < 2:
        return
    st.subheader("Compare runs", anchor=False)
    chosen: list[str] = st.multiselect(
        "Runs to compare",
        list(runs),
        format_func=lambda job: clean(runs[job].name),
        key="train_compare",
        max_selections=MOST,
        placeholder="Choose two or more",
        label_visibility="collapsed",
    )
    picked = [runs[job] for job in chosen if job in runs]
    if len(picked) < 2:
        st.caption("Choose two or more finished runs to lay their curves over each other and see what differs.")
        return
    _draw_curves(settings, picked)
    st.markdown("**What differs**")
    rows = differing(picked)
    if rows:
        _draw_table(rows, "What differs between the recipes")
    else:
        st.caption(SAME)
    st.markdown("**What came of it**")
    _draw_table(results(picked), "Metrics of the runs")


def _draw_curves(settings: Settings, runs: Sequence[Run]) -> None:
    if len({run.recipe.method for run in runs}) > 1:
        st.caption(
            ":orange[:material/info:] Losses of different methods measure different things: compare shapes only."
        )
    rows = {run.job: by_step(supervisor.metrics(settings, run.job)) for run in runs}
    for name in ("loss", "margin"):
        lines = {run.name: points(rows[run.job], name) for run in runs}
        lines = {run: line for run, line in lines.items() if line}
        if lines:
            figure = curves(lines, title=MEASURES[name].title, x_title="Step")
            draw_chart(figure, key=f"compare.{name}", alt=f"{MEASURES[name].title} of the runs over the steps")


def differing(runs: Sequence[Run]) -> list[dict[str, str]]:
    """What is not the same in all runs: one row for each part of recipe and origin."""
    sides = [
        {**run.facts, **{spaced(name).capitalize(): _said(value) for name, value in run.recipe.model_dump().items()}}
        for run in runs
    ]
    return [_row(name, runs, [side[name] for side in sides]) for name in sides[0] if len({s[name] for s in sides}) > 1]


def results(runs: Sequence[Run]) -> list[dict[str, str]]:
    """What came of the runs: one row for each metric that any of them has."""
    sides = [{**changes(run.metrics), "Took": duration(run.took)} for run in runs]
    names = dict.fromkeys(name for side in sides for name in side)
    return [_row(name, runs, [side.get(name, "") for side in sides]) for name in names]


def _said(value: Any) -> str:
    return "no limit" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _row(name: str, runs: Sequence[Run], values: Sequence[str]) -> dict[str, str]:
    """A row of a table; the names of adapters are all different, but for what cleaning takes away."""
    return {"": name} | {
        f"{clean(run.name, limit=40)}{' ' * place}": clean(value)
        for place, (run, value) in enumerate(zip(runs, values, strict=True))
    }


def _draw_table(rows: Sequence[Mapping[str, str]], alt: str) -> None:
    st.dataframe(list(rows), hide_index=True, alt=alt)
