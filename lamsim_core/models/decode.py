"""Two small parts of decoding that need no torch: text from tokens as they come, and guesses at the tokens to come."""

from collections.abc import Callable, Sequence

_SIZES = (4, 3, 2)
_MEMORY = 0.9
"""How much of a Lookahead's record one more token leaves."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TextStream:
    """Turns tokens into text as soon as it is decodable, holding back the bytes of an unfinished character."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self.text = ""
        """Everything handed out so far."""

    def push(self, token: int) -> str:
        """Take one more token; return the text it completes, possibly none."""
        self._ids.append(token)
        decoded = self._decode(self._ids)
        return "" if decoded.endswith(_REPLACEMENT) else self._release(decoded)

    def finish(self) -> str:
        """Return what was held back."""
        return self._release(self._decode(self._ids))

    def _release(self, decoded: str) -> str:
        piece = decoded[len(self.text) :]
        self.text += piece
        return piece


class Lookahead:
    """Guesses the next tokens by finding where the last few occurred before, and what followed them there.

    A tool call repeats names from the list of tools and values from the conversation. The model checks the guesses in
    one forward pass, which on a CPU costs about as much as one token, so a right guess is nearly free and a wrong one
    changes nothing.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self.right = 0.5
        """Share of the last tokens that a guess foretold, whether or not it was tried."""
        for token in ids:
            self._take(token)

    def push(self, token: int) -> None:
        """Take one more token of the reply."""
        self.right = _MEMORY * self.right + (1 - _MEMORY) * (self.guess(1) == [token])
        self._take(token)

    def _take(self, token: int) -> None:
        # The newest n-gram is indexed only when the next token comes, so that it never finds itself.
        for size in _SIZES:
            if len(self._ids) >= size:
                self._ends[tuple(self._ids[-size:])] = len(self._ids)
        self._ids.append(token)

    def guess(self, limit: int) -> list[int]:
        """At most ``limit`` tokens that may come next; none when nothing like the last tokens occurred before."""
        for size in _SIZES:
            end = self._ends.get(tuple(self._ids[-size:])) if len(self._ids) >= size else None
            if end is not None:
                return self._ids[end : end + limit]
        return []
