"""The balanced preset: fills in what was not given, never fails for want of a kind, and says what it left out."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.curate.balance import over_share
from lamsim_core.curate.datasets import freeze, rebuild
from lamsim_core.curate.presets import FEWEST, KEPT, SHARES, UNTOUCHED, _met, fill_in
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import HeldOutSplit, Selection, TaskKind
from lamsim_core.store import Store
from lamsim_core.store.queries import TrajectoryRow, find_trajectories
from tests.curate.attempts import attempt, tasks


@pytest.fixture
def few(store: Store) -> Store:
    for task in tasks(3):
        store.add(attempt(task))
    store.index.sync()
    return store


def test_it_fills_in_what_was_not_given(few: Store) -> None:
    filled = fill_in("balanced", few)
    usual = Selection(alike=0.9, max_per_template=20, keep="seeded", decontaminate=get_args(HeldOutSplit))
    assert filled.selection == usual and usual.passed_only and usual.weigh == "verified"
    assert len(filled.says) == len(SHARES) and all("has no share" in said for said in filled.says)
    given = Selection(alike=0.5, max_per_template=2, kind_shares={"write": 1.0}, keep="oldest", weigh="all", rows=2)
    assert fill_in("balanced", few, given).selection == given
    with pytest.raises(InvalidInputError, match="'nobody'"):
        freeze(few, "x", fill_in("balanced", few, Selection(policy_shares={"nobody": 0.5})).selection)


def test_what_comes_out_is_made_again(few: Store) -> None:
    dataset = freeze(few, "x", fill_in("balanced", few, UNTOUCHED).selection)
    assert dataset.rows == 3 and rebuild(few, dataset).same


KINDS = st.sampled_from(
    [("lookup",), ("write", "ask"), ("no_tool",), ("parallel", "write"), ("recovery", "ask"), ("write",)]
)


@given(st.lists(KINDS, max_size=60).map(lambda kinds: kinds * 3), st.sampled_from([None, 1, 20, 500]))
def test_shares_can_be_met_and_leave_enough(
    few_row: Any, kinds: list[tuple[TaskKind, ...]], wanted: int | None
) -> None:
    rows = tuple(few_row.model_copy(update={"kinds": each}) for each in kinds)
    shares, says = _met(rows, wanted)
    assert len(shares) + len(says) == len(SHARES)
    if not shares:
        return
    named = [next((kind for kind in row.kinds if kind in shares), None) for row in rows]
    over = over_share(named, lambda kind: kind, {str(kind): share for kind, share in shares.items()})
    kept = [kind for kind, gone in zip(named, over, strict=True) if not gone]
    assert len(kept) >= min(KEPT * len(rows), wanted or len(rows))
    assert all(kept.count(kind) >= FEWEST for kind in shares)


@pytest.fixture(scope="module")
def few_row(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryRow:
    from lamsim_core.settings import Settings

    with Store(Settings(home=tmp_path_factory.mktemp("home"))) as store:
        store.add(attempt(tasks(1)[0]))
        store.index.sync()
        return find_trajectories(store.index)[0]


def test_a_store_that_has_every_kind_gets_every_share(few_row: TrajectoryRow) -> None:
    kinds = [*(["lookup"] * 120), *([*SHARES] * 20)]
    shares, says = _met(tuple(few_row.model_copy(update={"kinds": (kind,)}) for kind in kinds), None)
    assert shares == SHARES and says == []
