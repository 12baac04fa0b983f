import pytest

from lamsim_core.errors import NotFoundError
from lamsim_core.records import Review, Trajectory, Verdict
from lamsim_core.review.corrections import (
    CLASS_OF_CHECK,
    add_review,
    by_checks,
    corrected,
    corrections,
    newest_by_reviewer,
    outcome_at,
)
from lamsim_core.review.rescore import rescore
from lamsim_core.store import Store
from lamsim_core.store.queries import get_trajectory, stored_trajectory, trajectory_row
from lamsim_core.store.rejudged import latest_rejudgement, rejudgements_of, reviews
from tests.filling import fill
from tests.review.conftest import keep
from tests.review.making import changed_check, finds_fault, finds_nothing, review, solved, undone

GOAL = "state.goal"


def judge_store_again(store: Store) -> None:
    """A rescore of everything."""
    rescore(store.settings.journal, "rsc_again", "me", add=store.add)
    store.index.sync()


def verdict(trajectory: Trajectory, check: str) -> Verdict:
    (found,) = [v for v in trajectory.verdicts if v.check == check]
    return found


def test_the_newest_answer_of_each_reviewer_counts() -> None:
    attempt = undone()
    first, second, other = (
        review(attempt, GOAL, "holds"),
        review(attempt, GOAL, "fails"),
        review(attempt, GOAL, "holds", reviewer="you"),
    )
    assert newest_by_reviewer([first, second, other]) == {first.place: {"me": second, "you": other}}


def test_withdrawn_takes_back_the_blind_answer_and_the_one_in_sight() -> None:
    attempt = undone()
    found = [
        review(attempt, GOAL, "holds", blind=True),
        review(attempt, GOAL, "holds"),
        review(attempt, GOAL, "withdrawn"),
    ]
    for blind in (None, True, False):
        assert not any(newest_by_reviewer(found, blind=blind).values())
        assert any(newest_by_reviewer(found[:2], blind=blind).values())
    again = review(attempt, GOAL, "fails", blind=True)
    assert newest_by_reviewer([*found, again])[again.place] == {"me": again}


def test_a_blind_answer_alone_corrects_nothing(store: Store) -> None:
    attempt = undone()
    keep(store, attempt)
    assert add_review(store, review(attempt, GOAL, "holds", blind=True)) is None
    assert get_trajectory(store.index, attempt.id) == attempt
    assert len(reviews(store.index)) == 1


def test_a_correction_to_holds_scores_the_attempt_anew(store: Store) -> None:
    attempt = undone()
    keep(store, attempt)
    rejudgement = add_review(store, review(attempt, GOAL, "holds", reason="It was there already."))
    assert rejudgement is not None and rejudgement.cause == "review" and rejudgement.author == "me"
    now = get_trajectory(store.index, attempt.id)
    assert (now.passed, now.reward) == (True, 1.0)
    assert verdict(now, GOAL).outcome == "pass" and verdict(now, GOAL).message == "It was there already."
    assert verdict(now, GOAL).evidence["reviewer"] == "me"
    assert trajectory_row(store.index, attempt.id).passed is True
    assert stored_trajectory(store.index, attempt.id) == attempt
    assert by_checks(store.index, attempt.id) == attempt


def test_a_correction_to_fails_carries_the_class_and_the_blame(store: Store) -> None:
    attempt = solved()
    keep(store, attempt)
    add_review(store, review(attempt, GOAL, "fails", error_class="collateral", blame="agent"))
    now = get_trajectory(store.index, attempt.id)
    assert (now.passed, now.reward) == (False, 0.0)
    assert (verdict(now, GOAL).error_class, verdict(now, GOAL).blame) == ("collateral", "agent")
    assert trajectory_row(store.index, attempt.id).error_classes == ("collateral",)


def test_without_a_class_the_usual_one_of_the_check_is_taken(store: Store) -> None:
    attempt = solved()
    keep(store, attempt)
    add_review(store, review(attempt, GOAL, "fails"))
    now = verdict(get_trajectory(store.index, attempt.id), GOAL)
    assert (now.error_class, now.blame) == (CLASS_OF_CHECK[GOAL], "agent")


@pytest.mark.parametrize("blame", ["tool", "task"])
def test_a_failure_by_somebody_elses_fault_is_not_scored(store: Store, blame: str) -> None:
    attempt = solved()
    keep(store, attempt)
    add_review(store, review(attempt, GOAL, "fails", blame=blame))
    now = get_trajectory(store.index, attempt.id)
    assert (now.passed, now.reward) == (None, None)
    assert trajectory_row(store.index, attempt.id).error_classes == ()


