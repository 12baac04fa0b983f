"""The commands about adapters, on a tiny model with an adapter of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamsim_core.records import Adapter
from lamsim_core.settings import Settings, get_settings
from tests.models.tiny import tiny_settings, write_tiny_model
from tests.pages.standing import standing_job
from tests.shell.conftest import Shell
from tests.train.making import untrained_adapter


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(model: Path, tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of this process whose only model is the tiny one."""
    for name, value in tiny_settings(tmp_path / "tiny", model).environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture
def mine(tiny: Settings, tmp_path: Path) -> Adapter:
    return untrained_adapter(tiny, tmp_path / "weights")


def test_adapters_are_listed_and_shown(shell: Shell, tiny: Settings, mine: Adapter) -> None:
    assert shell("adapters", "list", "--json").json == {
        "adapters": [{**mine.model_dump(mode="json"), "shipped": False}]
    }
    assert "mine" in shell("adapters", "list").out
    shown = shell("adapters", "show", mine.id, "--json").json
    assert (shown["name"], shown["measured"], shown["shipped"]) == ("mine", [], False)
    said = shell("adapters", "show", "mine").out
    assert mine.dataset in said and "not measured yet" in said and "recipe: lora rank" in said
    assert shell("adapters", "show", "mind", "--json").json["kind"] == "NotFoundError"


def test_an_adapter_is_exported_merged_and_shipped(shell: Shell, tiny: Settings, mine: Adapter, tmp_path: Path) -> None:
    out = shell("adapters", "export", "mine", str(tmp_path / "out"), "--json").json
    assert sorted(out["files"]) == sorted(path.name for path in (tmp_path / "out").iterdir())
    again = shell("adapters", "merge", "mine", str(tmp_path / "out"), "--json")
    assert again.code == 1 and "not empty" in again.json["error"]
    merged = shell("adapters", "merge", "mine", str(tmp_path / "whole"), "--precision", "fp32", "--json").json
    assert merged["same"] == 1 and (tmp_path / "whole" / "model.safetensors").is_file()
    assert shell("jobs", "show", merged["job"], "--json").json["kind"] == "merge"
    assert (
        "likeliest at 100.0%" in shell("adapters", "merge", "mine", str(tmp_path / "other"), "--precision", "fp32").out
    )
    shipped = shell("adapters", "ship", "mine", "--as", "ours", "--json").json
    assert Path(shipped["folder"]) == tiny.data / "models" / "ours" and shipped["results"] == 0
    assert "--replace" in shell("adapters", "ship", "mine", "--as", "ours").err
    (tmp_path / "more.md").write_text("On another benchmark: 12 of 40.\n", encoding="utf-8")
    more = ("--replace", "--remarks", str(tmp_path / "more.md"))
    assert "shipped as ours" in shell("adapters", "ship", "mine", "--as", "ours", *more).out
    assert "\n\nOn another benchmark: 12 of 40.\n\n## Data" in (Path(shipped["folder"]) / "README.md").read_text()
    assert [each["name"] for each in shell("adapters", "list", "--json").json["adapters"]] == ["ours", "mine"]


def test_an_adapter_is_deleted_after_asking(shell: Shell, tiny: Settings, mine: Adapter) -> None:
    kept = shell("adapters", "delete", "mine")
    assert kept.code == 1 and (tiny.adapters / mine.id).is_dir(), "nobody answered"
    standing_job(tiny, "explore", "running", params={"model": "mine"}, label="x")
    assert "is being used" in shell("adapters", "delete", "mine", "--yes", "--json").json["error"]
    for job in tiny.jobs.glob("job_*/status.json"):
        job.write_text(json.dumps({**json.loads(job.read_text()), "state": "done"}))
    assert shell("adapters", "delete", "mine", "--yes", "--json").json == {"deleted": mine.id, "name": "mine"}
    assert shell("adapters", "list", "--json").json == {"adapters": []}
