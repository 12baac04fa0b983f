"""Task templates as people write them, read from YAML with errors that point at the line."""

from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from lamsim_core.errors import NotFoundError, TaskTemplateError
from lamsim_core.records import TaskKind
from lamsim_core.tools import Category, get_category


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Pick(_Part):
    """How a slot is drawn: exactly one of ``from``, ``choice``, ``number``, ``make``, ``value``."""

    table: Annotated[str | None, Field(alias="from")] = None
    """A row of this table ..."""
    where: str | None = None
    """... for which this expression over ``row`` and earlier slots holds."""
    choice: list[JsonValue] | None = None
    """One of these."""
    number: tuple[JsonValue, JsonValue] | None = None
    """A number between these two (expressions allowed) ..."""
    step: float = 1
    """... in steps of this."""
    make: str | None = None
    """A value from one of the category's makers; further keys are its options."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    value: str | None = None
    """An expression over earlier slots."""

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, data: Any) -> Any:
        if isinstance(data, dict) and "make" in data:
            return {"make": data["make"], "options": {key: item for key, item in data.items() if key != "make"}}
        return data

    @model_validator(mode="after")
    def _exactly_one(self) -> "Pick":
        given = [name for name in ("table", "choice", "number", "make", "value") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a slot needs exactly one of from, choice, number, make, value; it has {given or 'none'}")
        return self


class Solve(_Part):
    """One call of the reference solution."""

    call: str
    arguments: Annotated[dict[str, JsonValue], Field(alias="with")] = Field(default_factory=dict)
    name: Annotated[str | None, Field(alias="as")] = None
    """Later expressions know the result by this name."""
    fails: bool = False
    """The tool must refuse it: finding that out is part of the task."""
    together: bool = False
    """Made in the turn of the call before it; written as a list within the list."""


class Answer(_Part):
    """What must be said: exactly one of number, text, list."""

    number: str | float | None = None
    text: str | None = None
    items: Annotated[str | None, Field(alias="list")] = None
    tolerance: float = 0.005
    ordered: bool = False
    """The values of the list must be named in its order; the request has to ask for one."""
    rivals: str | None = None
    """Expression: other values that must not be named too."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Answer":
        given = [name for name in ("number", "text", "items") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("an answer is exactly one of number, text, list")
        if given != ["number"] and self.rivals is None:
            raise ValueError("a text or list answer needs rivals: without them, listing every value would pass")
        if self.ordered and self.items is None:
            raise ValueError("only a list has an order")
        return self


class Ask(_Part):
    """The request lacks a value: what the agent's question must be about."""

    about: list[str] = Field(min_length=1)
    """Words of which the question names at least one."""
    not_about: list[str] = Field(min_length=1)
    """Words for what the request already says; a question that names them asks for too much."""


class Expect(_Part):
    """What a good attempt ends with: an answer, a state, both, a question, or a refusal because no tool fits."""

    answer: Answer | None = None
    state: bool = False
    decline: bool = False
    ask: Ask | None = None

    @model_validator(mode="after")
    def _something(self) -> "Expect":
        if not (self.answer or self.state or self.decline or self.ask):
            raise ValueError("nothing is expected: give answer, state, decline or ask, or every attempt would pass")
        if (self.decline or self.ask) and (self.answer or self.state or (self.decline and self.ask)):
            raise ValueError("a task to decline or to ask back expects nothing else")
        return self


class Template(_Part):
    """An abstract task; a seed turns it into an instance."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    say: list[str] = Field(min_length=1)
    """Ways to ask for it."""
    pick: dict[str, Pick] = Field(default_factory=dict)
    require: list[str] = Field(default_factory=list)
    """Expressions over slots, results and world that must hold, or another instance is drawn."""
    solve: list[Solve] = Field(default_factory=list)
    expect: Expect
    close: list[str] = Field(default_factory=list)
    """Ways to close; ``answer`` is the expected answer."""
    also_offer: list[str] = Field(default_factory=list)
    """Tools offered beside those of the solution."""
    never_offer: list[str] = Field(default_factory=list)
    """Tools never offered: with them a task to decline could be done."""
    distractors: tuple[int, int] = (1, 3)
    """How many other tools of the category are offered (at least, at most)."""
    uses: list[str] = Field(default_factory=list)
    """Other categories whose tools and tables it needs."""
    traits: list[Literal["conditional", "aggregate"]] = Field(default_factory=list)
    """What cannot be read off the solution."""
    source: str = Field(default="", exclude=True)
    line: int = Field(default=0, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _flatten_turns(cls, data: Any) -> Any:
        """A list within ``solve`` is one turn: its calls after the first are made together with it."""
        if not isinstance(data, dict) or not isinstance(data.get("solve"), list):
            return data
        calls: list[Any] = []
        for entry in data["solve"]:
            turn = entry if isinstance(entry, list) else [entry]
            calls += turn[:1]
            calls += [{**call, "together": True} if isinstance(call, dict) else call for call in turn[1:]]
        return {**data, "solve": calls}

    @property
    def category(self) -> str:
        """The part of the id before the dot."""
        return self.id.split(".")[0]

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category it needs, its own first."""
        return tuple(dict.fromkeys([self.category, *self.uses]))

    @property
    def kinds(self) -> tuple[TaskKind, ...]:
        """What its instances demand of an agent."""
        if self.expect.decline:
            return ("no_tool",)
        if self.expect.ask:
            return ("ask",)
        found: list[tuple[TaskKind, bool]] = [
            ("lookup", self.expect.answer is not None),
            ("write", self.expect.state),
            ("conditional", "conditional" in self.traits),
            ("aggregate", "aggregate" in self.traits),
            ("multi_step", len(self.solve) > 2),
            ("parallel", any(step.together for step in self.solve)),
            ("recovery", any(step.fails for step in self.solve)),
            ("cross", bool(self.uses)),
        ]
        return tuple(kind for kind, holds in found if holds)

    @property
    def needed_tools(self) -> tuple[str, ...]:
        """Tools of the solution, each once."""
        return tuple(dict.fromkeys(step.call for step in self.solve))

    def error(self, message: str, kind: type[TaskTemplateError] = TaskTemplateError) -> TaskTemplateError:
        """An error that points at this template."""
        return kind(message, source=self.source, line=self.line or None, template=self.id)


class _LineLoader(yaml.CSafeLoader):
    """CSafeLoader whose mappings remember the line they start at."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        mapping["__line__"] = node.start_mark.line + 1
        return mapping


def _without_lines(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_lines(item) for key, item in value.items() if key != "__line__"}
    return [_without_lines(item) for item in value] if isinstance(value, list) else value


def parse_templates(text: str, source: str, category: Category) -> list[Template]:
    """Read the templates of one file.

    Raises:
        TaskTemplateError: the file is not YAML, or a template is not well formed; the message names the line.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few of these can stand for gigabytes
                place = event.start_mark.line + 1 if event.start_mark else None
                raise TaskTemplateError(
                    "aliases of YAML (*) are not read here; write the value out", source=source, line=place
                )
        entries = yaml.load(text, Loader=_LineLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        raise TaskTemplateError(f"not YAML: {reason}", source=source, line=mark.line + 1 if mark else None) from error
    if not isinstance(entries, list):
        raise TaskTemplateError("expected a list of templates, each starting with '- id:'", source=source, line=1)
    templates: list[Template] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise TaskTemplateError(f"expected a template, got {type(entry).__name__}", source=source)
        line, name = entry["__line__"], str(entry.get("id", ""))
        try:
            template = Template.model_validate({**_without_lines(entry), "source": source, "line": line})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise TaskTemplateError(f"{where}: {first['msg']}", source=source, line=line, template=name) from error
        _check_names(template, category, {other.id for other in templates})
        templates.append(template)
    return templates


def _check_names(template: Template, category: Category, taken: set[str]) -> None:
    if template.category != category.name:
        raise template.error(f"its id must start with {category.name!r} and a dot")
    if template.id in taken:
        raise template.error("another template has the same id")
    try:
        used = [category, *(get_category(name) for name in template.uses)]
    except NotFoundError as error:
        raise template.error(str(error)) from error
    tools = {name for each in used for name in each.tools}
    for name in (*template.needed_tools, *template.also_offer, *template.never_offer):
        if name not in tools:
            raise template.error(str(NotFoundError("tool", name, tools)))
    makers = {*category.makers, *(f"{each.name}.{name}" for each in used for name in each.makers)}
    for pick in template.pick.values():
        if pick.make is not None and pick.make not in makers:
            raise template.error(str(NotFoundError("maker", pick.make, makers)))
    if (template.expect.answer or template.expect.state) and not template.solve:
        raise template.error("solve is empty: a task with an answer or a state needs a reference solution")
    if (template.expect.decline or template.expect.ask) and template.solve:
        raise template.error("a task to decline or to ask back has no reference calls")
    if template.solve and template.solve[-1].fails:
        raise template.error("the last reference call fails, so nothing comes of the solution")
