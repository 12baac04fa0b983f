"""``bench curate``: verified rows from nothing, timed step by step, and the user's own store is left alone."""

from lamsim_core.settings import Settings
from tests.shell.conftest import Shell


def test_it_times_verified_rows_from_nothing(shell: Shell, home: Settings) -> None:
    found = shell("bench", "curate", "--tasks", "12", "--json").json
    assert (found["tasks"], found["passed"]) == (12, 12)
    assert found["by_policy"] == {"gold": found["rows"]} and found["rows"] + sum(found["left_out"].values()) == 12
    assert next(iter(found["seconds"])) == "plan the tasks" and all(taken >= 0 for taken in found["seconds"].values())
    assert found["processor_seconds"].keys() == found["seconds"].keys() and found["rows_per_processor_hour"] > 0
    assert found["rows_per_hour"] > 0 and found["attempts_per_hour"] > 0
    assert not home.journal.exists() and not home.index.exists()
