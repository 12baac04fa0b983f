"""A folder with a model's weights: what it may hold, its manifest, and proof that it is what was written.

Nothing here needs torch: safetensors files are read as bytes.
"""

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from lamsim_core.errors import ModelError
from lamsim_core.files import write_atomic
from lamsim_core.records import Record

MANIFEST = "manifest.json"
"""Name of the manifest; its presence means the folder is complete."""

_UNSAFE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py", ".so")
_WITH_CODE = ("config.json", "tokenizer_config.json", "generation_config.json", "adapter_config.json")
_FULL_CHECK_BYTES = 2 * 2**30
_HEADER_LIMIT = 100 * 2**20

_verified: dict[Path, str] = {}


class FileEntry(Record):
    """One file of a model's folder."""

    size: int
    """Bytes."""
    sha256: str


class Manifest(Record):
    """What a model's folder holds."""

    source: str
    """Where the weights came from, for a person."""
    weights: str
    """sha256 over the tensors in order of name: the model's identity, whatever way the files are laid out."""
    files: dict[str, FileEntry]


def refuse_unsafe(folder: Path) -> None:
    """Refuse a folder that holds anything but data.

    Raises:
        ModelError: it holds pickled weights, Python or compiled code, or a config that asks for remote code.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _UNSAFE:
            raise ModelError(
                f"The model folder {folder} holds {path.name}. Only safetensors weights and JSON are read, never pickled"
                " weights or code: remove that file, or convert the weights to safetensors."
            )
    for name in _WITH_CODE:
        config = _read_json(folder / name)
        if isinstance(config, dict) and "auto_map" in config:
            raise ModelError(
                f"{folder / name} asks for code that comes with the model (auto_map). This product runs no such code: "
                "use a model whose architecture transformers knows."
            )


def weights_hash(folder: Path) -> str:
    """Hash every tensor in ``folder``: names, types, shapes and bytes, in order of name.

    Raises:
        ModelError: there is no safetensors file, or one is not well formed.
    """
    tensors: dict[str, tuple[Path, int, int, str]] = {}
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"The model folder {folder} holds no safetensors file.")
    for path in files:
        for name, place in _tensors(path).items():
            if name in tensors:
                raise ModelError(f"The tensor {name!r} is in two files of {folder}: the folder is not one model.")
            tensors[name] = place
    digest = hashlib.sha256()
    for name in sorted(tensors):
        path, start, end, kind = tensors[name]
        digest.update(f"{name}\0{kind}\0{end - start}\0".encode())
        with path.open("rb") as file:
            file.seek(start)
            left = end - start
            while left:
                chunk = file.read(min(left, 2**20))
                if not chunk:
                    raise ModelError(f"{path} is shorter than its own header says.")
                digest.update(chunk)
                left -= len(chunk)
    return digest.hexdigest()


def _tensors(path: Path) -> dict[str, tuple[Path, int, int, str]]:
    """Where each tensor of a safetensors file lies: path, first byte, last byte, type and shape."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 0 < size <= min(_HEADER_LIMIT, path.stat().st_size - 8):
                raise ModelError(f"{path} is not a safetensors file.")
            header = json.loads(file.read(size))
        return {
            name: (
                path,
                8 + size + tensor["data_offsets"][0],
                8 + size + tensor["data_offsets"][1],
                f"{tensor['dtype']}{tensor['shape']}",
            )
            for name, tensor in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is not a safetensors file: {error}.") from error


def file_sha256(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, source: str) -> Manifest:
    """Describe every file of ``folder`` and write the manifest, last and atomically.

    Raises:
        ModelError: the weights cannot be read.
    """
    files = {
        str(path.relative_to(folder)): FileEntry(size=path.stat().st_size, sha256=file_sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST and not path.name.startswith(".")
    }
    manifest = Manifest(source=source, weights=weights_hash(folder), files=files)
    write_atomic(folder / MANIFEST, manifest.model_dump_json(indent=2).encode())
    return manifest


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest, or None when there is none that can be read."""
    content = _read_json(folder / MANIFEST)
    try:
        return None if content is None else Manifest.model_validate(content)
    except ValidationError:
        return None


def verify(folder: Path, *, full: bool = False) -> Manifest:
    """Check that ``folder`` still is what its manifest says: sizes always, hashes once per process or when asked.

    Hashes of more than 2 GiB are checked only when ``full`` is set.

    Raises:
        ModelError: there is no manifest, or a file is missing, has another size or another hash.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise ModelError(f"The model folder {folder} has no readable {MANIFEST}.")
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry.size:
            raise ModelError(f"The model file {path} is missing or damaged: {entry.size} bytes were expected.")
    small = sum(entry.size for entry in manifest.files.values()) <= _FULL_CHECK_BYTES
    if full or (small and _verified.get(folder) != manifest.content_hash()):
        for name, entry in manifest.files.items():
            if file_sha256(folder / name) != entry.sha256:
                raise ModelError(f"The model file {folder / name} is damaged: its hash is not the one in {MANIFEST}.")
        _verified[folder] = manifest.content_hash()
    return manifest


def _read_json(path: Path) -> object:
    try:
        content: object = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content
