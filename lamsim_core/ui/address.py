"""What a page shows is in its address, so that a reload and a link show the same.

What a callback writes into the address reaches the browser only with its next event, so that a reload right after it
would show something else. A callback says where to go, and the page goes there when it runs.
"""

import streamlit as st

_WANTED = "address.wanted"


def go(**changes: str | None) -> None:
    """From a callback or a page: change these parts of the address; None takes one out."""
    st.session_state[_WANTED] = {**st.session_state.get(_WANTED, {}), **changes}


def arrive() -> None:
    """At the beginning of a page, before the address is read: do what ``go`` asked for."""
    for name, value in st.session_state.pop(_WANTED, {}).items():
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value
