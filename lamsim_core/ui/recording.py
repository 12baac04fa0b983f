"""Recording what an MCP server answers to a call, while a person tries its tools."""

import streamlit as st

from lamsim_core.records import GoldCall
from lamsim_core.settings import Settings
from lamsim_core.tools import Category
from lamsim_core.tools.imported import Recording, Server, record_call
from lamsim_core.tools.imported.folder import list_stored
from lamsim_core.ui.draw import guard


def offer_recording(settings: Settings, category: Category, call: GoldCall, key: str) -> None:
    """A button that makes a call with the server it was imported from, when that can be reached over HTTP."""
    stored = list_stored(settings).categories.get(category.name)
    if stored is None or stored.source != "mcp":
        return
    if stored.url is None:
        st.caption("Calls of this server are recorded from the shell, with `import call`.")
        return
    if st.button("Ask the server and record its answer", key=key, icon=":material/fiber_manual_record:"):
        with guard(), st.spinner("Asking the server"):
            record_call(settings, category.name, Recording(call.name, call.arguments), Server(url=stored.url))
            st.rerun()
