"""The judge of one task: runs every check and turns the gates into a reward.

Reward of an attempt = 1 when every gate the task names passed, 0 when one failed, None ("not scored") when none failed
but one could not be judged, or when the attempt was cut short by somebody else than the agent. Nothing else enters it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lamsim_core.environment.arguments import ArgumentValidator
from lamsim_core.feedback.registry import Action, Attempt, action_checks, final_checks
from lamsim_core.records import Ending, Observation, RowChange, Step, Task, ToolCall, Verdict


class Judgement(NamedTuple):
    """The verdicts on an attempt and what follows from them."""

    verdicts: tuple[Verdict, ...]
    passed: bool | None
    reward: float | None


class Judge:
    """Checks for one task. It sees recorded calls and changes only, never an object the agent held."""

    def __init__(self, task: Task) -> None:
        """Compile the schemas of the tools offered.

        Raises:
            ValueError: the task names no gate, or one that does not exist.
        """
        unknown = set(task.checks) - set(final_checks())
        if unknown or not task.checks:
            raise ValueError(f"task {task.id} needs at least one known final gate; it names {sorted(task.checks)}")
        self.task = task
        self._validators = {tool.name: ArgumentValidator(tool.parameters) for tool in task.tools}
        self._action_checks = tuple(action_checks().values())
        self._final_checks = tuple(final_checks().values())

    def action(
        self,
        call: ToolCall | None,
        text: str,
        observation: Observation | None,
        changes: tuple[RowChange, ...],
        history: Sequence[Step],
    ) -> tuple[Verdict, ...]:
        """Verdicts on one action."""
        validator = self._validators.get(call.name) if call is not None and call.error is None else None
        faults = validator.faults(call.arguments) if validator is not None and call is not None else ()
        action = Action(self.task, call, text, validator is not None, faults, observation, changes, history)
        return tuple(verdict for check in self._action_checks for verdict in check.judge(action))

    def end(
        self, steps: Sequence[Step], ended: Ending, answer: str | None, changes: tuple[RowChange, ...]
    ) -> Judgement:
        """Verdicts on the whole attempt, and its reward."""
        attempt = Attempt(self.task, steps, ended, answer, changes)
        verdicts = tuple(verdict for check in self._final_checks for verdict in check.judge(attempt))
        passed = None if attempt.unfinished else score(self.task, verdicts)
        return Judgement(verdicts, passed, None if passed is None else float(passed))


def score(task: Task, verdicts: Sequence[Verdict]) -> bool | None:
    """Whether every gate the task names passed; None when that cannot be said."""
    outcomes = {name: [v.outcome for v in verdicts if v.check == name] for name in task.checks}
    if any("fail" in found for found in outcomes.values()):
        return False
    if all(found and all(outcome == "pass" for outcome in found) for found in outcomes.values()):
        return True
    return None
