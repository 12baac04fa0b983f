"""Running the shell within the test's process, with both streams watched down to the file descriptors."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from lamsim_core.settings import Settings
from lamsim_core.shell.program import main


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, f"not exactly one line: {self.out!r}"
        value = json.loads(lines[0])
        assert isinstance(value, dict)
        return value


Shell = Callable[..., Outcome]


@pytest.fixture
def shell(home: Settings, capfd: pytest.CaptureFixture[str]) -> Shell:
    def run(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = main(arguments)
        return Outcome(code, *capfd.readouterr())

    return run
