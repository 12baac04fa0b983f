"""The bench of the environment times what it says."""

from lamsim_core.explore.bench import bench_environment
from lamsim_core.explore.walks import random_walks
from lamsim_core.tasks import get_template, plan_tasks


def test_every_call_of_the_reference_solutions_is_timed() -> None:
    tasks = plan_tasks("train", 30)
    found = bench_environment(tasks, rounds=2)
    assert found.steps == 2 * sum(len(task.gold) for task in tasks)
    assert found.tasks == 30 and found.tools > 5
    assert found.median >= found.environment > 0 and found.bare > 0 and found.p95 >= found.median
    assert found.steps_per_second > 1000


def test_walks_are_counted() -> None:
    assert random_walks(get_template("shopping.swap"), range(2), 5) == 0
