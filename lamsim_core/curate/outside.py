"""Lists of texts and tools that a dataset must not hold: held-out tasks, a benchmark, anything given as a file.

A list is an ``Outside``: its name, texts (requests, questions) and tool schemas. One that a selection names is kept as a
file named by its hash, ``datasets/.outside/<hash>.json``, so that a frozen dataset can be made again from its card.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.files import write_atomic
from lamsim_core.records import OutsideRef, Record, Selection, ToolSchema
from lamsim_core.settings import Settings

FOLDER = ".outside"
LARGEST = 64 * 2**20
"""Bytes a file of texts may have."""

_NAME = re.compile(r"\w[\w .+-]{0,79}")
_HASH = re.compile(r"[0-9a-f]{32}")


class Outside(Record):
    """What must not be found in a dataset."""

    name: str
    texts: tuple[str, ...] = ()
    schemas: tuple[ToolSchema, ...] = ()

    @property
    def ref(self) -> OutsideRef:
        """How a selection names it."""
        return OutsideRef(name=self.name, hash=self.content_hash())


def outside(name: str, texts: Iterable[str] = (), schemas: Iterable[ToolSchema] = ()) -> Outside:
    """A list from anything that yields texts and schemas; each is kept once, in a fixed order.

    Raises:
        InvalidInputError: the name cannot be used, or there is nothing in it.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInputError(f"A list's name has 1 to 80 letters, digits, spaces and . _ + -; got {name[:100]!r}.")
    by_hash = {schema.content_hash(): schema for schema in schemas}
    made = Outside(name=name, texts=tuple(sorted(set(texts))), schemas=tuple(by_hash[key] for key in sorted(by_hash)))
    if not made.texts and not made.schemas:
        raise InvalidInputError(f"There is neither a text nor a tool in {name!r}.")
    return made


def read_outside(path: Path, name: str = "") -> Outside:
    """A list from a file of lines: plain text, or JSON objects with ``text`` and/or ``tool`` (in OpenAI function shape or bare).

    Args:
        path: the file, UTF-8, one entry a line; empty lines say nothing.
        name: what it is called; the name of the file when empty.

    Raises:
        InvalidInputError: the file cannot be read, is too large, or a line is not what it should be; says which.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidInputError(f"{path} is larger than {LARGEST // 2**20} MiB. Split it into several lists.")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} cannot be read as a list of texts: {error}") from error
    return outside(name or path.stem, *_parts(lines, str(path)))


def _parts(lines: Iterable[str], source: str) -> tuple[list[str], list[ToolSchema]]:
    texts: list[str] = []
    schemas: list[ToolSchema] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            texts.append(line.strip())
            continue
        try:
            entry = json.loads(line)
            texts += [str(entry["text"])] if "text" in entry else []
            if "tool" in entry:
                tool = entry["tool"].get("function", entry["tool"])
                fields = {key: tool[key] for key in ("name", "description", "parameters") if key in tool}
                schemas.append(ToolSchema.model_validate({"description": "", "parameters": {}, **fields}))
            elif "text" not in entry:
                raise ValueError("it has neither 'text' nor 'tool'")
        except (ValueError, AttributeError, ValidationError) as error:
            raise InvalidInputError(f"{source}:{number}: this line is no entry: {str(error)[:200]}") from error
    return texts, schemas


def keep_outside(settings: Settings, found: Outside) -> OutsideRef:
    """Keep a list so that selections can name it; the same content is kept once."""
    target = _file(settings, found.ref)
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, found.model_dump_json())
    return found.ref


def kept_outside(settings: Settings) -> list[OutsideRef]:
    """Every list kept here, by name."""
    files = sorted((settings.datasets / FOLDER).glob("*.json")) if settings.datasets.is_dir() else []
    refs = []
    for path in files:
        try:
            refs.append(Outside.model_validate_json(path.read_bytes()).ref)
        except (OSError, ValidationError):
            continue  # said when a selection that names it is used
    return sorted(refs, key=lambda ref: (ref.name, ref.hash))


def load_outside(settings: Settings, selection: Selection) -> Iterator[Outside]:
    """The lists a selection names, each proven to be the one that was kept.

    Raises:
        NotFoundError: a list is not here.
        InvalidInputError: its file is not the one that was kept.
    """
    for ref in selection.outside:
        try:
            found = Outside.model_validate_json(_file(settings, ref).read_bytes())
        except FileNotFoundError as error:
            raise NotFoundError(
                "list of outside texts", ref.name, [each.name for each in kept_outside(settings)]
            ) from error
        except (OSError, ValidationError) as error:
            raise InvalidInputError(
                f"The list {ref.name!r} of outside texts is damaged; add its file again."
            ) from error
        if found.ref != ref:
            raise InvalidInputError(
                f"The list {ref.name!r} of outside texts is not the one that was kept; add it again."
            )
        yield found


def _file(settings: Settings, ref: OutsideRef) -> Path:
    if not _HASH.fullmatch(ref.hash):
        raise NotFoundError("list of outside texts", ref.name)
    return settings.datasets / FOLDER / f"{ref.hash}.json"
