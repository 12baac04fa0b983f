"""The statistics behind every reported number: how sure a rate is, and whether two policies differ.

Imports numpy and statsmodels when first used: they take a second to load.
"""

from collections.abc import Sequence
from math import comb

LEVEL = 0.95
"""Confidence level of every interval."""
RESAMPLES = 10_000
"""Resamples of the bootstrap."""
_AT_ONCE = 2_000_000
"""Numbers drawn at a time, which bounds the memory at about 16 MB."""


def wilson_interval(passed: float, planned: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a rate.

    With p = passed / planned, n = planned and z = 1.96:
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). Unlike the textbook interval it stays within [0, 1] and is
    honest at 0 % and 100 %.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927;
    computed by ``statsmodels.stats.proportion.proportion_confint(method="wilson")``.

    Returns:
        Lower and upper bound; (0, 1) when nothing was planned.

    Raises:
        ValueError: ``passed`` is not between 0 and ``planned``.
    """
    if not 0 <= passed <= planned:
        raise ValueError(f"passed must lie between 0 and {planned}, not at {passed}")
    if planned == 0:
        return 0.0, 1.0
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(passed, planned, alpha=1 - LEVEL, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact McNemar test that two policies pass equally often on the same attempts.

    Only pairs where exactly one of the two passed tell them apart. Under no difference each such pair falls to either
    side like a fair coin, so with n = only_first + only_second and k = min of the two,
    p = min(1, 2 · Σ_{i=0..k} C(n, i) / 2ⁿ).

    The test takes pairs as independent. With several attempts per task they are not quite; look at the interval of
    ``bootstrap_interval`` too, which resamples whole tasks.

    Source: Q. McNemar, Psychometrika 12, 1947, in its exact (binomial) form; computed by
    ``statsmodels.stats.contingency_tables.mcnemar(exact=True)``.

    Raises:
        ValueError: a count is negative.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"counts of pairs cannot be negative: {only_first}, {only_second}")
    if only_first == only_second:
        return 1.0  # also when no pair differs, where the test has nothing to go by
    from statsmodels.stats.contingency_tables import mcnemar

    return min(1.0, float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue))


def bootstrap_interval(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % paired bootstrap interval of the difference of two pass rates, second minus first.

    Args:
        first: for each task, the share of its attempts that the first policy passed.
        second: the same for the second policy, tasks in the same order.
        seed: of the random resamples; the same seed gives the same interval.

    Tasks are drawn with replacement, as many as there are, 10,000 times; each time the mean over the drawn tasks of
    second - first is noted; the interval spans the middle 95 % of these means. A task is drawn with all its attempts
    (a cluster), because attempts at one task resemble each other.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval);
    resampling of whole clusters: A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, 3.8.

    Returns:
        Lower and upper bound; (0, 0) without tasks.

    Raises:
        ValueError: the two do not speak of the same number of tasks.
    """
    import numpy as np

    if len(first) != len(second):
        raise ValueError(f"the first policy has {len(first)} tasks and the second {len(second)}")
    if not first:
        return 0.0, 0.0
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    rng = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // differences.size)
    means = [
        differences[rng.integers(0, differences.size, size=(min(rows, RESAMPLES - start), differences.size))].mean(
            axis=1
        )
        for start in range(0, RESAMPLES, rows)
    ]
    edge = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(np.concatenate(means), [edge, 100 - edge])
    return float(low), float(high)


def cluster_interval(shares: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a pass rate from several attempts at each task.

    Args:
        shares: for each task, the share of its attempts that passed.
        seed: of the random resamples.

    Attempts at one task resemble each other, so they are no independent tries: the bootstrap of ``bootstrap_interval``
    draws whole tasks. Where every task has the same share, as when nothing passed, resampling finds no spread at all
    and would claim certainty; the Wilson interval with one try for each task stands in.

    Returns:
        Lower and upper bound; (0, 1) without tasks.
    """
    if len(set(shares)) < 2:
        return wilson_interval(sum(shares), len(shares))
    return bootstrap_interval([0.0] * len(shares), shares, seed=seed)


def pass_hat_k(passed: Sequence[int], attempts: int, k: int) -> float:
    """The chance that ``k`` attempts at a task all pass, averaged over tasks ("pass^k": how reliable a policy is).

    With n attempts at a task, c of which passed, C(c, k) / C(n, k) is the share of all choices of k attempts in which
    all passed: an unbiased estimate of p^k, where (c/n)^k is not. For k = 1 it is the pass rate.

    Source: S. Yao and others, "τ-bench", arXiv:2406.12045, 2024, section 3 (pass^k); not to be mixed up with pass@k,
    the chance that at least one of k passes.

    Args:
        passed: for each task, how many of its attempts passed.
        attempts: attempts at each task.
        k: between 1 and ``attempts``.

    Raises:
        ValueError: ``k`` or a count is out of range, or there are no tasks.
    """
    if not 1 <= k <= attempts:
        raise ValueError(f"k must lie between 1 and {attempts}, not at {k}")
    if not passed or not all(0 <= count <= attempts for count in passed):
        raise ValueError(f"every task needs a count of passed attempts between 0 and {attempts}")
    return sum(comb(count, k) / comb(attempts, k) for count in passed) / len(passed)
