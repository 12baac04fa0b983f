"""A model's folder is data only, known by its tensors, and damage is noticed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import ModelError
from lamsim_core.models import folder as subject
from lamsim_core.models.folder import refuse_unsafe, verify, weights_hash, write_manifest


def write_safetensors(path: Path, tensors: dict[str, bytes], order: list[str], metadata: bool = False) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}} if metadata else {}
    body = b""
    for name in order:
        start = len(body)
        body += tensors[name]
        header[name] = {"dtype": "U8", "shape": [len(tensors[name])], "data_offsets": [start, len(body)]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


@pytest.fixture
def copy(tmp_path: Path, tiny_folder: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


def test_the_hash_sees_tensors_and_not_their_layout(tmp_path: Path) -> None:
    tensors = {"a": b"123", "b": b"4567"}
    folders = [tmp_path / name for name in ("one", "two", "three", "four")]
    for folder in folders:
        folder.mkdir()
    write_safetensors(folders[0] / "model.safetensors", tensors, ["a", "b"])
    write_safetensors(folders[1] / "model.safetensors", tensors, ["b", "a"], metadata=True)
    write_safetensors(folders[2] / "x.safetensors", tensors, ["b"])
    write_safetensors(folders[2] / "y.safetensors", tensors, ["a"])
    write_safetensors(folders[3] / "model.safetensors", {"a": b"123", "b": b"4568"}, ["a", "b"])
    hashes = [weights_hash(folder) for folder in folders]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
    write_safetensors(folders[2] / "z.safetensors", tensors, ["a"])
    with pytest.raises(ModelError, match="two files"):
        weights_hash(folders[2])


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 7, b"\xff" * 40, (2).to_bytes(8, "little") + b"[]", (9).to_bytes(8, "little") + b'{"a":{}}'],
)
def test_what_is_not_safetensors_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="not a safetensors"):
        weights_hash(tmp_path)


def test_a_file_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"a": b"1234"}, ["a"])
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-1])
    with pytest.raises(ModelError, match="shorter"):
        weights_hash(tmp_path)


def test_an_intact_folder_is_believed(copy: Path) -> None:
    written = write_manifest(copy, "tests")
    assert verify(copy) == verify(copy, full=True) == written
    assert written.weights == weights_hash(copy)


def test_every_damage_is_noticed(copy: Path) -> None:
    manifest = write_manifest(copy, "tests")
    for name in manifest.files:
        path = copy / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(ModelError, match="missing or damaged"):
            verify(copy)
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ModelError, match="hash"):
            verify(copy, full=True)
        path.unlink()
        with pytest.raises(ModelError, match="missing or damaged"):
            verify(copy)
        path.write_bytes(whole)
    verify(copy, full=True)


def test_hashes_are_computed_once_per_process_unless_asked(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(copy, "tests")
    verify(copy)
    monkeypatch.setattr(subject, "file_sha256", lambda _: pytest.fail("hashed again"))
    verify(copy)


@pytest.mark.parametrize("content", ["", "{", '{"source": 1}', "[1]"])
def test_a_manifest_that_cannot_be_read_is_none(copy: Path, content: str) -> None:
    (copy / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match="no readable manifest"):
        verify(copy)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "x.pt", "a.pkl", "modeling_x.py", "deep/y.PTH", "z.so"])
def test_pickles_and_code_are_refused(copy: Path, name: str) -> None:
    refuse_unsafe(copy)
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"")
    with pytest.raises(ModelError, match="safetensors"):
        refuse_unsafe(copy)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "adapter_config.json"])
def test_remote_code_is_refused(copy: Path, name: str) -> None:
    (copy / name).write_text(json.dumps({"auto_map": {"AutoModel": "evil.Model"}}), encoding="utf-8")
    with pytest.raises(ModelError, match="auto_map"):
        refuse_unsafe(copy)
