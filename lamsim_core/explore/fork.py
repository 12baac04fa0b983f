"""Forks: a stored attempt goes on from one of its steps, with another policy, another action or another result.

The steps before are taken over: done again in a fresh world and held against the record, so that a fork is the same as an
attempt that made the same calls from the start. docs/decisions/0015-forks.md says what may be edited and how it counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from lamsim_core.agent.parse import OPEN
from lamsim_core.agent.policy import Policy, by_hand, reference_reply, spoken
from lamsim_core.canonical import derive_seed
from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.explore.edits import edited_result, typed_reply
from lamsim_core.explore.episode import Event, Start, run_attempt
from lamsim_core.models.backend import Completion
from lamsim_core.records import GoldCall, Observation, Parent, PolicyInfo, Step, Task, ToolCall, Trajectory
from lamsim_core.tasks import build_environment


@dataclass(frozen=True)
class Fork:
    """A branch of a stored attempt. Made by ``fork_at``, which refuses what cannot be."""

    origin: Trajectory
    parent: Parent
    attempt: int
    """Which attempt at the same place."""
    taken: tuple[Step, ...]
    """The steps taken over, with what the agent is told instead of their results."""

    @property
    def task(self) -> Task:
        """The task, which is the parent's."""
        return self.origin.task

    @property
    def seed(self) -> int:
        """From the task, the attempt and the place of the fork. Edits leave it alone, so that they alone make a difference."""
        return derive_seed(self.task.key, self.attempt, self.parent.trajectory, self.parent.step)

    @property
    def given(self) -> int:
        """Steps that the policy does not decide: those taken over, and a typed one."""
        return len(self.taken) + (self.parent.action is not None)

    def require_turn(self, max_steps: int) -> None:
        """See to it that a turn is left after those taken over.

        Raises:
            InvalidInputError: there is none.
        """
        taken = turns_of(self.taken)
        if taken >= max_steps:
            raise InvalidInputError(
                f"The steps taken over use up {taken} of {max_steps} turns. Allow more, or fork further up."
            )

    def run(
        self,
        policy: Policy,
        *,
        run: str,
        max_steps: int,
        should_stop: Callable[[], bool] = lambda: False,
        tell: Callable[[Step], Observation | None] = lambda step: None,
        trajectory_id: str | None = None,
    ) -> Iterator[Event]:
        """Take the steps over and let ``policy`` go on; events as of ``run_attempt``.

        Args:
            policy: decides from here on.
            run: the run it belongs to.
            max_steps: turns allowed, those taken over included.
            should_stop: asked while it runs.
            tell: asked after each call of its own what the agent is told instead of its result.
            trajectory_id: what the trajectory is called, where that has to be known before it ends.

        Raises:
            DivergenceError: the steps to take over do not come out as they are recorded.
            InvalidInputError: no turn is left.
        """
        self.require_turn(max_steps)
        return run_attempt(
            self.task,
            policy if self.parent.action is None else _Typed(policy, len(self.taken), self.parent.action),
            run=run,
            attempt=self.attempt,
            max_steps=max_steps,
            should_stop=should_stop,
            start=Start(self.parent, self.taken, self.seed),
            tell=tell,
            trajectory_id=trajectory_id,
        )


def turns_of(steps: Sequence[Step]) -> int:
    """How many turns steps make up."""
    return sum(step.reply is not None for step in steps)


def fork_at(
    origin: Trajectory,
    step: int,
    *,
    action: str | GoldCall | None = None,
    result: JsonValue = None,
    attempt: int = 0,
) -> Fork:
    """A fork that takes over the steps before ``step``.

    Args:
        origin: the attempt.
        step: index of the first step that is new, from 0 to the number of steps.
        action: done at that step instead of what the policy would: a call, or a message to the user.
        result: told to the agent instead of the result of the step before; None leaves it.
        attempt: another one draws other replies.

    Raises:
        InvalidInputError: there is nothing to go on from, or what was typed cannot be used.
    """
    steps = origin.steps
    if not 0 <= step <= len(steps):
        raise InvalidInputError(f"This attempt has {len(steps)} steps; a fork can take over 0 to {len(steps)} of them.")
    taken = list(steps[:step])
    if taken and taken[-1].call is None and taken[-1].feedback is None:
        raise InvalidInputError(
            f"Step {step} closes the attempt with a message; nothing comes after it. Fork there to act otherwise."
        )
    told = None if result is None else edited_result(taken[-1] if taken else None, result)
    if told is not None:
        taken[-1] = taken[-1].model_copy(update={"shown": told})
    reply = None if action is None else typed_reply(action)
    parent = Parent(trajectory=origin.id, step=step, action=reply, result=told)
    return Fork(origin, parent, attempt, tuple(_whole_turn(taken, steps[step:])))


def reference_done(task: Task, steps: Sequence[Step]) -> int | None:
    """How many calls of the reference solution have been made, in their order.

    Returns:
        The number, or None when the world is not as it would be after exactly these: then the reference cannot go on.
    """
    done = 0
    for step in steps:
        wanted = task.gold[done] if done < len(task.gold) else None
        if wanted and step.call and (step.call.name, step.call.arguments) == (wanted.name, wanted.arguments):
            done += 1
    environment = build_environment(task)
    for index, call in enumerate(task.gold[:done]):
        environment.step(ToolCall(id=f"call_{index}", name=call.name, arguments=call.arguments, raw=""))
    here = steps[-1].state_after if steps else environment.world.state_hash()
    return done if environment.world.state_hash() == here else None


class RestOfReference:
    """The reference solution from wherever an attempt stands, where that is possible."""

    info = PolicyInfo(kind="gold", name="gold")

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """The calls of its next turn, or its closing message.

        Raises:
            ModelError: the world is not as the reference solution would have it.
        """
        done = reference_done(task, steps)
        if done is None:
            raise ModelError("The reference solution cannot go on from here: something else has been changed before.")
        return spoken(reference_reply(task, done))


class _Typed:
    """Another policy, but for one reply that a person typed."""

    def __init__(self, policy: Policy, step: int, reply: str) -> None:
        self._policy = policy
        self._step = step
        self._reply = reply

    @property
    def info(self) -> PolicyInfo:
        """Who acts otherwise."""
        return self._policy.info

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        """What was typed, when it is its turn."""
        if len(steps) == self._step:
            return iter((self._reply, by_hand(self._reply)))
        return self._policy.reply(task, steps, seed, should_stop)


def _whole_turn(taken: Sequence[Step], rest: Sequence[Step]) -> Iterator[Step]:
    """The steps, with the reply of the last turn cut after its calls that are taken over when it made more."""
    turn = taken[-1].turn if taken else -1
    kept = [step for step in taken if step.turn == turn]
    cut = bool(rest) and rest[0].turn == turn
    for step in taken:
        if cut and step.turn == turn and step.reply is not None:
            yield step.model_copy(update={"reply": OPEN.join(step.reply.split(OPEN)[: len(kept) + 1])})
        else:
            yield step
