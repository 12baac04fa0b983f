"""The timing of the store fills a store with what it says, asks every kind of question, and uses a store again."""

from pathlib import Path

from lamsim_core.explore.bench_store import PER_RUN, bench_store, multiplied, real_attempts
from lamsim_core.store import Index
from lamsim_core.store.queries import count_trajectories, runs


def test_attempts_are_multiplied_under_names_of_their_own() -> None:
    attempts = real_attempts(4)
    assert len(attempts) == 12
    copies = list(multiplied(attempts, PER_RUN + 10))
    assert len({copy.id for copy in copies}) == len({copy.identity for copy in copies}) == PER_RUN + 10
    assert len({copy.run for copy in copies}) == 2
    assert [copy.created for copy in copies] == sorted(copy.created for copy in copies)
    contents = {copy.model_dump_json(include={"steps", "verdicts"}) for copy in copies}
    assert contents == {each.model_dump_json(include={"steps", "verdicts"}) for each in attempts}


def test_a_store_is_filled_once_and_asked(tmp_path: Path) -> None:
    first = bench_store(tmp_path, 30, rounds=3, memory="500MB")
    again = bench_store(tmp_path, 30, rounds=2, memory="500MB")
    assert (first.reused, again.reused) == (False, True)
    assert first.stored_per_second and first.projected_per_second and again.stored_per_second is None
    names = {each.question for each in first.questions}
    assert {
        "list, everything", "count, tools", "list, text", "values to filter by", "open: the attempt", "plot, category",
        "plot, runs over time", "similar, a call that ran", "similar, a message",
    } <= names  # fmt: skip
    assert all(0 < each.p50 <= each.p95 <= each.slowest for each in (*first.questions, first.catch_up))
    index = Index(tmp_path / "index.duckdb", tmp_path / "journal")
    index.sync()
    assert sum(run.count for run in runs(index) if run.run.startswith("run_bench")) == 30
    assert count_trajectories(index) == 30 + 3 + 2, "and one more for each catching up"
    assert first.steps > 60
    index.close()
