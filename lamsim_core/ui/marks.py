"""A person's decision about a trajectory: the buttons that make it, and what was decided before."""

from collections.abc import Sequence

import streamlit as st

from lamsim_core.canonical import new_id, now
from lamsim_core.records import Mark
from lamsim_core.store.filters import Decision
from lamsim_core.store.queries import marks_of
from lamsim_core.ui import terms
from lamsim_core.ui.draw import chip, clean, guard, untrusted_prose
from lamsim_core.ui.page import Studio
from lamsim_core.ui.wording import moment

BUTTONS: Sequence[tuple[Decision, str, str]] = (
    ("accept", "Accept", "A"),
    ("reject", "Reject", "X"),
    ("undecided", "Undecided", "U"),
)
"""Decision, label and key on the keyboard."""


def decide(studio: Studio, trajectory: str, decision: Decision, *, tags: Sequence[str] = (), note: str = "") -> Mark:
    """Store a decision.

    Raises:
        StoreWriteError: it could not be made durable.
    """
    mark = Mark(
        id=new_id("mrk"),
        trajectory=trajectory,
        decision=decision,
        tags=tuple(dict.fromkeys(tag for tag in (clean(tag, limit=40) for tag in tags) if tag)),
        note=note.strip()[:2000],
        author=studio.settings.author,
        created=now(),
    )
    studio.store.add(mark)
    studio.index.sync()
    return mark


def decision_buttons(studio: Studio, trajectory: str, *, shortcuts: bool = False) -> None:
    """Accept, Reject, and Undecided to take either back; the decision that counts stands out.

    Tags and note are those of ``tags_and_note`` on the same page.
    """
    marks = marks_of(studio.index, trajectory)
    now: Decision = marks[0].decision if marks else "undecided"
    with st.container(horizontal=True, width="content"):
        for decision, text, key in BUTTONS:
            if decision == "undecided" and now == "undecided":
                continue
            if st.button(
                text,
                key=f"mark-{trajectory}-{decision}",
                icon=terms.DECISION_ICONS[decision],
                type="primary" if decision == now else "secondary",
                shortcut=key if shortcuts else None,
            ):
                with guard():
                    tags = st.session_state.get(f"tags-{trajectory}", marks[0].tags if marks else ())
                    note = st.session_state.get(f"note-{trajectory}", "")
                    decide(studio, trajectory, decision, tags=tags, note=note)
                    st.toast(f"{terms.DECISIONS[decision]}.", icon=terms.DECISION_ICONS[decision])
                    st.rerun()


def tags_and_note(studio: Studio, trajectory: str, known_tags: Sequence[str]) -> None:
    """What goes into the next decision besides itself."""
    marks = marks_of(studio.index, trajectory)
    now = list(marks[0].tags) if marks else []
    st.multiselect(
        "Tags",
        options=sorted({*known_tags, *now}),
        default=now,
        key=f"tags-{trajectory}",
        accept_new_options=True,
        max_selections=12,
        placeholder="Choose or type a tag",
    )
    st.text_area(
        "Note", key=f"note-{trajectory}", max_chars=2000, height=80, placeholder="Why, for whoever reads it later"
    )


def earlier_marks(studio: Studio, trajectory: str) -> None:
    """Every decision made so far, the newest (which counts) first."""
    marks = marks_of(studio.index, trajectory)
    if not marks:
        st.caption("Nobody has decided yet.")
    for number, mark in enumerate(marks):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            color = {"accept": "green", "reject": "red"}.get(mark.decision, "gray") if number == 0 else "gray"
            chip(terms.DECISIONS[mark.decision], color=color, icon=terms.DECISION_ICONS[mark.decision])  # type: ignore[arg-type]
            for tag in mark.tags:
                chip(tag, color="blue")
            st.text(clean(f"{mark.author}, {moment(mark.created)}"))
        if mark.note:
            untrusted_prose(mark.note)
