"""Every question the product asks the index, as typed functions. No SQL is written anywhere else but in this package.

Each raises ``StoreError`` when the index cannot answer. None of them reads the journal anew: call ``index.sync()``
first to see what was stored since. Newest first means by time of creation, then by id.
"""

from collections.abc import Collection, Iterator
from typing import Any, Literal, TypeVar, get_args

from lamsim_core.errors import DamagedRecordError, InvalidInputError, NotFoundError
from lamsim_core.records import Adapter, Dataset, Evaluation, Mark, Split, Trajectory
from lamsim_core.store.filters import COLUMN_OF, LISTS, Decision, TrajectoryFilter, conditions
from lamsim_core.store.framing import decode
from lamsim_core.store.index import Index
from lamsim_core.store.rejudged import latest_rejudgement, read_indexed, with_verdicts
from lamsim_core.store.rows import ConflictRow, DamageRow, Overview, RunOutcome, RunRow, TrajectoryRow
from lamsim_core.store.schema import ARGUMENT_NAMES

__all__ = [
    "ConflictRow",
    "DamageRow",
    "Decision",
    "Grouping",
    "Overview",
    "RunRow",
    "TrajectoryFilter",
    "TrajectoryRow",
    "adapters",
    "ask_ids",
    "asked_in_split",
    "call_sequences",
    "conflicts",
    "count_trajectories",
    "damage",
    "datasets",
    "decision_of",
    "evaluations",
    "facets",
    "find_trajectories",
    "get_trajectory",
    "marks_of",
    "neighbours",
    "outcome_by",
    "overview",
    "runs",
    "runs_over_time",
    "stored_trajectories",
    "trajectories_in_run",
    "trajectory_row",
]

Grouping = Literal[
    "category",
    "template",
    "policy",
    "run",
    "split",
    "decision",
    "ended",
    "attempt",
    "n_steps",
    "tags",
    "error_classes",
    "tools",
]
"""What outcomes can be counted by; by a list, a trajectory counts once for each of its values."""

_EVERYTHING = TrajectoryFilter()
_Named = TypeVar("_Named", Dataset, Adapter, Evaluation)


_ROW = ", ".join(TrajectoryRow.model_fields)
_PLACE = "segment, byte_offset, byte_length, content_hash"


def find_trajectories(
    index: Index,
    flt: TrajectoryFilter = _EVERYTHING,
    *,
    limit: int | None = 50,
    offset: int = 0,
    newest_first: bool = True,
) -> list[TrajectoryRow]:
    """A page of the trajectories that fit; all of them when ``limit`` is None."""
    where, params = conditions(flt)
    way = "DESC" if newest_first else "ASC"
    order = f"ORDER BY created {way}, id {way}"
    page = {"limit": 2**62 if limit is None else max(0, limit), "offset": max(0, offset)}
    # Ids first: sorting whole rows up to a page far back takes three times as long.
    rows = index.query(
        f"WITH page AS MATERIALIZED (SELECT id FROM current WHERE {where} {order} LIMIT $limit OFFSET $offset) "
        f"SELECT {_ROW} FROM current WHERE id IN (SELECT id FROM page) {order}",
        {**params, **page},
    )
    return [TrajectoryRow.model_validate(row) for row in rows]


def count_trajectories(index: Index, flt: TrajectoryFilter = _EVERYTHING) -> int:
    """How many trajectories fit."""
    where, params = conditions(flt)
    return int(_one(index, f"SELECT count(*) AS n FROM current WHERE {where}", params)["n"])


def trajectory_row(index: Index, trajectory_id: str) -> TrajectoryRow:
    """One trajectory as in a list.

    Raises:
        NotFoundError: there is none with this id.
    """
    rows = index.query(f"SELECT {_ROW} FROM current WHERE id = $id", {"id": trajectory_id})
    if not rows:
        raise NotFoundError("trajectory", trajectory_id)
    return TrajectoryRow.model_validate(rows[0])


def get_trajectory(index: Index, trajectory_id: str) -> Trajectory:
    """One trajectory, whole, with the verdicts that count now, read from the journal and checked against its hash.

    Raises:
        NotFoundError: there is none with this id.
        DamagedRecordError: the journal does not hold any more what was written.
    """
    return with_verdicts(stored_trajectory(index, trajectory_id), latest_rejudgement(index, trajectory_id))


def stored_trajectory(index: Index, trajectory_id: str) -> Trajectory:
    """One trajectory as it was stored, with the verdicts of that time. Raises as ``get_trajectory``."""
    rows = index.query(f"SELECT {_PLACE} FROM trajectories WHERE id = $id", {"id": trajectory_id})
    if not rows:
        raise NotFoundError("trajectory", trajectory_id)
    return read_indexed(index, rows[0], Trajectory)


