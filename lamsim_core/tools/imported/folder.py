"""Imported categories on disk: one file each, ``<home>/tools/<category>.json``, whole or not there at all.

A file holds the record and its hash. What is damaged, or would not be let in today, is reported and left out.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from lamsim_core.canonical import content_hash
from lamsim_core.errors import InvalidInputError, NotFoundError, StoreWriteError
from lamsim_core.files import write_atomic
from lamsim_core.settings import Settings
from lamsim_core.tools.imported.limits import MAX_FILE_BYTES
from lamsim_core.tools.imported.names import CATEGORY, TOOL
from lamsim_core.tools.imported.reading import check_value, read_json
from lamsim_core.tools.imported.records import ImportedCategory
from lamsim_core.tools.imported.schemas import read_parameters, read_schema


class Stored(NamedTuple):
    """What is on disk."""

    categories: dict[str, ImportedCategory]
    """By name, in alphabetical order."""
    problems: tuple[str, ...]
    """A sentence for each file that cannot be used."""


def tools_folder(settings: Settings) -> Path:
    """Where imported categories are kept."""
    return settings.home / "tools"


def import_path(settings: Settings, name: str) -> Path:
    """The file of a category, whether or not it exists. Raises NotFoundError: ``name`` has not the form of one."""
    if not CATEGORY.fullmatch(name):
        raise NotFoundError("imported category", name)
    return tools_folder(settings) / f"{name}.json"


def list_stored(settings: Settings) -> Stored:
    """Every import on disk, and what is wrong with those that cannot be used."""
    found: dict[str, ImportedCategory] = {}
    problems: list[str] = []
    for name in stored_names(settings):
        try:
            found[name] = get_stored(settings, name)
        except (InvalidInputError, NotFoundError) as error:
            problems.append(str(error))
    return Stored(found, tuple(problems))


def stored_names(settings: Settings) -> list[str]:
    """The names of all files of imports, usable or not, in alphabetical order."""
    try:
        return sorted(path.stem for path in tools_folder(settings).glob("*.json"))
    except OSError:
        return []


def imports_stamp(settings: Settings) -> tuple[tuple[str, int, int], ...]:
    """Another value whenever an import was added, changed or removed: what is remembered about imports goes by it."""
    found = []
    for name in stored_names(settings):
        with suppress(OSError):
            facts = (tools_folder(settings) / f"{name}.json").stat()
            found.append((name, facts.st_mtime_ns, facts.st_size))
    return tuple(found)


def get_stored(settings: Settings, name: str) -> ImportedCategory:
    """One import. Raises NotFoundError; InvalidInputError when its file is damaged."""
    path = import_path(settings, name)
    try:
        facts = path.stat()
    except OSError:
        known = [each.stem for each in tools_folder(settings).glob("*.json")] if tools_folder(settings).is_dir() else []
        raise NotFoundError("imported category", name, known) from None
    return _read(path, (facts.st_ino, facts.st_mtime_ns, facts.st_size))


def write_stored(settings: Settings, record: ImportedCategory) -> None:
    """Write a category, replacing an earlier file of that name. Raises StoreWriteError: nothing was changed."""
    path = import_path(settings, record.name)
    content = record.model_dump(mode="json")
    # Not canonical: properties keep the order their source gave them.
    text = json.dumps({"hash": content_hash(content), "category": content}, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
        _sync(path.parent)
    except OSError as error:
        raise StoreWriteError(
            f"The category {record.name!r} could not be written in {path.parent} ({error.strerror or error}); nothing was "
            "changed. Make room on the disk and try again."
        ) from error


def remove_stored(settings: Settings, name: str) -> None:
    """Remove a category, damaged or not. Raises NotFoundError; StoreWriteError."""
    path = import_path(settings, name)
    try:
        path.unlink()
        _sync(path.parent)
    except FileNotFoundError:
        raise NotFoundError("imported category", name, list_stored(settings).categories) from None
    except OSError as error:
        raise StoreWriteError(f"The category {name!r} could not be removed ({error.strerror}). Try again.") from error


@contextmanager
def changing(settings: Settings) -> Iterator[None]:
    """Hold the folder while a file is read, changed and written: one process at a time."""
    from filelock import FileLock, Timeout

    folder = tools_folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=20):
            yield
    except Timeout as error:
        raise StoreWriteError(f"Another process is changing {folder}. Wait for it and try again.") from error
    except OSError as error:
        raise StoreWriteError(f"{folder} cannot be written ({error.strerror}); nothing was changed.") from error


@lru_cache(maxsize=64)
def _read(path: Path, facts: tuple[int, int, int]) -> ImportedCategory:
    """A file's record, checked as if it came from outside; read again when the file changed."""
    if facts[2] > MAX_FILE_BYTES:
        raise _damaged(path, f"it has {facts[2]:,} bytes, more than the {MAX_FILE_BYTES:,} an import can have")
    try:
        raw = read_json(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict) or raw.keys() != {"hash", "category"}:
            raise InvalidInputError("it does not hold a hash and a category")
        if content_hash(raw["category"]) != raw["hash"]:
            raise InvalidInputError("its content is not what was written")
        record = ImportedCategory.model_validate(raw["category"])
        _check(record, path.stem)
    except OSError as error:
        raise _damaged(path, f"it cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise _damaged(path, f"it is not of the form this version reads ({error.error_count()} faults)") from error
    except (InvalidInputError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)[:300].rstrip(".")) from error
    return record


def _check(record: ImportedCategory, name: str) -> None:
    """What was checked on the way in holds still: a file that was edited cannot bring in what an import could not."""
    if record.name != name:
        raise InvalidInputError(f"it belongs to {record.name[:40]!r}")
    check_value([record.title, record.description], "it")
    names = set()
    for each in record.tools:
        schema, where = each.tool.parameters, f"its tool {each.tool.name[:64]!r}"
        if not TOOL.fullmatch(each.tool.name) or not each.tool.name.startswith(f"{name}_") or each.tool.name in names:
            raise InvalidInputError(f"{where} has not a name of its own that begins with {name}_")
        names.add(each.tool.name)
        check_value([each.tool.name, each.tool.description, list(each.examples)], where)
        if read_parameters(schema, schema, where) != schema:
            raise InvalidInputError(f"{where} has parameters that were not read from a source")
        if each.answer is not None and read_schema(each.answer, each.answer, where, cut=True) != each.answer:
            raise InvalidInputError(f"{where} has an answer that was not read from a source")


def _damaged(path: Path, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"The imported category in {path.name} is damaged: {reason}. Remove it and import it again."
    )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
