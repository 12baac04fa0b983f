"""A world: plain tables of rows with a clock and an id source. Nothing else gives time or identifiers.

Rows are replaced, never edited in place (their lists and objects refuse it too), so a snapshot is a shallow copy and a
comparison can use identity first. The state hash is a sum of row hashes (a multiset hash), so a change costs only the
rows it touches.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any

from lamsim_core.canonical import canonical_json
from lamsim_core.environment.frozen import SCALARS, frozen
from lamsim_core.records import RowChange

FrozenRow = Mapping[str, Any]
"""One row; its fields are JSON."""
Snapshot = Mapping[str, Mapping[str, FrozenRow]]

_HASH_SPACE = 2**128
_FIRST_NEW_ID = 9001
"""Numbers of rows made by tools start here, so they never meet those a world was populated with (below 9000)."""


def _row_hash(table: str, row_id: str, row: FrozenRow) -> int:
    digest = hashlib.blake2b(canonical_json([table, row_id, dict(row)]).encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big")


class World:
    """Tables of rows, each row a mapping with a string ``id``."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._tables: dict[str, dict[str, FrozenRow]] = {}
        self._hash = 0
        self._next_id: dict[str, int] = {}
        self._saved: dict[str, dict[str, FrozenRow]] | None = None
        self._touched: dict[tuple[str, str], FrozenRow | None] = {}

    def copy(self) -> "World":
        """An independent world with the same content."""
        twin = World(self.now)
        twin._tables = {name: dict(rows) for name, rows in self._tables.items()}
        twin._hash = self._hash
        twin._next_id = dict(self._next_id)
        return twin

    def add_table(self, *names: str) -> None:
        """Declare tables, so that they can be read while empty."""
        for name in names:
            self._tables.setdefault(name, {})

    def join(self, other: "World") -> None:
        """Take over the tables of another world. Raises ValueError when both have a table of one name."""
        both = self._tables.keys() & other._tables.keys()
        if both:
            raise ValueError(f"two worlds with a table {sorted(both)[0]!r} cannot be joined")
        self._tables.update({name: dict(rows) for name, rows in other._tables.items()})
        self._hash = (self._hash + other._hash) % _HASH_SPACE

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(self._tables)

    def rows(self, table: str) -> list[FrozenRow]:
        """The rows of ``table`` in insertion order. Raises KeyError for an unknown table."""
        return list(self._tables[table].values())

    def get(self, table: str, row_id: str) -> FrozenRow | None:
        """One row, or None."""
        return self._tables[table].get(row_id)

    def new_id(self, prefix: str) -> str:
        """A fresh row id such as ``evt_9001``. Counters are not part of the state hash."""
        number = self._next_id.get(prefix, _FIRST_NEW_ID)
        self._next_id[prefix] = number + 1
        return f"{prefix}_{number}"

    def insert(self, table: str, row: Mapping[str, Any]) -> FrozenRow:
        """Add a row. Raises ValueError when its id is missing or taken."""
        row_id = row.get("id")
        if not isinstance(row_id, str) or row_id in self._tables[table]:
            raise ValueError(f"a new row of {table!r} needs an unused string id, got {row_id!r}")
        return self._put(table, row_id, row)

    def update(self, table: str, row_id: str, **changes: Any) -> FrozenRow:
        """Replace fields of a row. Raises KeyError when the row or a field does not exist."""
        row = self._tables[table][row_id]
        unknown = changes.keys() - row.keys()
        if unknown:
            raise KeyError(f"{table!r} has no field {sorted(unknown)}")
        return self._put(table, row_id, {**row, **changes})

    def delete(self, table: str, row_id: str) -> None:
        """Remove a row. Raises KeyError when it does not exist."""
        old = self._tables[table][row_id]
        self._remember(table, row_id, old)
        del self._tables[table][row_id]
        self._hash = (self._hash - _row_hash(table, row_id, old)) % _HASH_SPACE

    def state_hash(self) -> str:
        """Hash of all rows (the clock and the id counters do not count): 32 hexadecimal characters."""
        return f"{self._hash:032x}"

    def snapshot(self) -> Snapshot:
        """All rows as they are now; later changes do not reach it."""
        return {name: MappingProxyType(dict(rows)) for name, rows in self._tables.items()}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo everything done inside when the body raises. ``changes`` tells afterwards what it did."""
        if self._saved is not None:
            raise RuntimeError("a transaction is already open")
        self._saved, self._touched = {}, {}
        ids, before = dict(self._next_id), self._hash
        try:
            yield
        except BaseException:
            self._tables.update(self._saved)
            self._touched = {}
            self._next_id, self._hash = ids, before
            raise
        finally:
            self._saved = None

    def changes(self) -> tuple[RowChange, ...]:
        """The net changes of the last transaction."""
        return tuple(
            change
            for (table, row_id), old in self._touched.items()
            if (change := _change(table, row_id, old, self._tables[table].get(row_id)))
        )

    def _put(self, table: str, row_id: str, row: Mapping[str, Any]) -> FrozenRow:
        kept = MappingProxyType({k: v if type(v) in SCALARS else frozen(v) for k, v in row.items()})
        new_hash = _row_hash(table, row_id, kept)
        old = self._tables[table].get(row_id)
        self._remember(table, row_id, old)
        if old is not None:
            self._hash -= _row_hash(table, row_id, old)
        self._tables[table][row_id] = kept
        self._hash = (self._hash + new_hash) % _HASH_SPACE
        return kept

    def _remember(self, table: str, row_id: str, old: FrozenRow | None) -> None:
        if self._saved is not None:
            if table not in self._saved:
                self._saved[table] = dict(self._tables[table])
            self._touched.setdefault((table, row_id), old)


def _change(table: str, row_id: str, old: FrozenRow | None, new: FrozenRow | None) -> RowChange | None:
    if old is new or old == new:
        return None
    return RowChange(
        table=table,
        id=row_id,
        before=None if old is None else dict(old),
        after=None if new is None else dict(new),
    )


def diff(before: Snapshot, after: Snapshot) -> tuple[RowChange, ...]:
    """The net changes between two snapshots of one world, by table and id."""
    changes = []
    for table in after:
        old_rows, new_rows = before.get(table, {}), after[table]
        if old_rows == new_rows:
            continue
        for row_id in dict.fromkeys([*old_rows, *new_rows]):
            change = _change(table, row_id, old_rows.get(row_id), new_rows.get(row_id))
            if change:
                changes.append(change)
    return tuple(changes)
