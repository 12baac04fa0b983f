import os
import threading
from pathlib import Path

import pytest

from lamsim_core.errors import DamagedRecordError, StoreWriteError
from lamsim_core.store import Journal
from lamsim_core.store.journal import Damage, Entry, Position, Tail, check, read_record, read_run, read_segment
from lamsim_core.store.segments import segment_sizes
from tests.store.factories import make_mark, make_policy, make_task, make_trajectory


def segment_of(journal: Journal) -> Path:
    (path,) = journal.folder.iterdir()
    return path


def test_nothing_is_made_before_the_first_append(tmp_path: Path) -> None:
    Journal(tmp_path / "journal").close()
    assert not (tmp_path / "journal").exists()
    assert segment_sizes(tmp_path / "journal") == {}


def test_a_record_is_read_back_from_its_position(journal: Journal) -> None:
    places = [journal.append("mark", make_mark(i)) for i in range(5)]
    assert [read_record(journal.folder, place) for place in places] == [make_mark(i) for i in range(5)]
    assert sum(place.length for place in places) == segment_of(journal).stat().st_size


def test_each_opening_has_a_segment_of_its_own_and_names_sort_by_age(journal: Journal) -> None:
    first = journal.append("mark", make_mark(1))
    journal.close()
    second = journal.append("mark", make_mark(2))
    assert first.segment < second.segment
    assert list(segment_sizes(journal.folder)) == [first.segment, second.segment]


