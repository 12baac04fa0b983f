"""A training job from its parameters to an adapter that can be chosen, opened and acts otherwise than its base."""

import json
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError, LamsimError, ModelError, StoppedError, TrainingError
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import write_record
from lamsim_core.jobs.job import Job, JobStatus
from lamsim_core.jobs.runner import run_inline
from lamsim_core.models.backend import Completion, Message
from lamsim_core.models.folder import file_sha256
from lamsim_core.models.registry import adapter_folder, adapter_folders, get_model, list_models, open_backend
from lamsim_core.records import Adapter, Dataset, Recipe, Sampling
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import adapters
from lamsim_core.train import job as subject
from lamsim_core.train import sft
from lamsim_core.train.adapters import DRAFT_PREFIX
from tests.train.making import QUICK, gold_dataset, train_params

ASK = [Message(role="system", content="s"), Message(role="user", content="What is on today?")]


@pytest.fixture
def dataset(tiny: Settings) -> Dataset:
    return gold_dataset(tiny)


def context_of(settings: Settings, params: dict[str, Any], number: int = 1) -> JobContext:
    job = Job(id=f"job_{number:026d}", kind="train", label="t", params=params, created="2026-01-01T00:00:00+00:00")
    return JobContext(settings, job)


def reply(settings: Settings, name: str, quantisation: str = "fp32") -> str:
    backend = open_backend(settings, name, quantisation=quantisation)
    last = list(backend.stream(ASK, (), Sampling(max_new_tokens=30), 0, lambda: False))[-1]
    backend.close()
    assert isinstance(last, Completion)
    return last.text


def published(settings: Settings) -> list[Adapter]:
    return [record for _, record in adapter_folders(settings)]


