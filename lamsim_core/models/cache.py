"""Keys and values of many conversations, each of its own length, under transformers' own models.

The tokens that several conversations feed at once stand one behind the other in a single row, so the layers that look at
one token at a time see no padding; only attention takes the conversations apart (``attention.attend_rows``). Each
conversation has one slot of a memory that is made once, grows by blocks and is written in place: no step copies what
earlier steps computed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lamsim_core.models.attention import FEW, Grid, Layer, Long
from lamsim_core.models.packed import PackedModel

BLOCK = 256
"""Tokens by which the memory of every slot grows."""
_GRAIN = 64
"""Keys are shown to attention in multiples of this: a CPU kernel is prepared anew for every shape it meets."""
_NARROW = 2
"""Tokens up to which conversations share a grid. In one as wide as the longest guess, every conversation's attention would
cost as much as that one's."""
_SPARE = 2
"""Whole slots are shown when they have room for less than so many times the longest conversation. A part of a slot would
be copied by torch's product, which costs more than to look at masked keys."""


class Row:
    """The conversation in one slot: which tokens its keys and values stand for."""

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.tokens: list[int] = []
        self.prompt = 0
        """Length of the last prompt that was read into it."""


class Pool:
    """The memory of all slots: two tensors of shape (layers, slots, key-value heads, room, width), made when first used."""

    def __init__(self, layers: int, slots: int) -> None:
        self.rows = [Row(slot) for slot in range(slots)]
        self.keys: Any = None
        self.values: Any = None
        self._layers = layers
        self._wanted = 0

    @property
    def room(self) -> int:
        """Tokens that fit into a slot before all have to grow."""
        return 0 if self.keys is None else int(self.keys.shape[3])

    def want(self, tokens: int) -> None:
        """Let the next growth make room for so many tokens at least."""
        self._wanted = max(self._wanted, tokens)

    def reserve(self, tokens: int, like: Any) -> None:
        """Make room for ``tokens`` tokens in every slot, of the kind of ``like``, (1, key-value heads, tokens, width)."""
        if tokens <= self.room:
            return
        keys, values, held = self.keys, self.values, self.room
        room = -(-max(tokens, self._wanted) // BLOCK) * BLOCK
        # Zeros: what was never written is masked, but not even a chance of nought makes up for a NaN.
        self.keys = like.new_zeros((self._layers, len(self.rows), like.shape[1], room, like.shape[3]))
        self.values = self.keys.clone()
        if held:
            self.keys[:, :, :, :held] = keys
            self.values[:, :, :, :held] = values

    def copy(self, source: Row, target: Row, tokens: int) -> None:
        """Let ``target`` hold the first ``tokens`` tokens of ``source`` and nothing else."""
        import torch

        target.tokens = source.tokens[:tokens]
        if tokens and source is not target:
            with torch.inference_mode():
                for memory in (self.keys, self.values):
                    memory[:, target.slot, :, :tokens] = memory[:, source.slot, :, :tokens]


class Part(NamedTuple):
    """What one conversation feeds in a pass."""

    row: Row
    tokens: list[int]
    numbers: int
    """Rows of numbers wanted: for so many of the last tokens."""


class Pass:
    """The cache that a model is given for one pass over several conversations.

    It stands where transformers expects a ``Cache``; a model whose attention is ``attend_rows`` asks no more of it.
    """

    def __init__(self, pool: Pool, parts: Sequence[Part], device: Any) -> None:
        import torch

        def tensor(values: list[int]) -> Any:
            return torch.tensor(values, dtype=torch.long, device=device)

        self._pool = pool
        self._needed = max(len(part.row.tokens) + len(part.tokens) for part in parts)
        slots: list[int] = []
        places: list[int] = []
        narrow: list[tuple[int, Part]] = []
        self._grids: list[Grid] = []
        self._long: list[Long] = []
        for part in parts:
            held, new, at = len(part.row.tokens), len(part.tokens), len(slots)
            slots += [part.row.slot] * new
            places += range(held, held + new)
            if new <= _NARROW:
                narrow.append((at, part))
                continue
            if new <= FEW:
                self._grids.append(_grid([(at, part)], pool.room, tensor))
                continue
            # A beginning is causal without a mask.
            mask = torch.ones(new, held + new, dtype=torch.bool, device=device).tril(held)[None, None] if held else None
            self._long.append(Long(at, at + new, part.row.slot, held + new, mask))
        self._slots, self.places = tensor(slots), tensor(places)
        if narrow:
            self._grids.append(_grid(narrow, pool.room, tensor))

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Nothing: the places of the tokens are always given."""
        return 0

    def update(self, keys: Any, values: Any, layer_idx: int, *_: Any, **__: Any) -> tuple[Layer, None]:
        """Take one layer's new keys and values, (1, key-value heads, tokens of all parts, width)."""
        pool = self._pool
        if layer_idx == 0:
            pool.reserve(-(-self._needed // _GRAIN) * _GRAIN, keys)
        pool.keys[layer_idx][self._slots, :, self.places] = keys[0].transpose(0, 1)
        pool.values[layer_idx][self._slots, :, self.places] = values[0].transpose(0, 1)
        return Layer(pool.keys[layer_idx], pool.values[layer_idx], self._long, self._grids), None


def _grid(parts: list[tuple[int, Part]], room: int, tensor: Any) -> Grid:
    """The grid of conversations with few queries: a row for each slot from the first to the last of them."""
    first = min(part.row.slot for _, part in parts)
    last = max(part.row.slot for _, part in parts) + 1
    width = max(len(part.tokens) for _, part in parts)
    length = max(len(part.row.tokens) + len(part.tokens) for _, part in parts)
    at: list[int] = []
    rows: list[int] = []
    columns: list[int] = []
    seen = [0] * (last - first)  # a row that nobody is in looks at one key, since it cannot look at none
    for start, part in parts:
        count = len(part.tokens)
        at += range(start, start + count)
        rows += [part.row.slot - first] * count
        columns += range(count)
        seen[part.row.slot - first] = len(part.row.tokens)
    shown = -(-length // _GRAIN) * _GRAIN
    keys = tensor(list(range(room if shown <= room < _SPARE * shown else shown)))
    mask = keys <= (tensor(seen)[:, None] + tensor(list(range(width))))[:, None, :, None]
    return Grid(tensor(at), tensor(rows), tensor(columns), first, last, width, mask)


def feed(model: Any, pool: Pool, parts: Sequence[Part]) -> list[Any]:
    """Run ``model`` once over all parts; return each part's numbers, (wanted rows, words) in 32 bits on the CPU.

    What was fed is appended to the rows' tokens. When the pass fails the rows say what they said.
    """
    import torch

    ids = [token for part in parts for token in part.tokens]
    wanted: list[int] = []
    end = 0
    for part in parts:
        end += len(part.tokens)
        wanted += range(end - part.numbers, end)
    device = model.device
    with torch.inference_mode():
        cache = Pass(pool, parts, device)
        places = torch.tensor(wanted, dtype=torch.long, device=device)
        if isinstance(model, PackedModel):
            logits = model.numbers(torch.tensor(ids), cache, places)
        else:
            logits = model(
                torch.tensor([ids], device=device),
                position_ids=cache.places[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=places,
            ).logits[0]
        logits = logits.float().cpu()
    for part in parts:
        part.row.tokens += part.tokens
    return list(logits.split([part.numbers for part in parts]))
