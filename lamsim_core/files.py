"""One way to write a file, or a folder: a reader sees the old content or the new, never a part."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomic(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Replace the file at ``path``, flushed to disk before it takes its name.

    Args:
        path: the file; its folder must exist.
        content: text (written as UTF-8) or bytes.
        mode: permissions of the file; None leaves it readable by its owner only.

    Raises:
        OSError: it could not be written; the old content is still there.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise


def sync(path: Path) -> None:
    """See to it that a file's content, or a folder's list of files, is on the disk.

    Raises:
        OSError: it could not be written.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_folder(draft: Path, target: Path) -> None:
    """Give a finished folder its name, flushed to disk before; what stands there under that name is replaced.

    Raises:
        OSError: it could not be written.
    """
    for path in draft.rglob("*"):
        sync(path)
    sync(draft)
    if target.exists():
        shutil.rmtree(target)
    draft.rename(target)
    sync(target.parent)
