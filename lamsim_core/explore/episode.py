"""One attempt as a stream of events: what the page draws, the job stores and the tests read is the same stream."""

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass

from lamsim_core import __version__
from lamsim_core.agent.parse import parse_reply
from lamsim_core.agent.policy import NO_COST, ByHand, Policy, by_hand
from lamsim_core.canonical import derive_seed, new_id, now
from lamsim_core.environment import Environment
from lamsim_core.errors import DivergenceError, ModelError, StoppedError
from lamsim_core.explore.compare import PARTS, differences
from lamsim_core.explore.manner import Chosen, Limits, Manner
from lamsim_core.feedback import Judge
from lamsim_core.feedback.judge import Judgement
from lamsim_core.feedback.registry import checks_hash
from lamsim_core.models.backend import Completion
from lamsim_core.records import Ending, Observation, Parent, RowChange, Sampled, Step, Task, ToolCall, Trajectory, Usage
from lamsim_core.tasks import build_environment


@dataclass(frozen=True)
class Token:
    """A piece of the reply being written."""

    text: str


@dataclass(frozen=True)
class Acted:
    """An action was taken and judged. Comes again for the same step when the agent is told something more."""

    step: Step


@dataclass(frozen=True)
class Ended:
    """The attempt is over."""

    trajectory: Trajectory


Event = Token | Acted | Ended


@dataclass(frozen=True)
class Start:
    """Where an attempt starts that does not start at the beginning: within another one, whose first steps it takes over."""

    parent: Parent
    taken: tuple[Step, ...]
    """The steps taken over, as they must come out again."""
    seed: int


def versions() -> dict[str, str]:
    """Versions written into every trajectory: the product, Python, and the checks in force."""
    return {"lamsim": __version__, "python": platform.python_version(), "checks": checks_hash()}


def attempt_seed(task: Task, attempt: int) -> int:
    """Seed of an attempt: from the task and the attempt alone, never from the worker or the time."""
    return derive_seed(task.key, attempt)


PLAIN = Manner()
"""One reply a turn, nothing told beside results."""


def run_attempt(
    task: Task,
    policy: Policy,
    *,
    run: str,
    attempt: int = 0,
    max_steps: int = 8,
    should_stop: Callable[[], bool] = lambda: False,
    start: Start | None = None,
    tell: Callable[[Step], Observation | None] = lambda step: None,
    trajectory_id: str | None = None,
    max_tokens: int | None = None,
    max_seconds: float | None = None,
    manner: Manner = PLAIN,
) -> Iterator[Event]:
    """Let ``policy`` try ``task`` once; the last event is ``Ended`` with the judged trajectory.

    Whatever the model writes and whatever the model does wrong is data in the trajectory; a model that breaks down ends
    the attempt as ``failed``, unscored. Steps taken over count among the turns, are done and judged anew, and cost nothing.

    Args:
        task: what is asked for.
        policy: decides the replies.
        run: the run it belongs to.
        attempt: which attempt at the task.
        max_steps: turns allowed.
        should_stop: asked while it runs.
        start: where it starts, when not at the beginning.
        tell: asked after each call what the agent is told instead of its result, None for the result. It may take as
            long as it likes, and raise ``StoppedError``.
        trajectory_id: what the trajectory is called, where that has to be known before it ends.
        max_tokens: written in all, after which no further reply is begun.
        max_seconds: after which the reply being written is broken off.
        manner: how replies are chosen and what comes of a turn.

    Raises:
        DivergenceError: the steps to take over do not come out as they are recorded.
    """
    limits = Limits(max_steps, max_tokens, max_seconds)
    episode = Episode(task, start.seed if start else attempt_seed(task, attempt), limits)
    if start is not None:
        for step in episode.take_over(start.taken):
            yield Acted(step)
    ended: Ending | None = episode.exceeded()
    error: str | None = None
    while ended is None:
        seed = derive_seed(episode.seed, len(episode.turns))
        chosen: Chosen | None = None
        try:
            for piece in manner.reply(episode, policy, seed, lambda: should_stop() or episode.late):
                if isinstance(piece, str):
                    yield Token(piece)
                else:
                    chosen = piece
        except StoppedError:
            ended = "stopped" if should_stop() or not episode.late else "time_limit"
            break
        except ModelError as failure:
            ended, error = "failed", str(failure)
            break
        if chosen is None:
            ended, error = "failed", "The policy gave no reply."
            break
        if chosen.completion.finish == "stopped":
            ended = "stopped" if should_stop() or not episode.late else "time_limit"
            break
        try:
            for step in episode.act(chosen.completion, chosen.seed, untaken=chosen.untaken):
                yield Acted(step)
                if step.call is not None and (told := tell(step)) is not None:
                    yield Acted(episode.retell(told))
        except StoppedError:
            ended = "stopped"
            break
        ended = manner.after(episode, episode.ending(chosen.completion)) or episode.exceeded()
        if episode.steps[-1].feedback is not None:
            yield Acted(episode.steps[-1])
    judgement = episode.judgement(ended)
    yield Ended(
        Trajectory(
            id=trajectory_id or new_id("trj"),
            run=run,
            created=now(),
            task=task,
            attempt=attempt,
            seed=episode.seed,
            policy=policy.info,
            parent=start.parent if start else None,
            search=manner.record(episode),
            steps=tuple(episode.steps),
            ended=ended,
            answer=episode.answer,
            verdicts=judgement.verdicts,
            passed=judgement.passed,
            reward=judgement.reward,
            seconds=episode.seconds,
            error=error,
            versions=versions(),
        )
    )


