"""Whether something that is only for measuring is found in what would be trained on: by request, by words in a row, by tool.

- request: the same words in the same order, case, punctuation and spacing aside;
- words: ten words in a row that also stand in a row there (the length lies between the 8 and 13 of Brown et al. 2020,
  "Language models are few-shot learners", appendix C, for texts whose median is 20 words). Not asked of unseen instances:
  they share their wordings with training on purpose, and differ in world and values;
- tool: the same name with the same parameters, however they are written, or the same description of five words or more.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from lamsim_core.curate.alike import words
from lamsim_core.curate.outside import Outside
from lamsim_core.records import ToolSchema

IN_A_ROW = 10
"""Words in a row that are too many to be chance."""
DESCRIBED = 5
"""Words from which on a description says more than that two tools are of one kind."""


class Trace(NamedTuple):
    """What of an attempt can be found elsewhere."""

    request: str
    tools: frozenset[str]
    """Marks of the tools offered; see ``tool_marks``."""


class Found(NamedTuple):
    """What of an attempt was found elsewhere."""

    by: str
    """``request``, ``words`` or ``tool``."""
    where: str
    """Name of the list."""
    what: str
    """The words or the tool."""


class Watch:
    """One list, ready to be compared with."""

    def __init__(self, watched: Outside, *, in_a_row: bool = True) -> None:
        """Prepare a list. ``in_a_row``: whether words in a row are compared too."""
        said = [words(text) for text in watched.texts]
        self.name = watched.name
        self._requests = {" ".join(each) for each in said if each}
        self._rows = {row for each in said for row in rows_of(each)} if in_a_row else set()
        self._tools = {mark for schema in watched.schemas for mark in tool_marks(schema)}

    def find(self, trace: Trace) -> Found | None:
        """What of an attempt is in the list, or None."""
        said = words(trace.request)
        request = " ".join(said)
        if request in self._requests:
            return Found("request", self.name, request)
        if self._rows and (row := next((row for row in rows_of(said) if row in self._rows), None)):
            return Found("words", self.name, row)
        if tools := sorted(self._tools & trace.tools):
            return Found("tool", self.name, tools[0])
        return None


def rows_of(said: Sequence[str]) -> Iterator[str]:
    """Every ``IN_A_ROW`` words that stand in a row."""
    return (" ".join(said[place : place + IN_A_ROW]) for place in range(len(said) - IN_A_ROW + 1))


def trace_of(request: str, tools: Iterable[ToolSchema]) -> Trace:
    """What can be compared of a task."""
    return Trace(request, frozenset(mark for schema in tools for mark in tool_marks(schema)))


def tool_marks(schema: ToolSchema) -> tuple[str, ...]:
    """What a tool is recognised by, however its names are written."""
    properties = schema.parameters.get("properties")
    return _marks(schema.name, schema.description, tuple(sorted(properties)) if isinstance(properties, dict) else ())


@lru_cache(maxsize=20_000)
def _marks(name: str, description: str, parameters: tuple[str, ...]) -> tuple[str, ...]:
    called = f"{_letters(name)}({', '.join(sorted(map(_letters, parameters)))})"
    told = words(description)
    return (called, " ".join(told)) if len(told) >= DESCRIBED else (called,)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.rpartition(".")[2].casefold() if letter.isalnum())
