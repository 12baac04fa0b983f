"""Datasets: choose stored attempts, freeze them as a version, look into the rows, export."""

import streamlit as st

from lamsim_core.curate.folder import get_dataset, list_datasets
from lamsim_core.ui.curating import draw_empty, draw_examples, draw_freeze, draw_preview, preview
from lamsim_core.ui.dataset_view import draw_dataset, draw_versions
from lamsim_core.ui.draw import guard
from lamsim_core.ui.making import choose_kind, draw_mine, draw_some, preview_turns
from lamsim_core.ui.page import start_page
from lamsim_core.ui.selecting import draw_selection

studio = start_page(
    "Datasets",
    ":material/dataset:",
    "Choose stored attempts and freeze them as a version to train on. Held-out tasks can never enter.",
)

with guard():
    listing = list_datasets(studio.settings)
    wanted = st.query_params.get("id")
    if wanted is not None:
        with guard():
            draw_dataset(studio, get_dataset(studio.settings, wanted))
    if listing.datasets or listing.problems:
        st.subheader("Frozen versions", anchor=False)
        draw_versions(listing)
    if not draw_empty(studio):
        st.subheader("New version", anchor=False)
        left, right = st.columns([5, 11], gap="large")
        chosen, mined = None, None
        with left, guard():
            kind = choose_kind()
            selection = draw_selection(studio, kind)
            if kind == "sft":
                chosen = preview(studio, selection)
                draw_freeze(studio, selection, kind, len(chosen.rows), chosen.members)
            else:
                mined = preview_turns(studio, selection, kind)
                draw_freeze(studio, selection, kind, len(mined.rows), mined.members)
        if chosen is not None:
            with right:
                draw_preview(chosen)
            draw_examples(studio, chosen)
        if mined is not None:
            with right:
                draw_mine(mined, kind)
                draw_some(mined, kind)
