"""The index people query: a DuckDB projection of the journal that may be deleted at any time.

Each batch of rows and the journal offsets it was read up to are written in one transaction, so every record is
projected exactly once whatever dies in between. No error of DuckDB leaves this class: a database that fails is put
aside and built again from the journal, in memory if the disk refuses.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from lamsim_core.errors import InvalidInputError, StoreError
from lamsim_core.records import Record
from lamsim_core.store.asked import MOST_ROWS, MOST_SECONDS, check_question
from lamsim_core.store.database import Database, first_line, open_database, open_memory
from lamsim_core.store.held import held
from lamsim_core.store.merge import write_batch
from lamsim_core.store.project import Batch
from lamsim_core.store.segments import read_segment, segment_sizes


class RebuildReport(Record):
    """What building the index again found."""

    records: int
    """Records read from the journal, repeated ones included."""
    trajectories: int
    conflicts: int
    """Records left out because another one with the same identity and other content is older."""
    damaged: int
    """Places in the journal that could not be read."""
    seconds: float

    @property
    def sentences(self) -> tuple[str, ...]:
        """The report in plain sentences."""
        lines = [
            f"The index was built again from {self.records:,} records in {self.seconds:.1f} s; "
            f"it holds {self.trajectories:,} trajectories."
        ]
        if self.conflicts:
            lines.append(f"{self.conflicts:,} records were left out: an older one stands for the same thing.")
        if self.damaged:
            lines.append(f"{self.damaged:,} places in the journal are damaged; run `store check` to see where.")
        return tuple(lines)


class Index:
    """The index of one journal. Threads may share it; the first process to open the file owns it."""

    def __init__(self, path: Path, journal: Path, memory_limit: str = "1GB") -> None:
        """Open the index at ``path``. It catches up with the journal at ``sync``.

        Raises:
            StoreError: DuckDB cannot even open memory, as with a memory limit that is not one.
        """
        self.path = path
        self.journal = journal
        self.notice: str | None = None
        """A sentence for the user when the index was built again or is not shared; else None."""
        self.version = 0
        """Raised whenever rows change: a key for caches."""
        self._memory_limit = memory_limit
        self._projecting = threading.RLock()
        """Held by whoever changes rows. Always taken before ``_using``."""
        self._using = threading.RLock()
        """Held while the connection is in use, so that it is never replaced under a query."""
        self._database: Database | None = None
        self._file: tuple[int, int] | None = None
        self._done: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._adopt(open_database(path, memory_limit))

    @property
    def owner(self) -> bool:
        """Whether this process owns the index file; otherwise the index is a private one in memory."""
        return self._database is not None and self._database.lock is not None

    def sync(self) -> int:
        """Project what the journal holds and the index does not. Costs one look at the file sizes when that is nothing.

        Returns:
            How many records were read.

        Raises:
            StoreError: the index could not be built, not even in memory.
        """
        with self._projecting:
            self._open()
            if self.owner and _file_id(self.path) != self._file:
                self._reopen("its file was deleted or replaced")
            sizes = segment_sizes(self.journal)
            if sizes == self._seen:
                return 0
            if any(sizes.get(segment, 0) < done for segment, done in self._done.items()):
                self._reopen("the journal lost records it was built from")
            return self._catch_up(sizes)

    def query(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """Run one statement and return its rows.

        Raises:
            StoreError: the statement is wrong, or the index failed and could not be built again.
        """
        import duckdb

        bound = {k: held(v) for k, v in params.items()} if isinstance(params, Mapping) else [held(v) for v in params]
        for last in (False, True):
            with self._in_use() as database:
                try:
                    with closing(database.connection.cursor()) as cursor:
                        rows = cursor.execute(sql, bound).fetchall()
                        names = [column[0] for column in cursor.description or ()]
                    return [dict(zip(names, row, strict=True)) for row in rows]
                except _refusals() as error:
                    raise StoreError(f"The index could not answer: {first_line(error)}") from error
                except duckdb.Error as error:
                    if last:
                        raise StoreError(f"The index could not answer: {first_line(error)}") from error
                    failed, reason = database, first_line(error)
            self._replace(failed, reason)
        raise AssertionError("unreachable")

    def ask(self, sql: str, *, rows: int = MOST_ROWS, seconds: float = MOST_SECONDS) -> list[tuple[Any, ...]]:
        """Answer a question a person wrote in SQL; nothing can be changed by it, whatever it says.

        Args:
            sql: one SELECT over the views of ``store.asked``.
            rows: how many rows the answer may have.
            seconds: how long it may take. Nobody else is answered meanwhile.

        Raises:
            InvalidInputError: it is no such question, it fails, or its answer is too long or takes too long.
            StoreError: the index cannot be opened.
        """
        import duckdb

        question = str(held(sql))
        with self._in_use() as database, closing(database.connection.cursor()) as cursor:
            try:
                check_question(cursor, question)
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                with interrupted_after(seconds, cursor.interrupt):
                    answer = cursor.execute(question).fetchmany(rows + 1)
            except duckdb.InterruptException as error:
                raise InvalidInputError(f"The question took longer than {seconds:g} s and was stopped.") from error
            except duckdb.Error as error:
                raise InvalidInputError(f"The question cannot be answered: {first_line(error)}") from error
            finally:
                _roll_back(cursor)
        if len(answer) > rows:
            raise InvalidInputError(f"The answer has more than {rows:,} rows. Narrow the question.")
        return answer

    def rebuild(self) -> RebuildReport:
        """Throw the index away and build it again from the journal.

        Raises:
            StoreError: another process has it open, or it could not be built.
        """
        begin = time.monotonic()
        with self._projecting:
            locked_by = self._open().locked_by
            if locked_by is not None:
                raise StoreError(f"The index is open in process {locked_by}. Stop that process first, then rebuild.")
            self.close()
            for path in (self.path, Path(f"{self.path}.wal")):
                with contextlib.suppress(OSError):  # What cannot be deleted cannot be opened either, and is put aside.
                    path.unlink()
            self._open()
            self.notice = None if self.owner else self.notice
            records = self._catch_up(segment_sizes(self.journal))
            counts = self.query(
                "SELECT (SELECT count(*) FROM trajectories) AS trajectories, (SELECT count(*) FROM damage) AS damaged, "
                "(SELECT count(DISTINCT (kind, id, content_hash)) FROM conflicts) AS conflicts"
            )[0]
        return RebuildReport(records=records, seconds=time.monotonic() - begin, **counts)

    def close(self) -> None:
        """Close the database and give up the file. A later ``sync`` or ``query`` opens it again."""
        with self._projecting, self._using:
            if self._database is not None:
                self._database.close()
            self._database = None
            self._seen = {}

    def _open(self) -> Database:
        database = self._database
        if database is not None:
            return database  # Without waiting for a projection under way.
        with self._projecting:
            if self._database is None:
                self._adopt(open_database(self.path, self._memory_limit))
            assert self._database is not None
            return self._database

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[Database]:
        """The open database, which no other thread closes or replaces before the block ends."""
        while True:
            database = self._open()
            with self._using:
                if database is self._database:  # Else it was closed between the two lines above.
                    yield database
                    return

    def _adopt(self, database: Database) -> None:
        """Take a database into use and read from it how far the journal was projected."""
        with self._using:
            self._database = database
            self._file = _file_id(self.path) if database.lock is not None else None
            rows = database.connection.execute("SELECT segment, bytes FROM offsets").fetchall()
            self._done = dict(rows)
            self._seen = {}
            self.notice = database.notice
            self.version += 1

    def _reopen(self, reason: str, *, memory: bool = False) -> None:
        """Put the database aside and start with an empty one."""
        with self._projecting, self._using:
            if self._database is not None:
                _close_failed(self._database)
                self._database = None
            if memory:
                notice = f"The index file failed ({reason}), so this program keeps an index of its own in memory."
                self._adopt(open_memory(self._memory_limit, notice))
            else:
                self._adopt(open_database(self.path, self._memory_limit, discard=reason))

    def _replace(self, failed: Database | None, reason: str) -> None:
        """After a failed query: build the index again, unless another thread did so meanwhile."""
        with self._projecting:
            if self._database is failed:
                self._reopen(reason)
            self._catch_up(segment_sizes(self.journal))

    def _catch_up(self, sizes: dict[str, int]) -> int:
        """Project up to the present end; on failure once more into a new file, then into memory."""
        import duckdb

        for memory in (False, True):
            try:
                return self._project(sizes)
            except duckdb.Error as error:
                self._reopen(first_line(error), memory=memory)
        try:
            return self._project(sizes)
        except duckdb.Error as error:
            raise StoreError(f"The index cannot be built: {first_line(error)}") from error

    def _project(self, sizes: dict[str, int]) -> int:
        self._open()
        records = 0
        batch = Batch()
        for segment, size in sizes.items():
            if size in (self._seen.get(segment), self._done.get(segment)):
                continue
            for item in read_segment(self.journal / segment, self._done.get(segment, 0)):
                batch.add(segment, item)
                if batch.full:
                    records += self._commit(batch)
                    batch = Batch()
        records += self._commit(batch)
        self._seen = sizes
        return records

    def _commit(self, batch: Batch) -> int:
        if not batch.offsets:
            return 0
        with self._using, closing(self._open().connection.cursor()) as cursor:
            cursor.begin()
            try:
                write_batch(cursor, batch)
                cursor.commit()
            except BaseException:
                _roll_back(cursor)
                raise
            self._done.update(batch.offsets)
            self.version += 1
        return batch.records


@contextlib.contextmanager
def interrupted_after(seconds: float, interrupt: Callable[[], None]) -> Iterator[None]:
    """Call ``interrupt`` from another thread when the block takes longer than this."""
    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refusals() -> tuple[type[Exception], ...]:
    """Errors that say the question was wrong or too large; any other says that the database failed."""
    import duckdb

    return (duckdb.ProgrammingError, duckdb.DataError, duckdb.PermissionException, duckdb.OutOfMemoryException)


def _roll_back(cursor: Any) -> None:
    import duckdb

    try:
        cursor.rollback()
    except duckdb.Error:
        return  # The database is beyond use; the error that made it so is on its way.


def _close_failed(database: Database) -> None:
    import duckdb

    try:
        database.close()
    except duckdb.Error:
        if database.lock is not None:
            database.lock.close()


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino
