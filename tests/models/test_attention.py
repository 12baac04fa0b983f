"""The attention made for few queries gives what torch's own gives."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamsim_core.models.attention import attend, attend_rows
from lamsim_core.models.cache import Part, Pass
from lamsim_core.models.pool import PAGE, Pool

NEAR = st.one_of(st.integers(0, 3), st.sampled_from([PAGE - 2, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 5]))
"""Tokens that are held already: about as many as begin or fill a page."""
FED = st.one_of(st.integers(1, 4), st.sampled_from([9, 17, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 7]))


@pytest.mark.parametrize("queries", [1, 2, 9, 16, 17])
@pytest.mark.parametrize("shared", [1, 2, 6])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_equal_to_torch(queries: int, shared: int, scaling: float | None) -> None:
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    torch.manual_seed(queries)
    keys = 40
    query = torch.randn(2, 6, queries, 8)
    key, value = torch.randn(2, shared, keys, 8), torch.randn(2, shared, keys, 8)
    seen = torch.arange(keys)[None, :] <= torch.arange(keys - queries, keys)[:, None]
    mask = seen[None, None].expand(2, 1, queries, keys).clone()
    mask[1, :, :, :5] = False
    layer: Any = SimpleNamespace(num_key_value_groups=6 // shared, is_causal=True, training=False)
    ours, _ = attend(layer, query, key, value, mask, scaling=scaling)
    theirs, _ = sdpa_attention_forward(layer, query, key, value, mask, scaling=scaling)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_without_a_mask_one_query_sees_all_and_several_stay_causal() -> None:
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    layer: Any = SimpleNamespace(num_key_value_groups=1, is_causal=True, training=False)
    for queries, keys in ((1, 7), (5, 5)):
        query, key, value = torch.randn(1, 2, queries, 8), torch.randn(1, 2, keys, 8), torch.randn(1, 2, keys, 8)
        ours, _ = attend(layer, query, key, value, None)
        theirs, _ = sdpa_attention_forward(layer, query, key, value, None)
        assert torch.allclose(ours, theirs, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NEAR, FED), min_size=1, max_size=6), st.sampled_from([1, 2, 6]), st.booleans())
def test_conversations_in_pages_see_what_each_would_see_alone(
    lengths: list[tuple[int, int]], shared: int, wide: bool
) -> None:
    import torch

    generator = torch.Generator().manual_seed(len(lengths))
    dtype = torch.float32 if wide else torch.bfloat16
    pool = Pool(1, len(lengths) + 1)
    pool.want(pool.rows[-1], 2 * PAGE)  # a hole that nobody looks at
    every = [torch.randn(3, 6, held + fed, 8, generator=generator).to(dtype) for held, fed in lengths]

    def passed(parts: list[Part], taken: list[Any]) -> Any:
        query, key, value = (torch.cat([each[place] for each in taken], dim=1)[None] for place in range(3))
        layer, _ = Pass(pool, parts, "cpu").update(key[:, :shared], value[:, :shared], 0)
        found, _ = attend_rows(SimpleNamespace(), query, layer, None, None)
        for part in parts:
            part.row.tokens += part.tokens
        return found[0]

    with torch.inference_mode():
        begun = [
            (row, each[:, :, :held]) for row, each, (held, _) in zip(pool.rows, every, lengths, strict=False) if held
        ]
        if begun:
            passed([Part(row, [0] * each.shape[2], 0) for row, each in begun], [each for _, each in begun])
        parts = [Part(row, [0] * fed, 0) for row, (_, fed) in zip(pool.rows, lengths, strict=False)]
        found = passed(parts, [each[:, :, held:] for each, (held, _) in zip(every, lengths, strict=True)])
    at = 0
    for each, (held, fed) in zip(every, lengths, strict=True):
        query, key, value = each.float()
        seen = torch.ones(held + fed, held + fed, dtype=torch.bool).tril()
        key, value = (memory[:shared].repeat_interleave(6 // shared, dim=0) for memory in (key, value))
        alone = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        close = 1e-5 if wide else 0.04
        assert torch.allclose(found[at : at + fed].float(), alone[:, held:].transpose(0, 1), atol=close)
        at += fed
