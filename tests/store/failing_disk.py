"""A disk that fails at a chosen system call."""

import errno
import os
from typing import Literal

from lamsim_core.store.journal import Disk

Fault = Literal["full", "torn", "eio", "dead"]
"""One write or sync says: no room; no room after half was written; I/O error; or every call from then on fails."""

PART = 150
"""Bytes a write takes at most: short writes are normal, so a record always needs several."""


class FailingDisk(Disk):
    """Fails at call number ``at`` (counted from 1 over writes, syncs and cuts) until healed."""

    def __init__(self, at: int, fault: Fault) -> None:
        self.calls = 0
        self.at = at
        self.fault = fault
        self.failed: list[str] = []
        self.healed = False

    def _due(self, name: str) -> bool:
        self.calls += 1
        due = not self.healed and (self.calls == self.at or (self.fault == "dead" and self.calls > self.at))
        if due:
            self.failed.append(name)
        return due

    def _error(self) -> OSError:
        code = errno.ENOSPC if self.fault in ("full", "torn") else errno.EIO
        return OSError(code, os.strerror(code))

    def write(self, descriptor: int, data: bytes) -> int:
        if self._due("write"):
            if self.fault != "full":
                super().write(descriptor, data[: len(data) // 2])
            raise self._error()
        return super().write(descriptor, data[:PART])

    def sync(self, descriptor: int) -> None:
        if self._due("sync"):
            raise self._error()
        super().sync(descriptor)

    def cut(self, descriptor: int, size: int) -> None:
        if self._due("cut"):
            raise self._error()
        super().cut(descriptor, size)
