"""An index that is missing, damaged, outdated or in use elsewhere: always an answer, never an error of DuckDB."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lamsim_core.errors import StoreError
from lamsim_core.store import Index, Journal
from lamsim_core.store.merge import write_batch
from lamsim_core.store.queries import find_trajectories, overview
from tests.store.factories import make_trajectory
from tests.store.test_index import contents

COUNT = 40


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an index whose write-ahead log was not yet folded in, as after a kill, and one closed in peace."""
    home = tmp_path_factory.mktemp("made")
    code = """
import os, sys
from pathlib import Path
from lamsim_core.store import Index, Journal
from tests.store.factories import make_trajectory
home = Path(sys.argv[1])
journal = Journal(home / "journal")
for i in range(int(sys.argv[2])):
    journal.append("trajectory", make_trajectory(i))
index = Index(home / "index.duckdb", home / "journal")
index.sync()
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code, str(home), str(COUNT)], check=True)
    assert (home / "index.duckdb.wal").stat().st_size > 1000
    shutil.copytree(home, home / "peace")
    Index(home / "peace" / "index.duckdb", home / "peace" / "journal").close()
    assert not (home / "peace" / "index.duckdb.wal").exists()
    return home


@pytest.fixture
def killed(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "home", ignore=lambda *_: {"peace"}))


@pytest.fixture
def closed(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "peace", tmp_path / "home"))


@contextmanager
def opened(home: Path) -> Iterator[Index]:
    index = Index(home / "index.duckdb", home / "journal")
    try:
        index.sync()
        assert [row.id for row in find_trajectories(index, limit=None, newest_first=False)] == [
            make_trajectory(i).id for i in range(COUNT)
        ]
        yield index
    finally:
        index.close()


def copies(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("index.duckdb.corrupt-*"))


@pytest.mark.parametrize("state", ["killed", "closed"])
def test_a_sound_index_is_used_as_it_is(state: str, request: pytest.FixtureRequest) -> None:
    home = request.getfixturevalue(state)
    with opened(home) as index:
        assert index.notice is None
        assert index.owner
    assert copies(home) == []


def test_a_missing_index_is_built_without_a_word(closed: Path) -> None:
    """It is missing whenever jobs ran before the app was first opened, which is nothing to worry about."""
    with opened(closed) as index:
        expected = index.query("SELECT count(*) AS n FROM trajectories")
    (closed / "index.duckdb").unlink()
    with opened(closed) as index:
        assert index.notice is None
        assert index.query("SELECT count(*) AS n FROM trajectories") == expected != [{"n": 0}]


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def other_database(path: Path) -> None:
    path.unlink()
    duckdb.connect(str(path)).execute("CREATE TABLE trajectories (id VARCHAR)").close()


def older_version(path: Path) -> None:
    duckdb.connect(str(path)).execute("UPDATE about SET version = 'older'").close()


def no_version(path: Path) -> None:
    duckdb.connect(str(path)).execute("DELETE FROM about").close()


def missing_table(path: Path) -> None:
    duckdb.connect(str(path)).execute("DROP TABLE steps").close()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_text("x")


def opening(path: Path) -> None:
    Path(f"{path}.opening").touch()


SPOILED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda path: overwrite(path, b""), "not a valid DuckDB database"),
    "one byte": (lambda path: overwrite(path, b"x"), "not a valid DuckDB database"),
    "text": (lambda path: overwrite(path, b"hello\n" * 5000), "not a valid DuckDB database"),
    "zeros": (lambda path: overwrite(path, bytes(path.stat().st_size)), "not a valid DuckDB database"),
    "header only": (lambda path: os.truncate(path, 12288), ""),
    "cut": (lambda path: os.truncate(path, path.stat().st_size // 2), ""),
    "other": (other_database, "it holds something else"),
    "older": (older_version, "it was made by another version of this program"),
    "no version": (no_version, "it was made by another version of this program"),
    "missing table": (missing_table, "steps does not exist"),
    "folder": (folder, ""),
    "died opening": (opening, "a program died while opening it"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_index_is_put_aside_and_built_again(closed: Path, how: str) -> None:
    spoil, reason = SPOILED[how]
    spoil(closed / "index.duckdb")
    with opened(closed) as index:
        assert index.owner
        assert index.notice is not None
        assert index.notice.startswith("The index could not be used (")
        assert reason in index.notice
        assert "put aside and built again" in index.notice
    assert len(copies(closed)) == 1
    with opened(closed) as index:
        assert index.notice is None


@pytest.mark.parametrize("percent", [1, 30, 60, 90, 99])
def test_a_file_cut_anywhere_gives_the_same_rows(closed: Path, percent: int) -> None:
    path = closed / "index.duckdb"
    os.truncate(path, path.stat().st_size * percent // 100)
    with opened(closed) as index:
        assert index.owner


def test_a_flipped_bit_anywhere_in_the_file_gives_the_same_rows(closed: Path) -> None:
    path = closed / "index.duckdb"
    content = path.read_bytes()
    with opened(closed) as index:
        whole = contents(index)
    rng = random.Random(1)
    built = 0
    for place in (0, 4096, 8192, *range(12288, len(content), len(content) // 9)):
        spoiled = bytearray(content)
        spoiled[min(len(content) - 1, place + rng.randrange(2048))] ^= 1 << rng.randrange(8)
        path.write_bytes(spoiled)
        with opened(closed) as index:
            assert contents(index) == whole
            built += index.notice is not None
    assert built >= 3, "headers and used blocks are noticed"
    assert len(copies(closed)) <= 3, "old copies do not pile up"


@pytest.mark.parametrize("part", range(0, 100, 9))
def test_a_damaged_write_ahead_log_gives_the_same_rows(killed: Path, part: int) -> None:
    path = killed / "index.duckdb.wal"
    content = bytearray(path.read_bytes())
    if part % 2:
        content[len(content) * part // 100] ^= 16
    else:
        del content[len(content) * part // 100 :]
    path.write_bytes(content)
    with opened(killed) as index:
        assert index.owner
    assert not [name for name in copies(killed) if name.endswith(".wal.wal")]


def test_a_left_over_write_ahead_log_without_its_file(killed: Path) -> None:
    (killed / "index.duckdb").unlink()
    with opened(killed) as index:
        assert index.owner


@contextmanager
def owner_process(home: Path) -> Iterator[subprocess.Popen[str]]:
    code = """
