"""How difficult an instance is, computed from what it demands and never declared."""

from collections.abc import Iterator
from math import log2
from typing import Literal

from pydantic import JsonValue

from lamsim_core.feedback.phrases import names
from lamsim_core.feedback.quantities import numbers_in
from lamsim_core.records import Record, Task

Level = Literal["easy", "medium", "hard"]
LEVELS: tuple[Level, ...] = ("easy", "medium", "hard")
_MEDIUM, _HARD = 3.5, 6.5
"""Scores from which an instance is medium, and hard."""


class Difficulty(Record):
    """What makes an instance difficult."""

    calls: int
    """Calls of the reference solution."""
    turns: int
    """Turns it makes them in."""
    looked_up: int
    """Values of its calls that are not in the request: they come from results."""
    others: int
    """Tools offered that it does not need."""
    score: float
    """``calls + looked_up / 2 + log2(1 + others) / 2``, and 1 more when the looks of the tools were varied."""
    level: Level


def difficulty(task: Task) -> Difficulty:
    """Measure an instance."""
    needed = {call.name for call in task.gold}
    calls = len(task.gold)
    looked_up = sum(
        not _is_said(value, task.instruction)
        for call in task.gold
        for argument in call.arguments.values()
        for value in _leaves(argument)
    )
    others = sum(tool.name not in needed for tool in task.tools)
    score = calls + looked_up / 2 + log2(1 + others) / 2 + (task.style != "plain")
    level: Level = "easy" if score < _MEDIUM else "medium" if score < _HARD else "hard"
    return Difficulty(
        calls=calls,
        turns=sum(not call.together for call in task.gold),
        looked_up=looked_up,
        others=others,
        score=round(score, 2),
        level=level,
    )


def _leaves(value: JsonValue) -> Iterator[JsonValue]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _is_said(value: JsonValue, instruction: str) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return float(value) in numbers_in(instruction)
    return not str(value).strip() or names(instruction, str(value))
