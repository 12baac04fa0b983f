"""Reading a list of entries from a YAML file: each validated, what is wrong named by its line and never repeated."""

from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Record

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
"""What a model or adapter may be called. No such name can leave the folder it names."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]

EntryT = TypeVar("EntryT", bound=Record)


def read_list(path: Path, kind: type[EntryT]) -> list[EntryT]:
    """The entries of a YAML list.

    Raises:
        InvalidInputError: the file is missing, not YAML, or an entry is wrong; names the line. The message holds nothing
            of what stands there, which may be a secret in the wrong place.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise InvalidInputError(f"The list of models {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"The list of models {path} is not text in UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise InvalidInputError(f"{where}: the list of models is not YAML that can be read.") from None
    try:
        return TypeAdapter(list[kind]).validate_python(content)  # type: ignore[valid-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise InvalidInputError(f"{path}:{_line(root, first['loc'])}: {where}: {said}.") from None


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Line of the YAML node that ``path`` leads to, or of the nearest one above it; counted from 1."""
    line = 1
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            line = found[0][0].start_mark.line + 1
            node = found[0][1]
            continue
        else:
            break
        line = node.start_mark.line + 1 if node is not None else line
    return line
