"""Policies over time: run by run, adapters after their base."""

import pytest

from lamsim_core.records import PolicyInfo
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.progress import progress
from tests.store.factories import make_adapter, make_evaluation, make_trajectory, moment

OTHER = PolicyInfo(kind="model", name="other")
BASE = PolicyInfo(kind="model", name="base")
TUNED = PolicyInfo(kind="model", name="tuned", adapter="adp_t")


@pytest.fixture
def store(home: Settings) -> Store:
    store = Store(home)
    acted = [("a", TUNED, 0), ("b", OTHER, 1), ("c", BASE, 2), ("c", BASE, 3), ("d", TUNED, 4), ("e", OTHER, 5)]
    for run, policy, number in acted:
        store.add(make_trajectory(number, run=run, policy=policy))
    store.add(make_trajectory(6, run="f", policy=PolicyInfo(kind="gold", name="gold")))
    store.add(make_adapter(1, id="adp_t", name="tuned", base="base", created=moment(100)))
    (row,) = make_evaluation(1).rows
    store.add(make_evaluation(1, rows=(row.model_copy(update={"run": "d"}),)))
    store.index.sync()
    return store


def test_an_adapter_stands_after_its_base(store: Store) -> None:
    found = progress(store.index)
    assert [each.policy for each in found] == ["base", "tuned", "other"], "the family acted first, the base leads it"
    assert [each.base for each in found] == [None, "base", None]
    assert found[1].trained == moment(100)
    assert found[1].first == moment(0)


def test_an_adapter_without_a_record_has_the_base_it_is_said_to_have(store: Store) -> None:
    shipped = PolicyInfo(kind="model", name="shipped", adapter="adp_s")
    store.add(make_trajectory(8, run="s", policy=shipped))
    store.index.sync()
    found = progress(store.index, bases={"adp_s": "base", "adp_t": "another"})
    assert [(each.policy, each.base) for each in found[:3]] == [("base", None), ("tuned", "base"), ("shipped", "base")]


def test_each_run_has_its_numbers(store: Store) -> None:
    base, tuned, _ = progress(store.index)
    (run,) = base.runs
    assert (run.run, run.first, run.attempts, run.passed) == ("c", moment(2), 2, 0)
    assert (run.actions, run.failed_actions) == (6, 1), "the odd numbers fail their first action"
    assert run.pass_rate == 0.0
    assert run.failed_per_hundred == pytest.approx(100 / 6)
    assert [each.run for each in tuned.runs] == ["a", "d"]
    assert [each.evaluation for each in tuned.runs] == [False, True]
    assert [each.pass_rate for each in tuned.runs] == [1.0, 1.0]


def test_only_what_fits_counts(store: Store) -> None:
    (only,) = progress(store.index, TrajectoryFilter(runs=("e",)))
    assert [run.run for run in only.runs] == ["e"]
    assert [each.policy for each in progress(store.index, kinds=())] == ["base", "tuned", "other", "gold"]
    assert progress(store.index, TrajectoryFilter(policies=("gold",))) == ()


def test_a_run_without_actions_has_no_rate_of_them(store: Store) -> None:
    store.add(make_trajectory(9, run="g", policy=OTHER, steps=()))
    store.index.sync()
    (other,) = progress(store.index, TrajectoryFilter(runs=("g",)))
    assert other.runs[0].failed_per_hundred is None
