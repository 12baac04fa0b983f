"""Evaluation as a job: the same attempts for everybody, resumable, and no verdict before the end."""

import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lamsim_core.agent.policy import GoldPolicy, make_policy
from lamsim_core.errors import InvalidInputError, JobError, NotFoundError, StoppedError
from lamsim_core.evaluate import job as module
from lamsim_core.evaluate.job import EvaluateParams, Plan, beside_earlier, read_evaluation, run
from lamsim_core.explore import plan
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import STOP
from lamsim_core.jobs.job import Job
from lamsim_core.jobs.runner import run_inline
from lamsim_core.models.registry import get_model
from lamsim_core.records import Split, ToolSchema
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.queries import conflicts, evaluations, find_trajectories
from lamsim_core.tasks import plan_tasks
from tests.models.tiny import tiny_settings, write_tiny_model

PARAMS: dict[str, Any] = {"models": ["noop", "gold", "random"], "tasks": 4, "attempts": 2, "categories": ["calendar"]}


def make(settings: Settings, **params: Any) -> Job:
    return create_folder(settings, new_job("evaluate", {**PARAMS, **params}, label="x"), group=False)


def open_context(
    settings: Settings, job: Job, on_progress: Callable[[int, int, str], None] | None = None
) -> JobContext:
    return JobContext(settings, job, on_progress=on_progress)


def stopping_at(settings: Settings, job: Job, number: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, message: str) -> None:
        if done >= number:
            (settings.jobs / job.id / STOP).touch()

    return progress


def test_every_policy_gets_the_same_instances_and_seeds(home: Settings) -> None:
    result = run_inline(home, "evaluate", PARAMS)
    with Store(home) as store:
        store.index.sync()
        (evaluation,) = evaluations(store.index)
        attempts = [{(t.task.key, t.attempt, t.seed) for t in store.read_run(row.run)} for row in evaluation.rows]
    assert result["evaluation"] == evaluation.id
    assert attempts[0] == attempts[1] == attempts[2] and len(attempts[0]) == 8
    assert {key for key, _, _ in attempts[0]} == set(evaluation.task_keys) and len(evaluation.task_keys) == 4
    assert len({row.run for row in evaluation.rows}) == 3
    assert [row.policy.name for row in evaluation.rows] == ["noop", "gold", "random"]
    assert [(row.passed, row.planned) for row in evaluation.rows[:2]] == [(0, 8), (8, 8)]
    assert [(c.first, c.second) for c in evaluation.comparisons] == [
        ("noop", "gold"),
        ("noop", "random"),
        ("gold", "random"),
    ]
    assert evaluation.comparisons[0].difference == 1.0
    assert (evaluation.split, evaluation.attempts) == ("unseen_instances", 2)
    assert evaluation.seconds > 0
    assert result["pass_rates"]["gold"] == 1.0
    assert result["reliability"]["gold"] == [1.0, 1.0]


def test_progress_runs_over_all_policies_and_never_back(home: Settings) -> None:
    seen: list[tuple[int, int]] = []
    run_inline(home, "evaluate", PARAMS, lambda done, total, _: seen.append((done, total)))
    assert {total for _, total in seen} == {24}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (24, 24)


@pytest.mark.parametrize("number", [1, 8, 11, 23])
def test_a_stopped_evaluation_keeps_what_is_finished_and_goes_on_there(home: Settings, number: int) -> None:
    job = make(home)
    with pytest.raises(StoppedError):
        run(open_context(home, job, stopping_at(home, job, number)))
    with Store(home) as store:
        store.index.sync()
        kept = {t.id for t in find_trajectories(store.index, limit=None)}
        assert number <= len(kept) < 24
        assert evaluations(store.index) == []
    with pytest.raises(NotFoundError):
        read_evaluation(home, job.id)
    (home.jobs / job.id / STOP).unlink()
    seen: list[int] = []
    result = run(open_context(home, job, lambda done, total, _: seen.append(done)))
    assert seen[0] == len(kept), "what was done before counts from the start"
    with Store(home) as store:
        store.index.sync()
        rows = find_trajectories(store.index, limit=None)
        assert kept < {t.id for t in rows} and len(rows) == 24
        assert len({t.run for t in rows}) == 3
        assert [e.id for e in evaluations(store.index)] == [result["evaluation"]]
        assert conflicts(store.index) == []


SPLITS: tuple[Split, ...] = ("unseen_instances", "unseen_tools", "unseen_categories")
WIDE: dict[str, Any] = {
    "models": ["gold", "random"], "categories": [], "splits": SPLITS, "tasks": 3, "attempts": 1, "trials": 2, "trial_tasks": 2,
}  # fmt: skip


