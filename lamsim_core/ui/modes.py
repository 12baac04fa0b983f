"""How attempts are made: the choice on the Explore page, and what a trajectory shows of it."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from lamsim_core.explore.modes import NUMBERS, How
from lamsim_core.records import Mode, Search, Step, Trajectory
from lamsim_core.ui import forms
from lamsim_core.ui.draw import chip, clean, label, untrusted, untrusted_prose
from lamsim_core.ui.wording import amount

NAMES: Final[Mapping[Mode, str]] = {
    "single": "One try",
    "repair": "With feedback",
    "best_of": "Best of several replies",
    "tree": "Tree search",
}
"""The modes, for people."""

ABOUT: Final[Mapping[Mode, str]] = {
    "single": "The agent acts until it closes the task or meets a limit. This is what pass rates are made of.",
    "repair": "When an action is wrong, or the closing message does not meet the request, the agent is told so and goes on. "
    "It is never told what would be right.",
    "best_of": "At every turn several replies are drawn and tried on a copy of the world; the best is taken. "
    "The others are kept beside it.",
    "tree": "When a path fails, the search goes back and tries another reply, until one path passes. "
    "Every path is kept as a branch.",
}
"""What each mode does, in a sentence or two."""

HELP = (
    "More than one try finds more good trajectories to train on, and takes longer. "
    "Passes found with help are marked as such and never count in evaluations."
)
_TEXTS: Final[Mapping[str, tuple[str, int, str]]] = {
    "repairs": ("Feedback at most", 1, "How often the agent is told what was wrong, in one attempt."),
    "candidates": ("Replies a turn", 2, "More replies find a better one more often, and take longer."),
    "width": (
        "Replies at one place",
        2,
        "How many replies are tried at the same point before the search goes further back.",
    ),
    "nodes": ("Replies in all", 2, "When so many were tried without a pass, the search gives up."),
}


def pick_how(key: str) -> dict[str, Any]:
    """Choose a mode, with the numbers that belong to it; parameters for the job."""
    modes = list(NAMES)
    picked = st.selectbox(
        "How", modes, format_func=lambda mode: NAMES[mode], key=f"{key}.mode", persist_state="session", help=HELP
    )
    mode: Mode = picked if picked in modes else "single"
    st.caption(label(ABOUT[mode]))
    params: dict[str, Any] = {"mode": mode}
    names = NUMBERS[mode]
    for name, column in zip(names, st.columns(max(2, len(names))), strict=False):
        text, least, about = _TEXTS[name]
        with column:
            default = How.model_fields[name].default
            params[name] = forms.pick_number(text, default, f"{key}.{name}", least=least, most=50, help=about)
    return params


def needs_chance(mode: Mode, temperature: float) -> str | None:
    """Why a model cannot be explored with like this, or None."""
    if mode in ("best_of", "tree") and temperature == 0:
        return "At temperature 0 every reply is the same, so there is nothing to choose from. Raise the temperature."
    return None


def search_chip(trajectory: Trajectory) -> None:
    """A badge that says how an attempt was made; nothing for a plain one."""
    if trajectory.search is not None:
        chip(
            NAMES[trajectory.search.mode],
            color="orange" if trajectory.search.oracle else "gray",
            icon=":material/alt_route:",
            help=label(search_help(trajectory.search)),
        )


def search_help(search: Search) -> str:
    """What a search means for the outcome."""
    knew = {
        "repair": "The judgement of the end told the agent that it was not done yet.",
        "best_of": "Checks that know the reference solution chose between replies that were equally good.",
        "tree": "The judgement of the end decided when the search was over.",
    }
    said = knew.get(search.mode, "") if search.oracle else "Only its own actions were judged on the way."
    return f"{ABOUT[search.mode]} {said} It never counts in evaluations."


def draw_beside(step: Step) -> None:
    """What a step holds beside its own action: the feedback that answered it, and the replies not taken."""
    if step.feedback is not None:
        st.caption("Feedback the agent was given")
        untrusted_prose(step.feedback)
    if step.untaken:
        with st.expander(f"{amount(len(step.untaken), 'other reply', 'other replies')} not taken", type="compact"):
            for steps in step.untaken:
                _draw_untaken(steps)


def _draw_untaken(steps: tuple[Step, ...]) -> None:
    untrusted(steps[0].reply or "")
    failed = [verdict for step in steps for verdict in step.verdicts if verdict.outcome == "fail"]
    with st.container(horizontal=True, gap="xsmall"):
        for verdict in failed:
            chip(clean(verdict.check), color="red" if verdict.counts else "yellow")
        if not failed:
            chip("nothing wrong", color="green", icon=":material/check:")
