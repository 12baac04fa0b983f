"""What an adapter was measured at: its rows of stored evaluations, each beside its base model's."""

from collections.abc import Collection
from typing import NamedTuple

from lamsim_core.records import Comparison, Evaluation, EvaluationRow, Split
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
        each = len(evaluation.task_keys) // len(evaluation.parts)
        return f"{each:,} tasks of {self.split.replace('_', ' ')}{times}"

    @property
    def split(self) -> Split:
        """Whose tasks they were."""
        return self.row.split or self.evaluation.split


def measured(index: Index, adapters: Collection[str], base: str) -> tuple[Measured, ...]:
    """Every stored result of an adapter, the newest first; of an evaluation of several splits, one for each.

    Attempts that several evaluations compare count once, in the newest.

    Args:
        index: the store's.
        adapters: the adapter's ids: a shipped one has one of its own and that of the one it was made from.
        base: name of its base model.
    """
    found = []
    seen: set[tuple[str, Split | None]] = set()
    for evaluation in evaluations(index):
        for row in evaluation.rows:
            if row.policy.adapter is None or row.policy.adapter not in adapters:
                continue
            if row.split is None and len(evaluation.parts) > 1:
                continue  # over all splits together
            if (row.run, row.split) in seen:
                continue  # the same attempts, beside which further models were tried later
            seen.add((row.run, row.split))
            beside = (r for r in evaluation.rows if r.policy.label == base and r.policy.adapter is None)
            plain = next((r for r in beside if r.split == row.split), None)
            labels = (base, row.policy.label, row.split)
            compared = next((c for c in evaluation.comparisons if (c.first, c.second, c.split) == labels), None)
            found.append(Measured(evaluation, row, plain, compared))
    return tuple(found)