def test_several_splits_and_sampled_attempts_in_one_evaluation(home: Settings) -> None:
    seen: list[tuple[int, int]] = []
    job = make(home, **WIDE)
    result = run(open_context(home, job, lambda done, total, _: seen.append((done, total))))
    evaluation = read_evaluation(home, job.id)
    assert seen[-1] == (2 * (9 + 12), 2 * (9 + 12))
    assert evaluation.parts == SPLITS and len(set(evaluation.task_keys)) == 9
    gold = [row for row in evaluation.rows if row.policy.name == "gold"]
    assert [(row.split, row.planned, row.passed) for row in gold] == [(None, 9, 9), *((each, 3, 3) for each in SPLITS)]
    assert [row.trials.passes for row in gold if row.trials] == [(2,) * 6, (2, 2), (2, 2), (2, 2)]
    assert {row.trials.all_pass for row in gold if row.trials} == {(1.0, 1.0)}
    assert [(each.split, each.only_first + each.both) for each in evaluation.comparisons] == [
        (None, 9), *((each, 3) for each in SPLITS)
    ]  # fmt: skip
    assert result["pass_rates"]["gold"] == 1.0 and result["reliability"]["gold"] == [1.0]
    assert (evaluation.job, evaluation.asked["trials"]) == (job.id, 2) and evaluation.versions
    with Store(home) as store:
        tried = {row.run: store.read_run(row.run) for row in evaluation.rows}
        sampled = {row.trials.run: store.read_run(row.trials.run) for row in evaluation.rows if row.trials}
        store.index.sync()
        assert [each.id for each in evaluations(store.index)] == [evaluation.id]
    assert sorted(map(len, (*tried.values(), *sampled.values()))) == [9, 9, 12, 12]
    assert evaluation.seconds == pytest.approx(
        sum(t.seconds for made in (*tried.values(), *sampled.values()) for t in made)
    )


def test_sampled_attempts_are_drawn_at_their_own_temperature_on_one_loaded_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_settings(tmp_path, write_tiny_model(tmp_path / "model"))
    loaded: list[str] = []

    def loading(settings: Settings, name: str, *rest: Any, **more: Any) -> Any:
        loaded.append(name)
        return make_policy(settings, name, *rest, **more)

    monkeypatch.setattr(module, "make_policy", loading)
    short = {"max_new_tokens": 8, "max_steps": 1, "tasks": 1, "attempts": 1, "quantisation": "fp32", "categories": []}
    job = make(tiny, **{**short, "models": ["tiny"], "splits": SPLITS[:2], "trials": 2, "trial_temperature": 0.9})
    run(open_context(tiny, job))
    row = read_evaluation(tiny, job.id).rows[0]
    assert loaded == ["tiny"]
    assert row.policy.sampling is not None and row.policy.sampling.temperature == 0.0
    assert row.trials is not None and row.trials.sampling is not None and row.trials.sampling.temperature == 0.9


@pytest.mark.parametrize("number", [3, 12, 25])
def test_a_stop_between_splits_or_trials_loses_nothing(home: Settings, number: int) -> None:
    job = make(home, **WIDE)
    with pytest.raises(StoppedError):
        run(open_context(home, job, stopping_at(home, job, number)))
    (home.jobs / job.id / STOP).unlink()
    seen: list[int] = []
    run(open_context(home, job, lambda done, total, _: seen.append(done)))
    assert number <= seen[0] < 42 and seen[-1] == 42
    with Store(home) as store:
        store.index.sync()
        assert len(find_trajectories(store.index, limit=None)) == 42 and conflicts(store.index) == []


def test_a_plan_from_before_there_were_trials_is_still_one(home: Settings) -> None:
    plan = {"runs": {"gold": "run_a"}, "task_keys": ["k"]}
    assert Plan.model_validate(plan).trial_runs == {}


def test_a_job_killed_after_its_last_word_gives_the_same_evaluation_again(home: Settings) -> None:
    job = make(home)
    first = run(open_context(home, job))
    assert run(open_context(home, job)) == first
    with Store(home) as store:
        store.index.sync()
        (evaluation,) = evaluations(store.index)
        assert conflicts(store.index) == []
    assert read_evaluation(home, job.id) == evaluation