import sys
from pathlib import Path
from lamsim_core.store import Index
home = Path(sys.argv[1])
index = Index(home / "index.duckdb", home / "journal")
index.sync()
print(index.owner, flush=True)
sys.stdin.read()
"""
    argv = [sys.executable, "-c", code, str(home)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "True\n"
            yield process
        finally:
            process.kill()


def test_an_index_in_use_elsewhere_is_made_in_memory(closed: Path) -> None:
    with owner_process(closed) as process:
        with opened(closed) as index:
            assert not index.owner
            assert f"in use by process {process.pid}" in (index.notice or "")
            Journal(closed / "journal").append("trajectory", make_trajectory(COUNT))
            assert index.sync() == 1
            with pytest.raises(StoreError, match=f"open in process {process.pid}"):
                index.rebuild()
        process.kill()
        process.wait()
    index = Index(closed / "index.duckdb", closed / "journal")
    assert index.owner
    assert index.sync() == 1
    assert copies(closed) == []
    index.close()


def test_a_file_opened_by_duckdb_itself_is_in_use_too(closed: Path) -> None:
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", code, str(closed / "index.duckdb")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with opened(closed) as index:
            assert not index.owner
            assert f"process {process.pid}" in (index.notice or "")
        process.kill()
    with opened(closed) as index:
        assert index.owner
        assert index.notice is None


def test_a_second_index_in_the_same_process_is_made_in_memory(closed: Path) -> None:
    with opened(closed) as first, opened(closed) as second:
        assert first.owner
        assert not second.owner
        assert str(os.getpid()) in (second.notice or "")


def test_a_home_that_cannot_be_written_gives_an_index_in_memory(closed: Path) -> None:
    (closed / "file").write_text("not a folder")
    index = Index(closed / "file" / "index.duckdb", closed / "journal")
    index.sync()
    assert overview(index).trajectories == COUNT
    assert not index.owner
    assert "cannot be written" in (index.notice or "")
    assert index.rebuild().trajectories == COUNT
    index.close()


def test_a_file_deleted_or_replaced_while_in_use_is_built_again(closed: Path) -> None:
    with opened(closed) as index:
        index.path.unlink()
        assert index.sync() == COUNT
        index.path.rename(closed / "elsewhere")
        index.path.write_bytes(b"nonsense")
        assert index.sync() == COUNT
        assert overview(index).trajectories == COUNT
        assert index.owner
    with opened(closed) as index:
        assert index.notice is None


def test_a_file_cut_while_in_use_is_built_again_at_the_latest_when_opened_next(closed: Path) -> None:
    with opened(closed) as index:
        os.truncate(index.path, 8192)
        Journal(closed / "journal").append("trajectory", make_trajectory(0))
        index.sync()
        assert overview(index).trajectories == COUNT
    with opened(closed):
        pass


def test_a_journal_that_lost_a_segment_is_followed(closed: Path) -> None:
    extra = Journal(closed / "journal")
    place = extra.append("trajectory", make_trajectory(COUNT))
    index = Index(closed / "index.duckdb", closed / "journal")
    index.sync()
    assert overview(index).trajectories == COUNT + 1
    (closed / "journal" / place.segment).unlink()
    index.sync()
    assert overview(index).trajectories == COUNT
    assert "the journal lost records" in (index.notice or "")
    index.close()


def test_a_query_on_a_failed_connection_builds_the_index_again_and_answers(closed: Path) -> None:
    with opened(closed) as index:
        assert index._database is not None
        index._database.connection.close()
        assert overview(index).trajectories == COUNT
        assert index.owner
        assert "built again" in (index.notice or "")


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_transaction_that_fails_is_tried_in_a_new_file_and_then_in_memory(
    closed: Path, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [failures]

    def fail_first(cursor: Any, batch: Any) -> None:
        write_batch(cursor, batch)
        if left[0]:
            left[0] -= 1
            raise duckdb.IOException("IO Error: No space left on device")

    (closed / "index.duckdb").unlink()
    index = Index(closed / "index.duckdb", closed / "journal")
    monkeypatch.setattr("lamsim_core.store.index.write_batch", fail_first)
    if failures == 3:
        with pytest.raises(StoreError, match="No space left"):
            index.sync()
    assert index.sync() == COUNT
    assert overview(index).trajectories == COUNT
    assert index.owner == (failures == 1)
    assert "No space left" in (index.notice or "")
    index.close()
