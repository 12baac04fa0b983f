"""The tokens of a server's reply and their probabilities, where it tells them."""

import math
from typing import Any

import openai

from lamsim_core.models.endpoint_errors import message_of
from lamsim_core.records import Sampled

MOST = 20_000
"""Tokens of one reply that are kept."""
_LONGEST = 400
"""Characters of one token."""
_LOWEST = -1000.0
"""What stands for the logarithm of nothing: JSON has no infinity."""


def refuses_logprobs(error: openai.APIStatusError) -> bool:
    """Whether a server refused a request because it asks for probabilities."""
    return "logprob" in message_of(error).lower()


class TokenReader:
    """Collects what the chunks of one reply tell. One that cannot be read makes the whole untold, never a part of it."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._logprobs: list[float] = []
        self._whole = True

    def take(self, told: Any) -> None:
        """Take the ``logprobs`` of a choice, or None where it has none."""
        for item in getattr(told, "content", None) or ():
            text, value = getattr(item, "token", None), getattr(item, "logprob", None)
            if not isinstance(text, str) or not isinstance(value, int | float) or math.isnan(value):
                self._whole = False
                return
            if len(text) > _LONGEST or len(self._texts) >= MOST:
                self._whole = False
                return
            self._texts.append(text.encode("utf-8", "replace").decode())
            self._logprobs.append(min(0.0, round(max(_LOWEST, float(value)), 4)) + 0.0)

    def sampled(self, written: int, key: str | None) -> Sampled | None:
        """The tokens; None when not all of them were told.

        Args:
            written: tokens the server counted, 0 where it did not.
            key: what must not be kept, if a server says it.
        """
        few = len(self._texts) < written - 1  # the token that ends a reply is counted by some and told by few
        if not self._whole or not self._texts or few or (key and key in "".join(self._texts)):
            return None
        return Sampled(texts=tuple(self._texts), logprobs=tuple(self._logprobs))
