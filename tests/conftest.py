"""Fixtures every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lamsim_core.settings import Settings, get_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of an empty store in a temporary folder; the cache of models stays the user's own."""
    monkeypatch.setenv("LAMSIM_HOME", str(tmp_path / "var"))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()
