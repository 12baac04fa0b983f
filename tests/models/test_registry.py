"""The list of models: validated, with lines in its errors; adapters appear when complete and never before."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lamsim_core.errors import InvalidInputError, ModelError, NotFoundError
from lamsim_core.models.listing import NAME_PATTERN
from lamsim_core.models.registry import (
    adapter_folder,
    find_adapter,
    get_model,
    list_models,
    open_backend,
    shipped_models,
)
from lamsim_core.records import Adapter, Recipe
from lamsim_core.settings import REPOSITORY, Settings


def make_adapter(name: str = "mine", base: str = "tiny", number: int = 1) -> Adapter:
    return Adapter(
        id=f"adp_{number:026d}",
        name=name,
        created="2026-01-01T00:00:00+00:00",
        base=base,
        base_hash="0",
        dataset="ds",
        dataset_hash="0",
        recipe=Recipe(),
        metrics={},
        weights_sha256="0",
    )


def place(settings: Settings, adapter: Adapter) -> Path:
    folder = settings.adapters / adapter.id
    folder.mkdir(parents=True)
    (folder / "adapter.json").write_text(adapter.model_dump_json(), encoding="utf-8")
    return folder


def test_the_shipped_list_is_valid_and_has_one_default(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, cache=tmp_path)
    models = list_models(settings)
    assert [model.name for model in models if model.default and not model.shipped] == ["smollm2-135m"]
    assert "scripted" not in {model.name for model in models}
    assert "scripted" in {model.name for model in list_models(settings, hidden=True)}
    placed = {model.name: model for model in models if not model.available}
    assert set(placed) == {"Qwen3-0.6B", "xLAM-8x7b-r", "Mixtral-8x7B-Instruct-v0.1"}
    for model in placed.values():
        assert model.why_not and str(tmp_path / "models" / model.name) in model.why_not
        assert "safetensors" in model.why_not
    for shipped in shipped_models(settings):
        assert shipped.template == "own" or (REPOSITORY / "data/templates" / f"{shipped.template}.jinja").is_file()


def test_a_placed_model_becomes_available_unless_its_folder_holds_more_than_data(tiny: Settings) -> None:
    assert get_model(tiny, "tiny").available
    extra = tiny.cache / "models" / "tiny" / "pytorch_model.bin"
    extra.write_bytes(b"")
    entry = get_model(tiny, "tiny")
    assert not entry.available and "pytorch_model.bin" in str(entry.why_not)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        open_backend(tiny, "tiny")


@pytest.mark.parametrize(
    ("line", "change", "message"),
    [
        (8, ("  note: Random", "  colour: red\n  note: Random"), "colour"),
        (5, ("  source: made by the tests", "  source: [1]"), "source"),
        (3, ("  kind: local", "  kind: remote"), "kind"),
        (1, ("- name: tiny", "- name: ../evil"), "name"),
        (1, ("  licence: none\n  parameters: 300", "  parameters: 300"), "licence"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_line(
    tiny: Settings, line: int, change: tuple[str, str], message: str
) -> None:
    path = tiny.data / "models.yaml"
    text = path.read_text(encoding="utf-8").strip()
    assert change[0] in text
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(InvalidInputError, match=message) as error:
        list_models(tiny)
    assert f"models.yaml:{line}:" in str(error.value)


@pytest.mark.parametrize("text", ["", "- [", "name: x", "- 1", "- name: !!python/object/apply:os.getcwd []"])
def test_a_file_that_is_no_list_of_models_is_refused(tiny: Settings, text: str) -> None:
    (tiny.data / "models.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"models\.yaml"):
        list_models(tiny)


def test_a_missing_file_and_a_name_given_twice_are_refused(tiny: Settings) -> None:
    path = tiny.data / "models.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump([entries[0], entries[0]]), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="twice"):
        list_models(tiny)
    path.unlink()
    with pytest.raises(InvalidInputError, match="cannot be read"):
        list_models(tiny)


def test_an_adapter_appears_once_its_record_is_there(tiny: Settings) -> None:
    adapter = make_adapter()
    folder = place(tiny, adapter)
    entry = get_model(tiny, "mine")
    assert (entry.kind, entry.base, entry.adapter, entry.available) == ("adapter", "tiny", adapter.id, True)
    assert adapter_folder(tiny, adapter.id) == folder
    (folder / "adapter.json").write_text("{", encoding="utf-8")
    with pytest.raises(NotFoundError, match="mine"):
        get_model(tiny, "mine")
    with pytest.raises(NotFoundError, match="adapter"):
        adapter_folder(tiny, adapter.id)


def test_drafts_and_folders_under_another_name_are_invisible(tiny: Settings) -> None:
    folder = place(tiny, make_adapter())
    shutil.copytree(folder, tiny.adapters / ".partial-x")
    folder.rename(tiny.adapters / "renamed")
    assert [model.name for model in list_models(tiny)] == ["tiny"]


def test_an_adapter_that_cannot_be_used_says_why(tiny: Settings) -> None:
    place(tiny, make_adapter("lost", base="gone", number=1))
    place(tiny, make_adapter("tiny", number=2))
    place(tiny, make_adapter("twin", number=3))
    place(tiny, make_adapter("twin", number=4))
    entries = list_models(tiny)
    reasons = {(entry.name, entry.adapter): entry.why_not for entry in entries if not entry.available}
    assert len(reasons) == 3
    assert "gone" in str(reasons["lost", f"adp_{1:026d}"])
    assert "already" in str(reasons["tiny", f"adp_{2:026d}"])
    assert "already" in str(reasons["twin", f"adp_{4:026d}"])
    assert get_model(tiny, "tiny").kind == "local"
    assert get_model(tiny, "twin").adapter == f"adp_{3:026d}"
    with pytest.raises(ModelError, match="gone"):
        open_backend(tiny, "lost")


def ship_as(settings: Settings, adapter: Adapter, name: str) -> Path:
    folder = settings.data / "models" / name
    folder.mkdir(parents=True)
    (folder / "adapter.json").write_text(adapter.model_dump_json(), encoding="utf-8")
    return folder


def test_an_adapter_of_the_product_is_offered_at_once_and_first_when_its_base_is_the_default(tiny: Settings) -> None:
    shipped = ship_as(tiny, make_adapter("ours", number=1), "ours")
    ship_as(tiny, make_adapter("theirs", number=2), "another-name")
    place(tiny, make_adapter("mine", number=3))
    place(tiny, make_adapter("ours", number=4))
    found = [(e.name, e.shipped, e.available, e.default) for e in list_models(tiny)]
    assert found == [
        ("tiny", False, True, True),
        ("ours", True, True, True),
        ("mine", False, True, False),
        ("ours", False, False, False),
    ]
    assert adapter_folder(tiny, f"adp_{1:026d}") == shipped == find_adapter(tiny, "ours")[0]
    assert find_adapter(tiny, f"adp_{4:026d}")[0].parent == tiny.adapters
    with pytest.raises(NotFoundError, match="ours"):
        find_adapter(tiny, "our")


def test_an_adapter_of_the_product_whose_base_is_absent_says_so(tiny: Settings) -> None:
    ship_as(tiny, make_adapter("ours", base="gone"), "ours")
    entry = get_model(tiny, "ours")
    assert not entry.available and not entry.default and "gone" in str(entry.why_not)


def test_an_unknown_model_is_named(tiny: Settings) -> None:
    with pytest.raises(NotFoundError, match="tiny"):
        open_backend(tiny, "tinny")


@settings(max_examples=200)
@given(st.from_regex(NAME_PATTERN, fullmatch=True))
def test_no_name_leaves_its_folder(name: str) -> None:
    root = Path("/somewhere")
    assert (root / name).parent == root and name not in ("", ".", "..")
