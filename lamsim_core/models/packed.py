"""A model's pass in few operations, with its weights laid out as a CPU multiplies them fastest.

For plain decoders of the Llama family on a CPU. Two things make it faster than transformers' own code for few tokens:
torch lays a linear layer's weights out anew whenever it multiplies few tokens by them (half of the time of a pass over
sixteen tokens), and small steps cost more to call than to compute. Weights are therefore laid out once, those that read
the same input stand together, and the rotary embedding is worked out once for all layers. Every number is rounded where
transformers rounds it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lamsim_core.models.attention import attend_rows

_KINDS = frozenset({"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"})
"""Models whose layers are: norm, attention with rotary embedding, norm, gated unit with SiLU."""
_HINT = 16
"""Tokens the layout is made for; it serves any number."""


class _Block(NamedTuple):
    """One layer. Weights are called with (tokens, inputs)."""

    attention: Any
    """The module, which attention asks for its shape."""
    before: Any
    """Norm before attention."""
    read: "_Linear"
    """Queries, keys and values in one."""
    query_norm: Any | None
    key_norm: Any | None
    write: "_Linear"
    after: Any
    """Norm before the gated unit."""
    gate: "_Linear"
    """Gate and values in one."""
    down: "_Linear"


class _Linear:
    """Linear layers that read the same input, as one. The layers given lose their weights."""

    def __init__(self, layers: Sequence[Any], *, keep: bool = False) -> None:
        import torch

        weight = layers[0].weight if len(layers) == 1 else torch.cat([layer.weight for layer in layers])
        bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _HINT)
        self._bias = bias
        self._multiply = torch.ops.mkldnn._linear_pointwise
        if not keep:
            for layer in layers:
                layer.weight.data = weight.new_empty(0)

    def __call__(self, tokens: Any) -> Any:
        return self._multiply(tokens, self._weight, self._bias, "none", [], "")


def can_pack(model: Any) -> bool:
    """Whether ``PackedModel`` says what this model says: a plain kind, on a CPU, its weights unquantised and alone."""
    import torch

    if type(model).__name__ not in _KINDS or model.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if model.config.hidden_act != "silu":
        return False
    if model.dtype is torch.bfloat16:
        supported = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    else:
        supported = model.dtype is torch.float32
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    # Seven in each layer, and the output head: none replaced by an adapter or by one in few bits.
    whole = len(linear) == 7 * model.config.num_hidden_layers + 1
    return supported and whole and all(type(each) is torch.nn.Linear for each in linear)


class PackedModel:
    """What ``feed`` needs of a model. The model it is made of cannot be used any more.

    Args:
        model: one that ``can_pack``.
    """

    def __init__(self, model: Any) -> None:
        self.config = model.config
        self.device = model.device
        inner = model.model
        self._words = inner.embed_tokens.weight
        self._rotary = inner.rotary_emb
        self._blocks = [_block(layer) for layer in inner.layers]
        self._norm = inner.norm
        # The head often is the table of words, which is still looked up.
        self._head = _Linear([model.lm_head], keep=True)
        self._kv = int(self.config.num_key_value_heads)
        self._width = int(inner.layers[0].self_attn.head_dim)

    def numbers(self, ids: Any, cache: Any, wanted: Any) -> Any:
        """One pass.

        Args:
            ids: the tokens of all parts, (tokens,).
            cache: a ``cache.Pass`` made for them.
            wanted: places of the tokens whose numbers are wanted.

        Returns:
            (wanted, words).
        """
        import torch
        from torch.nn import functional

        hidden = functional.embedding(ids, self._words)
        cos, sin = self._rotary(hidden[None], cache.places[None])
        half = self._width // 2
        cos, sin = cos[0, :, None], sin[0, :, None]
        sin = torch.cat((-sin[..., :half], sin[..., half:]), dim=-1)
        last = len(self._blocks) - 1
        for index, block in enumerate(self._blocks):
            heads = block.read(_normed(block.before, hidden)).unflatten(-1, (-1, self._width))
            turned, values = heads[:, : -self._kv], heads[:, -self._kv :]
            if block.query_norm is not None:
                queries, keys = turned[:, : -self._kv], turned[:, -self._kv :]
                turned = torch.cat((_normed(block.query_norm, queries), _normed(block.key_norm, keys)), dim=1)
            other = torch.cat((turned[..., half:], turned[..., :half]), dim=-1)
            turned = (turned * cos).add_(other.mul_(sin))
            queries, keys = turned[:, : -self._kv], turned[:, -self._kv :]
            seen, _ = cache.update(keys.transpose(0, 1)[None], values.transpose(0, 1)[None], index)
            attended, _ = attend_rows(
                block.attention, queries.transpose(0, 1)[None], seen, None, None, scaling=block.attention.scaling
            )
            attended = attended[0].flatten(1)
            if index == last:  # nobody attends to what comes from here
                hidden, attended = hidden[wanted], attended[wanted]
            hidden = hidden + block.write(attended)
            gates, rest = block.gate(_normed(block.after, hidden)).chunk(2, dim=-1)
            hidden = hidden + block.down(functional.silu(gates).mul_(rest))
        return self._head(_normed(self._norm, hidden))


def _block(layer: Any) -> _Block:
    attention, unit = layer.self_attn, layer.mlp
    return _Block(
        attention=attention,
        before=layer.input_layernorm,
        read=_Linear([attention.q_proj, attention.k_proj, attention.v_proj]),
        query_norm=getattr(attention, "q_norm", None),
        key_norm=getattr(attention, "k_norm", None),
        write=_Linear([attention.o_proj]),
        after=layer.post_attention_layernorm,
        gate=_Linear([unit.gate_proj, unit.up_proj]),
        down=_Linear([unit.down_proj]),
    )


def _normed(norm: Any, hidden: Any) -> Any:
    """Root mean square norm in 32 bits, rounded before it is weighted, as transformers does."""
    import torch

    wide = hidden.float()
    wide = torch.rms_norm(wide, wide.shape[-1:], None, norm.variance_epsilon)
    return wide.to(hidden.dtype).mul_(norm.weight) if hidden.dtype != wide.dtype else wide.mul_(norm.weight)
