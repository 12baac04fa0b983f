"""One reply while it is written: from rows of numbers to tokens to text, whoever computes the numbers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from lamsim_core.models.backend import Completion
from lamsim_core.models.constrained import Constraint
from lamsim_core.models.decode import Lookahead, TextStream
from lamsim_core.records import Sampled, Sampling, Usage

GUESSES = 16
"""Tokens that are guessed ahead and checked in one pass, at most."""


class Meter:
    """Counts tokens and the time spent on them, without the time a reader takes between two pieces."""

    def __init__(self, prompt: int) -> None:
        self.written = 0
        self.cached = 0
        self._prompt = prompt
        self._started = time.perf_counter()
        self._first: float | None = None
        self._away = 0.0

    def count(self) -> None:
        """One more token was written."""
        self.written += 1
        if self._first is None:
            self._first = time.perf_counter()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time spent inside."""
        left = time.perf_counter()
        try:
            yield
        finally:
            self._away += time.perf_counter() - left

    def usage(self) -> Usage:
        """What the reply has cost so far."""
        now = time.perf_counter()
        first = now if self._first is None else self._first
        return Usage(
            prompt_tokens=self._prompt,
            cached_tokens=self.cached,
            completion_tokens=self.written,
            prefill_seconds=first - self._started,
            decode_seconds=max(0.0, now - first - self._away),
        )


class Reply:
    """The state of one reply.

    ``context`` is the prompt and what was written; after it, ``guesses`` are fed too, and ``take`` is given the numbers
    of the newest token of the context and of every guess. Under a ``constraint`` only tokens that it allows are chosen, and
    those it forces are written without asking the model.
    """

    def __init__(
        self,
        prompt: list[int],
        sampling: Sampling,
        seed: int,
        *,
        stops: frozenset[int],
        decode: Callable[[list[int]], str],
        should_stop: Callable[[], bool],
        constraint: Constraint | None = None,
    ) -> None:
        self.context = list(prompt)
        self.guesses: list[int] = []
        self.right = 0
        """Guesses that came true when tokens were last taken."""
        self.meter = Meter(len(prompt))
        self.finish: Literal["end", "length", "stopped"] | None = None
        self._limit = sampling.max_new_tokens
        self._stops = stops
        self.should_stop = should_stop
        self._constraint = constraint
        self._choose = _chooser(sampling, seed)
        self._text = TextStream(decode)
        self._ahead = Lookahead(prompt)
        self._logprobs: list[float] = []
        self._stopped_by: int | None = None

    def take(self, logits: Any) -> Iterator[str]:
        """Choose tokens from rows of numbers; yield the text they complete.

        Row i says what follows the newest token and i guesses: it counts while the guesses before it were right.
        """
        self.right = 0
        forced: list[int] = []
        for row, guess in zip(logits, [*self.guesses, None], strict=True):
            if forced:
                token, chance = forced.pop(0), 0.0
            else:
                token = self._choose(row if self._constraint is None else self._constraint.allowed(row))
                chance = logprob(row, token)
                if token in self._stops:
                    self._stopped_by = token
                    self._logprobs.append(chance)
                    self.finish = "end"
                    return
                if self._constraint is not None:
                    forced = self._constraint.accept(token)
            yield from self._write(token, chance)
            if self.finish:
                return
            if token != guess:
                break
            self.right += 1
        for token in forced:
            yield from self._write(token, 0.0)
            if self.finish:
                return

    @property
    def foretold(self) -> float:
        """Share of the last tokens that were, or would have been, guessed right."""
        return self._ahead.right

    def _write(self, token: int, chance: float) -> Iterator[str]:
        self.context.append(token)
        self._logprobs.append(chance)
        self._ahead.push(token)
        self.meter.count()
        piece = self._text.push(token)
        if piece:
            yield piece
        if self.meter.written == self._limit:
            self.finish = "length"
        elif self.should_stop():
            self.finish = "stopped"

    def guess(self, limit: int) -> None:
        """Guess at most ``limit`` tokens, none beyond the last that may be written."""
        guesses = self._ahead.guess(min(limit, self._limit - self.meter.written - 1))
        self.guesses = guesses if self._constraint is None else self._constraint.possible(guesses)

    def end(self) -> Iterator[str | Completion]:
        """What text was held back, and the completion.

        Raises:
            ValueError: it has not ended.
        """
        if self.finish is None:
            raise ValueError("the reply has not ended")
        usage = self.meter.usage()
        rest = self._text.finish()
        if rest:
            yield rest
        yield Completion(text=self._text.text, usage=usage, finish=self.finish, sampled=self._sampled())

    def _sampled(self) -> Sampled:
        tokens = self.context[-self.meter.written :] if self.meter.written else []
        if self._stopped_by is not None:
            tokens = [*tokens, self._stopped_by]
        return Sampled(tokens=tuple(tokens), logprobs=tuple(self._logprobs))


def logprob(row: Any, token: int) -> float:
    """Natural logarithm of a token's probability by a row of numbers, to 4 decimals; the row is left as it is.

    The whole row is turned into logarithms, since torch does that in one pass: 30 µs for 49,152 words on one core, where
    ``logsumexp`` takes several passes and 104 µs.
    """
    found = float(row.log_softmax(dim=-1)[token])
    return min(0.0, round(found, 4)) + 0.0  # -0.0 is no number people expect


def _chooser(sampling: Sampling, seed: int) -> Callable[[Any], int]:
    """A function from one row of numbers to a token. It draws once per token, on the CPU, so a seed means the same."""
    import torch

    if sampling.temperature == 0:
        return lambda row: int(row.argmax())
    generator = torch.Generator().manual_seed(seed)

    def draw(row: Any) -> int:
        chances = torch.softmax(row / sampling.temperature, dim=-1)
        if sampling.top_p < 1:
            ordered, order = chances.sort(descending=True)
            # The token that crosses the threshold stays, so there is always one. Chances stay in the order of the
            # vocabulary: in that of their size, rounding could exchange two that are nearly equal, and the draw with them.
            chances[order[ordered.cumsum(0) - ordered >= sampling.top_p]] = 0
        return int(torch.multinomial(chances, 1, generator=generator))

    return draw
