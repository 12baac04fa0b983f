"""The pickers offer what there is, and the estimate says only what is known."""

import pytest

from lamsim_core.agent.policy import PLAIN_POLICIES, GoldPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.models.registry import list_models
from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.tasks import load_templates, plan_tasks
from lamsim_core.ui import forms, wording
from tests.pages.standing import standing_adapter, standing_dataset


def test_what_can_be_used_comes_first_and_the_default_first_of_all(home: Settings) -> None:
    choices = forms.model_choices(home)
    names = list(choices)
    assert names[0] == next(e.name for e in sorted(list_models(home), key=lambda e: not e.shipped) if e.default)
    assert next(iter(forms.model_choices(home, adapters=False))) == "smollm2-135m"
    usable = [name for name in names if choices[name].why_not is None]
    assert names[: len(usable)] == usable
    assert set(PLAIN_POLICIES) <= set(usable)
    assert choices["Qwen3-0.6B"].why_not is not None
    assert forms.choice_title(choices, "Qwen3-0.6B").endswith("(not available)")


def test_adapters_are_offered_to_act_and_not_as_a_base(home: Settings) -> None:
    adapter = standing_adapter(home, standing_dataset(home, tasks=2))
    assert adapter.name in forms.model_choices(home)
    assert adapter.name not in forms.model_choices(home, adapters=False)
    assert not set(PLAIN_POLICIES) & set(forms.model_choices(home, plain=False))


def test_only_splits_with_tasks_are_offered(home: Settings) -> None:
    splits = forms.open_splits()
    assert "train" in splits and "unseen_instances" in splits
    assert load_templates(home)


@pytest.mark.parametrize(
    ("attempts", "paces", "said"),
    [
        (1, [2.0], "1 attempt, about 2.0 s at the pace of earlier attempts."),
        (50, [2.0, 4.0], "100 attempts, about 5 min 00 s at the pace of earlier attempts."),
        (50, [2.0, None], "100 attempts. How long they take shows after the first few"),
    ],
)
def test_the_estimate(attempts: int, paces: list[float | None], said: str) -> None:
    assert forms.estimate(attempts, paces).startswith(said)


def test_the_pace_is_the_mean_of_what_is_stored(home: Settings) -> None:
    store = open_store(home)
    store.index.sync()
    assert forms.pace(store.index, "smollm2-135m") is None
    for made in in_a_row(home, apart=60):
        store.add(made)
    store.index.sync()
    assert forms.pace(store.index, "gold") == pytest.approx(10)


def test_attempts_made_together_are_counted_by_the_time_they_took_in_all(home: Settings) -> None:
    store = open_store(home)
    for made in in_a_row(home, apart=1):
        store.add(made)
    store.index.sync()
    assert forms.pace(store.index, "gold") == pytest.approx(13 / 4)


def in_a_row(home: Settings, *, apart: int) -> list[Trajectory]:
    """Four attempts that took ten seconds each and ended so many seconds apart."""
    task = plan_tasks("train", 1)[0]
    found = []
    for place in range(4):
        *_, last = run_attempt(task, GoldPolicy(), run="run_x", attempt=place)
        assert isinstance(last, Ended)
        ended = f"2026-01-01T00:0{place * apart // 60}:{place * apart % 60:02}.000000+00:00"
        found.append(last.trajectory.model_copy(update={"seconds": 10.0, "created": ended}))
    return found


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (-3, "0.0 s"),
        (0.02, "< 0.1 s"),
        (3.14, "3.1 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert wording.duration(seconds) == said


def test_a_moment_that_cannot_be_read_is_a_dash() -> None:
    assert wording.moment("yesterday") == wording.moment(None) == "–"
    assert wording.between("2026-01-01T00:00:00+00:00", None) is None
    assert wording.between("2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00") == 60
