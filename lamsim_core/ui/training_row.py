"""A training row as the model will see it, with what it is trained on marked."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from lamsim_core.ui.draw import chip, label, untrusted, untrusted_json, untrusted_prose

ROLES = {"system": "System", "user": "User", "assistant": "Agent", "tool": "Tool result"}


def draw_row(row: Mapping[str, Any]) -> None:
    """Every message in order, then the tools offered."""
    for message in row["messages"]:
        draw_message(message)
    with st.expander(f"{len(row['tools'])} tools offered", icon=":material/build:", type="compact"):
        untrusted_json(row["tools"], expanded=1)


def is_trained(message: Mapping[str, Any]) -> bool:
    """Whether the model learns to write this message."""
    return bool(message["role"] == "assistant" and message.get("weight", 1) != 0)


def draw_message(message: Mapping[str, Any], *, learned: bool = True) -> None:
    """One message; an agent's says whether the model learns to write it, where anything of the row is ``learned``."""
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.caption(label(ROLES.get(message["role"], "Message")), width="content")
            if learned and message["role"] == "assistant":
                if is_trained(message):
                    chip("trained on", color="green", icon=":material/school:")
                else:
                    why = "It failed a check, or closes an attempt that did not pass. It stays as context."
                    chip("not trained on", color="gray", icon=":material/visibility_off:", help=why)
        if message.get("content"):
            (untrusted if message["role"] == "tool" else untrusted_prose)(message["content"])
        for call in message.get("tool_calls") or ():
            untrusted_json({"name": call["function"]["name"], "arguments": call["function"]["arguments"]})
