"""Writes a job's status.json: rarely enough not to matter, and never missing the last word."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamsim_core.canonical import canonical_json, now
from lamsim_core.jobs.folder import STATUS, clean, read_record, write_record
from lamsim_core.jobs.job import JobStatus, State

OnProgress = Callable[[int, int, str], None]
"""Called with done, total and message."""

_SECONDS_BETWEEN_WRITES = 0.25
_LONGEST_MESSAGE = 500
_LONGEST_ERROR = 2000


class Reporter:
    """The one writer of a job's status.json while its process lives. Thread-safe."""

    def __init__(self, folder: Path, on_progress: OnProgress | None = None) -> None:
        self._path = folder / STATUS
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._written = float("-inf")
        self._pending = False
        self._ended = False
        self._base: tuple[float, int] | None = None
        try:
            self._status = read_record(self._path, JobStatus)
        except (OSError, ValueError):
            self._status = JobStatus(state="queued", updated=now())

    @property
    def current(self) -> JobStatus:
        """The newest status, written or about to be."""
        return self._status

    def set(self, state: State, message: str, **fields: Any) -> None:
        """Enter a state and write it at once. Nothing happens after the end.

        Raises:
            OSError: it could not be written.
        """
        with self._lock:
            if not self._ended:
                self._change(state=state, message=clean(message, _LONGEST_MESSAGE), **fields)
                self._write()

    def progress(self, done: int, total: int, message: str) -> None:
        """Say how far the job is. Written at most four times a second; the last one lands a moment later by itself."""
        done, total, message = int(done), int(total), clean(message, _LONGEST_MESSAGE)
        with self._lock:
            if self._ended:
                return
            # These are known to be sound: skipping the validation keeps this cheap enough to be called for every token.
            update = {"done": done, "total": total, "message": message, "eta_seconds": self._eta(done, total)}
            self._status = self._status.model_copy(update={**update, "updated": now()})
            self._pending = True
            if self._timer is None:
                wait = self._written + _SECONDS_BETWEEN_WRITES - time.monotonic()
                if wait <= 0:
                    self._write_or_say()
                else:
                    self._timer = threading.Timer(wait, self._flush)
                    self._timer.daemon = True
                    self._timer.start()
        if self._on_progress is not None:
            self._on_progress(done, total, message)

    def end(self, state: State, *, lock_seconds: float = -1, **fields: Any) -> bool:
        """Write how the job ended. The first end counts: False for any later one.

        Args:
            state: one of done, stopped, failed.
            lock_seconds: how long to wait for a thread that hangs in a write; -1 waits for ever.
            fields: message, error, result.

        Raises:
            ValueError: the result is not JSON; the job has not ended then.
            OSError: it could not be written; the job has not ended then.
        """
        for name, limit in (("message", _LONGEST_MESSAGE), ("error", _LONGEST_ERROR)):
            if fields.get(name) is not None:
                fields[name] = clean(fields[name], limit)
        held = self._lock.acquire(timeout=lock_seconds)
        try:
            if self._ended:
                return False
            before = self._status
            try:
                self._change(state=state, finished=now(), eta_seconds=None, **fields)
                self._write()
            except Exception:
                self._status = before
                raise
            self._ended = True
            if self._timer is not None:
                self._timer.cancel()
            return True
        finally:
            if held:
                self._lock.release()

    def _change(self, **fields: Any) -> None:
        text = canonical_json({**self._status.model_dump(mode="json"), **fields, "updated": now()})
        self._status = JobStatus.model_validate_json(text)

    def _write(self) -> None:
        write_record(self._path, self._status)
        self._written = time.monotonic()
        self._pending = False

    def _write_or_say(self) -> None:
        """Write; a disk that is full for a moment must not end hours of work, so that is only said in the log."""
        try:
            self._write()
        except OSError as error:
            self._written = time.monotonic()
            print(f"The status of this job could not be written: {error}", file=sys.stderr)

    def _flush(self) -> None:
        with self._lock:
            self._timer = None
            if self._pending and not self._ended:
                self._write_or_say()

    def _eta(self, done: int, total: int) -> float | None:
        """Seconds to the end at the rate since this process first reported: what was resumed is no speed."""
        seconds = time.monotonic()
        if self._base is None or total != self._status.total or done < self._status.done:
            self._base = (seconds, done)
        began, at_first = self._base
        if done <= at_first or total <= 0:
            return None
        return round(max(0, total - done) * (seconds - began) / (done - at_first), 1)
