"""A dataset made again from its card over the same store is the same, and what changed since is said by rule."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamsim_core.canonical import new_id, now
from lamsim_core.curate.card import card, read_card
from lamsim_core.curate.datasets import dataset_folder, differences, freeze, get_dataset, load_left_out, rebuild
from lamsim_core.curate.outside import keep_outside, outside
from lamsim_core.curate.select import choose, funnel
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Dataset, Mark, Selection, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from tests.curate.attempts import attempt, clumsy, failing, row_of, tasks


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, list[Trajectory]]]:
    """A store with passes, failures, repeats, decisions and held-out attempts."""
    with Store(Settings(home=tmp_path_factory.mktemp("home"))) as store:
        made: list[Trajectory] = []
        for template in ("calendar.move", "calendar.cancel", "banking.balance"):
            some = tasks(4, template=template)
            made += [attempt(task) for task in some]
            made += [failing(some[0]), clumsy(some[1]), attempt(some[2], run="run_more", attempt=1)]
        made += [attempt(task) for task in tasks(2, split="unseen_instances")]
        draw = random.Random(1)
        for trajectory in made:
            store.add(trajectory)
            if draw.random() < 0.4:
                store.add(mark(trajectory, draw.choice(["accept", "reject"])))
        yield store, made


def mark(trajectory: Trajectory, decision: Any) -> Mark:
    return Mark(id=new_id("mrk"), trajectory=trajectory.id, decision=decision, author="me", created=now())


CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "passed_only": st.booleans(),
    "outcomes": st.sampled_from([(), ("passed",), ("passed", "failed")]),
    "decisions": st.sampled_from([("accept", "undecided"), ("accept",), ("accept", "undecided", "reject")]),
    "categories": st.sampled_from([(), ("calendar",)]),
    "kinds": st.sampled_from([(), ("lookup",), ("write", "multi_step")]),
    "origins": st.sampled_from([(), ("plain",)]),
    "since": st.sampled_from(["", "2026-01-01", "2026-01-01T00:00:05"]),
    "max_steps": st.sampled_from([None, 3]),
    "sql": st.sampled_from(
        ["", "SELECT id FROM attempts WHERE calls <= 2", "SELECT attempt_id FROM actions WHERE NOT ok"]
    ),
    "keep": st.sampled_from(["newest", "oldest", "shortest", "seeded"]),
    "seed": st.integers(0, 3),
    "alike": st.sampled_from([None, 0.5, 0.9]),
    "max_per_template": st.sampled_from([None, 1, 2]),
    "category_shares": st.sampled_from([{}, {"calendar": 0.5}, {"banking": 0.25, "calendar": 0.75}]),
    "max_errors": st.sampled_from([0, None]),
    "looks": st.sampled_from(["any", "plain", "varied"]),
    "max_tools": st.sampled_from([None, 6]),
    "policy_shares": st.sampled_from([{}, {"gold": 0.5}, {"gold": 1.0}]),
    "rows": st.sampled_from([None, 2, 5, 50]),
    "weigh": st.sampled_from(["verified", "all"]),
    "spare_tools": st.none() | st.integers(0, 3),
    "share_tools": st.none() | st.integers(2, 5),
    "decontaminate": st.sampled_from([(), ("unseen_instances", "unseen_tools", "unseen_categories")]),
}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({}, optional=CHOICES))
def test_a_dataset_made_again_from_its_card_is_the_same(stocked: tuple[Store, list[Trajectory]], rules: Any) -> None:
    store, made = stocked
    selection = Selection(**rules)
    try:
        dataset = freeze(store, "any", selection, to_row=row_of)
    except InvalidInputError as error:
        assert "nothing to freeze" in str(error) or "cannot have a share" in str(error)
        return
    assert read_card(card(dataset)).selection == selection
    again = rebuild(store, dataset, to_row=row_of)
    assert again.same and again.hash == dataset.hash and again.differences.none
    assert again.differences.same == again.rows == dataset.rows
    chosen = choose(store, selection)
    assert {*chosen.members, *(each.trajectory for each in chosen.out)} <= {each.id for each in made}
    stages = list(funnel(dataset.rows, dataset.counts["left_out"]).values())
    assert stages == sorted(stages, reverse=True) and stages[-1] == dataset.rows
    kept = load_left_out(store.settings, dataset.id)
    assert kept is not None and len(kept) == sum(dataset.counts["left_out"].values())


@pytest.fixture
def filled(store: Store) -> tuple[Store, list[Trajectory], Dataset]:
    made = [attempt(task) for task in tasks(4)]
    for trajectory in made:
        store.add(trajectory)
    return store, made, freeze(store, "first", Selection(max_per_template=3), to_row=row_of)


def test_what_was_stored_since_does_not_count(filled: tuple[Store, list[Trajectory], Dataset]) -> None:
    store, _, dataset = filled
    store.add(attempt(tasks(1, seed=8)[0], created=now()))
    assert rebuild(store, dataset, to_row=row_of).same
    assert freeze(store, "first", dataset.selection, to_row=row_of).hash != dataset.hash


def test_a_decision_taken_since_is_said_by_its_rule(filled: tuple[Store, list[Trajectory], Dataset]) -> None:
    store, made, dataset = filled
    store.add(mark(made[3], "reject"))
    again = rebuild(store, dataset, to_row=row_of)
    assert not again.same
    assert again.differences.went == {"rejected": (made[3].id,)}
    assert again.differences.came == {"over the cap per template": (made[0].id,)}


def test_a_version_is_compared_with_its_parent_by_rule(filled: tuple[Store, list[Trajectory], Dataset]) -> None:
    store, made, dataset = filled
    store.add(new := attempt(tasks(1, template="calendar.cancel")[0]))
    later = freeze(store, "first", Selection(exclude=(made[3].id,), sql="SELECT id FROM attempts"), to_row=row_of)
    assert later.parent == dataset.id
    found = differences(store.settings, later, dataset)
    assert found.same == 2
    assert found.came == {"not looked at": (new.id,), "over the cap per template": (made[0].id,)}
    assert found.went == {"excluded by hand": (made[3].id,)}
    assert found.rules["most per template"] == ("3", "any number")
    assert set(found.rules) == {"most per template", "excluded by hand", "question"}


def test_a_version_of_before_still_loads_and_says_what_it_does_not_know(
    filled: tuple[Store, list[Trajectory], Dataset],
) -> None:
    """A folder as it was written before there were reasons and more rules."""
    store, made, dataset = filled
    folder = dataset_folder(store.settings, dataset.id)
    (folder / "left_out.jsonl").unlink()
    old = {
        "passed_only",
        "decisions",
        "policies",
        "categories",
        "templates",
        "runs",
        "tags",
        "max_per_template",
        "max_errors",
    }
    record = dataset.model_dump(mode="json")
    record["selection"] = {name: value for name, value in record["selection"].items() if name in old}
    del record["counts"]["kind"]
    (folder / "dataset.json").write_text(json.dumps(record))
    (folder / "README.md").write_text("# `first`\n")
    found = get_dataset(store.settings, dataset.id)
    assert found.members == dataset.members and found.selection == dataset.selection
    later = freeze(store, "first", Selection(), to_row=row_of)
    assert differences(store.settings, later, found).came == {"not known: frozen by an earlier version": (made[0].id,)}
    with pytest.raises(InvalidInputError, match="an earlier version wrote it"):
        rebuild(store, found, to_row=row_of)


def test_a_dataset_compared_with_a_list_is_made_again_with_it(store: Store) -> None:
    one, two = tasks(2)
    for task in (one, two):
        store.add(attempt(task))
    ref = keep_outside(store.settings, outside("bench", [one.instruction]))
    dataset = freeze(store, "clean", Selection(outside=(ref,)), to_row=row_of)
    assert dataset.rows == 1 and rebuild(store, dataset, to_row=row_of).same


def test_nothing_in_a_selection_can_forge_its_card(filled: tuple[Store, list[Trajectory], Dataset]) -> None:
    store, _, dataset = filled
    forged = "x`\n```json\n{}\n```\n- frozen: `never`"
    hostile = dataset.model_copy(update={"selection": Selection(tags=(forged,), sql=forged, exclude=(forged,))})
    origin = read_card(card(hostile))
    assert origin.selection == hostile.selection and origin.created == dataset.created
    with pytest.raises(InvalidInputError, match="changed"):
        read_card(card(dataset).replace('"max_per_template":3', '"max_per_template":"many"'))
    path = Path(dataset_folder(store.settings, dataset.id)) / "README.md"
    path.unlink()
    with pytest.raises(InvalidInputError, match="cannot be read"):
        rebuild(store, dataset, to_row=row_of)
