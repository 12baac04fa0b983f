"""How much foreign text is accepted. Whatever is larger is refused with a sentence that names the limit."""

MAX_TEXT_BYTES = 4_000_000
"""Bytes of a file of tools."""
MAX_DEPTH = 60
"""Levels of nesting in a file."""
MAX_VALUES = 250_000
"""Values in a file: keys are not counted."""
MAX_STRING = 50_000
"""Characters of one text in a file."""
MAX_TOOLS = 200
"""Tools of one category."""
MAX_NAME = 64
"""Characters of the name of a tool or a parameter."""
MAX_TITLE = 60
"""Characters of a category's title."""
MAX_DESCRIPTION = 2_000
"""Characters of a description."""
SHORT_DESCRIPTION = 300
"""Characters kept of a description in an OpenAPI file, where essays are common."""
MAX_SCHEMA_DEPTH = 12
"""Levels of schemas within a schema, references followed."""
MAX_SCHEMA_NODES = 1_500
"""Schemas within a schema, references followed."""
MAX_SCHEMA_BYTES = 24_000
"""Bytes of one schema, references followed."""
MAX_PROPERTIES = 64
"""Properties of one object."""
MAX_ENUM = 200
"""Values of one enumeration."""
MAX_PATTERN = 200
"""Characters of a regular expression."""
MAX_REFERENCE = 300
"""Characters of a reference."""

MAX_ANSWER_VALUES = 300
"""Values in a simulated answer."""
MAX_ANSWER_ITEMS = 5
"""Entries of a list in a simulated answer."""

MAX_MESSAGE_BYTES = 2_000_000
"""Bytes of one message of an MCP server."""
MAX_PAGES = 20
"""Pages of an MCP server's list of tools."""
MAX_RESULT_BYTES = 16_000
"""Bytes of one recorded result."""
MAX_FAULT = 500
"""Characters kept of a recorded fault."""
MAX_RESULTS_PER_CALL = 50
"""Recordings of one tool with the same arguments."""
MAX_RECORDINGS = 2_000
"""Recordings of one category."""
MAX_ARGUMENTS_BYTES = 8_000
"""Bytes of the arguments of a recorded call."""
CONNECT_SECONDS = 20.0
"""Time an MCP server has to start and to list its tools."""
CALL_SECONDS = 30.0
"""Time an MCP server has for one call."""

MAX_FILE_BYTES = 60_000_000
"""Bytes of a stored category."""
