"""The index is a function of the journal: the same rows however and whenever it was read, each exactly once."""

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import StoreError
from lamsim_core.records import Record, Trajectory
from lamsim_core.store import Index, Journal
from lamsim_core.store.framing import frame, kind_of
from lamsim_core.store.queries import conflicts, damage, find_trajectories, get_trajectory, overview
from lamsim_core.store.schema import TABLES
from tests.store.factories import (
    make_adapter,
    make_dataset,
    make_evaluation,
    make_mark,
    make_step,
    make_task,
    make_trajectory,
)


def contents(index: Index) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but ``offsets``, without its place in the journal; conflicts once each."""
    rows = {}
    for table, columns in TABLES.items():
        if table != "offsets":
            names = ", ".join(name for name in columns if name not in ("segment", "byte_offset"))
            rows[table] = [
                tuple(row.values()) for row in index.query(f"SELECT DISTINCT {names} FROM {table} ORDER BY ALL")
            ]
    return rows


def rival_of(record: Trajectory, number: int) -> Trajectory:
    """Another trajectory of the same planned attempt."""
    return record.model_copy(update={"id": f"trj_rival{number}", "answer": "something else"})


def test_a_new_record_is_there_after_sync_and_only_once(journal: Journal, index: Index) -> None:
    assert index.sync() == 0
    journal.append("trajectory", make_trajectory(1))
    assert find_trajectories(index) == []
    assert index.sync() == 1
    version = index.version
    assert index.sync() == 0
    assert index.version == version
    assert [row.id for row in find_trajectories(index)] == [make_trajectory(1).id]
    assert index.owner
    assert index.notice is None


def test_sync_with_nothing_new_opens_no_file(journal: Journal, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append("trajectory", make_trajectory(1))
    journal.append("mark", make_mark(1))
    index.sync()

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(Path, "open", refuse)
    assert index.sync() == 0


def test_an_unfinished_tail_is_read_once_it_is_finished(journal: Journal, index: Index) -> None:
    journal.append("trajectory", make_trajectory(1))
    place = journal.append("trajectory", make_trajectory(2))
    path = journal.folder / place.segment
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert index.sync() == 1
    assert index.sync() == 0
    path.write_bytes(whole)
    assert index.sync() == 1
    assert overview(index).trajectories == 2
    assert overview(index).damaged == 0


def test_damage_is_counted_and_hides_nothing_else(journal: Journal, index: Index) -> None:
    places = [journal.append("trajectory", make_trajectory(i)) for i in range(3)]
    path = journal.folder / places[0].segment
    content = bytearray(path.read_bytes())
    content[places[1].offset + 200] ^= 4
    path.write_bytes(content)
    (journal.folder / "zz_old.jsonl").write_bytes(frame("mark", b'{"id":"m"}'))
    index.sync()
    assert [row.id for row in find_trajectories(index, newest_first=False)] == [make_trajectory(i).id for i in (0, 2)]
    first, second = damage(index)
    assert (first.byte_offset, first.byte_length) == (places[1].offset, places[1].length)
    assert "does not fit" in second.reason
    assert overview(index).damaged == 2


def test_the_same_record_twice_is_one_row(journal: Journal, index: Index) -> None:
    records: list[Record] = [make_trajectory(1), make_mark(1), make_dataset(1), make_adapter(1), make_evaluation(1)]
    for _ in range(2):
        for record in [*records, *records]:
            journal.append(kind_of(record), record)
        journal.close()
        index.sync()
    counts = overview(index)
    assert (counts.trajectories, counts.marks, counts.datasets, counts.adapters, counts.evaluations) == (1, 1, 1, 1, 1)
    assert counts.conflicts == 0
    assert len(index.query("SELECT * FROM steps")) == len(make_trajectory(1).steps)


def test_of_two_trajectories_of_one_attempt_the_older_stands_and_the_other_is_shown(
    journal: Journal, index: Index
) -> None:
    old = make_trajectory(1)
    young = rival_of(old, 1).model_copy(update={"created": "2099-01-01"})
    journal.append("trajectory", young)
    index.sync()
    journal.append("trajectory", old)
    index.sync()
    assert get_trajectory(index, old.id) == old
    assert [row.id for row in find_trajectories(index)] == [old.id]
    (conflict,) = conflicts(index)
    assert (conflict.id, conflict.kept, conflict.kind) == (young.id, old.id, "trajectory")
    steps = index.query("SELECT DISTINCT trajectory FROM steps")
    assert steps == [{"trajectory": old.id}]


@pytest.mark.parametrize("seed", range(6))
def test_the_rows_do_not_depend_on_the_order_of_reading(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    records: list[Record] = []
    for i in range(12):
        records += [make_trajectory(i)] * rng.randint(1, 2)
        for number in range(rng.randint(0, 2)):
            created = f"20{rng.choice((25, 27))}-01-0{number + 1}"
            records.append(rival_of(make_trajectory(i), 10 * i + number).model_copy(update={"created": created}))
    records += [make_mark(1), make_mark(1, decision="reject"), make_mark(1), make_dataset(1), make_dataset(1, name="b")]
    journals = [Journal(tmp_path / "journal") for _ in range(3)]
    step_by_step = Index(tmp_path / "a.duckdb", tmp_path / "journal")
    rng.shuffle(records)
    for record in records:
        rng.choice(journals).append(kind_of(record), record)
        if rng.random() < 0.3:
            step_by_step.sync()
    step_by_step.sync()
    at_once = Index(tmp_path / "b.duckdb", tmp_path / "journal")
    assert at_once.sync() == len(records)
    assert contents(step_by_step) == contents(at_once)
    assert overview(at_once).trajectories == 12
    assert overview(at_once).conflicts >= 2
    step_by_step.rebuild()
    assert contents(step_by_step) == contents(at_once)
    for row in find_trajectories(step_by_step, limit=None):
        assert get_trajectory(step_by_step, row.id).id == row.id
    step_by_step.close()
    at_once.close()
    for journal in journals:
        journal.close()


def test_an_id_taken_by_another_attempt_is_a_conflict(journal: Journal, index: Index) -> None:
    journal.append("trajectory", make_trajectory(1))
    journal.append("trajectory", make_trajectory(2, id=make_trajectory(1).id))
    index.sync()
    assert get_trajectory(index, make_trajectory(1).id) == make_trajectory(1)
    assert overview(index).conflicts == 1


def test_text_and_numbers_no_database_takes_are_stored_all_the_same(journal: Journal, index: Index) -> None:
    odd = "\ud800 \x00 é😀 \udfff"
    call = make_step(0).call
    assert call is not None
    step = make_step(0, call=call.model_copy(update={"name": odd}))
    task = make_task(1, instruction=odd, seed=2**80, template=odd)
    record = make_trajectory(1, id=odd, answer=odd, task=task, attempt=-(2**70), steps=(step,))
    journal.append("trajectory", record)
    journal.append("mark", make_mark(1, trajectory=odd, note=odd, tags=(odd,)))
    journal.append("dataset", make_dataset(1, name=odd))
    index.sync()
    (row,) = find_trajectories(index)
    assert row.answer == "\\ud800 \x00 é😀 \\udfff"
    assert row.tags == (row.answer,)
    assert row.task_seed == 2**63 - 1
    assert get_trajectory(index, row.id) == record
    assert get_trajectory(index, odd) == record


def test_long_texts_are_cut_in_lists_and_whole_in_the_trajectory(journal: Journal, index: Index) -> None:
    record = make_trajectory(1, answer="x" * 1_000_000)
    journal.append("trajectory", record)
    index.sync()
    assert len(find_trajectories(index)[0].answer or "") == 2000
    assert get_trajectory(index, record.id) == record


def test_batches_larger_than_one_transaction(journal: Journal, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamsim_core.store.project._BATCH_RECORDS", 7)
    for i in range(30):
        journal.append("trajectory", make_trajectory(i))
    assert index.sync() == 30
    assert overview(index).trajectories == 30


def test_a_wrong_statement_is_an_error_of_ours(index: Index) -> None:
    for statement in ("SELEC 1", "SELECT nothing", "SELECT * FROM nowhere", "SELECT cast('a' AS INTEGER)"):
        with pytest.raises(StoreError, match="could not answer"):
            index.query(statement)
    with pytest.raises(StoreError):
        index.query("SELECT ?", [])
    assert index.query("SELECT ? AS x", ["\ud800"]) == [{"x": "\\ud800"}]
    assert index.notice is None


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY offsets TO '/tmp/lamsim_should_not_exist.csv'",
        "ATTACH '/tmp/lamsim_should_not_exist.duckdb' AS other",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
    ],
)
def test_the_database_reaches_nothing_outside(index: Index, statement: str) -> None:
    version = index.version
    with pytest.raises(StoreError):
        index.query(statement)
    assert not list(Path("/tmp").glob("lamsim_should_not_exist*"))
    assert index.query("SELECT count(*) AS n FROM trajectories") == [{"n": 0}]
    assert index.version == version, "a refusal is no reason to build the index again"


def test_a_memory_limit_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"LAMSIM_INDEX_MEMORY is 'lots'"):
        Index(tmp_path / "index.duckdb", tmp_path / "journal", "lots")


def test_threads_read_while_one_stores_and_all_sync(journal: Journal, index: Index) -> None:
    errors: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            last = 0
            while not done.is_set():
                index.sync()
                count = overview(index).trajectories
                assert count >= last
                last = count
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for thread in readers:
        thread.start()
    for i in range(60):
        journal.append("trajectory", make_trajectory(i))
    done.set()
    for thread in readers:
        thread.join()
    assert errors == []
    index.sync()
    assert overview(index).trajectories == 60


def test_rebuild_while_threads_read(journal: Journal, index: Index) -> None:
    for i in range(20):
        journal.append("trajectory", make_trajectory(i))
    index.sync()
    errors: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                find_trajectories(index)
                index.sync()
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    for _ in range(4):
        report = index.rebuild()
        assert (report.records, report.trajectories) == (20, 20)
    done.set()
    for thread in readers:
        thread.join()
    assert errors == []


def test_closing_twice_and_using_again(journal: Journal, index: Index) -> None:
    journal.append("trajectory", make_trajectory(1))
    index.sync()
    index.close()
    index.close()
    assert not index.owner
    assert overview(index).trajectories == 1
    assert index.owner
    index.close()
    journal.append("trajectory", make_trajectory(2))
    assert index.sync() == 1
    assert index.notice is None


def test_rebuild_reports_in_plain_sentences(journal: Journal, index: Index) -> None:
    journal.append("trajectory", make_trajectory(1))
    journal.append("trajectory", rival_of(make_trajectory(1), 1))
    (journal.folder / "zz.jsonl").write_bytes(b"nonsense\n")
    index.sync()
    report = index.rebuild()
    assert (report.records, report.trajectories, report.conflicts, report.damaged) == (2, 1, 1, 1)
    assert report.sentences[0].startswith("The index was built again from 2 records in ")
    assert "left out" in report.sentences[1]
    assert "damaged" in report.sentences[2]
    assert index.notice is None
    assert not list(index.path.parent.glob("*.corrupt-*")), "a sound index is not worth keeping"
