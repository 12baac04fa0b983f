"""Attention for decoding: few queries on a CPU, and many conversations in one row.

torch's own kernel is made for many queries at once; with one or a few it takes half of the time of a step (measured
with 1,500 tokens of context, bf16: 43 ms a step against 22 ms with the two products below, 2 cores). Query heads that
share a key-value head are multiplied together, so nothing is copied. Many queries go to torch's kernel as before.
"""

from typing import Any, NamedTuple

_NAME = "lamsim_grouped"
_ROWS = "lamsim_rows"
FEW = 16
"""Queries up to which the two products are faster."""
_FAMILIES = frozenset({"llama", "mistral", "mixtral", "qwen2", "qwen3"})
"""Families whose attention is plain: no sinks, no capping of scores, nothing this function would leave out."""
_MOVING = frozenset({"dynamic", "longrope"})
"""Rotary embeddings that depend on the longest sequence of a pass, so that conversations would change each other."""


def use_grouped_attention(model: Any) -> None:
    """Let a model on the CPU attend by ``attend`` when its family is one of the plain ones."""
    if model.device.type != "cpu" or model.config.model_type not in _FAMILIES:
        return
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(_NAME, attend)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    model.set_attn_implementation(_NAME)


def can_attend_rows(model: Any) -> bool:
    """Whether ``attend_rows`` says all there is to say about this model's attention: plain, and no sliding windows."""
    config = model.config
    windows = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    windowed = getattr(config, "sliding_window", None) is not None and getattr(config, "use_sliding_window", True)
    rotary = getattr(config, "rope_parameters", None) or {}
    return config.model_type in _FAMILIES and not windows and not windowed and rotary.get("rope_type") not in _MOVING


def use_rows_attention(model: Any) -> None:
    """Let a model attend by ``attend_rows``. It then takes only caches of the kind of ``cache.Pass``."""
    from transformers import AttentionInterface

    # Without a mask function of that name transformers makes no mask.
    AttentionInterface.register(_ROWS, attend_rows)
    model.set_attn_implementation(_ROWS)


class Long(NamedTuple):
    """A conversation that feeds many tokens: where its queries begin and end, its slot, its keys, and its mask."""

    start: int
    end: int
    slot: int
    length: int
    mask: Any | None


class Grid(NamedTuple):
    """Conversations that feed few tokens: a row for each slot, a column for each query."""

    at: Any
    """Which queries of the pass they are."""
    rows: Any
    """The grid row of each."""
    columns: Any
    """The grid column of each."""
    first: int
    last: int
    """The slots that are the rows: from ``first`` to before ``last``."""
    width: int
    mask: Any
    """True where a key may be seen, (rows, 1, width, keys)."""


class Layer(NamedTuple):
    """What a layer may look at: keys and values of all slots, (slots, key-value heads, room, width), and who sees what."""

    keys: Any
    values: Any
    long: list[Long]
    grids: list[Grid]


def attend_rows(
    module: Any, query: Any, key: Layer, value: None, attention_mask: Any | None, **how: Any
) -> tuple[Any, None]:
    """Attention of conversations that stand one behind the other in a single row.

    Args:
        module: the attention layer.
        query: (1, heads, queries of all conversations, width).
        key: what ``cache.Pass.update`` gave.
        value: None.
        attention_mask: not looked at.
        how: passed on.

    Returns:
        (1, queries, heads, width), and no attention weights.
    """
    _, heads, queries, width = query.shape
    out = query.new_empty(1, queries, heads, width)
    for start, end, slot, length, mask in key.long:
        keys, values = (memory[slot : slot + 1, :, :length] for memory in (key.keys, key.values))
        out[:, start:end] = attend(module, query[:, :, start:end], keys, values, mask, **how)[0]
    for at, rows, columns, first, last, most, mask in key.grids:
        grid = query.new_zeros(last - first, heads, most, width)
        grid[rows, :, columns] = query[0, :, at].transpose(0, 1)
        keys, values = (memory[first:last, :, : mask.shape[-1]] for memory in (key.keys, key.values))
        out[0, at] = attend(module, grid, keys, values, mask, **how)[0][rows, columns]
    return out, None


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **how: Any,
) -> tuple[Any, None]:
    """Attention in the shape transformers asks for.

    Args:
        module: the attention layer.
        query: (batch, heads, queries, width).
        key: (batch, key-value heads, keys, width).
        value: as ``key``.
        attention_mask: true where a key may be seen, (batch, 1, queries, keys), or None when all may.
        dropout: passed on.
        scaling: factor of the scores.
        how: passed on.

    Returns:
        (batch, queries, heads, width), and no attention weights.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    batch, heads, queries, width = query.shape
    if queries > FEW or (attention_mask is None and queries > 1):
        attended, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **how
        )
        return attended, None
    shared = key.shape[1]
    grouped = (query * (width**-0.5 if scaling is None else scaling)).reshape(batch, shared, -1, width)
    scores = torch.matmul(grouped, key.transpose(2, 3)).view(batch, shared, heads // shared, queries, -1)
    if attention_mask is not None:
        scores = scores.masked_fill(attention_mask[:, :, None].logical_not(), float("-inf"))
    chances = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    mixed = torch.matmul(chances.view(batch, shared, -1, chances.shape[-1]), value)
    return mixed.view(batch, heads, queries, width).transpose(1, 2).contiguous(), None
