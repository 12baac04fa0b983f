"""A packed model says what transformers' own code says, of every family and on every place."""

from typing import Any

import pytest

from lamsim_core.models.attention import use_rows_attention
from lamsim_core.models.cache import Part, feed
from lamsim_core.models.packed import PackedModel, can_pack
from lamsim_core.models.pool import Pool

FAMILIES = ["Llama", "Mistral", "Qwen2", "Qwen3"]


def made(family: str, **how: Any) -> Any:
    """A model of a family, of a few thousand random weights, the same each time."""
    import torch
    import transformers

    torch.manual_seed(1)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=97,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=0.2,
        sliding_window=None,
        pad_token_id=0,
        **how,
    )
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval().requires_grad_(False)
    for name, weight in model.named_parameters():
        if "norm" in name or "bias" in name:  # made as ones and noughts, which would prove nothing
            weight.data += torch.randn_like(weight) / 4
    return model


def said(model: Any) -> list[Any]:
    """Numbers of three passes over two conversations: long parts, a part that goes on, single tokens."""
    pool = Pool(model.config.num_hidden_layers, 2)
    first, second = pool.rows
    return [
        *feed(model, pool, [Part(first, list(range(1, 41)), 2), Part(second, list(range(60, 65)), 1)]),
        *feed(model, pool, [Part(first, [7], 1), Part(second, list(range(1, 31)), 0)]),
        *feed(model, pool, [Part(first, [3, 4, 5], 3), Part(second, [9], 1)]),
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_are_those_of_transformers(family: str) -> None:
    import torch

    plain, packed = made(family), made(family)
    assert can_pack(packed)
    use_rows_attention(plain)
    for mine, theirs in zip(said(PackedModel(packed)), said(plain), strict=True):
        assert mine.shape == theirs.shape
        assert torch.allclose(mine, theirs, atol=2e-4, rtol=1e-4)


def test_in_16_bits_every_number_is_rounded_where_transformers_rounds_it() -> None:
    import torch

    plain, packed = made("Llama").to(torch.bfloat16), made("Llama").to(torch.bfloat16)
    use_rows_attention(plain)
    if not can_pack(packed):  # a processor without these numbers
        assert not torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return
    for mine, theirs in zip(said(PackedModel(packed)), said(plain), strict=True):
        assert torch.allclose(mine, theirs, atol=0.02, rtol=0.02)


def test_weights_are_held_once() -> None:
    model = made("Llama", tie_word_embeddings=True)
    words = model.model.embed_tokens.weight
    PackedModel(model)
    assert sum(weight.numel() for weight in model.model.layers.parameters()) == 2 * 3 * 48  # the norms are left
    assert words.shape == (97, 48)


def test_other_models_are_left_alone() -> None:
    import torch

    assert not can_pack(made("Llama", hidden_act="gelu"))
    assert not can_pack(made("Llama").to(torch.float16))
    odd = made("Llama")
    odd.model.layers[1].mlp.up_proj = torch.nn.Sequential(odd.model.layers[1].mlp.up_proj, torch.nn.Linear(80, 80))
    assert not can_pack(odd)
