"""What came of tasks of the benchmark, one by one and by category."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from lamsim_core.evaluate.statistics import wilson_interval
from lamsim_core.records import PolicyInfo, Record


class Result(Record):
    """What came of one task."""

    id: str
    """The benchmark's name of the task."""
    category: str
    passed: bool
    error: str | None = None
    """The benchmark's name for what is wrong, or ``inference_error`` when there was no reply."""
    message: str = ""
    """The same as a sentence. May quote the model."""
    broken: bool = False
    """Whether a reply held a call that could not be read."""
    free: bool = False
    """Whether it was to be constrained and was asked freely, because the schema of a function does not allow it."""
    replies: tuple[str, ...] = ()
    """What the model wrote, raw."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """Time by which this result came later than the one before it: of tasks done together, the sum is the time that passed."""


class ResultsFile:
    """Results as lines of a file, each on the disk before it counts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Result]:
        """Every whole line; one that a kill cut off is no result."""
        if not self._path.exists():
            return []
        results = []
        for line in self._path.read_bytes().splitlines():
            try:
                results.append(Result.model_validate_json(line))
            except ValidationError:
                continue
        return results

    def append(self, result: Result) -> None:
        """Add a line; one that was cut off before it is ended first.

        Raises:
            OSError: it could not be written.
        """
        with self._path.open("a+b") as file:
            whole = True
            if file.tell():
                file.seek(-1, os.SEEK_END)
                whole = file.read(1) == b"\n"
            file.write((b"" if whole else b"\n") + result.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


class CategoryResult(Record):
    """What came of a category."""

    category: str
    size: int
    """Tasks the category has."""
    planned: int
    """Tasks put to the model; all count, whatever became of them."""
    passed: int
    rate: float
    """``passed / planned``."""
    low: float
    high: float
    """95 % Wilson interval of the rate."""
    errors: dict[str, int]
    """How often each kind of fault was the first, by the benchmark's names; the most frequent first."""
    passed_broken: int
    """Passed with a call that could not be read: possible only where no call is right, as by the official rules."""
    free: int = 0
    """Tasks that were to be constrained and were asked freely."""
    prompt_tokens: int
    completion_tokens: int
    seconds: float


class BfclReport(Record):
    """A finished run."""

    model: str
    policy: PolicyInfo
    package: str
    """The package the tasks came in."""
    limit: int | None
    """Tasks of each category at most; None for all."""
    categories: tuple[CategoryResult, ...]
    seconds: float = Field(ge=0)


def category_result(category: str, size: int, planned: int, results: Sequence[Result]) -> CategoryResult:
    """Count what came of a category: ``planned`` is what all shares are taken of."""
    passed = sum(result.passed for result in results)
    low, high = wilson_interval(passed, planned)
    errors = Counter(result.error for result in results if result.error is not None)
    return CategoryResult(
        category=category,
        size=size,
        planned=planned,
        passed=passed,
        rate=passed / planned if planned else 0.0,
        low=low,
        high=high,
        errors=dict(errors.most_common()),
        passed_broken=sum(result.passed and result.broken for result in results),
        free=sum(result.free for result in results),
        prompt_tokens=sum(result.prompt_tokens for result in results),
        completion_tokens=sum(result.completion_tokens for result in results),
        seconds=sum(result.seconds for result in results),
    )
