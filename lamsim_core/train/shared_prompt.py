"""Two answers to one prompt in one row: ``[prompt, answer, other answer]``, where neither answer sees the other.

TRL gives a model each prompt twice, once with each answer. A prompt of this product has many hundred tokens and an answer
some thirty, so nearly half of that work is done twice. Here the prompt is read once. Its last token is written before
each answer, because it is from there that the answer's first token is foretold; positions go on from the prompt for both.
The numbers are those of TRL's way, in its layout, so that its loss is computed by its own code.
"""

from types import SimpleNamespace
from typing import Any

from lamsim_core.train.as_given import read_as_given
from lamsim_core.train.rows import IGNORED

_PROMPT, _FIRST, _SECOND, _PADDING = range(4)
_PER_TOKEN = ("log_probs", "entropy", "mean_logits", "is_top1")


def read_both(
    model: Any, input_ids: Any, attention_mask: Any, labels: Any, *, through_prompt: bool = True
) -> SimpleNamespace:
    """What a model with TRL's fused head says about ``2 n`` rows of which ``i`` and ``n + i`` have the same prompt.

    Args:
        model: called with ``fused_lm_head=True``.
        input_ids: prompts with an answer each, padded on the right; first answers, then second ones.
        attention_mask: 1 where there is a token.
        labels: the answers' tokens, ``IGNORED`` elsewhere.
        through_prompt: whether gradients go through the prompt, too.

    Returns:
        The fused head's fields, each of ``2 n`` rows: at ``t`` the one of token ``t + 1``, zero where that is no answer's.
    """
    import torch
    from torch.nn.functional import pad

    pairs, width = len(input_ids) // 2, input_ids.shape[1]
    # The prompt less its last token is shared; what comes after it is each answer's own.
    shared = ((labels[:pairs] != IGNORED).int().argmax(1) - 1).tolist()
    ends = attention_mask.sum(1).tolist()
    parts = [(n, ends[row] - n, ends[pairs + row] - n) for row, n in enumerate(shared)]
    packed = max(sum(part) for part in parts)
    ids = input_ids.new_zeros((pairs, packed))
    positions, wanted = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    side = torch.full_like(ids, _PADDING)
    for row, (n, first, second) in enumerate(parts):
        middle, end = n + first, n + first + second
        ids[row, :middle] = input_ids[row, :middle]
        ids[row, middle:end] = input_ids[pairs + row, n : n + second]
        positions[row, :middle] = torch.arange(middle)
        positions[row, middle:end] = torch.arange(n, n + second)
        side[row, :n], side[row, n:middle], side[row, middle:end] = _PROMPT, _FIRST, _SECOND
        wanted[row, n : middle - 1] = ids[row, n + 1 : middle]
        wanted[row, middle : end - 1] = ids[row, middle + 1 : end]
    sees = (side[:, None, :] == _PROMPT) | (side[:, None, :] == side[:, :, None])
    sees &= torch.ones((packed, packed), dtype=torch.bool, device=ids.device).tril()
    known = 0 if through_prompt else min(shared)
    said = model(
        input_ids=ids[:, known:],
        attention_mask=sees[:, None, known:],
        position_ids=positions[:, known:],
        shift_labels=wanted[:, known:],
        fused_lm_head=True,
        past_key_values=read_as_given(model, ids[:, :known]) if known else None,
    )
    fields: dict[str, Any] = {"aux_loss": None}
    for name in _PER_TOKEN:
        value = getattr(said, name)
        if value is not None:
            value = pad(value, (known, 0))
            laid = value.new_zeros((2 * pairs, width - 1))
            for row, (n, first, second) in enumerate(parts):
                middle, end = n + first, n + first + second
                laid[row, n : middle - 1] = value[row, n : middle - 1]
                laid[pairs + row, n : n + second - 1] = value[row, middle : end - 1]
            value = laid
        fields[name] = value
    return SimpleNamespace(**fields)


class Pairs:
    """Stands in for a model where TRL reads a batch of pairs, first answers before second ones."""

    def __init__(self, model: Any, *, through_prompt: bool) -> None:
        self._model = model
        self._through_prompt = through_prompt

    def __call__(self, *, input_ids: Any, attention_mask: Any, labels: Any, **_: Any) -> SimpleNamespace:
        """Read the batch."""
        return read_both(self._model, input_ids, attention_mask, labels, through_prompt=self._through_prompt)


class Whole:
    """Stands in for a model that reads each row by itself, and keeps what it said of the answers, asked for last."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.answers: Any = None
        """What was said last."""

    def read(self) -> None:
        """Nothing can be read beforehand."""

    def __call__(self, **how: Any) -> Any:
        """Ask the model."""
        self.answers = self._model(**how)
        return self.answers


class Halves:
    """Stands in for a model where TRL reads a batch of answers and, separately, the same prompts with other answers.

    Both are read at the first call, or by ``read``.
    """

    def __init__(self, model: Any, batch: dict[str, Any], *, through_prompt: bool) -> None:
        self._model = model
        self._batch = batch
        self._through_prompt = through_prompt
        self.answers: Any = None
        """What was said of the answers themselves."""
        self._others: Any = None

    def read(self) -> None:
        """Read both halves."""
        if self.answers is not None:
            return
        both = self._both()
        labels = both["input_ids"].masked_fill(both["completion_mask"] == 0, IGNORED)
        rows = both["input_ids"], both["attention_mask"], labels
        said = read_both(self._model, *rows, through_prompt=self._through_prompt)
        count = len(self._batch["input_ids"])
        self.answers, self._others = (
            SimpleNamespace(
                **{
                    name: None if value is None else value[rows, : self._batch[f"{half}input_ids"].shape[1] - 1]
                    for name, value in vars(said).items()
                }
            )
            for half, rows in (("", slice(count)), ("KL_", slice(count, None)))
        )

    def _both(self) -> dict[str, Any]:
        """The rows of both halves, padded to the same width."""
        import torch
        from torch.nn.functional import pad

        widest = max(self._batch[f"{half}input_ids"].shape[1] for half in ("", "KL_"))
        return {
            name: torch.cat(
                [pad(rows, (0, widest - rows.shape[1])) for rows in (self._batch[name], self._batch[f"KL_{name}"])]
            )
            for name in ("input_ids", "attention_mask", "completion_mask")
        }

    def __call__(self, *, input_ids: Any, **_: Any) -> Any:
        """What was said of one half."""
        import torch

        self.read()
        return self.answers if torch.equal(input_ids, self._batch["input_ids"]) else self._others
