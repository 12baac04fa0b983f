"""The numbers of one policy, and of two against each other."""

import pytest

from lamsim_core.agent.policy import GoldPolicy, NoopPolicy, Policy, ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.evaluate.metrics import compare, evaluation_row, outcomes, reliability, trials_of
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import Task, Trajectory, Verdict
from lamsim_core.tasks import plan_tasks

TEMPLATES = ("calendar.move", "banking.balance")


def plan(count: int = 4) -> list[Task]:
    return plan_tasks("unseen_instances", count, templates=TEMPLATES)


def attempt(task: Task, policy: Policy, number: int = 0) -> Trajectory:
    *_, last = run_attempt(task, policy, run="run_x", attempt=number)
    assert isinstance(last, Ended)
    return last.trajectory


def clumsy(task: Task) -> Trajectory:
    """One unknown tool, one call with two wrong arguments, then gold."""
    unknown = '<tool_call>\n{"name": "nothing_like_it", "arguments": {}}\n</tool_call>'
    first = task.gold[0]
    wrong = f'<tool_call>\n{{"name": "{first.name}", "arguments": {{"odd": 1, "odder": 2}}}}\n</tool_call>'
    return attempt(task, ReplayPolicy([unknown, wrong, *map(call_text, task.gold), task.closing]))


def test_the_plan_is_the_denominator() -> None:
    tasks = plan()
    trajectories = [attempt(tasks[0], GoldPolicy()), attempt(tasks[1], NoopPolicy())]
    row = evaluation_row(GoldPolicy.info, "run_x", tasks, 2, trajectories)
    assert (row.planned, row.finished, row.passed, row.pass_rate) == (8, 2, 1, 1 / 8)
    assert row.low < 1 / 8 < row.high
    assert row.by_category == {task.category: (int(task is tasks[0]), 4) for task in tasks[:2]}
    assert row.mean_seconds == pytest.approx(sum(t.seconds for t in trajectories) / 2)


def test_unscored_unplanned_and_other_attempts_never_count_as_passed() -> None:
    tasks = plan()
    stranger = plan_tasks("unseen_instances", 9, templates=TEMPLATES, seed=5)[8]
    assert stranger.key not in {task.key for task in tasks}
    unscored = attempt(tasks[0], GoldPolicy()).model_copy(update={"passed": None, "reward": None})
    trajectories = [unscored, attempt(stranger, GoldPolicy()), attempt(tasks[1], GoldPolicy(), 5)]
    row = evaluation_row(GoldPolicy.info, "run_x", tasks, 1, trajectories)
    assert (row.planned, row.finished, row.passed) == (4, 1, 0)
    assert row.actions == len(unscored.steps)


def test_actions_and_errors_by_class_each_once_per_step() -> None:
    task = plan(1)[0]
    trajectory = clumsy(task)
    row = evaluation_row(GoldPolicy.info, "run_x", [task], 1, [trajectory])
    assert trajectory.passed is True
    assert row.actions == len(trajectory.steps) == len(task.gold) + 3
    assert row.errors["tool_name"] == 1
    assert row.errors["argument_unknown"] == 1
    assert sum(v.error_class == "argument_unknown" for v in trajectory.steps[1].verdicts) == 2
    assert row.errors_per_100 == pytest.approx(100 * 2 / row.actions)


def test_a_check_that_broke_down_is_no_mistake_of_the_agent() -> None:
    task = plan(1)[0]
    good = attempt(task, GoldPolicy())
    broken = Verdict(check="x", version=1, outcome="error", gate=True, error_class="structure")
    diagnosis = Verdict(check="y", version=1, outcome="fail", gate=False, error_class="repetition")
    step = good.steps[0].model_copy(update={"verdicts": (broken, diagnosis)})
    row = evaluation_row(
        GoldPolicy.info, "run_x", [task], 1, [good.model_copy(update={"steps": (step, *good.steps[1:])})]
    )
    assert row.errors == {} and row.errors_per_100 == 0


def test_nothing_finished_is_no_number_where_there_is_none() -> None:
    row = evaluation_row(GoldPolicy.info, "run_x", plan(), 1, [])
    assert (row.pass_rate, row.errors_per_100, row.mean_seconds, row.actions) == (0.0, None, None, 0)


def test_a_comparison_counts_pairs() -> None:
    tasks = plan()
    first = outcomes(tasks, 1, [attempt(tasks[0], GoldPolicy()), attempt(tasks[1], GoldPolicy())])
    second = outcomes(tasks, 1, [attempt(task, GoldPolicy()) for task in tasks[1:]])
    found = compare("before", "after", first, second)
    assert (found.both, found.only_first, found.only_second, found.neither) == (1, 1, 2, 0)
    assert found.difference == pytest.approx(1 / 4)
    assert found.low < found.difference < found.high
    assert found.p_value == 1.0
    back = compare("after", "before", second, first)
    assert (back.difference, back.only_first, back.only_second) == (-found.difference, 2, 1)


def test_only_the_same_plan_can_be_compared() -> None:
    tasks = plan()
    with pytest.raises(ValueError, match="not tried on the same attempts"):
        compare("a", "b", outcomes(tasks, 1, []), outcomes(tasks, 2, []))
    with pytest.raises(ValueError, match="not tried on the same attempts"):
        compare("a", "b", {}, {})


def test_reliability_over_attempts() -> None:
    tasks = plan(2)
    found = {(tasks[0].key, n): True for n in range(4)} | {(tasks[1].key, n): n < 2 for n in range(4)}
    assert reliability(found) == pytest.approx([0.75, (1 + 1 / 6) / 2, 0.5, 0.5])
    assert reliability({(tasks[0].key, n): False for n in range(2)}) == [0.0, 0.0]
    assert reliability({}) == []


def test_sampled_attempts_by_hand() -> None:
    tasks = plan(3)
    made = [attempt(tasks[0], GoldPolicy(), n) for n in range(4)]
    made += [attempt(tasks[1], GoldPolicy(), n) if n % 2 else attempt(tasks[1], NoopPolicy(), n) for n in range(4)]
    found = trials_of("run_x", None, tasks, 4, [*made, attempt(tasks[2], GoldPolicy(), 4)])
    assert (found.passes, found.finished, found.pass_rate) == ((4, 2, 0), 8, 0.5), "the fifth attempt was not planned"
    # of 6 pairs of attempts at the second task 1 is two passes; of 4 threes none
    assert found.all_pass == pytest.approx((6 / 12, (1 + 1 / 6) / 3, 1 / 3, 1 / 3))
    assert 0.0 <= found.low < 0.5 < found.high <= 1.0


def test_a_row_of_a_part_counts_that_part_only() -> None:
    tasks = plan(4)
    made = [attempt(task, GoldPolicy()) for task in tasks[:3]]
    row = evaluation_row(GoldPolicy.info, "run_x", tasks[:2], 1, made, split="unseen_tools")
    assert (row.split, row.planned, row.finished, row.passed) == ("unseen_tools", 2, 2, 2)
    assert row.actions == sum(len(each.steps) for each in made[:2])
