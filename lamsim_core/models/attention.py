"""Attention for decoding: few queries on a CPU, and many conversations in one row.

torch's own kernel is made for many queries at once; with one or a few it takes half of the time of a step (measured
with 1,500 tokens of context, bf16: 43 ms a step against 22 ms with the two products below, 2 cores). Query heads that
share a key-value head are multiplied together, so nothing is copied. Of a single conversation, many queries go to torch's
kernel.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

_NAME = "lamsim_grouped"
_ROWS = "lamsim_rows"
_FEW = 16
"""Queries up to which the two products are faster."""
PIECE = 128
"""Queries of one conversation that are looked at together."""
_SPARE = 1.25
"""A whole region is shown when it has room for less than so many times the keys. A part of one would be copied by torch's
product in 16 bits, which costs more than to look at masked keys."""
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


class Many(NamedTuple):
    """A conversation that feeds many tokens."""

    start: int
    end: int
    """Its queries: from ``start`` to before ``end``."""
    first: int
    last: int
    """Its pages of all heads, likewise."""
    length: int
    """Keys it has."""


class Few(NamedTuple):
    """Conversations that feed few tokens each: a row for each, a column for each query, and the pages they look at."""

    at: Any
    """Which queries of the pass they are."""
    rows: Any
    columns: Any
    """The row and the column of each."""
    shape: tuple[int, int, int]
    """Rows, columns, and pages of the longest conversation."""
    stretch: tuple[int, int] | None
    """The part of the memory that is multiplied as it is, or None when the used pages are copied out of it."""
    used: Any
    """The used pages, counted from the beginning of the stretch if there is one."""
    asked: Any
    """Whose queries each page that is multiplied is asked: row times heads, and head."""
    owners: Any
    places: Any
    """Whose each used page is, and the how manieth of that conversation."""
    mask: Any
    """What is added to the scores of each page that is multiplied, (pages, 1, columns, keys): nothing, or very little."""


class Layer(NamedTuple):
    """What a layer may look at: keys and values, (pages of all heads, keys, width), and who sees what."""

    keys: Any
    values: Any
    heads: int
    """Key-value heads."""
    many: Sequence[Many]
    few: Few | None
    masks: dict[tuple[int, int], Any]
    """Masks of torch's kernel, by queries and keys: made in the first layer, kept for the others of the same pass."""


def attend_rows(
    module: Any,
    query: Any,
    key: Layer,
    value: None,
    attention_mask: Any | None,
    scaling: float | None = None,
    **how: Any,
) -> tuple[Any, None]:
    """Attention of conversations that stand one behind the other in a single row.

    Args:
        module: the attention layer.
        query: (1, heads, queries of all conversations, width).
        key: what ``cache.Pass.update`` gave.
        value: None.
        attention_mask: not looked at.
        scaling: factor of the scores.
        how: not looked at.

    Returns:
        (1, queries, heads, width), and no attention weights.
    """
    _, heads, queries, width = query.shape
    scaling = width**-0.5 if scaling is None else scaling
    out = query.new_empty(queries, heads, width)
    for start, end, first, last, length in key.many:
        keys, values = (memory[first:last].view(key.heads, -1, width) for memory in (key.keys, key.values))
        _attend_last(query[0, :, start:end], keys, values, length, scaling, key.masks, out[start:end])
    if key.few is not None:
        out[key.few.at] = _attend_pages(query[0, :, key.few.at], key, key.few, scaling)
    return out[None], None


def _attend_pages(query: Any, layer: Layer, few: Few, scaling: float) -> Any:
    """Attention to each page by itself, then to the pages by what they weigh: no conversation waits for the longest.

    That is the split of Flash-Decoding (Dao et al. 2023): a softmax over all keys is one within each part, weighted by
    a softmax over the parts' sums.

    Args:
        query: (heads, queries, width).

    Returns:
        (queries, heads, width).
    """
    import torch

    heads, _, width = query.shape
    count, columns, longest = few.shape
    grid = query.new_zeros(count, heads, columns, width)
    grid[few.rows, :, few.columns] = (query * scaling).transpose(0, 1)
    asked = grid.view(count * layer.heads, -1, width)[few.asked]
    keys, values = layer.keys, layer.values
    if few.stretch is None:
        keys, values = keys[few.used], values[few.used]
    else:
        keys, values = keys[slice(*few.stretch)], values[slice(*few.stretch)]
    scores = torch.bmm(asked, keys.transpose(1, 2))
    scores.view(len(scores), -1, columns, scores.shape[-1]).add_(few.mask)
    chances = torch.softmax(scores, dim=-1)
    mixed = torch.bmm(chances, values)
    weights = scores.amax(dim=-1).float() - chances.amax(dim=-1).float().log()  # the logarithm of the scores' sum
    if few.stretch is not None:
        mixed, weights = mixed[few.used], weights[few.used]
    table = weights.new_full((count * layer.heads, longest, weights.shape[-1]), float("-inf"))
    table[few.owners, few.places] = weights
    weights = torch.softmax(table, dim=1)[few.owners, few.places]
    out = weights.new_zeros(count * layer.heads, weights.shape[-1], width)
    out.index_add_(0, few.owners, mixed * weights[..., None])
    return out.view(count, heads, columns, width)[few.rows, :, few.columns].to(query.dtype)


