"""Rules of a selection as people give them, from a form or the shell."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Selection


def selection_of(**rules: Any) -> Selection:
    """A selection of these rules.

    Raises:
        InvalidInputError: a rule cannot be used; says which and why.
    """
    try:
        return Selection(**rules)
    except ValidationError as error:
        found = error.errors()[0]
        where = " ".join(map(str, found["loc"]))
        raise InvalidInputError(f"The rule {where!r} cannot be used: {found['msg']}.") from error


def shares_of(parts: Iterable[str], *, as_written: bool = False) -> dict[str, float]:
    """Shares written as ``calendar=0.3``.

    Args:
        parts: one share each.
        as_written: whether names are taken as they are, capital letters and spaces included.

    Raises:
        InvalidInputError: one is not written so.
    """
    shares: dict[str, float] = {}
    for part in parts:
        name, _, share = part.rpartition("=")
        name = name.strip()
        try:
            shares[name if as_written else name.lower().replace(" ", "_")] = float(share)
        except ValueError as error:
            raise InvalidInputError(
                f"{part[:60]!r} is no share; write a name and a part of 1, as calendar=0.3."
            ) from error
    return shares


def shortage(selection: Selection, rows: int) -> str | None:
    """What to say when there are fewer rows than were asked for; None when there are enough."""
    if selection.rows is None or rows >= selection.rows:
        return None
    return f"Fewer rows than asked for: {rows:,} instead of {selection.rows:,}, because no more fit the rules."
