import pytest

from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import (
    facets,
    find_trajectories,
    get_trajectory,
    overview,
    runs,
    stored_trajectory,
    trajectories_in_run,
    trajectory_row,
)
from lamsim_core.store.rejudged import latest_rejudgement, rejudgements_of, rescores, reviews
from tests.store.factories import make_rejudgement, make_rescore, make_review, make_trajectory

ID = make_trajectory(0).id


@pytest.fixture
def store(home: Settings) -> Store:
    store = Store(home)
    for record in (make_trajectory(0), make_trajectory(1), make_rejudgement(0), make_review(0), make_rescore(0)):
        store.add(record)
    store.index.sync()
    return store


def test_the_newest_verdicts_count_and_the_old_ones_stay(store: Store) -> None:
    index = store.index
    assert stored_trajectory(index, ID).passed is True
    assert get_trajectory(index, ID).passed is False and get_trajectory(index, ID).reward == 0.0
    row = trajectory_row(index, ID)
    assert row.passed is False and row.error_classes == ("answer",) and row.rejudged == "rescore"
    assert [row.id for row in find_trajectories(index, TrajectoryFilter(passed=True))] == [make_trajectory(1).id]
    assert overview(index).passed == 1 and runs(index)[0].passed == 1
    assert "answer" in facets(index)["error_classes"]
    assert [t.passed for t in trajectories_in_run(index, "run_0000")] == [False, True]
    store.add(
        make_rejudgement(0, id="rej_z", created="2027-01-01", cause="review", passed=None, reward=None, rescore=None)
    )
    index.sync()
    assert trajectory_row(index, ID).passed is None
    newest = latest_rejudgement(index, ID)
    assert newest is not None and newest.id == "rej_z"
    by_checks = latest_rejudgement(index, ID, cause="rescore")
    assert by_checks == make_rejudgement(0)
    assert len(rejudgements_of(index, ID)) == 2


def test_an_older_rejudgement_that_arrives_late_does_not_count(store: Store) -> None:
    store.add(make_rejudgement(0, id="rej_early", created="2020-01-01", passed=True, reward=1.0))
    store.index.sync()
    assert trajectory_row(store.index, ID).passed is False


def test_verdicts_are_rows_of_what_they_belong_to(store: Store) -> None:
    rows = store.index.query("SELECT source, step, check_id, outcome, counts, error_class FROM verdicts ORDER BY ALL")
    wrong = {(row["source"], row["step"], row["check_id"]) for row in rows}
    assert (make_rejudgement(0).id, None, "final.answer") in wrong
    assert (make_trajectory(1).id, 0, "tool.name") in wrong
    passed = store.index.query("SELECT checks FROM passes WHERE source = $id AND step = 0", {"id": ID})
    assert passed == [{"checks": ["tool.name"]}]


def test_reviews_and_rescores_are_read_back(store: Store) -> None:
    assert reviews(store.index) == reviews(store.index, ID) == [make_review(0)]
    assert reviews(store.index, "trj_other") == []
    assert rescores(store.index) == [make_rescore(0)]


def test_a_rebuilt_index_says_the_same(store: Store) -> None:
    before = trajectory_row(store.index, ID)
    store.index.rebuild()
    assert trajectory_row(store.index, ID) == before
