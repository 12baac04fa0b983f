"""Recording what an MCP server answers to a call, while a person tries its tools."""

import shlex

import streamlit as st
from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.records import GoldCall
from lamsim_core.settings import Settings
from lamsim_core.tools import Category
from lamsim_core.tools.imported import Recording, Server, record_call
from lamsim_core.tools.imported.folder import list_stored
from lamsim_core.tools.imported.worlds import NOT_RECORDED
from lamsim_core.ui.draw import guard, label, untrusted


def not_recorded(content: JsonValue) -> bool:
    """Whether a call came to nothing because it was never recorded."""
    return isinstance(content, dict) and str(content.get("error", "")).startswith(NOT_RECORDED)


def offer_recording(settings: Settings, category: Category, call: GoldCall, key: str) -> None:
    """What to do about a call that was not recorded: a button when its server is reached over HTTP, else the command.

    Args:
        settings: where imports are kept.
        category: whose tool it is.
        call: what was called.
        key: of the button.
    """
    stored = list_stored(settings).categories.get(category.name)
    if stored is None or stored.source != "mcp":
        return
    if stored.url is None:
        st.caption("It was not recorded. Calls of this server are recorded from the shell, where its command is given:")
        arguments = shlex.quote(canonical_json(dict(call.arguments)))
        untrusted(f"python -m lamsim_core import call {category.name} {call.name} --arguments {arguments} -- COMMAND")
        return
    if st.button("Record it", key=key, type="primary", icon=":material/fiber_manual_record:"):
        with guard():
            with st.spinner("Asking the server"):
                record_call(settings, category.name, Recording(call.name, call.arguments), Server(url=stored.url))
            st.rerun()
    st.caption(f"The call is made once with the server at {label(stored.url)}, and its answer kept.")
