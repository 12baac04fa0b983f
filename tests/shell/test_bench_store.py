"""``bench store``: one object for programs, a table for people, and the user's own store is left alone."""

from pathlib import Path

from lamsim_core.settings import Settings
from tests.shell.conftest import Shell


def test_it_times_a_store_of_its_own(shell: Shell, home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    asked = ("bench", "store", "--trajectories", "12", "--rounds", "2", "--folder", str(folder))
    first = shell(*asked, "--json")
    assert first.code == 0
    assert (first.json["trajectories"], first.json["reused"], first.json["goal"]) == (12, False, 300.0)
    assert {"question", "p50", "p95"} <= set(first.json["questions"][0])
    again = shell(*asked)
    assert again.code == 0 and "The store was there already." in again.out and "similar, a message" in again.out
    assert (folder / "index.duckdb").is_file() and not home.journal.exists() and not home.index.exists()
