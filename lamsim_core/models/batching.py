"""Replies that are written together: who sits in which slot, what each feeds in the next pass, who joins and leaves.

A conversation keeps its slot between two replies, so its next prompt is read only from where it goes on. A new one
begins with a copy of the longest beginning that any slot holds; when that beginning is just being read by another, it
waits for it, so the attempts at one task read their common prompt once.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lamsim_core.models.backend import Completion
from lamsim_core.models.cache import Part, feed
from lamsim_core.models.pool import Pool, Row
from lamsim_core.models.reply import GUESSES, Reply

_PORTION = 512
"""Tokens of prompts read in one pass, beside the tokens being written."""
_WORTH_GUESSING = 0.35
"""Share of guesses that have to come true: a token more in a pass costs about so much of what a reply's pass costs."""
_WORTH_WAITING = 64
"""Tokens of a prompt for which it is better to wait than to read them again."""


class Member(NamedTuple):
    """A reply being written, the slot it is written in, and where its text goes."""

    reply: Reply
    row: Row
    put: Callable[[str | Completion], object]
    fail: Callable[[str], object]


class Batch:
    """Replies of one model that advance together. Used by one thread at a time.

    Args:
        model: a model whose attention is ``attend_rows``.
        size: replies written together.
    """

    def __init__(self, model: Any, size: int) -> None:
        self._model = model
        self._size = size
        self.pool = Pool(int(model.config.num_hidden_layers), size)
        self.members: list[Member] = []
        self.reading = 0.0
        """Share of the last pass's tokens that were of prompts."""
        self._free = list(self.pool.rows)  # the one that was left first comes first

    def join(
        self, reply: Reply, put: Callable[[str | Completion], object], fail: Callable[[str], object], room: int
    ) -> bool:
        """Seat a reply; False when it has to wait, for a slot or for its beginning.

        Args:
            put: is given the pieces of text, then the completion.
            fail: is given a sentence when the reply fails.
            room: tokens it may come to have.
        """
        if len(self.members) == self._size:
            return False
        found = self._seat(reply.context, room)
        if found is None:
            return False
        row, reply.meter.cached = found
        row.prompt = len(reply.context)
        self.members.append(Member(reply, row, put, fail))
        return True

    def _seat(self, prompt: list[int], room: int) -> tuple[Row, int] | None:
        """A slot for a prompt, and how much of the prompt it holds; None when it is better to wait."""
        shared = {row.slot: min(common(row.tokens, prompt), len(prompt) - 1) for row in self.pool.rows}
        best = max(self.pool.rows, key=lambda row: shared[row.slot])
        for member in self.members:
            coming = min(common(member.reply.context, prompt), len(prompt) - 1)
            if coming - max(shared[best.slot], len(member.row.tokens)) >= _WORTH_WAITING:
                return None
        # A slot whose last prompt the new one begins with is the same conversation, going on.
        going_on = [row for row in self._free if row.prompt and shared[row.slot] >= row.prompt]
        target = max(going_on, key=lambda row: shared[row.slot], default=self._free[0])
        self._free.remove(target)
        source = target if shared[target.slot] == shared[best.slot] else best
        self.pool.begin(target, source, shared[source.slot], room)
        return target, shared[source.slot]

    def step(self) -> None:
        """One pass: read a portion of prompts, write a token or more of every reply whose prompt is read.

        Raises:
            RuntimeError: the pass failed; nobody advanced.
        """
        parts: list[Part] = []
        fed: list[Member] = []
        left = _PORTION
        for member in tuple(self.members):
            reply, row = member.reply, member.row
            if reply.should_stop():
                reply.finish = "stopped"
                self._leave(member)
                continue
            del row.tokens[common(row.tokens, reply.context) :]
            fresh = reply.context[len(row.tokens) :]
            if len(fresh) > 1 and len(row.tokens) < row.prompt:  # what a grammar forced is no prompt, and short
                fresh = fresh[:left]
                left -= len(fresh)
            if fresh:
                whole = len(row.tokens) + len(fresh) == len(reply.context)
                parts.append(Part(row, fresh + reply.guesses, len(reply.guesses) + 1 if whole else 0))
                fed.append(member)
        if not parts:
            return
        self.reading = (_PORTION - left) / sum(len(part.tokens) for part in parts)
        for member, part, logits in zip(fed, parts, feed(self._model, self.pool, parts), strict=True):
            if part.numbers:
                self._write(member, logits)

    def _write(self, member: Member, logits: Any) -> None:
        if not bool(logits.amax(dim=-1).isfinite().all()):
            self._dismiss(member)
            member.row.tokens.clear()
            member.fail("gave numbers that are none (NaN); its weights are damaged")
            return
        reply = member.reply
        if text := "".join(reply.take(logits)):  # in one piece: whoever waits for it needs a core to take it
            member.put(text)
        if reply.finish is not None:
            self._leave(member)
            return
        # A guess costs nearly half a token here, not next to nothing: guess further only while guesses are right, and
        # none where they seldom are, as in replies drawn by chance.
        reply.guess(min(GUESSES, 2 * reply.right + (reply.foretold >= _WORTH_GUESSING)))

    def _leave(self, member: Member) -> None:
        self._dismiss(member)
        for piece in member.reply.end():
            member.put(piece)

    def _dismiss(self, member: Member) -> None:
        self.members.remove(member)
        del member.row.tokens[common(member.row.tokens, member.reply.context) :]
        self._free.append(member.row)

    def clear(self, why: str) -> None:
        """Let every reply fail, and forget everything."""
        for member in tuple(self.members):
            self._dismiss(member)
            member.fail(why)
        for row in self.pool.rows:
            row.tokens.clear()

    def release(self) -> None:
        """Let go of the model and of the memory of the slots. Nothing can join any more."""
        self._model, self.pool = None, Pool(0, 0)


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    shortest = min(len(first), len(second))
    if first[:shortest] == second[:shortest]:
        return shortest
    return next(place for place in range(shortest) if first[place] != second[place])
