"""A debugger for an attempt that is going on: it is held before an action or after it, looked at, changed, and let go on.

The attempt runs in one thread, the person's orders come from others. The attempt itself stays ``run_attempt``: its policy is
wrapped (``Debugger.around``), and it asks ``Debugger.tell`` what the agent is told after each call. A person's words are
marked as such in the record (``Step.by_hand``, ``proposed``, ``shown``): see docs/decisions/0020-debugging-a-run.md.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Literal

from pydantic import JsonValue

from lamsim_core.agent.parse import parse_reply
from lamsim_core.agent.policy import Policy, by_hand
from lamsim_core.errors import InvalidInputError, StoppedError
from lamsim_core.explore.edits import edited_result, raw_reply, same_action
from lamsim_core.models.backend import Completion
from lamsim_core.records import Observation, PolicyInfo, Step, Task

Point = Literal["before", "after"]
"""Where an attempt can be held: a reply is written and nothing of it done yet, or an action was just taken."""
Why = Literal["asked", "every", "failed"]
"""A person asked for it, every action is to be looked at, or a check holds the action against the agent."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Pausing:
    """When an attempt is held without being asked."""

    every: bool = False
    """Before every action."""
    failed: bool = False
    """After an action that a check holds against the agent."""


@dataclass(frozen=True)
class Hold:
    """An attempt that is held."""

    number: int
    """Counts the holds of one attempt: an order given to one of them never reaches a later one."""
    point: Point
    why: Why
    step: int
    """Index of the action that comes next, or of the one just taken."""
    reply: str | None
    """What the agent wants to say and do next; None after an action."""
    calls_left: int
    """Calls of the same reply that are still to be made after an action. Until they are, the agent writes nothing new."""

    @property
    def can_act(self) -> bool:
        """Whether the agent's next reply is open, so that a person can give it."""
        return self.point == "before" or not self.calls_left


