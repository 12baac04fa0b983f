"""Judging again: what is the same stays untouched, what differs is counted exactly, and stopping loses nothing."""

from collections.abc import Iterator

import pytest

from lamsim_core.errors import StoppedError
from lamsim_core.feedback import judge_again
from lamsim_core.feedback.registry import Abstain, Attempt, Fail, Finding
from lamsim_core.feedback.state import net_changes
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import new_job
from lamsim_core.records import Rejudgement, Trajectory
from lamsim_core.review import job
from lamsim_core.review.rescore import Found, rescore
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import get_trajectory, stored_trajectory, trajectory_row
from lamsim_core.store.rejudged import rejudgements_of, rescores
from lamsim_core.tasks import build_environment, plan_tasks
from tests.filling import attempt, fill
from tests.review.conftest import keep
from tests.review.making import changed_check, finds_fault, finds_nothing, review, solved, undone, without_check

GOAL = "state.goal"


def judge(store: Store, rescore_id: str = "rsc_1", **options: object) -> tuple[Found, list[Rejudgement]]:
    """A rescore, and what it wrote."""
    written: list[Rejudgement] = []

    def add(record: Rejudgement) -> None:
        store.add(record)
        written.append(record)

    found = rescore(store.settings.journal, rescore_id, "me", add=add, **options)  # type: ignore[arg-type]
    store.index.sync()
    return found, written


def told(found: Found) -> tuple[object, ...]:
    """What a rescore says, ready to be compared."""
    return (found.judged, found.unjudged, found.changed, found.outcomes, found.verdict_changes())


def test_the_same_checks_change_nothing(store: Store) -> None:
    made = fill(store.settings, 10)
    steps: list[tuple[int, int]] = []
    found, written = judge(store, on_progress=lambda done, total, _: steps.append((done, total)))
    assert (found.judged, found.unjudged, found.changed, written) == (len(made), 0, 0, [])
    assert steps == [(n, len(made)) for n in range(len(made) + 1)]


def test_a_changed_check_is_named_with_the_right_counts(store: Store) -> None:
    right, wrong = [solved(attempt=n) for n in range(2)], [undone(attempt=n) for n in range(3)]
    keep(store, *right, *wrong)
    with changed_check(GOAL, finds_nothing):
        found, written = judge(store)
    assert (found.judged, found.changed) == (5, 3)
    assert found.outcomes == {"failed > passed": 3}
    changes = {(c.check, c.before, c.after): c for c in found.verdict_changes()}
    goal = changes.pop((GOAL, "fail", "pass"))
    assert goal.count == 3 and set(goal.examples) == {t.id for t in wrong}
    assert {key[0] for key in changes} <= {"path.deviation"}, "diagnosis of failed attempts goes with the failure"
    assert {record.trajectory for record in written} == {t.id for t in wrong}
    for each in wrong:
        assert stored_trajectory(store.index, each.id) == each, "the old verdicts stay"
        now = get_trajectory(store.index, each.id)
        assert (now.passed, now.reward) == (True, 1.0)
        assert {v.version for v in now.verdicts if v.check == GOAL} == {3}
        row = trajectory_row(store.index, each.id)
        assert row.passed is True and row.rejudged == "rescore" and row.error_classes == ()
    back, written = judge(store, "rsc_2")
    assert back.outcomes == {"passed > failed": 3} and len(written) == 3
    assert all(get_trajectory(store.index, t.id).verdicts == t.verdicts for t in wrong)
    assert len(rejudgements_of(store.index, wrong[0].id)) == 2


def test_only_the_runs_asked_for_are_judged(store: Store) -> None:
    first, second = undone("run_a"), undone("run_b")
    keep(store, first, second)
    with changed_check(GOAL, finds_nothing):
        found, _ = judge(store, runs=("run_b",))
    assert (found.judged, found.changed) == (1, 1)
    assert get_trajectory(store.index, first.id).passed is False
    assert get_trajectory(store.index, second.id).passed is True


def test_stopped_and_resumed_counts_as_in_one_go(store: Store) -> None:
    keep(store, *(undone(attempt=n) for n in range(6)), solved())
    with changed_check(GOAL, finds_nothing):
        left = iter([False, False, False, True])
        stopped, first = judge(store, should_stop=lambda: next(left))
        assert stopped.stopped and (stopped.judged, len(first)) == (3, 3)
        resumed, second = judge(store)
        assert not resumed.stopped and len(first) + len(second) == 6
        assert (resumed.judged, resumed.changed, resumed.outcomes) == (7, 6, {"failed > passed": 6})
        again, third = judge(store)
        assert third == [] and told(again) == told(resumed)


