"""Questions written by people: what may be asked is answered, and nothing else is done, whatever is written."""

import time
from pathlib import Path

import pytest

from lamsim_core.errors import InvalidInputError
from lamsim_core.store import Index
from lamsim_core.store.asked import LONGEST, VIEWS, check_question
from lamsim_core.store.queries import ask_ids, call_sequences, count_trajectories, overview
from tests.store.factories import make_trajectory


@pytest.fixture
def index(tmp_path: Path) -> Index:
    from lamsim_core.store import Journal

    journal = Journal(tmp_path / "journal")
    for number in range(8):
        journal.append("trajectory", make_trajectory(number))
    journal.close()
    opened = Index(tmp_path / "index.duckdb", tmp_path / "journal")
    opened.sync()
    return opened


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM attempts",
        "SELECT id FROM attempts WHERE category = 'calendar' AND request LIKE '%meeting%' ORDER BY created LIMIT 3;",
        "WITH long AS (SELECT attempt_id, count(*) AS n FROM actions GROUP BY ALL) "
        "SELECT id FROM attempts a JOIN long ON a.id = attempt_id WHERE n >= 1 AND list_contains(tools, tools[1])",
        "SELECT id FROM attempts QUALIFY row_number() OVER (PARTITION BY template ORDER BY created, id) = 1",
        "FROM attempts SELECT id WHERE EXISTS (SELECT 1 FROM actions WHERE attempt_id = id AND ok)",
        "SELECT id FROM attempts WHERE upper(category) IN ('CALENDAR', 'EMAIL') UNION SELECT id FROM attempts",
        "SELECT id FROM attempts, unnest(kinds) AS k(kind) WHERE kind = 'lookup'",
        "SELECT DISTINCT a.id FROM attempts a LEFT JOIN actions s ON s.attempt_id = a.id AND NOT s.ok",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT id FROM attempts, r WHERE n = 1",
        "SELECT id FROM attempts WHERE created >= '2026-01-01' AND length(answer) > 1 AND CASE WHEN passed THEN true ELSE "
        "failed > 0 END",
    ],
)
def test_what_may_be_asked_is_answered(index: Index, sql: str) -> None:
    known = {row[0] for row in index.ask("SELECT id FROM attempts")}
    assert len(known) == 8
    assert set(ask_ids(index, sql)) <= known


def test_every_documented_column_is_there(index: Index) -> None:
    for view, (_, columns) in VIEWS.items():
        assert len(index.ask(f"SELECT {', '.join(columns)} FROM {view}")) >= 8


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("", "exactly one SELECT"),
        ("-- nothing", "exactly one SELECT"),
        ("SELECT 1; SELECT 2", "these are 2"),
        ("SELECT id FROM attempts; DROP TABLE marks", "these are 2"),
        ("selec id", "cannot be read"),
        ("SELECT id FROM attempts WHERE id = $1", "no parameters"),
        ("DELETE FROM trajectories", "not DELETE"),
        ("INSERT INTO marks VALUES (1) RETURNING id", "not INSERT"),
        ("UPDATE trajectories SET passed = true", "not UPDATE"),
        ("CREATE TABLE x AS SELECT 1", "not CREATE"),
        ("DROP TABLE trajectories", "not DROP"),
        ("ATTACH '/tmp/x.db' AS x", "not ATTACH"),
        ("COPY trajectories TO '/tmp/x.csv'", "not COPY"),
        ("EXPORT DATABASE '/tmp/x'", "not EXPORT"),
        ("PRAGMA database_list", "not PRAGMA"),
        ("INSTALL httpfs", "not LOAD"),
        ("LOAD httpfs", "not LOAD"),
        ("SET threads = 1", "not SET"),
        ("SET VARIABLE x = 1", "not SET"),
        ("CALL pragma_version()", "not CALL"),
        ("EXPLAIN ANALYZE SELECT 1", "not EXPLAIN"),
        ("BEGIN", "not TRANSACTION"),
        ("WITH gone AS (DELETE FROM trajectories RETURNING id) SELECT id FROM gone", "DELETE is not allowed"),
        (
            "SELECT id FROM (WITH g AS (UPDATE marks SET note = '' RETURNING id) SELECT id FROM g)",
            "UPDATE is not allowed",
        ),
        ("DESCRIBE attempts", "no DESCRIBE"),
        ("SHOW TABLES", "no DESCRIBE"),
        ("SELECT id FROM trajectories", "no view 'trajectories'"),
        ("SELECT id FROM main.attempts", "no view"),
        ("SELECT * FROM information_schema.tables", "no view"),
        ("SELECT id FROM '/etc/passwd'", "no view '/etc/passwd'"),
        ("SELECT * FROM read_csv('/etc/passwd')", "may not be"),
        ("SELECT * FROM read_text('/etc/passwd')", "may not be"),
        ("SELECT * FROM glob('/etc/*')", "may not be"),
        ("SELECT * FROM query('SELECT 1')", "may not be"),
        ("SELECT * FROM duckdb_settings()", "may not be"),
        ("SELECT current_setting('temp_directory')", "may not be used"),
        ("SELECT getvariable('x')", "may not be used"),
        ("SELECT write_log('x')", "may not be used"),
        ("SELECT sleep_ms(100000)", "may not be used"),
        ("SELECT id FROM attempts WHERE random() < 0.5", "may not be used"),
        ("SELECT id FROM attempts WHERE created < now()::VARCHAR", "may not be used"),
        ("SELECT id FROM attempts ORDER BY random()", "may not be used"),
        ("SELECT id FROM attempts WHERE created < current_date::VARCHAR", "another value every time"),
        ("SELECT id FROM attempts TABLESAMPLE 10%", "by chance"),
        ("SELECT id FROM attempts USING SAMPLE 3", "by chance"),
        ("SELECT nothing FROM attempts", "cannot be answered"),
        (f"SELECT id FROM attempts WHERE id = '{'x' * LONGEST}'", "characters"),
    ],
)
def test_everything_else_is_refused_with_a_sentence_and_changes_nothing(index: Index, sql: str, says: str) -> None:
    before = overview(index)
    with pytest.raises(InvalidInputError, match=says):
        index.ask(sql)
    assert overview(index) == before
    assert index.notice is None and index.owner, "a bad question is no reason to build the index again"


