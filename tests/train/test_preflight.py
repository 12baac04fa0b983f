"""Before training: counted exactly, estimated with care, and refusals in sentences."""

import pytest

from lamsim_core.errors import InvalidInputError, ModelError, NotFoundError
from lamsim_core.records import Recipe
from lamsim_core.settings import Settings
from lamsim_core.tasks import plan_tasks
from lamsim_core.train.preflight import preflight
from lamsim_core.train.rows import to_row
from tests.curate.attempts import failing
from tests.models.test_registry import make_adapter, place
from tests.train.making import freeze_rows, gold, gold_dataset

ROOMY = Recipe(max_length=4096, batch_size=2, gradient_accumulation=2)


def test_everything_is_counted(tiny: Settings) -> None:
    rows = [to_row(trajectory) for trajectory in gold(5)]
    dataset = freeze_rows(tiny, [*rows, to_row(failing(plan_tasks("train", 1)[0]))])
    found = preflight(tiny, dataset.id, "tiny", ROOMY)
    assert (found.rows, found.kept, found.dropped_too_long, found.dropped_untrained) == (6, 5, 0, 1)
    assert 0 < found.trained_tokens < found.tokens / 4
    assert found.steps == 2
    assert found.tokens / 5 <= found.longest < found.tokens
    assert found.minutes > 0 and found.memory_mb > 0
    short = preflight(tiny, dataset.id, "tiny", ROOMY.model_copy(update={"max_length": found.longest - 1}))
    assert short.dropped_too_long >= 1 and short.kept + short.dropped_too_long == 5


def test_epochs_and_steps_scale_the_numbers(tiny: Settings) -> None:
    dataset = gold_dataset(tiny, 4)
    once = preflight(tiny, dataset.id, "tiny", ROOMY)
    thrice = preflight(tiny, dataset.id, "tiny", ROOMY.model_copy(update={"epochs": 3.0}))
    assert (thrice.steps, thrice.tokens) == (3 * once.steps, 3 * once.tokens)
    assert thrice.minutes > once.minutes
    cut = preflight(tiny, dataset.id, "tiny", ROOMY.model_copy(update={"epochs": 3.0, "max_optimizer_steps": 1}))
    assert (cut.steps, cut.tokens) == (1, once.tokens)
    held = {
        precision: preflight(tiny, dataset.id, "tiny", ROOMY.model_copy(update={"precision": precision})).memory_mb
        for precision in ("nf4", "bf16", "fp32")
    }
    assert held["nf4"] <= held["bf16"] <= held["fp32"]


def test_where_memory_is_short_it_takes_longer_and_less(tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = gold_dataset(tiny, 4)
    roomy = preflight(tiny, dataset.id, "tiny", ROOMY)
    monkeypatch.setattr("lamsim_core.train.memory._SHARE", 0.0)
    short = preflight(tiny, dataset.id, "tiny", ROOMY)
    assert short.minutes > roomy.minutes and short.memory_mb < roomy.memory_mb


def test_nothing_left_is_a_number_and_not_an_error(tiny: Settings) -> None:
    found = preflight(tiny, gold_dataset(tiny, 2).id, "tiny", ROOMY.model_copy(update={"max_length": 10}))
    assert (found.kept, found.dropped_too_long, found.steps, found.tokens, found.minutes) == (0, 2, 0, 0, 0.0)


def test_what_cannot_be_trained_is_refused(tiny: Settings) -> None:
    dataset = gold_dataset(tiny, 1)
    place(tiny, make_adapter())
    with pytest.raises(InvalidInputError, match="trained on tiny"):
        preflight(tiny, dataset.id, "mine", ROOMY)
    with pytest.raises(InvalidInputError, match="no weights"):
        preflight(tiny, dataset.id, "scripted", ROOMY)
    with pytest.raises(NotFoundError):
        preflight(tiny, dataset.id, "nothing", ROOMY)
    with pytest.raises(NotFoundError):
        preflight(tiny, "ds_" + "0" * 26, "tiny", ROOMY)
    (tiny.cache / "models" / "tiny" / "x.pkl").write_bytes(b"")
    with pytest.raises(ModelError, match=r"x\.pkl"):
        preflight(tiny, dataset.id, "tiny", ROOMY)
