"""How often each task was tried and passed."""

from typing import NamedTuple

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
