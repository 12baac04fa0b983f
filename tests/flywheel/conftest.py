"""What tests of the flywheel share."""

import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def last_words() -> Iterator[None]:
    """The last progress of a job lands a moment later by itself; it is not left to fall into the next test."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(5)
