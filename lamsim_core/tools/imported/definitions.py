"""Plain lists of tools: OpenAI function shape, MCP shape, or ``{name, description, parameters}``."""

from typing import Any

from lamsim_core.errors import InvalidInputError
from lamsim_core.tools.imported.limits import MAX_DESCRIPTION, MAX_TOOLS
from lamsim_core.tools.imported.names import check_tool_name
from lamsim_core.tools.imported.pointers import shown
from lamsim_core.tools.imported.records import Definition
from lamsim_core.tools.imported.schemas import read_parameters, read_schema

_PARAMETERS = ("parameters", "inputSchema", "input_schema")
_ANSWER = ("outputSchema", "output_schema", "response")


def read_tools(tools: Any) -> list[Definition]:
    """The tools of a list. Raises InvalidInputError: one of them cannot be used."""
    if not isinstance(tools, list) or not tools:
        raise InvalidInputError(f"Expected a list of tools, got {shown(tools)}. Give one with at least one tool.")
    if len(tools) > MAX_TOOLS:
        raise InvalidInputError(
            f"A category has at most {MAX_TOOLS} tools; this list has {len(tools):,}. Leave some out."
        )
    found = [read_tool(each) for each in tools]
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidInputError(f"The list has two tools named {twice!r}; names must differ. Rename one.")
    return found


def read_tool(tool: Any) -> Definition:
    """One tool. Raises InvalidInputError."""
    if isinstance(tool, dict) and isinstance(tool.get("function"), dict):
        tool = tool["function"]
    if not isinstance(tool, dict) or "name" not in tool:
        raise InvalidInputError(
            f"Expected a tool (an object with name, description and parameters), got {shown(tool)}. Write it so."
        )
    name = check_tool_name(tool["name"])
    where = f"Tool {name!r}"
    schema = next(
        (tool[word] for word in _PARAMETERS if tool.get(word) is not None), {"type": "object", "properties": {}}
    )
    answer = next((tool[word] for word in _ANSWER if tool.get(word) is not None), None)
    return Definition(
        name=name,
        description=described(tool.get("description"), where, name),
        parameters=read_parameters(schema, schema, where),
        mutates=_mutates(tool, where),
        answer=None if answer is None else read_schema(answer, answer, f"{where}, its answer", cut=True),
    )


def described(text: Any, where: str, name: str) -> str:
    """A tool's description, or a plain one when it has none. Raises InvalidInputError."""
    if text is None or text == "":
        return f"Calls {name}."
    if not isinstance(text, str):
        raise InvalidInputError(f"{where}: a description must be text, got {shown(text)}.")
    if len(text) > MAX_DESCRIPTION:
        raise InvalidInputError(
            f"{where}: the description has {len(text):,} characters; at most {MAX_DESCRIPTION:,} are read. Shorten it."
        )
    return text.strip() or f"Calls {name}."


def _mutates(tool: dict[str, Any], where: str) -> bool:
    """Whether the tool changes anything: yes, unless it says that it does not."""
    annotations = tool.get("annotations")
    hint = annotations.get("readOnlyHint") if isinstance(annotations, dict) else None
    told = tool.get("mutates", hint is not True)
    if not isinstance(told, bool):
        raise InvalidInputError(f"{where}: mutates must be true or false, got {shown(told)}.")
    return told
