"""A tool tried by hand on a world of its category: a form made from its schema, and what the call changes."""

import streamlit as st

from lamsim_core.environment import Environment, Transition
from lamsim_core.records import GoldCall, ToolCall
from lamsim_core.settings import get_settings
from lamsim_core.tools import Category
from lamsim_core.ui.arguments import argument_inputs, call_from
from lamsim_core.ui.draw import chip, clean, guard, label, untrusted_json
from lamsim_core.ui.recording import not_recorded, offer_recording
from lamsim_core.ui.rows import result_rows
from lamsim_core.ui.terms import value_text
from lamsim_core.ui.trajectory import draw_changes

MOST_CALLS = 30
"""Calls kept of one trial."""
TALLEST = 320
"""Pixels of a table."""


def draw_trial(category: Category, tool: str, key: str) -> None:
    """Let a person call a tool on a seeded world, again and again; each call sees what those before it changed.

    Args:
        category: whose world it is.
        tool: the tool's name.
        key: prefix of the widgets' keys.
    """
    schema = category.tools[tool].schema
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = int(
            st.number_input(
                "World of seed", 0, 2**31 - 1, 0, key=f"{key}.seed", width=180, help="Another seed is another world."
            )
            or 0
        )
        calls_key = f"trial.{category.name}.{seed}"
        calls: list[GoldCall] = st.session_state.setdefault(calls_key, [])
        st.button(
            "Start over",
            key=f"{key}.again",
            icon=":material/restart_alt:",
            disabled=not calls,
            on_click=st.session_state.__setitem__,
            args=(calls_key, []),
        )
    left, right = st.columns(2, gap="large")
    with left, st.form(f"{key}.form.{seed}"):
        entered = argument_inputs(schema, f"{key}.{seed}")
        if not entered:
            st.caption("It takes no arguments.")
        if st.form_submit_button("Call it", type="primary", icon=":material/play_arrow:"):
            with guard():
                st.session_state[calls_key] = [*calls, call_from(schema, entered)][-MOST_CALLS:]
                st.rerun()
    environment = Environment(category.world(seed), category.tools)
    done = [
        environment.step(ToolCall(id=f"call_{place}", name=call.name, arguments=call.arguments, raw=""))
        for place, call in enumerate(calls)
    ]
    with right:
        if not calls:
            st.caption("Nothing was called yet. The values below occur in this world.")
        for place in reversed(range(len(calls))):
            _draw_call(place, calls[place], done[place], newest=place == len(calls) - 1)
        if calls and not_recorded(done[-1].observation.content):
            offer_recording(get_settings(), category, calls[-1], f"{key}.record")
    _draw_world(environment, key)


def _draw_call(place: int, call: GoldCall, transition: Transition, *, newest: bool) -> None:
    observation = transition.observation
    icon = ":material/check_circle:" if observation.ok else ":material/error:"
    with st.expander(f"{place + 1} · **{label(call.name)}**", expanded=newest, icon=icon):
        untrusted_json(call.arguments)
        st.caption("Result" if observation.ok else "Result: it did not run to its end, and nothing changed")
        table = result_rows(observation.content)
        if table:
            st.dataframe(table, hide_index=True, height="content", alt="The rows the tool returned")
        else:
            untrusted_json(observation.content)
        if transition.changes:
            st.caption("What changed")
            draw_changes(transition.changes)


def _draw_world(environment: Environment, key: str) -> None:
    """The tables of the world as they are now, changed rows first."""
    touched = {(change.table, change.id): change for change in environment.net_changes()}
    st.markdown("**The world now**")
    table = st.segmented_control(
        "Table",
        environment.world.tables,
        default=environment.world.tables[0] if environment.world.tables else None,
        key=f"{key}.table",
        required=True,
        label_visibility="collapsed",
        format_func=clean,
    )
    if table not in environment.world.tables:
        return
    rows = sorted(environment.world.rows(str(table)), key=lambda row: (table, row["id"]) not in touched)
    changed = [place for place in touched if place[0] == table]
    if changed:
        chip(f"{len(changed)} changed", color="orange", icon=":material/edit:")
    shown = [
        {
            "": "changed" if (table, row["id"]) in touched else "",
            **{clean(k): clean(value_text(v)) for k, v in row.items()},
        }
        for row in rows
    ]
    if not shown:
        st.caption("This table is empty.")
    elif changed:
        st.dataframe(shown, hide_index=True, height=TALLEST if len(shown) > 8 else "content", alt="Rows of the world")
    else:
        plain = [{name: value for name, value in row.items() if name} for row in shown]
        st.dataframe(plain, hide_index=True, height=TALLEST if len(plain) > 8 else "content", alt="Rows of the world")
