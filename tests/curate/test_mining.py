"""Pairs and labels of a whole store: chosen by the same rules, capped, frozen, made again, replayed."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.canonical import new_id, now
from lamsim_core.curate.card import card, read_card
from lamsim_core.curate.datasets import dataset_folder, differences, freeze, load_left_out, load_rows, rebuild, verify
from lamsim_core.curate.folder import rows_digest
from lamsim_core.curate.mining import mine
from lamsim_core.curate.select import funnel
from lamsim_core.errors import InvalidInputError
from lamsim_core.explore.repair import Repair
from lamsim_core.records import Dataset, Mark, Selection, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from tests.curate.attempts import attempt, gold_replies, tasks
from tests.curate.scripted import BROKEN, NO_TOOL, Moves, says


def stock(store: Store) -> list[Trajectory]:
    """Attempts that give four pairs of each of four tasks: one of every kind."""
    made: list[Trajectory] = []
    for seed in range(4):
        m = Moves(seed)
        made += [
            m.passing(),
            says(m.task, BROKEN, "I give up."),
            says(m.task, m.look, m.look, "Done."),
            says(m.task, m.look, "Done."),
            says(m.task, NO_TOOL, m.look, m.move, m.close, manner=Repair(1)),
        ]
    place = tasks(1, template="calendar.event_place")[0]
    look, _ = gold_replies(place)
    made += [attempt(place, GoldPolicy()), says(place, look, "I looked it up.")]
    held = tasks(1, split="unseen_instances")[0]
    made += [attempt(held, GoldPolicy()), says(held, BROKEN, "No.")]
    for trajectory in made:
        store.add(trajectory)
    return made


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, list[Trajectory]]]:
    with Store(Settings(home=tmp_path_factory.mktemp("home"))) as store:
        yield store, stock(store)


ANY = Selection()
KINDS = {"path": 4, "repair": 4, "sibling": 4, "stop": 5}


def test_pairs_of_a_store(stocked: tuple[Store, list[Trajectory]]) -> None:
    store, made = stocked
    mined = mine(store, ANY, "preference")
    assert mined.counted("pair") == KINDS and mined.dropped == {}
    assert mined.counted("chosen_by") == {"gold": 1, "tiny": 16} and mined.counted("policy") == {"tiny": 17}
    assert mined.left_out == {"held-out split": 2}
    assert {*mined.members, *(each.trajectory for each in mined.out)} == {each.id for each in made}
    rows = [json.loads(row.line) for row in mined.rows]
    assert Counter(row["kind"] for row in rows) == KINDS


def test_the_rules_choose_attempts_and_caps_count_rows(stocked: tuple[Store, list[Trajectory]]) -> None:
    store, made = stocked
    capped = mine(store, Selection(max_per_template=6, max_per_pair_kind=1, seed=1), "preference")
    assert len(capped.rows) <= 4 and max(capped.counted("pair").values()) == 1
    assert max(capped.counted("template").values()) <= 6
    assert set(capped.dropped) == {"over the cap per template", "over the cap per kind of pair"}
    assert capped.left_out["in no row"] > 0
    stages = list(funnel(len(capped.members), capped.left_out).values())
    assert stages[-1] == len(capped.members) and stages == sorted(stages, reverse=True)
    assert list(funnel(len(capped.members), capped.left_out))[-1] == "used"
    other = mine(store, Selection(max_per_template=6, max_per_pair_kind=1, seed=2), "preference")
    assert [row.line for row in other.rows] != [row.line for row in capped.rows]
    assert mine(store, Selection(pair_kinds=("stop",)), "preference").counted("pair") == {"stop": 5}
    assert "gold" not in mine(store, Selection(policies=("tiny",)), "preference").counted("chosen_by")
    assert len(mine(store, Selection(exclude=(made[0].id,)), "preference").rows) < 17
    shared = mine(store, Selection(kind_shares={"lookup": 0.5, "write": 0.5}), "preference")
    assert shared.counted("kind")["lookup"] == shared.counted("kind")["write"] == 1


def test_labels_are_balanced(stocked: tuple[Store, list[Trajectory]]) -> None:
    store, _ = stocked
    every = mine(store, Selection(label_balance=None), "labels").counted("label")
    assert set(every) == {"right", "wrong"} and every["right"] != every["wrong"]
    equal = mine(store, ANY, "labels")
    assert equal.counted("label") == dict.fromkeys(("right", "wrong"), min(every.values()))
    assert list(equal.dropped) == ["more of its label than for balance"]


@pytest.mark.parametrize("kind", ["preference", "labels"])
def test_a_dataset_of_turns_is_frozen_made_again_and_replayed(
    stocked: tuple[Store, list[Trajectory]], kind: Any
) -> None:
    store, _ = stocked
    dataset = freeze(store, f"of {kind}", Selection(seed=3, max_per_template=12), kind=kind)
    assert dataset.kind == kind and dataset.rows == sum(dataset.counts["category"].values())
    assert read_card(card(dataset)).kind == kind
    text = (dataset_folder(store.settings, dataset.id) / "README.md").read_text()
    group = "pair" if kind == "preference" else "label"
    assert all(f"- `{name}`: {number}" in text for name, number in dataset.counts[group].items())
    assert rebuild(store, dataset).same
    assert freeze(store, f"of {kind}", dataset.selection, kind=kind).hash == dataset.hash
    kept = load_left_out(store.settings, dataset.id)
    assert kept is not None and len(kept) == sum(dataset.counts["left_out"].values())
    done = verify(store, dataset)
    assert done.held == done.checked == dataset.rows and done.wrong == ()
    assert done.by_group == dataset.counts[group]
    sft = freeze(store, f"of {kind}", Selection())
    assert sft.parent is not None and differences(store.settings, sft, dataset).rules


def test_a_tampered_pair_is_found_out(stocked: tuple[Store, list[Trajectory]]) -> None:
    store, _ = stocked
    dataset = freeze(store, "tampered", ANY, kind="preference")
    folder = dataset_folder(store.settings, dataset.id)
    rows = load_rows(store.settings, dataset.id)
    rows[2]["rejected"], rows[2]["chosen"] = rows[2]["chosen"], rows[2]["rejected"]
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    (folder / "rows.jsonl").write_bytes(content)
    with pytest.raises(InvalidInputError, match="is not the one that was frozen"):
        verify(store, dataset)
    digest = rows_digest()
    digest.update(content)
    forged: Dataset = dataset.model_copy(update={"hash": digest.hexdigest()})
    (folder / "dataset.json").write_text(forged.model_dump_json())
    done = verify(store, forged)
    assert (done.held, done.checked) == (16, 17)
    assert [(each.row, "not the one of its source" in each.problem) for each in done.wrong] == [(3, True)]


def test_a_decision_taken_since_takes_its_pairs_out(store: Store) -> None:
    made = stock(store)
    dataset = freeze(store, "x", ANY, kind="preference")
    store.add(Mark(id=new_id("mrk"), trajectory=made[1].id, decision="reject", author="me", created=now()))
    again = rebuild(store, dataset)
    assert not again.same and again.rows == 16
    assert again.differences.went == {"rejected": (made[1].id,)}
    assert verify(store, dataset).wrong == (), "the rows still say what is so"


def test_nothing_to_freeze_is_said(store: Store) -> None:
    store.add(Moves().passing())
    with pytest.raises(InvalidInputError, match="no preference pair, so there is nothing to freeze"):
        freeze(store, "x", ANY, kind="preference")
    with pytest.raises(InvalidInputError, match="3 more of its label than for balance"):
        freeze(store, "x", ANY, kind="labels")
    assert freeze(store, "x", Selection(label_balance=None), kind="labels").rows == 3
    with pytest.raises(InvalidInputError, match="whole attempts"):
        verify(store, freeze(store, "y", ANY))
