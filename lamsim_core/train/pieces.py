"""Attention for training on a CPU in 16 bits: products in pieces, forward and back.

torch's kernel there multiplies by MKL, which on some processors has no unit for 16 bits, and gives up its leave to skip what is
masked once the keys begin before the queries. With 300 queries at 950 keys it takes 20.3 ms forward and back, these
products 8.3; with 900 at 900, 30.8 and 16.7 (2 cores, 9 heads over 3).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from lamsim_core.models.attention import can_attend_rows, corner, pieces

NAME = "lamsim_pieces"


class Span(NamedTuple):
    """Tokens of a row that holds several conversations, and those before them that they go on from."""

    start: int
    end: int
    """From ``start`` to before ``end``: each sees those of the span up to itself."""
    first: int
    last: int
    """All of them see those from ``first`` to before ``last``, too; none when both are the same."""


def use_pieces(model: Any) -> None:
    """Let a model attend in pieces where that is faster: on a CPU in 16 bits, its attention plain."""
    import torch

    if model.device.type != "cpu" or model.dtype is not torch.bfloat16 or not can_attend_rows(model):
        return
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(NAME, attend_in_pieces)
    AttentionMaskInterface.register(NAME, mask_if_needed)
    model.set_attn_implementation(NAME)


def can_share(model: Any) -> bool:
    """Whether a model reads conversations that share their beginning in one row.

    Its attention is torch's, which takes a mask of ours, or this one, and it is no mixture that balances experts.
    """
    config = model.config.get_text_config()
    return config._attn_implementation in ("sdpa", NAME) and not hasattr(config, "output_router_logits")


def mask_if_needed(*sizes: Any, attention_mask: Any | None = None, mask_function: Any = None, **how: Any) -> Any | None:
    """The mask that transformers makes, or None when each token sees those before it and padding comes last.

    Padding that comes last is seen by no token that counts.
    """
    from transformers.masking_utils import causal_mask_function, sdpa_mask

    plain = mask_function is None or mask_function is causal_mask_function
    if plain and (attention_mask is None or bool((attention_mask[:, 1:] <= attention_mask[:, :-1]).all())):
        return None
    given = {} if mask_function is None else {"mask_function": mask_function}
    return sdpa_mask(*sizes, attention_mask=attention_mask, **given, **how)


def attend_in_pieces(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any | None,
    *,
    spans: Sequence[Span] | None = None,
    **how: Any,
) -> tuple[Any, None]:
    """As ``attention.attend``, but without a mask each query, the last of the keys, sees those up to itself.

    With a mask or dropout, and in 32 bits, torch's kernel attends. With ``spans`` each of them attends by itself.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if spans is not None:
        parts = []
        for start, end, first, last in spans:
            keys, values = (torch.cat((of[:, :, first:last], of[:, :, start:end]), dim=2) for of in (key, value))
            parts.append(attend_in_pieces(module, query[:, :, start:end], keys, values, attention_mask, **how)[0])
        return torch.cat(parts, dim=1), None
    if attention_mask is not None or how.get("dropout") or query.dtype is not torch.bfloat16:
        if attention_mask is None and query.shape[2] != key.shape[2]:
            # Torch's kernel would take the queries for the first of the keys.
            attention_mask = query.new_ones(query.shape[2], key.shape[2], dtype=torch.bool).tril(
                key.shape[2] - query.shape[2]
            )[None, None]
        attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **how)
        return attended, None
    batch, heads, queries, width = query.shape
    groups, scaling = batch * key.shape[1], how.get("scaling")
    with torch.autocast("cpu", enabled=False):
        attended = _function().apply(
            query.reshape(groups, -1, queries, width),
            key.reshape(groups, -1, width),
            value.reshape(groups, -1, width),
            width**-0.5 if scaling is None else scaling,
        )
    return attended.view(batch, heads, queries, width).transpose(1, 2).contiguous(), None


@cache
def _function() -> Any:
    """The products and their derivatives, made when first needed."""
    import torch

    class Pieces(torch.autograd.Function):  # type: ignore[misc]
        """softmax(scaling Q K^T + mask) V for heads that share keys, and its gradient (Vaswani et al. 2017, section 3.2.1)."""

        @staticmethod
        def forward(ctx: Any, query: Any, key: Any, value: Any, scaling: float) -> Any:
            """``query`` (groups, heads, queries, width), ``key`` and ``value`` (groups, keys, width); as ``query``."""
            groups, _, queries, width = query.shape
            out = torch.empty_like(query)
            kept = []
            for begin, end, seen in pieces(queries, key.shape[1]):
                asked = (query[:, :, begin:end] * scaling).reshape(groups, -1, width)
                scores = torch.bmm(asked, key[:, :seen].transpose(1, 2))
                newest = scores.view(groups, -1, end - begin, seen)[..., seen - (end - begin) :]
                newest += corner(end - begin, 0, query.dtype)
                chances = torch.softmax(scores, dim=-1)
                kept.append(chances)
                out[:, :, begin:end] = torch.bmm(chances, value[:, :seen]).view(groups, -1, end - begin, width)
            ctx.save_for_backward(query, key, value, *kept)
            ctx.scaling = scaling
            return out

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            """Gradients of ``query``, ``key`` and ``value``."""
            query, key, value, *kept = ctx.saved_tensors
            groups, _, queries, width = query.shape
            asking, keys, values = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
            with torch.autocast("cpu", enabled=False):
                for chances, (begin, end, seen) in zip(kept, pieces(queries, key.shape[1]), strict=True):
                    out = grads[0][:, :, begin:end].reshape(groups, -1, width)
                    values[:, :seen] += torch.bmm(chances.transpose(1, 2), out)
                    grown = torch.bmm(out, value[:, :seen].transpose(1, 2))
                    scores = torch._softmax_backward_data(grown, chances, -1, chances.dtype)
                    asked = (query[:, :, begin:end] * ctx.scaling).reshape(groups, -1, width)
                    found = torch.bmm(scores, key[:, :seen]) * ctx.scaling
                    asking[:, :, begin:end] = found.view(groups, -1, end - begin, width)
                    keys[:, :seen] += torch.bmm(scores.transpose(1, 2), asked)
            return asking, keys, values, None

    return Pieces
