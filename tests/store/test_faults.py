"""A full disk, an I/O error or a failing fsync at any call loses nothing acknowledged and corrupts nothing."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from lamsim_core.errors import StoreWriteError
from lamsim_core.store import Index, Journal
from lamsim_core.store.framing import encode, frame
from lamsim_core.store.journal import Disk, Entry, Position, check, read_record, read_segment, segment_sizes
from lamsim_core.store.queries import find_trajectories, get_trajectory
from tests.store.factories import make_mark, make_trajectory
from tests.store.failing_disk import PART, FailingDisk, Fault

APPENDS = 4


def run(folder: Path, disk: FailingDisk) -> tuple[dict[int, Position], list[int]]:
    """Append while the disk fails, heal it, append on. Gives the acknowledged places and the refused records."""
    journal = Journal(folder, disk)
    places: dict[int, Position] = {}
    refused = []
    for i in range(2 * APPENDS):
        disk.healed = i >= APPENDS
        try:
            places[i] = journal.append("mark", make_mark(i))
        except StoreWriteError as error:
            assert "was not stored" in str(error)
            refused.append(i)
    journal.close()
    return places, refused


def calls_of_a_clean_run(folder: Path) -> int:
    disk = FailingDisk(0, "full")
    _, refused = run(folder, disk)
    assert refused == []
    return disk.calls // 2 + 2


@pytest.mark.parametrize("fault", get_args(Fault))
def test_a_fault_at_any_call_loses_and_corrupts_nothing(tmp_path: Path, fault: Fault) -> None:
    sites = calls_of_a_clean_run(tmp_path / "clean")
    assert sites > 15
    failures = 0
    for site in range(1, sites + 1):
        folder = tmp_path / str(site)
        disk = FailingDisk(site, fault)
        places, refused = run(folder, disk)
        failures += len(refused)
        assert set(places) >= set(range(APPENDS, 2 * APPENDS)), "later appends work"
        assert {i: read_record(folder, place) for i, place in places.items()} == {i: make_mark(i) for i in places}
        report = check(folder)
        assert report.damaged == ()
        ids = [
            item.payload
            for name in segment_sizes(folder)
            for item in read_segment(folder / name)
            if isinstance(item, Entry)
        ]
        if "cut" not in disk.failed:
            assert len(ids) == len(places)
            assert report.unfinished == ()
    assert failures >= sites // 2


def test_a_failing_fsync_abandons_the_segment(tmp_path: Path) -> None:
    disk = FailingDisk(0, "eio")
    journal = Journal(tmp_path / "journal", disk)
    first = journal.append("mark", make_mark(1))
    disk.at = disk.calls + -(-first.length // PART) + 1  # the sync behind all the writes of the next record
    with pytest.raises(StoreWriteError, match="Input/output error"):
        journal.append("mark", make_mark(2))
    assert disk.failed == ["sync"]
    assert (tmp_path / "journal" / first.segment).stat().st_size == first.length
    assert journal.append("mark", make_mark(3)).segment != first.segment


def test_an_interrupt_while_writing_leaves_no_half_record(tmp_path: Path) -> None:
    class Interrupted(Disk):
        armed = False

        def sync(self, descriptor: int) -> None:
            if self.armed:
                self.armed = False
                raise KeyboardInterrupt
            super().sync(descriptor)

    disk = Interrupted()
    journal = Journal(tmp_path / "journal", disk)
    journal.append("mark", make_mark(1))
    disk.armed = True
    with pytest.raises(KeyboardInterrupt):
        journal.append("mark", make_mark(2))
    journal.append("mark", make_mark(3))
    report = check(tmp_path / "journal")
    assert (report.damaged, report.unfinished, report.records) == ((), (), {"mark": 2})


@pytest.mark.parametrize("fault", get_args(Fault))
def test_an_index_that_saw_the_failed_bytes_ends_up_right(tmp_path: Path, fault: Fault) -> None:
    line = len(frame("trajectory", encode("trajectory", make_trajectory(1))))
    writes = -(-line // PART)
    for after in (1, writes // 2, writes, writes + 1):  # calls of the second append, the last being its sync
        folder = tmp_path / str(after) / "journal"
        index = Index(tmp_path / str(after) / "index.duckdb", folder)

        class Watched(FailingDisk):
            reader = index

            def sync(self, descriptor: int) -> None:
                self.reader.sync()  # what another process may do between write and fsync
                super().sync(descriptor)

            def cut(self, descriptor: int, size: int) -> None:
                self.reader.sync()
                super().cut(descriptor, size)

        disk = Watched(0, fault)
        disk.healed = True
        journal = Journal(folder, disk)
        journal.append("trajectory", make_trajectory(0))
        disk.at = disk.calls + after
        stored = [make_trajectory(0)]
        for i in range(1, 5):
            disk.healed = i >= 3
            try:
                journal.append("trajectory", make_trajectory(i))
                stored.append(make_trajectory(i))
            except StoreWriteError:
                continue
        assert disk.failed
        index.sync()
        rows = {row.id for row in find_trajectories(index, limit=None)}
        assert rows >= {record.id for record in stored}
        if "cut" not in disk.failed:
            assert rows == {record.id for record in stored}
        assert [get_trajectory(index, record.id) for record in stored] == stored
        index.close()
        journal.close()


def test_a_limit_set_by_the_kernel(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from lamsim_core.errors import StoreWriteError
from lamsim_core.store.journal import Journal
from tests.store.factories import make_mark
journal = Journal(Path(sys.argv[1]))
line = journal.append("mark", make_mark(0)).length
resource.setrlimit(resource.RLIMIT_FSIZE, (line * 7 // 2, resource.RLIM_INFINITY))
for i in range(1, 9):
    try:
        journal.append("mark", make_mark(i))
        print("stored", i)
    except StoreWriteError as error:
        assert "File too large" in str(error), error
        print("refused", i)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append("mark", make_mark(9))
"""
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "j")], capture_output=True, text=True, check=True)
    said = {number: outcome for outcome, number in map(str.split, run.stdout.splitlines())}
    assert said == {str(i): "refused" if i in (3, 7) else "stored" for i in range(1, 9)}
    report = check(tmp_path / "j")
    assert (report.damaged, report.unfinished, report.records) == ((), (), {"mark": 8})
