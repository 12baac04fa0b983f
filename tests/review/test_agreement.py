"""Exact numbers on reviews made by hand."""

from itertools import count
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from lamsim_core.records import Review
from lamsim_core.review.agreement import (
    ALL,
    Agreement,
    Share,
    between_reviewers,
    disagreements,
    first_answers,
    pace,
    with_checks,
)
from tests.store.factories import make_review

NOTHING = Share(count=0, of=0, value=None, low=None, high=None)


def made(*answers: tuple[str, str, int], **fields: Any) -> list[Review]:
    """As many reviews as asked for of (said, answer), each of another attempt."""
    numbers = count()
    return [
        make_review(n, said=said, answer=answer, **fields)
        for said, answer, times in answers
        for n in (next(numbers) for _ in range(times))
    ]


def test_nothing_reviewed_is_nothing() -> None:
    (row,) = with_checks([])
    assert row == Agreement(
        name=ALL,
        n=0,
        unsure=0,
        confusion=((0, 0), (0, 0)),
        agreement=NOTHING,
        precision=NOTHING,
        recall=NOTHING,
        kappa=None,
    )
    assert between_reviewers([]) == [] and disagreements([]) == [] and pace([]).median_seconds is None


def test_the_numbers_of_one_check() -> None:
    found = made(("fail", "fails", 20), ("fail", "holds", 5), ("pass", "fails", 10), ("pass", "holds", 15))
    row, by_check = with_checks([*found, *made(("pass", "unsure", 3), id="x", trajectory="trj_x")[:1]])
    assert row.model_copy(update={"name": "tool.name"}) == by_check
    assert row.confusion == ((20, 5), (10, 15)) and (row.n, row.unsure) == (50, 1)
    assert (row.agreement.count, row.agreement.of, row.agreement.value) == (35, 50, 0.7)
    assert (row.precision.count, row.precision.of) == (20, 25)
    assert (row.recall.count, row.recall.of) == (20, 30)
    for share in (row.agreement, row.precision, row.recall):
        low, high = proportion_confint(share.count, share.of, alpha=0.05, method="wilson")
        assert share.low == pytest.approx(low, abs=1e-9) and share.high == pytest.approx(high, abs=1e-9)
    # p_o = 35/50 = 0.7; p_e = 25/50 * 30/50 + 25/50 * 20/50 = 0.5; kappa = (0.7 - 0.5) / (1 - 0.5) = 0.4
    assert row.kappa == pytest.approx(0.4)


def test_kappa_where_it_is_not_defined_and_where_it_is_nought() -> None:
    assert with_checks(made(("pass", "holds", 9)))[0].kappa is None
    assert with_checks(made(("fail", "fails", 9)))[0].kappa is None
    assert with_checks(made(("fail", "fails", 4), ("fail", "holds", 4)))[0].kappa == pytest.approx(0)
    assert with_checks(made(("fail", "fails", 4), ("pass", "holds", 4)))[0].kappa == pytest.approx(1)
    assert with_checks(made(("fail", "holds", 4), ("pass", "fails", 4)))[0].kappa == pytest.approx(-1)


def test_rates_with_nothing_below_them_are_none() -> None:
    row = with_checks(made(("pass", "holds", 4)))[0]
    assert row.precision == NOTHING and row.recall == NOTHING and row.agreement.value == 1


def test_each_check_has_a_row_and_verdicts_that_said_neither_enter_none() -> None:
    found = [
        make_review(0, check="structure"),
        make_review(1, check="answer.value", said="fail", answer="fails"),
        make_review(2, check="answer.value", said="abstain", answer="fails"),
    ]
    assert [(row.name, row.n) for row in with_checks(found)] == [(ALL, 2), ("answer.value", 1), ("structure", 1)]


def test_the_blind_answer_is_counted_and_not_what_was_said_in_sight_of_the_verdict() -> None:
    blind = make_review(0, said="fail", answer="holds")
    seen = make_review(1, trajectory=blind.trajectory, said="fail", answer="fails", blind=False)
    assert first_answers([blind, seen]) == [blind]
    later_blind = blind.model_copy(update={"id": "later", "created": "2027"})
    assert first_answers([seen, later_blind]) == [later_blind]
    second = make_review(2, trajectory=blind.trajectory, said="fail", answer="holds", blind=False)
    assert first_answers([seen, second]) == [seen], "without a blind one the first"
    assert with_checks([blind, seen])[0].confusion == ((0, 1), (0, 0))


def test_what_was_taken_back_is_not_counted() -> None:
    first = make_review(0)
    back = make_review(1, trajectory=first.trajectory, answer="withdrawn", blind=False)
    again = make_review(2, trajectory=first.trajectory, answer="fails")
    assert first_answers([first, back]) == []
    assert first_answers([first, back, again]) == [again]


def test_between_two_reviewers() -> None:
    mine = made(("pass", "holds", 3), ("pass", "fails", 1), ("pass", "unsure", 1))
    yours = [
        review.model_copy(update={"reviewer": "you", "id": f"y{n}", "answer": answer})
        for n, (review, answer) in enumerate(zip(mine, ("holds", "holds", "fails", "fails", "holds"), strict=True))
    ]
    alone = make_review(99, reviewer="zoe")
    (row,) = between_reviewers([*mine, *yours, alone])
    assert (row.name, row.n, row.unsure) == ("me and you", 4, 1)
    assert row.confusion == ((1, 0), (1, 2)), "fails by me first, then holds"
    # p_o = 3/4, p_e = 1/4 * 2/4 + 3/4 * 2/4 = 1/2, kappa = 1/2
    assert row.kappa == pytest.approx(0.5)


def test_disagreements_are_told_the_newest_first() -> None:
    found = made(("pass", "fails", 1), ("pass", "holds", 1), ("fail", "holds", 1), ("fail", "unsure", 1))
    assert disagreements(found) == [found[2], found[0]]


def test_the_pace_is_the_median_of_first_answers() -> None:
    found = [make_review(n, seconds=seconds) for n, seconds in enumerate((1.0, 9.0, 2.0, None))]
    again = make_review(9, trajectory=found[0].trajectory, seconds=100.0, blind=False)
    assert pace([*found, again]).model_dump() == {"answers": 3, "median_seconds": 2.0}
