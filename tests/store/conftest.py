"""Fixtures of the store's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lamsim_core.store import Index, Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "var" / "journal") as opened:
        yield opened


@pytest.fixture
def index(journal: Journal) -> Iterator[Index]:
    opened = Index(journal.folder.parent / "index.duckdb", journal.folder)
    yield opened
    opened.close()
