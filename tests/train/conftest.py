"""The tiny model and its tokenizer, for training."""

from pathlib import Path
from typing import Any

import pytest

from lamsim_core.settings import Settings
from tests.models.tiny import tiny_settings, write_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(tmp_path: Path, tiny_folder: Path) -> Settings:
    """Settings whose only model is the tiny one."""
    return tiny_settings(tmp_path / "tiny", tiny_folder)


@pytest.fixture(scope="session")
def tokenizer(tiny_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_folder)
