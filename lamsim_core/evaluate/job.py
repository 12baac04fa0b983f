"""Evaluation as a job: every policy on the same instances with the same seeds; a resumed job goes on where it was."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Self

from pydantic import Field, model_validator

from lamsim_core.agent.policy import PLAIN_POLICIES, acting, make_policy
from lamsim_core.canonical import new_id, now
from lamsim_core.errors import JobError, ModelError, NotFoundError, StoppedError
from lamsim_core.evaluate.metrics import Outcomes, compare, evaluation_row, outcomes, reliability
from lamsim_core.explore.engine import explore
from lamsim_core.explore.plan import AttemptParams
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.folder import job_folder, read_record, write_record
from lamsim_core.models.registry import get_model, reached, require_constrainable
from lamsim_core.records import Evaluation, EvaluationRow, PolicyInfo, Record, Sampling, Split, Task
from lamsim_core.settings import Settings
from lamsim_core.store import Store

PLAN = "plan.json"
RESULT = "evaluation.json"
_STOPPED = "Stopped; the finished attempts are saved. Resume the job to finish the evaluation."


class EvaluateParams(AttemptParams):
    """What an evaluation job is asked to do."""

    models: tuple[str, ...] = Field(min_length=1, max_length=20)
    """Models of the registry, or gold, random, noop. Of each pair, the earlier is the one compared against.

    ``<model>@constrained`` is a model with constrained calls, so that it can stand beside itself.
    """
    name: str = Field(default="", max_length=120)
    """What the evaluation is called; by default the models and the split."""
    split: Split = "unseen_instances"
    tasks: int = Field(default=50, ge=1, le=100_000)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({acting(name, self.sampling) for name in self.models}) < len(self.models):
            raise ValueError("each model can be named once")
        return self

    @property
    def title(self) -> str:
        """The name given, or one made from the models and the split."""
        return self.name.strip() or f"{', '.join(self.models)} on {self.split}"

    def actors(self) -> tuple[str, ...]:
        """Every model, one after the other."""
        return self.models


class Plan(Record):
    """What the first process of the job settled, so that a resumed one goes on with exactly that."""

    runs: dict[str, str]
    """The run of each model."""
    task_keys: tuple[str, ...]
    """The instances, in order."""


def run(context: JobContext) -> dict[str, Any]:
    """Run an evaluation. Parameters: see ``EvaluateParams``. Returns the evaluation's id.

    Raises:
        InvalidInputError: the parameters cannot be used.
        NotFoundError: one of the models does not exist.
        ModelError: one of the models is not available or broke down.
        JobError: the job was resumed after the tasks it planned were changed.
        StoppedError: it was stopped; finished attempts are kept, no evaluation is recorded.
    """
    params = context.read(EvaluateParams)
    for name in params.models:
        _require_available(context.settings, *acting(name, params.sampling))
    tasks = params.plan()
    plan = _settle(context, params, tasks)
    with Store(context.settings) as store:
        rows, found = _Evaluation(context, store, params, plan, tasks).carry_out()
        evaluation = _record(context, params, plan, rows, found)
        store.add(evaluation)
    return {
        "evaluation": evaluation.id,
        "name": evaluation.name,
        "pass_rates": {row.policy.label: row.pass_rate for row in rows},
        "reliability": {row.policy.label: reliability(outcome) for row, outcome in zip(rows, found, strict=True)},
    }


def _require_available(settings: Settings, name: str, sampling: Sampling) -> None:
    """Find out now, not after the models before it have run for an hour."""
    if name not in PLAIN_POLICIES:
        entry = reached(get_model(settings, name))
        if not entry.available:
            raise ModelError(f"The model {name} is not available. {entry.why_not}")
        if sampling.constrained:
            require_constrainable(entry)


def _settle(context: JobContext, params: EvaluateParams, tasks: Sequence[Task]) -> Plan:
    path = context.folder / PLAN
    keys = tuple(task.key for task in tasks)
    if not path.exists():
        write_record(path, Plan(runs={name: new_id("run") for name in params.models}, task_keys=keys))
    try:
        plan = read_record(path, Plan)
    except ValueError as error:
        raise JobError("The plan of this evaluation is damaged: it cannot be resumed. Start it anew.") from error
    if plan.task_keys != keys:
        raise JobError(
            "The task templates or their worlds were changed since this evaluation began, so its attempts can no longer be "
            "compared. Start it anew."
        )
    return plan


class _Evaluation:
    """The models of one evaluation, one after the other."""

    def __init__(
        self, context: JobContext, store: Store, params: EvaluateParams, plan: Plan, tasks: Sequence[Task]
    ) -> None:
        self.context = context
        self.store = store
        self.params = params
        self.plan = plan
        self.tasks = tasks
        self.planned = len(tasks) * params.attempts
        self.finished = {name: len(self._stored(name)) for name in params.models}

    def carry_out(self) -> tuple[list[EvaluationRow], list[Outcomes]]:
        """Bring every model to the end of the plan; rows and outcomes in the order of the models."""
        self._progress("Starting.")
        rows: list[EvaluationRow] = []
        found: list[Outcomes] = []
        for name in self.params.models:
            info = self._finish(name) if self.finished[name] < self.planned else None
            trajectories = self.store.read_run(self.plan.runs[name])
            rows.append(
                evaluation_row(
                    info or trajectories[0].policy,
                    self.plan.runs[name],
                    self.tasks,
                    self.params.attempts,
                    trajectories,
                )
            )
            found.append(outcomes(self.tasks, self.params.attempts, trajectories))
        return rows, found

    def _finish(self, name: str) -> PolicyInfo:
        """Run what is left of a model's attempts; only what fills this machine's memory needs the lease."""
        if self.context.should_stop():
            raise StoppedError(_STOPPED)  # before a model is loaded for nothing
        model, _ = acting(name, self.params.sampling)
        if model in PLAIN_POLICIES or not get_model(self.context.settings, model).needs_memory:
            return self._explore(name)
        self._progress(f"{name}: loading the model.")
        with self.context.lease():
            return self._explore(name)

    def _explore(self, name: str) -> PolicyInfo:
        batch = self.params.together(name)
        policy = make_policy(
            self.context.settings, name, self.params.sampling, quantisation=self.params.quantisation, batch=batch
        )

        def progress(done: int, _: int, message: str) -> None:
            self.finished[name] = done
            self._progress(f"{name}: {message}" if message else name)

        summary = explore(
            self.tasks,
            policy,
            run=self.plan.runs[name],
            attempts=self.params.attempts,
            max_steps=self.params.max_steps,
            done=self._stored(name),
            on_trajectory=self.store.add,
            on_progress=progress,
            should_stop=self.context.should_stop,
            batch=batch,
            how=self.params.how,
        )
        if summary.stopped:
            raise StoppedError(_STOPPED)
        return policy.info

    def _stored(self, name: str) -> set[tuple[str, int]]:
        keys = {task.key for task in self.tasks}
        return {
            (each.task.key, each.attempt)
            for each in self.store.read_run(self.plan.runs[name])
            if each.task.key in keys and each.attempt < self.params.attempts
        }

    def _progress(self, message: str) -> None:
        self.context.progress(sum(self.finished.values()), self.planned * len(self.params.models), message)


def _record(
    context: JobContext, params: EvaluateParams, plan: Plan, rows: Sequence[EvaluationRow], found: Sequence[Outcomes]
) -> Evaluation:
    """The evaluation, made once: a job killed before it could say that it was done stores the same one again."""
    path = context.folder / RESULT
    if not path.exists():
        results = [(row.policy.label, outcome) for row, outcome in zip(rows, found, strict=True)]
        evaluation = Evaluation(
            id=new_id("evl"),
            name=params.title,
            created=now(),
            split=params.split,
            task_keys=plan.task_keys,
            attempts=params.attempts,
            rows=tuple(rows),
            comparisons=tuple(
                compare(first, second, before, after) for (first, before), (second, after) in combinations(results, 2)
            ),
            seconds=sum(row.mean_seconds * row.finished for row in rows if row.mean_seconds is not None),
        )
        write_record(path, evaluation)
    return read_record(path, Evaluation)


def read_evaluation(settings: Settings, job_id: str) -> Evaluation:
    """What an evaluation job found, read from its folder: for those who cannot wait for the index.

    Raises:
        NotFoundError: there is no such job, or it has not come to its end.
    """
    try:
        return read_record(job_folder(settings, job_id) / RESULT, Evaluation)
    except (OSError, ValueError) as error:
        raise NotFoundError("evaluation of the job", job_id) from error
