"""A store of its own for every test."""

from collections.abc import Iterator

import pytest

from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    with Store(home) as opened:
        yield opened


def keep(store: Store, *trajectories: Trajectory) -> None:
    """Store attempts and let the index show them."""
    for trajectory in trajectories:
        store.add(trajectory)
    store.index.sync()
