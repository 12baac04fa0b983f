"""The append-only truth: every process adds its records to a segment of its own.

A record is acknowledged (``append`` returns) once it is written and synced to the disk. Nothing acknowledged is ever
written over. After any failure the segment is cut back to its last good record and never written again, so that
a reader that already saw the failed bytes cannot mistake later ones for them; the next append begins a new segment.
"""

import contextlib
import fcntl
import os
import threading
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from lamsim_core.canonical import new_id
from lamsim_core.errors import StoreWriteError
from lamsim_core.records import Record
from lamsim_core.store.check import JournalReport, check
from lamsim_core.store.framing import KINDS, Kind, encode, frame
from lamsim_core.store.segments import (
    Damage,
    Entry,
    Position,
    Tail,
    read_record,
    read_run,
    read_segment,
    segment_sizes,
)

__all__ = [
    "KINDS",
    "Damage",
    "Disk",
    "Entry",
    "Journal",
    "JournalReport",
    "Kind",
    "Position",
    "Tail",
    "check",
    "read_record",
    "read_run",
    "read_segment",
    "segment_sizes",
]


class Disk:
    """The system calls by which a journal reaches the disk; tests make them fail one by one."""

    def write(self, descriptor: int, data: bytes) -> int:
        """Write some of ``data`` and say how many bytes."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Return when everything written is on the disk."""
        os.fsync(descriptor)

    def cut(self, descriptor: int, size: int) -> None:
        """Cut the file back to ``size`` bytes."""
        os.ftruncate(descriptor, size)


class Journal:
    """The journal of one folder, for reading by all and for writing by this process. Threads may share it."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder = folder
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._path = folder
        self._good = 0
        """Bytes of acknowledged records in the open segment."""
        self._process = os.getpid()

    def append(self, kind: Kind, record: Record) -> Position:
        """Make a record durable and say where it lies.

        Raises:
            StoreWriteError: it could not be; nothing was acknowledged and everything acknowledged before is unharmed.
        """
        try:
            line = frame(kind, encode(kind, record))
        except ValueError as error:
            raise StoreWriteError(f"This {kind} cannot be stored: {error}.") from error
        with self._lock:
            try:
                file = self._writable()
                self._write(file.fileno(), line)
            except OSError as error:
                self._abandon()
                raise StoreWriteError(
                    f"The {kind} could not be saved in {self.folder}: {error.strerror or error}. It was not stored, "
                    "everything stored before is unharmed. Make room on the disk (or repair it) and try again."
                ) from error
            except BaseException:
                self._abandon()
                raise
            position = Position(self._path.name, self._good, len(line))
            self._good += len(line)
            return position

    def close(self) -> None:
        """Close the segment. A later append begins a new one."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __enter__(self) -> Self:
        """Use the journal until the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the segment."""
        self.close()

    def _writable(self) -> FileIO:
        if self._file is not None and self._process != os.getpid():
            # A forked child would write to its parent's segment.
            self._file.close()
            self._file = None
        if self._file is None:
            self._begin_segment()
        assert self._file is not None
        return self._file

    def _begin_segment(self) -> None:
        made = [place for place in (self.folder, *self.folder.parents) if not place.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path = self.folder / f"{new_id('seg')}.jsonl"
        self._good = 0
        self._process = os.getpid()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = FileIO(os.open(self._path, flags, 0o644), "wb")
        with contextlib.suppress(OSError):  # Only ``check`` asks for the lock, to tell a live writer from a dead one.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for place in (self.folder, *(place.parent for place in made)):
            self._sync_folder(place)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, line: bytes) -> None:
        rest = line
        while rest:
            rest = rest[self._disk.write(descriptor, rest) :]
        self._disk.sync(descriptor)

    def _abandon(self) -> None:
        if self._file is None:
            return
        # When even the cut fails, unacknowledged bytes stay at the end of a segment nobody will write to again.
        with contextlib.suppress(OSError):
            if self._good == 0:
                self._path.unlink()
            else:
                self._disk.cut(self._file.fileno(), self._good)
        with contextlib.suppress(OSError):
            self._file.close()
        self._file = None
