"""Two runs of one task side by side on the Simulate page: the steps of each as they come, and where they first part."""

from collections.abc import Sequence

import streamlit as st

from lamsim_core.errors import LamsimError
from lamsim_core.explore.compare import Pair, side_by_side
from lamsim_core.explore.live import LiveRun, LiveState
from lamsim_core.records import Trajectory
from lamsim_core.ui import terms
from lamsim_core.ui.comparing import draw_parting
from lamsim_core.ui.draw import chip, failure
from lamsim_core.ui.live import POLL_SECONDS, STATES, draw_writing
from lamsim_core.ui.marks import decision_buttons
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.simulate import Shown, who_acts
from lamsim_core.ui.trajectory import draw_judgement, draw_step
from lamsim_core.ui.trajectory_list import PAGE
from lamsim_core.ui.wording import amount, duration


def draw_both(studio: Studio, left: Shown, right: Shown) -> None:
    """Both runs now. While one goes on, what is being written is drawn again a few times a second and nothing else."""
    sides = (left, right)
    for column, side in zip(st.columns(2), sides, strict=True):
        with column:
            _draw_head(side)
    pairs = side_by_side(left.steps, right.steps)
    parting = where_they_part(pairs, (is_going_on(left), is_going_on(right)))
    for pair in pairs:
        if pair.place == parting:
            draw_parting(pair)
        _draw_pair(pair, sides)
    if any(map(is_going_on, sides)):
        st.fragment(_follow, run_every=POLL_SECONDS)(sides, [_standing(side) for side in sides])
        return
    if parting is None:
        st.success(f"Both did the same in all {amount(len(pairs), 'step')}.", icon=":material/equal:")
    _draw_ends(studio, sides)


def is_going_on(side: Shown) -> bool:
    """Whether more may come of it."""
    return isinstance(side, LiveRun) and side.alive


def where_they_part(pairs: Sequence[Pair], going_on: tuple[bool, bool]) -> int | None:
    """The first place at which two runs differ, as far as it can be told: a step that may still come is no difference."""
    for pair in pairs:
        waits = any(step is None and more for step, more in zip((pair.left, pair.right), going_on, strict=True))
        if pair.different and not waits:
            return pair.place
    return None


def _standing(side: Shown) -> tuple[int, LiveState | None]:
    """What a look at a run can show: the page is drawn anew when this is another."""
    return len(side.steps), side.state if isinstance(side, LiveRun) else None


def _draw_head(side: Shown) -> None:
    with st.container(border=True, gap="xsmall"):
        chip(terms.policy_name(who_acts(side)), color="blue", icon=":material/smart_toy:")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            ended = side.trajectory if isinstance(side, LiveRun) else side
            if isinstance(side, LiveRun) and (side.alive or side.state != "finished"):
                text, color, icon = STATES[side.state]
            else:
                text, color, icon = terms.outcome(None if ended is None else ended.passed)
            chip(text, color=color, icon=icon)
            st.caption(f"{amount(len(side.steps), 'step')} · {duration(side.seconds)}", width="content")


def _draw_pair(pair: Pair, sides: tuple[Shown, Shown]) -> None:
    for column, step, side in zip(st.columns(2), (pair.left, pair.right), sides, strict=True):
        with column:
            if step is not None:
                draw_step(step, expanded=bool(pair.different))
            elif not is_going_on(side):
                st.caption("Has ended.")


def _follow(sides: tuple[Shown, Shown], drawn: Sequence[tuple[int, LiveState | None]]) -> None:
    """What both are writing; the whole page again when something else has come."""
    if [_standing(side) for side in sides] != list(drawn):
        st.rerun()
    for column, side in zip(st.columns(2), sides, strict=True):
        with column:
            if isinstance(side, LiveRun) and side.alive:
                draw_writing(side, len(side.steps))
    if st.button("Stop both", key="beside-stop", icon=":material/stop_circle:", shortcut="Esc"):
        running = [side for side in sides if isinstance(side, LiveRun)]
        for run in running:
            run.stop()
        for run in running:
            run.wait(1.0)
        st.rerun()


def _draw_ends(studio: Studio, sides: tuple[Shown, Shown]) -> None:
    """How each was judged, what can be done with it, and the way to a closer comparison."""
    stored: list[Trajectory] = []
    for column, side in zip(st.columns(2), sides, strict=True):
        trajectory = side.trajectory if isinstance(side, LiveRun) else side
        with column:
            if side.error:
                failure(LamsimError(side.error))
            if trajectory is None:
                continue
            stored.append(trajectory)
            draw_judgement(trajectory)
            decision_buttons(studio, trajectory.id)
            link(PAGE, "Open in Trajectories", icon=":material/open_in_new:", query={"id": trajectory.id})
    if len(stored) == 2:
        query = {"id": stored[0].id, "with": stored[1].id}
        link(PAGE, "Compare them step by step in Trajectories", icon=":material/compare_arrows:", query=query)
