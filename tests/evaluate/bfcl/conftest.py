"""The benchmark's files, from the cache that ``provision`` fills."""

from pathlib import Path

import pytest

from lamsim_core.evaluate.bfcl.pack import ensure_pack
from lamsim_core.settings import Settings


@pytest.fixture(scope="session")
def pack() -> Path:
    return ensure_pack(Settings())
