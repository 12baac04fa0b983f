"""The statistics against values that can be looked up or counted by hand."""

from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamsim_core.evaluate.statistics import (
    bootstrap_interval,
    cluster_interval,
    mcnemar_p,
    pass_hat_k,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("passed", "planned", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17, 1998, table I, method 3 (score without correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
    ],
)
def test_wilson_gives_the_published_intervals(passed: int, planned: int, low: float, high: float) -> None:
    assert wilson_interval(passed, planned) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=60, deadline=None)
def test_wilson_is_the_formula_of_its_docstring(counts: tuple[int, int]) -> None:
    passed, n = counts
    p, z = passed / n, 1.959963984540054
    middle, spread = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    expected = ((middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n))
    assert wilson_interval(passed, n) == pytest.approx(expected, abs=1e-9)
    low, high = wilson_interval(passed, n)
    assert 0 <= low <= p <= high <= 1 or (passed in (0, n) and low <= p + 1e-12 and high >= p - 1e-12)


def test_wilson_knows_nothing_without_attempts_and_refuses_nonsense() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    for passed, planned in ((2, 1), (-1, 1)):
        with pytest.raises(ValueError, match="passed must lie between"):
            wilson_interval(passed, planned)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (0, 6, 0.03125), (1, 9, 22 / 1024), (9, 1, 22 / 1024), (0, 1, 1.0)],
)
def test_mcnemar_against_coin_tosses(first: int, second: int, p: float) -> None:
    assert mcnemar_p(first, second) == pytest.approx(p)


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_mcnemar_is_the_formula_of_its_docstring(first: int, second: int) -> None:
    n = first + second
    p = min(1.0, 2 * sum(comb(n, i) for i in range(min(first, second) + 1)) / 2**n)
    assert mcnemar_p(first, second) == pytest.approx(p, rel=1e-9)


def test_mcnemar_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        mcnemar_p(-1, 2)


def test_bootstrap_is_seeded_and_sure_where_every_task_agrees() -> None:
    first, second = [0.0, 1.0, 0.0, 1.0] * 10, [1.0, 1.0, 0.0, 0.0] * 10
    assert bootstrap_interval(first, second) == bootstrap_interval(first, second)
    assert bootstrap_interval(first, second, seed=1) != bootstrap_interval(first, second, seed=2)
    assert bootstrap_interval([0.0] * 20, [1.0] * 20) == (1.0, 1.0)
    assert bootstrap_interval([0.5] * 20, [0.5] * 20) == (0.0, 0.0)
    assert bootstrap_interval([], []) == (0.0, 0.0)


def test_bootstrap_comes_close_to_the_normal_interval_for_many_tasks() -> None:
    """200 tasks, 30 gained and 10 lost: 0.1 plus or minus 1.96 standard errors."""
    first = [0.0] * 30 + [1.0] * 10 + [1.0] * 80 + [0.0] * 80
    second = [1.0] * 30 + [0.0] * 10 + [1.0] * 80 + [0.0] * 80
    error = ((40 / 200 - 0.1**2) / 200) ** 0.5
    assert bootstrap_interval(first, second) == pytest.approx((0.1 - 1.96 * error, 0.1 + 1.96 * error), abs=0.008)


def test_bootstrap_draws_whole_tasks_so_repeating_attempts_makes_nobody_surer() -> None:
    first, second = [0.0, 1.0, 0.0, 1.0, 0.0] * 4, [1.0, 1.0, 0.0, 0.0, 1.0] * 4
    as_tasks = bootstrap_interval(first, second)
    as_independent = bootstrap_interval(first * 16, second * 16)
    assert as_tasks[1] - as_tasks[0] == pytest.approx(4 * (as_independent[1] - as_independent[0]), rel=0.15)


def test_bootstrap_needs_the_same_tasks_on_both_sides() -> None:
    with pytest.raises(ValueError, match="has 1 tasks and the second 2"):
        bootstrap_interval([0.0], [0.0, 1.0])


def test_bootstrap_of_many_tasks_stays_small() -> None:
    low, high = bootstrap_interval([0.0] * 3000, [0.0, 1.0] * 1500)
    assert low < 0.5 < high and high - low < 0.05


@pytest.mark.parametrize(
    ("passed", "attempts", "k", "value"),
    [
        ([2], 4, 2, 1 / 6),
        ([4], 4, 4, 1.0),
        ([3], 4, 4, 0.0),
        ([3, 1], 4, 1, 0.5),
        ([8, 0], 8, 3, 0.5),
        ([1], 1, 1, 1.0),
    ],
)
def test_pass_hat_k_by_hand(passed: list[int], attempts: int, k: int, value: float) -> None:
    assert pass_hat_k(passed, attempts, k) == pytest.approx(value)


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.data())
def test_pass_hat_k_is_the_share_of_all_choices_that_pass(results: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(results)))
    choices = [all(choice) for choice in combinations(results, k)]
    assert pass_hat_k([sum(results)], len(results), k) == pytest.approx(sum(choices) / len(choices))


def test_pass_hat_k_refuses_what_cannot_be() -> None:
    for passed, attempts, k in (([1], 2, 3), ([1], 2, 0), ([3], 2, 1), ([], 2, 1), ([-1], 2, 1)):
        with pytest.raises(ValueError, match=r"must lie between|needs a count"):
            pass_hat_k(passed, attempts, k)


def test_attempts_that_agree_are_worth_one_each() -> None:
    shares = [1.0] * 100 + [0.0] * 100
    assert cluster_interval(shares) == pytest.approx(wilson_interval(100, 200), abs=0.006), "not that of 800 attempts"
    low, high = wilson_interval(400, 800)
    assert cluster_interval(shares)[0] < low - 0.02 and cluster_interval(shares)[1] > high + 0.02


def test_a_rate_over_tasks_has_the_spread_of_its_shares() -> None:
    shares = [0.0, 0.25, 0.25, 0.5, 0.75, 1.0] * 40
    mean = sum(shares) / len(shares)
    error = (sum((share - mean) ** 2 for share in shares) / len(shares) / len(shares)) ** 0.5
    assert cluster_interval(shares) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.003)


@pytest.mark.parametrize(("share", "tasks"), [(0.0, 20), (1.0, 10), (0.5, 10)])
def test_no_spread_is_no_certainty(share: float, tasks: int) -> None:
    assert cluster_interval([share] * tasks) == wilson_interval(share * tasks, tasks)
    assert cluster_interval([]) == (0.0, 1.0)
