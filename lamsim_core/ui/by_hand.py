"""How it is said that a person had a hand in a step: badges beside its title, and what the agent had written."""

import streamlit as st

from lamsim_core.records import Parent, Step, Trajectory
from lamsim_core.ui.draw import chip, untrusted


def hand_notes(step: Step, parent: Parent | None) -> list[str]:
    """What a person did at a step, in two words each."""
    notes: list[str] = []
    typed = parent is not None and step.index == parent.step and parent.action is not None
    if step.proposed is not None:
        notes.append("edited by hand")
    elif step.by_hand or typed:
        notes.append("typed by hand")
    if step.shown is not None:
        notes.append("result edited")
    return notes


def helped_chip(trajectory: Trajectory | None) -> None:
    """That a person acted in the policy's place; nothing where nobody did."""
    if trajectory is not None and trajectory.helped:
        chip(
            "helped by hand",
            color="orange",
            icon=":material/back_hand:",
            help="A person wrote some of its replies, so it counts in no rate of whoever acted otherwise.",
        )


def draw_proposal(step: Step) -> None:
    """What the agent had written where a person put other words in its place; nothing elsewhere."""
    if step.proposed is not None:
        st.caption("What the agent had written, before a person put this in its place")
        untrusted(step.proposed)