class Debugger:
    """Holds one attempt where it is asked to. Its orders may be given at any time from any thread."""

    def __init__(self, should_stop: Callable[[], bool], pausing: Pausing | None = None) -> None:
        self.pausing = pausing or Pausing()
        """May be changed at any time."""
        self.hold: Hold | None = None
        """Where the attempt is held now; None while it goes on."""
        self.taken = False
        """Whether a person has taken over and gives every reply until they hand back."""
        self.told: Observation | None = None
        """What the agent is going to be told instead of the result of the action just taken."""
        self._should_stop = should_stop
        self._changed = Condition()
        self._wanted: Point | Literal["any"] | None = None
        self._typed: str | None = None
        self._step: Step | None = None
        self._calls_left = 0
        self._number = 0
        self._waited = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """How long the attempt has been held in all."""
        since = self._since
        return self._waited + (time.perf_counter() - since if since is not None else 0.0)

    @property
    def pause_asked(self) -> bool:
        """Whether it will be held at the next opportunity."""
        return self.hold is None and self._wanted is not None

    def pause(self) -> None:
        """Hold the attempt before its next action: a reply that is being written is written to its end first."""
        with self._changed:
            if self.hold is None and self._wanted is None:
                self._wanted = "before"

    def step(self, number: int) -> None:
        """Let one thing happen, the action or the agent's next reply, and hold again. A hold that is over is left alone."""
        self._go_on(number, "any")

    def run_on(self, number: int) -> None:
        """Let the attempt go on by itself, and hand back to its policy. A hold that is over is left alone."""
        self._go_on(number, None)

    def take_over(self, number: int) -> None:
        """Act by hand from here, until ``run_on``: the attempt stays held. A hold that is over is left alone."""
        with self._changed:
            self.taken = self.taken or (self.hold is not None and self.hold.number == number)

    def act(self, number: int, reply: str) -> None:
        """Reply in the policy's place; the attempt is held again after each of the actions.

        Args:
            number: the hold it is meant for.
            reply: as ``edits.typed_reply`` or ``edits.raw_reply`` make it.

        Raises:
            InvalidInputError: the hold is over, the reply before it is not done yet, or this one is empty or too long.
        """
        text = raw_reply(reply)
        with self._changed:
            if not self._held(number).can_act:
                raise InvalidInputError("The calls of the last reply come first. Step on until they are made.")
            self._typed = text
            self._release("any")

    def retell(self, number: int, content: JsonValue) -> None:
        """Tell the agent something else than the result of the action just taken, once the attempt goes on.

        Args:
            number: the hold it is meant for; it stays held.
            content: the made-up result. The true one takes it back.

        Raises:
            InvalidInputError: the hold is over or not after an action with a result, or the content cannot be a result.
        """
        with self._changed:
            step = self._step if self._held(number).point == "after" else None
            told = edited_result(step, content)
            self.told = None if step is not None and told == step.observation else told

    def around(self, policy: Policy) -> Policy:
        """The policy of the attempt, held where it is asked for."""
        return _Watched(policy, self)

    def tell(self, step: Step) -> Observation | None:
        """Hold after an action if that is asked for. Called by the attempt.

        Returns:
            What the agent is told instead of the result; None for the result.

        Raises:
            StoppedError: it was stopped meanwhile.
        """
        self._calls_left = max(0, self._calls_left - 1)
        why = self._why("after", step)
        if why is None:
            return None
        self._step = step
        self._wait("after", why, step.index, None)
        told, self.told = self.told, None
        return told

    def reply(
        self, policy: Policy, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """The next reply: a person's when there is one, else the policy's, if need be held and changed.

        Raises:
            ModelError: the model failed.
            StoppedError: it was stopped meanwhile.
        """
        if self._should_stop():
            raise StoppedError("The attempt was stopped.")
        completion: Completion | None = None
        if (text := self._take_typed()) is not None:
            yield text
            completion = by_hand(text)
        else:
            for piece in policy.reply(task, steps, seed, should_stop):
                if isinstance(piece, str):
                    yield piece
                else:
                    completion = piece
            # The policy's own stream is over by here: a model is never kept from others while its attempt is held.
            if completion is None:
                return
            why = self._why("before") if completion.finish != "stopped" else None
            if why is not None:
                self._wait("before", why, len(steps), completion.text)
                text = self._take_typed()
                if text is not None and not same_action(text, completion.text):
                    completion = by_hand(text, instead_of=completion)
        self._calls_left = len(parse_reply(completion.text).calls)
        yield completion

    def _why(self, point: Point, step: Step | None = None) -> Why | None:
        """Why the attempt has to be held at a point, or None when it goes on."""
        acts_next = point == "before" or self._calls_left > 0
        if self._wanted in ("any", point) or (self._wanted == "before" and acts_next):
            return "asked"
        if self.pausing.failed and step is not None and step.failed:
            return "failed"
        return "every" if self.pausing.every and acts_next else None

    def _wait(self, point: Point, why: Why, step: int, reply: str | None) -> None:
        with self._changed:
            self._number += 1
            self._since = time.perf_counter()
            self._wanted = None
            hold = self.hold = Hold(self._number, point, why, step, reply, self._calls_left)
            try:
                while self.hold is hold:
                    if self._should_stop():
                        raise StoppedError("The attempt was stopped while it was held.")
                    self._changed.wait(_POLL_SECONDS)
            finally:
                self.hold = None
                self._waited, self._since = self.seconds, None

    def _go_on(self, number: int, wanted: Literal["any"] | None) -> None:
        with self._changed:
            if self.hold is not None and self.hold.number == number:
                self.taken = self.taken and wanted is not None
                self._release(wanted)

    def _release(self, wanted: Literal["any"] | None) -> None:
        self._wanted = wanted
        self.hold = None
        self._changed.notify_all()

    def _held(self, number: int) -> Hold:
        if self.hold is None or self.hold.number != number:
            raise InvalidInputError("The run has gone on meanwhile, so this comes too late.")
        return self.hold

    def _take_typed(self) -> str | None:
        text, self._typed = self._typed, None
        return text


class _Watched:
    """A policy whose replies pass a debugger."""

    def __init__(self, policy: Policy, debugger: Debugger) -> None:
        self._policy = policy
        self._debugger = debugger

    @property
    def info(self) -> PolicyInfo:
        """Who acts when nobody takes over."""
        return self._policy.info

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """See ``Debugger.reply``."""
        return self._debugger.reply(self._policy, task, steps, seed, should_stop)