def test_threads_share_a_journal(journal: Journal) -> None:
    def work(start: int) -> None:
        for i in range(start, start + 25):
            journal.append("mark", make_mark(i))

    threads = [threading.Thread(target=work, args=(k * 25,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = check(journal.folder)
    assert (report.ok, report.records, report.segments) == (True, {"mark": 100}, 1)


def test_a_forked_child_writes_to_a_segment_of_its_own(journal: Journal) -> None:
    journal.append("mark", make_mark(1))
    child = os.fork()
    if child == 0:
        try:
            journal.append("mark", make_mark(2))
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    journal.append("mark", make_mark(3))
    report = check(journal.folder)
    assert (report.ok, report.records, report.segments) == (True, {"mark": 3}, 2)


def test_a_record_of_the_wrong_kind_is_refused_before_anything_is_written(journal: Journal) -> None:
    with pytest.raises(StoreWriteError, match="cannot be stored"):
        journal.append("trajectory", make_mark(1))
    assert segment_sizes(journal.folder) == {}


def test_reading_goes_on_from_an_offset(journal: Journal) -> None:
    places = [journal.append("mark", make_mark(i)) for i in range(3)]
    items = list(read_segment(segment_of(journal), places[1].offset))
    assert [item.offset for item in items] == [places[1].offset, places[2].offset]


def test_a_record_being_written_is_not_yet_there_and_not_damage(journal: Journal) -> None:
    journal.append("mark", make_mark(1))
    place = journal.append("mark", make_mark(2))
    path = segment_of(journal)
    whole = path.read_bytes()
    path.write_bytes(whole[: place.offset + 50])
    assert [type(item) for item in read_segment(path)] == [Entry, Tail]
    assert check(journal.folder).writing == 1
    journal.close()
    report = check(journal.folder)
    assert (report.ok, report.writing, len(report.unfinished)) == (True, 0, 1)
    path.write_bytes(whole)
    assert [type(item) for item in read_segment(path)] == [Entry, Entry]


def test_damage_in_the_middle_hides_nothing_else(journal: Journal) -> None:
    places = [journal.append("mark", make_mark(i)) for i in range(3)]
    path = segment_of(journal)
    content = bytearray(path.read_bytes())
    content[places[1].offset + 150] ^= 1
    path.write_bytes(content)
    items = list(read_segment(path))
    assert [type(item) for item in items] == [Entry, Damage, Entry]
    report = check(journal.folder)
    assert not report.ok
    assert (report.damaged[0].offset, report.damaged[0].length) == (places[1].offset, places[1].length)
    assert "1 damaged place; all records around" in report.sentences[0]
    with pytest.raises(DamagedRecordError, match=r"damaged at byte .* length and checksum"):
        read_record(journal.folder, places[1])
    assert read_record(journal.folder, places[2]) == make_mark(2)


def test_a_lost_newline_does_not_take_the_next_record_along(journal: Journal) -> None:
    places = [journal.append("mark", make_mark(i)) for i in range(3)]
    path = segment_of(journal)
    content = bytearray(path.read_bytes())
    content[places[1].offset - 1] = ord("x")
    path.write_bytes(content)
    found = list(read_segment(path))
    assert [type(item) for item in found] == [Damage, Entry, Entry]
    assert [item.offset for item in found] == [place.offset for place in places]


def test_a_segment_of_nonsense_is_all_damage(journal: Journal) -> None:
    journal.folder.mkdir(parents=True)
    (journal.folder / "other.jsonl").write_bytes(b'{"hello": 1}\n\n\xff\xfe\n{"v":1,"kind":"mark"}\n')
    assert [type(item) for item in read_segment(journal.folder / "other.jsonl")] == [Damage] * 4


def test_a_sound_line_that_is_no_record_of_this_version_is_damage_to_check(journal: Journal) -> None:
    from lamsim_core.store.framing import frame

    journal.folder.mkdir(parents=True)
    (journal.folder / "old.jsonl").write_bytes(frame("mark", b'{"id":"m"}') + frame("mood", b"{}"))
    report = check(journal.folder)
    assert [finding.reason for finding in report.damaged] == [
        "it does not fit this version's mark: trajectory: Field required",
        "it holds a 'mood', which this version does not know",
    ]


@pytest.mark.parametrize(
    "position",
    [
        Position("../secret.jsonl", 0, 10),
        Position("/etc/passwd", 0, 10),
        Position("a/b.jsonl", 0, 10),
        Position("..jsonl", 0, 10),
        Position("seg.jsonl\n", 0, 10),
        Position("missing.jsonl", 0, 10),
        Position("", 0, 10),
    ],
)
def test_a_position_outside_the_journal_is_never_opened(journal: Journal, position: Position) -> None:
    journal.append("mark", make_mark(1))
    (journal.folder.parent / "secret.jsonl").write_text("secret")
    with pytest.raises(DamagedRecordError):
        read_record(journal.folder, position)


def test_other_files_in_the_folder_are_left_alone(journal: Journal) -> None:
    journal.append("mark", make_mark(1))
    (journal.folder / "notes.txt").write_text("mine")
    (journal.folder / ".hidden.jsonl").write_text("mine")
    assert check(journal.folder).segments == 1


def test_the_report_is_in_plain_sentences(journal: Journal) -> None:
    assert check(journal.folder).sentences == (f"The journal in {journal.folder} is empty.",)
    journal.append("mark", make_mark(1))
    journal.append("trajectory", make_trajectory(1))
    journal.append("trajectory", make_trajectory(2))
    size = segment_of(journal).stat().st_size
    assert check(journal.folder).sentences == (
        f"3 records in 1 segment ({size:,} bytes): 1 mark, 2 trajectories.",
        "Every record is byte for byte what was written.",
    )


def test_a_run_is_read_without_the_index(journal: Journal) -> None:
    for i in (3, 1, 2):
        journal.append("trajectory", make_trajectory(i, run='run "é"'))
    journal.append("trajectory", make_trajectory(4, run="another"))
    journal.append("trajectory", make_trajectory(1, run='run "é"'))
    younger = make_trajectory(9, run='run "é"', task=make_task(2), policy=make_policy(2))
    assert younger.identity == make_trajectory(2, run='run "é"').identity
    journal.append("trajectory", younger)
    assert [record.id for record in read_run(journal.folder, 'run "é"')] == [make_trajectory(i).id for i in (1, 2, 3)]
    assert read_run(journal.folder, "none") == []
