"""What an evaluation says of one of its splits or of all together, whenever it was made."""

from lamsim_core.records import Comparison, Evaluation, EvaluationRow, PolicyInfo, Split

PLAIN_KINDS = ("gold", "random", "noop")
"""Kinds of policies without a model: what they do is known beforehand, so they show that the measuring is sound."""


def rows_of(evaluation: Evaluation, split: Split | None = None) -> list[EvaluationRow]:
    """The rows of a split, one for each policy; over all tasks without one."""
    wanted = split if len(evaluation.parts) > 1 else None
    return [row for row in evaluation.rows if row.split == wanted]


def compared(evaluation: Evaluation, first: str, second: str, split: Split | None = None) -> Comparison | None:
    """The comparison of two policies by name, in this order, on a split or on all tasks; None when there is none."""
    wanted = split if len(evaluation.parts) > 1 else None
    return next(
        (each for each in evaluation.comparisons if (each.first, each.second, each.split) == (first, second, wanted)),
        None,
    )


def is_model(policy: PolicyInfo) -> bool:
    """Whether it is worth comparing: not one of those whose results are known beforehand."""
    return policy.kind not in PLAIN_KINDS


def telling(evaluation: Evaluation) -> list[Comparison]:
    """The comparisons of models with each other; all of them where there is none of these."""
    models = {row.policy.label for row in evaluation.rows if is_model(row.policy)}
    between = [each for each in evaluation.comparisons if models.issuperset((each.first, each.second))]
    return between or list(evaluation.comparisons)
