"""The debugger of a run that is going on: its controls, where it is held, and what a person changes there."""

import json
from collections.abc import Callable

import streamlit as st
from pydantic import JsonValue

from lamsim_core.agent.parse import parse_reply
from lamsim_core.errors import InvalidInputError
from lamsim_core.explore.debugger import Hold, Pausing
from lamsim_core.explore.edits import LONGEST_EDIT
from lamsim_core.explore.live import LiveRun
from lamsim_core.ui.acting import reply_form
from lamsim_core.ui.draw import chip, guard, untrusted, untrusted_json, untrusted_prose
from lamsim_core.ui.wording import amount

EVERY, FAILED = "simulate_pause_every", "simulate_pause_failed"
"""Keys of the options."""


def pausing_options(run: LiveRun | None = None) -> None:
    """Draw when a run is held without being asked: of the next run, or of one that is going on.

    Args:
        run: the one that is going on. Its options are what they are, whatever this browser tab knew before.
    """
    if run is not None:
        st.session_state[EVERY], st.session_state[FAILED] = run.debugger.pausing.every, run.debugger.pausing.failed
    changed = {} if run is None else {"on_change": _apply, "args": (run,)}
    st.toggle(
        "Pause before every action",
        key=EVERY,
        persist_state="session",
        help="To look at what the agent wants to do, and change it, before it is done.",
        **changed,
    )
    st.toggle(
        "Pause when a verdict fails",
        key=FAILED,
        persist_state="session",
        help="After an action that a check holds against the agent.",
        **changed,
    )


def chosen_pausing() -> Pausing:
    """What is chosen in this browser tab."""
    return Pausing(every=bool(st.session_state.get(EVERY)), failed=bool(st.session_state.get(FAILED)))


def _apply(run: LiveRun) -> None:
    run.debugger.pausing = chosen_pausing()


def draw_controls(run: LiveRun) -> None:
    """The buttons of a run that is going on, with the keys that press them."""
    hold, debugger = run.debugger.hold, run.debugger
    with st.container(horizontal=True, width="content", gap="xsmall"):
        if hold is None:
            if run.policy_name != "human":
                asked = debugger.pause_asked
                if st.button(
                    "Pausing" if asked else "Pause",
                    key="debug-pause",
                    icon=":material/pause:",
                    shortcut="P",
                    disabled=asked,
                    help="Holds before the next action, once the reply is written.",
                ):
                    debugger.pause()
                    run.settle(0.3)
                    st.rerun()
        elif debugger.taken and hold.can_act:
            if st.button(
                "Hand back",
                key="debug-run-on",
                icon=":material/smart_toy:",
                shortcut="H",
                help="The agent goes on from here.",
            ):
                _order(run, debugger.run_on, hold)
        else:
            _held_buttons(run, hold)
        if st.button("Stop", key="debug-stop", icon=":material/stop_circle:", shortcut="Esc"):
            run.stop()
            run.wait(1.0)
            st.rerun()


def _held_buttons(run: LiveRun, hold: Hold) -> None:
    debugger = run.debugger
    if hold.point == "before":
        step = "Does this one action, then pauses again."
    elif hold.calls_left:
        step = "Makes the next call of the same reply, then pauses again."
    else:
        step = "Lets the agent write its next reply, then pauses again."
    if st.button("Step", key="debug-step", icon=":material/step:", shortcut="S", type="primary", help=step):
        _order(run, debugger.step, hold)
    if st.button("Run on", key="debug-run-on", icon=":material/play_arrow:", shortcut="G", help="Goes on by itself."):
        _order(run, debugger.run_on, hold)
    if hold.can_act and st.button(
        "Take over",
        key="debug-take-over",
        icon=":material/back_hand:",
        shortcut="T",
        help="You act in the agent's place until you hand back.",
    ):
        debugger.take_over(hold.number)
        st.rerun()


