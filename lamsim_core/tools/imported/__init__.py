"""Tools from elsewhere: OpenAPI descriptions, lists of tools, MCP servers. They become categories like those shipped.

What is imported is data: it is checked, bounded, and kept in one file per category. Calls are simulated from the
source's schemas, or replayed from what an MCP server answered once; agents never reach a server.
"""

from lamsim_core.tools.imported.faces import (
    ImportedCategories,
    Recording,
    import_mcp,
    import_openapi,
    imported_categories,
    record_call,
    record_calls,
    remove_import,
)
from lamsim_core.tools.imported.mcp import Recorder
from lamsim_core.tools.imported.servers import Server
from lamsim_core.tools.imported.worlds import world_of

__all__ = [
    "ImportedCategories",
    "Recorder",
    "Recording",
    "Server",
    "import_mcp",
    "import_openapi",
    "imported_categories",
    "record_call",
    "record_calls",
    "remove_import",
    "world_of",
]
