"""One way to write a file: a reader sees the old content or the new, never a part."""

import os
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