def _order(run: LiveRun, order: Callable[[int], None], hold: Hold) -> None:
    order(hold.number)
    run.settle(2.0)
    st.rerun()


def hold_title(hold: Hold) -> str:
    """Where a run is held, in words."""
    return f"Paused {hold.point} step {hold.step + 1}"


def draw_hold(run: LiveRun, hold: Hold) -> None:
    """Where the run is held: what the agent wants to do or is told, and the inputs to change that."""
    key, mine = f"{run.id}-{len(run.steps)}", run.debugger.taken and hold.can_act
    with st.container(border=True, gap="small"):
        if hold.why == "failed":
            st.caption("A check holds this action against the agent.")
        if hold.reply is not None:
            _draw_proposal(hold.reply, mine)
        _draw_told(run)
        if mine:
            _act(run, hold, "What you do in its place", key=key, way_key=f"way-{key}")
        elif hold.reply is not None:
            with st.expander("Change it first", icon=":material/edit:", type="compact", key=f"change-{key}"):
                _act(run, hold, f"What is done at step {hold.step + 1}", key=f"{key}-instead", way_key=f"ways-{key}")
        elif hold.calls_left:
            st.caption(f"The agent made its calls together: {amount(hold.calls_left, 'call')} of the same reply to go.")
        else:
            st.caption("Next, the agent reads this result and writes its reply.")
        if hold.reply is None:
            _edit_result(run, hold, key)


def _draw_proposal(reply: str, mine: bool) -> None:
    """What the agent wrote, call by call."""
    parsed = parse_reply(reply)
    st.caption("What the agent wrote" if mine else "The agent wants to do this. Nothing of it is done yet.")
    if parsed.content or not parsed.calls:
        untrusted_prose(parsed.content)
    for call in parsed.calls:
        if call.error is not None:
            untrusted(call.raw)
        else:
            untrusted_json({"name": call.name, "arguments": call.arguments})


def _act(run: LiveRun, hold: Hold, title: str, *, key: str, way_key: str) -> None:
    with guard():
        reply = reply_form(run.task, title, key=key, way_key=way_key, draft=hold.reply)
        if reply is not None:
            run.debugger.act(hold.number, reply)
            run.settle(2.0)
            st.rerun()


def _draw_told(run: LiveRun) -> None:
    """What the agent is going to be told instead of the last result; nothing when that was not edited."""
    if run.debugger.told is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            chip("result edited", color="orange", icon=":material/edit:")
            st.caption("The agent will be told this instead. The attempt will not be scored.", width="content")
        untrusted_json(run.debugger.told.content)


def _edit_result(run: LiveRun, hold: Hold, key: str) -> None:
    """Inputs for what the agent is told instead of the result of the last step."""
    result, told = run.steps[hold.step].observation, run.debugger.told
    if result is None:
        return
    with (
        st.expander("Tell it another result", icon=":material/edit_note:", type="compact", key=f"result-{key}"),
        st.form(f"tell-{key}", border=False),
    ):
        shown = json.dumps((told or result).content, ensure_ascii=False, indent=2)
        text = st.text_area("Result, as JSON", shown, key=f"told-{key}", height=180, max_chars=LONGEST_EDIT)
        st.caption("To see what it does with another answer of the tool. An attempt that was told one is never scored.")
        with st.container(horizontal=True):
            edit = st.form_submit_button("Tell this instead", type="primary", icon=":material/edit:")
            back = told is not None and st.form_submit_button("Tell the true result", icon=":material/undo:")
        with guard():
            if edit or back:
                run.debugger.retell(hold.number, result.content if back else result_from(text))
                st.rerun()


def result_from(text: str) -> JsonValue:
    """The result that was typed.

    Raises:
        InvalidInputError: it is no JSON, or null.
    """
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"The result has to be JSON. This is not: {text[:80]}") from error
    if value is None:
        raise InvalidInputError("A result cannot be null. Use an empty object, list or text.")
    return value
