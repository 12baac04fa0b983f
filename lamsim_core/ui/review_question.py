"""One question of a review: the action or attempt in its context, the question, and what the check said."""

import streamlit as st

from lamsim_core.feedback.state import net_changes
from lamsim_core.records import Blame, ErrorClass, Step, Trajectory
from lamsim_core.review.corrections import CLASS_OF_CHECK
from lamsim_core.store.places import Place
from lamsim_core.ui import reviewing, terms
from lamsim_core.ui.draw import chip, label, untrusted_json, untrusted_prose
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.reviewing import Session
from lamsim_core.ui.trajectory import about, draw_call, draw_changes, draw_expected, draw_message, draw_verdict
from lamsim_core.ui.wording import amount, spaced

KEYS = (
    ("A", "agree: what is asked holds (or, with verdicts in sight, the verdict is right)"),
    ("D", "disagree"),
    ("U", "unsure"),
    ("N, P", "next, previous"),
    ("S", "stand by an answer that contradicts the check: the verdict is corrected"),
    ("K", "the check is right after all"),
    ("Z", "undo the last answer"),
    ("H", "this help"),
)
ASK_WHAT_WENT_BEFORE = frozenset({"arguments.grounded", "arguments.value", "repetition", "ending.premature"})
"""Checks nobody can answer for without the earlier actions."""
BLAMES: dict[Blame, str] = {"agent": "The agent", "tool": "The tool", "task": "The task itself"}


def draw_context(trajectory: Trajectory, place: Place) -> None:
    """What a person needs to see to answer, and no verdict."""
    task = trajectory.task
    with st.container(horizontal=True, gap="xsmall"):
        chip(terms.category_title(task.category), color="violet")
        chip(terms.policy_title(trajectory.policy), color="blue", icon=":material/smart_toy:")
    st.caption("The request")
    untrusted_prose(task.instruction)
    if place.step is None:
        _whole(trajectory)
        return
    step = trajectory.steps[place.step]
    if place.step:
        with st.expander(
            f"Before: {amount(place.step, 'action')}",
            icon=":material/history:",
            type="compact",
            expanded=place.check in ASK_WHAT_WENT_BEFORE,
        ):
            for earlier in trajectory.steps[: place.step]:
                _action(earlier)
    st.markdown(f"**Action {place.step + 1} of {len(trajectory.steps)}**")
    _action(step)
    if step.changes:
        st.caption(f"{amount(len(step.changes), 'row')} changed")
        draw_changes(step.changes)
    schema = next((tool for tool in task.tools if step.call is not None and tool.name == step.call.name), None)
    if schema is not None:
        with st.expander("The tool as it was offered", icon=":material/build:", type="compact", expanded=True):
            untrusted_prose(schema.description)
            untrusted_json(schema.parameters.get("properties"))
            required = schema.parameters.get("required")
            st.caption(
                label("Required: " + (", ".join(map(str, required)) if isinstance(required, list) else "nothing"))
            )
    elif step.call is not None:
        st.caption(label("Offered: " + ", ".join(tool.name for tool in task.tools)))
    draw_expected(task)


def _whole(trajectory: Trajectory) -> None:
    with st.expander(
        f"What the agent did: {amount(len(trajectory.steps), 'action')}",
        icon=":material/history:",
        type="compact",
        expanded=len(trajectory.steps) <= 4,
    ):
        for step in trajectory.steps:
            _action(step)
    st.caption(f"How it ended: {terms.ENDINGS[trajectory.ended].lower()}. Closing message")
    untrusted_prose(trajectory.answer or "")
    made = net_changes(change for step in trajectory.steps for change in step.changes)
    if made:
        st.caption("Rows changed in all")
        draw_changes(made)
    else:
        st.caption("No row was changed.")
    draw_expected(trajectory.task, expanded=True)


def _action(step: Step) -> None:
    if step.call is None:
        draw_message(step)
    else:
        draw_call(step, step.call)


def draw_question(studio: Studio, session: Session, place: Place, trajectory: Trajectory) -> None:
    """The question, its answers, and what follows once the verdict may be seen."""
    draw_notice(session)
    with st.container(border=True):
        st.caption(f"{session.position + 1} of {len(session.queue)} · {terms.check_title(place.check)}")
        if session.blind:
            st.markdown(
                "**Does this hold " + ("for this action?**" if place.step is not None else "for the whole attempt?**")
            )
        else:
            st.markdown("**Is this verdict right?**")
        st.markdown(f"#### {label(about(place.check))}")
        if not session.blind:
            _verdict(place, trajectory)
        if session.answer is None or not session.blind:
            _answers(studio, session)
        elif session.revealed:
            _verdict(place, trajectory)
        if session.unsettled:
            _settle(studio, place, session.position)
    draw_moves(studio, session)
    link("pages/3_Trajectories.py", "The whole attempt", icon=":material/route:", query={"id": place.trajectory})


