"""Tools from elsewhere, brought in from the browser: a file to simulate, or an MCP server on this machine to replay."""

import streamlit as st

from lamsim_core.errors import InvalidInputError
from lamsim_core.settings import Settings
from lamsim_core.tools import Category
from lamsim_core.tools.imported import (
    Server,
    import_mcp,
    import_openapi,
    imported_categories,
    remove_import,
)
from lamsim_core.tools.imported.folder import list_stored
from lamsim_core.tools.imported.limits import MAX_TEXT_BYTES
from lamsim_core.tools.imported.records import ImportedCategory
from lamsim_core.ui.catalog import show_category
from lamsim_core.ui.draw import chip, clean, guard, label, untrusted
from lamsim_core.ui.page import Studio
from lamsim_core.ui.wording import amount

SOURCES = {"openapi": "OpenAPI description", "tools": "list of tools", "mcp": "MCP server"}
FROM_SHELL = "python -m lamsim_core import mcp --name bank --title Bank -- COMMAND ARGUMENTS"


def draw_imports(studio: Studio) -> None:
    """What is imported, and the two ways to import more."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("From a file", anchor=False)
        _draw_file_form(studio.settings)
    with right:
        st.subheader("From an MCP server", anchor=False)
        _draw_server_form(studio.settings)
    st.subheader("Imported so far", anchor=False)
    _draw_list(studio.settings)


def _name_and_title(key: str) -> tuple[str, str]:
    left, right = st.columns(2)
    name = left.text_input("Name", key=f"{key}.name", placeholder="pets", help="Lower-case letters, digits and _.")
    title = right.text_input("Title", key=f"{key}.title", placeholder="Pet shop")
    return (name or "").strip(), (title or "").strip()


def _draw_file_form(settings: Settings) -> None:
    with st.form("import_file", border=True):
        st.caption(
            "OpenAPI 3, or a list of tools with JSON Schemas; JSON or YAML. Calls are simulated from the schemas: nothing in "
            "the file is run or fetched."
        )
        name, title = _name_and_title("import_file")
        file = st.file_uploader(
            "File", key="import_file.file", type=["json", "yaml", "yml"], max_upload_size=MAX_TEXT_BYTES // 1_000_000
        )
        pasted = st.text_area("Or paste it", key="import_file.text", height=120)
        if st.form_submit_button("Import the file", type="primary", icon=":material/upload_file:"):
            with guard():
                text = (pasted or "") if file is None else _text(file.getvalue())
                _say(import_openapi(settings, name, title, text))


def _draw_server_form(settings: Settings) -> None:
    with st.form("import_server", border=True):
        st.caption(
            "A server that runs on this machine, over streamable HTTP. Its tools are listed now; calls are recorded when you "
            "make them on the Tools tab, and replayed from then on without the server."
        )
        name, title = _name_and_title("import_server")
        url = st.text_input("Address", key="import_server.url", placeholder="http://127.0.0.1:8000/mcp")
        if st.form_submit_button("Import from the server", type="primary", icon=":material/lan:"):
            with guard(), st.spinner("Asking the server for its tools"):
                _say(import_mcp(settings, name, title, Server(url=(url or "").strip())))
        st.caption("A server that talks over pipes is started by a command, and commands are never taken from a page:")
        untrusted(FROM_SHELL, language="bash")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"Expected UTF-8 text, but byte {error.start} of the file is none. Convert the file."
        ) from error


def _say(category: Category) -> None:
    changing = sum(tool.mutates for tool in category.tools.values())
    st.success(
        f"{label(category.title)}: {amount(len(category.tools), 'tool')} imported, {changing} of them "
        f"{'changes' if changing == 1 else 'change'} something.",
        icon=":material/check_circle:",
    )


def _draw_list(settings: Settings) -> None:
    found = imported_categories(settings)
    for problem in found.problems:
        st.error(label(problem, limit=600), icon=":material/error:")
    stored = list_stored(settings).categories
    if not stored and not found.problems:
        st.caption("Nothing yet. What you import shows up on the other tabs, and tasks of your own can use it.")
    for name, record in stored.items():
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            _draw_one(settings, name, record)


def _draw_one(settings: Settings, name: str, record: ImportedCategory) -> None:
    st.text(clean(f"{record.title} ({name})", limit=120))
    chip(SOURCES.get(record.source, record.source))
    chip(amount(len(record.tools), "tool"), icon=":material/build:")
    if record.source == "mcp":
        recorded = sum(len(call.results) for call in record.calls)
        chip(amount(recorded, "recorded call"), icon=":material/fiber_manual_record:")
    st.button(
        "Show its tools", key=f"import_show.{name}", icon=":material/visibility:", on_click=show_category, args=(name,)
    )
    with st.popover("Remove", icon=":material/delete:"):
        st.text("The tools and recordings are removed. Stored attempts stay, but cannot be replayed.")
        if st.button("Remove it", key=f"import_remove.{name}", type="primary"):
            with guard():
                remove_import(settings, name)
                st.rerun()
