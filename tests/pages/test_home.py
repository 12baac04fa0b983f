"""Home: what is stored, what runs, what to do next."""

import os
import subprocess
import sys

import pytest

from lamsim_core.canonical import now
from lamsim_core.evaluate.parts import compared
from lamsim_core.explore.live import live_runs, start_live
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import Job, JobStatus
from lamsim_core.records import Comparison, Evaluation, EvaluationRow, PolicyInfo, Sampling
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.store import open_store
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import count_trajectories
from lamsim_core.tasks import get_template, instantiate
from lamsim_core.ui.home import before_and_after
from tests.filling import fill
from tests.pages.driving import open_page, texts


def row(name: str, rate: float, adapter: str | None = None, kind: str = "model") -> EvaluationRow:
    return EvaluationRow(
        policy=PolicyInfo(kind=kind, name=name, adapter=adapter),  # type: ignore[arg-type]
        planned=50,
        finished=50,
        passed=int(50 * rate),
        pass_rate=rate,
        low=0.0,
        high=1.0,
        actions=100,
        errors={},
        errors_per_100=0.0,
        by_category={},
        mean_seconds=1.0,
        run="run_x",
    )


def evaluation(*rows: EvaluationRow, comparisons: tuple[Comparison, ...] = ()) -> Evaluation:
    return Evaluation(
        id="evl_1",
        name="before and after",
        created=now(),
        split="unseen_instances",
        task_keys=("k",),
        attempts=1,
        rows=rows,
        comparisons=comparisons,
        seconds=1.0,
    )


COMPARED = Comparison(
    first="base",
    second="mine",
    both=5,
    only_first=0,
    only_second=20,
    neither=25,
    difference=0.4,
    low=0.25,
    high=0.55,
    p_value=0.0,
)


def test_an_empty_store_starts_with_the_guided_first_run(home: Settings) -> None:
    app = open_page()
    said = texts(app)
    assert "Start here: watch the reference solution solve a task" in said
    assert [metric.value for metric in app.metric][1:] == ["0"] * 5
    assert "Newest attempts" not in said
    app.button(key="next").click().run()
    assert not app.exception
    index = open_store(home).index
    index.sync()
    assert count_trajectories(index, TrajectoryFilter(policies=("gold",), passed=True)) == 1


def test_a_filled_store_is_counted_and_its_newest_attempts_are_listed(home: Settings) -> None:
    made = fill(home, 3)
    app = open_page()
    counts = {metric.label: metric.value for metric in app.metric}
    assert counts["Attempts"] == str(len(made)) == "9"
    passed = sum(bool(trajectory.passed) for trajectory in made)
    assert f"{round(100 * passed / 9)} % passed" in texts(app)
    assert len(app.dataframe[0].value) == 8
    assert "Next: collect attempts that pass" in texts(app)


def test_a_running_job_is_found_again(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(id="job_01m83t00000000000000000000", kind="explore", label="40 tasks", params={}, created=now())
    status = JobStatus(state="running", done=10, total=40, message="Trying", updated=now(), eta_seconds=65)
    ended = job.model_copy(update={"id": "job_01m83t00000000000000000001", "label": "an older one"})
    listed = [(job, status), (ended, status.model_copy(update={"state": "done"}))]
    monkeypatch.setattr(supervisor, "list_jobs", lambda settings, kind=None: listed)
    app = open_page()
    said = texts(app)
    assert "40 tasks" in said
    assert "10 of 40 · about 1 min 05 s left · Trying" in said
    assert app.progress[0].value == 25
    assert "an older one" not in said


def test_a_live_run_is_offered_again(home: Settings) -> None:
    store = open_store(home)
    task = instantiate(get_template("calendar.move"), 1)
    run = start_live(home, task, "human", Sampling(), attempt=0, on_trajectory=store.add)
    try:
        assert run in live_runs()
        app = open_page()
        assert "Move, By hand" in texts(app)
    finally:
        run.stop()
        assert run.wait(10)


def test_before_and_after_training_are_shown(home: Settings) -> None:
    open_store(home).add(evaluation(row("base", 0.1), row("mine", 0.5, adapter="adp_1"), comparisons=(COMPARED,)))
    app = open_page()
    rates = {metric.label: (metric.value, metric.delta) for metric in app.metric if "%" in str(metric.value)}
    assert rates["base"] == ("10 %", "")
    assert ("50 %", "+40 points") in rates.values()
    assert "+25 to +55 points" in texts(app)


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (row("base", 0.1),),
        (row("mine", 0.5, adapter="a"),),
        (row("gold", 1.0, kind="gold"), row("mine", 0.5, adapter="a")),
    ],
)
def test_an_evaluation_without_both_sides_is_no_before_and_after(rows: tuple[EvaluationRow, ...]) -> None:
    assert before_and_after(evaluation(*rows)) is None


def test_the_best_adapter_is_compared_and_only_in_its_direction() -> None:
    base, worse, best = row("base", 0.2), row("mine", 0.3, adapter="a"), row("other", 0.4, adapter="b")
    whole = evaluation(base, worse, best, comparisons=(COMPARED,))
    assert before_and_after(whole) == (base, best)
    assert compared(whole, "base", "mine") == COMPARED
    assert compared(whole, "mine", "base") is None


def test_of_several_splits_all_together_are_before_and_after() -> None:
    base, mine = row("base", 0.2), row("mine", 0.3, adapter="a")
    part = mine.model_copy(update={"split": "unseen_tools", "pass_rate": 0.9})
    splits = ("unseen_instances", "unseen_tools")
    whole = evaluation(base, part, mine, part).model_copy(update={"splits": splits})
    assert before_and_after(whole) == (base, mine)


def test_first_paint_loads_no_model_library(home: Settings) -> None:
    code = (
        "import sys; from tests.pages.driving import open_page; open_page();"
        "print([name for name in ('torch', 'transformers', 'trl', 'peft', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "[]"
