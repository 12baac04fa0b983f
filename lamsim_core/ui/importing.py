"""Tools from elsewhere, brought in from the browser: a file to simulate, or an MCP server on this machine to replay."""

from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from lamsim_core.errors import InvalidInputError, LamsimError
from lamsim_core.settings import Settings
from lamsim_core.tasks.library import own_templates
from lamsim_core.tools import Category
from lamsim_core.tools.imported import Server, import_mcp, import_openapi, imported_categories, remove_import
from lamsim_core.tools.imported.folder import get_stored, list_stored, stored_names, tools_folder
from lamsim_core.tools.imported.limits import MAX_TEXT_BYTES, MAX_TITLE
from lamsim_core.tools.imported.names import CATEGORY
from lamsim_core.tools.imported.records import ImportedCategory
from lamsim_core.ui.catalog import show_category
from lamsim_core.ui.draw import chip, clean, guard, label, untrusted
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import BADGE_BLUE, BADGE_ORANGE, badge_column
from lamsim_core.ui.wording import amount, moment

SOURCES = {"openapi": "OpenAPI description", "tools": "list of tools", "mcp": "MCP server"}
FROM_SHELL = "python -m lamsim_core import mcp --name bank --title Bank -- COMMAND ARGUMENTS"
ANSWERED = {"mcp": "replayed"}
"""How calls are answered, by source; all others are simulated."""
LONGEST_PASTE = 200_000
"""Characters that may be pasted; what is longer comes as a file."""
DONE = "import_done"
"""Key of the name of what was imported last on this page."""
COUNT = "import_count"
"""Key of how many imports were made on this page: the upload field is a new one after each."""
FIELDS = tuple(f"import_{form}.{field}" for form in ("file", "server") for field in ("name", "title", "text", "url"))


def draw_imports(studio: Studio) -> None:
    """The two ways to import, what came of the last import, and what is imported."""
    settings = studio.settings
    done = st.session_state.get(DONE)
    if st.session_state.pop(f"{DONE}.now", False):
        st.session_state.update(dict.fromkeys((key for key in FIELDS if key in st.session_state), ""))
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_file_form(settings)
    with right:
        _draw_server_form(settings)
    found = imported_categories(settings)
    if done in found.categories:
        _draw_result(found.categories[done])
    st.subheader("Imported so far", anchor=False)
    _draw_list(settings, found.categories, found.problems)


def _name_and_title(key: str, name: str, title: str) -> tuple[str, str]:
    left, right = st.columns(2)
    given = left.text_input(
        "Name",
        key=f"{key}.name",
        placeholder=name,
        max_chars=31,
        help="2 to 31 lower-case letters, digits and _, beginning with a letter. Each tool's name begins with it.",
    )
    shown = right.text_input("Title", key=f"{key}.title", placeholder=title, max_chars=MAX_TITLE)
    return (given or "").strip(), (shown or "").strip()


def _draw_file_form(settings: Settings) -> None:
    with st.form("import_file", height="stretch"):
        st.subheader("From a file", anchor=False)
        st.caption(
            "OpenAPI 3, or a list of tools with JSON Schemas; JSON or YAML. Calls are simulated from the schemas: nothing in "
            "the file is run or fetched."
        )
        name, title = _name_and_title("import_file", "pets", "Pet shop")
        file = st.file_uploader(
            "File",
            key=f"import_file.file.{st.session_state.get(COUNT, 0)}",
            type=["json", "yaml", "yml"],
            max_upload_size=MAX_TEXT_BYTES // 1_000_000,
        )
        pasted = st.text_area("Or paste it", key="import_file.text", height=120, max_chars=LONGEST_PASTE)
        if st.form_submit_button("Import the file", type="primary", icon=":material/upload_file:"):
            with guard():
                text = _text(None if file is None else file.getvalue(), pasted or "")
                with st.spinner("Reading the tools"):
                    imported = import_openapi(settings, name, title, text)
                _show_result(imported)


def _draw_server_form(settings: Settings) -> None:
    with st.form("import_server", height="stretch"):
        st.subheader("From an MCP server", anchor=False)
        st.caption(
            "A server that runs on this machine, over streamable HTTP. Its tools are listed now; calls are recorded when you "
            "make them on the Tools tab, and replayed from then on without the server."
        )
        name, title = _name_and_title("import_server", "bank", "Bank")
        url = st.text_input("Address", key="import_server.url", placeholder="http://127.0.0.1:8000/mcp", max_chars=500)
        if st.form_submit_button("Import from the server", type="primary", icon=":material/lan:"):
            with guard():
                if not (url or "").strip():
                    raise InvalidInputError(
                        "Expected the address of the MCP server, for example http://127.0.0.1:8000/mcp. Enter it."
                    )
                with st.spinner("Asking the server for its tools"):
                    imported = import_mcp(settings, name, title, Server(url=(url or "").strip()))
                _show_result(imported)
        st.caption(
            "A server over stdio is started by a command, and commands are never taken from a page. Import it from the shell:"
        )
        untrusted(FROM_SHELL)


