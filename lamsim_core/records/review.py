"""Second looks at stored verdicts: by a person (a review), and by newer checks (a rescore)."""

from typing import Literal

from lamsim_core.records.attempt import Verdict
from lamsim_core.records.base import Blame, ErrorClass, Outcome, Record

ReviewAnswer = Literal["holds", "fails", "unsure", "withdrawn"]
"""What a reviewer says of the thing checked; ``withdrawn`` takes the reviewer's earlier answers back."""


class Review(Record):
    """A person's own answer to what a check was asked. Nothing is overwritten: the newest of each reviewer counts."""

    id: str
    trajectory: str
    step: int | None
    """Index of the action judged; None for a check of the whole attempt."""
    check: str
    version: int
    """The version of the check whose verdict was reviewed."""
    said: Outcome
    """What the check said."""
    answer: ReviewAnswer
    blind: bool
    """Whether it was given before the verdict was shown. Only an answer given in sight of the verdict corrects it."""
    error_class: ErrorClass | None = None
    """The right class of mistake, where the reviewer finds one."""
    blame: Blame | None = None
    """Whose fault the reviewer finds it to be."""
    reason: str = ""
    seconds: float | None = None
    """Time from seeing the question to answering it."""
    reviewer: str
    created: str
    """UTC, ISO 8601."""

    @property
    def place(self) -> tuple[str, int | None, str]:
        """Trajectory, action and check: which verdict it is about."""
        return (self.trajectory, self.step, self.check)

    @property
    def corrects(self) -> bool:
        """Whether it says, in sight of the verdict, that the verdict is wrong."""
        return not self.blind and (self.answer, self.said) in (("holds", "fail"), ("fails", "pass"))


class Rejudgement(Record):
    """New verdicts on a stored attempt. The newest counts; the attempt keeps the verdicts it was stored with."""

    id: str
    trajectory: str
    created: str
    cause: Literal["rescore", "review"]
    """Newer checks, or a person's corrections."""
    author: str
    """Who asked for it."""
    rescore: str | None
    """The rescore it belongs to; None for a review."""
    checks: str
    """Hash of the checks in force, by id and version."""
    steps: tuple[tuple[Verdict, ...], ...]
    """Verdicts on each action."""
    tools: tuple[str | None, ...]
    """The tool called in each action, by its own name."""
    verdicts: tuple[Verdict, ...]
    """Verdicts on the whole attempt."""
    passed: bool | None
    reward: float | None


class VerdictChange(Record):
    """How often a check came to say something else than before."""

    check: str
    before: str
    """An outcome, or ``none`` where the check had not been made."""
    after: str
    count: int
    examples: tuple[str, ...]
    """Ids of trajectories, a few."""


class Rescore(Record):
    """Stored attempts judged again by the checks of today: what was done, and what came out differently."""

    id: str
    created: str
    finished: str
    author: str
    checks: str
    """Hash of the checks in force."""
    versions: dict[str, int]
    """Version of every check in force."""
    runs: tuple[str, ...]
    """Runs it was limited to; empty means everything stored."""
    judged: int
    unjudged: int
    """Attempts that today's checks cannot judge, because their task names a gate that is gone."""
    changed: int
    """Attempts with at least one other verdict."""
    outcomes: dict[str, int]
    """Attempts by outcome before and after, as ``passed > failed``; only where it differs."""
    changes: tuple[VerdictChange, ...]
