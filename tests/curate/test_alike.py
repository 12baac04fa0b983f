"""Near-duplicates: exactly what comparing all pairs would find, in the order of preference, and quickly."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.curate.alike import bag, near_duplicates, similarity, words

WORDS = ("move", "my", "meeting", "with", "anna", "to", "monday", "at", "ten", "please")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
ITEMS = st.lists(st.tuples(st.sampled_from(["a", "b"]), TEXTS), max_size=30)


@given(ITEMS, st.sampled_from([0.3, 0.5, 0.75, 0.9, 1.0]))
def test_it_finds_what_comparing_all_pairs_finds(items: list[tuple[str, str]], threshold: float) -> None:
    found = near_duplicates(items, threshold)
    kept: list[int] = []
    for place, (same, text) in enumerate(items):
        alike = [k for k in kept if items[k][0] == same and similarity(bag(items[k][1]), bag(text)) >= threshold]
        if alike:
            assert found[place] in alike
        else:
            assert found[place] is None
            kept.append(place)


def test_words_are_compared_in_one_form_and_as_often_as_said() -> None:
    assert words("Move “Ｍeeting” – to  10:30!") == ["move", "meeting", "to", "10", "30"]
    assert similarity(bag("to do to do"), bag("to do")) == 0.5
    assert similarity(bag(""), bag("!")) == 1.0
    assert similarity(bag("Pay Anna."), bag("pay ANNA")) == 1.0


def test_only_attempts_that_did_the_same_are_compared() -> None:
    same = "Move my meeting to Monday"
    assert near_duplicates([("x", same), ("y", same), ("x", same)], 0.9) == [None, None, 0]


def test_thousands_of_requests_of_one_template_take_no_time() -> None:
    draw = random.Random(5)
    names = [f"name{number}" for number in range(100)]
    items = [
        (
            "t",
            f"Please move my meeting {draw.choice(names)} with {draw.choice(names)} to day {draw.randrange(90)} at ten",
        )
        for _ in range(4_000)
    ]
    begin = time.process_time()
    found = near_duplicates(items, 0.9)
    assert time.process_time() - begin < 3
    assert 0 < sum(place is None for place in found) <= len(set(items))
