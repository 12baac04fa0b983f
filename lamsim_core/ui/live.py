"""A run of the Simulate page while it goes on and after: the steps as they come, your turn, the end."""

import time
from collections.abc import Mapping

import streamlit as st

from lamsim_core.errors import LamsimError
from lamsim_core.explore.live import LiveRun, LiveState, start_live
from lamsim_core.records import Trajectory
from lamsim_core.store.queries import decision_of
from lamsim_core.ui import terms
from lamsim_core.ui.arguments import argument_inputs, call_from
from lamsim_core.ui.draw import Color, chip, clean, failure, guard, label, untrusted
from lamsim_core.ui.marks import decision_buttons
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.simulate import Setup
from lamsim_core.ui.trajectory import draw_judgement, draw_steps
from lamsim_core.ui.wording import amount, duration

POLL_SECONDS = 0.4
STATES: Mapping[LiveState, tuple[str, Color, str]] = {
    "loading": ("Loading the model", "blue", ":material/hourglass_top:"),
    "running": ("Running", "blue", ":material/play_circle:"),
    "your_turn": ("Your turn", "orange", ":material/back_hand:"),
    "finished": ("Finished", "gray", ":material/flag:"),
    "stopped": ("Stopped", "gray", ":material/stop_circle:"),
    "failed": ("Broke down", "red", ":material/error:"),
}


def begin(studio: Studio, chosen: Setup) -> None:
    """Start a run, put it into the address of the page, and draw the page anew."""
    run = start_live(
        studio.settings,
        chosen.task,
        chosen.policy,
        chosen.sampling,
        attempt=chosen.attempt,
        on_trajectory=studio.store.add,
    )
    st.session_state["simulate_shown"] = run.id
    st.query_params["run"] = run.id
    settle(run, 0.3)
    st.rerun()


def settle(run: LiveRun, seconds: float) -> None:
    """Give a run that needs no model the moment it needs, so that its end is drawn at once."""
    until = time.monotonic() + seconds
    while run.alive and run.state != "your_turn" and time.monotonic() < until:
        time.sleep(0.02)


def draw_live(studio: Studio, run: LiveRun) -> None:
    """The run now; while a model writes, drawn again a few times a second and nothing else of the page with it."""
    if run.alive and run.state != "your_turn":
        st.fragment(_follow, run_every=POLL_SECONDS)(run)
        return
    _draw_progress(run)
    if run.alive:
        _draw_your_turn(run)
    else:
        draw_end(studio, run.trajectory, run.error)


def _follow(run: LiveRun) -> None:
    if not run.alive or run.state == "your_turn":
        st.rerun()
    _draw_progress(run)


def _draw_progress(run: LiveRun) -> None:
    steps, partial = run.steps, run.partial
    text, color, icon = STATES[run.state]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if run.trajectory is not None and run.state == "finished":
            text, color, icon = terms.outcome(run.trajectory.passed)
        chip(text, color=color, icon=icon)
        first = (
            f" · first word after {duration(run.first_token_seconds)}"
            if run.first_token_seconds and run.state == "running"
            else ""
        )
        st.caption(f"{amount(len(steps), 'step')} · {duration(run.seconds)}{first}", width="content")
    draw_steps(steps, parent=run.parent)
    if not run.alive or run.state == "your_turn":
        return
    loading = run.state == "loading"
    title = "Loading the model" if loading else f"{len(steps) + 1} · Writing"
    with st.expander(
        title, expanded=True, icon=":material/hourglass_top:" if loading else ":material/edit:", type="step"
    ):
        if partial:
            untrusted(partial)
        elif loading:
            st.caption("From a few seconds to a minute, depending on the model and this computer.")
        else:
            st.caption("Reading the conversation.")


def _draw_your_turn(run: LiveRun) -> None:
    """Inputs for a person who acts as the agent."""
    with st.container(border=True):
        way = st.segmented_control(
            "Your turn",
            ["Call a tool", "Close with a message"],
            key=f"way-{run.id}",
            default="Call a tool",
            required=True,
        )
        turn = f"{run.id}-{len(run.steps)}"
        if way == "Call a tool":
            tools = {tool.name: tool for tool in run.task.tools}
            name = st.selectbox("Tool", list(tools), format_func=clean, key=f"tool-{turn}")
            tool = tools[str(name)]
            st.caption(label(tool.description))
            with st.form(f"call-{turn}-{tool.name}", border=False):
                entered = argument_inputs(tool, turn)
                if st.form_submit_button("Call", type="primary", icon=":material/play_arrow:"):
                    with guard():
                        run.act(call_from(tool, entered))
                        settle(run, 2.0)
                        st.rerun()
        else:
            with st.form(f"say-{turn}", border=False):
                text = st.text_area("Message to the user", key=f"message-{turn}", height=90)
                st.caption("This ends the attempt.")
                if st.form_submit_button("Close the attempt", type="primary", icon=":material/send:"):
                    with guard():
                        run.act(text)
                        settle(run, 2.0)
                        st.rerun()


def draw_end(studio: Studio, trajectory: Trajectory | None, error: str | None) -> None:
    """The judgement, and what can be done with the attempt."""
    if error:
        failure(LamsimError(error))
    if trajectory is None:
        return
    draw_judgement(trajectory)
    with st.container(horizontal=True, vertical_alignment="center"):
        decision_buttons(studio, trajectory.id, shortcuts=True)
        link(
            "pages/3_Trajectories.py",
            "Open in Trajectories",
            icon=":material/open_in_new:",
            query={"id": trajectory.id},
        )
    decision = decision_of(studio.index, trajectory.id)
    if decision == "undecided":
        st.caption("Stored. Accepting or rejecting it decides whether it may enter a dataset.")
    else:
        st.caption(f"Stored and {terms.DECISIONS[decision].lower()}.")
