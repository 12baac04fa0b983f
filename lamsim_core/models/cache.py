"""Keys and values of many conversations, each of its own length, under transformers' own models.

The tokens that several conversations feed at once stand one behind the other in a single row, so the layers that look at
one token at a time see no padding; only attention takes the conversations apart (``attention.attend_rows``).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lamsim_core.models.attention import Few, Layer, Many, added
from lamsim_core.models.packed import PackedModel
from lamsim_core.models.pool import PAGE, Pool, Row

_NARROW = 2
"""Tokens up to which conversations are looked at together. The more one of them feeds, the more all would cost."""
_DENSE = 0.5
"""Share of its pages in use from which a stretch of the memory is multiplied whole; else these are copied out."""


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
        self._pool = pool
        self._parts = parts
        places = [len(part.row.tokens) + place for part in parts for place in range(len(part.tokens))]
        self.places = _indices(places, device)
        self._pages: Any = None
        self._offsets: Any = None
        self._many: list[Many] = []
        self._few: Few | None = None
        self._masks: dict[tuple[int, int], Any] = {}

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Nothing: the places of the tokens are always given."""
        return 0

    def update(self, keys: Any, values: Any, layer_idx: int, *_: Any, **__: Any) -> tuple[Layer, None]:
        """Take one layer's new keys and values, (1, key-value heads, tokens of all parts, width)."""
        if layer_idx == 0:
            self._prepare(keys)
        pool = self._pool
        layer = Layer(pool.keys[layer_idx], pool.values[layer_idx], pool.heads, self._many, self._few, self._masks)
        layer.keys[self._pages, self._offsets] = keys[0]
        layer.values[self._pages, self._offsets] = values[0]
        return layer, None

    def _prepare(self, keys: Any) -> None:
        """See to room for what is fed, and work out once where every token goes and who looks at what."""
        pool = self._pool
        for part in self._parts:
            pool.want(part.row, len(part.row.tokens) + len(part.tokens))
        pool.make(keys)
        first: list[int] = []
        pages: list[int] = []
        few: list[tuple[int, Part]] = []
        for part in self._parts:
            row, at, count = part.row, len(first), len(part.tokens)
            start = row.start * pool.heads
            first += [start] * count
            pages += [row.pages] * count
            if count <= _NARROW:
                few.append((at, part))
            else:
                end = start + row.pages * pool.heads
                self._many.append(Many(at, at + count, start, end, len(row.tokens) + count))
        heads = _indices(range(pool.heads), keys.device)[:, None]
        self._pages = _indices(first, keys.device) + heads * _indices(pages, keys.device) + self.places // PAGE
        self._offsets = self.places % PAGE
        if few:
            self._few = _few(few, pool)


def _few(parts: Sequence[tuple[int, Part]], pool: Pool) -> Few:
    """Conversations that feed few tokens each, and the pages they look at."""
    heads, device = pool.heads, pool.keys.device
    at: list[int] = []
    rows: list[int] = []
    columns: list[int] = []
    pages: list[int] = []
    owners: list[int] = []
    places: list[int] = []
    held: list[int] = []
    for index, (start, part) in enumerate(parts):
        row, count = part.row, len(part.tokens)
        at += range(start, start + count)
        rows += [index] * count
        columns += range(count)
        some = -(-(len(row.tokens) + count) // PAGE)
        for head in range(heads):
            first = row.start * heads + head * row.pages
            pages += range(first, first + some)
            owners += [index * heads + head] * some
            places += range(some)
            held += [len(row.tokens)] * some
    width = max(columns) + 1
    # What each query sees of a page: keys up to itself.
    keys = _indices(places, device)[:, None] * PAGE + _indices(range(PAGE), device)
    last = _indices(held, device)[:, None] + _indices(range(width), device)
    mask = added(keys[:, None] <= last[:, :, None], pool.keys.dtype)
    low, high = min(pages), max(pages) + 1
    used = _indices(pages, device)
    owner = asked = _indices(owners, device)
    whole = len(pages) >= _DENSE * (high - low)
    if whole:  # the pages between them that nobody looks at are multiplied too, which is less than to copy the others
        used -= low
        asked = owner.new_zeros(high - low).index_copy_(0, used, owner)
        mask = mask.new_zeros(high - low, *mask.shape[1:]).index_copy_(0, used, mask)
    return Few(
        at=_indices(at, device),
        rows=_indices(rows, device),
        columns=_indices(columns, device),
        shape=(len(parts), width, max(places) + 1),
        stretch=(low, high) if whole else None,
        used=used,
        asked=asked,
        owners=owner,
        places=_indices(places, device),
        mask=mask[:, None],
    )


def _indices(values: Sequence[int], device: Any) -> Any:
    import torch

    return torch.tensor(values, dtype=torch.long, device=device)


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
