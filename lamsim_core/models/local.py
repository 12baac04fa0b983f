"""Models run in this process with transformers, on a CPU or a CUDA device.

The keys and values of the last conversation are kept. The next prompt is compared with it token by token and only what
differs is computed, so the steps of one attempt, and tasks that share their system text and tools, are not read again.
Tokens that are likely to come are checked several at a time (see ``decode.Lookahead``). Neither changes what the model
says, up to rounding: numbers computed in other portions can differ in their last bit.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Lock
from typing import Any

from lamsim_core.errors import ModelError
from lamsim_core.models.backend import Completion, Message, PromptTooLongError
from lamsim_core.models.chat import render
from lamsim_core.models.constrained import Constraint, Grammars
from lamsim_core.models.reply import GUESSES, Meter, Reply
from lamsim_core.records import PolicyInfo, Sampling, ToolSchema

STOP_TOKENS = ("<|im_end|>", "<|endoftext|>")
"""Tokens that end a reply, beside those the model's own configuration names."""

_PORTION = 2048
_LOCK_POLL_SECONDS = 0.1


class LocalBackend:
    """One loaded model. Several threads may use it; replies are written one at a time.

    A stream holds the model until it is used up or closed, so a thread must not start a second stream of the same
    backend while its first is open.
    """

    def __init__(self, model: Any, tokenizer: Any, info: PolicyInfo, *, max_prompt_tokens: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._info = info
        self._max_prompt_tokens = max_prompt_tokens
        self._stops = stop_ids(model, tokenizer)
        self._grammars = Grammars(model, tokenizer, self._stops)
        self._lock = Lock()
        self._cache: Any = None
        self._held: list[int] = []

    @property
    def info(self) -> PolicyInfo:
        """Who this is, by name and by hash."""
        return self._info

    def close(self) -> None:
        """Free the memory the model holds."""
        with self._lock:
            self._model, self._cache, self._held = None, None, []
        release_memory()

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> Iterator[str | Completion]:
        """Yield the reply's text in pieces as it is written, then exactly one ``Completion``.

        Raises:
            PromptTooLongError: the prompt and the reply do not fit.
            InvalidInputError: calls are to be constrained, and the schema of a tool does not allow it.
            ModelError: the model failed or was closed.
        """
        constraint = self._grammars.constraint(sampling, tools)
        prompt = render(self._tokenizer, messages, tools, add_generation_prompt=True)
        while not self._lock.acquire(timeout=_LOCK_POLL_SECONDS):
            if should_stop():
                yield Completion(text="", usage=Meter(len(prompt)).usage(), finish="stopped")
                return
        try:
            if self._model is None:
                raise ModelError(f"The model {self._info.name} was closed.")
            require_room(prompt, self._model, self._max_prompt_tokens, sampling)
            yield from self._reply(prompt, sampling, seed, should_stop, constraint)
        finally:
            self._lock.release()

    def _reply(
        self,
        prompt: list[int],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
        constraint: Constraint | None,
    ) -> Iterator[str | Completion]:
        reply = Reply(
            prompt,
            sampling,
            seed,
            stops=self._stops,
            decode=partial(decoded, self._tokenizer),
            should_stop=should_stop,
            constraint=constraint,
        )
        reply.meter.cached = self._rewind(reply.context)
        while reply.finish is None:
            fresh = reply.context[self._rewind(reply.context) :]
            logits = self._feed(fresh + reply.guesses, len(reply.guesses) + 1, should_stop)
            if logits is None:
                reply.finish = "stopped"
                break
            for piece in reply.take(logits):
                with reply.meter.paused():
                    yield piece
            reply.guess(GUESSES)
        yield from reply.end()

    def _rewind(self, context: list[int]) -> int:
        """Drop what is held beyond the beginning it shares with ``context``; return how many tokens stay.

        At least the last token of ``context`` is left to be fed, since only feeding gives numbers.
        """
        shared = min(len(self._held), len(context) - 1)
        if self._held[:shared] != context[:shared]:
            shared = next(place for place in range(shared) if self._held[place] != context[place])
        surplus = len(self._held) - shared
        if surplus:
            try:
                self._cache.crop(-surplus)
            except (ValueError, NotImplementedError):
                # A cache with a sliding window has forgotten the beginning and cannot go back.
                self._cache, shared = None, 0
            self._held = self._held[:shared]
        return shared

    def _feed(self, tokens: list[int], rows: int, should_stop: Callable[[], bool]) -> Any | None:
        """Run the model over ``tokens``; return the last ``rows`` rows of numbers, or None when stopped on the way.

        Raises:
            ModelError: the model failed or gave numbers that are none.
        """
        import torch
        from transformers import DynamicCache

        portions = [tokens[start : start + _PORTION] for start in range(0, len(tokens), _PORTION)]
        if len(portions) > 1 and len(portions[-1]) < rows:
            portions[-2:] = [portions[-2] + portions[-1]]
        if self._cache is None:
            self._cache, self._held = DynamicCache(config=self._model.config), []
        logits = None
        try:
            for portion in portions:
                if should_stop():
                    return None
                ids = torch.tensor([portion], device=self._model.device)
                # Places, not a number: a number makes a slice, for which torch copies the output head's whole weight.
                wanted = torch.arange(max(0, len(portion) - rows), len(portion), device=self._model.device)
                with torch.inference_mode():
                    output = self._model(ids, past_key_values=self._cache, use_cache=True, logits_to_keep=wanted)
                self._held = self._held + portion
                logits = output.logits[0].float().cpu()
        except RuntimeError as error:
            self._cache, self._held = None, []
            raise ModelError(f"The model {self._info.name} failed: {str(error)[:300]}") from error
        if logits is None or not bool(torch.isfinite(logits.amax(dim=-1)).all()):
            self._cache, self._held = None, []
            raise ModelError(f"The model {self._info.name} gave numbers that are none (NaN); its weights are damaged.")
        return logits


def release_memory() -> None:
    """Give memory that is free within this process back to the machine.

    The C library keeps what loading and merging needed: 0.9 GB after an adapter of the default model was opened.
    """
    import ctypes
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids of the tokens that end a reply."""
    named = [tokenizer.eos_token_id]
    for config in (model.config, model.generation_config):
        ids = getattr(config, "eos_token_id", None)
        named += ids if isinstance(ids, list) else [ids]
    vocabulary = tokenizer.get_added_vocab()
    named += [vocabulary[token] for token in STOP_TOKENS if token in vocabulary]
    return frozenset(token for token in named if token is not None)


def decoded(tokenizer: Any, ids: list[int]) -> str:
    """The text of a reply's tokens, without control tokens."""
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def require_room(prompt: Sequence[int], model: Any, max_prompt_tokens: int, sampling: Sampling) -> None:
    """See to it that a prompt and its reply fit into the model.

    Raises:
        PromptTooLongError: they do not.
    """
    longest = getattr(model.config, "max_position_embeddings", None)
    limit = max_prompt_tokens if longest is None else min(max_prompt_tokens, int(longest) - sampling.max_new_tokens)
    if len(prompt) > limit:
        raise PromptTooLongError(len(prompt), limit)
