"""Training that takes the prompt as given: it is read once without gradients, and only what comes after it is learnt from.

In rows of this product some nine tokens of ten are read and not trained on: tools, instructions, the request. To go back through
them takes twice the time of reading them. Without it the loss is the same; its gradient leaves out how reading the prompt
otherwise would have changed the replies, as in training with truncated backpropagation (Transformer-XL, section 3.2).
"""

from typing import Any

from lamsim_core.train.rows import IGNORED


def read_prompt(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Read what all rows of a batch have before their first trained token, and return the batch that is left.

    Args:
        model: a causal language model.
        inputs: ``input_ids``, ``attention_mask`` and ``labels``, padded on the right, (rows, tokens).

    Returns:
        The same with what was read left out of ``input_ids`` and ``labels`` and kept in ``past_key_values``. The token
        before the first trained one, from which that is foretold, is never left out.
    """
    ids, labels = inputs["input_ids"], inputs["labels"]
    known = int((labels != IGNORED).int().argmax(dim=1).min()) - 1
    if known < 1:
        return inputs
    held = read_as_given(model, ids[:, :known])
    return {**inputs, "input_ids": ids[:, known:], "labels": labels[:, known:], "past_key_values": held}


def read_as_given(model: Any, ids: Any) -> Any:
    """The keys and values of tokens that every row of a batch begins with, none of them padding, without gradients."""
    import torch

    with torch.no_grad():
        read = model(input_ids=ids, use_cache=True, logits_to_keep=1)
    # Mixed precision keeps the adapter's weights as it rounded them, here without gradients.
    torch.clear_autocast_cache()
    return read.past_key_values


def trainer_class() -> type[Any]:
    """TRL's trainer for SFT, with the prompt taken as given."""
    from trl import SFTTrainer

    class FromReplies(SFTTrainer):  # type: ignore[misc]
        """Goes back through what comes after the prompt only."""

        def compute_loss(self, model: Any, inputs: Any, *how: Any, **named: Any) -> Any:
            return super().compute_loss(model, read_prompt(model, inputs), *how, **named)

    return FromReplies
