"""What the rest of the product does with imports: bring them in, list them, record calls, remove them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from pydantic import JsonValue

from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.settings import Settings
from lamsim_core.tools.category import Category
from lamsim_core.tools.imported.folder import (
    changing,
    get_stored,
    import_path,
    list_stored,
    remove_stored,
    write_stored,
)
from lamsim_core.tools.imported.limits import MAX_ARGUMENTS_BYTES, MAX_RECORDINGS, MAX_RESULTS_PER_CALL
from lamsim_core.tools.imported.mcp import Recorder
from lamsim_core.tools.imported.names import (
    check_category_name,
    check_title,
    named_tools,
    shipped_categories,
    shipped_tools,
)
from lamsim_core.tools.imported.openapi import read_definitions
from lamsim_core.tools.imported.reading import check_value
from lamsim_core.tools.imported.records import Definition, ImportedCategory, ImportedTool, RecordedCall, Result, Source
from lamsim_core.tools.imported.servers import Server
from lamsim_core.tools.imported.worlds import argument_key, to_category, to_spec


class ImportedCategories(NamedTuple):
    """The imports that can be used, and what is wrong with the others."""

    categories: Mapping[str, Category]
    """By name, in alphabetical order."""
    problems: tuple[str, ...]
    """A sentence for each file that cannot be used."""


class Recording(NamedTuple):
    """A call to make while a server runs."""

    tool: str
    """Name of the tool, as agents or as the server know it."""
    arguments: Mapping[str, JsonValue]


def import_openapi(settings: Settings, name: str, title: str, text: str) -> Category:
    """Import the tools of an OpenAPI 3 description or of a list of tools, to be simulated.

    Args:
        settings: where imports are kept.
        name: of the category: 2 to 31 lower-case letters, digits and _.
        title: what people read.
        text: JSON or YAML.

    Raises:
        InvalidInputError: the name, the title or the text cannot be used; nothing was written.
        StoreWriteError: the import could not be written.
    """
    _check_free(settings, name)
    title = check_title(title)
    read = read_definitions(text)
    what = "an OpenAPI description" if read.source == "openapi" else "a list of tools"
    description = f"Simulated from {what}{f' ({read.description})' if read.description else ''}."
    return _add(settings, name, title, description, read.source, read.tools)


def import_mcp(settings: Settings, name: str, title: str, server: Server) -> Category:
    """Import the tools of a running MCP server. Calls are recorded afterwards, with ``record_call``.

    Args:
        settings: where imports are kept.
        name: of the category.
        title: what people read.
        server: where it is. A page may pass a URL, never a command.

    Raises:
        InvalidInputError: the server cannot be reached, or something cannot be used; nothing was written.
        StoreWriteError: the import could not be written.
    """
    _check_free(settings, name)
    title = check_title(title)
    with Recorder(server) as recorder:
        tools = recorder.tools()
    return _add(settings, name, title, "Replays what an MCP server answered.", "mcp", tools, server.url)


def imported_categories(settings: Settings) -> ImportedCategories:
    """Every imported category; damage is told, never raised. Cheap to ask again."""
    stored = list_stored(settings)
    problems = list(stored.problems)
    taken_names, taken_tools = set(shipped_categories()), set(shipped_tools())
    found: dict[str, Category] = {}
    for name, record in stored.categories.items():
        clash = {each.tool.name for each in record.tools} & taken_tools
        if name in taken_names or clash:
            what = f"tool {min(clash)!r}" if clash else f"category {name!r}"
            problems.append(
                f"The imported category {name!r} is left out: there is another {what}. Remove it and import it anew."
            )
            continue
        taken_tools |= {each.tool.name for each in record.tools}
        found[name] = _built(_Same(record))
    return ImportedCategories(found, tuple(problems))


def remove_import(settings: Settings, name: str) -> None:
    """Remove an imported category, damaged or not. Raises NotFoundError; StoreWriteError."""
    import_path(settings, name)
    with changing(settings):
        remove_stored(settings, name)


def record_call(settings: Settings, name: str, call: Recording, server: Server) -> Result:
    """Make one call to an MCP server and add the answer to the category's recordings. See ``record_calls``."""
    return record_calls(settings, name, [call], server)[0]


