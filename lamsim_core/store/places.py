"""Verdicts to look at again: which there are, by strata, and a sample of them."""

from typing import Literal

from lamsim_core.records import ErrorClass, Record
from lamsim_core.store.index import Index

NOT_ASKED = ("path.progress", "path.cost", "path.deviation")
"""Comparisons with the reference solution, which nobody can be of another opinion about."""

Said = Literal["pass", "fail"]


class PlaceFilter(Record):
    """Which verdicts are looked at. An empty field lets everything through."""

    policies: tuple[str, ...] = ()
    """Who acted, by name."""
    checks: tuple[str, ...] = ()
    outcomes: tuple[Said, ...] = ()
    error_classes: tuple[ErrorClass, ...] = ()
    gates_only: bool = False
    """Only verdicts that are held against an agent, and passes."""


class Place(Record):
    """A verdict of one check on one action, or on a whole attempt."""

    trajectory: str
    step: int | None
    check: str
    outcome: Said
    error_class: ErrorClass | None
    policy: str
    category: str
    disputed: bool
    """Whether reviewers answered differently, or one of them contradicts the verdict."""
    stratum: int
    """How many such verdicts there are: same check, outcome, class and policy."""


_PLACES = """
chosen AS MATERIALIZED (
    SELECT id, checks_source, policy, category FROM current
    WHERE len($policies) = 0 OR list_contains($policies, policy)
),
places AS (
    SELECT c.id AS trajectory, v.step, v.check_id, 'fail' AS outcome, min(v.error_class) AS error_class, c.policy, c.category
    FROM chosen c JOIN verdicts v ON v.source = c.checks_source
    WHERE v.outcome = 'fail' AND (v.counts OR NOT $gates_only)
    GROUP BY c.id, v.step, v.check_id, c.policy, c.category
    UNION ALL
    SELECT c.id, p.step, unnest(p.checks), 'pass', NULL, c.policy, c.category
    FROM chosen c JOIN passes p ON p.source = c.checks_source
),
fitting AS (
    SELECT * FROM places
    WHERE NOT list_contains($not_asked, check_id)
      AND (len($checks) = 0 OR list_contains($checks, check_id))
      AND (len($outcomes) = 0 OR list_contains($outcomes, outcome))
      AND (len($error_classes) = 0 OR list_contains($error_classes, error_class))
),
answers AS (
    SELECT trajectory, coalesce(step, -1) AS step, check_id, reviewer, answer FROM reviews
    QUALIFY row_number() OVER (PARTITION BY trajectory, step, check_id, reviewer ORDER BY created DESC, id DESC) = 1
),
told AS (
    SELECT trajectory, step, check_id, list(answer) AS answers, bool_or(reviewer = $reviewer) AS mine
    FROM answers WHERE answer <> 'withdrawn' GROUP BY trajectory, step, check_id
)
"""


def draw_places(
    index: Index, reviewer: str, size: int, *, seed: int = 0, flt: PlaceFilter | None = None
) -> list[Place]:
    """A sample of verdicts that this reviewer has not answered yet.

    Disputed verdicts come first. The rest are drawn from the strata (check, outcome, class, policy) in turn, the
    rarest stratum first, at random within each; the same seed gives the same sample of the same store.

    Args:
        index: what is stored.
        reviewer: who is asked.
        size: how many verdicts at most.
        seed: of the random order within strata.
        flt: which verdicts are looked at.
    """
    rows = index.query(
        f"""WITH {_PLACES}, ranked AS (
            SELECT f.*, f.outcome AS said,
                   coalesce(list_contains(t.answers, CASE f.outcome WHEN 'pass' THEN 'fails' ELSE 'holds' END), false)
                       AS disputed,
                   count(*) OVER stratum AS stratum,
                   row_number() OVER (stratum ORDER BY hash(f.trajectory, f.step, f.check_id, $seed)) AS turn,
                   coalesce(t.mine, false) AS mine
            FROM fitting f LEFT JOIN told t
                ON t.trajectory = f.trajectory AND t.step = coalesce(f.step, -1) AND t.check_id = f.check_id
            WINDOW stratum AS (PARTITION BY f.check_id, f.outcome, f.error_class, f.policy)
        )
        SELECT trajectory, step, check_id AS "check", outcome, error_class, policy, category, disputed, stratum
        FROM ranked WHERE NOT mine
        ORDER BY disputed DESC, turn, stratum, hash(trajectory, step, check_id, $seed) LIMIT $size""",
        {**_params(flt or PlaceFilter(), reviewer), "seed": seed, "size": size},
    )
    return [Place.model_validate(row) for row in rows]


def count_places(index: Index, reviewer: str, flt: PlaceFilter | None = None) -> tuple[int, int]:
    """How many verdicts fit, and how many of them this reviewer has answered."""
    row = index.query(
        f"""WITH {_PLACES}
        SELECT count(*) AS fitting, count(*) FILTER (t.mine) AS mine FROM fitting f LEFT JOIN told t
            ON t.trajectory = f.trajectory AND t.step = coalesce(f.step, -1) AND t.check_id = f.check_id""",
        _params(flt or PlaceFilter(), reviewer),
    )[0]
    return int(row["fitting"]), int(row["mine"])


def _params(flt: PlaceFilter, reviewer: str) -> dict[str, object]:
    return {
        "policies": list(flt.policies),
        "checks": list(flt.checks),
        "outcomes": list(flt.outcomes),
        "error_classes": list(flt.error_classes),
        "gates_only": flt.gates_only,
        "not_asked": list(NOT_ASKED),
        "reviewer": reviewer,
    }
