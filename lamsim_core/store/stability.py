"""Tasks that one policy passes only sometimes, and tasks that one policy passes and another does not."""

from lamsim_core.records import Record, Split
from lamsim_core.store.index import Index


class Tried(Record):
    """A task and what became of attempts at it."""

    task_key: str
    template: str
    category: str
    split: Split
    instruction: str
    trajectories: tuple[str, ...]
    """The attempts, in order."""
    passed: tuple[bool, ...]
    """Whether each passed; one that was not scored did not."""


_TASK = "task_key, template, category, split, instruction"
_IN_SPLIT = "($split IS NULL OR split = $split)"


def sometimes_passed(index: Index, run: str, split: Split | None = None) -> list[Tried]:
    """The tasks of a run that passed in some attempts and failed in others; those nearest to one in two first."""
    rows = index.query(
        f"SELECT {_TASK}, list(id ORDER BY attempt) AS trajectories, "
        "list(coalesce(passed, false) ORDER BY attempt) AS passed "
        f"FROM current WHERE run = $run AND {_IN_SPLIT} GROUP BY {_TASK} "
        "HAVING count(*) FILTER (passed) BETWEEN 1 AND count(*) - 1 "
        "ORDER BY abs(count(*) FILTER (passed) / count(*) - 0.5), template, task_key",
        {"run": run, "split": split},
    )
    return [Tried.model_validate(row) for row in rows]


def told_apart(index: Index, first: str, second: str, split: Split | None = None) -> list[Tried]:
    """The attempts that passed in exactly one of two runs, each with its counterpart; those only the second passed first."""
    of = ", ".join(f"a.{name}" for name in _TASK.split(", "))
    rows = index.query(
        f"SELECT {of}, [a.id, b.id] AS trajectories, [coalesce(a.passed, false), coalesce(b.passed, false)] AS passed "
        "FROM current a JOIN current b ON a.task_key = b.task_key AND a.attempt = b.attempt "
        "WHERE a.run = $first AND b.run = $second AND coalesce(a.passed, false) <> coalesce(b.passed, false) "
        "AND ($split IS NULL OR a.split = $split) ORDER BY coalesce(a.passed, false), a.template, a.task_key, a.attempt",
        {"first": first, "second": second, "split": split},
    )
    return [Tried.model_validate(row) for row in rows]
