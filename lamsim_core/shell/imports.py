"""Commands about tools from elsewhere: import them, list them, call one, remove them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.settings import get_settings
from lamsim_core.shell.output import FAILED, Report, Table, command

Name = Annotated[str, typer.Option("--name", help="What the category is called: lower-case letters, digits and _.")]
Title = Annotated[str, typer.Option("--title", help="What people read.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the MCP server on this machine.")]
Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- COMMAND ARGS...", help="Program and arguments that start the MCP server."),
]
Category = Annotated[str, typer.Argument(metavar="NAME", help="Name of the imported category.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the shell."""
    group = typer.Typer(
        help="Import tools from elsewhere: OpenAPI descriptions, lists of tools, MCP servers.", no_args_is_help=True
    )
    app.add_typer(group, name="import")
    command(group, "openapi")(from_openapi)
    command(group, "mcp")(from_mcp)
    command(group, "list")(list_all)
    command(group, "remove")(remove)
    command(group, "call")(call)


def from_openapi(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="OpenAPI 3 or a list of tools, in JSON or YAML.")],
    name: Name,
    title: Title,
) -> Report:
    """Import the tools of an OpenAPI 3 description or of a list of tools; calls are simulated."""
    from lamsim_core.tools.imported import import_openapi
    from lamsim_core.tools.imported.limits import MAX_TEXT_BYTES

    with file.open("rb") as stream:
        content = stream.read(MAX_TEXT_BYTES + 1)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"Expected UTF-8 text in {file}, but byte {error.start} is none. Convert the file."
        ) from error
    return _imported(import_openapi(get_settings(), name, title, text))


def from_mcp(name: Name, title: Title, url: Url = None, server: Command = None) -> Report:
    """Import the tools of an MCP server on this machine; calls are recorded with ``import call`` and replayed."""
    from lamsim_core.tools.imported import Server, import_mcp

    return _imported(import_mcp(get_settings(), name, title, Server(tuple(server or ()), url)))


def list_all() -> Report:
    """List the imported categories; exit code 1 when the file of one is damaged."""
    from lamsim_core.tools.imported.faces import imported_categories
    from lamsim_core.tools.imported.folder import list_stored

    stored = list_stored(get_settings()).categories
    found = imported_categories(get_settings())
    data: list[dict[str, Any]] = [
        {
            "name": record.name,
            "title": record.title,
            "source": record.source,
            "tools": [each.tool.name for each in record.tools],
            "recordings": sum(len(each.results) for each in record.calls),
            "created": record.created,
            "url": record.url,
        }
        for name, record in stored.items()
        if name in found.categories
    ]
    rows = [
        (each["name"], each["title"], each["source"], len(each["tools"]), each["recordings"], each["created"])
        for each in data
    ]
    return Report(
        {"imports": data, "problems": list(found.problems)},
        [
            Table(("name", "title", "from", "tools", "recordings", "created"), rows)
            if rows
            else "Nothing is imported yet.",
            *found.problems,
        ],
        FAILED if found.problems else 0,
    )


def remove(name: Category) -> Report:
    """Remove an imported category and its recordings."""
    from lamsim_core.tools.imported import remove_import

    remove_import(get_settings(), name)
    return Report({"removed": name}, [f"{name} is removed."])


def call(
    name: Category,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Name of the tool.")],
    server: Command = None,
    arguments: Annotated[str, typer.Option("--arguments", help="The arguments: one JSON object.")] = "{}",
    url: Url = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the world a simulated or replayed call is made in.")
    ] = 0,
) -> Report:
    """Call an imported tool: with a server (--url or -- COMMAND) the answer is recorded, without it is simulated or replayed."""
    given = _arguments(arguments)
    if url or server:
        from lamsim_core.tools.imported import Recording, Server, record_call

        result = record_call(get_settings(), name, Recording(tool, given), Server(tuple(server or ()), url))
        content: Any = result.content if result.ok else {"error": result.fault}
        return _called(tool, result.ok, content, "recorded")
    from lamsim_core.environment import Environment
    from lamsim_core.records import ToolCall
    from lamsim_core.tools.imported import imported_categories, world_of

    found = imported_categories(get_settings())
    if name not in found.categories:
        raise NotFoundError("imported category", name, found.categories)
    category = found.categories[name]
    environment = Environment(world_of(category, seed), category.tools)
    known = tool if tool in category.tools else f"{name}_{tool}"
    step = environment.step(ToolCall(id="call_0", name=known, arguments=given, raw=arguments))
    replayed = category.description.startswith("Replays")
    return _called(known, step.observation.ok, step.observation.content, "replayed" if replayed else "simulated")


def _arguments(text: str) -> dict[str, Any]:
    from lamsim_core.tools.imported.reading import check_value, read_json

    value = read_json(text)
    check_value(value, "The arguments")
    if not isinstance(value, dict):
        raise InvalidInputError(
            f"Expected --arguments to be one JSON object, got {text[:80]!r}. Write it like '{{\"id\": 7}}'."
        )
    return value


def _imported(category: Any) -> Report:
    tools = list(category.tools.values())
    return Report(
        {"name": category.name, "title": category.title, "tools": [tool.name for tool in tools]},
        [
            Table(
                ("tool", "changes data", "what it does"),
                [(t.name, "yes" if t.mutates else "no", t.schema.description) for t in tools],
            ),
            f"{len(tools)} tools imported as {category.name}.",
        ],
    )


def _called(tool: str, ok: bool, content: Any, how: str) -> Report:
    return Report(
        {"tool": tool, "ok": ok, "content": content, "how": how},
        [json.dumps(content, indent=2, ensure_ascii=False), f"{tool} was {how}{'' if ok else ' and refused'}."],
        0 if ok else FAILED,
    )
