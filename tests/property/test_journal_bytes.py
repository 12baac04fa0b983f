"""No byte of a segment can be cut or changed without being noticed, and nothing around the change is lost."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamsim_core.records import Mark
from lamsim_core.store import Journal
from lamsim_core.store.framing import MARK, decode, encode, frame
from lamsim_core.store.journal import Damage, Entry, Tail, read_segment
from tests.store.factories import make_mark

RECORDS = [make_mark(1), make_mark(2, note="x", tags=("a", "b")), make_mark(3)]


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bytes")
    with Journal(folder / "journal") as journal:
        for record in RECORDS:
            journal.append("mark", record)
    (path,) = (folder / "journal").iterdir()
    return path


def entries(path: Path) -> tuple[list[Entry], int]:
    """The entries believed, and how many places were reported instead."""
    items = list(read_segment(path))
    reported = [item for item in items if isinstance(item, Damage | Tail)]
    assert sum(item.length for item in items) == path.stat().st_size, "every byte is accounted for"
    return [item for item in items if isinstance(item, Entry)], len(reported)


def test_the_last_record_cut_at_every_byte_is_never_believed(segment: Path, tmp_path: Path) -> None:
    content = segment.read_bytes()
    whole, _ = entries(segment)
    last = whole[-1]
    path = tmp_path / "cut.jsonl"
    accepted = 0
    for end in range(last.offset, len(content)):
        path.write_bytes(content[:end])
        found, reported = entries(path)
        accepted += found != whole[:-1] or reported != (end > last.offset)
    assert accepted == 0, f"{accepted} of {last.length} cuts silently accepted"


@pytest.mark.parametrize("flip", [0xFF, 1, 8, 64])
def test_every_flipped_byte_is_noticed_and_costs_one_record(segment: Path, tmp_path: Path, flip: int) -> None:
    content = segment.read_bytes()
    whole, _ = entries(segment)
    path = tmp_path / "flip.jsonl"
    accepted = lost = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
        found, reported = entries(path)
        hit = next(entry for entry in whole if entry.offset <= place < entry.offset + entry.length)
        accepted += any(entry not in whole or entry == hit for entry in found) or not reported
        lost += [entry for entry in whole if entry != hit] != found
    assert accepted == 0, f"{accepted} of {len(content)} flips silently accepted"
    assert lost == 0, f"{lost} of {len(content)} flips lost another record"


edits = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 60), st.binary(max_size=60)), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(edits)
def test_whatever_is_done_to_a_segment_nothing_new_is_believed(
    tmp_path_factory: pytest.TempPathFactory, segment: Path, changes: list[tuple[int, int, bytes]]
) -> None:
    content = segment.read_bytes()
    written = {entry.payload for entry in entries(segment)[0]}
    for place, length, new in changes:
        place %= len(content) + 1
        content = content[:place] + new + content[place + length :]
    path = tmp_path_factory.getbasetemp() / "edited.jsonl"
    path.write_bytes(content)
    found, _ = entries(path)
    assert {entry.payload for entry in found} <= written


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: bytes, mark: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(MARK + content if mark else content)
    assert entries(path)[0] == []


text = st.text(st.characters(categories=("L", "N", "P", "S", "Z", "Cc", "Cs")), max_size=40) | st.just(MARK.decode())


@settings(max_examples=300, deadline=None)
@given(text, st.lists(text, max_size=3))
def test_any_text_survives_in_one_line_that_holds_one_mark(note: str, tags: list[str]) -> None:
    # A high and a low surrogate side by side are one character to JSON; nothing that decodes text makes such a pair.
    note, *rest = (
        "".join(s).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") for s in (note, *tags)
    )
    record: Mark = make_mark(1, note=note, tags=tuple(rest))
    line = frame("mark", encode("mark", record))
    assert line.count(b"\n") == line.count(MARK) == 1
    assert decode("mark", line[line.index(b'"payload":') + 10 : -2]) == record
