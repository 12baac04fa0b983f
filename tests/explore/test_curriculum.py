"""The order of tasks: first those from which there is most to learn."""

from lamsim_core.agent.policy import GoldPolicy, NoopPolicy, RandomPolicy
from lamsim_core.explore.curriculum import by_need, learned_order
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.job import run
from lamsim_core.explore.modes import How
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.records import PolicyInfo, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.history import Tried, tried_tasks
from lamsim_core.tasks import plan_tasks

TASKS = plan_tasks("train", 8)


class Named:
    """The reference, or nothing, under a name."""

    def __init__(self, name: str, right: bool) -> None:
        self.info = PolicyInfo(kind="scripted", name=name)
        self.reply = (GoldPolicy() if right else NoopPolicy()).reply


def tried(task: Task, name: str, right: bool, *, run: str = "r", attempt: int = 0) -> Trajectory:
    *_, last = run_attempt(task, Named(name, right), run=run, attempt=attempt)
    assert isinstance(last, Ended)
    return last.trajectory


def test_sometimes_then_never_tried_then_always_failed_then_always_passed() -> None:
    known = {
        TASKS[0].key: Tried(2, 2),
        TASKS[1].key: Tried(3, 0),
        TASKS[3].key: Tried(4, 1),
        TASKS[5].key: Tried(1, 0),
        TASKS[6].key: Tried(5, 4),
    }
    assert [TASKS.index(task) for task in by_need(TASKS, known)] == [3, 6, 2, 4, 7, 1, 5, 0]
    assert by_need(TASKS, {}) == TASKS


def test_the_store_is_asked_for_this_policy_and_for_everybody_while_it_has_none(home: Settings) -> None:
    with Store(home) as store:
        store.add(tried(TASKS[4], "other", True))
        store.add(tried(TASKS[4], "other", False, attempt=1))
        order = learned_order(home, TASKS, "mine", without_run="")
        assert [TASKS.index(task) for task in order][:2] == [4, 0]
        store.add(tried(TASKS[0], "mine", True))
        store.add(tried(TASKS[2], "mine", True, run="now"))
        store.add(tried(TASKS[2], "mine", False, run="now", attempt=1))
        order = learned_order(home, TASKS, "mine", without_run="now")
        assert [TASKS.index(task) for task in order] == [1, 2, 3, 4, 5, 6, 7, 0]
        assert TASKS.index(learned_order(home, TASKS, "mine", without_run="")[0]) == 2
    assert not home.index.exists(), "jobs never open the index of the store"


def test_only_plain_attempts_tell_how_hard_a_task_is(home: Settings) -> None:
    with Store(home) as store:
        for mode in ("repair", "best_of", "tree"):
            how = How(mode=mode, nodes=4)
            events = how.events(TASKS[0], RandomPolicy(), run=mode, attempt=0, max_steps=4, should_stop=lambda: False)
            for event in events:
                if isinstance(event, Ended):
                    store.add(event.trajectory)
        store.index.sync()
        assert tried_tasks(store.index) == {}
        store.add(tried(TASKS[0], "mine", False))
        store.index.sync()
        assert tried_tasks(store.index, policy="mine") == {TASKS[0].key: Tried(1, 0)}


def test_a_job_tries_them_in_this_order_and_keeps_it_when_resumed(home: Settings) -> None:
    with Store(home) as store:
        store.add(tried(TASKS[5], "noop", True))
        store.add(tried(TASKS[5], "noop", False, attempt=1))
        store.add(tried(TASKS[1], "noop", True))
    params = {"model": "noop", "tasks": 8, "order": "curriculum"}
    context = JobContext(home, create_folder(home, new_job("explore", params, label="x"), group=False))
    result = run(context)
    with Store(home) as store:
        order = [TASKS.index(each.task) for each in store.read_run(result["run"])]
    assert order == [5, 0, 2, 3, 4, 6, 7, 1]
    assert run(context)["trajectories"] == 8
