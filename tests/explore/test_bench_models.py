"""The bench of models runs every way on the same tasks, and finds them saying the same."""

from pathlib import Path

import pytest

from lamsim_core.explore.bench_models import ModelBench, Plan, bench_models
from lamsim_core.records import Sampling
from lamsim_core.settings import Settings
from lamsim_core.tasks import plan_tasks
from tests.models.tiny import tiny_settings, write_tiny_model


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root: Path = tmp_path_factory.mktemp("bench")
    return tiny_settings(root, write_tiny_model(root / "model"))


def bench(settings: Settings, plan: Plan, **how: float) -> ModelBench:
    sampling = Sampling(max_steps=2, max_new_tokens=8, **how)  # type: ignore[arg-type]
    return bench_models(
        settings, "tiny", plan_tasks("train", 5, categories=("calendar", "banking")), plan, sampling, "fp32"
    )


def test_the_plain_loop_and_ours_say_the_same_in_32_bits(settings: Settings) -> None:
    found = bench(settings, Plan(batch=3, rounds=2, sample=3))
    plain, alone, together = found.sides
    assert [side.way for side in found.sides] == ["plain", "alone", "together"]
    assert (plain.attempts, alone.attempts, together.attempts) == (3, 3, 5)
    assert plain.cached_tokens == 0 and together.prompt_tokens > together.cached_tokens > 0
    assert [(each.replies >= 3, each.same, each.trajectories) for each in found.same] == [(True, 1, 1)] * 3
    for side in found.sides:
        assert side.reading > 0 and side.writing > 0 and side.reading + side.writing < 1
        assert side.tokens_per_second > 0 and side.processor_seconds > 0 and side.feedback > 0
    assert [each.than for each in found.faster] == ["plain", "alone"]


def test_attempts_at_one_task_read_its_prompt_once(settings: Settings) -> None:
    once = bench(settings, Plan(attempts=1, rounds=1, ways=()), temperature=1).sides[-1]
    thrice = bench(settings, Plan(attempts=3, rounds=1, ways=()), temperature=1)
    together = thrice.sides[-1]
    assert (together.attempts, thrice.same, thrice.faster) == (15, (), ())
    read = [side.prompt_tokens - side.cached_tokens for side in (once, together)]
    assert read[1] < 2 * read[0]