@pytest.mark.parametrize(
    "sql",
    [
        "WITH gone AS (DELETE FROM trajectories RETURNING id) SELECT id FROM gone",
        "CREATE TABLE x AS SELECT 1",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY trajectories TO '/tmp/lamsim_never.csv'",
        "ATTACH '/tmp/lamsim_never.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "PRAGMA threads = 1",
    ],
)
def test_what_the_check_would_miss_the_connection_refuses(
    index: Index, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamsim_core.store.index.check_question", lambda *_: None)
    with pytest.raises(InvalidInputError, match="cannot be answered"):
        index.ask(sql)
    assert count_trajectories(index) == 8
    assert not Path("/tmp/lamsim_never.csv").exists() and not Path("/tmp/lamsim_never.db").exists()


def test_too_many_rows_and_too_much_time_are_ended(index: Index) -> None:
    with pytest.raises(InvalidInputError, match="more than 5 rows"):
        index.ask("SELECT id FROM attempts", rows=5)
    begin = time.monotonic()
    with pytest.raises(InvalidInputError, match=r"longer than 0\.2 s"):
        index.ask("SELECT max(hash(a.range)) FROM range(100000000000) a", seconds=0.2)
    assert time.monotonic() - begin < 10
    assert count_trajectories(index) == 8


@pytest.mark.parametrize(
    "sql", ["SELECT id, run FROM attempts", "SELECT steps FROM attempts", "SELECT tools FROM attempts"]
)
def test_ids_are_one_column_of_texts(index: Index, sql: str) -> None:
    with pytest.raises(InvalidInputError, match="one column, the ids"):
        ask_ids(index, sql)


def test_ids_come_once_and_in_order(index: Index) -> None:
    ids = ask_ids(
        index, "SELECT id FROM attempts UNION ALL SELECT NULL UNION ALL SELECT id FROM attempts ORDER BY 1 DESC"
    )
    assert ids == sorted(set(ids), reverse=True) and len(ids) == 8


def test_a_question_is_checked_on_any_connection() -> None:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        check_question(connection, "SELECT id FROM attempts")


def test_calls_are_told_without_their_values(index: Index) -> None:
    found = call_sequences(index)
    assert len(found) == 8
    assert all(arguments == tuple(sorted(arguments)) for steps in found.values() for _, arguments, _ in steps)
    assert any(arguments for steps in found.values() for _, arguments, _ in steps)
