"""The reference solution beside a run that is going on, with the calls that were made so far marked."""

from collections.abc import Sequence

import streamlit as st

from lamsim_core.feedback.reference import followed
from lamsim_core.records import GoldCall, Step, Task
from lamsim_core.ui import terms
from lamsim_core.ui.draw import chip, clean, untrusted_prose


def draw_path(task: Task, steps: Sequence[Step], *, key: str) -> None:
    """The calls of the reference solution, folded away, each with the step that made it.

    Args:
        task: the task.
        steps: what was done so far.
        key: of what folds.
    """
    made = followed(task, steps)
    done = sum(step is not None for step in made)
    title = f"Reference path: {done} of {len(made)} made" if made else "Reference path: no calls"
    with st.expander(title, icon=":material/flag:", type="compact", key=key), st.container(gap="small"):
        st.caption("One way to do it; any other way to the same end passes too. The agent never sees this.")
        for call, step in zip(task.gold, made, strict=True):
            _draw_call(call, step)
        closed = bool(steps) and steps[-1].call is None
        with st.container(gap="xsmall"):
            chip("closed" if closed else "then", color="gray", icon=":material/chat:")
            untrusted_prose(task.closing)


def _draw_call(call: GoldCall, step: Step | None) -> None:
    with st.container(gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            if step is None:
                chip("not made", color="gray", icon=":material/radio_button_unchecked:")
            else:
                chip(f"step {step.index + 1}", color="green", icon=":material/check:")
            if call.fails:
                chip("is refused", color="gray", help="The tool refuses it; finding that out is part of the task.")
        given = ", ".join(f"{name}: {terms.value_text(value)}" for name, value in call.arguments.items())
        st.text(clean(f"{call.name}  {given}"))
