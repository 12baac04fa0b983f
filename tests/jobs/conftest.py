"""No job outlives its test."""

from collections.abc import Iterator

import pytest

from lamsim_core.jobs import supervisor
from lamsim_core.settings import Settings


@pytest.fixture
def jobs(home: Settings) -> Iterator[Settings]:
    yield home
    for job, _ in supervisor.list_jobs(home):
        supervisor.kill(home, job.id)
