"""Names: which are let in, and how the tools of an import get names nobody else has."""

import re
from collections.abc import Iterable

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import ToolSchema
from lamsim_core.tools.imported.limits import MAX_NAME, MAX_TITLE, MAX_TOOLS
from lamsim_core.tools.imported.pointers import shown
from lamsim_core.tools.imported.records import Definition, ImportedTool

CATEGORY = re.compile(r"[a-z][a-z0-9_]{1,30}")
"""Names of imported categories: the only ones that ever become part of a path."""
TOOL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Names of tools."""
_RESERVED = {"category", "held_out", "imported"}


def check_category_name(name: str) -> str:
    """The name itself. Raises InvalidInputError when it cannot name an imported category."""
    if not CATEGORY.fullmatch(name):
        raise InvalidInputError(
            "The name of an imported category has 2 to 31 lower-case letters, digits and _, and begins with a letter; "
            f"got {shown(name)}. Choose another."
        )
    if name in _RESERVED or name in shipped_categories():
        raise InvalidInputError(f"The name {name!r} is taken by the product itself. Choose another.")
    if {f"{name}_calls", f"{name}_seed"} & shipped_tables():
        raise InvalidInputError(f"The name {name!r} would give its tables names that are taken. Choose another.")
    return name


def check_title(title: str) -> str:
    """The title without outer blanks. Raises InvalidInputError."""
    title = title.strip()
    if not 1 <= len(title) <= MAX_TITLE or not title.isprintable():
        raise InvalidInputError(
            f"A title has 1 to {MAX_TITLE} printable characters; got {shown(title)}. Choose another."
        )
    return title


def check_tool_name(name: object) -> str:
    """The name of a foreign tool. Raises InvalidInputError when it has not the form agents can call."""
    if not isinstance(name, str) or not TOOL.fullmatch(name) or not re.search("[A-Za-z0-9]", name):
        raise InvalidInputError(
            f"A tool's name has 1 to {MAX_NAME} letters, digits and _ . -; got {shown(name)}. Rename it at its source."
        )
    return name


def shipped_categories() -> tuple[str, ...]:
    """Names of the categories the product ships."""
    from lamsim_core.tools.category import categories

    return tuple(categories())


def shipped_tools() -> frozenset[str]:
    """Names of the tools the product ships."""
    from lamsim_core.tools.category import categories

    return frozenset(name for category in categories().values() for name in category.tools)


def shipped_tables() -> frozenset[str]:
    """Names of the tables in the worlds the product ships."""
    from lamsim_core.tools.category import categories

    return frozenset(table for category in categories().values() for table in category.world(0).tables)


def named_tools(
    category: str, definitions: Iterable[Definition], taken: Iterable[str] = ()
) -> tuple[ImportedTool, ...]:
    """The tools under the names agents call them by: ``<category>_<name>``, unless the name begins so already.

    Always prefixed, and not only when a name is taken, so that a name does not depend on what else is there.

    Raises:
        InvalidInputError: there are none or too many, or a name is too long or taken.
    """
    found: dict[str, ImportedTool] = {}
    others = shipped_tools() | set(taken)
    for each in definitions:
        name = each.name if each.name.startswith(f"{category}_") else f"{category}_{each.name}"
        if len(name) > MAX_NAME:
            raise InvalidInputError(
                f"The tool {each.name!r} would be called {name!r}, which has more than {MAX_NAME} characters. "
                "Choose a shorter name for the category, or rename the tool at its source."
            )
        if name in found or name in others:
            who = "two tools of this import" if name in found else "a tool of this import and one that is there already"
            raise InvalidInputError(f"The name {name!r} would belong to {who}. Rename the tool at its source.")
        schema = ToolSchema(name=name, description=each.description, parameters=each.parameters)
        found[name] = ImportedTool(
            tool=schema, origin=each.name, mutates=each.mutates, answer=each.answer, examples=each.examples
        )
        if len(found) > MAX_TOOLS:
            raise InvalidInputError(f"A category has at most {MAX_TOOLS} tools; this source has more. Leave some out.")
    if not found:
        raise InvalidInputError("Expected at least one tool, but the source describes none. Choose another source.")
    return tuple(found.values())
