"""Every model measured so far, by split: the newest measurement of each, with the benchmark from outside beside it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lamsim_core.evaluate.parts import is_model, rows_of
from lamsim_core.records import Evaluation, EvaluationRow, PolicyInfo, Split


class Measured(NamedTuple):
    """A model on a split."""

    row: EvaluationRow
    evaluation: str
    """Id of the evaluation."""
    created: str


class Outside(NamedTuple):
    """A model on the benchmark from outside."""

    passed: int
    planned: int

    @property
    def rate(self) -> float:
        """Share of all planned tasks that passed."""
        return self.passed / self.planned if self.planned else 0.0


class Standing(NamedTuple):
    """All that is known of a model."""

    policy: PolicyInfo
    """As in its newest measurement."""
    splits: Mapping[Split, Measured]
    outside: Outside | None

    @property
    def newest(self) -> Measured:
        """Its newest measurement."""
        return max(self.splits.values(), key=lambda each: each.created)

    @property
    def mean(self) -> float:
        """Mean pass rate over the splits it was measured on."""
        return sum(each.row.pass_rate for each in self.splits.values()) / len(self.splits)

    @property
    def errors_per_100(self) -> float | None:
        """Failed actions per 100 over these splits."""
        actions = sum(each.row.actions for each in self.splits.values())
        failed = sum((each.row.errors_per_100 or 0.0) * each.row.actions for each in self.splits.values())
        return failed / actions if actions else None


def leaderboard(
    evaluations: Iterable[Evaluation], benchmark: Sequence[tuple[PolicyInfo, Outside]] = ()
) -> list[Standing]:
    """The models, best mean first. Two adapters of one name are two models; evaluations of chosen tasks are left out.

    Args:
        evaluations: all there are.
        benchmark: what runs of the benchmark found, the newest first.
    """
    found: dict[tuple[str, str | None], dict[Split, Measured]] = {}
    for evaluation in sorted(evaluations, key=lambda each: each.created):
        if evaluation.asked.get("categories") or evaluation.asked.get("templates"):
            continue  # some kinds of tasks say nothing about a split
        for split in evaluation.parts:
            for row in rows_of(evaluation, split):
                if is_model(row.policy):
                    measured = Measured(row, evaluation.id, evaluation.created)
                    found.setdefault(_who(row.policy), {})[split] = measured
    outside: dict[tuple[str, str | None], Outside] = {}
    for policy, result in benchmark:
        outside.setdefault(_who(policy), result)
    standings = [
        Standing(max(splits.values(), key=lambda each: each.created).row.policy, splits, outside.get(who))
        for who, splits in found.items()
    ]
    return sorted(standings, key=lambda each: (-each.mean, each.policy.label))


def _who(policy: PolicyInfo) -> tuple[str, str | None]:
    return policy.label, policy.adapter_hash
