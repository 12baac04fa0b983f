"""The tables of the index. A change here, or of ``ROWS``, makes older index files be rebuilt from the journal."""

import hashlib

from lamsim_core.store.asked import VIEW_STATEMENTS

ROWS = 2
"""Raise when rows are made differently from the same journal while the tables stay the same."""

_PLACE = {"content_hash": "VARCHAR", "segment": "VARCHAR", "byte_offset": "BIGINT", "byte_length": "BIGINT"}
_NAMED = {"id": "VARCHAR PRIMARY KEY", "identity": "VARCHAR", "name": "VARCHAR", "created": "VARCHAR"}

ARGUMENT_NAMES = "[split_part(given, '=', 1) for given in arguments]"
"""The names alone of what was given to a tool."""

TABLES: dict[str, dict[str, str]] = {
    "trajectories": {
        "id": "VARCHAR PRIMARY KEY",
        "identity": "VARCHAR",
        "run": "VARCHAR",
        "created": "VARCHAR",
        "template": "VARCHAR",
        "category": "VARCHAR",
        "kinds": "VARCHAR[]",
        "task_key": "VARCHAR",
        "split": "VARCHAR",
        "task_seed": "BIGINT",
        "instruction": "VARCHAR",
        "policy_kind": "VARCHAR",
        "policy": "VARCHAR",
        "adapter": "VARCHAR",
        "temperature": "DOUBLE",
        "attempt": "BIGINT",
        "ended": "VARCHAR",
        "passed": "BOOLEAN",
        "reward": "DOUBLE",
        "n_steps": "BIGINT",
        "n_calls": "BIGINT",
        "n_failed": "BIGINT",
        "error_classes": "VARCHAR[]",
        "tools": "VARCHAR[]",
        "offered": "VARCHAR[]",
        "looks": "VARCHAR",
        "completion_tokens": "BIGINT",
        "seconds": "DOUBLE",
        "answer": "VARCHAR",
        "parent": "VARCHAR",
        "parent_step": "BIGINT",
        "edited": "BOOLEAN",
        "helped": "BOOLEAN",
        "mode": "VARCHAR",
        "plain": "BOOLEAN",
        **_PLACE,
    },
    "steps": {
        "trajectory": "VARCHAR",
        "step": "BIGINT",
        "turn": "BIGINT",
        "tool": "VARCHAR",
        "arguments": "VARCHAR[]",
        "ok": "BOOLEAN",
        "fault": "VARCHAR",
        "error_classes": "VARCHAR[]",
        "n_changes": "BIGINT",
        "seconds": "DOUBLE",
    },
    "verdicts": {
        "source": "VARCHAR",
        "trajectory": "VARCHAR",
        "step": "BIGINT",
        "check_id": "VARCHAR",
        "outcome": "VARCHAR",
        "counts": "BOOLEAN",
        "error_class": "VARCHAR",
        "blame": "VARCHAR",
        "path": "VARCHAR",
        "tool": "VARCHAR",
        "expected": "VARCHAR",
        "got": "VARCHAR",
        "evidence": "VARCHAR",
    },
    "passes": {"source": "VARCHAR", "trajectory": "VARCHAR", "step": "BIGINT", "checks": "VARCHAR[]"},
    "rejudgements": {
        "id": "VARCHAR PRIMARY KEY",
        "identity": "VARCHAR",
        "trajectory": "VARCHAR",
        "created": "VARCHAR",
        "cause": "VARCHAR",
        "rescore": "VARCHAR",
        "passed": "BOOLEAN",
        "reward": "DOUBLE",
        "n_failed": "BIGINT",
        "error_classes": "VARCHAR[]",
        **_PLACE,
    },
    "reviews": {
        "id": "VARCHAR PRIMARY KEY",
        "identity": "VARCHAR",
        "trajectory": "VARCHAR",
        "step": "BIGINT",
        "check_id": "VARCHAR",
        "answer": "VARCHAR",
        "reviewer": "VARCHAR",
        "created": "VARCHAR",
        "payload": "VARCHAR",
        **_PLACE,
    },
    "rescores": {
        "id": "VARCHAR PRIMARY KEY",
        "identity": "VARCHAR",
        "created": "VARCHAR",
        "payload": "VARCHAR",
        **_PLACE,
    },
    "marks": {
        "id": "VARCHAR PRIMARY KEY",
        "identity": "VARCHAR",
        "trajectory": "VARCHAR",
        "decision": "VARCHAR",
        "tags": "VARCHAR[]",
        "note": "VARCHAR",
        "author": "VARCHAR",
        "created": "VARCHAR",
        **_PLACE,
    },
    "datasets": {**_NAMED, "hash": "VARCHAR", "n_rows": "BIGINT", "payload": "VARCHAR", **_PLACE},
    "adapters": {**_NAMED, "base": "VARCHAR", "dataset": "VARCHAR", "payload": "VARCHAR", **_PLACE},
    "evaluations": {**_NAMED, "split": "VARCHAR", "payload": "VARCHAR", **_PLACE},
    "conflicts": {
        "kind": "VARCHAR",
        "id": "VARCHAR",
        "identity": "VARCHAR",
        "created": "VARCHAR",
        **_PLACE,
    },
    "damage": {"segment": "VARCHAR", "byte_offset": "BIGINT", "byte_length": "BIGINT", "reason": "VARCHAR"},
    "offsets": {"segment": "VARCHAR PRIMARY KEY", "bytes": "BIGINT"},
}
"""Tables, their columns and types.

Every table of records has an ``identity``: two records of equal identity are the same thing, of which one row is kept.
``conflicts`` holds those not kept because their content differs; ``offsets`` how far each segment was read.
``verdicts`` holds what did not pass and ``passes`` the checks that did, both by the attempt or rejudgement they belong to
(``source``); a missing ``step`` means the whole attempt. ``arguments`` of a step are ``name=value`` each, by own names.
"""

