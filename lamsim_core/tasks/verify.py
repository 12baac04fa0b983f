"""The contracts every template is held to: what makes a task fair, tried on real instances."""

from pydantic import JsonValue

from lamsim_core.environment import Environment, diff
from lamsim_core.errors import TaskTemplateError
from lamsim_core.feedback import Judge
from lamsim_core.feedback.answer import leaks
from lamsim_core.feedback.judge import Judgement
from lamsim_core.records import Record, RowChange, Step, Task, ToolCall
from lamsim_core.tasks.instance import build_environment, instantiate
from lamsim_core.tasks.template import Template

LOAD_SEEDS = (0, 1)
"""Seeds tried before a template may load; ``verify`` tries as many as it is told."""


class TemplateReport(Record):
    """What became of a template's instances."""

    template: str
    seeds: int
    gold_passed: int
    """Must equal ``seeds``."""
    noop_passed: int
    """Must be 0."""
    collateral_tried: int
    collateral_caught: int
    """Must equal ``collateral_tried``."""
    leaks: int
    """Must be 0."""
    distinct: int
    """Different instances among the seeds; must be at least 2 when several seeds are tried."""
    problems: tuple[str, ...]
    """What broke, in sentences; empty when the template is fair."""


def verify_template(template: Template, seeds: tuple[int, ...]) -> TemplateReport:
    """Try gold, do-nothing and collateral edits on the instances of ``seeds``."""
    problems: list[str] = []
    gold = noop = tried = caught = leaked = 0
    keys: set[str] = set()
    for seed in seeds:
        try:
            task = instantiate(template, seed)
        except TaskTemplateError as error:
            problems.append(str(error))
            continue
        keys.add(task.content_hash())
        judge = Judge(task)
        judgement, environment = _replay_gold(task, judge)
        if judgement.passed is True:
            gold += 1
        else:
            failed = [v.message for v in judgement.verdicts if v.gate and v.outcome not in ("pass", "abstain")]
            problems.append(f"seed {seed}: the reference solution does not pass: {' '.join(failed)}")
        if judge.end((), "answered", "", ()).passed is not False:
            noop += 1
            problems.append(f"seed {seed}: doing nothing is not failed")
        for changes in collateral_edits(task, environment):
            tried += 1
            if judge.end((), "answered", task.closing, changes).passed is False:
                caught += 1
            else:
                problems.append(f"seed {seed}: an edit nobody asked for is not caught")
        if task.answer is not None and leaks(task.instruction, task.answer):
            leaked += 1
            problems.append(f"seed {seed}: the request gives the answer away")
    if len(seeds) > 1 and len(keys) < 2 and not problems:
        problems.append(f"{len(seeds)} seeds give the same instance")
    return TemplateReport(
        template=template.id,
        seeds=len(seeds),
        gold_passed=gold,
        noop_passed=noop,
        collateral_tried=tried,
        collateral_caught=caught,
        leaks=leaked,
        distinct=len(keys),
        problems=tuple(problems),
    )


def hold_to_contracts(template: Template) -> None:
    """Refuse a template that breaks a contract. Raises TaskTemplateError with the first problem."""
    report = verify_template(template, LOAD_SEEDS)
    if report.problems:
        raise template.error(report.problems[0].removeprefix(str(template.error(""))))


def _replay_gold(task: Task, judge: Judge) -> tuple[Judgement, Environment]:
    environment = build_environment(task)
    steps: list[Step] = []
    for index, gold in enumerate(task.gold):
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
    return judge.end(steps, "answered", task.closing, environment.net_changes()), environment


def collateral_edits(task: Task, solved: Environment) -> list[tuple[RowChange, ...]]:
    """The reference outcome with one more edit: a row changed, deleted or added that nobody asked about, in each table."""
    touched = {(change.table, change.id) for change in task.goal}
    edits = []
    for table in solved.world.tables:
        row = next((row for row in solved.world.rows(table) if (table, row["id"]) not in touched), None)
        if row is None:
            continue
        row_id = str(row["id"])
        for edit in ("update", "delete", "insert"):
            world = solved.world.copy()
            if edit == "update":
                field = next(key for key in row if key != "id")
                world.update(table, row_id, **{field: _another(row[field])})
            elif edit == "delete":
                world.delete(table, row_id)
            else:
                world.insert(table, {**row, "id": world.new_id("extra")})
            edits.append(diff(solved.initial(), world.snapshot()))
    return edits


def _another(value: JsonValue) -> JsonValue:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value} (edited)"
