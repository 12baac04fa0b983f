"""Steps of other attempts that are like a given one: the same tool, the same mistakes, arguments alike.

What steps have in common is compared in two rounds: what is told by a few words (the mistakes, how the call ended) over
all steps with the same tool, then the arguments of those that are left.
"""

from lamsim_core.errors import NotFoundError
from lamsim_core.records import Record
from lamsim_core.store.index import Index

LEFT = 2000
"""Steps whose arguments are compared: the most alike in everything else, the newest first."""


class SimilarStep(Record):
    """A step of another attempt, and what it has in common with the one it was looked for."""

    trajectory: str
    step: int
    created: str
    template: str
    policy: str
    passed: bool | None
    """Outcome of its attempt."""
    ok: bool | None
    """Whether its call ran to its end; None for a message."""
    fault: str | None
    mistakes: tuple[str, ...]
    """Classes of the mistakes of this action that count."""
    arguments: tuple[str, ...]
    """``name=value`` by own names, each at most 120 characters; of a call that cannot be read, its text."""
    same_mistakes: bool
    """Exactly the same mistakes."""
    same_ending: bool
    """The call ran, or failed, in the same way."""
    same_task: bool
    """An attempt at the same task."""
    same_arguments: int
    """Arguments that are equal."""
    all_arguments: int
    """Different arguments of both steps together."""


_HERE = """
SELECT s.tool, s.ok, s.fault, s.arguments, c.source, c.task_key
FROM steps s JOIN current c ON c.id = s.trajectory WHERE s.trajectory = $id AND s.step = $step
"""

_MISTAKES = """
SELECT DISTINCT error_class AS class, coalesce(path, '') AS path FROM verdicts
WHERE source = $source AND step = $step AND counts AND error_class IS NOT NULL ORDER BY ALL
"""

_SIMILAR = """
WITH wrong AS (
    SELECT source, step, list_sort(list(DISTINCT error_class)) AS mistakes,
           count(DISTINCT (error_class, path)) FILTER (list_contains($places, error_class || ' ' || coalesce(path, '')))
               AS places
    FROM verdicts WHERE step IS NOT NULL AND counts AND error_class IS NOT NULL AND tool IS NOT DISTINCT FROM $tool
    GROUP BY source, step
),
candidates AS (
    SELECT s.trajectory, s.step, s.ok, s.fault, s.arguments, c.created, c.template, c.policy, c.passed,
           coalesce(w.mistakes, []) AS mistakes,
           coalesce(w.mistakes, []) = $mistakes AS same_mistakes,
           s.ok IS NOT DISTINCT FROM $ok AND s.fault IS NOT DISTINCT FROM $fault AS same_ending,
           c.task_key = $task_key AS same_task,
           coalesce(w.places, 0) AS places,
           len(list_intersect(coalesce(w.mistakes, []), $mistakes)) AS classes
    FROM steps s JOIN current c ON c.id = s.trajectory
    LEFT JOIN wrong w ON w.source = c.source AND w.step = s.step
    WHERE s.tool IS NOT DISTINCT FROM $tool AND s.trajectory <> $id
    ORDER BY same_mistakes DESC, places DESC, classes DESC, same_ending DESC, c.created DESC, s.trajectory, s.step
    LIMIT $left
)
SELECT * EXCLUDE (places, classes), len(list_intersect(arguments, $arguments)) AS same_arguments,
       len(list_distinct(list_concat(arguments, $arguments))) AS all_arguments
FROM candidates
ORDER BY same_mistakes DESC, places DESC, classes DESC, same_ending DESC,
         CASE WHEN all_arguments = 0 THEN 1 ELSE same_arguments / all_arguments END DESC,
         jaro_similarity(array_to_string(arguments, ' '), array_to_string($arguments, ' ')) DESC,
         created DESC, trajectory, step
LIMIT $limit
"""


def similar_steps(index: Index, trajectory_id: str, step: int, *, limit: int = 12) -> list[SimilarStep]:
    """Steps of other attempts like this one, the most alike first.

    Compared are, in this order: the tool (only steps with the same are found; messages are like messages), the mistakes
    that count and where in the call they are, how the call ended, equal arguments, and how alike their texts are.

    Raises:
        NotFoundError: there is no such attempt, or it has no such step.
    """
    found = index.query(_HERE, {"id": trajectory_id, "step": step})
    if not found:
        raise NotFoundError("step", f"{step} of {trajectory_id}")
    here = found[0]
    mistakes = index.query(_MISTAKES, {"source": here.pop("source"), "step": step})
    rows = index.query(
        _SIMILAR,
        {
            **here,
            "id": trajectory_id,
            "mistakes": sorted({row["class"] for row in mistakes}),
            "places": [f"{row['class']} {row['path']}" for row in mistakes],
            "left": LEFT,
            "limit": limit,
        },
    )
    return [SimilarStep.model_validate(row) for row in rows]