def test_a_correction_of_an_action_changes_the_action_and_not_the_outcome(store: Store) -> None:
    attempt = solved()
    keep(store, attempt)
    add_review(store, review(attempt, "tool_name", "fails", step=0))
    now = get_trajectory(store.index, attempt.id)
    assert [v.check for v in now.steps[0].failed] == ["tool_name"] and now.passed is True
    assert now.steps[1:] == attempt.steps[1:] and now.verdicts == attempt.verdicts
    assert trajectory_row(store.index, attempt.id).n_failed == 1


def test_two_reviewers_who_disagree_leave_the_verdict_as_it_is(store: Store) -> None:
    attempt = undone()
    keep(store, attempt)
    mine = review(attempt, GOAL, "holds")
    assert add_review(store, mine) is not None
    assert add_review(store, review(attempt, GOAL, "fails", reviewer="you")) is not None
    assert get_trajectory(store.index, attempt.id) == attempt
    assert add_review(store, review(attempt, GOAL, "holds", reviewer="you")) is not None
    assert get_trajectory(store.index, attempt.id).passed is True
    assert reviews(store.index)[0] == mine and len(reviews(store.index)) == 3, "nothing is overwritten"


def test_unsure_contradicts_nobody() -> None:
    attempt = undone()
    mine = review(attempt, GOAL, "holds")
    assert corrections([mine, review(attempt, GOAL, "unsure", reviewer="you")]) == {mine.place: mine}
    assert corrections([review(attempt, GOAL, "unsure")]) == {}


def test_undo_restores_the_score(store: Store) -> None:
    for attempt, answer in ((undone(), "holds"), (solved(attempt=1), "fails")):
        keep(store, attempt)
        add_review(store, review(attempt, GOAL, answer))  # type: ignore[arg-type]
        assert get_trajectory(store.index, attempt.id).passed is not attempt.passed
        assert add_review(store, review(attempt, GOAL, "withdrawn")) is not None
        assert get_trajectory(store.index, attempt.id) == attempt
        assert len(rejudgements_of(store.index, attempt.id)) == 2


def test_a_correction_survives_a_rescore(store: Store) -> None:
    attempt = undone()
    keep(store, attempt)
    add_review(store, review(attempt, GOAL, "holds"))
    with changed_check("ending.answered", finds_nothing):
        judge_store_again(store)
        assert get_trajectory(store.index, attempt.id).passed is True
    assert latest_rejudgement(store.index, attempt.id, cause="rescore") is None, "no verdict came out differently"
    with changed_check("state.collateral", finds_fault):
        judge_store_again(store)
        now = get_trajectory(store.index, attempt.id)
        assert verdict(now, GOAL).outcome == "pass" and verdict(now, "state.collateral").outcome == "fail"
        assert now.passed is False
        assert verdict(by_checks(store.index, attempt.id), GOAL).outcome == "fail"
        newest = latest_rejudgement(store.index, attempt.id)
        assert newest is not None and (newest.cause, newest.rescore) == ("review", "rsc_again")


def test_a_correction_lapses_where_the_check_has_changed_its_mind(store: Store) -> None:
    attempt = solved()
    keep(store, attempt)
    wrong = review(attempt, GOAL, "fails", blame="tool")
    add_review(store, wrong)
    assert get_trajectory(store.index, attempt.id).passed is None
    with changed_check(GOAL, finds_fault):
        judge_store_again(store)
        now = verdict(get_trajectory(store.index, attempt.id), GOAL)
        assert (now.outcome, now.blame) == ("fail", "agent"), "the check's own failure, not the reviewer's"
        assert get_trajectory(store.index, attempt.id).passed is False


def test_corrections_of_other_attempts_do_not_matter() -> None:
    attempt, other = undone(), undone(attempt=1)
    judged = corrected(attempt, [review(other, GOAL, "holds")])
    assert judged.verdicts == attempt.verdicts and judged.passed is False


def test_several_failures_of_one_check_are_corrected_as_one(store: Store) -> None:
    """A check that found several things is one question, and one answer corrects all of it."""
    attempt = next(t for t in fill(store.settings, 6) if _twice(t))
    check = _twice(attempt)
    assert check is not None
    judged = corrected(attempt, [review(attempt, check, "holds")])
    assert [v.outcome for v in judged.verdicts if v.check == check] == ["pass"]
    assert outcome_at(judged.verdicts, check) == "pass"


def test_a_review_of_nothing_is_refused(store: Store) -> None:
    nothing: Review = review(undone(), GOAL, "holds")
    with pytest.raises(NotFoundError):
        add_review(store, nothing)
    store.index.sync()
    assert reviews(store.index) == []


def _twice(trajectory: Trajectory) -> str | None:
    failed = [v.check for v in trajectory.verdicts if v.outcome == "fail"]
    return next((check for check in failed if failed.count(check) > 1), None)
