"""The way from a number to the attempts behind it: the Trajectories page, filtered."""

import streamlit as st

from lamsim_core.ui.trajectory_list import MORE, PAGE


def show_run(run: str) -> None:
    """Go to the attempts of one run. For callbacks: it leaves the page."""
    for name in ("text", "outcome", *MORE):
        st.session_state.pop(f"trajectories_{name}", None)
    st.session_state["trajectories_runs"] = [run]
    st.switch_page(PAGE)


def run_button(run: str, *, text: str = "All attempts of this run") -> None:
    """A button that goes to the attempts of one run."""
    st.button(text, key=f"attempts.{run}", icon=":material/list:", on_click=show_run, args=(run,))