def _answers(studio: Studio, session: Session) -> None:
    agree, disagree = ("It holds", "It does not") if session.blind else ("Agree", "Disagree")
    with st.container(horizontal=True):
        for text, icon, key, agrees in (
            (agree, "thumb_up", "A", True),
            (disagree, "thumb_down", "D", False),
            ("Unsure", "help", "U", None),
        ):
            st.button(
                text,
                key=f"review.{key.lower()}",
                icon=f":material/{icon}:",
                shortcut=key,
                on_click=reviewing.answer,
                args=(studio, agrees),
            )


def _verdict(place: Place, trajectory: Trajectory) -> None:
    """What the check said."""
    found = trajectory.verdicts if place.step is None else trajectory.steps[place.step].verdicts
    mine = [verdict for verdict in found if verdict.check == place.check]
    passed = place.outcome == "pass"
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.text("The check says")
        chip("it holds" if passed else "it does not", color="green" if passed else "red", icon=":material/gavel:")
    for verdict in mine:
        if verdict.outcome == "fail":
            draw_verdict(verdict)


def _settle(studio: Studio, place: Place, position: int) -> None:
    """After an answer that contradicts the check: who is right?"""
    st.markdown("**You say otherwise.** Who is right?")
    if place.outcome == "pass":  # the check found nothing, the reviewer does
        likely = CLASS_OF_CHECK.get(place.check)
        classes = list(dict.fromkeys(CLASS_OF_CHECK.values()))
        st.selectbox(
            "What kind of mistake it is",
            classes,
            index=classes.index(likely) if likely else 0,
            format_func=spaced,
            key=f"review.class.{position}",
        )
        st.pills(
            "Whose fault",
            list(BLAMES),
            default="agent",
            required=True,
            format_func=BLAMES.__getitem__,
            key=f"review.blame.{position}",
        )
    st.text_input("Why, in a sentence", key=f"review.reason.{position}", max_chars=reviewing.LONGEST_REASON)
    with st.container(horizontal=True):
        st.button(
            "I am right",
            key="review.stand",
            icon=":material/edit:",
            type="primary",
            shortcut="S",
            help="Corrects the verdict: the attempt is scored anew, the old verdict stays on record.",
            on_click=_settled,
            args=(studio, True, position),
        )
        st.button(
            "The check is right",
            key="review.give_in",
            icon=":material/gavel:",
            shortcut="K",
            on_click=_settled,
            args=(studio, False, position),
        )


def _settled(studio: Studio, stands: bool, position: int) -> None:
    """Read the form now: what was typed last is not yet known when the buttons are drawn."""
    found = st.session_state
    error_class: ErrorClass | None = found.get(f"review.class.{position}")
    blame: Blame = found.get(f"review.blame.{position}") or "agent"
    reason = str(found.get(f"review.reason.{position}") or "")
    reviewing.settle(studio, stands=stands, error_class=error_class, blame=blame, reason=reason)


def draw_notice(session: Session) -> None:
    """What the last key did."""
    if session.notice:
        st.caption(f":material/check: {session.notice}")


def draw_moves(studio: Studio, session: Session) -> None:
    """Previous, next, undo and help; behind the last question too, so that the last answer can be undone."""
    with st.container(horizontal=True):
        st.button(
            "Previous",
            key="review.p",
            icon=":material/chevron_left:",
            shortcut="P",
            disabled=not session.position,
            on_click=reviewing.move,
            args=(-1,),
        )
        st.button(
            "Next",
            key="review.n",
            icon=":material/chevron_right:",
            shortcut="N",
            disabled=session.place is None,
            on_click=reviewing.move,
            args=(1,),
        )
        st.button(
            "Undo",
            key="review.z",
            icon=":material/undo:",
            shortcut="Z",
            disabled=not session.history,
            on_click=reviewing.undo,
            args=(studio,),
        )
        st.button("Keys", key="review.h", icon=":material/keyboard:", shortcut="H", on_click=_toggle_help)
    if st.session_state.get("review.help"):
        with st.container(border=True):
            for key, what in KEYS:
                st.markdown(f"**{key}**  {what}")


def _toggle_help() -> None:
    st.session_state["review.help"] = not st.session_state.get("review.help", False)
