"""An adapter leaves the product: as a folder, as an archive, merged into its base; or is deleted."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from lamsim_core.errors import InvalidInputError, LamsimError, ModelError, StoppedError
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.runner import run_inline
from lamsim_core.models.folder import verify
from lamsim_core.models.loading import load_weights
from lamsim_core.models.registry import list_models
from lamsim_core.records import Adapter, Recipe
from lamsim_core.settings import Settings
from lamsim_core.train import merging
from lamsim_core.train.handing_on import export_folder, export_zip
from lamsim_core.train.merging import Precision, merge
from lamsim_core.train.removal import delete_adapter, why_not_delete
from lamsim_core.train.shipping import ship
from tests.pages.standing import standing_job
from tests.train.making import QUICK, untrained_adapter

IDS = torch.arange(20, 90)[None]
"""Some text, to ask models with."""


@pytest.fixture
def mine(tiny: Settings, tmp_path: Path) -> Adapter:
    return untrained_adapter(tiny, tmp_path / "weights")


@pytest.fixture
def in_four_bits(tiny: Settings, tmp_path: Path) -> Adapter:
    recipe = Recipe(**{**QUICK.model_dump(), "precision": "nf4"})
    return untrained_adapter(tiny, tmp_path / "weights4", "mine4", recipe)


def logits(model: Any) -> Any:
    with torch.inference_mode():
        return model.eval()(IDS).logits.float()


def base_of(settings: Settings) -> Path:
    return settings.cache / "models" / "tiny"


def test_an_exported_adapter_is_loaded_without_this_product(tiny: Settings, mine: Adapter, tmp_path: Path) -> None:
    target = tmp_path / "out" / "here"
    files = export_folder(tiny, "mine", target)
    assert {path.name for path in target.iterdir()} == set(files) and len(list(target.parent.iterdir())) == 1
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_of(tiny)), str(target))
    ours, _ = load_weights(base_of(tiny), "fp32", tiny.adapters / mine.id)
    assert torch.allclose(logits(plain), logits(ours), atol=1e-4)
    assert not torch.allclose(logits(plain), logits(AutoModelForCausalLM.from_pretrained(base_of(tiny))), atol=0.1)
    text = [{"role": "user", "content": "Hello"}]
    tokenizers = [AutoTokenizer.from_pretrained(place) for place in (target, base_of(tiny))]
    one, other = (each.apply_chat_template(text, tokenize=False) for each in tokenizers)
    assert one == other
    assert "PeftModel.from_pretrained" in (target / "README.md").read_text()
    with pytest.raises(InvalidInputError, match="not empty"):
        export_folder(tiny, "mine", target)


def test_an_archive_holds_the_same_and_is_the_same_each_time(tiny: Settings, mine: Adapter, tmp_path: Path) -> None:
    files = export_folder(tiny, "mine", tmp_path / "out")
    packed = export_zip(tiny, "mine")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None and sorted(archive.namelist()) == [f"mine/{file}" for file in files]
        assert all(archive.read(f"mine/{file}") == (tmp_path / "out" / file).read_bytes() for file in files)
    assert packed == export_zip(tiny, mine.id)


def test_an_exported_shipped_adapter_brings_the_tokenizer_of_its_base(
    tiny: Settings, in_four_bits: Adapter, tmp_path: Path
) -> None:
    ship(tiny, "mine4", "ours")
    export_folder(tiny, "ours", tmp_path / "out")
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template
    assert "load_in_4bit" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("harm", ["weights", "pickle"])
def test_a_damaged_adapter_is_not_handed_on(tiny: Settings, mine: Adapter, tmp_path: Path, harm: str) -> None:
    folder = tiny.adapters / mine.id
    if harm == "weights":
        (folder / "adapter_model.safetensors").write_bytes(b"")
    else:
        (folder / "more.bin").write_bytes(b"")
    for act in (export_zip, lambda settings, name: merge(settings, name, tmp_path / "out")):
        with pytest.raises(ModelError):
            act(tiny, "mine")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["mine", "mine4"])
def test_a_merged_model_says_what_the_adapter_says(
    tiny: Settings, tmp_path: Path, mine: Adapter, in_four_bits: Adapter, name: str, precision: Precision
) -> None:
    adapter = mine if name == "mine" else in_four_bits
    target = tmp_path / "out"
    merged = merge(tiny, name, target, precision)
    assert merged.same > 0.9 and merged.farthest < (0.02 if precision == "bf16" or name == "mine4" else 1e-3)
    alone = AutoModelForCausalLM.from_pretrained(target)
    assert alone.dtype == (torch.float32 if precision == "fp32" else torch.bfloat16)
    held = "fp32" if name == "mine" else "nf4"
    beside, how = load_weights(base_of(tiny), held, tiny.adapters / adapter.id, held)  # type: ignore[arg-type]
    assert how == ("fp32" if name == "mine" else "nf4+lora")
    exact = name == "mine" and precision == "fp32"
    assert torch.allclose(logits(alone), logits(beside), atol=1e-3 if exact else 0.3)
    assert "quantization" not in (target / "config.json").read_text()
    assert AutoTokenizer.from_pretrained(target).chat_template and verify(target).weights == merged.weights
    assert adapter.weights_sha256 in (target / "README.md").read_text()


def test_an_adapter_of_a_base_in_four_bits_is_not_merged_into_other_values(
    tiny: Settings, tmp_path: Path, in_four_bits: Adapter
) -> None:
    """Added to the unrounded weights it would act otherwise: that must be seen, or the test above proves nothing."""
    beside, _ = load_weights(base_of(tiny), "nf4", tiny.adapters / in_four_bits.id, "nf4")
    unrounded, _ = load_weights(base_of(tiny), "fp32", tiny.adapters / in_four_bits.id, "fp32")
    merge(tiny, "mine4", tmp_path / "out", "fp32")
    right = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "out")) - logits(beside)
    wrong = logits(unrounded) - logits(beside)
    assert right.abs().mean() < 0.2 * wrong.abs().mean()


def test_merging_is_a_job_that_tells_how_far_it_is(tiny: Settings, mine: Adapter, tmp_path: Path) -> None:
    said: list[tuple[int, int, str]] = []
    result = run_inline(tiny, "merge", {"model": "mine"}, lambda *progress: said.append(progress[:3]))
    assert Path(result["folder"]) == tiny.home.absolute() / "merged" / "mine-bf16"
    assert [done for done, _, _ in said] == [0, 0, 1, 2, 3, 4] and said[-1][1] == 4
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for params in ({"model": "mine", "folder": str(tmp_path / "full")}, {"model": "tiny"}, {"precision": "x"}):
        with pytest.raises(LamsimError):
            run_inline(tiny, "merge", params)


def test_a_stop_a_full_disk_or_another_model_leaves_nothing(
    tiny: Settings, mine: Adapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter((False, False, False, True))
    with pytest.raises(StoppedError):
        merge(tiny, "mine", tmp_path / "new" / "out", should_stop=lambda: next(answers))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(merging, "_write", full)
    with pytest.raises(InvalidInputError, match="No space left"):
        merge(tiny, "mine", tmp_path / "new" / "out")
    monkeypatch.undo()
    right = merging._merged

    def wrong(*given: Any) -> Any:
        state, config = right(*given)
        return {
            name: -tensor if "q_proj" in name or "up_proj" in name else tensor for name, tensor in state.items()
        }, config

    monkeypatch.setattr(merging, "_merged", wrong)
    with pytest.raises(ModelError, match="does not act as mine does"):
        merge(tiny, "mine", tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_an_adapter_is_deleted_unless_it_is_shipped_or_used(
    tiny: Settings, mine: Adapter, in_four_bits: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(tiny, "mine", "ours")
    with pytest.raises(InvalidInputError, match="part of the product"):
        delete_adapter(tiny, "ours")
    standing_job(tiny, "evaluate", "queued", params={"models": ["tiny", "mine@constrained"]}, label="A measurement")
    standing_job(tiny, "evaluate", "done", params={"models": ["mine4"]})
    with pytest.raises(InvalidInputError, match="A measurement"):
        delete_adapter(tiny, "mine")
    assert why_not_delete(tiny, "mine4") is None
    assert delete_adapter(tiny, "mine4").id == in_four_bits.id
    assert [path.name for path in tiny.adapters.iterdir()] == [mine.id]
    assert "mine4" not in {entry.name for entry in list_models(tiny)}
    monkeypatch.setattr(supervisor, "list_jobs", lambda settings: [])
    assert why_not_delete(tiny, "mine") is None
