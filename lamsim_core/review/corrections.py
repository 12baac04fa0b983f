"""What reviews do to verdicts: a correction that nobody contradicts replaces the verdict, and the attempt is scored anew.

Nothing is overwritten. A review is a record of its own; what follows from all of them is a rejudgement, which counts
until a newer one. The base is always what the checks say, so a correction that is taken back leaves no trace in the score.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from lamsim_core.canonical import new_id, now
from lamsim_core.feedback.judge import Judged
from lamsim_core.feedback.registry import checks_hash
from lamsim_core.feedback.reward import attempt_outcome
from lamsim_core.records import ErrorClass, Outcome, Rejudgement, Review, Trajectory, Verdict
from lamsim_core.store import Index, Store
from lamsim_core.store.judged import own_tools
from lamsim_core.store.queries import get_trajectory, stored_trajectory
from lamsim_core.store.rejudged import latest_rejudgement, reviews, with_verdicts

Place = tuple[str, int | None, str]

CLASS_OF_CHECK: dict[str, ErrorClass] = {
    "structure": "structure",
    "tool_name": "tool_name",
    "arguments.missing": "argument_missing",
    "arguments.unknown": "argument_unknown",
    "arguments.type": "argument_type",
    "arguments.enum": "argument_enum",
    "arguments.format": "argument_format",
    "arguments.value": "argument_value",
    "arguments.grounded": "ungrounded",
    "execution": "execution",
    "repetition": "repetition",
    "ending.premature": "premature_end",
    "ending.answered": "ending",
    "answer.value": "answer",
    "answer.grounded": "ungrounded",
    "state.goal": "state",
    "state.collateral": "collateral",
}
"""The class of mistake each check finds; a reviewer may name another."""


def outcome_at(verdicts: Sequence[Verdict], check: str) -> Outcome | None:
    """What a check says, all its verdicts taken together; None when it was not made."""
    said = [verdict.outcome for verdict in verdicts if verdict.check == check]
    return next((outcome for outcome in ("fail", "error", "abstain", "pass") if outcome in said), None)


def newest_by_reviewer(found: Iterable[Review], *, blind: bool | None = None) -> dict[Place, dict[str, Review]]:
    """For each verdict the answer of each reviewer that stands; answers taken back are left out.

    Args:
        found: reviews, the oldest first.
        blind: only the answers given before, or only those given after the verdict was seen; None for either.
    """
    standing: dict[Place, dict[str, Review]] = {}
    for review in found:
        if review.answer == "withdrawn":
            standing.get(review.place, {}).pop(review.reviewer, None)
        elif blind is None or review.blind == blind:
            standing.setdefault(review.place, {})[review.reviewer] = review
    return standing


def corrections(found: Sequence[Review]) -> dict[Place, Review]:
    """Corrections nobody contradicts: every answer given in sight of the verdict is against it, "unsure" aside."""
    agreed: dict[Place, Review] = {}
    for place, answers in newest_by_reviewer(found, blind=False).items():
        decided = [review for review in answers.values() if review.answer != "unsure"]
        if decided and all(review.corrects for review in decided):
            agreed[place] = max(decided, key=lambda review: (review.created, review.id))
    return agreed


def corrected(trajectory: Trajectory, found: Sequence[Review]) -> Judged:
    """The verdicts of an attempt with people's corrections put in, and what they come to.

    A correction counts only while the check still says what was corrected.
    """
    agreed = corrections([review for review in found if review.trajectory == trajectory.id])
    steps = tuple(
        _with_corrections(step.verdicts, {place[2]: r for place, r in agreed.items() if place[1] == number})
        for number, step in enumerate(trajectory.steps)
    )
    final = _with_corrections(trajectory.verdicts, {place[2]: r for place, r in agreed.items() if place[1] is None})
    if (steps, final) == (tuple(step.verdicts for step in trajectory.steps), trajectory.verdicts):
        return Judged(steps, final, trajectory.passed)
    return Judged(steps, final, attempt_outcome(trajectory.task, trajectory.ended, final, trajectory.steps))


def _with_corrections(verdicts: tuple[Verdict, ...], wanted: dict[str, Review]) -> tuple[Verdict, ...]:
    result: list[Verdict] = []
    done: set[str] = set()
    for verdict in verdicts:
        review = wanted.get(verdict.check)
        if review is None or outcome_at(verdicts, verdict.check) != review.said:
            result.append(verdict)
        elif verdict.check not in done:
            done.add(verdict.check)
            result.append(_correct(verdict, review))
    return tuple(result)


def _correct(verdict: Verdict, review: Review) -> Verdict:
    holds = review.answer == "holds"
    return Verdict(
        check=verdict.check,
        version=verdict.version,
        outcome="pass" if holds else "fail",
        gate=verdict.gate,
        error_class=None if holds else review.error_class or CLASS_OF_CHECK.get(verdict.check),
        message=review.reason,
        blame=None if holds else review.blame or "agent",
        evidence={"reviewer": review.reviewer, "review": review.id},
    )


def rejudge(
    trajectory: Trajectory,
    judged: Judged,
    cause: Literal["rescore", "review"],
    author: str,
    rescore: str | None = None,
) -> Rejudgement:
    """The record of new verdicts on an attempt, made now."""
    return Rejudgement(
        id=new_id("rej"),
        trajectory=trajectory.id,
        created=now(),
        cause=cause,
        author=author,
        rescore=rescore,
        checks=checks_hash(),
        steps=judged.steps,
        tools=own_tools(trajectory),
        verdicts=judged.verdicts,
        passed=judged.passed,
        reward=judged.reward,
    )


def by_checks(index: Index, trajectory_id: str) -> Trajectory:
    """An attempt with what the checks say of it, people's corrections left out."""
    return with_verdicts(
        stored_trajectory(index, trajectory_id), latest_rejudgement(index, trajectory_id, cause="rescore")
    )


def add_review(store: Store, review: Review) -> Rejudgement | None:
    """Store a review; where it changes the verdicts in force, store what they are now.

    Returns:
        The rejudgement that follows, or None when every verdict stays as it is.

    Raises:
        StoreWriteError: it could not be made durable.
        NotFoundError: there is no such attempt.
    """
    in_force = get_trajectory(store.index, review.trajectory)
    store.add(review)
    store.index.sync()
    base = by_checks(store.index, review.trajectory)
    judged = corrected(base, reviews(store.index, review.trajectory))
    if (judged.steps, judged.verdicts) == (tuple(step.verdicts for step in in_force.steps), in_force.verdicts):
        return None
    rejudgement = rejudge(base, judged, "review", review.reviewer)
    store.add(rejudgement)
    store.index.sync()
    return rejudgement
