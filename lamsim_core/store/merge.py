"""Writing a batch into the index so that the rows do not depend on the order in which the journal was read.

Of records with equal identity the oldest by (created, id, content hash) is the row; one with other content is listed
under conflicts; the same record again changes nothing.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lamsim_core.store.project import CHILDREN, TABLE_OF, Batch, Candidate, Row
from lamsim_core.store.schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COMPARED = ("id", "identity", "created", "content_hash", "segment", "byte_offset", "byte_length")


def write_batch(cursor: "DuckDBPyConnection", batch: Batch) -> None:
    """Add a batch, its offsets included. The caller holds the transaction."""
    conflicts: list[Row] = []
    for kind, candidates in batch.candidates.items():
        table = TABLE_OF[kind]
        keys = [candidate.row for candidate in candidates]
        kept, replaced, lost = choose(candidates, _rivals(cursor, table, keys))
        if replaced:
            cursor.execute(f"DELETE FROM {table} WHERE list_contains(?, id)", [replaced])
            for child, owner in CHILDREN.get(kind, {}).items():
                cursor.execute(f"DELETE FROM {child} WHERE list_contains(?, {owner})", [replaced])
        _insert(cursor, table, [candidate.row for candidate in kept])
        for child in CHILDREN.get(kind, {}):
            _insert(cursor, child, [row for candidate in kept for row in candidate.children[child]])
        conflicts += [{**row, "kind": kind} for row in lost]
    _insert(cursor, "conflicts", conflicts)
    _insert(cursor, "damage", batch.damage)
    offsets = [{"segment": segment, "bytes": size} for segment, size in batch.offsets.items()]
    _insert(cursor, "offsets", offsets, "INSERT OR REPLACE")


def choose(candidates: Iterable[Candidate], rivals: Iterable[Row]) -> tuple[list[Candidate], list[str], list[Row]]:
    """Decide which candidates become rows, given the rows there already.

    Returns:
        The candidates kept, the ids of present rows they replace, and the rows of the records that lost.
    """
    by_identity: dict[str, Row] = {}
    by_id: dict[str, Row] = {}
    for row in rivals:
        by_identity[row["identity"]] = by_id[row["id"]] = row
    present = set(by_id)
    kept: dict[str, Candidate] = {}
    replaced: list[str] = []
    lost: list[Row] = []
    for candidate in candidates:
        row = candidate.row
        same_id = by_id.get(row["id"])
        rival = by_identity.get(row["identity"])
        if same_id is not None and same_id["content_hash"] == row["content_hash"]:
            continue
        if same_id is not None and same_id["identity"] != row["identity"]:
            lost.append(row)
            continue
        if rival is not None:
            if _age(rival) < _age(row):
                lost.append(row)
                continue
            lost.append(rival)
            del by_id[rival["id"]]
            if kept.pop(rival["id"], None) is None and rival["id"] in present:
                replaced.append(rival["id"])
        by_identity[row["identity"]] = by_id[row["id"]] = row
        kept[row["id"]] = candidate
    return list(kept.values()), replaced, lost


def _age(row: Row) -> tuple[str, str, str]:
    return row["created"], row["id"], row["content_hash"]


def _rivals(cursor: "DuckDBPyConnection", table: str, keys: list[Row]) -> list[Row]:
    """Rows that share an id or an identity with the candidates."""
    wanted = {"ids": [row["id"] for row in keys], "identities": [row["identity"] for row in keys]}
    columns = ", ".join(_COMPARED)
    found = cursor.execute(
        f"SELECT {columns} FROM {table} WHERE id IN (SELECT unnest($ids)) OR identity IN (SELECT unnest($identities))",
        wanted,
    ).fetchall()
    return [dict(zip(_COMPARED, values, strict=True)) for values in found]


def _insert(cursor: "DuckDBPyConnection", table: str, rows: list[Row], verb: str = "INSERT") -> None:
    if not rows:
        return
    import pyarrow

    kinds = {
        "VARCHAR": pyarrow.string(),
        "BIGINT": pyarrow.int64(),
        "DOUBLE": pyarrow.float64(),
        "BOOLEAN": pyarrow.bool_(),
        "VARCHAR[]": pyarrow.list_(pyarrow.string()),
    }
    columns = {
        name: pyarrow.array([row[name] for row in rows], kinds[kind.split()[0]]) for name, kind in TABLES[table].items()
    }
    cursor.register("incoming", pyarrow.table(columns))
    try:
        cursor.execute(f"{verb} INTO {table} BY NAME SELECT * FROM incoming")
    finally:
        cursor.unregister("incoming")
