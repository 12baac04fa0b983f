"""Shares: met to within one item of each group, as large as possible, the first ones kept."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.curate.balance import over_cap, over_share, over_size
from lamsim_core.errors import InvalidInputError


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 5))
def test_a_cap_keeps_the_first_of_each(items: list[str], most: int) -> None:
    kept = [item for item, over in zip(items, over_cap(items, str, most), strict=True) if not over]
    assert Counter(kept) == {name: min(most, count) for name, count in Counter(items).items()}


@given(st.lists(st.sampled_from("abcd"), max_size=80), st.sampled_from([0.1, 0.25, 0.5]), st.sampled_from([0.2, 0.5]))
def test_shares_are_met_and_nothing_more_than_needed_goes(items: list[str], first: float, second: float) -> None:
    shares = {"a": first, "b": second}
    there = Counter(items)
    if not all(there[name] for name in shares):
        with pytest.raises(InvalidInputError, match="cannot have a share"):
            over_share(items, str, shares)
        return
    over = over_share(items, str, shares)
    kept = Counter(item for item, gone in zip(items, over, strict=True) if not gone)
    others, rest = there["c"] + there["d"], 1 - first - second
    sizes = [there["a"] / first, there["b"] / second, *([others / rest] if others and rest else [])]
    size = min(sizes)
    assert kept["a"] == int(first * size + 1e-9) and kept["b"] == int(second * size + 1e-9)
    assert kept["c"] + kept["d"] == (int(rest * size + 1e-9) if others else 0)
    for name in ("a", "b"):
        gone = [over for item, over in zip(items, over, strict=True) if item == name]
        assert gone == sorted(gone), "those that come first are kept"


def test_shares_of_more_than_one_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"add up to 1\.2"):
        over_share(["a", "b"], str, {"a": 0.6, "b": 0.6})


def test_when_shares_are_one_the_others_have_no_place() -> None:
    assert over_share(["a", "c", "b", "c"], str, {"a": 0.5, "b": 0.5}) == [False, True, False, True]


def test_without_shares_everything_stays() -> None:
    assert over_share(["a", "b", "b"], str, {}) == [False, False, False]


CELLS = st.lists(st.tuples(st.sampled_from("gm"), st.sampled_from("abcd")), max_size=60)
"""Who acted, and the template."""


@given(CELLS, st.integers(1, 70))
def test_a_cut_keeps_exactly_so_many_and_every_cell_its_part(items: list[tuple[str, str]], most: int) -> None:
    over = over_size(items, lambda item: item[0], lambda item: item[1], most)
    kept = [item for item, gone in zip(items, over, strict=True) if not gone]
    assert len(kept) == min(most, len(items))
    for who in "gm":
        there = [template for cell, template in items if cell == who]
        left = [template for cell, template in kept if cell == who]
        assert abs(len(left) - len(there) * len(kept) / max(1, len(items))) < 1
        whole, part = Counter(there), Counter(left)
        fullest = max(part.values(), default=0)
        assert all(part[name] >= min(whole[name], fullest - 1) for name in whole), "templates take turns"
    for pair in set(items):
        gone = [over for item, over in zip(items, over, strict=True) if item == pair]
        assert gone == sorted(gone), "those that come first are kept"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(1, 60))
def test_a_cut_after_shares_leaves_the_shares_as_they_are(items: list[str], most: int) -> None:
    shares = {"a": 0.5}
    if "a" not in items:
        return
    left = [item for item, gone in zip(items, over_share(items, str, shares), strict=True) if not gone]
    over = over_size(left, lambda item: item == "a", str, most)
    kept = [item for item, gone in zip(left, over, strict=True) if not gone]
    if "b" in left or "c" in left:
        assert abs(kept.count("a") - len(kept) / 2) <= 1


@given(st.permutations([name for name in "abcdefgh" for _ in range(2)]), st.integers(1, 8))
def test_which_groups_the_last_turn_reaches_does_not_hang_on_the_order(items: list[str], most: int) -> None:
    def kept(items: list[str]) -> list[str]:
        over = over_size(items, lambda item: None, str, most)
        return sorted(item for item, gone in zip(items, over, strict=True) if not gone)

    assert kept(items) == kept(sorted(items)) and len(set(kept(items))) == most