def stored_trajectories(index: Index, ids: Collection[str]) -> Iterator[Trajectory]:
    """Trajectories as they were stored, with the verdicts of that time; those that cannot be read any more are missing."""
    rows = index.query(f"SELECT {_PLACE} FROM trajectories WHERE id IN (SELECT unnest($ids))", {"ids": list(ids)})
    for row in rows:
        try:
            yield read_indexed(index, row, Trajectory)
        except DamagedRecordError:
            continue


def call_sequences(index: Index) -> dict[str, tuple[tuple[str | None, tuple[str, ...], bool | None], ...]]:
    """What each attempt did with all values taken out: of every action the tool, the names of its arguments, and success."""
    rows = index.query(
        f"SELECT trajectory, list(tool ORDER BY step) AS tools, list({ARGUMENT_NAMES} ORDER BY step) AS arguments, "
        "list(ok ORDER BY step) AS oks FROM steps GROUP BY trajectory"
    )
    return {
        row["trajectory"]: tuple(zip(row["tools"], map(tuple, row["arguments"]), row["oks"], strict=True))
        for row in rows
    }


def asked_in_split(index: Index, split: Split, until: str | None = None) -> list[str]:
    """Every request (its first 2000 characters) of the stored attempts at a split that were made by ``until``, each once."""
    rows = index.query(
        "SELECT DISTINCT instruction FROM trajectories WHERE split = $split AND ($until IS NULL OR created <= $until) "
        "ORDER BY instruction",
        {"split": split, "until": until},
    )
    return [row["instruction"] for row in rows]


def ask_ids(index: Index, sql: str) -> list[str]:
    """The ids a question written by a person returns, each once, in order. The question is checked; see ``Index.ask``.

    Raises:
        InvalidInputError: it may not be asked, fails, or returns something else than one column of texts.
    """
    answer = index.ask(sql)
    if not all(len(row) == 1 and isinstance(row[0], str | None) for row in answer):
        raise InvalidInputError("Select one column, the ids: SELECT id FROM attempts WHERE ...")
    return list(dict.fromkeys(row[0] for row in answer if row[0] is not None))


def trajectories_in_run(index: Index, run: str) -> Iterator[Trajectory]:
    """Every trajectory of a run, whole, with the verdicts that count now, the oldest first; one per planned attempt.

    Raises:
        DamagedRecordError: the journal does not hold any more what was written.
    """
    rows = index.query(f"SELECT id, {_PLACE} FROM trajectories WHERE run = $run ORDER BY created, id", {"run": run})
    for row in rows:
        yield with_verdicts(read_indexed(index, row, Trajectory), latest_rejudgement(index, row["id"]))


def neighbours(
    index: Index, flt: TrajectoryFilter, trajectory_id: str, *, newest_first: bool = True
) -> tuple[str | None, str | None]:
    """The trajectories listed before and after this one, which itself need not fit the filter (any more).

    Raises:
        NotFoundError: there is no trajectory with this id.
    """
    here = index.query("SELECT created, id FROM trajectories WHERE id = $id", {"id": trajectory_id})
    if not here:
        raise NotFoundError("trajectory", trajectory_id)
    where, params = conditions(flt)
    place = {"here_created": here[0]["created"], "here_id": here[0]["id"]}
    found: list[str | None] = []
    for sign, way in ((">", "ASC"), ("<", "DESC")):
        rows = index.query(
            f"SELECT id FROM current WHERE {where} AND (created, id) {sign} ($here_created, $here_id) "
            f"ORDER BY created {way}, id {way} LIMIT 1",
            {**params, **place},
        )
        found.append(rows[0]["id"] if rows else None)
    newer, older = found
    return (newer, older) if newest_first else (older, newer)


