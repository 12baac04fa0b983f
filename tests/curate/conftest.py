"""A store of its own for every test."""

from collections.abc import Iterator

import pytest

from lamsim_core.settings import Settings
from lamsim_core.store import Store


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    with Store(home) as opened:
        yield opened
