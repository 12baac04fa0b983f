from typing import Any

from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import RowChange


def change(table: str, row_id: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> RowChange:
    return RowChange(table=table, id=row_id, before=before, after=after)


def made(row_id: str, **fields: Any) -> RowChange:
    return change("events", row_id, None, {"id": row_id, **fields})


def test_what_was_wanted_and_nothing_else() -> None:
    goal = (change("a", "1", {"id": "1", "n": 1}, {"id": "1", "n": 2}), change("a", "2", {"id": "2"}, None))
    assert compare_changes(goal, goal[::-1]) == ((), (), ())
    assert compare_changes((), ()) == ((), (), ())


def test_missing_wrong_and_collateral_are_told_apart() -> None:
    wanted = change("a", "1", {"id": "1", "n": 1}, {"id": "1", "n": 2})
    off = change("a", "1", {"id": "1", "n": 1}, {"id": "1", "n": 3})
    extra = change("a", "9", {"id": "9"}, None)
    assert compare_changes((wanted,), ()) == ((wanted,), (), ())
    assert compare_changes((wanted,), (off,)) == ((wanted,), ((wanted, off),), ())
    assert compare_changes((wanted,), (wanted, extra)) == ((), (), (extra,))
    gone = change("a", "1", {"id": "1", "n": 1}, None)
    assert compare_changes((wanted,), (gone,)) == ((wanted,), ((wanted, gone),), ())


def test_new_rows_are_compared_without_their_ids() -> None:
    goal = (made("e_9001", title="A", n=1), made("e_9002", title="B", n=1))
    swapped = (made("e_9001", title="b ", n=1.0), made("e_9002", title="A", n=1))
    assert compare_changes(goal, swapped) == ((), (), ())
    twice = (*swapped, made("e_9003", title="A", n=1))
    assert [c.id for c in compare_changes(goal, twice).collateral] == ["e_9003"]


def test_references_to_new_rows_are_followed_by_meaning() -> None:
    goal = (made("e_9001", title="A"), change("links", "l", {"id": "l", "to": ""}, {"id": "l", "to": "e_9001"}))
    other = (made("e_9007", title="A"), change("links", "l", {"id": "l", "to": ""}, {"id": "l", "to": "e_9007"}))
    wrong = (made("e_9007", title="A"), change("links", "l", {"id": "l", "to": ""}, {"id": "l", "to": "e_1"}))
    assert compare_changes(goal, other) == ((), (), ())
    assert len(compare_changes(goal, wrong).missing) == 1


def test_values_of_different_kinds_differ() -> None:
    for one, another in ((1, "1"), (True, 1), (None, ""), (None, 0), ([1], 1), ("", "x")):
        assert compare_changes((made("e", v=one),), (made("e", v=another),)).missing, (one, another)
