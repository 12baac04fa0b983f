"""The plain way to let a model speak: transformers' own ``generate()`` over the whole conversation, for every reply anew.

No product feature uses it. It is the yardstick of ``bench explore``: the same prompts, stops and sampling, with stock
attention, nothing kept between two replies, nothing guessed, one reply at a time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lamsim_core.models.backend import Completion, Message
from lamsim_core.models.chat import render
from lamsim_core.models.loading import open_model
from lamsim_core.models.local import decoded, release_memory, require_room, stop_ids
from lamsim_core.models.registry import get_model
from lamsim_core.records import PolicyInfo, Sampling, ToolSchema, Usage
from lamsim_core.settings import Settings


def open_plain(settings: Settings, name: str, quantisation: str) -> "PlainBackend":
    """Load a local model to be asked the plain way.

    Raises:
        NotFoundError: there is no such model.
        ModelError: it cannot be loaded.
    """
    opened = open_model(settings, get_model(settings, name), quantisation)
    return PlainBackend(opened.model, opened.tokenizer, opened.info, max_prompt_tokens=settings.max_prompt_tokens)


class _Watch:
    """Notes when the first token was there. ``generate`` puts the prompt first, then each token."""

    def __init__(self) -> None:
        self.first: float | None = None
        self._puts = 0

    def put(self, value: Any) -> None:
        """The prompt, or one more token."""
        self._puts += 1
        if self._puts == 2:
            self.first = time.perf_counter()

    def end(self) -> None:
        """Nothing is left to do."""


class PlainBackend:
    """One loaded model asked the plain way. Not for several threads."""

    def __init__(self, model: Any, tokenizer: Any, info: PolicyInfo, *, max_prompt_tokens: int) -> None:
        model.set_attn_implementation("sdpa")
        self._model = model
        self._tokenizer = tokenizer
        self._max_prompt_tokens = max_prompt_tokens
        self._stops = stop_ids(model, tokenizer)
        self.info = info

    def close(self) -> None:
        """Free the memory the model holds."""
        self._model = None
        release_memory()

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        sampling: Sampling,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> Iterator[str | Completion]:
        """The reply in one piece, then its ``Completion``.

        Raises:
            PromptTooLongError: the prompt and the reply do not fit.
        """
        import torch

        prompt = render(self._tokenizer, messages, tools, add_generation_prompt=True)
        require_room(prompt, self._model, self._max_prompt_tokens, sampling)
        ids = torch.tensor([prompt], device=self._model.device)
        chance: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            chance = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
            torch.manual_seed(seed)
        watch = _Watch()
        started = time.perf_counter()
        with torch.inference_mode():
            output = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=sampling.max_new_tokens,
                eos_token_id=sorted(self._stops),
                pad_token_id=min(self._stops),
                streamer=watch,
                **chance,
            )
        ended = time.perf_counter()
        written = output[0, len(prompt) :].tolist()
        stopped = bool(written) and written[-1] in self._stops
        if stopped:
            written.pop()
        text = decoded(self._tokenizer, written)
        first = ended if watch.first is None else watch.first
        usage = Usage(
            prompt_tokens=len(prompt),
            cached_tokens=0,
            completion_tokens=len(written),
            prefill_seconds=first - started,
            decode_seconds=ended - first,
        )
        yield text
        yield Completion(text=text, usage=usage, finish="end" if stopped else "length")
