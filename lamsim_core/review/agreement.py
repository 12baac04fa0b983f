"""How far people agree with the checks, and with each other.

Counted are first answers: given blind where there is a blind one. "Unsure" is counted apart and enters no rate. A check that
says "fail" is right when the person says so too: precision is the share of its fails that people confirm, recall the
share of what people find wrong that it says. Both are rates over the verdicts reviewed, which are drawn by strata (rare
ones more often), so they describe the checks, not how often models fail.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import isfinite
from statistics import median

from lamsim_core.evaluate.statistics import wilson_interval
from lamsim_core.records import Record, Review
from lamsim_core.review.corrections import newest_by_reviewer

ALL = "all"
"""Name of the row over every check."""


class Share(Record):
    """A rate with its 95 % Wilson interval; all None when nothing was counted."""

    count: int
    of: int
    value: float | None
    low: float | None
    high: float | None


class Agreement(Record):
    """Two judges on the same verdicts: a check and people, or two people."""

    name: str
    """The check's id, ``all``, or the two reviewers."""
    n: int
    """Verdicts both decided."""
    unsure: int
    """Answers that decide nothing."""
    confusion: tuple[tuple[int, int], tuple[int, int]]
    """Counts: rows say what the first judge (the check) said, fail then pass; columns the second (the person)."""
    agreement: Share
    precision: Share
    """Of the first judge's fails, those the second confirms."""
    recall: Share
    """Of the second judge's fails, those the first says."""
    kappa: float | None
    """Cohen's kappa: agreement beyond chance; None where it is not defined (nothing, or one answer only)."""


class Pace(Record):
    """How long answers take."""

    answers: int
    median_seconds: float | None


def first_answers(found: Sequence[Review]) -> list[Review]:
    """For each verdict and reviewer the answer that is counted: the blind one where there is one, else the first.

    Args:
        found: reviews, the oldest first.
    """
    standing = newest_by_reviewer(found)
    kept: dict[tuple[object, str], Review] = {}
    for review in found:
        key = (review.place, review.reviewer)
        if review.answer == "withdrawn" or review.reviewer not in standing.get(review.place, {}):
            kept.pop(key, None)
        elif key not in kept or (review.blind and not kept[key].blind):
            kept[key] = review
    return list(kept.values())


def with_checks(found: Sequence[Review]) -> list[Agreement]:
    """Every check beside the people who reviewed it, by check; the first row is all of them together."""
    answers = [review for review in first_answers(found) if review.said in ("pass", "fail")]
    checks = sorted({review.check for review in answers})
    rows = [_against_check(ALL, answers)]
    return rows + [_against_check(check, [r for r in answers if r.check == check]) for check in checks]


def between_reviewers(found: Sequence[Review]) -> list[Agreement]:
    """Every two reviewers who answered the same questions."""
    by_reviewer: dict[str, dict[object, Review]] = {}
    for review in first_answers(found):
        by_reviewer.setdefault(review.reviewer, {})[review.place] = review
    rows = []
    for one, other in combinations(sorted(by_reviewer), 2):
        shared = by_reviewer[one].keys() & by_reviewer[other].keys()
        pairs = [(by_reviewer[one][place].answer, by_reviewer[other][place].answer) for place in shared]
        if pairs:
            rows.append(_agreement(f"{one} and {other}", pairs))
    return rows


def disagreements(found: Sequence[Review]) -> list[Review]:
    """First answers that contradict the check, the newest first."""
    contrary = {("holds", "fail"), ("fails", "pass")}
    wrong = [review for review in first_answers(found) if (review.answer, review.said) in contrary]
    return sorted(wrong, key=lambda review: (review.created, review.id), reverse=True)


def pace(found: Sequence[Review]) -> Pace:
    """How long first answers took."""
    seconds = [review.seconds for review in first_answers(found) if review.seconds is not None]
    return Pace(answers=len(seconds), median_seconds=median(seconds) if seconds else None)


def _against_check(name: str, answers: Iterable[Review]) -> Agreement:
    said = {"pass": "holds", "fail": "fails"}
    return _agreement(name, [(said[review.said], review.answer) for review in answers])


def _agreement(name: str, pairs: Sequence[tuple[str, str]]) -> Agreement:
    decided = Counter(pair for pair in pairs if "unsure" not in pair)
    both_fail, first_only = decided["fails", "fails"], decided["fails", "holds"]
    second_only, both_hold = decided["holds", "fails"], decided["holds", "holds"]
    n = both_fail + first_only + second_only + both_hold
    return Agreement(
        name=name,
        n=n,
        unsure=len(pairs) - n,
        confusion=((both_fail, first_only), (second_only, both_hold)),
        agreement=_share(both_fail + both_hold, n),
        precision=_share(both_fail, both_fail + first_only),
        recall=_share(both_fail, both_fail + second_only),
        kappa=_kappa([[both_fail, first_only], [second_only, both_hold]]),
    )


def _share(count: int, of: int) -> Share:
    if not of:
        return Share(count=0, of=0, value=None, low=None, high=None)
    low, high = wilson_interval(count, of)
    return Share(count=count, of=of, value=count / of, low=low, high=high)


def _kappa(table: list[list[int]]) -> float | None:
    """Cohen's kappa, (p_o - p_e) / (1 - p_e) with the agreement observed and that expected from the margins.

    Source: J. Cohen, Educational and Psychological Measurement 20, 1960; computed by
    ``statsmodels.stats.inter_rater.cohens_kappa``.
    """
    rows = [sum(row) for row in table]
    columns = [sum(column) for column in zip(*table, strict=True)]
    if not sum(rows) or max(rows) == sum(rows) == max(columns):
        return None
    from statsmodels.stats.inter_rater import cohens_kappa

    compute: Callable[..., float] = cohens_kappa
    kappa = float(compute(table, return_results=False))
    return kappa if isfinite(kappa) else None
