"""What Home says to do next follows the flywheel."""

import pytest

from lamsim_core.settings import REPOSITORY
from lamsim_core.store.queries import Overview
from lamsim_core.ui.next_step import ENOUGH_PASSED, next_step

EMPTY = Overview(**dict.fromkeys(set(Overview.model_fields) - {"newest"}, 0), newest=None)


def stored(**counts: int) -> Overview:
    return EMPTY.model_copy(update=counts)


@pytest.mark.parametrize(
    ("overview", "page"),
    [
        (stored(), None),
        (stored(trajectories=5, passed=1), "pages/2_Explore.py"),
        (stored(trajectories=99, passed=ENOUGH_PASSED), "pages/5_Datasets.py"),
        (stored(trajectories=99, passed=60, datasets=1), "pages/6_Train.py"),
        (stored(trajectories=99, passed=60, datasets=1, adapters=1), "pages/7_Evaluate.py"),
        (stored(trajectories=99, passed=60, datasets=1, adapters=1, evaluations=1), "pages/2_Explore.py"),
    ],
)
def test_the_next_station(overview: Overview, page: str | None) -> None:
    step = next_step(overview)
    assert step.page == page
    assert step.title
    assert step.why
    assert page is None or (REPOSITORY / page).is_file()
