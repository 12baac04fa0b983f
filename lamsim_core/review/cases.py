"""Corrections as regression cases: a verdict people settled, with all that is needed to judge it again.

A case is one JSON file. The test suite replays every case in ``tests/feedback/cases``; the check passes when it now says
what people said.
"""

from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator

from lamsim_core.errors import InvalidInputError
from lamsim_core.feedback import final_checks, judge_again
from lamsim_core.feedback.registry import check_versions
from lamsim_core.files import write_atomic
from lamsim_core.records import ErrorClass, Outcome, Record, Review, Trajectory
from lamsim_core.review.corrections import corrections, outcome_at
from lamsim_core.store import Index
from lamsim_core.store.queries import stored_trajectory
from lamsim_core.store.rejudged import reviews

ENDING = ".case.json"


class Case(Record):
    """A verdict, and what it should be."""

    id: str
    """Id of the review it comes from."""
    check: str
    step: int | None
    """Index of the action, or None for a check of the whole attempt."""
    wanted: Outcome
    """What the check should say."""
    error_class: ErrorClass | None
    """The class of mistake it should find, when somebody said which."""
    said: Outcome
    """What it said when it was reviewed."""
    reason: str
    trajectory: Trajectory

    @model_validator(mode="after")
    def _is_about_an_action(self) -> Self:
        if self.step is not None and not 0 <= self.step < len(self.trajectory.steps):
            raise ValueError(f"there is no action {self.step}")
        return self


class Replayed(Record):
    """What a check says of a case now."""

    case: str
    wanted: Outcome
    says: Outcome | None
    """None when the check is gone, or a gate that the task names."""
    right: bool


def cases(index: Index) -> list[Case]:
    """Every correction in force: verdicts somebody contradicts in sight of them and nobody defends, the newest first."""
    settled = sorted(corrections(reviews(index)).values(), key=lambda review: (review.created, review.id), reverse=True)
    return [_case(review, stored_trajectory(index, review.trajectory)) for review in settled]


def _case(review: Review, trajectory: Trajectory) -> Case:
    return Case(
        id=review.id,
        check=review.check,
        step=review.step,
        wanted="pass" if review.answer == "holds" else "fail",
        error_class=review.error_class,
        said=review.said,
        reason=review.reason,
        trajectory=trajectory,
    )


def replay(case: Case) -> Replayed:
    """What the checks in force say of a case."""
    if not set(case.trajectory.task.checks) <= set(final_checks()):  # then nothing can be judged by it any more
        return Replayed(case=case.id, wanted=case.wanted, says=None, right=False)
    again = judge_again(case.trajectory)
    verdicts = again.verdicts if case.step is None else again.steps[case.step]
    says = outcome_at(verdicts, case.check) if case.check in check_versions() else None
    classes = {v.error_class for v in verdicts if v.check == case.check and v.outcome == "fail"}
    right = says == case.wanted and (case.wanted == "pass" or case.error_class is None or case.error_class in classes)
    return Replayed(case=case.id, wanted=case.wanted, says=says, right=right)


def export(index: Index, folder: Path) -> list[Path]:
    """Write every case into a folder, one file each. Files that are there already stay.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for case in cases(index):
        path = folder / f"{case.id}{ENDING}"
        if not path.exists():
            write_atomic(path, case.model_dump_json(indent=1).encode())
            written.append(path)
    return written


def read_case(path: Path) -> Case:
    """Read a case.

    Raises:
        InvalidInputError: the file is not one.
    """
    try:
        return Case.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidInputError(
            f"{path.name} should be a case written by `review cases`, and cannot be read."
        ) from error
