"""Task templates as people write them, read from YAML with errors that point at the line."""

from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from lamsim_core.errors import NotFoundError, TaskTemplateError
from lamsim_core.tools import Category


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


class Answer(_Part):
    """What must be said: exactly one of number, text, list."""

    number: str | float | None = None
    text: str | None = None
    items: Annotated[str | None, Field(alias="list")] = None
    tolerance: float = 0.005
    rivals: str | None = None
    """Expression: other values that must not be named too."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Answer":
        given = [name for name in ("number", "text", "items") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("an answer is exactly one of number, text, list")
        if given != ["number"] and self.rivals is None:
            raise ValueError("a text or list answer needs rivals: without them, listing every value would pass")
        return self


class Expect(_Part):
    """What a good attempt ends with: an answer, a state, both, or a refusal because no tool fits."""

    answer: Answer | None = None
    state: bool = False
    decline: bool = False

    @model_validator(mode="after")
    def _something(self) -> "Expect":
        if not (self.answer or self.state or self.decline):
            raise ValueError("nothing is expected: give answer, state or decline, or every attempt would pass")
        if self.decline and (self.answer or self.state):
            raise ValueError("a task to decline expects neither answer nor state")
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
    source: str = Field(default="", exclude=True)
    line: int = Field(default=0, exclude=True)

    @property
    def category(self) -> str:
        """The part of the id before the dot."""
        return self.id.split(".")[0]

    @property
    def needed_tools(self) -> tuple[str, ...]:
        """Tools of the solution, each once."""
        return tuple(dict.fromkeys(step.call for step in self.solve))

    def error(self, message: str) -> TaskTemplateError:
        """An error that points at this template."""
        return TaskTemplateError(message, source=self.source, line=self.line or None, template=self.id)


class _LineLoader(yaml.SafeLoader):
    """SafeLoader whose mappings remember the line they start at."""

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
    for name in (*template.needed_tools, *template.also_offer, *template.never_offer):
        if name not in category.tools:
            raise template.error(str(NotFoundError("tool", name, category.tools)))
    for pick in template.pick.values():
        if pick.make is not None and pick.make not in category.makers:
            raise template.error(str(NotFoundError("maker", pick.make, category.makers)))
    if not template.expect.decline and not template.solve:
        raise template.error("solve is empty: a task that is not to be declined needs a reference solution")
