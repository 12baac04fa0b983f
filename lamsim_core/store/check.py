"""Reading a whole journal and saying how it is."""

from collections import Counter
from pathlib import Path

from lamsim_core.records import Record
from lamsim_core.store.framing import decode
from lamsim_core.store.segments import Damage, Entry, being_written, read_segment, segment_sizes


class Finding(Record):
    """A place in a journal that does not hold a good record."""

    segment: str
    offset: int
    """Bytes before it."""
    length: int
    """Bytes it takes up."""
    reason: str


class JournalReport(Record):
    """How a journal is."""

    folder: str
    segments: int
    bytes: int
    records: dict[str, int]
    """Good records, by kind."""
    damaged: tuple[Finding, ...]
    """Lines that are not what was written, or that this version cannot read."""
    unfinished: tuple[Finding, ...]
    """Last lines that were cut off by the death of their writer: never acknowledged, so nothing promised is missing."""
    writing: int
    """Segments whose last line is being written at this moment."""

    @property
    def ok(self) -> bool:
        """Whether every acknowledged record can be read."""
        return not self.damaged

    @property
    def sentences(self) -> tuple[str, ...]:
        """The report in plain sentences, the most important first."""
        if not self.segments:
            return (f"The journal in {self.folder} is empty.",)
        total = sum(self.records.values())
        parts = ", ".join(f"{_count(number, kind)}" for kind, number in sorted(self.records.items()))
        lines = [f"{_count(total, 'record')} in {_count(self.segments, 'segment')} ({self.bytes:,} bytes): {parts}."]
        if self.damaged:
            lines[:0] = [f"{_count(len(self.damaged), 'damaged place')}; all records around them were read."]
            lines += [f"{at.segment} at byte {at.offset} ({at.length} bytes): {at.reason}." for at in self.damaged]
        else:
            lines.append("Every record is byte for byte what was written.")
        for at in self.unfinished:
            lines.append(f"{at.segment} at byte {at.offset}: {at.reason}.")
        if self.writing:
            lines.append(f"{_count(self.writing, 'segment')} being written to at this moment.")
        return tuple(lines)


def check(folder: Path) -> JournalReport:
    """Read every record of a journal and check it. Changes nothing."""
    sizes = segment_sizes(folder)
    records: Counter[str] = Counter()
    damaged: list[Finding] = []
    unfinished: list[Finding] = []
    writing = 0
    for name in sizes:
        live = being_written(folder / name)
        for item in read_segment(folder / name):
            if isinstance(item, Entry):
                try:
                    decode(item.kind, item.payload)
                    records[item.kind] += 1
                except ValueError as error:
                    damaged.append(Finding(segment=name, offset=item.offset, length=item.length, reason=str(error)))
            elif isinstance(item, Damage):
                damaged.append(Finding(segment=name, offset=item.offset, length=item.length, reason=item.reason))
            elif live:
                writing += 1
            else:
                reason = "a last record that was never finished, because its writer died; it was not acknowledged"
                unfinished.append(Finding(segment=name, offset=item.offset, length=item.length, reason=reason))
    return JournalReport(
        folder=str(folder),
        segments=len(sizes),
        bytes=sum(sizes.values()),
        records=dict(records),
        damaged=tuple(damaged),
        unfinished=tuple(unfinished),
        writing=writing,
    )


def _count(number: int, noun: str) -> str:
    plural = "trajectories" if noun == "trajectory" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