def test_a_job_makes_an_adapter_that_acts_otherwise(tiny: Settings, dataset: Dataset) -> None:
    said: list[tuple[int, int, str]] = []
    result = run_inline(tiny, "train", train_params(dataset), lambda *progress: said.append(progress[:3]))
    folder = adapter_folder(tiny, result["adapter"])
    adapter = Adapter.model_validate_json((folder / "adapter.json").read_bytes())
    assert result == {"adapter": adapter.id, "name": "mine", "metrics": adapter.metrics}
    assert (adapter.base, adapter.dataset, adapter.dataset_hash) == ("tiny", dataset.id, dataset.hash)
    assert adapter.recipe == QUICK and adapter.weights_sha256 == file_sha256(folder / "adapter_model.safetensors")
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "adapter.json",
        "adapter_model.safetensors",
        "adapter_config.json",
        "README.md",
        "provenance.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }
    assert str(tiny.cache) not in "".join(path.read_text(errors="replace") for path in folder.glob("*.json"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    for fact in (adapter.base_hash, adapter.dataset_hash, "none", f"{QUICK.learning_rate:g}", "rank 4"):
        assert fact in card
    assert json.loads((folder / "provenance.json").read_text())["versions"]["trl"]
    entry = get_model(tiny, "mine")
    assert (entry.kind, entry.available, entry.base) == ("adapter", True, "tiny")
    assert reply(tiny, "mine") != reply(tiny, "tiny")
    info = open_backend(tiny, "mine").info
    assert (info.name, info.adapter, info.adapter_hash) == ("mine", adapter.id, adapter.weights_sha256)
    assert info.quantisation == "nf4"
    assert said[-1][:2] == (4, 4)
    store = Store(tiny)
    store.index.sync()
    assert adapters(store.index) == [adapter]
    store.close()


def test_metrics_are_written_for_the_page(tiny: Settings, dataset: Dataset) -> None:
    context = context_of(tiny, train_params(dataset))
    subject.run(context)
    lines = [json.loads(line) for line in (context.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert set(lines[0]) >= {"step", "loss", "epoch", "tokens_per_second", "learning_rate", "token_accuracy"}


def test_merged_weights_say_what_the_adapter_beside_them_says(tiny: Settings, dataset: Dataset) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from lamsim_core.models.loading import load_weights

    result = run_inline(tiny, "train", train_params(dataset))
    folder = adapter_folder(tiny, result["adapter"])
    base = tiny.cache / "models" / "tiny"
    merged, held = load_weights(base, "fp32", folder)
    beside = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(folder)).eval()
    ids = torch.arange(20, 60)[None]
    with torch.inference_mode():
        assert torch.allclose(merged(ids).logits, beside(ids).logits, atol=1e-3)
    assert held == "fp32"


def test_a_large_model_keeps_its_adapter_beside_it(
    tiny: Settings, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_inline(tiny, "train", train_params(dataset))
    merged = reply(tiny, "mine")
    monkeypatch.setattr("lamsim_core.models.loading._SMALL_BYTES", 0)
    assert reply(tiny, "mine") == merged
    assert open_backend(tiny, "mine").info.quantisation == "nf4+lora"
    assert open_backend(tiny, "tiny").info.quantisation == "nf4"


@pytest.mark.parametrize("harm", ["weights", "base", "pickle"])
def test_an_adapter_that_was_tampered_with_is_not_opened(
    tiny: Settings, tiny_folder: Path, dataset: Dataset, harm: str
) -> None:
    folder = adapter_folder(tiny, run_inline(tiny, "train", train_params(dataset))["adapter"])
    if harm == "weights":
        path = folder / "adapter_model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif harm == "pickle":
        (folder / "adapter_model.bin").write_bytes(b"")
    else:
        record = json.loads((folder / "adapter.json").read_text())
        (folder / "adapter.json").write_text(json.dumps({**record, "base_hash": "0" * 64}))
    with pytest.raises(ModelError, match={"weights": "published", "base": "other weights", "pickle": "never"}[harm]):
        open_backend(tiny, "mine")


class Impatient(JobContext):
    """Asks for a stop once so many steps are done."""

    after = 2

    def progress(self, done: int, total: int, message: str = "") -> None:
        super().progress(done, total, message)
        self.enough = total > 0 and done >= self.after

    def should_stop(self) -> bool:
        return getattr(self, "enough", False)


def test_a_stopped_job_goes_on_where_it_was(tiny: Settings, dataset: Dataset) -> None:
    whole = subject.run(context_of(tiny, train_params(dataset, "whole"), 2))
    context = context_of(tiny, train_params(dataset))
    with pytest.raises(StoppedError, match="Resume"):
        subject.run(Impatient(tiny, context.job))
    assert [adapter.name for adapter in published(tiny)] == ["whole"]
    result = subject.run(context)
    assert result["metrics"] == whole["metrics"]
    one, two = (adapter.weights_sha256 for adapter in published(tiny))
    assert one == two


def test_what_a_stopped_job_has_learnt_can_be_kept(tiny: Settings, dataset: Dataset) -> None:
    job = create_folder(tiny, new_job("train", train_params(dataset), label="t"), group=False)
    with pytest.raises(InvalidInputError, match="at work"):
        subject.keep(tiny, job.id)
    write_record(tiny.jobs / job.id / "status.json", JobStatus(state="stopped", updated=job.created))
    with pytest.raises(TrainingError, match="checkpoint"):
        subject.keep(tiny, job.id)
    with pytest.raises(StoppedError, match="Resume"):
        subject.run(Impatient(tiny, job))
    adapter = subject.keep(tiny, job.id)
    assert (adapter.name, adapter.job) == ("mine", job.id)
    assert (adapter.metrics["steps"], adapter.metrics["steps_planned"]) == (3, 4)
    assert reply(tiny, "mine")
    assert subject.run(JobContext(tiny, job))["adapter"] == adapter.id
    with pytest.raises(InvalidInputError, match="already"):
        subject.keep(tiny, job.id)


def test_a_job_that_was_killed_after_publishing_publishes_nothing_twice(tiny: Settings, dataset: Dataset) -> None:
    context = context_of(tiny, train_params(dataset))
    first = subject.run(context)
    assert subject.run(context_of(tiny, train_params(dataset))) == first
    assert len(published(tiny)) == 1


def test_a_full_disk_publishes_nothing_and_loses_no_training(
    tiny: Settings, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    context = context_of(tiny, train_params(dataset))
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full)
        with pytest.raises(TrainingError, match="No space left"):
            subject.run(context)
    assert list(tiny.adapters.iterdir()) == []
    subject.run(context)
    assert [adapter.name for adapter in published(tiny)] == ["mine"]


def test_drafts_are_invisible(tiny: Settings, dataset: Dataset) -> None:
    folder = adapter_folder(tiny, run_inline(tiny, "train", train_params(dataset))["adapter"])
    folder.rename(tiny.adapters / f"{DRAFT_PREFIX}x")
    assert [model.name for model in list_models(tiny)] == ["tiny"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../evil"}, "name"),
        ({"name": "tiny"}, "already is a model"),
        ({"recipe": {"epochs": "many"}}, r"recipe\.epochs"),
        ({"colour": 1}, "colour"),
        ({"model": "scripted"}, "no weights"),
        ({"model": "nothing"}, "no model named"),
        ({"dataset": "../x"}, "no dataset"),
        ({"recipe": {"max_length": 10}}, "Nothing is left to train on"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    tiny: Settings, dataset: Dataset, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(LamsimError, match=message):
        subject.run(context_of(tiny, {**train_params(dataset), **change}))
    assert published(tiny) == []


def test_a_name_taken_meanwhile_is_noticed(tiny: Settings, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.models.test_registry import make_adapter, place

    trained = sft.train

    def slow(*args: Any, **how: Any) -> Any:
        place(tiny, make_adapter("mine"))
        return trained(*args, **how)

    monkeypatch.setattr(subject, "train", slow)
    with pytest.raises(InvalidInputError, match="already is a model"):
        subject.run(context_of(tiny, train_params(dataset, recipe=Recipe(**{**QUICK.model_dump(), "epochs": 0.5}))))
