"""References within a document: followed, never fetched."""

from typing import Any
from urllib.parse import unquote

from lamsim_core.errors import InvalidInputError
from lamsim_core.tools.imported.limits import MAX_REFERENCE

OUTSIDE = "References are never fetched: write the schema into this document and refer to it as #/..."
"""What to do instead of referring to something elsewhere."""


def resolve(document: Any, reference: Any, where: str) -> tuple[str, Any]:
    """What a reference within a document points to, and the reference in its plainest form. Raises InvalidInputError."""
    if not isinstance(reference, str) or len(reference) > MAX_REFERENCE:
        raise InvalidInputError(
            f"{where}: $ref must be text of at most {MAX_REFERENCE} characters, got {shown(reference)}."
        )
    if reference != "#" and not reference.startswith("#/"):
        raise InvalidInputError(f"{where}: the reference {shown(reference)} leaves the document. {OUTSIDE}")
    parts = [unquote(part).replace("~1", "/").replace("~0", "~") for part in reference.split("/")[1:]]
    found = document
    for part in parts:
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isascii() and part.isdecimal() and int(part[:6]) < len(found):
            found = found[int(part[:6])]
        else:
            raise InvalidInputError(
                f"{where}: the reference {shown(reference)} points to nothing in this document. Add it."
            )
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts), found


def shown(value: Any) -> str:
    """A foreign value in a sentence: short, quoted."""
    return repr(value if isinstance(value, str) else str(value))[:80]