def _text(content: bytes | None, pasted: str) -> str:
    """What is to be imported. Raises InvalidInputError: nothing, two things, or no text."""
    if (content is None) != bool(pasted.strip()):
        got = "both" if content is not None else "neither"
        raise InvalidInputError(f"Expected a file or pasted text, got {got}. Give one of the two.")
    if content is None:
        return pasted
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"Expected UTF-8 text, but byte {error.start} of the file is none. Convert the file."
        ) from error


def _show_result(category: Category) -> None:
    """Draw the page anew with empty forms and what was imported."""
    st.session_state[DONE] = category.name
    st.session_state[f"{DONE}.now"] = True
    st.session_state[COUNT] = st.session_state.get(COUNT, 0) + 1
    st.rerun()


def _draw_result(category: Category) -> None:
    """What came of the last import: its tools, and which of them change something."""
    tools = list(category.tools.values())
    changing = sum(tool.mutates for tool in tools)
    what = "none of them changes data" if not changing else f"{changing:,} of them {_verb(changing)} data"
    st.success(
        f"{label(category.title)}: {amount(len(tools), 'tool')} imported, {what}.", icon=":material/check_circle:"
    )
    st.dataframe(
        [
            {
                "Tool": clean(tool.name),
                "What it does": clean(tool.schema.description),
                "Kind": ["changes" if tool.mutates else "reads"],
            }
            for tool in tools
        ],
        key="import_result_table",
        hide_index=True,
        height="content" if len(tools) < 8 else 300,
        column_config={
            "What it does": st.column_config.TextColumn("What it does", width="large"),
            "Kind": badge_column("Kind", {"reads": BADGE_BLUE, "changes": BADGE_ORANGE}, width=110),
        },
        alt="The tools that were imported",
    )


def _verb(count: int) -> str:
    return "changes" if count == 1 else "change"


def _draw_list(settings: Settings, usable: Mapping[str, Category], problems: Sequence[str]) -> None:
    records = list_stored(settings).categories
    names = stored_names(settings)
    own = Counter(each.id.partition(".")[0] for each in own_templates(settings))
    if not names:
        st.caption("Nothing yet. What you import shows up on the other tabs, and tasks of your own can use it.")
    for name in names:
        with (
            st.container(border=True),
            st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"),
        ):
            if name in usable and name in records:
                _draw_one(records[name])
            else:
                st.error(label(_problem(settings, name, problems), limit=600), icon=":material/error:")
            if CATEGORY.fullmatch(name):
                _draw_buttons(settings, name, own[name], usable=name in usable)


def _problem(settings: Settings, name: str, problems: Sequence[str]) -> str:
    """Why an import cannot be used."""
    if not CATEGORY.fullmatch(name):
        where = tools_folder(settings) / f"{name}.json"
        return f"{where} is no import: no category can have this name. Delete the file."
    try:
        get_stored(settings, name)
    except LamsimError as error:
        return str(error)
    return next((each for each in problems if repr(name) in each), f"The imported category {name!r} cannot be used.")


def _draw_one(record: ImportedCategory) -> None:
    changing = sum(each.mutates for each in record.tools)
    with st.container(width="content", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{label(record.title)}**", width="content")
            chip(SOURCES[record.source])
            chip(amount(len(record.tools), "tool"), icon=":material/build:")
            if record.source == "mcp":
                recorded = sum(len(call.results) for call in record.calls)
                chip(amount(recorded, "recorded call"), icon=":material/fiber_manual_record:")
        told = [record.name, f"{changing:,} {_verb(changing)} data", ANSWERED.get(record.source, "simulated")]
        told += [record.url] if record.url else []
        st.caption(label(" · ".join([*told, f"imported {moment(record.created)}"]), limit=700))


def _draw_buttons(settings: Settings, name: str, own: int, *, usable: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        if usable:
            st.button(
                "Show its tools",
                key=f"import_show.{name}",
                icon=":material/visibility:",
                on_click=show_category,
                args=(name,),
            )
        with st.popover("Remove", icon=":material/delete:", key=f"import_ask.{name}"):
            st.text("Its tools and recordings are removed. Stored attempts stay, but cannot be replayed.")
            if own:
                st.text(f"{amount(own, 'task')} of your own cannot be used until it is imported again.")
            if st.button("Remove it", key=f"import_remove.{name}", type="primary"):
                with guard():
                    remove_import(settings, name)
                    for key in [key for key in st.session_state if str(key).startswith(f"trial.{name}.")]:
                        del st.session_state[key]
                    st.rerun()
