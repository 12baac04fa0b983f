"""What a reply may still say, token by token: llguidance reads along and rules out what its grammar does not allow."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.models.grammar import reply_grammar
from lamsim_core.records import Sampling, ToolSchema

_KEPT = 32
"""Compiled grammars kept; attempts at one task, and the turns of an attempt, share theirs."""


class Constraint:
    """The grammar of one reply, at the place the reply has come to."""

    def __init__(self, matcher: Any, words: int) -> None:
        self._matcher = matcher
        self._words = words

    def allowed(self, row: Any) -> Any:
        """The numbers of one row, those of tokens that cannot come next replaced by minus infinity.

        Args:
            row: one number for each word of the model's vocabulary.

        Raises:
            ModelError: the grammar became too large to follow.
        """
        import numpy
        import torch

        bits = numpy.frombuffer(self._matcher.compute_bitmask(), dtype=numpy.uint8)
        self._require_sound()
        allowed = numpy.unpackbits(bits, count=self._words, bitorder="little")[: len(row)].astype(bool)
        return row.masked_fill(torch.from_numpy(~allowed).to(row.device), float("-inf"))

    def accept(self, token: int) -> list[int]:
        """Go on by a token that was allowed; return the tokens that must follow, in the tokenizer's own portions.

        The constraint goes on by those too, so they are to be written before the next token is chosen.
        """
        forced: list[int] = []
        self._matcher.consume_token(token)
        while more := self._matcher.compute_ff_tokens():
            self._matcher.consume_tokens(more)
            forced += more
        self._require_sound()
        return forced

    def possible(self, guesses: list[int]) -> list[int]:
        """The first of these tokens, as far as they may follow one another."""
        return guesses[: self._matcher.validate_tokens(guesses)]

    def _require_sound(self) -> None:
        if self._matcher.is_error():
            raise ModelError(f"The reply could not be constrained: {self._matcher.get_error()[:300]}")


class Grammars:
    """The grammars of one model's replies, compiled when first needed. Several threads may ask.

    Args:
        model: its vocabulary may be wider than the tokenizer's.
        tokenizer: a fast tokenizer of transformers.
        stops: ids of the tokens that end a reply.
    """

    def __init__(self, model: Any, tokenizer: Any, stops: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._words = max(len(tokenizer), int(model.config.get_text_config().vocab_size))
        self._stops = stops
        self._vocabulary: Any = None
        self._matchers: OrderedDict[str, Any] = OrderedDict()
        self._lock = Lock()

    def constraint(self, sampling: Sampling, tools: Sequence[ToolSchema]) -> Constraint | None:
        """What a reply that is offered ``tools`` may say; None when it is to be free.

        Raises:
            InvalidInputError: the schema of a tool has something that cannot be promised.
            ModelError: the tokenizer is of a kind that cannot be read along with.
        """
        if not sampling.constrained:
            return None
        key = canonical_json([[tool.name, tool.parameters] for tool in tools])
        with self._lock:
            if key not in self._matchers:
                self._matchers[key] = self._compile(tools)
                if len(self._matchers) > _KEPT:
                    self._matchers.popitem(last=False)
            self._matchers.move_to_end(key)
            return Constraint(self._matchers[key].deep_copy(), self._words)

    def _compile(self, tools: Sequence[ToolSchema]) -> Any:
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        if self._vocabulary is None:
            ends = sorted(stop for stop in self._stops if stop < self._words)
            try:
                self._vocabulary = from_tokenizer(self._tokenizer, n_vocab=self._words, eos_token=ends)
            except ValueError as error:
                raise ModelError(
                    f"Calls of this model cannot be constrained: its tokenizer is not fast ({error})."
                ) from error
        matcher = LLMatcher(self._vocabulary, LLMatcher.grammar_from_lark(reply_grammar(tools)), log_level=0)
        if matcher.is_error():
            names = ", ".join(tool.name for tool in tools)[:200]
            raise InvalidInputError(
                f"Calls of the tools {names} cannot be constrained: {' '.join(matcher.get_error().split())[:300]}. Turn "
                "constrained calls off, or simplify the tools' schemas."
            )
        return matcher
