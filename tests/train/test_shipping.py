"""An adapter becomes part of the product: small, complete, and acting as the one that was trained."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lamsim_core.errors import InvalidInputError, LamsimError, ModelError
from lamsim_core.models.folder import file_sha256
from lamsim_core.models.registry import adapter_folders, get_model, open_backend, shipped_folder
from lamsim_core.records import Adapter, Comparison, Evaluation, PolicyInfo
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.store import Store
from lamsim_core.train import shipping
from lamsim_core.train.measured import measured
from lamsim_core.train.shipping import FILES, SECTIONS, ids_of, problems_of, ship
from tests.pages.standing import standing_row
from tests.train.making import untrained_adapter


@pytest.fixture
def mine(tiny: Settings, tmp_path: Path) -> Adapter:
    return untrained_adapter(tiny, tmp_path / "weights")


def test_a_shipped_adapter_is_whole_and_small_and_opens(tiny: Settings, mine: Adapter) -> None:
    folder, adapter = ship(tiny, "mine", "ours")
    assert folder == tiny.data / "models" / "ours" and {path.name for path in folder.iterdir()} == FILES
    assert (adapter.name, adapter.job, adapter.recipe) == ("ours", None, mine.recipe) and adapter.id != mine.id
    before, after = (load_file(place / "adapter_model.safetensors") for place in (tiny.adapters / mine.id, folder))
    assert all(torch.equal(after[name], tensor.to(torch.bfloat16)) for name, tensor in before.items())
    assert list(folder.parent.iterdir()) == [folder]
    card = (folder / "README.md").read_text()
    assert "\n# ours\n" in card and "\n# mine\n" not in card and all(section in card for section in SECTIONS)
    assert "Not measured." in card and mine.weights_sha256[:16] in card
    assert json.loads((folder / "provenance.json").read_text())["made_from"]["id"] == mine.id
    entry = get_model(tiny, "ours")
    assert entry.shipped and entry.default and entry.available
    info = open_backend(tiny, "ours").info
    assert (info.adapter, info.adapter_hash) == (adapter.id, file_sha256(folder / "adapter_model.safetensors"))


def test_shipping_again_replaces_it_only_when_asked_and_keeps_the_id_of_the_same_weights(
    tiny: Settings, mine: Adapter
) -> None:
    _, first = ship(tiny, "mine", "ours")
    with pytest.raises(InvalidInputError, match="--replace"):
        ship(tiny, "mine", "ours")
    row = standing_row("model", "ours", 30).model_copy(
        update={"policy": PolicyInfo(kind="model", name="ours", adapter=first.id)}
    )
    base = standing_row("model", "tiny", 10)
    compared = Comparison(
        first="tiny", second="ours", split="unseen_tools", both=9, only_first=1, only_second=21, neither=9,
        difference=0.5, low=0.4, high=0.6, p_value=0.00001,
    )  # fmt: skip
    apart = [each.model_copy(update={"split": split}) for each in (base, row) for split in ("unseen_tools", "train")]
    evaluation = Evaluation(
        id="evl_1", name="", created="2026-01-01T00:00:00+00:00", split="unseen_tools", splits=("unseen_tools", "train"),
        attempts=2, seconds=1.0, task_keys=tuple(map(str, range(40))), rows=(base, row, *apart), comparisons=(compared,),
    )  # fmt: skip
    with Store(tiny) as store:
        store.add(evaluation)
        store.index.sync()
        results = measured(store.index, {mine.id, first.id}, "tiny")
        assert measured(store.index, {mine.id}, "tiny") == ()
    other = mine.model_copy(update={"id": "adp_other"})
    place = shipped_folder(tiny) / "ours"
    assert ids_of(place, mine) == {mine.id, first.id} and ids_of(place, other) == {other.id}
    assert ids_of(place / "none", mine) == {mine.id}
    folder, second = ship(tiny, "mine", "ours", results, replace=True)
    assert second == first
    splits = ("unseen_tools", "unseen_categories")
    wide = {
        "id": "evl_2", "splits": splits, "created": "2026-01-02T00:00:00+00:00",
        "rows": tuple(each.model_copy(update={"split": part}) for each in (base, row) for part in (None, *splits)),
        "comparisons": tuple(compared.model_copy(update={"split": part}) for part in (None, *splits)),
    }  # fmt: skip
    with Store(tiny) as store:
        store.add(evaluation.model_copy(update=wide))
        store.index.sync()
        several = measured(store.index, {first.id}, "tiny")
    assert [(each.evaluation.id, each.split) for each in several[2:]] == [("evl_1", "train")], (
        "the same attempts count once"
    )
    several = several[:2]
    assert [(each.split, each.base and each.base.split) for each in several] == [(part, part) for part in splits]
    assert [each.comparison and each.comparison.split for each in several] == list(splits)
    assert several[0].attempts == "20 tasks of unseen tools, 2 attempts each"
    card = (folder / "README.md").read_text()
    told = "20 tasks of {}, 2 attempts each | 30 of 40 (75.0%; 65.0% to 85.0%) | 10 of 40 (25.0%) | {} |\n"
    assert told.format("unseen tools", "+50.0% (+40.0% to +60.0%), p = 1e-05") in card
    assert told.format("train", "not compared") in card and card.count("20 tasks") == 2


@pytest.mark.parametrize(
    ("name", "new", "message"),
    [
        ("mine", "../evil", "no name"),
        ("mine", "tiny", "already is a model"),
        ("mine", "mine", "already is a model"),
        ("other", "ours", "no adapter named"),
    ],
)
def test_what_cannot_be_shipped_is_refused(tiny: Settings, mine: Adapter, name: str, new: str, message: str) -> None:
    with pytest.raises(LamsimError, match=message):
        ship(tiny, name, new)
    assert not list(tiny.data.glob("models/*"))


def test_nothing_too_large_without_its_dataset_or_damaged_is_shipped(
    tiny: Settings, mine: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(shipping, "LARGEST", 1000)
        with pytest.raises(InvalidInputError, match="1,000 are allowed"):
            ship(tiny, "mine", "ours")
    weights = tiny.adapters / mine.id / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ModelError, match="published"):
        ship(tiny, "mine", "ours")
    weights.write_bytes(whole)
    (tiny.datasets / mine.dataset / "README.md").unlink()
    with pytest.raises(InvalidInputError, match="dataset"):
        ship(tiny, "mine", "ours")
    assert not list(tiny.data.glob("models/*"))


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _widen(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    save_file({name: tensor.float() for name, tensor in load_file(path).items()}, path)


def test_every_harm_to_a_shipped_folder_is_named(tiny: Settings, mine: Adapter) -> None:
    harms: dict[str, Callable[[Path], object]] = {
        "too much": lambda folder: (folder / "tokenizer.json").write_text("{}"),
        "too little": lambda folder: (folder / "DATASET.md").unlink(),
        "another hash": lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"x"),
        "16 bits": _widen,
        "cannot be read": lambda folder: (folder / "adapter.json").write_text("{"),
        "data/models.yaml": lambda folder: _change(folder / "adapter.json", '"tiny"', '"gone"'),
        "another base": lambda folder: _change(folder / "adapter_config.json", '"tiny"', '"gone"'),
        "another rank": lambda folder: _change(folder / "adapter_config.json", '"r": 4', '"r": 5'),
        "does not say": lambda folder: _change(folder / "README.md", SECTIONS[1], "## Words"),
        "of another adapter": lambda folder: _change(folder / "provenance.json", mine.dataset, "ds_x"),
        "card is that": lambda folder: _change(folder / "README.md", "# ours", "# mine"),
        "another dataset": lambda folder: _change(folder / "DATASET.md", mine.dataset_hash, "0"),
        "folder of the machine": lambda folder: _change(folder / "README.md", "## Data\n", "## Data\n/home/me/x"),
    }
    for told, harm in harms.items():
        folder, _ = ship(tiny, "mine", "ours", replace=True)
        assert problems_of(tiny, folder, "ours") == []
        harm(folder)
        assert told in " ".join(problems_of(tiny, folder, "ours")), told
    folder, _ = ship(tiny, "mine", "ours", replace=True)
    assert "not other" in " ".join(problems_of(tiny, folder, "other"))


def test_every_adapter_in_the_repository_keeps_these_promises(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, data=REPOSITORY / "data")
    folders = sorted(path for path in (REPOSITORY / "data" / "models").glob("*") if path.is_dir())
    for folder in folders:
        assert problems_of(settings, folder, folder.name) == [], folder.name
    assert [folder for folder, _ in adapter_folders(settings)] == folders