def test_killed_between_the_two_rejudgements_of_one_attempt_the_second_is_made_up(store: Store) -> None:
    each = undone()
    keep(store, each)
    store.add(review(each, GOAL, "holds"))
    written: list[Rejudgement] = []

    def dies(record: Rejudgement) -> None:
        if written:
            raise KeyboardInterrupt
        store.add(record)
        written.append(record)

    with changed_check("state.collateral", finds_fault):
        with pytest.raises(KeyboardInterrupt):
            rescore(store.settings.journal, "rsc_1", "me", add=dies)
        _, rest = judge(store)
        assert [record.cause for record in (*written, *rest)] == ["rescore", "review"]
        assert judge(store)[1] == []


def test_a_task_with_a_gate_that_is_gone_is_not_judged(store: Store) -> None:
    keep(store, solved(), undone(attempt=1))
    steps: list[int] = []
    with without_check(GOAL):
        found, written = judge(store, on_progress=lambda done, _total, _message: steps.append(done))
    assert (found.judged, found.unjudged, found.changed, written) == (0, 2, 0, [])
    assert steps == [0, 1, 2]


def test_a_check_that_is_not_made_any_more_is_told(store: Store) -> None:
    keep(store, solved())
    with without_check("path.cost"):
        found, _ = judge(store)
    (change,) = found.verdict_changes()
    assert (change.check, change.before, change.after, change.count) == ("path.cost", "pass", "none", 1)
    assert found.outcomes == {}


def test_a_random_walk_is_judged_again_as_it_was_judged(home: Settings) -> None:
    """From the record alone the same verdicts follow, and recorded changes add up to those of the world."""
    tasks = [task for split in ("train", "unseen_tools", "unseen_categories") for task in plan_tasks(split, 26)]
    for task in tasks:
        for policy in ("gold", "random"):
            found = attempt(home, task, policy)
            again = judge_again(found)
            assert again.steps == tuple(step.verdicts for step in found.steps), task.id
            assert (again.verdicts, again.passed, again.reward) == (found.verdicts, found.passed, found.reward), task.id


def test_the_changes_of_the_steps_come_to_those_of_the_world(home: Settings) -> None:
    for task in plan_tasks("train", 40):
        environment = build_environment(task)
        found = attempt(home, task, "random")
        for step in found.steps:
            if step.call is not None:
                environment.step(step.call)
        recorded = net_changes(change for step in found.steps for change in step.changes)
        assert _by_place(recorded) == _by_place(environment.net_changes()), task.id


def _by_place(changes: tuple[object, ...]) -> list[str]:
    return sorted(repr(change) for change in changes)


@pytest.fixture
def context(home: Settings) -> JobContext:
    return JobContext(home, new_job("rescore", {}, label="judge again"))


def test_the_job_keeps_what_changed(home: Settings, context: JobContext) -> None:
    with Store(home) as store:
        keep(store, undone(), solved())
        with changed_check(GOAL, finds_nothing):
            result = job.run(context)
        store.index.sync()
        (record,) = rescores(store.index)
    assert result == {"rescore": record.id, "judged": 2, "unjudged": 0, "changed": 1}
    assert record.outcomes == {"failed > passed": 1} and record.author == home.author
    assert record.versions[GOAL] == 3 and record.runs == ()


def test_a_job_killed_before_it_could_say_so_writes_nothing_twice(home: Settings, context: JobContext) -> None:
    with Store(home) as store:
        keep(store, undone(), solved())
        with changed_check(GOAL, finds_nothing):
            first = job.run(context)
            before = sorted(path.read_bytes() for path in home.journal.iterdir())
            assert job.run(context) == first
        assert b"".join(sorted(p.read_bytes() for p in home.journal.iterdir())) == b"".join(before)
        store.index.sync()
        assert len(rescores(store.index)) == 1


def test_a_stopped_job_says_that_it_can_go_on(
    home: Settings, context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(home) as store:
        keep(store, undone(), undone(attempt=1))
        with changed_check(GOAL, finds_nothing):
            answers: Iterator[bool] = iter([False, True])
            monkeypatch.setattr(context, "should_stop", lambda: next(answers))
            with pytest.raises(StoppedError, match="Resume the job"):
                job.run(context)
            store.index.sync()
            assert rescores(store.index) == []
            monkeypatch.setattr(context, "should_stop", lambda: False)
            assert job.run(context)["changed"] == 2


def test_wording_and_version_alone_are_no_other_verdict(store: Store) -> None:
    def reworded(subject: Attempt) -> Iterator[Finding]:
        if subject.changes:
            return
        yield Fail("state", "Said in other words.", path=_path(each))

    each = undone()
    keep(store, each, solved())
    with changed_check(GOAL, reworded):
        found, written = judge(store)
    assert (found.changed, written) == (0, [])
    with changed_check(GOAL, lambda _: iter([Abstain("Nobody asked.")])):
        found, _ = judge(store)
    assert found.outcomes == {"failed > not scored": 1, "passed > not scored": 1}


def _path(trajectory: Trajectory) -> str | None:
    return next(v.path for v in trajectory.verdicts if v.check == GOAL)
