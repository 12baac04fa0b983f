"""Opening the DuckDB file of the index, or memory in its place, so that the caller always gets an index that works.

One process at a time owns the file, by a lock of our own beside it: DuckDB's lock alone would let two processes that
both find a damaged file move each other's new one away. A file is trusted only after every stored value was read once.
"""

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from lamsim_core.errors import StoreError
from lamsim_core.store.schema import STATEMENTS, TABLES, VERSION

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEPT_COPIES = 3


class OtherOwnerError(Exception):
    """Another process has the index file open. Does not leave this package."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid)
        self.pid = pid


@dataclass
class Database:
    """An open database and what there is to say about it."""

    connection: "DuckDBPyConnection"
    lock: FileIO | None
    """Held while this process owns the index file; None when the database is in memory."""
    notice: str | None
    """A sentence for the user, when something was not as usual."""
    locked_by: str | None = None
    """Process id of the owner of the file, when that is another process; may be "unknown"."""

    def close(self) -> None:
        """Close the database and give up the file."""
        self.connection.close()
        if self.lock is not None:
            self.lock.close()


def open_database(path: Path, memory_limit: str, discard: str | None = None) -> Database:
    """Open the index file, putting a damaged or outdated one aside; open memory when the file cannot be used.

    Args:
        path: The index file.
        memory_limit: Memory DuckDB may use, e.g. ``1GB``.
        discard: Why the present file must not be used, or None.

    Raises:
        StoreError: not even memory could be opened, as with a memory limit that is not one.
    """
    import duckdb

    try:
        lock = _take(Path(f"{path}.lock"))
    except OtherOwnerError as owner:
        return _in_memory(memory_limit, _locked_notice(owner.pid), owner.pid)
    except OSError as error:
        return _in_memory(memory_limit, f"The index {path} cannot be written ({error.strerror}), so {_PRIVATE}.")
    try:
        return _open_file(path, memory_limit, lock, discard)
    except OtherOwnerError as owner:
        lock.close()
        return _in_memory(memory_limit, _locked_notice(owner.pid), owner.pid)
    except (duckdb.Error, OSError) as error:
        lock.close()
        return _in_memory(memory_limit, f"The index {path} cannot be written ({first_line(error)}), so {_PRIVATE}.")


def open_memory(memory_limit: str, notice: str) -> Database:
    """Open an index in memory because the file failed while in use.

    Raises:
        StoreError: DuckDB refuses, as with a memory limit that is not one.
    """
    return _in_memory(memory_limit, notice)


_PRIVATE = "this program keeps an index of its own in memory until it ends"


def _locked_notice(pid: str) -> str:
    owner = f"process {pid}" if pid.isdigit() else "another process"
    return f"The index is in use by {owner}, so {_PRIVATE}. Everything stored is shown all the same."


def _take(path: Path) -> FileIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = lock.read(20).decode(errors="replace").strip()
        lock.close()
        raise OtherOwnerError(pid or "unknown") from None
    except OSError:
        lock.close()
        raise
    lock.truncate(0)
    lock.write(str(os.getpid()).encode())
    return lock


def _open_file(path: Path, memory_limit: str, lock: FileIO, discard: str | None) -> Database:
    opening = Path(f"{path}.opening")
    reason = discard
    if reason is None and opening.exists():
        reason = "a program died while opening it"
    if reason is None and path.exists():
        opening.touch()  # Left behind only if opening kills the process, which a damaged file has been seen to do.
        try:
            found = _try(path, memory_limit)
        finally:
            opening.unlink()
        if not isinstance(found, str):
            return Database(found, lock, notice=None)
        reason = found
    notice = None
    if _put_aside(path) and reason:
        notice = f"The index could not be used ({reason}). It was put aside and built again from the journal."
    opening.unlink(missing_ok=True)
    return Database(_make(str(path), memory_limit), lock, notice=notice)


def _try(path: Path, memory_limit: str) -> "DuckDBPyConnection | str":
    """The index in this file, read through once, or why it cannot be used."""
    import duckdb

    connection = None
    try:
        connection = _connect(str(path), memory_limit)
        tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if "about" not in tables:
            reason = "it holds something else"
        elif connection.execute("SELECT version FROM about").fetchall() != [(VERSION,)]:
            reason = "it was made by another version of this program"
        else:
            for table in TABLES:
                connection.execute(f"SELECT bit_xor(hash(t)) FROM {table} t").fetchall()
            return connection
    except duckdb.Error as error:
        held = re.search(r"Could not set lock.*?(?:PID (\d+)|$)", str(error), re.DOTALL)
        if held:
            raise OtherOwnerError(held[1] or "unknown") from error
        reason = first_line(error)
    if connection is not None:
        with contextlib.suppress(duckdb.Error):
            connection.close()
    return reason


def _make(name: str, memory_limit: str) -> "DuckDBPyConnection":
    connection = _connect(name, memory_limit)
    connection.begin()
    for statement in (*STATEMENTS, "CREATE TABLE about (version VARCHAR)"):
        connection.execute(statement)
    connection.execute("INSERT INTO about VALUES (?)", [VERSION])
    connection.commit()
    return connection


def _connect(name: str, memory_limit: str) -> "DuckDBPyConnection":
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "memory_limit": memory_limit,
        "lock_configuration": True,
    }
    if name == ":memory:":
        config["temp_directory"] = ""  # Else DuckDB may write to ``.tmp`` in whatever folder the program runs in.
    return duckdb.connect(name, config=config)


def _in_memory(memory_limit: str, notice: str, locked_by: str | None = None) -> Database:
    import duckdb

    try:
        connection = _make(":memory:", memory_limit)
    except duckdb.Error as error:
        hint = f"LAMSIM_INDEX_MEMORY is {memory_limit!r}; it should be a size such as 1GB."
        raise StoreError(f"The index cannot be opened: {first_line(error)} {hint}") from error
    return Database(connection, None, notice=notice, locked_by=locked_by)


def _put_aside(path: Path) -> bool:
    """Rename the file and its write-ahead log, for whoever wants to look into it; keep only the newest copies."""
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    moved = path.exists()
    if moved:
        path.rename(aside)
    with contextlib.suppress(FileNotFoundError):
        Path(f"{path}.wal").rename(f"{aside}.wal")
    copies = sorted(p for p in path.parent.glob(f"{path.name}.corrupt-*") if p.suffix != ".wal")
    for old in copies[:-_KEPT_COPIES]:
        if old.is_file():
            old.unlink()
        Path(f"{old}.wal").unlink(missing_ok=True)
    return moved


def first_line(error: Exception) -> str:
    """What an error says, without the hints and positions DuckDB adds below."""
    return str(error).strip().split("\n", 1)[0][:300]
