import subprocess
import sys

import pytest

from lamsim_core.errors import StoreWriteError
from lamsim_core.settings import Settings
from lamsim_core.store import Store, open_store
from lamsim_core.store.queries import overview
from lamsim_core.store.segments import segment_sizes
from tests.store.factories import make_mark, make_step, make_trajectory


def test_what_is_added_is_found_after_sync(home: Settings) -> None:
    with Store(home) as store:
        store.add(make_trajectory(1))
        store.add(make_mark(1))
        store.index.sync()
        counts = overview(store.index)
        assert (counts.trajectories, counts.accepted) == (1, 1)
        assert store.read_run(make_trajectory(1).run) == [make_trajectory(1)]


def test_a_run_can_be_read_without_segments_it_cannot_be_in(home: Settings) -> None:
    with Store(home) as store:
        store.add(make_trajectory(1))
        earlier = segment_sizes(home.journal)
        store.journal.close()
        store.add(make_trajectory(2))
        assert store.read_run(make_trajectory(1).run, without=earlier) == [make_trajectory(2)]


def test_a_process_has_one_store_per_home(home: Settings) -> None:
    store = open_store(home)
    assert open_store(home) is store
    assert open_store(Settings(home=home.home / "other")) is not store
    store.add(make_trajectory(1))
    store.index.sync()
    store.close()
    store.add(make_trajectory(2))
    assert store.index.sync() == 1
    assert store.index.owner
    store.close()


def test_a_record_that_is_not_stored_is_refused(home: Settings) -> None:
    with Store(home) as store, pytest.raises(StoreWriteError, match="a Step is not stored"):
        store.add(make_step(1))
    assert not home.journal.exists()


def test_writing_needs_neither_duckdb_nor_arrow_nor_torch(home: Settings) -> None:
    code = """
import sys
from lamsim_core.settings import get_settings
from lamsim_core.store import open_store
from tests.store.factories import make_trajectory
store = open_store(get_settings())
store.add(make_trajectory(1))
assert len(store.read_run(make_trajectory(1).run)) == 1
store.close()
print(sorted({"duckdb", "pyarrow", "torch", "streamlit"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
    assert not home.index.exists()
