"""Catalog: the tools, tasks, models and checks there are."""

import streamlit as st

from lamsim_core.ui.catalog import draw_checks, draw_models, draw_tools
from lamsim_core.ui.draw import guard
from lamsim_core.ui.page import start_page
from lamsim_core.ui.task_studio import draw_tasks

studio = start_page(
    "Catalog",
    ":material/menu_book:",
    "What there is: tools, tasks, models and checks. Read-only; all of it is files in the project.",
)

tools, tasks, models, checks = st.tabs(
    ["Tools", "Tasks", "Models", "Checks"], key="view", on_change="rerun", bind="query-params"
)
if tools.open:
    with tools, guard():
        draw_tools()
if tasks.open:
    with tasks, guard():
        draw_tasks()
if models.open:
    with models, guard():
        draw_models(studio)
if checks.open:
    with checks, guard():
        draw_checks()
