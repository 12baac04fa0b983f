"""Catalog: the categories, tools, tasks, models and checks there are, and where people add their own."""

from collections.abc import Callable

import streamlit as st

from lamsim_core.ui.catalog import draw_categories, draw_checks, draw_models, draw_tools
from lamsim_core.ui.catalog_tasks import draw_tasks
from lamsim_core.ui.draw import guard
from lamsim_core.ui.page import start_page
from lamsim_core.ui.task_studio import draw_studio

studio = start_page(
    "Catalog",
    ":material/menu_book:",
    "What there is: worlds, tools, tasks, models and checks. Try a tool, watch a task being solved, write a task of your own.",
)

views = st.tabs(
    ["Categories", "Tools", "Tasks", "Task studio", "Models", "Checks"],
    key="view",
    on_change="rerun",
    bind="query-params",
)
draws: tuple[Callable[[], None], ...] = (
    draw_categories,
    draw_tools,
    draw_tasks,
    lambda: draw_studio(studio),
    lambda: draw_models(studio),
    draw_checks,
)
for view, draw in zip(views, draws, strict=True):
    if view.open:
        with view, guard():
            draw()
