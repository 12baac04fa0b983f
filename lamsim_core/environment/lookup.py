"""How tools find rows: names compared without case and accents, ids that must exist; and ids for populated rows."""

import random
import unicodedata
from typing import Any

from lamsim_core.environment.toolspec import ToolRefusedError
from lamsim_core.environment.world import FrozenRow, World

_LETTERS = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters with a plain form that Unicode does not know of as one."""


def folded(text: str) -> str:
    """Text as names are compared: case, accents and outer blanks do not matter."""
    if text.isascii():
        return text.lower().strip()
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS).strip()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def has_words(query: str, text: str) -> bool:
    """Whether every word of ``query`` begins a word of ``text``; a plural s at the end of a word is forgiven.

    A query without words has nothing in common with any text.
    """
    known = folded(text).split()
    wanted = folded(query).split()
    return bool(wanted) and all(
        any(word.startswith((part, part.removesuffix("s"))) for word in known) for part in wanted
    )


def require_row(world: World, table: str, row_id: str, noun: str, see: str | None = None) -> FrozenRow:
    """The row with an id.

    Args:
        world: the world.
        table: where to look.
        row_id: what the agent gave.
        noun: what such a row is called, e.g. ``order``.
        see: name of the tool that tells the right id.

    Raises:
        ToolRefusedError: there is no such row.
    """
    row = world.get(table, row_id)
    if row is None:
        raise ToolRefusedError(f"There is no {noun} with the id {row_id[:80]!r}.", see=see)
    return row


def require_named(
    world: World, table: str, name: str, noun: str, *, field: str = "name", see: str | None = None
) -> FrozenRow:
    """The row whose ``field`` is this name, case and accents aside.

    Raises:
        ToolRefusedError: there is none; the message offers rows that share a word with it.
    """
    wanted = folded(name)
    rows = world.rows(table)
    for row in rows:
        if folded(str(row[field])) == wanted:
            return row
    similar = [str(row[field]) for row in rows if set(folded(str(row[field])).split()) & set(wanted.split())]
    hint = f" Similar: {', '.join(similar[:5])}." if similar else ""
    raise ToolRefusedError(f"There is no {noun} named {name[:80]!r}.{hint}", see=None if similar else see)


def require_listed(world: World, table: str, name: str, noun: str) -> str:
    """The name, as it is written in a table of few names (folders, groups), case and accents aside.

    Raises:
        ToolRefusedError: there is none; the message lists all there are.
    """
    known = [str(row["name"]) for row in world.rows(table)]
    for each in known:
        if folded(each) == folded(name):
            return each
    raise ToolRefusedError(f"There is no {noun} {name[:80]!r}. The {noun}s are {', '.join(known)}.")


def view(row: FrozenRow, *fields: str) -> dict[str, Any]:
    """Some fields of a row, for a tool's result."""
    return {field: row[field] for field in fields}


class Ids:
    """Ids for the rows a world is populated with: ``ids("evt")`` gives ``evt_4821``, no number twice."""

    def __init__(self, rng: random.Random) -> None:
        self._numbers = rng.sample(range(1000, 9000), 800)

    def __call__(self, prefix: str) -> str:
        """The next id with this prefix."""
        return f"{prefix}_{self._numbers.pop()}"
