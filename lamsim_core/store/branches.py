"""Forks of an attempt: where it came from, what went out from it, and the whole tree of both."""

from typing import NamedTuple

from lamsim_core.errors import NotFoundError
from lamsim_core.store.index import Index
from lamsim_core.store.rows import TrajectoryRow

_ROW = ", ".join(TrajectoryRow.model_fields)


class Branch(NamedTuple):
    """An attempt in a tree of branches."""

    row: TrajectoryRow
    depth: int
    """0 for the root."""


def children_of(index: Index, trajectory_id: str) -> list[TrajectoryRow]:
    """The forks of an attempt: by the step they leave it at, then the oldest first."""
    rows = index.query(
        f"SELECT {_ROW} FROM current WHERE parent = $id ORDER BY parent_step, created, id", {"id": trajectory_id}
    )
    return [TrajectoryRow.model_validate(row) for row in rows]


def root_of(index: Index, trajectory_id: str) -> str:
    """The attempt all of this began with: itself when it is no fork. A parent that is not stored here ends the way up.

    Raises:
        NotFoundError: there is no attempt with this id.
    """
    rows = index.query(
        "WITH RECURSIVE up AS (SELECT id, parent FROM trajectories WHERE id = $id "
        "UNION SELECT t.id, t.parent FROM trajectories t JOIN up ON t.id = up.parent) SELECT id, parent FROM up",
        {"id": trajectory_id},
    )
    parents = {row["id"]: row["parent"] for row in rows}
    if trajectory_id not in parents:
        raise NotFoundError("trajectory", trajectory_id)
    here = trajectory_id
    while (above := parents.pop(here)) in parents:  # taken out, so that a ring ends too
        here = above
    return here


def branches_of(index: Index, trajectory_id: str) -> list[Branch]:
    """The whole tree an attempt is in, every fork below its parent, by the step it leaves it at.

    Raises:
        NotFoundError: there is no attempt with this id.
    """
    root = root_of(index, trajectory_id)
    rows = index.query(
        "WITH RECURSIVE tree AS (SELECT id FROM trajectories WHERE id = $root "
        "UNION SELECT t.id FROM trajectories t JOIN tree ON t.parent = tree.id) "
        f"SELECT {_ROW} FROM current WHERE id IN (SELECT id FROM tree) ORDER BY parent_step, created, id",
        {"root": root},
    )
    found = {row["id"]: TrajectoryRow.model_validate(row) for row in rows}
    below: dict[str | None, list[TrajectoryRow]] = {}
    for row in found.values():
        if row.id != root:
            below.setdefault(row.parent, []).append(row)
    tree: list[Branch] = []
    waiting = [Branch(found[root], 0)]
    while waiting:
        branch = waiting.pop()
        tree.append(branch)
        waiting += [Branch(row, branch.depth + 1) for row in reversed(below.get(branch.row.id, ()))]
    return tree


def same_task(index: Index, trajectory_id: str, *, limit: int = 50) -> list[TrajectoryRow]:
    """Other attempts at the same task, the newest first."""
    rows = index.query(
        f"SELECT {_ROW} FROM current WHERE id <> $id AND task_key = (SELECT task_key FROM trajectories WHERE id = $id) "
        "ORDER BY created DESC, id DESC LIMIT $limit",
        {"id": trajectory_id, "limit": limit},
    )
    return [TrajectoryRow.model_validate(row) for row in rows]
