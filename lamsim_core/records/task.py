"""A task: the request, the tools offered, the reference solution, and what must come of it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import JsonValue

from lamsim_core.records.base import Record, Row, Split, TaskKind, ToolLooks


class RowChange(Record):
    """What happened to one row: inserted (no before), deleted (no after) or updated."""

    table: str
    id: str
    before: Row | None
    after: Row | None


class ToolSchema(Record):
    """A tool as the agent sees it: name, description and JSON Schema of its parameters."""

    name: str
    description: str
    parameters: dict[str, JsonValue]

    def openai(self) -> dict[str, Any]:
        """The tool in OpenAI function shape."""
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        }

    def in_order(self, arguments: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Arguments in the order a call gives them: those required as the schema lists them, then the rest by name.

        Never the order of the properties, which a schema loses when it is stored.
        """
        listed = self.parameters.get("required")
        first = (
            [name for name in listed if isinstance(name, str) and name in arguments] if isinstance(listed, list) else []
        )
        return {name: arguments[name] for name in dict.fromkeys([*first, *sorted(arguments)])}


class GoldCall(Record):
    """One call of the reference solution, arguments resolved."""

    name: str
    arguments: dict[str, JsonValue]
    together: bool = False
    """Made in the same turn as the call before it."""
    fails: bool = False
    """The tool refuses it; finding that out is part of the task."""


class ExpectedAnswer(Record):
    """What the closing message must say."""

    kind: Literal["number", "text", "list", "decline", "ask"]
    """A number, one name or phrase, a set of them, that no offered tool can do what was asked, or a question."""
    value: JsonValue = None
    """For a question: words of which it names one."""
    tolerance: float = 0.005
    """For numbers: the largest accepted difference."""
    unit: str | None = None
    """For numbers: the unit the value is in (a name in ``feedback.quantities``). The same amount in another unit is the
    answer too, a quantity of another dimension is not. None when it has no unit, or none that is known."""
    ordered: bool = False
    """For lists: the values must be named in this order."""
    rivals: tuple[str, ...] = ()
    """For text and list: other values the answer must not also name (so listing everything does not pass). For a
    question: what must not be asked."""
    direct: bool = False
    """Whether a result of the reference solution holds the value itself (otherwise it is worked out)."""
    sources: tuple[tuple[JsonValue, ...], ...] = ()
    """For each result the value follows from: what only that result holds. An attempt must have seen some of each."""
    follows_from: tuple[int, ...] = ()
    """Places of the reference calls whose results these are."""


class ToolBinding(Record):
    """What is behind a tool that was offered under names of its own."""

    category: str
    tool: str
    parameters: dict[str, str]
    """The own name of each parameter offered."""


class Task(Record):
    """One instance of a template: a concrete request in a concrete world."""

    template: str
    """The template's id, e.g. ``calendar.move_meeting``."""
    category: str
    seed: int
    """Seed of the world and of the slots."""
    split: Split
    instruction: str
    """What the user says."""
    tools: tuple[ToolSchema, ...]
    """The tools offered to the agent, in the order offered."""
    gold: tuple[GoldCall, ...]
    """A reference solution. Other ways to the same end pass too."""
    closing: str
    """What the reference solution says to the user at the end."""
    answer: ExpectedAnswer | None
    """What must be said, or None when only the state counts."""
    goal: tuple[RowChange, ...]
    """What must have changed in the world, net; empty when nothing may change."""
    checks: tuple[str, ...]
    """The final gates that apply; all must pass. Never empty."""
    now: str = ""
    """The time in the world, ``YYYY-MM-DD HH:MM``; the agent is told."""
    kinds: tuple[TaskKind, ...] = ()
    worlds: tuple[str, ...] = ()
    """Categories whose tables the world holds; empty means the task's own."""
    bindings: tuple[ToolBinding, ...] = ()
    """What is behind each tool offered, in the same order; empty means the category's own tools as they are."""
    style: str = "plain"
    """How the tools look: ``plain``, or the name style they were varied into."""

    @property
    def id(self) -> str:
        """Readable name: template@seed."""
        return f"{self.template}@{self.seed}"

    @property
    def bound_tools(self) -> tuple[tuple[ToolSchema, ToolBinding], ...]:
        """Every tool offered, with what is behind it."""
        bindings = self.bindings or tuple(
            ToolBinding(category=self.category, tool=schema.name, parameters={}) for schema in self.tools
        )
        return tuple(zip(self.tools, bindings, strict=True))

    @property
    def looks(self) -> ToolLooks:
        """Whether every tool looks as it is: by what the task says, and by the names behind those offered."""
        own = all(
            schema.name == binding.tool and all(name == behind for name, behind in binding.parameters.items())
            for schema, binding in self.bound_tools
        )
        return "plain" if own and self.style == "plain" else "varied"

    @cached_property
    def key(self) -> str:
        """Hash of the content: equal tasks have equal keys."""
        return self.content_hash()
