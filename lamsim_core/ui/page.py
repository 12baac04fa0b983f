"""What every page starts with: the page's title, the navigation, and the studio's settings and store."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAPIException

from lamsim_core import __version__
from lamsim_core.settings import REPOSITORY, Settings, get_settings
from lamsim_core.store import Index, Store, open_store
from lamsim_core.ui.draw import label

HOME = "app.py"
SIDEBAR = 230
"""Width in pixels."""
LOGO = Path(__file__).with_name("logo.svg")
MARK = Path(__file__).with_name("mark.svg")
"""Sign of the browser tab. A material icon here would be fetched from another host."""


@dataclass(frozen=True)
class Studio:
    """What a page works with."""

    settings: Settings
    store: Store
    """One per process, shared by every browser tab."""

    @property
    def index(self) -> Index:
        """The store's index, in step with the journal as of the start of the page."""
        return self.store.index


@dataclass(frozen=True)
class PageLink:
    """A page as the navigation shows it; taken from the page's own ``start_page`` call."""

    path: str
    """Relative to the repository, e.g. ``pages/1_Simulate.py``."""
    title: str
    icon: str
    intro: str


def start_page(title: str, icon: str, intro: str) -> Studio:
    """First call of every page: page settings, navigation, title, store, and what the store has to say.

    Args:
        title: what the page is called, in the navigation too.
        icon: ``:material/...:``.
        intro: one sentence under the title: what the page is for.
    """
    st.set_page_config(
        page_title=f"{title} · LAM Simulator", page_icon=MARK, layout="wide", initial_sidebar_state=SIDEBAR
    )
    st.logo(LOGO, size="large")
    _navigation()
    st.title(title, icon=icon, anchor=False)
    st.caption(intro)
    settings = get_settings()
    store = open_store(settings)
    store.index.sync()
    if store.index.notice:
        st.warning(label(store.index.notice, limit=1500), icon=":material/info:")
    return Studio(settings, store)


def link(page: str, text: str, *, icon: str | None = None, query: Mapping[str, str] | None = None) -> None:
    """Draw a link to another page; nothing when that page does not exist in the app that is running.

    Args:
        page: e.g. ``pages/3_Trajectories.py``.
        text: what the link says.
        icon: ``:material/...:``.
        query: what the address of the page carries, e.g. ``{"id": "trj_..."}``.
    """
    try:
        st.page_link(page, label=text, icon=icon, query_params=dict(query or {}))
    except StreamlitAPIException:  # a page that a test runs alone knows no other page
        st.caption(text)


def go_button(page: str, text: str, *, icon: str, key: str, primary: bool = False) -> None:
    """Draw a button that leads to another page: for the one or two things to do next."""
    if st.button(text, icon=icon, key=key, type="primary" if primary else "secondary"):
        st.switch_page(page)


def page_links() -> list[PageLink]:
    """Home and every file of pages/, in order."""
    files = [REPOSITORY / HOME, *sorted((REPOSITORY / "pages").glob("[0-9]*.py"))]
    return [_read_link(path, path.stat().st_mtime_ns) for path in files if path.is_file()]


@lru_cache(maxsize=64)
def _read_link(path: Path, changed: int) -> PageLink:
    """Read title, icon and intro from the ``start_page`` call, so that a new page is a new file and nothing else."""
    given: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "start_page":
            given = [str(ast.literal_eval(argument)) for argument in node.args]
            break
    title, icon, intro = given if len(given) == 3 else (path.stem.partition("_")[2], ":material/web_asset:", "")
    return PageLink(path.relative_to(REPOSITORY).as_posix(), title, icon, intro)


def _navigation() -> None:
    with st.sidebar, st.container(gap="xsmall"):
        for page in page_links():
            try:
                st.page_link(page.path, label=page.title, icon=page.icon, help=page.intro or None, width="stretch")
            except StreamlitAPIException:  # a page that a test runs alone knows no other page
                return
    st.sidebar.caption(f"LAM Simulator {__version__}")
