"""What a job wrote besides its status: the end of its log, and its numbers over time."""

import json
import math
import os
import threading
from pathlib import Path

_BLOCK = 16 * 1024
_MOST = 1024 * 1024

Number = int | float | None
"""A number of a metrics line; None where it was not finite."""


def tail(path: Path, lines: int) -> str:
    """The last ``lines`` lines of a text file, without reading the rest (at most 1 MiB from its end).

    Bytes that are not UTF-8 become replacement characters; of a progress bar that redraws its line only the last
    drawing is kept. A missing file is empty.
    """
    if lines <= 0:
        return ""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return ""
    with file:
        position = file.seek(0, os.SEEK_END)
        end = b""
        while position > 0 and len(end) < _MOST and end.count(b"\n", 0, -1) < lines:
            step = min(_BLOCK, position)
            position -= step
            file.seek(position)
            end = file.read(step) + end
    text = end.decode("utf-8", "replace").removesuffix("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")[-lines:])


class MetricsFile:
    """The one writer of a job's metrics.jsonl while its process lives. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen_whole = False

    def append(self, numbers: dict[str, Number]) -> None:
        """Append one line of numbers. What is not finite (a loss that blew up) becomes null.

        Raises:
            TypeError, ValueError: a value is not a number.
            OSError: the line could not be written.
        """
        line = json.dumps({name: _finite(number) for name, number in numbers.items()}, allow_nan=False) + "\n"
        with self._lock, self._path.open("ab+") as file:
            if not self._seen_whole and file.seek(0, os.SEEK_END) > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    # A killed process left its last line torn: close it, or this line would be lost with it.
                    line = "\n" + line
            self._seen_whole = False
            file.write(line.encode())
            file.flush()
            self._seen_whole = True


def read_metrics(path: Path) -> list[dict[str, Number]]:
    """All whole lines of numbers, in order; a torn or damaged line is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    rows = []
    for line in content.split(b"\n")[:-1]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append({name: value for name, value in row.items() if value is None or _is_number(value)})
    return rows


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _finite(number: Number) -> Number:
    if number is None or isinstance(number, int):
        return number
    number = float(number)
    return number if math.isfinite(number) else None