def facets(index: Index) -> dict[str, list[str]]:
    """The values there are to choose from, for each filter of ``TrajectoryFilter`` that takes values, sorted."""
    parts = []
    for name, column in COLUMN_OF.items():
        source = "current" if name == "decisions" else "trajectories"
        parts.append(f"SELECT DISTINCT '{name}' AS facet, {column} AS v FROM {source}")
    for name in LISTS:
        source = "trajectories" if name == "tools" else "current"
        parts.append(f"SELECT DISTINCT '{name}' AS facet, unnest({name}) AS v FROM {source}")
    rows = index.query(f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY ALL")
    values: dict[str, list[str]] = {name: [] for name in (*COLUMN_OF, *LISTS)}
    for row in rows:
        values[row["facet"]].append(row["v"])
    return values


def marks_of(index: Index, trajectory_id: str) -> list[Mark]:
    """Every human decision about a trajectory, the newest (which counts) first."""
    fields = ", ".join(Mark.model_fields)
    rows = index.query(
        f"SELECT {fields} FROM marks WHERE trajectory = $id ORDER BY created DESC, id DESC", {"id": trajectory_id}
    )
    return [Mark.model_validate(row) for row in rows]


def decision_of(index: Index, trajectory_id: str) -> Decision:
    """The human decision that counts for a trajectory; ``undecided`` when there is none."""
    marks = marks_of(index, trajectory_id)
    return marks[0].decision if marks else "undecided"


def runs(index: Index) -> list[RunRow]:
    """Every run, the newest first."""
    rows = index.query(
        "SELECT run, min(created) AS first, max(created) AS last, count(*) AS count, count(*) FILTER (passed) AS passed, "
        "count(*) FILTER (NOT passed) AS failed, count(*) FILTER (passed IS NULL) AS unscored, "
        "list_sort(list(DISTINCT policy)) AS policies, list_sort(list(DISTINCT category)) AS categories, "
        "list_sort(list(DISTINCT split)) AS splits FROM current GROUP BY run ORDER BY last DESC, run DESC"
    )
    return [RunRow.model_validate(row) for row in rows]


def runs_over_time(index: Index, flt: TrajectoryFilter = _EVERYTHING, *, limit: int = 1000) -> list[RunOutcome]:
    """The newest runs with trajectories that fit, the oldest of them first."""
    where, params = conditions(flt)
    rows = index.query(
        "SELECT run, min(created) AS first, count(*) AS count, count(*) FILTER (passed) AS passed, "
        f"list_sort(list(DISTINCT policy)) AS policies FROM current WHERE {where} "
        "GROUP BY run ORDER BY first DESC, run DESC LIMIT $limit",
        {**params, "limit": limit},
    )
    return [RunOutcome.model_validate(row) for row in reversed(rows)]


def outcome_by(index: Index, flt: TrajectoryFilter, column: Grouping) -> list[dict[str, Any]]:
    """Outcomes of the trajectories that fit, by the values of a column, for charts.

    Returns:
        Rows of ``value``, ``count``, ``passed``, ``failed``, ``unscored``, sorted by value.

    Raises:
        InvalidInputError: outcomes cannot be counted by this column.
    """
    if column not in get_args(Grouping):
        raise InvalidInputError(f"Outcomes cannot be counted by {column!r}; choose one of {get_args(Grouping)}.")
    where, params = conditions(flt)
    value = f"unnest({column})" if column in LISTS else column
    return index.query(
        f"SELECT value, count(*) AS count, count(*) FILTER (passed) AS passed, count(*) FILTER (NOT passed) AS failed, "
        f"count(*) FILTER (passed IS NULL) AS unscored FROM (SELECT {value} AS value, passed FROM current WHERE {where}) "
        "GROUP BY value ORDER BY value",
        params,
    )


def datasets(index: Index) -> list[Dataset]:
    """Every frozen dataset version, the newest first."""
    return _named(index, "datasets", "dataset", Dataset)


def adapters(index: Index) -> list[Adapter]:
    """Every trained adapter, the newest first."""
    return _named(index, "adapters", "adapter", Adapter)


def evaluations(index: Index) -> list[Evaluation]:
    """Every evaluation, the newest first."""
    return _named(index, "evaluations", "evaluation", Evaluation)


def overview(index: Index) -> Overview:
    """What is stored, in numbers."""
    counts = ", ".join(f"(SELECT count(*) FROM {t}) AS {t}" for t in ("marks", "datasets", "adapters", "evaluations"))
    row = _one(
        index,
        "SELECT count(*) AS trajectories, count(*) FILTER (passed) AS passed, count(*) FILTER (NOT passed) AS failed, "
        "count(*) FILTER (passed IS NULL) AS unscored, count(*) FILTER (decision = 'accept') AS accepted, "
        "count(*) FILTER (decision = 'reject') AS rejected, count(*) FILTER (decision = 'undecided') AS undecided, "
        "count(DISTINCT run) AS runs, count(DISTINCT policy) AS policies, count(DISTINCT template) AS templates, "
        f"max(created) AS newest, {counts}, (SELECT count(*) FROM damage) AS damaged, "
        "(SELECT count(DISTINCT (kind, id, content_hash)) FROM conflicts) AS conflicts FROM current",
    )
    return Overview.model_validate(row)


def conflicts(index: Index) -> list[ConflictRow]:
    """Trajectories left out because another one of the same planned attempt is older, each beside the one kept."""
    rows = index.query(
        "SELECT DISTINCT c.kind, c.id, coalesce(t.id, c.id) AS kept, c.created FROM conflicts c "
        "LEFT JOIN trajectories t ON c.kind = 'trajectory' AND t.identity = c.identity ORDER BY c.created, c.id"
    )
    return [ConflictRow.model_validate(row) for row in rows]


def damage(index: Index) -> list[DamageRow]:
    """Places in the journal that could not be read."""
    rows = index.query("SELECT segment, byte_offset, byte_length, reason FROM damage ORDER BY segment, byte_offset")
    return [DamageRow.model_validate(row) for row in rows]


def _one(index: Index, sql: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    return index.query(sql, params or {})[0]


def _named(
    index: Index, table: str, kind: Literal["dataset", "adapter", "evaluation"], cls: type[_Named]
) -> list[_Named]:
    rows = index.query(f"SELECT payload FROM {table} ORDER BY created DESC, id DESC")
    records = (decode(kind, row["payload"].encode()) for row in rows)
    return [record for record in records if isinstance(record, cls)]
