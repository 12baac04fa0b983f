"""The judge of one task: runs every check and turns the gates into a reward (see ``reward``).

It sees recorded calls, results and changes only: nothing an agent or a tool still holds. ``judge_again`` gives today's
verdicts on an attempt that was stored, from its record alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from lamsim_core.environment.arguments import validator_of
from lamsim_core.feedback.registry import Action, Attempt, action_checks, final_checks
from lamsim_core.feedback.reward import attempt_outcome, attempt_reward
from lamsim_core.feedback.state import net_changes
from lamsim_core.records import Ending, Observation, RowChange, Step, Task, ToolCall, Trajectory, Verdict


class Judgement(NamedTuple):
    """The verdicts on an attempt and what follows from them."""

    verdicts: tuple[Verdict, ...]
    passed: bool | None
    reward: float | None


class Judge:
    """Checks for one task."""

    def __init__(self, task: Task) -> None:
        """Compile the schemas of the tools offered.

        Raises:
            ValueError: the task names no gate, or one that does not exist.
        """
        unknown = set(task.checks) - set(final_checks())
        if unknown or not task.checks:
            raise ValueError(f"task {task.id} needs at least one known final gate; it names {sorted(task.checks)}")
        self.task = task
        self._validators = {tool.name: validator_of(tool.parameters) for tool in task.tools}
        self._action_checks = tuple(action_checks().values())
        self._gates = tuple(check for check in final_checks().values() if check.gate)
        self._diagnostics = tuple(check for check in final_checks().values() if not check.gate)

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
        """Verdicts on the whole attempt, and its reward. The gates come first: diagnosis knows what they came to."""
        attempt = Attempt(self.task, steps, ended, answer, changes)
        verdicts, passed = self._through_gates(attempt)
        judged = replace(attempt, passed=passed)
        verdicts += [verdict for check in self._diagnostics for verdict in check.judge(judged)]
        return Judgement(tuple(verdicts), passed, attempt_reward(passed))

    def passes(
        self, steps: Sequence[Step], ended: Ending, answer: str | None, changes: tuple[RowChange, ...]
    ) -> bool | None:
        """What ``end`` comes to, without its diagnosis: whether the attempt passed, None when nobody can tell."""
        return self._through_gates(Attempt(self.task, steps, ended, answer, changes))[1]

    def _through_gates(self, attempt: Attempt) -> tuple[list[Verdict], bool | None]:
        verdicts = [verdict for check in self._gates for verdict in check.judge(attempt)]
        return verdicts, attempt_outcome(self.task, attempt.ended, verdicts, attempt.steps)


class Judged(NamedTuple):
    """Every verdict on an attempt, and what they come to."""

    steps: tuple[tuple[Verdict, ...], ...]
    """Verdicts on each action."""
    verdicts: tuple[Verdict, ...]
    """Verdicts on the whole attempt."""
    passed: bool | None

    @property
    def reward(self) -> float | None:
        """R of the attempt."""
        return attempt_reward(self.passed)


def judge_again(trajectory: Trajectory) -> Judged:
    """Judge a stored attempt by the checks in force now, from its record alone: no tool runs again.

    Raises:
        ValueError: its task names a gate that does not exist any more.
    """
    judge = Judge(trajectory.task)
    text = ""
    judged: list[tuple[Verdict, ...]] = []
    for place, step in enumerate(trajectory.steps):
        text = text if step.reply is None else step.reply
        judged.append(judge.action(step.call, text, step.observation, step.changes, trajectory.steps[:place]))
    changes = net_changes(change for step in trajectory.steps for change in step.changes)
    end = judge.end(trajectory.steps, trajectory.ended, trajectory.answer, changes)
    return Judged(tuple(judged), end.verdicts, end.passed)
