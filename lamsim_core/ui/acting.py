"""What a person does as the agent: a call by a form from the tool's schema, a message, or a reply typed as text."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from lamsim_core.agent.parse import parse_reply
from lamsim_core.explore.edits import LONGEST_EDIT, raw_reply, typed_reply
from lamsim_core.records import GoldCall, Task, ToolCall
from lamsim_core.ui.arguments import argument_inputs, call_from
from lamsim_core.ui.draw import clean, label

Way = Literal["Call a tool", "Close with a message", "Type the reply"]
BY_FORM: Sequence[Way] = ("Call a tool", "Close with a message")
WAYS: Sequence[Way] = (*BY_FORM, "Type the reply")


def reply_form(task: Task, title: str, *, key: str, way_key: str, draft: str | None = None) -> str | None:
    """Draw the inputs for one reply.

    Args:
        task: offers the tools.
        title: above the ways to reply.
        key: prefix of the keys of the inputs; another one for another reply.
        way_key: key of the choice between the ways, which may stay from reply to reply.
        draft: the agent's reply that it takes the place of; the inputs hold it at first.

    Returns:
        The reply when it was handed in, as the agent would have written it; else None.

    Raises:
        InvalidInputError: what was handed in cannot be used.
    """
    parsed, instead = parse_reply(draft or ""), draft is not None
    call = parsed.calls[0] if len(parsed.calls) == 1 and parsed.calls[0].name else None
    first = WAYS[0] if call is not None or not draft else WAYS[2] if parsed.calls else WAYS[1]
    ways = WAYS if instead else BY_FORM
    way = st.segmented_control(title, ways, key=way_key, default=first, required=True)
    if way == WAYS[0]:
        made = _call_form(task, key, call, "Make this call instead" if instead else "Call")
        return None if made is None else typed_reply(made)
    with st.form(f"say-{key}", border=False):
        if way == WAYS[1]:
            said = st.text_area("Message to the user", parsed.content, key=f"message-{key}", height=90)
            st.caption("This ends the attempt.")
        else:
            said = st.text_area("Reply", draft or "", key=f"raw-{key}", height=170, max_chars=LONGEST_EDIT)
            st.caption("As the agent would write it: several calls, or broken ones, can be tried too.")
        submit = "Say this instead" if instead else "Close the attempt" if way == WAYS[1] else "Reply"
        if not st.form_submit_button(submit, type="primary", icon=":material/send:"):
            return None
    return typed_reply(said) if way == WAYS[1] else raw_reply(said)


def _call_form(task: Task, key: str, call: ToolCall | None, submit: str) -> GoldCall | None:
    tools = {tool.name: tool for tool in task.tools}
    names = list(tools)
    first = names.index(call.name) if call is not None and call.name in tools else 0
    tool = tools[str(st.selectbox("Tool", names, index=first, format_func=clean, key=f"tool-{key}"))]
    st.caption(label(tool.description))
    with st.form(f"call-{key}-{tool.name}", border=False):
        entered = argument_inputs(tool, key, call.arguments if call is not None and call.name == tool.name else None)
        if not st.form_submit_button(submit, type="primary", icon=":material/play_arrow:"):
            return None
        return call_from(tool, entered)