_LATEST = """
CREATE VIEW latest AS
SELECT * FROM rejudgements
QUALIFY row_number() OVER (PARTITION BY trajectory ORDER BY created DESC, id DESC) = 1
"""
"""The rejudgement that counts, for each attempt that has one."""

_BY_CHECKS = """
CREATE VIEW by_checks AS
SELECT * FROM rejudgements WHERE cause = 'rescore'
QUALIFY row_number() OVER (PARTITION BY trajectory ORDER BY created DESC, id DESC) = 1
"""
"""The newest rejudgement made by checks alone, people's corrections left out."""

_CURRENT = """
CREATE VIEW current AS
SELECT t.* REPLACE (
           CASE WHEN j.id IS NULL THEN t.passed ELSE j.passed END AS passed,
           CASE WHEN j.id IS NULL THEN t.reward ELSE j.reward END AS reward,
           coalesce(j.n_failed, t.n_failed) AS n_failed,
           coalesce(j.error_classes, t.error_classes) AS error_classes
       ),
       coalesce(m.decision, 'undecided') AS decision, coalesce(m.tags, []::VARCHAR[]) AS tags,
       coalesce(m.note, '') AS note, j.cause AS rejudged, coalesce(j.id, t.id) AS source,
       coalesce(c.id, t.id) AS checks_source
FROM trajectories t
LEFT JOIN latest j ON j.trajectory = t.id
LEFT JOIN by_checks c ON c.trajectory = t.id
LEFT JOIN (
    SELECT * FROM marks
    QUALIFY row_number() OVER (PARTITION BY trajectory ORDER BY created DESC, id DESC) = 1
) m ON m.trajectory = t.id
"""


def _create(table: str, columns: dict[str, str]) -> str:
    return f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"


STATEMENTS = (
    *(_create(table, columns) for table, columns in TABLES.items()),
    _LATEST,
    _BY_CHECKS,
    _CURRENT,
    *VIEW_STATEMENTS,
)
"""What makes an empty database an index."""

VERSION = hashlib.blake2b(f"{ROWS};{';'.join(STATEMENTS)}".encode(), digest_size=8).hexdigest()
"""Names the schema; an index file with another one is rebuilt."""
