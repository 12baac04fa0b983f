"""The rows of a dataset as training reads them, in a form that can be shown: every token, and what becomes of it.

Made by the very functions that training uses, never by a likeness of them.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from lamsim_core.curate.datasets import get_dataset, load_rows
from lamsim_core.errors import ModelError, TrainingError
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.vocabulary import Vocabulary
from lamsim_core.records import DatasetKind, Record
from lamsim_core.settings import Settings
from lamsim_core.train.pairs import tokenize_labels
from lamsim_core.train.preflight import trainable
from lamsim_core.train.rows import IGNORED, Row, RowTokenizer, TokenRow

StretchKind = Literal["trained", "masked", "special", "tools", "text"]
"""In the loss; the agent's own words but left out of the loss; a control token; the tools; anything else that is read."""


class Stretch(Record):
    """Tokens that follow one another and share their fate."""

    kind: StretchKind
    start: int
    end: int
    """Exclusive."""
    text: str


class TokenSide(Record):
    """One sequence of tokens that the model reads."""

    title: str
    """Which side of a comparison it is; empty where there is none."""
    ids: tuple[int, ...]
    stretches: tuple[Stretch, ...]

    @property
    def trained(self) -> int:
        """Tokens in the loss."""
        return sum(each.end - each.start for each in self.stretches if each.kind == "trained")


class ShownRow(Record):
    """One row as training reads it."""

    sides: tuple[TokenSide, ...] = ()
    problem: str = ""
    """Why training cannot read it, as a sentence."""


class Sheet(Record):
    """All rows of a dataset as training reads them."""

    texts: dict[int, str]
    """What each token says by itself."""
    tokens: tuple[int, ...]
    """Tokens of each row, of its longest side; 0 where it cannot be read."""
    trained: tuple[int, ...]
    """Tokens of each row that are in the loss, all sides together."""
    rows: tuple[str, ...]
    """Each row as JSON of a ``ShownRow``: only those that are looked at are taken apart."""

    def row(self, number: int) -> ShownRow:
        """One row, counted from 0."""
        return ShownRow.model_validate_json(self.rows[number])

    def dropped(self, number: int, max_length: int) -> str | None:
        """Why training leaves a row out, in a few words, or None when it is trained on."""
        if not self.tokens[number]:
            return "cannot be read"
        if self.tokens[number] > max_length:
            return "too long"
        return None if self.trained[number] else "nothing to learn"


def read_sheet(settings: Settings, dataset_id: str, model: str) -> Sheet:
    """The rows of a dataset as training an adapter of this model reads them.

    Raises:
        NotFoundError: no such dataset or model.
        InvalidInputError: the dataset is damaged, or the model is not one that can be trained.
        ModelError: the model is not available.
        TrainingError: its chat template cannot be trained on.
    """
    entry = trainable(settings, model)
    folder, _ = model_folder(settings, entry)
    kind = get_dataset(settings, dataset_id).kind
    return make_sheet(load_tokenizer(settings, entry, folder), kind, load_rows(settings, dataset_id))


def make_sheet(tokenizer: Any, kind: DatasetKind, rows: Iterable[Row]) -> Sheet:
    """Read rows as training reads rows of this kind.

    Raises:
        TrainingError: the chat template cannot be trained on.
    """
    vocabulary = Vocabulary(tokenizer)
    read = _READERS[kind](tokenizer, vocabulary)
    used: dict[int, None] = {}
    shown: list[ShownRow] = []
    for row in rows:
        try:
            shown.append(ShownRow(sides=tuple(read(row))))
        except (ModelError, TrainingError) as error:
            shown.append(ShownRow(problem=str(error)))
        used.update(dict.fromkeys(token for side in shown[-1].sides for token in side.ids))
    return Sheet(
        texts=dict(zip(used, vocabulary.texts(list(used)), strict=True)),
        tokens=tuple(max((len(side.ids) for side in each.sides), default=0) for each in shown),
        trained=tuple(_learned(each.sides) for each in shown),
        rows=tuple(each.model_dump_json() for each in shown),
    )


def _learned(sides: Sequence[TokenSide]) -> int:
    """Tokens in the loss of one row; none where two sides are the same, since such a row teaches nothing."""
    same = len(sides) > 1 and len({side.ids for side in sides}) == 1
    return 0 if same else sum(side.trained for side in sides)


def _attempts(tokenizer: Any, vocabulary: Vocabulary) -> Callable[[Row], list[TokenSide]]:
    make = RowTokenizer(tokenizer)

    def read(row: Row) -> list[TokenSide]:
        tokens = make(row)
        masked: list[int] = tokens.labels
        if any(message.get("weight") == 0 for message in row["messages"]):
            bare = [{key: value for key, value in message.items() if key != "weight"} for message in row["messages"]]
            masked = make({**row, "messages": bare}).labels
        return [_side(vocabulary, "", tokens, masked)]

    return read


def _pairs(tokenizer: Any, vocabulary: Vocabulary) -> Callable[[Row], list[TokenSide]]:
    def read(row: Row) -> list[TokenSide]:
        sides = (("Chosen", row["chosen"]), ("Rejected", row["rejected"]))
        return [_answer(tokenizer, vocabulary, row, title, answer) for title, answer in sides]

    return read


def _labels(tokenizer: Any, vocabulary: Vocabulary) -> Callable[[Row], list[TokenSide]]:
    def read(row: Row) -> list[TokenSide]:
        return [_answer(tokenizer, vocabulary, row, "Right" if row["label"] else "Wrong", row["completion"])]

    return read


def _answer(tokenizer: Any, vocabulary: Vocabulary, row: Row, title: str, answer: list[Row]) -> TokenSide:
    """A prompt and one answer to it, as DPO and KTO read them: the answer is trained."""
    labelled = {"prompt": row["prompt"], "tools": row["tools"], "completion": answer, "label": True}
    (tokens,) = tokenize_labels(tokenizer, [labelled], sys.maxsize).rows
    prompt, own = tokens.prompt_ids, tokens.completion_ids
    labels = [*[IGNORED] * len(prompt), *own]
    return _side(vocabulary, title, TokenRow(prompt + own, labels), labels)


_READERS: dict[DatasetKind, Callable[[Any, Vocabulary], Callable[[Row], list[TokenSide]]]] = {
    "sft": _attempts,
    "preference": _pairs,
    "labels": _labels,
}


def _side(vocabulary: Vocabulary, title: str, tokens: TokenRow, own: Sequence[int]) -> TokenSide:
    """One sequence in stretches.

    Args:
        vocabulary: spells it.
        title: which side it is.
        tokens: the sequence.
        own: labels by which everything the agent wrote would be trained.
    """
    fates = [
        "trained" if label != IGNORED else "masked" if mine != IGNORED else "context"
        for label, mine in zip(tokens.labels, own, strict=True)
    ]
    found: list[Stretch] = []
    start = 0
    for place in range(1, len(fates) + 1):
        if place < len(fates) and fates[place] == fates[start]:
            continue
        ids = tokens.input_ids[start:place]
        if fates[start] == "context":
            for piece in vocabulary.pieces(ids):
                found.append(Stretch(kind=piece.kind, start=start, end=start + piece.tokens, text=piece.text))
                start += piece.tokens
        else:
            kind: StretchKind = "trained" if fates[start] == "trained" else "masked"
            found.append(Stretch(kind=kind, start=start, end=place, text=vocabulary.spelled(ids)))
        start = place
    return TokenSide(title=title, ids=tuple(tokens.input_ids), stretches=tuple(found))
