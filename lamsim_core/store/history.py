"""How often each task was tried and passed, and what became of planned attempts, however many trajectories each has."""

from typing import Any, Literal, NamedTuple

from lamsim_core.store.filters import TrajectoryFilter, conditions
from lamsim_core.store.index import Index


class Tried(NamedTuple):
    """What became of the attempts at one task."""

    scored: int
    passed: int


def tried_tasks(index: Index, *, policy: str | None = None, without_run: str = "") -> dict[str, Tried]:
    """The tasks with scored attempts, by key. Only plain attempts count, from their beginning: no forks, nothing helped.

    Args:
        index: whom to ask.
        policy: only attempts of the policy of this name; None for all.
        without_run: a run that is left out.
    """
    whose, params = ("", {}) if policy is None else ("AND policy = $policy ", {"policy": policy})
    rows = index.query(
        "SELECT task_key, count(*) AS scored, count(*) FILTER (passed) AS passed FROM current "
        f"WHERE passed IS NOT NULL AND parent IS NULL AND plain AND run <> $run {whose}GROUP BY task_key",
        {"run": without_run, **params},
    )
    return {row["task_key"]: Tried(row["scored"], row["passed"]) for row in rows}


def attempts_by(index: Index, flt: TrajectoryFilter, column: Literal["template", "category"]) -> list[dict[str, Any]]:
    """Outcomes of planned attempts, by the values of a column: as ``outcome_by``, but a tree of many paths counts once.

    Returns:
        Rows of ``value``, ``count``, ``passed`` (one of its trajectories did), ``unscored`` (none was), sorted by value.
    """
    where, params = conditions(flt)
    return index.query(
        "SELECT value, count(*) AS count, count(*) FILTER (passed) AS passed, count(*) FILTER (passed IS NULL) AS unscored "
        f"FROM (SELECT {column} AS value, bool_or(passed) AS passed FROM current WHERE {where} "
        f"GROUP BY run, policy, adapter, task_key, attempt, {column}) GROUP BY value ORDER BY value",
        params,
    )
