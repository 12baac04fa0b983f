"""The memory in which conversations' keys and values stand, each in a region of its own that is as long as it has to be.

A region is some pages for every key-value head, head by head, so a head's keys are one piece of memory, and so are the pages
of all regions together: a CPU multiplies both without copying. Regions are written in place, and only one that has grown
out of its place moves; no step copies what earlier steps computed.
"""

from typing import Any

PAGE = 128
"""Tokens in a page."""


class Row:
    """A conversation: which tokens its keys and values stand for, and where these are."""

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.tokens: list[int] = []
        self.prompt = 0
        """Length of the last prompt that was read into it."""
        self.start = 0
        self.pages = 0
        """Its region: so many pages of each head, behind those of other regions."""

    @property
    def room(self) -> int:
        """Tokens that fit into its region."""
        return self.pages * PAGE


class Pool:
    """The memory of all conversations: keys and values, each (layers, pages of all heads, ``PAGE``, width)."""

    def __init__(self, layers: int, slots: int) -> None:
        self.rows = [Row(slot) for slot in range(slots)]
        self.heads = 0
        """Key-value heads; nought until they are known."""
        self.keys: Any = None
        self.values: Any = None
        self._layers = layers

    def want(self, row: Row, tokens: int) -> None:
        """Give a conversation room for ``tokens`` tokens at least. What it holds it keeps, if need be elsewhere."""
        import torch

        pages = -(-tokens // PAGE)
        if pages <= row.pages:
            return
        with torch.inference_mode():
            kept: list[Any] = []
            if row.tokens and self.keys is not None:
                kept = [
                    self.region(memory, row)[:, :, : len(row.tokens)].clone() for memory in (self.keys, self.values)
                ]
            row.start, row.pages = self._gap(row, pages), pages
            if self.keys is not None:
                self._grow()
            for memory, held in zip((self.keys, self.values), kept, strict=False):
                self.region(memory, row)[:, :, : len(row.tokens)] = held

    def begin(self, row: Row, source: Row, shared: int, tokens: int) -> None:
        """Let ``row`` hold the first ``shared`` tokens of ``source`` and nothing else, with room for ``tokens`` tokens."""
        import torch

        if row is source:
            del row.tokens[shared:]
            self.want(row, tokens)
            return
        row.tokens, row.pages = [], 0
        self.want(row, tokens)
        if shared:
            with torch.inference_mode():
                for memory in (self.keys, self.values):
                    self.region(memory, row)[:, :, :shared] = self.region(memory, source)[:, :, :shared]
        row.tokens = source.tokens[:shared]

    def make(self, like: Any) -> None:
        """Make the memory, if there is none yet, of the kind of ``like``, (1, key-value heads, tokens, width)."""
        if self.keys is None:
            self.heads = int(like.shape[1])
            self.keys = self.values = like.new_zeros((self._layers, 0, PAGE, like.shape[3]))
            self._grow()

    def region(self, memory: Any, row: Row) -> Any:
        """A conversation's part of ``keys`` or ``values``, or of one layer of them: ([layers,] heads, room, width)."""
        first = row.start * self.heads
        part = memory.narrow(-3, first, row.pages * self.heads)
        return part.view(*part.shape[:-3], self.heads, row.room, part.shape[-1])

    def _gap(self, row: Row, pages: int) -> int:
        """The first place at which so many pages are free, those of ``row`` counting as free."""
        place = 0
        for other in sorted(
            (each for each in self.rows if each.pages and each is not row), key=lambda each: each.start
        ):
            if other.start - place >= pages:
                break
            place = max(place, other.start + other.pages)
        return place

    def _grow(self) -> None:
        """Make the memory long enough for all regions; by a quarter at least when it has to grow at all."""
        needed = self.heads * max(row.start + row.pages for row in self.rows)
        held = int(self.keys.shape[1])
        if needed <= held:
            return
        length = max(needed, held * 5 // 4)

        def longer(memory: Any) -> Any:
            # Zeros: what was never written is masked, but not even a chance of nought makes up for a NaN.
            made = memory.new_zeros((self._layers, length, *memory.shape[2:]))
            made[:, :held] = memory
            return made

        self.keys = longer(self.keys)
        self.values = longer(self.values)
