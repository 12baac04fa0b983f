"""The contracts every template is held to: what makes a task fair, tried on real instances."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from lamsim_core.environment import Environment
from lamsim_core.errors import TaskTemplateError
from lamsim_core.feedback import Judge
from lamsim_core.feedback.answer import judge_answer, leaks
from lamsim_core.feedback.grounding import told, values_of
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import GoldCall, Record, Step, Task, ToolCall
from lamsim_core.tasks.instance import build_environment, instantiate
from lamsim_core.tasks.mutations import collateral_edits, dropped_calls, other_answers, wrong_values
from lamsim_core.tasks.template import Template

LOAD_SEEDS = (0, 1)
"""Seeds tried before a template may load; ``verify`` tries as many as it is told."""

Probe = Literal["gold", "noop", "collateral", "dropped", "wrong_value", "other_answer", "leak"]
"""What is tried: the reference solution passes; doing nothing, one edit more, a call less, another value and another answer
fail; the request does not give the answer away."""
PROBES: tuple[Probe, ...] = get_args(Probe)


class Count(Record):
    """How often something was tried, and how often it came out as it must."""

    tried: int = 0
    held: int = 0


class TemplateReport(Record):
    """What became of a template's instances."""

    template: str
    seeds: int
    probes: dict[Probe, Count]
    """By what was tried; all must hold."""
    distinct: int
    """Different instances among the seeds; must be at least 2 when several seeds are tried."""
    problems: tuple[str, ...]
    """What broke, in sentences; empty when the template is fair."""


class Replay(NamedTuple):
    """What came of calls made on an instance."""

    steps: tuple[Step, ...]
    environment: Environment
    passed: bool | None


def verify_template(template: Template, seeds: tuple[int, ...]) -> TemplateReport:
    """Try everything that must pass or fail on the instances of ``seeds``."""
    tally = _Tally()
    keys: set[str] = set()
    for seed in seeds:
        try:
            task = instantiate(template, seed)
        except TaskTemplateError as error:
            tally.problems.append(str(error))
            continue
        keys.add(task.key)
        tally.where = f"seed {seed}: "
        _probe(task, tally)
    if len(seeds) > 1 and len(keys) < 2 and not tally.problems:
        tally.problems.append(f"{len(seeds)} seeds give the same instance")
    return TemplateReport(
        template=template.id,
        seeds=len(seeds),
        probes={probe: Count(tried=tally.tried[probe], held=tally.held[probe]) for probe in PROBES},
        distinct=len(keys),
        problems=tuple(tally.problems),
    )


def hold_to_contracts(template: Template) -> None:
    """Refuse a template that breaks a contract. Raises TaskTemplateError with the first problem."""
    report = verify_template(template, LOAD_SEEDS)
    if report.problems:
        raise template.error(report.problems[0].removeprefix(str(template.error(""))))


def replay(task: Task, judge: Judge, calls: Sequence[GoldCall]) -> Replay:
    """Make ``calls`` and close with the reference message."""
    environment = build_environment(task)
    steps: list[Step] = []
    for index, gold in enumerate(calls):
        call = ToolCall(id=f"call_{index}", name=gold.name, arguments=gold.arguments, raw="")
        transition = environment.step(call)
        verdicts = judge.action(call, "", transition.observation, transition.changes, steps)
        steps.append(
            Step(
                index=index,
                turn=index,
                reply="",
                call=call,
                observation=transition.observation,
                verdicts=verdicts,
                changes=transition.changes,
                state_before=transition.before,
                state_after=transition.after,
                seed=0,
                seconds=0.0,
            )
        )
    passed = judge.passes(steps, "answered", task.closing, environment.net_changes())
    return Replay(tuple(steps), environment, passed)


class _Tally:
    """Counts and problems while a template is tried."""

    def __init__(self) -> None:
        self.tried = dict.fromkeys(PROBES, 0)
        self.held = dict.fromkeys(PROBES, 0)
        self.problems: list[str] = []
        self.where = ""

    def note(self, probe: Probe, held: bool, otherwise: str) -> None:
        """Count one trial; ``otherwise`` says what is wrong when it did not come out as it must."""
        self.tried[probe] += 1
        self.held[probe] += held
        if not held:
            self.problems.append(f"{self.where}{otherwise}")


def _probe(task: Task, tally: _Tally) -> None:
    judge = Judge(task)
    solved = replay(task, judge, task.gold)
    tally.note("gold", solved.passed is True, f"the reference solution does not pass: {_why(task, judge, solved)}")
    tally.note("noop", judge.passes((), "answered", "", ()) is False, "doing nothing is not failed")
    for changes in collateral_edits(task, solved.environment):
        caught = judge.passes(solved.steps, "answered", task.closing, changes) is False
        tally.note("collateral", caught, "an edit nobody asked for is not caught")
    for place, calls in dropped_calls(task, solved.environment):
        shorter = replay(task, judge, calls)
        if not still_told(task, place, shorter, solved):
            what = f"leaving out call {place + 1} ({task.gold[place].name}) is not caught"
            tally.note("dropped", shorter.passed is False, what)
    for where, calls in wrong_values(task, solved.environment):
        wrong = replay(task, judge, calls)
        if not same_outcome(task, wrong.environment):
            tally.note("wrong_value", wrong.passed is False, f"another value of {where} is not caught")
    if task.answer is not None:
        for text in other_answers(task.answer):
            rejected = judge_answer(text, task.instruction, task.answer) is not None
            tally.note("other_answer", rejected, f"{text[:80]!r} passes as the answer")
        tally.note("leak", not leaks(task.instruction, task.answer), "the request gives the answer away")


def _why(task: Task, judge: Judge, solved: Replay) -> str:
    """What the gates say of a solution; nothing when it passes."""
    if solved.passed is True:
        return ""
    end = judge.end(solved.steps, "answered", task.closing, solved.environment.net_changes())
    return " ".join(v.message for v in end.verdicts if v.gate and v.outcome not in ("pass", "abstain"))


def still_told(task: Task, place: int, shorter: Replay, solved: Replay) -> bool:
    """Whether a look-up was left out that another result makes up for: then the answer did not need it."""
    if task.answer is None or solved.environment.tools[task.gold[place].name].mutates or not task.answer.direct:
        return False
    return all(told(value, shorter.steps) for value in values_of(task.answer))


def same_outcome(task: Task, made: Environment) -> bool:
    """Whether the other value comes to the same: then it was not wrong."""
    found = compare_changes(task.goal, made.net_changes())
    return not found.missing and not found.collateral
