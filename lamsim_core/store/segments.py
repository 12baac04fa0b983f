"""Reading journal segments: what is there, what is damaged, what is not finished."""

import contextlib
import fcntl
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import DamagedRecordError
from lamsim_core.records import Record, Trajectory
from lamsim_core.store.framing import MARK, Kind, decode, unframe

_SEGMENT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\.jsonl")


class Position(NamedTuple):
    """Where a record lies in the journal."""

    segment: str
    """File name of the segment."""
    offset: int
    """Bytes before the record's line."""
    length: int
    """Bytes of the line, newline included."""


class Entry(NamedTuple):
    """A line that is byte for byte what was written."""

    kind: Kind
    offset: int
    length: int
    payload: bytes


class Damage(NamedTuple):
    """Bytes that are not a record that was written. Reading goes on behind them."""

    offset: int
    length: int
    reason: str


class Tail(NamedTuple):
    """Bytes behind the last newline: a record being written now, or one whose writer died before acknowledging it."""

    offset: int
    length: int


def segment_sizes(folder: Path) -> dict[str, int]:
    """Size in bytes of each segment of a journal, by name in order. An absent folder holds none."""
    sizes = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            # A writer whose very first record failed takes its empty segment away again.
            with contextlib.suppress(FileNotFoundError):
                if _SEGMENT_NAME.fullmatch(entry.name):
                    sizes[entry.name] = entry.stat().st_size
    return dict(sorted(sizes.items()))


def being_written(path: Path) -> bool:
    """Whether a live process on this machine holds the segment open for writing."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def read_segment(path: Path, start: int = 0) -> Iterator[Entry | Damage | Tail]:
    """Read a segment from a record boundary to its present end.

    Damage is yielded, not raised, so that one bad line hides nothing behind it. A ``Tail`` comes last, if at all.
    A segment that is gone holds nothing.
    """
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(start)
        offset = start
        for line in file:
            if not line.endswith(b"\n"):
                yield Tail(offset, len(line))
                return
            yield from _read_line(line, offset)
            offset += len(line)


def _read_line(line: bytes, offset: int) -> Iterator[Entry | Damage]:
    try:
        yield Entry(*_placed(line, offset))
        return
    except ValueError as error:
        reason = str(error)
    # When the newline before a record was damaged, the record is still whole. Only the last MARK can begin one.
    begin = line.rfind(MARK)
    if begin <= 0:
        yield Damage(offset, len(line), reason)
        return
    yield Damage(offset, begin, reason)
    try:
        yield Entry(*_placed(line[begin:], offset + begin))
    except ValueError as error:
        yield Damage(offset + begin, len(line) - begin, str(error))


def _placed(line: bytes, offset: int) -> tuple[Kind, int, int, bytes]:
    kind, payload = unframe(line)
    return kind, offset, len(line), payload


def read_entry(folder: Path, position: Position) -> Entry:
    """Read one line again and check it again.

    Raises:
        DamagedRecordError: the position holds no such line (any more), or one that was changed.
    """
    if not _SEGMENT_NAME.fullmatch(position.segment):
        raise DamagedRecordError(position.segment[:120], position.offset, "this is not the name of a segment")
    try:
        with (folder / position.segment).open("rb") as file:
            file.seek(position.offset)
            line = file.read(position.length)
    except OSError as error:
        reason = f"the file cannot be read ({error.strerror})"
        raise DamagedRecordError(position.segment, position.offset, reason) from error
    try:
        return Entry(*_placed(line, position.offset))
    except ValueError as error:
        raise DamagedRecordError(position.segment, position.offset, str(error)) from error


def read_record(folder: Path, position: Position) -> Record:
    """Read one record from its position.

    Raises:
        DamagedRecordError: the bytes there are not the record that was written, or this version cannot read it.
    """
    entry = read_entry(folder, position)
    try:
        return decode(entry.kind, entry.payload)
    except ValueError as error:
        raise DamagedRecordError(position.segment, position.offset, str(error)) from error


def read_records(folder: Path, *kinds: Kind) -> Iterator[tuple[Position, Record]]:
    """Read every good record of some kinds, in the order of the segments. Damaged lines are passed over."""
    for name in segment_sizes(folder):
        for item in read_segment(folder / name):
            if isinstance(item, Entry) and item.kind in kinds:
                with contextlib.suppress(ValueError):
                    yield Position(name, item.offset, item.length), decode(item.kind, item.payload)


def read_run(folder: Path, run: str, without: Collection[str] = ()) -> list[Trajectory]:
    """Read every trajectory of a run straight from the journal, without the index: one per planned attempt.

    Of two trajectories of one attempt the older is kept, as in the index. Damaged lines are passed over; ``check`` and
    the index report them. Segments named in ``without`` are not read.
    """
    needle = f'"run":{canonical_json(run)}'.encode()
    found: dict[tuple[str | int, ...], Trajectory] = {}
    for name in segment_sizes(folder).keys() - set(without):
        for item in read_segment(folder / name):
            if not (isinstance(item, Entry) and item.kind == "trajectory" and needle in item.payload):
                continue
            try:
                record = decode(item.kind, item.payload)
            except ValueError:
                continue
            if isinstance(record, Trajectory) and record.run == run:
                rival = found.get(record.identity)
                if rival is None or (record.created, record.id) < (rival.created, rival.id):
                    found[record.identity] = record
    return sorted(found.values(), key=lambda record: (record.created, record.id))
