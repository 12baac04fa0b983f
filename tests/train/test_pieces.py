"""Attention in pieces gives what plain attention gives, and so does its gradient; where it may not be used, it is not."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from lamsim_core.models.attention import PIECE
from lamsim_core.train.pieces import attend_in_pieces, mask_if_needed

LAYER: Any = SimpleNamespace(num_key_value_groups=3, is_causal=True, training=True)


def made(queries: int, keys: int, batch: int = 2) -> list[Any]:
    """Queries of six heads over two, keys and values, in 16 bits, with gradients."""
    torch.manual_seed(queries)
    shapes = [(batch, 6, queries, 16), (batch, 2, keys, 16), (batch, 2, keys, 16)]
    return [torch.randn(shape).bfloat16().requires_grad_() for shape in shapes]


@pytest.mark.parametrize("queries", [1, 2, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 9])
@pytest.mark.parametrize("held", [0, 1, PIECE])
def test_the_same_forward_and_back(queries: int, held: int) -> None:
    mine = made(queries, held + queries)
    wide = [each.detach().float().requires_grad_() for each in mine]
    query, key, value = mine
    found, _ = attend_in_pieces(LAYER, query, key, value, None, scaling=0.3)
    seen = torch.ones(queries, held + queries, dtype=torch.bool).tril(held)
    key, value = (each.repeat_interleave(3, dim=1) for each in wide[1:])
    expected = scaled_dot_product_attention(wide[0], key, value, attn_mask=seen, scale=0.3).transpose(1, 2)
    assert torch.allclose(found.float(), expected, atol=0.05)
    weights = torch.randn(found.shape)
    (found.float() * weights).sum().backward()
    (expected * weights).sum().backward()
    for one, other in zip(mine, wide, strict=True):
        assert one.grad is not None and other.grad is not None
        assert (one.grad.float() - other.grad).norm() <= 0.02 * other.grad.norm() + 0.01


@pytest.mark.parametrize("held", [0, 7])
def test_in_32_bits_torch_attends(held: int) -> None:
    query, key, value = (each.detach().float() for each in made(5, held + 5))
    found, _ = attend_in_pieces(LAYER, query, key, value, None)
    seen = torch.ones(5, held + 5, dtype=torch.bool).tril(held)
    key, value = (each.repeat_interleave(3, dim=1) for each in (key, value))
    assert torch.allclose(
        found, scaled_dot_product_attention(query, key, value, attn_mask=seen).transpose(1, 2), atol=1e-5
    )


def test_a_mask_that_is_given_is_kept() -> None:
    query, key, value = made(4, 4, batch=1)
    blind = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    blind[..., 0] = True
    found, _ = attend_in_pieces(LAYER, query, key, value, blind)
    first = value[:, :, :1].repeat_interleave(3, dim=1).transpose(1, 2)
    assert torch.allclose(found.float(), first.float().expand_as(found), atol=1e-2)


@pytest.mark.parametrize(
    ("padding", "needed"), [(None, False), ([[1, 1, 1], [1, 0, 0]], False), ([[1, 1, 1], [0, 1, 1]], True)]
)
def test_only_padding_that_comes_first_needs_a_mask(padding: list[list[int]] | None, needed: bool) -> None:
    mask = None if padding is None else torch.tensor(padding, dtype=torch.bool)
    made = mask_if_needed(2, 3, 3, attention_mask=mask)
    assert (made is not None) == needed
    other = mask_if_needed(2, 3, 3, attention_mask=mask, mask_function=lambda batch, head, query, key: key <= query)
    assert needed or padding is None or other is not None
