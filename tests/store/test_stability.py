"""Tasks passed only sometimes, and by one of two runs, found by hand-made outcomes."""

from collections.abc import Sequence

from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.stability import sometimes_passed, told_apart
from tests.store.factories import make_trajectory


def fill(store: Store, run: str, outcomes: Sequence[Sequence[bool | None]]) -> None:
    """A run: for each task whether its attempts passed."""
    base = [make_trajectory(number) for number in range(len(outcomes))]
    for task, (like, passed) in enumerate(zip(base, outcomes, strict=True)):
        words = {"instruction": str(task), "template": f"t.{task}", "split": "unseen_tools" if task % 2 else "train"}
        for attempt, good in enumerate(passed):
            fields = {
                "id": f"trj_{run}_{task}_{attempt}",
                "run": run,
                "task": like.task.model_copy(update=words),
                "attempt": attempt,
                "passed": good,
            }
            store.add(like.model_copy(update={**fields, "reward": None if good is None else float(good)}))
    store.index.sync()


def test_what_passed_sometimes_and_nearest_to_one_in_two_first(home: Settings) -> None:
    with Store(home) as store:
        fill(store, "a", [[True] * 4, [True, False, False, False], [False, True, None, True], [False] * 4])
        fill(store, "b", [[True, False]])
        found = sometimes_passed(store.index, "a")
        assert [each.instruction for each in found] == ["2", "1"]
        assert found[0].passed == (False, True, False, True), "not scored is not passed"
        assert found[0].trajectories == tuple(f"trj_a_2_{attempt}" for attempt in range(4))
        assert [each.instruction for each in sometimes_passed(store.index, "a", "unseen_tools")] == ["1"]
        assert sometimes_passed(store.index, "nothing") == []


def test_what_tells_two_runs_apart(home: Settings) -> None:
    with Store(home) as store:
        fill(store, "a", [[True], [False], [None], [True], [False]])
        fill(store, "b", [[True], [True], [True], [False], [None]])
        found = told_apart(store.index, "a", "b")
        assert [(each.instruction, each.passed) for each in found] == [
            ("1", (False, True)), ("2", (False, True)), ("3", (True, False))
        ]  # fmt: skip
        assert found[0].trajectories == ("trj_a_1_0", "trj_b_1_0")
        assert [each.instruction for each in told_apart(store.index, "a", "b", "train")] == ["2"]
        assert [each.passed for each in told_apart(store.index, "b", "a")] == [(False, True), *[(True, False)] * 2]