def record_calls(settings: Settings, name: str, calls: Sequence[Recording], server: Server) -> list[Result]:
    """Make calls to an MCP server in order, on one connection, and add the answers to the category's recordings.

    Raises:
        NotFoundError: there is no such import, or a tool is not one of its own.
        InvalidInputError: it is not of an MCP server, arguments are not valid, or the server cannot be asked. Nothing was
            recorded.
        StoreWriteError: the recordings could not be written.
    """
    stored = get_stored(settings, name)
    if stored.source != "mcp":
        raise InvalidInputError(f"The category {name!r} is simulated; only calls to MCP servers are recorded.")
    tools = [_checked(stored, each) for each in calls]
    with Recorder(server) as recorder:
        results = [recorder.call(tool.origin, each.arguments) for tool, each in zip(tools, calls, strict=True)]
    with changing(settings):
        stored = get_stored(settings, name)
        found = {(each.tool, each.arguments): each for each in stored.calls}
        for tool, call, result in zip(tools, calls, results, strict=True):
            key = (tool.tool.name, argument_key(tool, call.arguments))
            before = found[key].results if key in found else ()
            if (
                len(before) >= MAX_RESULTS_PER_CALL
                or sum(len(each.results) for each in found.values()) >= MAX_RECORDINGS
            ):
                raise InvalidInputError(
                    f"A category holds at most {MAX_RECORDINGS:,} recordings, {MAX_RESULTS_PER_CALL} of the same call. "
                    "Import the server under another name to record more."
                )
            found[key] = RecordedCall(tool=key[0], arguments=key[1], results=(*before, result))
        write_stored(settings, stored.model_copy(update={"calls": tuple(found.values())}))
    return results


class _Same:
    """A record by identity: the folder gives the same object for as long as the file is the same."""

    def __init__(self, record: ImportedCategory) -> None:
        self.record = record

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.record is other.record

    def __hash__(self) -> int:
        return id(self.record)


@lru_cache(maxsize=64)
def _built(same: _Same) -> Category:
    return to_category(same.record)


def _checked(stored: ImportedCategory, call: Recording) -> ImportedTool:
    tool = stored.tool(call.tool)
    if tool is None:
        raise NotFoundError("tool", call.tool, [each.tool.name for each in stored.tools])
    check_value(dict(call.arguments), "The arguments")
    if len(argument_key(tool, call.arguments)) > MAX_ARGUMENTS_BYTES:
        raise InvalidInputError(f"The arguments have more than {MAX_ARGUMENTS_BYTES:,} bytes. Ask for less.")
    faults = to_spec(tool, lambda world, arguments: None).validator.faults(dict(call.arguments))
    if faults:
        raise InvalidInputError(" ".join(fault.message for fault in faults[:5]))
    return tool


def _check_free(settings: Settings, name: str) -> None:
    check_category_name(name)
    if import_path(settings, name).exists():
        raise InvalidInputError(
            f"There is an imported category {name!r} already. Remove it first, or choose another name."
        )


def _add(
    settings: Settings,
    name: str,
    title: str,
    description: str,
    source: Source,
    definitions: list[Definition],
    url: str | None = None,
) -> Category:
    with changing(settings):
        _check_free(settings, name)
        others = [each.tool.name for record in list_stored(settings).categories.values() for each in record.tools]
        record = ImportedCategory(
            name=name,
            title=title,
            description=description,
            source=source,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            url=url,
            tools=named_tools(name, definitions, others),
        )
        write_stored(settings, record)
    return to_category(get_stored(settings, name))
