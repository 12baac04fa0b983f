"""Who enters a dataset, who does not, and why."""

from typing import Any

import pytest

from lamsim_core.canonical import new_id
from lamsim_core.curate import select as module
from lamsim_core.curate.select import held_out, select
from lamsim_core.records import Mark, Observation, Selection, Trajectory
from lamsim_core.store import Store
from lamsim_core.tools.held_out import SplitRules
from tests.curate.attempts import attempt, clumsy, failing, tasks

EVERYTHING: dict[str, Any] = {
    "passed_only": False,
    "decisions": ("accept", "undecided", "reject"),
    "max_errors": None,
}


def fill(store: Store, *trajectories: Trajectory) -> list[Trajectory]:
    for trajectory in trajectories:
        store.add(trajectory)
    return list(trajectories)


def mark(trajectory: Trajectory, decision: Any, tags: tuple[str, ...] = ()) -> Mark:
    return Mark(
        id=new_id("mrk"),
        trajectory=trajectory.id,
        decision=decision,
        tags=tags,
        author="me",
        created=trajectory.created,
    )


def test_members_come_newest_first(store: Store) -> None:
    old, middle, new = fill(store, *(attempt(task) for task in tasks(3)))
    chosen = select(store.index, Selection())
    assert chosen.members == (new.id, middle.id, old.id)
    assert chosen.left_out == {}


def test_a_held_out_task_never_enters_whatever_the_selection_says(store: Store) -> None:
    instances = attempt(tasks(1, split="unseen_instances")[0])
    tools = attempt(tasks(1, split="unseen_tools", template="calendar.change_place")[0])
    (good,) = fill(store, attempt(tasks(1)[0]))
    fill(store, instances, tools)
    store.add(mark(instances, "accept"))
    for selection in (
        Selection(),
        Selection(**EVERYTHING),
        Selection(runs=("run_test",), decisions=("accept", "undecided")),
    ):
        chosen = select(store.index, selection)
        assert chosen.members == (good.id,)
        assert chosen.left_out == {"held-out split": 2}


