"""An instance made ready for the proof: its reference solution as replies, the world before each call, and what is needed."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lamsim_core.agent.policy import Policy, ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.agent.random_calls import random_call
from lamsim_core.canonical import derive_seed
from lamsim_core.environment import Environment, Transition, World
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.feedback import Judge
from lamsim_core.feedback.reference import same_call
from lamsim_core.models.backend import Completion
from lamsim_core.records import GoldCall, Step, Task, ToolCall, ToolSchema, Trajectory
from lamsim_core.tasks import build_environment
from lamsim_core.tasks.mutations import dropped_calls, wrong_values
from lamsim_core.tasks.verify import Replay, replay, still_told

ROOM = 4
"""Turns allowed beyond the replies there are."""


class CutPolicy(ReplayPolicy):
    """Says prepared replies, the last of which meets the limit of tokens."""

    def __init__(self, replies: Sequence[str]) -> None:
        super().__init__(replies)
        self._last = len(replies) - 1

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """The prepared reply of this turn."""
        cut = sum(step.reply is not None for step in steps) == self._last
        for piece in super().reply(task, steps, seed, should_stop):
            yield piece if isinstance(piece, str) or not cut else piece.model_copy(update={"finish": "length"})


def attempt(task: Task, policy: Policy | Sequence[str], max_steps: int | None = None) -> Trajectory:
    """What comes of an attempt by a policy, or by one that says the replies given."""
    if isinstance(policy, Sequence):
        max_steps = max_steps or len(policy) + ROOM
        policy = ReplayPolicy(policy)
    for event in run_attempt(task, policy, run="proof", max_steps=max_steps or 8):
        if isinstance(event, Ended):
            return event.trajectory
    raise AssertionError("an attempt always ends")


@dataclass(frozen=True)
class Scene:
    """An instance and what its reference solution does."""

    task: Task

    @cached_property
    def solved(self) -> Replay:
        """The reference solution, replayed without replies."""
        return replay(self.task, Judge(self.task), self.task.gold)

    @cached_property
    def worlds(self) -> tuple[World, ...]:
        """The world before each reference call, and after the last."""
        environment = build_environment(self.task)
        worlds = [environment.world.copy()]
        for call in self.task.gold:
            environment.step(as_made(call))
            worlds.append(environment.world.copy())
        return tuple(worlds)

    @cached_property
    def needed(self) -> frozenset[int]:
        """Places of the reference calls without which the attempt must fail (see ``mutations.dropped_calls``)."""
        judge = Judge(self.task)
        return frozenset(
            place
            for place, calls in dropped_calls(self.task, self.solved.environment)
            if not still_told(self.task, place, replay(self.task, judge, calls), self.solved)
        )

    @cached_property
    def turns(self) -> tuple[tuple[int, ...], ...]:
        """Places of the reference calls, those made together in one tuple."""
        groups: list[list[int]] = []
        for place, call in enumerate(self.task.gold):
            if call.together and groups:
                groups[-1].append(place)
            else:
                groups.append([place])
        return tuple(tuple(group) for group in groups)

    def schema(self, name: str) -> ToolSchema:
        """The offered tool of a name."""
        return next(tool for tool in self.task.tools if tool.name == name)

    def mutates(self, name: str) -> bool:
        """Whether a tool offered may change the world."""
        return self.solved.environment.tools[name].mutates

    def rng(self, *parts: str | int) -> random.Random:
        """Chance for one purpose: always the same for the same instance."""
        return random.Random(derive_seed("proof", self.task.key, *parts))

    def replies(
        self,
        *,
        instead: Mapping[int, Sequence[str]] | None = None,
        before: Mapping[int, str] | None = None,
        closing: str | None = None,
    ) -> tuple[str, ...]:
        """The reference solution as an agent writes it.

        Args:
            instead: texts that stand for the call of a place; none leaves it out.
            before: replies inserted before the call of a place: by themselves, or beside the calls made together
                with it. The place after the last call is that of the closing message.
            closing: another closing message.
        """
        instead, before = instead or {}, before or {}
        replies: list[str] = []
        for turn in self.turns:
            texts: list[str] = []
            for place in turn:
                if place in before:
                    (replies if place == turn[0] else texts).append(before[place])
                texts += instead.get(place, (call_text(self.task.gold[place]),))
            if texts:
                replies.append("\n".join(texts))
        if len(self.task.gold) in before:
            replies.append(before[len(self.task.gold)])
        return (*replies, self.task.closing if closing is None else closing)

    def try_call(self, place: int, call: GoldCall) -> Transition:
        """What would come of a call made before the reference call of a place; nothing is kept."""
        return Environment(self.worlds[place], self.solved.environment.tools).step(as_made(call))

    def try_calls(self, calls: Sequence[GoldCall]) -> tuple[Environment, list[Transition]]:
        """What would come of calls made from the start."""
        environment = Environment(self.worlds[0], self.solved.environment.tools)
        return environment, [environment.step(as_made(call)) for call in calls]

    def other_calls(self, tool: ToolSchema, place: int, tries: int = 12) -> Iterator[tuple[GoldCall, Transition]]:
        """Valid calls of a tool with values seen before a place, none of them the reference's, that succeed there."""
        alone = self.task.model_copy(update={"tools": (tool,)})
        rng = self.rng("other", tool.name, place)
        made: list[GoldCall] = []
        for _ in range(tries):
            call, _seen = random_call(alone, self.solved.steps[:place], rng)
            if any(same_call(call, other, self.task) for other in (*self.task.gold, *made)):
                continue
            made.append(call)
            outcome = self.try_call(place, call)
            if outcome.observation.ok:
                yield call, outcome

    def changed_values(self) -> Iterator[tuple[int, str, GoldCall]]:
        """Changing reference calls with another valid value: the place, the argument, and the call."""
        for _, calls in wrong_values(self.task, self.solved.environment):
            place = next(at for at, (one, other) in enumerate(zip(calls, self.task.gold, strict=True)) if one != other)
            right = self.task.gold[place].arguments
            name = next(key for key, value in right.items() if calls[place].arguments[key] != value)
            yield place, name, calls[place]


def as_made(call: GoldCall) -> ToolCall:
    """A reference call as an agent's."""
    return ToolCall(id="call_0", name=call.name, arguments=call.arguments, raw="")


def rewritten(call: GoldCall, arguments: Mapping[str, object]) -> GoldCall:
    """The same call with other arguments."""
    return call.model_copy(update={"arguments": dict(arguments)})
