from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from lamsim_core.errors import DamagedRecordError, InvalidInputError, NotFoundError
from lamsim_core.records import Trajectory
from lamsim_core.store import Index, Journal
from lamsim_core.store.framing import kind_of
from lamsim_core.store.queries import (
    Grouping,
    TrajectoryFilter,
    adapters,
    count_trajectories,
    datasets,
    decision_of,
    evaluations,
    facets,
    find_trajectories,
    get_trajectory,
    marks_of,
    neighbours,
    outcome_by,
    overview,
    runs,
    runs_over_time,
    trajectories_in_run,
    trajectory_row,
)
from tests.store.factories import make_adapter, make_dataset, make_evaluation, make_mark, make_trajectory, moment

COUNT = 60
RECORDS = [make_trajectory(i, run=f"run_{i // 20}") for i in range(COUNT)]
MARKS = [
    make_mark(3),
    make_mark(4, decision="reject", tags=("wrong", "short")),
    make_mark(5),
    make_mark(6, trajectory=RECORDS[5].id, decision="reject", tags=(), note="on second thought"),
    make_mark(7, trajectory="trj_unknown"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    home = tmp_path_factory.mktemp("queries")
    journal = Journal(home / "journal")
    others = [make_dataset(1), make_dataset(2), make_adapter(1), make_evaluation(1)]
    for record in [*RECORDS, *MARKS, *others]:
        journal.append(kind_of(record), record)
    index = Index(home / "index.duckdb", home / "journal")
    index.sync()
    yield index
    index.close()
    journal.close()


def classes(record: Trajectory) -> set[str | None]:
    verdicts = [verdict for step in record.steps for verdict in step.verdicts] + list(record.verdicts)
    return {verdict.error_class for verdict in verdicts if verdict.outcome == "fail"}


def tools(record: Trajectory) -> set[str]:
    return {step.call.name for step in record.steps if step.call}


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({}, lambda i, r: True),
    ({"text": "MEETING 1"}, lambda i, r: "meeting 1" in r.task.instruction),
    ({"text": "there are 7 of"}, lambda i, r: i == 7),
    ({"text": "banking.task_2"}, lambda i, r: r.task.template == "banking.task_2"),
    ({"text": RECORDS[9].id}, lambda i, r: i == 9),
    ({"text": "100%"}, lambda i, r: False),
    ({"text": "'; DROP TABLE trajectories; --"}, lambda i, r: False),
    ({"text": "\ud800"}, lambda i, r: False),
    ({"text": "  "}, lambda i, r: True),
    ({"categories": ("email", "travel")}, lambda i, r: r.task.category in ("email", "travel")),
    ({"templates": ("email.task_0",)}, lambda i, r: r.task.template == "email.task_0"),
    ({"policies": ("gold",)}, lambda i, r: r.policy.name == "gold"),
    ({"runs": ("run_1", "run_9")}, lambda i, r: r.run == "run_1"),
    ({"splits": ("train",)}, lambda i, r: r.task.split == "train"),
    ({"passed": True}, lambda i, r: r.passed is True),
    ({"passed": False}, lambda i, r: r.passed is False),
    ({"unscored": True}, lambda i, r: r.passed is None),
    ({"passed": False, "unscored": True}, lambda i, r: not r.passed),
    ({"decisions": ("accept",)}, lambda i, r: i == 3),
    ({"decisions": ("reject",)}, lambda i, r: i in (4, 5)),
    ({"decisions": ("undecided",)}, lambda i, r: i not in (3, 4, 5)),
    ({"tags": ("short", "none")}, lambda i, r: i == 4),
    ({"error_classes": ("execution", "answer")}, lambda i, r: classes(r) & {"execution", "answer"}),
    ({"tools": ("delete_event",)}, lambda i, r: "delete_event" in tools(r)),
    ({"tools": ("no_such_tool",)}, lambda i, r: False),
    ({"ids": (RECORDS[7].id, RECORDS[3].id, "trj_unknown")}, lambda i, r: i in (3, 7)),
    (
        {"ids": (RECORDS[7].id, RECORDS[3].id), "categories": ("banking",)},
        lambda i, r: r.task.category == "banking" and i in (3, 7),
    ),
    ({"lengths": (3, 7)}, lambda i, r: True),
    ({"lengths": (2,)}, lambda i, r: False),
    ({"ended": ("step_limit",)}, lambda i, r: r.ended == "step_limit"),
    (
        {"categories": ("email",), "passed": True, "text": "2"},
        lambda i, r: (
            r.task.category == "email"
            and r.passed
            and "2" in r.task.instruction + str(r.answer) + r.id + r.task.template
        ),
    ),
]


@pytest.mark.parametrize(
    ("fields", "fits"), FILTERS, ids=lambda value: ascii(value)[:40] if isinstance(value, dict) else ""
)
def test_a_filter_finds_exactly_what_fits(index: Index, fields: dict[str, Any], fits: Any) -> None:
    flt = TrajectoryFilter(**fields)
    expected = [record.id for i, record in enumerate(RECORDS) if fits(i, record)]
    assert [row.id for row in find_trajectories(index, flt, limit=None, newest_first=False)] == expected
    assert [row.id for row in find_trajectories(index, flt, limit=None)] == expected[::-1]
    assert count_trajectories(index, flt) == len(expected)


def test_every_field_of_the_filter_is_tested() -> None:
    assert {name for fields, _ in FILTERS for name in fields} == set(TrajectoryFilter.model_fields)


def test_pages_join_up(index: Index) -> None:
    pages = [find_trajectories(index, limit=7, offset=offset) for offset in range(0, COUNT + 7, 7)]
    assert [row.id for page in pages for row in page] == [record.id for record in reversed(RECORDS)]
    assert find_trajectories(index, limit=0) == []
    assert find_trajectories(index, limit=-1, offset=-5) == []


def test_a_row_says_what_the_trajectory_says(index: Index) -> None:
    record = RECORDS[5]
    row = trajectory_row(index, record.id)
    assert row.model_dump(exclude={"task_key"}) == {
        "id": record.id,
        "run": "run_0",
        "created": record.created,
        "template": "banking.task_1",
        "category": "banking",
        "kinds": record.task.kinds,
        "split": "unseen_instances",
        "task_seed": 0,
        "instruction": "Please find meeting 5 in my banking.",
        "policy_kind": "gold",
        "policy": "gold",
        "adapter": None,
        "temperature": None,
        "attempt": 0,
        "ended": "answered",
        "passed": True,
        "reward": 1.0,
        "n_steps": 3,
        "n_calls": 2,
        "n_failed": 1,
        "error_classes": ("execution",),
        "tools": ("find_events", "delete_event"),
        "offered": tuple(f"{record.task.category}.{tool.name}" for tool in record.task.tools),
        "looks": "plain",
        "completion_tokens": 75,
        "seconds": 1.5,
        "answer": "There are 5 of them.",
        "parent": None,
        "parent_step": None,
        "edited": False,
        "helped": False,
        "mode": "single",
        "plain": True,
        "decision": "reject",
        "rejudged": None,
        "tags": (),
        "note": "on second thought",
    }
    assert row.task_key == record.task.key
    assert row == find_trajectories(index, TrajectoryFilter(text=record.id))[0]


def test_unscored_stays_unscored(index: Index) -> None:
    row = trajectory_row(index, RECORDS[3].id)
    assert (row.passed, row.reward) == (None, None)


def test_a_trajectory_is_read_whole_from_the_journal(index: Index) -> None:
    assert all(get_trajectory(index, record.id) == record for record in RECORDS)
    for unknown in ("", "trj_unknown", "'; --", "\ud800", "x" * 10_000):
        with pytest.raises(NotFoundError):
            get_trajectory(index, unknown)
        with pytest.raises(NotFoundError):
            trajectory_row(index, unknown)


def test_neighbours_follow_the_list(index: Index) -> None:
    flt = TrajectoryFilter(categories=("email",))
    listed = [row.id for row in find_trajectories(index, flt, limit=None)]
    for place, here in enumerate(listed):
        before = listed[place - 1] if place else None
        after = listed[place + 1] if place + 1 < len(listed) else None
        assert neighbours(index, flt, here) == (before, after)
        assert neighbours(index, flt, here, newest_first=False) == (after, before)
    assert neighbours(index, flt, RECORDS[5].id) == (RECORDS[6].id, RECORDS[2].id), "one that does not fit itself"
    assert neighbours(index, TrajectoryFilter(text="nothing"), RECORDS[5].id) == (None, None)
    with pytest.raises(NotFoundError):
        neighbours(index, flt, "trj_unknown")


def test_facets_list_what_there_is(index: Index) -> None:
    assert facets(index) == {
        "categories": ["banking", "calendar", "email", "travel"],
        "templates": sorted({record.task.template for record in RECORDS}),
        "policies": ["gold", "smollm2-135m", "smollm2-tools"],
        "runs": ["run_0", "run_1", "run_2"],
        "splits": sorted({record.task.split for record in RECORDS}),
        "decisions": ["accept", "reject", "undecided"],
        "ended": ["answered", "step_limit"],
        "tags": ["good", "short", "wrong"],
        "error_classes": ["answer", "argument_type", "execution", "tool_name"],
        "tools": ["delete_event", "find_events"],
    }


def test_the_newest_mark_counts_and_older_ones_stay(index: Index) -> None:
    assert marks_of(index, RECORDS[5].id) == [MARKS[3], MARKS[2]]
    assert decision_of(index, RECORDS[5].id) == "reject"
    assert decision_of(index, RECORDS[3].id) == "accept"
    assert decision_of(index, RECORDS[0].id) == "undecided"


def test_runs_are_summed_up_newest_first(index: Index) -> None:
    rows = runs(index)
    assert [row.run for row in rows] == ["run_2", "run_1", "run_0"]
    first = rows[2]
    assert (first.first, first.last) == (moment(0), moment(19))
    assert (first.count, first.passed, first.failed, first.unscored) == (20, 12, 4, 4)
    assert first.policies == ("gold", "smollm2-135m", "smollm2-tools")
    assert first.categories == ("banking", "calendar", "email", "travel")


@pytest.mark.parametrize("column", get_args(Grouping))
def test_outcomes_by_every_column(index: Index, column: Grouping) -> None:
    rows = outcome_by(index, TrajectoryFilter(), column)
    assert all(row["count"] == row["passed"] + row["failed"] + row["unscored"] for row in rows)
    assert [row["value"] for row in rows] == sorted(row["value"] for row in rows)
    if column not in ("tags", "error_classes", "tools"):
        assert sum(row["count"] for row in rows) == COUNT


def test_outcomes_of_what_fits_only(index: Index) -> None:
    rows = outcome_by(index, TrajectoryFilter(passed=False), "category")
    assert sum(row["count"] for row in rows) == sum(row["failed"] for row in rows) == 12
    column: Any = "id FROM trajectories; --"
    with pytest.raises(InvalidInputError, match="cannot be counted"):
        outcome_by(index, TrajectoryFilter(), column)


def test_a_run_is_read_whole_oldest_first(index: Index) -> None:
    assert list(trajectories_in_run(index, "run_1")) == RECORDS[20:40]
    assert list(trajectories_in_run(index, "none")) == []


def test_named_records_come_back_newest_first(index: Index) -> None:
    assert datasets(index) == [make_dataset(2), make_dataset(1)]
    assert adapters(index) == [make_adapter(1)]
    assert evaluations(index) == [make_evaluation(1)]


def test_the_overview_counts(index: Index) -> None:
    counts = overview(index).model_dump()
    assert counts == {
        "trajectories": 60,
        "passed": 36,
        "failed": 12,
        "unscored": 12,
        "accepted": 1,
        "rejected": 2,
        "undecided": 57,
        "runs": 3,
        "policies": 3,
        "templates": 20,
        "marks": 5,
        "datasets": 2,
        "adapters": 1,
        "evaluations": 1,
        "conflicts": 0,
        "damaged": 0,
        "newest": moment(59),
    }


def test_runs_over_time_count_what_fits(index: Index) -> None:
    found = runs_over_time(index)
    assert [(row.run, row.count) for row in found] == [("run_0", 20), ("run_1", 20), ("run_2", 20)]
    assert [row.passed for row in found] == [sum(r.passed is True for r in RECORDS[n : n + 20]) for n in (0, 20, 40)]
    assert found[1].first == RECORDS[20].created and set(found[1].policies) == {"smollm2-135m", "smollm2-tools", "gold"}
    gold = runs_over_time(index, TrajectoryFilter(policies=("gold",)), limit=2)
    assert [(row.run, row.policies) for row in gold] == [("run_1", ("gold",)), ("run_2", ("gold",))]
    assert sum(row.count for row in gold) == sum(r.policy.name == "gold" for r in RECORDS[20:])


def test_an_empty_store_answers_everything(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.duckdb", tmp_path / "journal")
    index.sync()
    assert find_trajectories(index) == []
    assert count_trajectories(index) == 0
    assert set(facets(index)) == {*TrajectoryFilter.model_fields} - {"text", "passed", "unscored", "lengths", "ids"}
    assert not any(facets(index).values())
    assert [*runs(index), *datasets(index), *adapters(index), *evaluations(index)] == []
    assert overview(index).newest is None
    assert overview(index).trajectories == overview(index).passed == 0
    assert outcome_by(index, TrajectoryFilter(), "tools") == []
    index.close()


def test_a_trajectory_changed_on_disk_is_not_believed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    place = journal.append("trajectory", make_trajectory(1))
    index = Index(tmp_path / "index.duckdb", tmp_path / "journal")
    index.sync()
    path = tmp_path / "journal" / place.segment
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedRecordError):
        get_trajectory(index, make_trajectory(1).id)
    with pytest.raises(DamagedRecordError):
        list(trajectories_in_run(index, make_trajectory(1).run))
    other = Journal(tmp_path / "other")
    swapped = other.append("trajectory", make_trajectory(2))
    path.write_bytes((tmp_path / "other" / swapped.segment).read_bytes())
    with pytest.raises(DamagedRecordError):
        get_trajectory(index, make_trajectory(1).id)
    index.close()
