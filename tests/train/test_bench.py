"""Timing training: both ways on the same rows, and losses that can be compared."""

import pytest

from lamsim_core.errors import InvalidInputError
from lamsim_core.settings import Settings
from lamsim_core.train.bench import bench_training
from tests.train.making import QUICK, gold_dataset


def test_both_ways_learn_the_same_from_the_same_rows(tiny: Settings) -> None:
    found = bench_training(tiny, "tiny", 4, QUICK.model_copy(update={"epochs": 4.0}))
    ours, trl = found.sides
    assert (found.rows, found.steps, ours.way, trl.way) == (4, 8, "this product", "TRL")
    assert 0 < found.trained_tokens < found.tokens
    for side in found.sides:
        assert side.final_loss < found.first_loss - 0.5
        assert side.tokens_per_second > 0 and side.read > 0 and side.processor_seconds > 0
    assert ours.read <= 1 <= trl.read
    assert ours.final_loss == pytest.approx(trl.final_loss, abs=0.5)
    assert found.times == pytest.approx(ours.tokens_per_second / trl.tokens_per_second, rel=1e-2)


def test_too_few_rows_cannot_be_timed(tiny: Settings) -> None:
    with pytest.raises(InvalidInputError, match="too few for two steps"):
        bench_training(tiny, "tiny", 2, QUICK.model_copy(update={"epochs": 1.0}), gold_dataset(tiny, 2).id)
