"""The way from a number to the attempts behind it: the Trajectories page, filtered."""

from collections.abc import Sequence

import streamlit as st

from lamsim_core.ui.trajectory_list import ONLY, PAGE, Only, clear_filter


def show_run(run: str) -> None:
    """Go to the attempts of one run. For callbacks: it leaves the page."""
    clear_filter()
    st.session_state["trajectories_runs"] = [run]
    st.switch_page(PAGE)


def show_attempts(what: str, trajectories: Sequence[str]) -> None:
    """Go to exactly these attempts. It leaves the page.

    Args:
        what: what they have in common, in a few words; may hold text that is not ours.
        trajectories: their ids.
    """
    clear_filter()
    st.session_state[ONLY] = Only(what, tuple(trajectories))
    st.switch_page(PAGE)


def run_button(run: str, *, text: str = "All attempts of this run") -> None:
    """A button that goes to the attempts of one run."""
    st.button(text, key=f"attempts.{run}", icon=":material/list:", on_click=show_run, args=(run,))
