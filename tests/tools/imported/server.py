"""A small MCP server: an account with a balance. ``python -m tests.tools.imported.server [PORT]``."""

import sys
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

server = MCPServer("bank", log_level="CRITICAL")
balance = {"amount": 100}


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def get_rate(currency: str) -> dict[str, Any]:
    """The rate of a currency."""
    if currency == "XXX":
        raise ToolError("There is no such currency.")
    return {"currency": currency, "rate": 1.25}


@server.tool()
def spend(amount: int, note: str = "") -> dict[str, Any]:
    """Spend money."""
    if amount > balance["amount"]:
        raise ToolError("There is not enough money.")
    balance["amount"] -= amount
    return {"left": balance["amount"]}


@server.tool(annotations=ToolAnnotations(read_only_hint=True), structured_output=False)
def speak(words: str) -> str:
    """Say something back."""
    return words


@server.tool(structured_output=False)
def flood(size: int) -> str:
    """Answer with many letters."""
    return "x" * size


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
