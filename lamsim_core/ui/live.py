"""A run of the Simulate page while it goes on and after: the steps as they come, where it stands, the end."""

from collections.abc import Mapping

import streamlit as st

from lamsim_core.errors import LamsimError
from lamsim_core.explore.live import LiveRun, LiveState, start_live
from lamsim_core.records import Trajectory
from lamsim_core.store.queries import decision_of
from lamsim_core.ui import terms
from lamsim_core.ui.acting import reply_form
from lamsim_core.ui.by_hand import helped_chip
from lamsim_core.ui.debugging import chosen_pausing, draw_controls, draw_hold, hold_title
from lamsim_core.ui.draw import Color, chip, failure, guard, untrusted
from lamsim_core.ui.forking import fork_button, fork_panel
from lamsim_core.ui.look_closer import look_closer
from lamsim_core.ui.marks import decision_buttons
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.simulate import Setup
from lamsim_core.ui.trajectory import draw_judgement, draw_steps
from lamsim_core.ui.wording import amount, duration

POLL_SECONDS = 0.4
STATES: Mapping[LiveState, tuple[str, Color, str]] = {
    "loading": ("Loading the model", "blue", ":material/hourglass_top:"),
    "running": ("Running", "blue", ":material/play_circle:"),
    "paused": ("Paused", "orange", ":material/pause_circle:"),
    "your_turn": ("Your turn", "orange", ":material/back_hand:"),
    "finished": ("Finished", "gray", ":material/flag:"),
    "stopped": ("Stopped", "gray", ":material/stop_circle:"),
    "failed": ("Broke down", "red", ":material/error:"),
}


def begin(studio: Studio, chosen: Setup) -> None:
    """Start a run, or two beside each other, put them into the address of the page, and draw the page anew."""
    both = [chosen.policy] if chosen.beside is None else [chosen.policy, chosen.beside]
    runs = [
        start_live(
            studio.settings,
            chosen.task,
            policy,
            chosen.sampling,
            attempt=chosen.attempt,
            on_trajectory=studio.store.add,
            pausing=chosen_pausing() if chosen.beside is None else None,
            models=len(both),
        )
        for policy in both
    ]
    st.session_state["simulate_shown"] = runs[0].id
    for name, run in zip(("run", "beside"), runs, strict=False):
        st.query_params[name] = run.id
        run.settle(0.3)
    st.rerun()


def draw_live(studio: Studio, run: LiveRun) -> None:
    """The run now. While the agent writes, its reply is drawn again a few times a second and nothing else of the page."""
    alive, steps = run.alive, run.steps
    if not alive:
        _draw_outcome(run)
    trajectory = run.so_far()
    if trajectory is None:
        draw_steps(steps, parent=run.parent)
    else:
        draw_attempt(studio, trajectory, ended=not alive)
    if not alive:
        draw_end(studio, run.trajectory, run.error)
        return
    hold, state = run.debugger.hold, run.state
    _draw_state(run)
    if hold is not None:
        draw_hold(run, hold)
    elif state == "your_turn":
        _draw_your_turn(run)
    else:
        st.fragment(_follow, run_every=POLL_SECONDS)(run, len(steps), state)


def draw_attempt(studio: Studio, trajectory: Trajectory, *, ended: bool = True) -> None:
    """The steps of an attempt that has ended, or stands where it stands, each to be looked at closely and forked from."""
    above = fork_panel(studio, trajectory, ended=ended)
    below = look_closer(studio, trajectory, fork_button(trajectory), ended=ended)
    draw_steps(trajectory.steps, parent=trajectory.parent, above=above, below=below)


def _draw_outcome(run: LiveRun) -> None:
    text, color, icon = STATES[run.state]
    if run.trajectory is not None and run.state == "finished":
        text, color, icon = terms.outcome(run.trajectory.passed)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chip(text, color=color, icon=icon)
        helped_chip(run.trajectory)
        st.caption(f"{amount(len(run.steps), 'step')} · {duration(run.seconds)}", width="content")


def _draw_state(run: LiveRun) -> None:
    """Where the run stands, and its controls: at the foot of the steps, where the next one comes."""
    hold, (text, color, icon) = run.debugger.hold, STATES[run.state]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        chip(hold_title(hold) if hold is not None and run.state == "paused" else text, color=color, icon=icon)
        draw_controls(run)


def _follow(run: LiveRun, drawn: int, state: LiveState) -> None:
    """The reply being written; the whole page again when something else has come."""
    if not run.alive or run.state != state or len(run.steps) != drawn:
        st.rerun()
    draw_writing(run, drawn)


def draw_writing(run: LiveRun, drawn: int) -> None:
    """The reply being written after so many steps."""
    partial, loading = run.partial, run.state == "loading"
    title = f"{drawn + 1} · {'Waiting for the model' if loading else 'Writing'}"
    with st.expander(
        title, expanded=True, icon=":material/hourglass_top:" if loading else ":material/edit:", type="step"
    ):
        if partial:
            untrusted(partial)
        elif loading:
            st.caption("From a few seconds to a minute, depending on the model and this computer.")
        else:
            st.caption("Reading the conversation.")
        first = f" · first word after {duration(run.first_token_seconds)}" if run.first_token_seconds else ""
        st.caption(f"{duration(run.seconds)}{first}")


def _draw_your_turn(run: LiveRun) -> None:
    """Inputs for a person who acts as the agent all along."""
    with st.container(border=True), guard():
        reply = reply_form(run.task, "Your turn", key=f"{run.id}-{len(run.steps)}", way_key=f"way-{run.id}")
        if reply is not None:
            run.act(reply)
            run.settle(2.0)
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
