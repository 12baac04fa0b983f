"""Identifiers sort in the order they were made in."""

from lamsim_core.canonical import new_id


def test_identifiers_sort_in_the_order_they_were_made_in() -> None:
    made = [new_id("trj") for _ in range(2000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {len(each) for each in made} == {len("trj_") + 26}