def test_changed_tasks_are_noticed_when_resumed(home: Settings) -> None:
    job = make(home)
    run(open_context(home, job))
    path = home.jobs / job.id / module.PLAN
    whole = path.read_text()
    key = read_evaluation(home, job.id).task_keys[0]
    path.write_text(whole.replace(key, "0" * len(key)))
    with pytest.raises(JobError, match="were changed since this evaluation began"):
        run(open_context(home, job))
    path.write_text(whole[:-20])
    with pytest.raises(JobError, match="plan of this evaluation is damaged"):
        run(open_context(home, job))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"models": []}, "models"),
        ({"models": ["gold", "gold"]}, "each model can be named once"),
        ({"tasks": 0}, "tasks"),
        ({"split": "all"}, "split"),
        ({"splits": ["unseen_tools", "unseen_tools"]}, "each split can be named once"),
        ({"splits": ["unseen_tools", "unseen_categories"]}, "belongs to the split 'unseen_categories'"),
        ({"trials": 2, "trial_temperature": 0}, "trial_temperature"),
        ({"nonsense": 1}, "nonsense"),
        ({"categories": ["astrology"]}, "No task template belongs to the split"),
    ],
)
def test_parameters_that_cannot_be_used_are_told_in_a_sentence(
    home: Settings, params: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        run(open_context(home, make(home, **params)))


def test_an_unknown_model_is_told_before_anything_runs(home: Settings) -> None:
    with pytest.raises(NotFoundError, match="no model named 'gould'"):
        run(open_context(home, make(home, models=["gold", "gould"])))
    assert not home.journal.exists()


def test_the_lease_is_for_real_models_only(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    held = False

    @contextmanager
    def lease(self: JobContext) -> Any:
        nonlocal held
        taken.append(self.job.id)
        held = True
        yield
        held = False

    def entry(settings: Settings, name: str) -> Any:
        real = get_model(settings, "scripted")
        return real.model_copy(update={"kind": "local", "name": name}) if name == "big" else get_model(settings, name)

    def policy(settings: Settings, name: str, sampling: Any, **_: Any) -> Any:
        assert held == (name == "big"), "a model is loaded and used under the lease, and nothing else is"
        return GoldPolicy()

    monkeypatch.setattr(JobContext, "lease", lease)
    monkeypatch.setattr(module, "get_model", entry)
    monkeypatch.setattr(module, "make_policy", policy)
    run(open_context(home, make(home, models=["gold", "big", "scripted"])))
    assert len(taken) == 1


def test_a_scripted_model_is_evaluated_like_any_other(home: Settings) -> None:
    job = make(home, models=["scripted", "gold"], tasks=2, attempts=1, templates=["calendar.move"])
    run(open_context(home, job))
    evaluation = read_evaluation(home, job.id)
    assert evaluation.rows[0].policy.kind == "scripted" and evaluation.rows[0].passed == 0
    assert evaluation.rows[0].policy.sampling == EvaluateParams.model_validate(job.params).sampling


def test_a_model_stands_beside_itself_with_constrained_calls(tmp_path: Path) -> None:
    tiny = tiny_settings(tmp_path, write_tiny_model(tmp_path / "model"))
    names = ["tiny", "tiny@constrained"]
    short = {"attempts": 1, "tasks": 2, "max_new_tokens": 12, "max_steps": 1, "templates": ["calendar.cancel"]}
    job = make(tiny, models=names, quantisation="fp32", **short)
    result = run(open_context(tiny, job))
    evaluation = read_evaluation(tiny, job.id)
    assert (
        [row.policy.label for row in evaluation.rows]
        == list(result["pass_rates"])
        == list(result["reliability"])
        == names
    )
    assert [(each.first, each.second) for each in evaluation.comparisons] == [tuple(names)]
    assert {row.policy.name for row in evaluation.rows} == {"tiny"}
    with Store(tiny) as store:
        store.index.sync()
        assert sorted(row.policy for row in find_trajectories(store.index)) == sorted(names * 2)


def test_the_same_asked_for_twice_is_refused_however_it_is_named() -> None:
    with pytest.raises(ValidationError, match="named once"):
        EvaluateParams(models=("a", "a@constrained"), constrained=True)
    assert EvaluateParams(models=("a", "a@constrained", "gold")).actors() == ("a", "a@constrained", "gold")


def test_what_cannot_be_constrained_is_found_out_before_anything_runs(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInputError, match="choose a local model"):
        run(open_context(home, make(home, models=["gold", "scripted@constrained"])))
    (task,) = plan_tasks("train", 1)
    odd = ToolSchema(name="odd", description="", parameters={"type": "object", "properties": {"a": {"not": {}}}})
    monkeypatch.setattr(plan, "plan_tasks", lambda *_, **__: [task.model_copy(update={"tools": (odd,)})])
    assert EvaluateParams(models=("gold", "noop"), constrained=True).plan()
    with pytest.raises(InvalidInputError, match="Calls of the tool 'odd' cannot be constrained"):
        EvaluateParams(models=("gold", "big@constrained")).plan()


def test_a_name_is_made_when_none_is_given() -> None:
    assert EvaluateParams(models=("a", "b")).title == "a, b on unseen_instances"
    assert EvaluateParams(models=("a",), name=" mine ").title == "mine"


def test_a_killed_evaluation_goes_on_where_it_was(home: Settings) -> None:
    job = supervisor.start(home, "evaluate", {**PARAMS, "tasks": 40}, label="x")
    try:
        _wait(lambda: supervisor.status(home, job.id).done >= 30)
        supervisor.kill(home, job.id)
        assert supervisor.status(home, job.id).state == "dead"
        with Store(home) as store:
            store.index.sync()
            kept = {t.id for t in find_trajectories(store.index, limit=None)}
        assert 30 <= len(kept) < 240
        supervisor.resume(home, job.id)
        _wait(lambda: supervisor.status(home, job.id).state == "done")
    finally:
        supervisor.kill(home, job.id)
    with Store(home) as store:
        store.index.sync()
        assert kept < {t.id for t in find_trajectories(store.index, limit=None)}
        (evaluation,) = evaluations(store.index)
        assert conflicts(store.index) == []
    assert [(row.finished, row.planned) for row in evaluation.rows] == [(80, 80)] * 3


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_another_model_beside_an_earlier_evaluation_makes_its_own_attempts_only(home: Settings) -> None:
    first = make(home, models=["noop", "gold"], trials=2, trial_tasks=2, name="before")
    run(open_context(home, first))
    counts: list[tuple[int, int]] = []
    asked = beside_earlier(home, first.id, ["gold", "random"], "after")
    second = create_folder(home, new_job("evaluate", asked, label="x"), group=False)
    run(open_context(home, second, lambda done, total, _: counts.append((done, total))))
    assert counts[0] == (24, 36), "what the earlier one did counts as done"
    before, after = (read_evaluation(home, job.id) for job in (first, second))
    assert after.name == "after" and [row.policy.label for row in after.rows] == ["noop", "gold", "random"]
    assert [(row.run, row.passed, row.trials) for row in after.rows[:2]] == [
        (row.run, row.passed, row.trials) for row in before.rows
    ]
    assert {(each.first, each.second) for each in after.comparisons} == {
        ("noop", "gold"), ("noop", "random"), ("gold", "random"),
    }  # fmt: skip
    third = create_folder(home, new_job("evaluate", beside_earlier(home, second.id, []), label="x"), group=False)
    run(open_context(home, third))
    assert [row.run for row in read_evaluation(home, third.id).rows] == [row.run for row in after.rows]


def test_beside_an_evaluation_that_was_asked_otherwise_nothing_is_tried(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(home, models=["noop", "gold"])
    run(open_context(home, first))
    for change, said in (
        ({"seed": 9}, "asked otherwise: seed"),
        ({"max_steps": 3, "tasks": 3}, "tasks, max_steps"),
        ({"beside": "job_none"}, "job_none"),
    ):
        with pytest.raises((InvalidInputError, NotFoundError), match=said):
            run(open_context(home, make(home, models=["random"], **{"beside": first.id, **change})))
    monkeypatch.setattr(module, "checks_hash", lambda: "others")
    with pytest.raises(InvalidInputError, match="checks were changed"):
        run(open_context(home, make(home, models=["random"], beside=first.id)))


def test_beside_an_evaluation_a_replaced_adapter_is_no_longer_the_same(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(home, models=["scripted", "gold"])
    run(open_context(home, first))
    other = get_model(home, "scripted").model_copy(update={"adapter": "adp_other"})
    monkeypatch.setattr(module, "get_model", lambda *_: other)
    asked = beside_earlier(home, first.id, ["random"])
    with pytest.raises(InvalidInputError, match="another adapter now"):
        run(open_context(home, create_folder(home, new_job("evaluate", asked, label="x"), group=False)))


def test_beside_an_adapter_its_base_comes_first(home: Settings) -> None:
    first = make(home, models=["gold"], tasks=1)
    run(open_context(home, first))
    asked = beside_earlier(home, first.id, ["lamsim-135m", "lamsim-135m@constrained", "smollm2-135m"])
    assert asked["models"] == ["gold", "smollm2-135m", "lamsim-135m", "lamsim-135m@constrained"]
