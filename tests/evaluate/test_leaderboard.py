"""The leaderboard: the newest of each model on each split, and nothing that is no measurement of a split."""

from typing import Any

from lamsim_core.evaluate.leaderboard import Outside, leaderboard
from lamsim_core.records import Evaluation, PolicyInfo, Split
from tests.evaluate import test_parts

BASE = PolicyInfo(kind="model", name="base")
MINE = PolicyInfo(kind="model", name="mine", adapter="adp_1", adapter_hash="1")
GOLD = PolicyInfo(kind="gold", name="gold")


def measured(when: str, rate: float, *splits: Split, policies: tuple[PolicyInfo, ...], **more: Any) -> Evaluation:
    made = test_parts.evaluation(*splits, policies=list(policies))
    rows = tuple(row.model_copy(update={"pass_rate": rate, "actions": 10, "errors_per_100": 20.0}) for row in made.rows)
    return made.model_copy(update={"id": f"evl_{when}", "created": when, "rows": rows, **more})


def test_the_newest_measurement_of_each_split_counts() -> None:
    old = measured("1", 0.1, "unseen_tools", "unseen_categories", policies=(BASE, GOLD))
    new = measured("2", 0.3, "unseen_tools", policies=(BASE,))
    (found,) = leaderboard([new, old])
    assert {split: each.row.pass_rate for split, each in found.splits.items()} == {
        "unseen_tools": 0.3, "unseen_categories": 0.1
    }  # fmt: skip
    assert found.newest.evaluation == "evl_2" and found.mean == 0.2 and found.errors_per_100 == 20.0


def test_the_best_stands_first_and_adapters_of_one_name_are_two() -> None:
    other = MINE.model_copy(update={"adapter": "adp_2", "adapter_hash": "2"})
    made = [
        measured("1", 0.1, "unseen_tools", policies=(BASE,)),
        measured("2", 0.5, "unseen_tools", policies=(MINE,)),
        measured("3", 0.4, "unseen_tools", policies=(other,)),
    ]
    assert [each.policy for each in leaderboard(made)] == [MINE, other, BASE]


def test_chosen_kinds_of_tasks_are_no_split() -> None:
    narrow = measured("1", 0.9, "unseen_tools", policies=(BASE,), asked={"categories": ["calendar"]})
    assert leaderboard([narrow]) == []


def test_the_benchmark_stands_beside_by_name_and_adapter() -> None:
    made = [measured("1", 0.1, "unseen_tools", policies=(BASE, MINE))]
    found = leaderboard(made, [(BASE, Outside(8, 20)), (BASE, Outside(18, 20))])
    beside = {each.policy.name: each.outside for each in found}
    assert beside == {"mine": None, "base": (8, 20)}, "the newest counts"
    assert beside["base"] is not None and beside["base"].rate == 0.4
