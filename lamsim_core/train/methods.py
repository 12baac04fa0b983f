"""The methods of training, one beside the other: what each learns from, and who does it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lamsim_core.errors import InvalidInputError, TrainingError
from lamsim_core.records import Dataset, DatasetKind, Method, Recipe
from lamsim_core.train import preference, sft, world
from lamsim_core.train.pairs import LabelRow, tokenize_labels, tokenize_pairs
from lamsim_core.train.rows import Row, TokenRows, tokenize_rows
from lamsim_core.train.running import Trained


class Way(NamedTuple):
    """A method."""

    kind: DatasetKind
    """What its datasets hold."""
    title: str
    """Its name for people."""
    learns: str
    """What the loss is on, for a model card."""
    tokenize: Callable[[Any, Iterable[Row], int], TokenRows[Any]]
    train: Callable[..., Trained]


METHODS: dict[Method, Way] = {
    "sft": Way("sft", "SFT", "loss on the assistant's own tokens only", tokenize_rows, sft.train),
    "dpo": Way("preference", "DPO", "the better of two answers to the same prompt", tokenize_pairs, preference.train),
    "kto": Way("labels", "KTO", "single answers, each known to be right or wrong", tokenize_labels, preference.train),
}
"""Every method."""

HOLDS: dict[DatasetKind, str] = {
    "sft": "whole attempts (kind sft)",
    "preference": "pairs of answers (kind preference)",
    "labels": "answers marked right or wrong (kind labels)",
}
"""What the rows of a kind of dataset are, for people."""


def method_for(kind: DatasetKind) -> Method:
    """The method that learns from datasets of this kind."""
    return next(method for method, way in METHODS.items() if way.kind == kind)


def require_fit(dataset: Dataset, recipe: Recipe) -> None:
    """Refuse a recipe that cannot train on a dataset.

    Raises:
        InvalidInputError: it cannot; says what to do instead.
    """
    way = METHODS[recipe.method]
    if dataset.kind != way.kind:
        raise InvalidInputError(
            f"{way.title} learns from {HOLDS[way.kind]}, but the dataset {dataset.name!r} holds {HOLDS[dataset.kind]}."
            f" Train on it with the method {method_for(dataset.kind)}, or choose a dataset of kind {way.kind}."
        )
    if recipe.method == "kto" and recipe.batch_size < 2:
        raise InvalidInputError("KTO compares the answers that are read at once. Let it read at least 2 rows at once.")


def tokenize(method: Method, tokenizer: Any, rows: Iterable[Row], max_length: int) -> TokenRows[Any]:
    """The rows of a dataset as a method needs them.

    Raises:
        TrainingError: a row cannot be used; or, for KTO, all answers are right or all are wrong.
    """
    tokens = METHODS[method].tokenize(tokenizer, rows, max_length)
    labels = {row.label for row in tokens.rows if isinstance(row, LabelRow)}
    if len(labels) == 1:
        raise TrainingError(
            f"Every answer that could be trained on is {'right' if labels.pop() else 'wrong'}. KTO learns from both:"
            " choose a dataset with right and wrong answers."
        )
    return tokens


def train(rows: Sequence[Any], base: Path, tokenizer: Any, recipe: Recipe, work: Path, **how: Any) -> Trained:
    """Train by the recipe's method; arguments as those of ``sft.train`` and ``preference.train``.

    Raises:
        StoppedError: a stop was asked for; what was learnt is saved.
        TrainingError: the loss is not a number any more.
    """
    work, how["run"] = world.told((work, how["run"]))
    return METHODS[recipe.method].train(rows, base, tokenizer, recipe, work, **how)