def test_a_task_that_lies_about_its_split_is_found_out_by_the_rules(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = attempt(tasks(1)[0])
    held = tasks(1, split="unseen_instances")[0]
    liar = attempt(held.model_copy(update={"split": "train"}))
    tool = tasks(1, split="unseen_tools", template="calendar.change_place")[0]
    other_liar = attempt(tool.model_copy(update={"split": "train", "seed": 5}))
    fill(store, honest, liar, other_liar)
    assert held_out(liar.task) and held_out(other_liar.task) and not held_out(honest.task)
    assert select(store.index, Selection(**EVERYTHING)).members == (honest.id,)
    redrawn = SplitRules(
        held_out_tools=frozenset(), held_out_categories=frozenset({"calendar"}), train_seeds=100_000, held_out_seeds=1
    )
    monkeypatch.setattr(module, "split_rules", lambda: redrawn)
    assert select(store.index, Selection(**EVERYTHING)).members == ()


def test_every_reason_in_plain_words_and_each_counted_once(store: Store) -> None:
    task = tasks(8)
    good = attempt(task[0])
    unscored = attempt(task[1], passed=None, reward=None)
    rejected, failed, clumsily = attempt(task[2]), failing(task[3]), clumsy(task[4])
    broken = attempt(task[5], ended="failed", passed=None, reward=None, error="out of memory")
    fill(store, good, unscored, rejected, failed, clumsily, broken)
    store.add(mark(rejected, "reject"))
    chosen = select(store.index, Selection())
    assert chosen.members == (good.id,)
    assert chosen.left_out == {
        "broken off before its end": 1,
        "not passed": 1,
        "not scored": 1,
        "rejected": 1,
        "too many failed actions": 1,
    }
    assert len(chosen.members) + sum(chosen.left_out.values()) == 6


def test_decisions_and_tags(store: Store) -> None:
    accepted, _, tagged = fill(store, *(attempt(task) for task in tasks(3)))
    store.add(mark(accepted, "accept"))
    store.add(mark(tagged, "accept", ("nice", "short")))
    assert select(store.index, Selection(decisions=("accept",))).members == (tagged.id, accepted.id)
    chosen = select(store.index, Selection(tags=("nice", "odd")))
    assert chosen.members == (tagged.id,)
    assert chosen.left_out == {"without a chosen tag": 2}
    assert select(store.index, Selection(decisions=("accept",))).left_out == {"without a decision that is let in": 1}


def test_failed_actions_are_let_in_up_to_the_limit(store: Store) -> None:
    (clumsily,) = fill(store, clumsy(tasks(1)[0]))
    assert clumsily.passed is True
    assert select(store.index, Selection(max_errors=0)).members == ()
    assert select(store.index, Selection(max_errors=1)).members == (clumsily.id,)
    assert select(store.index, Selection(max_errors=None)).members == (clumsily.id,)


def test_attempts_that_did_not_pass_enter_when_asked_for(store: Store) -> None:
    (failed,) = fill(store, failing(tasks(1)[0]))
    assert select(store.index, Selection(passed_only=False)).members == (failed.id,)


def test_the_same_replies_to_the_same_task_enter_once_the_newest(store: Store) -> None:
    one, other = tasks(2)
    old, new = attempt(one), attempt(one, attempt=1)
    different, elsewhere = clumsy(one).model_copy(update={"attempt": 2}), attempt(other)
    fill(store, old, new, different, elsewhere)
    chosen = select(store.index, Selection(max_errors=None))
    assert set(chosen.members) == {new.id, different.id, elsewhere.id}
    assert chosen.left_out == {"duplicate": 1}


def test_the_cap_keeps_the_newest_of_each_template_and_duplicates_do_not_use_it_up(store: Store) -> None:
    moves = [attempt(task) for task in tasks(3)]
    again = attempt(moves[2].task, attempt=1)
    cancels = [attempt(task) for task in tasks(3, template="calendar.cancel")]
    fill(store, *moves, again, *cancels)
    chosen = select(store.index, Selection(max_per_template=2))
    assert chosen.members == (cancels[2].id, cancels[1].id, again.id, moves[1].id)
    assert chosen.left_out == {"duplicate": 1, "over the cap per template": 2}


def test_what_is_not_looked_at_is_not_left_out(store: Store) -> None:
    move, cancel = attempt(tasks(1)[0]), attempt(tasks(1, template="calendar.cancel")[0])
    fill(store, move, cancel, attempt(tasks(1, template="calendar.create")[0], run="run_other"))
    chosen = select(store.index, Selection(templates=("calendar.move",)))
    assert chosen.members == (move.id,) and chosen.left_out == {}
    assert len(select(store.index, Selection(runs=("run_test",))).members) == 2
    assert len(select(store.index, Selection(policies=("gold",), categories=("calendar",))).members) == 3
    assert select(store.index, Selection(policies=("nobody",))).members == ()


def test_duplicates_among_damaged_records_are_left_out_and_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from lamsim_core.errors import DamagedRecordError

    task = tasks(1)[0]
    fill(store, attempt(task), attempt(task, attempt=1))

    def damaged(*_: object) -> None:
        raise DamagedRecordError("seg", 0, "flipped")

    monkeypatch.setattr(module, "get_trajectory", damaged)
    assert select(store.index, Selection()).left_out == {"damaged in the journal": 2}


def test_an_attempt_with_an_edited_result_never_enters_whatever_the_selection_says(store: Store) -> None:
    honest = attempt(tasks(1)[0])
    told = honest.steps[0].model_copy(update={"shown": Observation(ok=True, content="made up")})
    (edited,) = fill(store, honest.model_copy(update={"steps": (told, *honest.steps[1:])}))
    assert edited.edited
    for selection in (Selection(), Selection(**EVERYTHING)):
        chosen = select(store.index, selection)
        assert chosen.members == () and chosen.left_out == {"with an edited result": 1}