def _attend_last(
    query: Any, key: Any, value: Any, length: int, scaling: float, masks: dict[tuple[int, int], Any], out: Any
) -> None:
    """Attention of queries that are the last of some keys, each of which sees the keys up to itself.

    On a CPU they are taken a piece at a time, since no piece needs the keys behind it. In 16 bits two products with a
    softmax between them take half the time of torch's kernel (512 queries at 1,024 keys: 4.4 ms against 9.1, 2 cores);
    in 32 bits they take longer.

    Args:
        query: (heads, queries, width).
        key: (key-value heads, room, width).
        value: as ``key``.
        length: how many keys there are.
        scaling: factor of the scores.
        masks: of torch's kernel; what is missing is added.
        out: is filled, (queries, heads, width).
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    heads, queries, width = query.shape
    shared, room = key.shape[:2]
    on_cpu = query.device.type == "cpu"
    for begin, end, seen in pieces(queries, length, PIECE if on_cpu else queries):
        some = query[None, :, begin:end]
        if on_cpu and query.dtype is torch.bfloat16:
            shown = room if room < _SPARE * seen else seen
            mask = corner(end - begin, shown - seen, query.dtype)
            mixed = _products(some, key[None, :, :shown], value[None, :, :shown], mask, scaling)
        else:
            if (end - begin, seen) not in masks:
                masks[end - begin, seen] = _seen(end - begin, seen, heads // shared, query.dtype, query.device)
            mask = masks[end - begin, seen]
            grouped = some.reshape(1, shared, -1, width)
            mixed = scaled_dot_product_attention(
                grouped, key[None, :, :seen], value[None, :, :seen], attn_mask=mask, scale=scaling
            )
        out[begin:end] = mixed.view(heads, end - begin, width).transpose(0, 1)


def pieces(queries: int, keys: int, step: int = PIECE) -> list[tuple[int, int, int]]:
    """Pieces of queries that are the last of some keys: where each begins and ends, and how many keys it sees."""
    ends = [min(queries, begin + step) for begin in range(0, queries, step)]
    return [(begin, end, keys - queries + end) for begin, end in zip(range(0, queries, step), ends, strict=True)]


@lru_cache(maxsize=64)
def corner(queries: int, beyond: int, dtype: Any) -> Any:
    """What is added to the scores of the newest keys and of the room behind them, (queries, queries + beyond)."""
    import torch

    return torch.full((queries, queries + beyond), torch.finfo(dtype).min, dtype=dtype).triu(1)


def _seen(queries: int, keys: int, heads: int, dtype: Any, device: Any) -> Any:
    """The same for all keys, once for each head that shares them, (heads * queries, keys)."""
    import torch

    mask = torch.zeros(queries, keys, dtype=dtype, device=device)
    mask[:, -queries:] = corner(queries, 0, dtype).to(device)
    return mask.repeat(heads, 1)


def _products(query: Any, key: Any, value: Any, mask: Any, scaling: float) -> Any:
    """Attention as two products; query heads that share a key-value head are multiplied together, so nothing is copied.

    Args:
        query: (batch, heads, queries, width).
        key: (batch, key-value heads, keys, width).
        value: as ``key``.
        mask: what is added to the scores of the last keys, (queries, last keys) or with (batch, 1, 1) before; None adds
            nothing.
        scaling: factor of the scores.

    Returns:
        (batch, heads, queries, width).
    """
    import torch

    batch, heads, queries, width = query.shape
    shared = key.shape[1]
    grouped = (query * scaling).reshape(batch, shared, -1, width)
    scores = torch.matmul(grouped, key.transpose(2, 3)).view(batch, shared, heads // shared, queries, -1)
    if mask is not None:
        scores[..., -mask.shape[-1] :] += mask
    chances = torch.softmax(scores, dim=-1)  # in 32 bits inside
    return torch.matmul(chances.view(batch, shared, -1, chances.shape[-1]), value).view(batch, heads, queries, width)


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
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    queries, width = query.shape[2:]
    if queries > _FEW or (attention_mask is None and queries > 1):
        attended, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **how
        )
        return attended, None
    if attention_mask is not None:
        attention_mask = added(attention_mask[:, :, None], query.dtype)
    mixed = _products(query, key, value, attention_mask, width**-0.5 if scaling is None else scaling)
    return mixed.transpose(1, 2).contiguous(), None


def added(mask: Any, dtype: Any) -> Any:
    """A mask that is true where a key may be seen, as what is added to its score.

    The least number rather than minus infinity: a query that sees none of some keys has chances there, if senseless ones.
    """
    import torch

    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask.logical_not(), torch.finfo(dtype).min)
