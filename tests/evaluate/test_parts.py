"""What an evaluation says of a split, whether it was made of one or of several, today or long ago."""

from lamsim_core.evaluate.metrics import compare, evaluation_row
from lamsim_core.evaluate.parts import compared, rows_of, telling
from lamsim_core.records import Evaluation, PolicyInfo, Split, Task
from lamsim_core.tasks import plan_tasks

PARTS: tuple[Split, ...] = ("unseen_tools", "unseen_categories")
POLICIES = [
    PolicyInfo(kind="model", name="a"),
    PolicyInfo(kind="model", name="b"),
    PolicyInfo(kind="noop", name="noop"),
]


def evaluation(*splits: Split, policies: list[PolicyInfo] = POLICIES) -> Evaluation:
    """Two tasks of each split, none tried."""
    planned = {split: plan_tasks(split, 2) for split in splits}
    tasks = [task for part in planned.values() for task in part]
    parts: dict[Split | None, list[Task]] = {None: tasks}
    if len(splits) > 1:
        parts.update(planned.items())
    rows = [evaluation_row(info, "r", parts[part], 1, [], split=part) for info in policies for part in parts]
    found = {part: {(task.key, 0): False for task in parts[part]} for part in parts}
    names = [info.name for info in policies]
    pairs = [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]
    return Evaluation(
        id="evl_x",
        name="x",
        created="2026-01-01T00:00:00.000+00:00",
        split=splits[0],
        splits=splits if len(splits) > 1 else (),
        task_keys=tuple(task.key for task in tasks),
        attempts=1,
        rows=tuple(rows),
        comparisons=tuple(compare(*pair, found[part], found[part], part) for pair in pairs for part in parts),
        seconds=1.0,
    )


def test_several_splits_have_rows_of_each_and_of_all() -> None:
    made = evaluation(*PARTS)
    assert made.parts == PARTS
    assert [(row.policy.name, row.planned) for row in rows_of(made)] == [("a", 4), ("b", 4), ("noop", 4)]
    assert [row.planned for row in rows_of(made, "unseen_tools")] == [2, 2, 2]
    assert rows_of(made, "unseen_instances") == []
    assert [compared(made, "a", "b", part).split for part in (None, *PARTS)] == [None, *PARTS]  # type: ignore[union-attr]
    assert compared(made, "b", "a") is None


def test_a_record_from_before_there_could_be_several_reads_the_same() -> None:
    made = evaluation("unseen_tools")
    stored = made.model_dump(mode="json")
    for name in ("splits", "job", "asked", "versions"):
        del stored[name]
    for row in stored["rows"]:
        del row["split"], row["trials"]
    for each in stored["comparisons"]:
        del each["split"]
    old = Evaluation.model_validate(stored)
    assert old == made and old.parts == ("unseen_tools",)
    assert rows_of(old) == rows_of(old, "unseen_tools") == list(old.rows)
    assert compared(old, "a", "b", "unseen_tools") == compared(old, "a", "b") is not None


def test_models_are_compared_with_each_other_and_else_whatever_there_is() -> None:
    assert {(each.first, each.second) for each in telling(evaluation(*PARTS))} == {("a", "b")}
    assert len(telling(evaluation("unseen_tools", policies=POLICIES[1:]))) == 1
