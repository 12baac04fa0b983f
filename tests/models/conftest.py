"""The tiny model, made once per session."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lamsim_core.models import constrained
from lamsim_core.models.grammar import reply_grammar
from lamsim_core.records import ToolSchema
from lamsim_core.settings import Settings
from tests.models.tiny import tiny_settings, write_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(tmp_path: Path, tiny_folder: Path) -> Settings:
    """Settings whose only model is the tiny one."""
    return tiny_settings(tmp_path / "tiny", tiny_folder)


@pytest.fixture
def only_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constrained replies begin with a call: a model without training would seldom come to it by itself."""

    def calls(tools: Sequence[ToolSchema]) -> str:
        return reply_grammar(tools).replace("start: SAID | ", "start: ").replace('(MESSAGE "\\n")? ', "")

    monkeypatch.setattr(constrained, "reply_grammar", calls)
