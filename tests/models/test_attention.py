"""The attention made for few queries gives what torch's own gives."""

from types import SimpleNamespace
from typing import Any

import pytest

from lamsim_core.models.attention import attend


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
