"""Dataset versions: frozen whole or not at all, the same twice, and refused when they were changed."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.curate.datasets import dataset_folder, find_dataset, freeze, get_dataset, list_datasets, load_rows
from lamsim_core.errors import InvalidInputError, NotFoundError, StoreWriteError
from lamsim_core.records import Dataset, Selection
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import datasets, get_trajectory
from tests.curate.attempts import attempt, failing, row_of, tasks


@pytest.fixture
def filled(store: Store) -> Store:
    for task in tasks(3):
        store.add(attempt(task))
    store.add(attempt(tasks(1, template="calendar.cancel")[0]))
    store.add(failing(tasks(1, seed=1)[0]))
    return store


def frozen(store: Store, name: str = "first", **selection: Any) -> Dataset:
    return freeze(store, name, Selection(**selection), to_row=row_of)


def test_a_dataset_is_a_folder_with_rows_card_and_record(filled: Store) -> None:
    dataset = frozen(filled)
    folder = dataset_folder(filled.settings, dataset.id)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "dataset.json",
        "left_out.jsonl",
        "rows.jsonl",
    ]
    assert dataset.rows == len(dataset.members) == 4
    kinds = Counter(kind for task in (*tasks(3), *tasks(1, template="calendar.cancel")) for kind in task.kinds)
    assert dataset.counts == {
        "category": {"calendar": 4},
        "template": {"calendar.cancel": 1, "calendar.move": 3},
        "policy": {"gold": 4},
        "calls": {"2": 4},
        "kind": dict(sorted(kinds.items())),
        "left_out": {"not passed": 1},
    }
    rows = load_rows(filled.settings, dataset.id)
    assert [row["trajectory"] for row in rows] == list(dataset.members)
    assert get_dataset(filled.settings, dataset.id) == dataset
    card = (folder / "README.md").read_text()
    assert dataset.hash in card and "`calendar.move`: 3" in card and "`not passed`: 1" in card


def test_it_is_recorded_in_the_store(filled: Store) -> None:
    dataset = frozen(filled)
    filled.index.sync()
    assert datasets(filled.index) == [dataset]


def test_the_same_selection_twice_gives_the_same_rows_and_the_first_is_the_parent(filled: Store) -> None:
    first, second = frozen(filled), frozen(filled)
    assert first.id != second.id
    assert (first.hash, first.members) == (second.hash, second.members)
    assert (first.parent, second.parent) == (None, first.id)
    assert frozen(filled, "another name").parent is None
    assert frozen(filled, templates=("calendar.move",)).hash != first.hash


def test_an_empty_dataset_is_refused_with_the_reasons_and_leaves_nothing(filled: Store) -> None:
    with pytest.raises(InvalidInputError, match=r"nothing to freeze\. Left out: 4 without a decision"):
        frozen(filled, decisions=("reject",))
    with pytest.raises(InvalidInputError, match="looks at no trajectory"):
        frozen(filled, runs=("run_none",))
    assert list(filled.settings.datasets.iterdir()) == []
    assert list_datasets(filled.settings) == ([], [])


def test_a_failure_on_the_way_leaves_nothing(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def breaks(trajectory: Any) -> dict[str, Any]:
        nonlocal made
        made += 1
        if made == 3:
            raise RuntimeError("the row maker is broken")
        return row_of(trajectory)

    with pytest.raises(RuntimeError):
        freeze(filled, "x", Selection(), to_row=breaks)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreWriteError, match="No space left"):
            frozen(filled)

    def refuses(_: object) -> None:
        raise StoreWriteError("The dataset could not be saved.")

    with monkeypatch.context() as patch:
        patch.setattr(filled, "add", refuses)
        with pytest.raises(StoreWriteError):
            frozen(filled)
    assert list(filled.settings.datasets.iterdir()) == []


def test_what_a_kill_left_behind_is_not_there(filled: Store) -> None:
    dataset = frozen(filled)
    draft = filled.settings.datasets / f".{dataset.id}.tmp"
    draft.mkdir()
    (draft / "rows.jsonl").write_text("{}\n")
    assert list_datasets(filled.settings) == ([dataset], [])


@pytest.mark.parametrize("name", ["", " ", "../x", "a/b", "x" * 81, "a\nb", "a\x1b[31m", "`rm`", "-x"])
def test_names_that_cannot_be_used_are_refused(filled: Store, name: str) -> None:
    with pytest.raises(InvalidInputError, match="A dataset's name"):
        frozen(filled, name)


@pytest.mark.parametrize("damage", ["flip", "cut", "more", "swap"])
def test_changed_rows_are_refused(filled: Store, damage: str) -> None:
    dataset = frozen(filled)
    path = dataset_folder(filled.settings, dataset.id) / "rows.jsonl"
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    changed = {
        "flip": content.replace(b"calendar", b"calendaR", 1),
        "cut": b"".join(lines[:-1]),
        "more": content + lines[0],
        "swap": b"".join(reversed(lines)),
    }[damage]
    path.write_bytes(changed)
    with pytest.raises(InvalidInputError, match=r"is damaged: its rows\.jsonl is not the one that was frozen"):
        load_rows(filled.settings, dataset.id)


def test_every_flipped_byte_of_the_rows_is_noticed(filled: Store) -> None:
    dataset = frozen(filled, max_per_template=1, templates=("calendar.cancel",))
    path = dataset_folder(filled.settings, dataset.id) / "rows.jsonl"
    content = path.read_bytes()
    for place in range(0, len(content), 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(InvalidInputError):
            load_rows(filled.settings, dataset.id)


def test_damaged_folders_are_listed_with_the_problem(filled: Store) -> None:
    whole = frozen(filled)
    victims = [frozen(filled) for _ in range(4)]
    folders = [dataset_folder(filled.settings, victim.id) for victim in victims]
    (folders[0] / "dataset.json").unlink()
    (folders[1] / "dataset.json").write_text('{"id": ')
    (folders[2] / "rows.jsonl").unlink()
    other = json.loads((folders[3] / "dataset.json").read_text())
    (folders[3] / "dataset.json").write_text(json.dumps({**other, "id": whole.id}))
    (filled.settings.datasets / "holiday pictures").mkdir()
    (filled.settings.datasets / "notes.txt").write_text("mine")
    listing = list_datasets(filled.settings)
    assert listing.datasets == [whole]
    assert len(listing.problems) == 5
    for victim, reason in zip(
        victims, ["no dataset.json", "cannot be read", "no rows.jsonl", "belongs to"], strict=True
    ):
        assert any(victim.id in problem and reason in problem for problem in listing.problems)


def test_a_dataset_is_found_by_id_or_as_the_newest_of_its_name(filled: Store) -> None:
    first, second = frozen(filled), frozen(filled)
    assert find_dataset(filled.settings, first.id) == first
    assert find_dataset(filled.settings, "first") == second
    with pytest.raises(NotFoundError, match="Did you mean 'first'"):
        find_dataset(filled.settings, "frist")


@given(st.text(max_size=60) | st.from_regex(r"\A(\.\./)*ds_[0-9a-z]{0,30}(/\.\.)*\Z"))
def test_no_id_leaves_the_folder_of_datasets(dataset_id: str) -> None:
    settings = Settings(home=Path("/nowhere/var"))
    try:
        folder = dataset_folder(settings, dataset_id)
    except NotFoundError:
        return
    assert folder.parent == settings.datasets and folder.resolve().parent == settings.datasets


def test_an_absent_dataset_is_not_found(home: Settings) -> None:
    for dataset_id in ("ds_" + "0" * 26, "../../etc", "ds_" + "0" * 26 + "\n"):
        with pytest.raises(NotFoundError):
            load_rows(home, dataset_id)


def test_a_held_out_tool_that_was_only_offered_is_enough_to_stay_out(filled: Store) -> None:
    from lamsim_core.records import ToolBinding
    from lamsim_core.tools import get_category

    task = tasks(1, seed=3)[0]
    schema = get_category("calendar").tools["set_event_place"].schema
    binding = ToolBinding(
        category="calendar", tool=schema.name, parameters={name: name for name in ("event_id", "place")}
    )
    more = {
        "tools": (*task.tools, schema.model_copy(update={"name": "ChangePlace"})),
        "bindings": (*task.bindings, binding),
        "worlds": tuple(dict.fromkeys([*task.worlds, "calendar"])),
    }
    filled.add(attempt(task.model_copy(update=more)))
    dataset = frozen(filled)
    assert dataset.rows == 4
    assert dataset.counts["left_out"] == {"held-out split": 1, "not passed": 1}


def test_rows_are_those_training_reads_unless_told_otherwise(filled: Store) -> None:
    from lamsim_core.train.rows import to_row

    dataset = freeze(filled, "real", Selection())
    expected = [to_row(get_trajectory(filled.index, member)) for member in dataset.members]
    assert load_rows(filled.settings, dataset.id) == expected
