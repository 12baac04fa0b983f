"""Corrections as regression cases: out of the store, into files, and judged again."""

from pathlib import Path

import pytest

from lamsim_core.errors import InvalidInputError
from lamsim_core.review.cases import ENDING, Case, cases, export, read_case, replay
from lamsim_core.review.corrections import add_review
from lamsim_core.store import Store
from tests.review.conftest import keep
from tests.review.making import changed_check, finds_fault, finds_nothing, review, solved, undone, without_check

GOAL = "state.goal"


@pytest.fixture
def case(store: Store, tmp_path: Path) -> Case:
    """A check that wrongly finds nothing is corrected: it should fail."""
    with changed_check(GOAL, finds_nothing):
        attempt = undone(passes=True)
        keep(store, attempt)
        add_review(store, review(attempt, GOAL, "fails", error_class="state", reason="Nothing was moved."))
    (path,) = export(store.index, tmp_path / "cases")
    return read_case(path)


def test_a_case_fails_while_the_check_is_wrong_and_passes_when_it_is_right(case: Case) -> None:
    assert (case.check, case.step, case.said, case.wanted) == (GOAL, None, "pass", "fail")
    assert (case.error_class, case.reason) == ("state", "Nothing was moved.")
    with changed_check(GOAL, finds_nothing):
        wrong = replay(case)
        assert (wrong.right, wrong.says, wrong.wanted) == (False, "pass", "fail")
    assert replay(case).right


def test_the_class_of_mistake_has_to_be_right_too(case: Case) -> None:
    other = case.model_copy(update={"error_class": "collateral"})
    assert replay(other).says == "fail" and not replay(other).right


def test_a_check_that_is_too_strict(store: Store) -> None:
    with changed_check(GOAL, finds_fault):
        attempt = solved(passes=False)
        keep(store, attempt)
        add_review(store, review(attempt, GOAL, "holds"))
        (strict,) = cases(store.index)
        assert not replay(strict).right
    assert replay(strict).right and replay(strict).says == "pass"


def test_a_case_of_an_action(store: Store) -> None:
    attempt = solved()
    keep(store, attempt)
    add_review(store, review(attempt, "tool_name", "fails", step=1))
    (found,) = cases(store.index)
    assert (found.step, replay(found).says, replay(found).right) == (1, "pass", False)


@pytest.mark.parametrize("gone", [GOAL, "path.cost"])
def test_a_case_of_a_check_that_is_gone_is_not_right(case: Case, gone: str) -> None:
    about = case.model_copy(update={"check": gone})
    with without_check(gone):
        assert (replay(about).says, replay(about).right) == (None, False)


def test_only_what_people_settled_becomes_a_case(store: Store) -> None:
    open_, gave_in, defended, taken_back = (undone(attempt=n) for n in range(4))
    keep(store, open_, gave_in, defended, taken_back)
    for record in (
        review(open_, GOAL, "holds", blind=True),
        review(gave_in, GOAL, "holds", blind=True),
        review(gave_in, GOAL, "fails"),
        review(defended, GOAL, "holds"),
        review(defended, GOAL, "fails", reviewer="you"),
        review(taken_back, GOAL, "holds"),
        review(taken_back, GOAL, "withdrawn"),
    ):
        add_review(store, record)
    assert cases(store.index) == []
    stands = review(open_, GOAL, "holds")
    add_review(store, stands)
    assert [each.id for each in cases(store.index)] == [stands.id]


def test_files_that_are_there_stay(store: Store, tmp_path: Path) -> None:
    attempt = undone()
    keep(store, attempt)
    add_review(store, review(attempt, GOAL, "holds"))
    (path,) = export(store.index, tmp_path)
    path.write_text("edited by hand")
    assert export(store.index, tmp_path) == []
    assert path.read_text() == "edited by hand" and path.name.endswith(ENDING)


@pytest.mark.parametrize("damage", ["", "{}", "no json", "\x00\x01"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / f"bad{ENDING}"
    path.write_text(damage)
    with pytest.raises(InvalidInputError, match=f"bad{ENDING} should be a case"):
        read_case(path)


def test_a_missing_file_or_action_is_a_sentence(tmp_path: Path, case: Case) -> None:
    with pytest.raises(InvalidInputError):
        read_case(tmp_path / "none.case.json")
    path = tmp_path / f"far{ENDING}"
    for step in (-1, 99):
        path.write_text(case.model_copy(update={"step": step}).model_dump_json())
        with pytest.raises(InvalidInputError):
            read_case(path)
