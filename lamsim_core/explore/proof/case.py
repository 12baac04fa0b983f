"""What the proof tries: replies, and what must come of them."""

from collections.abc import Sequence
from typing import NamedTuple

from lamsim_core.records import ErrorClass


class Mark(NamedTuple):
    """What must be found, and where."""

    error_class: ErrorClass
    step: int | None
    """Index of the action that must carry the verdict; None for one on the whole attempt."""
    paths: tuple[str, ...]
    """The JSON paths that are right; any of them will do."""
    names: tuple[str, str] | None = None
    """What the verdict must name as expected and as got, where that is asked for."""


class Injection(NamedTuple):
    """A reference solution with one error in it."""

    what: str
    """The error in a few words."""
    place: int
    """The reference call it is at."""
    marks: tuple[Mark, ...]
    replies: Sequence[str]
    passes: bool | None
    """Whether the attempt must pass all the same, must fail, or may do either."""
    max_steps: int | None = None
    cut: bool = False
    """Whether the last reply meets the limit of tokens."""


class Variation(NamedTuple):
    """A reference solution done otherwise, as well."""

    what: str
    replies: Sequence[str]
    corrected: int | None = None
    """Index of an action that is wrong and made good by the next: it alone may be diagnosed."""


class Cheat(NamedTuple):
    """An attempt that must not pass."""

    what: str
    replies: Sequence[str]
    max_steps: int | None = None
