"""What an adapter was measured at: its rows of stored evaluations, each beside its base model's."""

from collections.abc import Collection
from typing import NamedTuple

from lamsim_core.records import Comparison, Evaluation, EvaluationRow
from lamsim_core.store import Index
from lamsim_core.store.queries import evaluations


class Measured(NamedTuple):
    """An adapter's result in one evaluation."""

    evaluation: Evaluation
    row: EvaluationRow
    base: EvaluationRow | None
    """The base model's result on the same attempts, when it took part."""
    comparison: Comparison | None
    """From the base model to the adapter."""

    @property
    def attempts(self) -> str:
        """What it was tried on, in words."""
        evaluation = self.evaluation
        times = "" if evaluation.attempts == 1 else f", {evaluation.attempts} attempts each"
        return f"{len(evaluation.task_keys):,} tasks of {evaluation.split.replace('_', ' ')}{times}"


def measured(index: Index, adapters: Collection[str], base: str) -> tuple[Measured, ...]:
    """Every stored result of an adapter, the newest first.

    Args:
        index: the store's.
        adapters: the adapter's ids: a shipped one has one of its own and that of the one it was made from.
        base: name of its base model.
    """
    found = []
    for evaluation in evaluations(index):
        plain = next((r for r in evaluation.rows if r.policy.label == base and r.policy.adapter is None), None)
        for row in evaluation.rows:
            if row.policy.adapter is not None and row.policy.adapter in adapters:
                labels = (base, row.policy.label)
                compared = next((c for c in evaluation.comparisons if (c.first, c.second) == labels), None)
                found.append(Measured(evaluation, row, plain, compared))
    return tuple(found)
