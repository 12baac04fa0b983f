"""The reference solution beside a run that is going on, with the calls that were made so far marked."""

from collections.abc import Sequence

import streamlit as st

from lamsim_core.feedback.reference import Place, along, differences
from lamsim_core.records import Step, Task
from lamsim_core.ui import terms
from lamsim_core.ui.draw import chip, clean, label, untrusted_prose
from lamsim_core.ui.reference_path import HOW


def draw_path(task: Task, steps: Sequence[Step], *, key: str) -> None:
    """The calls of the reference solution, folded away, each with the step that made it or that stands in its place.

    Args:
        task: the task.
        steps: what was done so far.
        key: of what folds.
    """
    places = along(task, steps)
    done = sum(place.how == "same" for place in places)
    title = f"Reference path: {done} of {len(places)} made" if places else "Reference path: no calls"
    with st.expander(title, icon=":material/flag:", type="compact", key=key), st.container(gap="small"):
        st.caption("One way to do it; any other way to the same end passes too. The agent never sees this.")
        for place in places:
            _draw_call(task, place)
        closed = bool(steps) and steps[-1].call is None
        with st.container(gap="xsmall"):
            chip("closed" if closed else "then", color="gray", icon=":material/chat:")
            untrusted_prose(task.closing)


def _draw_call(task: Task, place: Place) -> None:
    call, step = task.gold[place.gold], place.step
    with st.container(gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            if step is None:
                chip("not made", color="gray", icon=":material/radio_button_unchecked:")
            elif place.how == "same":
                chip(f"step {step.index + 1}", color="green", icon=":material/check:")
            else:
                chip(f"step {step.index + 1}: {HOW[place.how].lower()}", color="orange", icon=":material/alt_route:")
            if call.fails:
                chip("is refused", color="gray", help="The tool refuses it; finding that out is part of the task.")
        given = ", ".join(f"{name}: {terms.value_text(value)}" for name, value in call.arguments.items())
        st.text(clean(f"{call.name}  {given}"))
        if step is not None and step.call is not None and place.how == "other_values":
            other = differences(step.call, call, task)
            st.caption(
                label("Given: " + ", ".join(f"{d.argument}: {terms.value_text(d.got)}" for d in other), limit=300)
            )
