"""The real default model learns a little: two steps, an adapter, another reply. Slow; marked ``model``."""

from pathlib import Path

import pytest

from lamsim_core.jobs.runner import run_inline
from lamsim_core.models.backend import Completion, Message
from lamsim_core.models.provision import DEFAULT_MODEL
from lamsim_core.models.registry import open_backend
from lamsim_core.records import Recipe, Sampling
from lamsim_core.settings import Settings
from lamsim_core.train.preflight import preflight
from lamsim_core.train.rows import to_row
from tests.curate.attempts import attempt, tasks
from tests.train.making import freeze_rows

pytestmark = pytest.mark.model


def test_two_steps_change_what_it_says(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    dataset = freeze_rows(settings, [to_row(attempt(task), spare_tools=0) for task in tasks(2)])
    recipe = Recipe(max_optimizer_steps=2, epochs=1, batch_size=1, gradient_accumulation=1, learning_rate=5e-3)
    counted = preflight(settings, dataset.id, DEFAULT_MODEL, recipe)
    assert (counted.kept, counted.steps) == (2, 2)
    params = {"dataset": dataset.id, "model": DEFAULT_MODEL, "name": "taught", "recipe": recipe.model_dump(mode="json")}
    result = run_inline(settings, "train", params)
    assert result["metrics"]["steps"] == 2
    replies = []
    for name, held in ((DEFAULT_MODEL, "nf4"), ("taught", "nf4+lora")):
        backend = open_backend(settings, name)
        asked = [Message(role="system", content="Act."), Message(role="user", content="Name three fruits.")]
        last = list(backend.stream(asked, (), Sampling(max_new_tokens=12), 0, lambda: False))[-1]
        assert isinstance(last, Completion)
        replies.append(last.text)
        assert backend.info.quantisation == held
        backend.close()
    assert replies[0] != replies[1]
