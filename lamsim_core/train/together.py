"""A batch of rows laid one behind the other in a single one, where what several begin with stands once.

Rows of one world that show the same tools begin with the same thousand tokens and differ in some three hundred. Read apart,
what they share is read, and gone back through, for each of them. Here it is read once and every row goes on from it, none
seeing another, at the positions it would have by itself: ``[shared, rest, rest, shared, rest, ...]``. Nothing is padded
either. The numbers are those of reading the rows apart, in the same batch.
"""

from collections.abc import Sequence
from itertools import compress, count
from operator import ne
from typing import Any, NamedTuple

from lamsim_core.records import Recipe
from lamsim_core.train.order import order
from lamsim_core.train.pieces import NAME, Span, can_share
from lamsim_core.train.rows import IGNORED, TokenRow

_WORTH = 0.5
"""Rows are alike that share at least this part of what the shorter of them has before its first trained token."""


class Laid(NamedTuple):
    """Rows as they stand in one."""

    places: list[tuple[int, int, int]]
    """Of each part, in order: the row it is taken from, and its first and last place (exclusive) there."""
    spans: tuple[Span, ...]
    """Of each part: where it stands, and where what it goes on from does."""


def families(rows: Sequence[TokenRow]) -> list[int]:
    """Of each row the number of its family: rows that begin alike have the same."""
    found = [0] * len(rows)
    family, first = -1, -1
    for row in sorted(range(len(rows)), key=lambda row: rows[row].input_ids):
        if first < 0 or not _alike(rows[first], rows[row]):
            family, first = family + 1, row
        found[row] = family
    return found


def lay(rows: Sequence[TokenRow]) -> Laid:
    """Where each part of some rows stands when those that follow each other and are alike share their beginning."""
    places: list[tuple[int, int, int]] = []
    spans: list[Span] = []
    at = start = 0
    while start < len(rows):
        end = start + 1
        while end < len(rows) and _alike(rows[start], rows[end]):
            end += 1
        shared = 0
        if end - start > 1:
            shared = min(_known(row) for row in rows[start:end])
            shared = min([shared, *(_common(rows[start].input_ids, row.input_ids) for row in rows[start + 1 : end])])
            places.append((start, 0, shared))
            spans.append(Span(at, at + shared, at, at))
        trunk, at = at, at + shared
        for row in range(start, end):
            length = rows[row].cost - shared
            places.append((row, shared, shared + length))
            spans.append(Span(at, at + length, trunk, trunk + shared))
            at += length
        start = end
    return Laid(places, tuple(spans))


class Reading(NamedTuple):
    """What a model reads of some rows."""

    tokens: int
    """In one pass over all of them, padding left out."""
    largest: int
    """In the batch that has most, padding included."""
    longest: int
    """Of the longest row."""


def reading(rows: Sequence[Any], recipe: Recipe) -> Reading:
    """What a model reads of rows of any method in batches of a recipe: laid together in SFT through the prompt, else padded."""
    lengths = [row.cost for row in rows]
    longest = max(lengths, default=0)
    if recipe.method != "sft" or not recipe.through_prompt:
        # Rows of like length share a batch, so the longest decides.
        return Reading(sum(lengths), recipe.batch_size * longest, longest)
    chosen = order(lengths, recipe.model_copy(update={"epochs": 1.0}), families(rows))
    size = recipe.batch_size
    batches = [lay([rows[row] for row in chosen[start : start + size]]) for start in range(0, len(chosen), size)]
    read = [batch.spans[-1].end for batch in batches]
    return Reading(sum(read), max(read, default=0), longest)


class Together:
    """Stands in for a model where TRL reads a padded batch, and reads it laid in one row."""

    def __init__(self, model: Any, attention: str) -> None:
        """``attention`` is the name of the model's attention."""
        self._model = model
        self._attention = attention

    def __call__(self, *, input_ids: Any, attention_mask: Any, labels: Any, **how: Any) -> Any:
        """Read the batch.

        Args:
            input_ids: the rows, padded on the right, (rows, tokens).
            attention_mask: 1 where there is a token.
            labels: the id of each trained token, ``IGNORED`` elsewhere.
            how: what else the model is told; with ``fused_lm_head=True`` it says something of each token.

        Returns:
            What the model says of the one row, (1, tokens of all parts).
        """
        import torch

        lengths = attention_mask.sum(1).tolist()
        rows = [
            TokenRow(ids[:length], wanted[:length])
            for ids, wanted, length in zip(input_ids.tolist(), labels.tolist(), lengths, strict=True)
        ]
        places, spans = lay(rows)
        ids, trained, positions = (
            torch.cat([of[start:end] for of, start, end in parts])[None]
            for parts in (
                [(input_ids[row], start, end) for row, start, end in places],
                [(labels[row], start, end) for row, start, end in places],
                [(torch.arange(end, device=input_ids.device), start, end) for _, start, end in places],
            )
        )
        if self._attention == NAME:
            # A mask of ones, lest the positions be taken for a sign of several rows that see nothing of each other.
            how |= {"attention_mask": torch.ones_like(ids), "spans": spans}
        else:
            how |= {"attention_mask": seen(spans, ids.shape[1]).to(ids.device)}
        return self._model(input_ids=ids, labels=trained, position_ids=positions, **how)


def seen(spans: Sequence[Span], tokens: int) -> Any:
    """Which token sees which, (1, 1, tokens, tokens)."""
    import torch

    mask = torch.zeros((tokens, tokens), dtype=torch.bool)
    for start, end, first, last in spans:
        mask[start:end, first:last] = True
        mask[start:end, start:end] = torch.ones((end - start, end - start), dtype=torch.bool).tril()
    return mask[None, None]


def trainer_class() -> type[Any]:
    """TRL's trainer for SFT, its batches laid in one row where the model takes that."""
    from trl import SFTTrainer

    class LaidTogether(SFTTrainer):  # type: ignore[misc]
        """Reads once what several rows of a batch begin with."""

        def compute_loss(self, model: Any, inputs: Any, *how: Any, **named: Any) -> Any:
            if can_share(self.model):
                model = Together(model, self.model.config.get_text_config()._attn_implementation)
            return super().compute_loss(model, inputs, *how, **named)

    return LaidTogether


def _alike(one: TokenRow, other: TokenRow) -> bool:
    shorter = min(_known(one), _known(other))
    return shorter > 0 and _common(one.input_ids, other.input_ids) >= _WORTH * shorter


def _known(row: TokenRow) -> int:
    """How many tokens a row has before the one from which its first trained token is foretold."""
    return next((place for place, label in enumerate(row.labels) if label != IGNORED), len(row.labels)) - 1


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two rows begin with alike."""
    return next(compress(count(), map(ne, one, other)), min(len(one), len(other)))
