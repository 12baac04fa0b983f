"""Disagreements as regression cases: a verdict people settled, with all that is needed to judge it again.

A case is one JSON file. The test suite replays every case in ``tests/feedback/cases``; the check passes when it now says
what people said.
"""

from pathlib import Path

from pydantic import ValidationError

from lamsim_core.errors import InvalidInputError
from lamsim_core.feedback import judge_again
from lamsim_core.feedback.registry import check_versions
from lamsim_core.files import write_atomic
from lamsim_core.records import ErrorClass, Outcome, Record, Review, Trajectory
from lamsim_core.review.agreement import disagreements
from lamsim_core.review.corrections import newest_by_reviewer, outcome_at
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


class Replayed(Record):
    """What a check says of a case now."""

    case: str
    wanted: Outcome
    says: Outcome | None
    """None when the check is gone."""
    right: bool


def cases(index: Index) -> list[Case]:
    """Every disagreement that its reviewer still stands by after seeing the verdict, the newest first."""
    found = reviews(index)
    seen = newest_by_reviewer(found, blind=False)
    made = []
    for first in disagreements(found):
        last = seen.get(first.place, {}).get(first.reviewer)
        if last is not None and not last.corrects:
            continue  # having seen the verdict, the reviewer gave in
        review = last or first
        made.append(_case(review, stored_trajectory(index, review.trajectory)))
    return made


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
    """What the checks in force say of a case.

    Raises:
        ValueError: its task names a gate that does not exist any more.
    """
    again = judge_again(case.trajectory)
    verdicts = again.end.verdicts if case.step is None else again.steps[case.step]
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