class Episode:
    """The state of one attempt while it runs."""

    def __init__(self, task: Task, seed: int, limits: Limits) -> None:
        self.task = task
        self.seed = seed
        self.limits = limits
        self._started = time.perf_counter()
        self.judge = Judge(task)
        self.environment: Environment = build_environment(task)
        self.steps: list[Step] = []
        self.turns: list[Completion] = []
        self.answer: str | None = None

    def copy(self) -> "Episode":
        """The same attempt at the same point, to try something on: nothing done to it reaches this one."""
        twin = copy(self)
        twin.environment = self.environment.copy()
        twin.steps, twin.turns = list(self.steps), list(self.turns)
        return twin

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return time.perf_counter() - self._started

    @property
    def late(self) -> bool:
        """Whether its time is over."""
        return self.limits.seconds is not None and self.seconds >= self.limits.seconds

    @property
    def turn_steps(self) -> list[Step]:
        """The steps of the last turn."""
        return [step for step in self.steps if step.turn == len(self.turns) - 1]

    def exceeded(self, written: int = 0) -> Ending | None:
        """Which limit forbids another reply; None when there may be one.

        Args:
            written: tokens that no step holds yet.
        """
        if len(self.turns) >= self.limits.steps:
            return "step_limit"
        if self.limits.tokens is not None:
            costs = (cost.completion_tokens for step in self.steps for cost in step.costs)
            if written + sum(costs) >= self.limits.tokens:
                return "token_budget"
        return "time_limit" if self.late else None

    def tell(self, feedback: str) -> Step:
        """Let the agent read something after the results of the last turn, and go on. Returns the last step with it."""
        self.steps[-1] = self.steps[-1].model_copy(update={"feedback": feedback})
        self.answer = None
        return self.steps[-1]

    def judgement(self, ended: Ending) -> Judgement:
        """How it would be judged if it ended here in this way."""
        return self.judge.end(self.steps, ended, self.answer, self.environment.net_changes())

    def take_over(self, taken: Sequence[Step]) -> Iterator[Step]:
        """Do the steps of another attempt again, and hold each against what is recorded of it.

        Raises:
            DivergenceError: a step comes out differently.
        """
        shown = {step.index: step.shown for step in taken if step.shown is not None}
        for first in (step for step in taken if step.reply is not None):
            reply = first.reply or ""
            completion = Completion(text=reply, usage=NO_COST, finish="end")
            if first.by_hand:
                completion = by_hand(reply).model_copy(update={"proposed": first.proposed})
            for step in self.act(completion, first.seed, shown):
                if step.index >= len(taken):
                    raise DivergenceError(f"Step {step.index + 1} comes out of a reply that made no such call before.")
                if (feedback := taken[step.index].feedback) is not None:
                    step = self.tell(feedback)
                if found := differences(taken[step.index], step):
                    raise DivergenceError(
                        f"The steps before cannot be taken over: at step {step.index + 1} {PARTS[found[0]]} is not what "
                        "is recorded. Tools, worlds or the way replies are read have changed since."
                    )
                yield step
        if len(self.steps) != len(taken):
            raise DivergenceError(f"Only {len(self.steps)} of the {len(taken)} steps to take over come out.")

    def act(
        self,
        completion: Completion,
        seed: int,
        shown: Mapping[int, Observation] | None = None,
        untaken: tuple[tuple[Step, ...], ...] = (),
    ) -> Iterator[Step]:
        """Take the actions of one reply, each judged as soon as it is done.

        Args:
            completion: the reply.
            seed: it was sampled with.
            shown: what the agent is told instead of the results of some steps, by index.
            untaken: what other replies that were tried here would have given.
        """
        turn = len(self.turns)
        self.turns.append(completion)
        done = sum(step.call is not None for step in self.steps)
        parsed = parse_reply(completion.text, done)
        reply: str | None = completion.text
        usage: Usage | None = completion.usage if completion.usage.prompt_tokens else None
        sampled = completion.sampled
        for call in parsed.calls:
            told = shown.get(len(self.steps)) if shown else None
            yield self._step(call, completion.text, turn, reply, usage, sampled, seed, told, untaken)
            reply = usage = sampled = None
            untaken = ()
        if not parsed.calls:
            self.answer = parsed.content
            yield self._step(None, completion.text, turn, reply, usage, sampled, seed, None, untaken)

    def _step(
        self,
        call: ToolCall | None,
        text: str,
        turn: int,
        reply: str | None,
        usage: Usage | None,
        sampled: Sampled | None,
        seed: int,
        shown: Observation | None,
        untaken: tuple[tuple[Step, ...], ...],
    ) -> Step:
        started = time.perf_counter()
        before = after = self.environment.world.state_hash()
        observation: Observation | None = None
        changes: tuple[RowChange, ...] = ()
        if call is not None:
            observation, changes, before, after = self.environment.step(call)
        verdicts = self.judge.action(call, text, observation, changes, self.steps)
        typed = self.turns[-1] if isinstance(self.turns[-1], ByHand) else None
        step = Step(
            index=len(self.steps),
            turn=turn,
            reply=reply,
            by_hand=typed is not None,
            proposed=typed.proposed if typed is not None and reply is not None else None,
            call=call,
            observation=observation,
            shown=shown,
            verdicts=verdicts,
            changes=changes,
            state_before=before,
            state_after=after,
            usage=usage,
            sampled=sampled,
            seed=seed,
            seconds=time.perf_counter() - started,
            untaken=untaken,
        )
        self.steps.append(step)
        return step

    def retell(self, told: Observation) -> Step:
        """Tell the agent something else than the result of the last step."""
        self.steps[-1] = self.steps[-1].model_copy(update={"shown": told})
        return self.steps[-1]

    def ending(self, completion: Completion) -> Ending | None:
        """How the last reply ended the attempt, or None when it goes on."""
        if self.steps[-1].call is not None:
            return None
        return "token_limit" if completion.finish == "length" else "answered"
