"""A backend that many threads may ask at once: one thread of its own writes all their replies together."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Condition, Lock, Thread
from typing import Any

from lamsim_core.errors import ModelError
from lamsim_core.models.attention import use_rows_attention
from lamsim_core.models.backend import Completion, Message
from lamsim_core.models.batching import Batch
from lamsim_core.models.chat import render
from lamsim_core.models.constrained import Grammars
from lamsim_core.models.local import decoded, release_memory, require_room, stop_ids
from lamsim_core.models.packed import PackedModel, can_pack
from lamsim_core.models.reply import GUESSES, Reply
from lamsim_core.records import PolicyInfo, Sampling, ToolSchema

_LINGER_SECONDS = 1.0
"""How long the thread waits for more to do before it ends; so a backend that is dropped needs no closing."""


class _Request:
    """A reply somebody waits for."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.pieces: queue.SimpleQueue[str | Completion | ModelError] = queue.SimpleQueue()
        self.left = False
        """Whoever asked is gone."""
        self._should_stop = should_stop

    def should_stop(self) -> bool:
        """Whether nobody wants the rest."""
        return self.left or self._should_stop()


class BatchedBackend:
    """One loaded model that writes up to ``size`` replies together.

    Replies are those of ``LocalBackend``, up to rounding. ``decode_seconds`` of a reply is the time it took, of which
    the replies beside it had their share.
    """

    def __init__(self, model: Any, tokenizer: Any, info: PolicyInfo, *, max_prompt_tokens: int, size: int) -> None:
        stops = stop_ids(model, tokenizer)
        grammars = Grammars(model, tokenizer, stops)
        if can_pack(model):
            model = PackedModel(model)
        else:
            use_rows_attention(model)
        self._model = model
        self._tokenizer = tokenizer
        self._info = info
        self._max_prompt_tokens = max_prompt_tokens
        self._stops = stops
        self._grammars = grammars
        self._batch = Batch(model, size)
        self._waiting: list[tuple[_Request, Reply, int]] = []
        self._changed = Condition()
        self._rendering = Lock()
        self._thread: Thread | None = None
        self.size = size
        self.reading_seconds = self.writing_seconds = 0.0
        """Time spent so far in passes of the model; one that both reads prompts and writes counts by its tokens."""

    @property
    def info(self) -> PolicyInfo:
        """Who this is, by name and by hash."""
        return self._info

    def forget(self) -> None:
        """Forget the conversations that were read. Nobody may be waiting for a reply."""
        with self._changed:
            self._batch.clear("was made to forget")

    def close(self) -> None:
        """Free the memory the model holds; replies being written fail."""
        with self._changed:
            self._model = None
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        self._batch.release()
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
        with self._rendering:  # tokenizers are not made for several threads
            prompt = render(self._tokenizer, messages, tools, add_generation_prompt=True)
        request = _Request(should_stop)
        with self._changed:
            if self._model is None:
                raise ModelError(f"The model {self._info.name} was closed.")
            require_room(prompt, self._model, self._max_prompt_tokens, sampling)
            reply = Reply(
                prompt,
                sampling,
                seed,
                stops=self._stops,
                decode=partial(decoded, self._tokenizer),
                should_stop=request.should_stop,
                constraint=constraint,
            )
            self._waiting.append((request, reply, len(prompt) + sampling.max_new_tokens + GUESSES))
            if self._thread is None:
                self._thread = Thread(target=self._write, name=f"model {self._info.name}", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        try:
            while True:
                piece = request.pieces.get()
                if isinstance(piece, ModelError):
                    raise piece
                yield piece
                if isinstance(piece, Completion):
                    return
        finally:
            request.left = True

    def _write(self) -> None:
        """Write replies until there are none to write for a while."""
        while self._admit():
            started = time.perf_counter()
            try:
                self._batch.step()
            except Exception as error:  # whatever it was: those who wait must not wait for ever
                self._batch.clear(f"failed: {str(error)[:300]}")
            seconds = time.perf_counter() - started
            self.reading_seconds += seconds * self._batch.reading
            self.writing_seconds += seconds * (1 - self._batch.reading)

    def _admit(self) -> bool:
        """Seat those who wait, as far as there is room; False when the thread is to end."""
        with self._changed:
            while self._model is not None and not self._waiting and not self._batch.members:
                if not self._changed.wait(_LINGER_SECONDS):
                    self._thread = None
                    return False
            if self._model is None:
                self._batch.clear("was closed")
                for request, _, _ in self._waiting:
                    self._fail(request, "was closed")
                self._waiting.clear()
                self._thread = None
                return False
            self._waiting = [each for each in self._waiting if not self._seated(*each)]
            return True

    def _seated(self, request: _Request, reply: Reply, room: int) -> bool:
        if reply.should_stop():
            reply.finish = "stopped"
            for piece in reply.end():
                request.pieces.put(piece)
            return True
        return self._batch.join(reply, request.pieces.put, partial(self._fail, request), room)

    def _fail(self, request: _Request, why: str) -> None:
        request.pieces.put(ModelError(f"The model {self._info.name} {why}."))
