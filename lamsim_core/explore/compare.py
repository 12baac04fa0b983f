"""Two steps, or two attempts, side by side: what is the same, and where they first part."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from pydantic import JsonValue

from lamsim_core.canonical import content_hash
from lamsim_core.records import Record, Step

Part = Literal["call", "state_before", "observation", "shown", "changes", "state_after", "feedback"]
"""What is compared of a step, in the order in which it comes about."""

PARTS: dict[Part, str] = {
    "call": "the action",
    "state_before": "the state before",
    "observation": "the result",
    "shown": "what the agent was told",
    "changes": "the changed rows",
    "state_after": "the state after",
    "feedback": "the feedback",
}
"""The parts, in words."""


class Pair(NamedTuple):
    """One place of two attempts laid side by side."""

    place: int
    left: Step | None
    """None where this attempt has ended."""
    right: Step | None
    different: tuple[Part, ...]
    """What differs; everything, where one has ended."""


def part_of(step: Step, part: Part) -> JsonValue:
    """A part of a step as plain JSON. Of the action, only what it does: not how its text was laid out."""
    if part == "call":
        if step.call is None:
            return step.reply
        return step.call.model_dump(mode="json", include={"name", "arguments", "error"})
    if part == "changes":
        return [change.model_dump(mode="json") for change in step.changes]
    if part in ("observation", "shown"):
        result = step.observation if part == "observation" else step.shown
        return None if result is None else result.model_dump(mode="json")
    if part == "feedback":
        return step.feedback
    return step.state_before if part == "state_before" else step.state_after


def differences(one: Step, other: Step, parts: Sequence[Part] = tuple(PARTS)) -> tuple[Part, ...]:
    """Those of the parts in which two steps differ; times, costs, seeds and verdicts are not compared."""
    return tuple(part for part in parts if _form(part_of(one, part)) != _form(part_of(other, part)))


def side_by_side(left: Sequence[Step], right: Sequence[Step], parts: Sequence[Part] = tuple(PARTS)) -> tuple[Pair, ...]:
    """Two attempts at one task, step by step; only some parts of each are compared when they are named."""
    return tuple(
        Pair(
            place, one, other, differences(one, other, parts) if one is not None and other is not None else tuple(parts)
        )
        for place, (one, other) in enumerate(zip_longest(left, right))
    )


def first_difference(pairs: Sequence[Pair]) -> int | None:
    """Where two attempts part; None when they do not."""
    return next((pair.place for pair in pairs if pair.different), None)


def _form(value: JsonValue) -> JsonValue:
    """A value that is equal to another exactly when both are written the same."""
    return value if isinstance(value, str) else content_hash(value)


class Cost(Record):
    """What an attempt cost."""

    turns: int
    calls: int
    tokens: int | None
    """Written by a model; None when none wrote."""
    seconds: float


def cost_of(steps: Sequence[Step], seconds: float) -> Cost:
    """What an attempt of these steps cost that took so long."""
    usages = [usage for step in steps for usage in step.costs]
    return Cost(
        turns=sum(step.reply is not None for step in steps),
        calls=sum(step.call is not None for step in steps),
        tokens=sum(usage.completion_tokens for usage in usages) if usages else None,
        seconds=seconds,
    )
