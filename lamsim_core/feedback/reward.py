"""What verdicts are worth. Defined here and nowhere else, from gates only: diagnosis never enters a reward.

An attempt:  R = 1 when every gate the task names passed
                 0 when the agent failed one
                 None ("not scored") when none was failed by the agent, but one could not be judged, or was failed by
                 the fault of a tool or of the task itself; and whenever a person edited a result the agent was told
An action:   r = 0 when the agent failed one of its gates, None when it failed none but one broke down, else 1

An action may be worth 1 in an attempt worth 0, and the other way round: an agent that recovers has done the task.
Preference pairs are made between actions of unequal r, or between attempts of unequal R.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from lamsim_core.records import Ending, Step, Task, Verdict

CUT_SHORT: tuple[Ending, ...] = ("stopped", "failed", "abandoned", "time_limit")
"""Endings that are not the agent's doing: how much time there was depends on the machine too."""

GateState = Literal["passed", "failed", "excused", "unknown"]
"""What came of one gate; excused: failed, but not by the agent's fault."""


class GateResult(NamedTuple):
    """One component of an attempt's reward."""

    check: str
    state: GateState


def components(task: Task, verdicts: Sequence[Verdict]) -> tuple[GateResult, ...]:
    """What came of every gate the task names, in the task's order. A gate without a verdict is unknown."""
    return tuple(GateResult(name, _state([v for v in verdicts if v.check == name])) for name in task.checks)


def score(task: Task, verdicts: Sequence[Verdict]) -> bool | None:
    """Whether every gate the task names passed; None when that cannot be said."""
    states = [result.state for result in components(task, verdicts)]
    if "failed" in states:
        return False
    return True if states and all(state == "passed" for state in states) else None


def attempt_outcome(task: Task, ended: Ending, verdicts: Sequence[Verdict], steps: Sequence[Step]) -> bool | None:
    """Whether an attempt passed; None also when it was cut short by somebody else than the agent, or told a made-up result.

    A made-up result could give away what had to be found out, or mislead: neither what such an attempt does right nor what
    it does wrong is the agent's own.
    """
    if ended in CUT_SHORT or any(step.shown is not None for step in steps):
        return None
    return score(task, verdicts)


def attempt_reward(passed: bool | None) -> float | None:
    """R of an attempt."""
    return None if passed is None else float(passed)


def action_reward(step: Step) -> float | None:
    """R of an action."""
    if any(verdict.counts for verdict in step.verdicts):
        return 0.0
    return None if step.failed else 1.0


def _state(found: Sequence[Verdict]) -> GateState:
    if any(verdict.outcome == "fail" and verdict.blame in (None, "agent") for verdict in found):
        return "failed"
    if any(verdict.outcome == "fail" for verdict in found):
        return "excused"
    return "passed" if found and all(verdict.outcome == "pass" for verdict in found) else "unknown"
