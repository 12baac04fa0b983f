"""Review: people check what the checks say, and see how far to trust them."""

from collections.abc import Callable

import streamlit as st

from lamsim_core.ui.agreement_view import draw_agreement
from lamsim_core.ui.draw import guard
from lamsim_core.ui.insight import draw_insight
from lamsim_core.ui.page import start_page
from lamsim_core.ui.rescoring import draw_rescoring
from lamsim_core.ui.review_queue import draw_queue

studio = start_page(
    "Review",
    ":material/fact_check:",
    "Check what the checks say, one verdict at a time, and see how far to trust them.",
)

views = st.tabs(
    ["Verdicts", "Agreement", "Mistakes", "Judge again"], key="view", on_change="rerun", bind="query-params"
)
draws: tuple[Callable[[], None], ...] = (
    lambda: draw_queue(studio),
    lambda: draw_agreement(studio),
    lambda: draw_insight(studio),
    lambda: draw_rescoring(studio),
)
for view, draw in zip(views, draws, strict=True):
    if view.open:
        with view, guard():
            draw()
