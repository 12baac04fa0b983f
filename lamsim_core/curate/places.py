"""Turns of stored attempts, and the place each was taken at: the same place means the same prompt and the same world."""

from collections.abc import Iterator
from dataclasses import dataclass

from lamsim_core.canonical import canonical_json, content_hash
from lamsim_core.curate.messages import Message, as_side, heard, in_context, opening_messages, turns
from lamsim_core.feedback.phrases import normalise
from lamsim_core.feedback.reference import same_call
from lamsim_core.records import Step, ToolCall, Trajectory, Verdict

BY_HAND = "human"
"""Who wrote a reply that a person wrote in a policy's place."""


@dataclass(frozen=True, eq=False)
class Turn:
    """One assistant message of an attempt, taken or only tried, with what came of its actions."""

    trajectory: Trajectory
    number: int
    """Which turn of the attempt."""
    steps: tuple[Step, ...]
    place: str
    """Hash of the task, the messages before and the state of the world."""
    last: bool = False
    """Whether the attempt ended with it."""
    untaken: int | None = None
    """Which of the replies that were tried here and not taken; None for the one that was."""

    @property
    def own(self) -> bool:
        """Whether the attempt's own model wrote it for this attempt, and not a person or an attempt it was forked from."""
        taken_over = self.trajectory.parent is not None and self.steps[0].index < self.trajectory.parent.step
        return self.trajectory.policy.kind == "model" and not taken_over and not self.steps[0].by_hand

    @property
    def writer(self) -> str | None:
        """Who wrote it; None when that is not known, because it was taken over from another attempt."""
        if self.steps[0].by_hand:
            return BY_HAND
        parent, search = self.trajectory.parent, self.trajectory.search
        if parent is not None and self.steps[0].index < parent.step and (search is None or search.mode != "tree"):
            return None
        return self.trajectory.policy.label

    @property
    def message(self) -> Message:
        """The message, as a side of a pair."""
        return as_side(self.steps)

    @property
    def form(self) -> str:
        """The same for two messages exactly when they are the same: not how their text was laid out."""
        return canonical_json(self.message)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """Its calls; none when it speaks to the user."""
        return tuple(step.call for step in self.steps if step.call is not None)

    @property
    def told(self) -> str | None:
        """The feedback it was answered with."""
        return self.steps[-1].feedback

    @property
    def faults(self) -> list[tuple[Step, Verdict]]:
        """What failed by the agent's own fault, gates and diagnosis alike."""
        return [
            (step, verdict)
            for step in self.steps
            for verdict in step.verdicts
            if verdict.outcome == "fail" and verdict.blame in (None, "agent")
        ]

    @property
    def invalid(self) -> list[Verdict]:
        """Gates of its actions that the agent failed."""
        return [verdict for step in self.steps for verdict in step.verdicts if verdict.counts]

    @property
    def clean(self) -> bool:
        """Whether nothing failed, nothing broke down, and nobody told it off."""
        return not self.faults and not any(step.failed for step in self.steps) and self.told is None


def turns_of(trajectory: Trajectory) -> Iterator[Turn]:
    """Every turn of an attempt in order; after each the replies that were tried there and not taken."""
    before = content_hash([trajectory.task.key, opening_messages(trajectory.task)])
    found = turns(trajectory.steps)
    for steps in found:
        place = content_hash([before, steps[0].state_before])
        number = steps[0].turn
        yield Turn(trajectory, number, steps, place, last=steps is found[-1])
        for which, tried in enumerate(steps[0].untaken):
            yield Turn(trajectory, number, tried, place, untaken=which)
        before = content_hash([before, in_context(steps), heard(steps)])


def alike(one: Turn, other: Turn) -> bool:
    """Whether two messages mean the same: the same calls with the same values (defaults filled in), or the same words."""
    if bool(one.calls) != bool(other.calls):
        return False
    if not one.calls:
        return normalise(one.steps[0].reply or "") == normalise(other.steps[0].reply or "")
    if any(call.error for call in (*one.calls, *other.calls)) or len(one.calls) != len(other.calls):
        return one.form == other.form
    left = list(other.calls)
    for call in one.calls:
        match = next((each for each in left if same_call(call, each, one.trajectory.task)), None)
        if match is None:
            return False
        left.remove(match)
    return True
