"""What a stored import consists of."""

from typing import Literal, NamedTuple

from pydantic import Field, JsonValue

from lamsim_core.records import Record, ToolSchema

Source = Literal["openapi", "tools", "mcp"]
"""An OpenAPI description, a plain list of tools, or an MCP server."""


class ImportedTool(Record):
    """One tool: what the agent sees, and how it answers."""

    tool: ToolSchema
    """The tool under the name agents call it by, which begins with the category's name."""
    origin: str
    """The name it has where it comes from."""
    mutates: bool
    """Whether a call may change the world; taken to be so when the source does not say."""
    answer: dict[str, JsonValue] | None = None
    """Schema of a simulated answer, when the source gives one."""
    examples: tuple[JsonValue, ...] = ()
    """Answers the source gives as examples."""


class Result(Record):
    """What a server once answered."""

    ok: bool
    content: JsonValue = None
    fault: str = ""
    """The server's message, when it refused."""


class RecordedCall(Record):
    """Everything a server answered to one call, in order."""

    tool: str
    """Name of the tool as agents know it."""
    arguments: str
    """Canonical JSON of the arguments."""
    results: tuple[Result, ...]


class ImportedCategory(Record):
    """One imported category, as its file holds it."""

    version: Literal[1] = 1
    """Of this form."""
    name: str
    title: str
    description: str
    source: Source
    created: str
    """UTC, ISO 8601."""
    url: str | None = None
    """Where the MCP server was reached, when over HTTP. A command is never stored."""
    tools: tuple[ImportedTool, ...] = Field(min_length=1)
    calls: tuple[RecordedCall, ...] = ()

    def tool(self, name: str) -> ImportedTool | None:
        """A tool by the name agents know or the name at its source."""
        by_name = {each.origin: each for each in self.tools} | {each.tool.name: each for each in self.tools}
        return by_name.get(name)


class Definition(NamedTuple):
    """A tool as its source describes it, checked, before it gets its name in a category."""

    name: str
    description: str
    parameters: dict[str, JsonValue]
    mutates: bool
    answer: dict[str, JsonValue] | None = None
    examples: tuple[JsonValue, ...] = ()


class Definitions(NamedTuple):
    """What was read from a text."""

    source: Source
    description: str
    tools: list[Definition]
