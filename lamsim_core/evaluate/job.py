"""Evaluation as a job: every policy on the same instances with the same seeds; a resumed job goes on where it was."""

from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from lamsim_core.agent.policy import PLAIN_POLICIES, Policy, acting, drawing, make_policy
from lamsim_core.canonical import new_id, now
from lamsim_core.errors import InvalidInputError, JobError, ModelError, NotFoundError, StoppedError
from lamsim_core.evaluate.metrics import Outcomes, compare, evaluation_row, outcomes, reliability, trials_of
from lamsim_core.evaluate.parts import rows_of
from lamsim_core.explore.engine import explore
from lamsim_core.explore.plan import AttemptParams
from lamsim_core.feedback.registry import checks_hash
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.folder import job_folder, read_record, write_record
from lamsim_core.models.registry import get_model, list_models, reached, require_constrainable
from lamsim_core.records import (
    CONSTRAINED,
    Evaluation,
    EvaluationRow,
    Record,
    Sampling,
    Split,
    Task,
    Trajectory,
    Trials,
)
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
    splits: tuple[Split, ...] = Field(default=(), max_length=4)
    """Several splits at once, each with as many tasks; empty for ``split`` alone."""
    tasks: int = Field(default=50, ge=1, le=100_000)
    """Instances planned of each split, templates in turn."""
    trials: int = Field(default=0, ge=0, le=100)
    """Sampled attempts at each of the first ``trial_tasks`` tasks of a split, beside those that policies are compared by."""
    trial_tasks: int = Field(default=50, ge=1, le=100_000)
    trial_temperature: float = Field(default=0.7, gt=0, le=2)
    beside: str = ""
    """An earlier evaluation, by its job: of models it tried, its attempts count and are not made again. Everything else has
    to be as it was asked there."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({acting(name, self.sampling) for name in self.models}) < len(self.models):
            raise ValueError("each model can be named once")
        if len(set(self.splits)) < len(self.splits):
            raise ValueError("each split can be named once")
        return self

    @property
    def parts(self) -> tuple[Split, ...]:
        """Every split."""
        return self.splits or (self.split,)

    @property
    def title(self) -> str:
        """The name given, or one made from the models and the splits."""
        return self.name.strip() or f"{', '.join(self.models)} on {', '.join(self.parts)}"

    def actors(self) -> tuple[str, ...]:
        """Every model, one after the other."""
        return self.models

    def plans(self) -> dict[Split, list[Task]]:
        """The instances of each split, the same for the same parameters.

        Raises:
            InvalidInputError: as ``plan``.
        """
        return {split: self.model_copy(update={"split": split}).plan() for split in self.parts}


class Plan(Record):
    """What the first process of the job settled, so that a resumed one goes on with exactly that."""

    runs: dict[str, str]
    """The run of each model."""
    trial_runs: dict[str, str] = Field(default_factory=dict)
    """The run of each model's sampled attempts, where some were asked for."""
    task_keys: tuple[str, ...]
    """The instances, in order."""


def run(context: JobContext) -> dict[str, Any]:
    """Run an evaluation. Parameters: see ``EvaluateParams``. Returns the evaluation's id.

    Raises:
        InvalidInputError: the parameters cannot be used, or differ from those of the evaluation they are to stand beside.
        NotFoundError: one of the models does not exist, or the evaluation beside which they are tried.
        ModelError: one of the models is not available or broke down.
        JobError: the job was resumed after the tasks it planned were changed.
        StoppedError: it was stopped; finished attempts are kept, no evaluation is recorded.
    """
    params = context.read(EvaluateParams)
    for name in params.models:
        _require_available(context.settings, *acting(name, params.sampling))
    tasks = params.plans()
    plan = _settle(context, params, tasks)
    with Store(context.settings) as store:
        results = _Evaluation(context, store, params, plan, tasks).carry_out()
        evaluation = _record(context, params, plan, results)
        store.add(evaluation)
    overall = rows_of(evaluation)
    return {
        "evaluation": evaluation.id,
        "name": evaluation.name,
        "pass_rates": {row.policy.label: row.pass_rate for row in overall},
        "reliability": {
            row.policy.label: reliability(result.found[None]) for row, result in zip(overall, results, strict=True)
        },
    }


def _require_available(settings: Settings, name: str, sampling: Sampling) -> None:
    """Find out now, not after the models before it have run for an hour."""
    if name not in PLAIN_POLICIES:
        entry = reached(get_model(settings, name))
        if not entry.available:
            raise ModelError(f"The model {name} is not available. {entry.why_not}")
        if sampling.constrained:
            require_constrainable(entry)


def _settle(context: JobContext, params: EvaluateParams, tasks: Mapping[Split, Sequence[Task]]) -> Plan:
    path = context.folder / PLAN
    keys = tuple(task.key for task in chain.from_iterable(tasks.values()))
    if not path.exists():
        earlier = taken_over(context.settings, params, keys) if params.beside else Plan(runs={}, task_keys=keys)
        runs, trial_runs = (
            {name: known.get(name) or new_id("run") for name in params.models}
            for known in (earlier.runs, earlier.trial_runs)
        )
        write_record(path, Plan(runs=runs, trial_runs=trial_runs if params.trials else {}, task_keys=keys))
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


def beside_earlier(settings: Settings, job_id: str, models: Sequence[str], name: str = "") -> dict[str, Any]:
    """What an evaluation is asked that tries more models at what an earlier one tried.

    Its own models come first, but adapters after all others: they are compared with what stands before them.

    Raises:
        NotFoundError: there is no such evaluation, or it has not come to its end.
    """
    asked = read_evaluation(settings, job_id).asked
    named = dict.fromkeys([*EvaluateParams.model_validate(asked).models, *models])
    trained = {
        f"{each.name}{end}" for each in list_models(settings) if each.kind == "adapter" for end in ("", CONSTRAINED)
    }
    return {**asked, "models": sorted(named, key=trained.__contains__), "name": name, "beside": job_id}


def taken_over(settings: Settings, params: EvaluateParams, keys: tuple[str, ...]) -> Plan:
    """The runs of the earlier evaluation beside which models are tried, where its attempts can stand for new ones.

    Raises:
        NotFoundError: there is no such evaluation, or it has not come to its end.
        InvalidInputError: it was asked otherwise, at other tasks, judged by other checks, or a model is not what it was.
    """
    earlier = read_evaluation(settings, params.beside)
    before = EvaluateParams.model_validate(earlier.asked)
    own = {"models", "name", "beside", "batch"}
    asked, was = (each.model_dump(exclude=own) for each in (params, before))
    if differing := [name for name in asked if asked[name] != was[name]]:
        raise InvalidInputError(f"The evaluation {earlier.name!r} was asked otherwise: {', '.join(differing)}.")
    if earlier.task_keys != keys or earlier.versions.get("checks") != checks_hash():
        raise InvalidInputError(
            f"Tasks or checks were changed since the evaluation {earlier.name!r}, so nothing can be compared with it. Start anew."
        )
    for row in rows_of(earlier):
        name = row.policy.name
        stays = row.policy.label in params.models and name not in PLAIN_POLICIES
        if stays and get_model(settings, name).adapter != row.policy.adapter:
            raise InvalidInputError(f"{name} is another adapter now than in the evaluation {earlier.name!r}.")
    return read_record(job_folder(settings, params.beside) / PLAN, Plan)


class _Leg(NamedTuple):
    """Attempts of one policy that are made in one go."""

    run: str
    tasks: list[Task]
    attempts: int
    sampling: Sampling


class _Result(NamedTuple):
    """What came of one policy."""

    rows: list[EvaluationRow]
    found: dict[Split | None, Outcomes]
    """What became of each planned attempt: under None of all of them, and where there are several splits of each."""
    seconds: float
    """Time of all its attempts."""
    versions: dict[str, str]


class _Evaluation:
    """The models of one evaluation, one after the other; of each, split by split."""

    def __init__(
        self,
        context: JobContext,
        store: Store,
        params: EvaluateParams,
        plan: Plan,
        tasks: Mapping[Split, list[Task]],
    ) -> None:
        self.context = context
        self.store = store
        self.params = params
        self.parts: dict[Split | None, list[Task]] = {None: list(chain.from_iterable(tasks.values()))}
        if len(tasks) > 1:
            self.parts.update(tasks.items())
        self.trial_parts = {split: planned[: params.trial_tasks] for split, planned in self.parts.items()}
        self.trial_parts[None] = list(chain.from_iterable(part[: params.trial_tasks] for part in tasks.values()))
        self.legs = {name: self._legs(name, plan) for name in params.models}
        self.planned = sum(len(leg.tasks) * leg.attempts for legs in self.legs.values() for leg in legs)
        self.finished = {leg.run: len(self._stored(leg)) for legs in self.legs.values() for leg in legs}

    def _legs(self, name: str, plan: Plan) -> list[_Leg]:
        params, sampling = self.params, self.params.sampling
        legs = [_Leg(plan.runs[name], self.parts[None], params.attempts, sampling)]
        if params.trials:
            drawn = sampling.model_copy(update={"temperature": params.trial_temperature})
            legs.append(_Leg(plan.trial_runs[name], self.trial_parts[None], params.trials, drawn))
        return legs

    def carry_out(self) -> list[_Result]:
        """Bring every model to the end of the plan; what came of them in the order of the models."""
        self._progress("Starting.")
        return [self._measure(name) for name in self.params.models]

    def _measure(self, name: str) -> _Result:
        if any(self.finished[leg.run] < len(leg.tasks) * leg.attempts for leg in self.legs[name]):
            self._finish(name)
        first, *sampled = self.legs[name]
        made = self.store.read_run(first.run)
        tried = [(leg, self.store.read_run(leg.run)) for leg in sampled]
        policy = made[0].policy
        rows = [
            evaluation_row(
                policy,
                first.run,
                tasks,
                first.attempts,
                made,
                split=split,
                trials=next((self._trials(leg, split, trajectories) for leg, trajectories in tried), None),
            )
            for split, tasks in self.parts.items()
        ]
        found = {split: outcomes(tasks, first.attempts, made) for split, tasks in self.parts.items()}
        seconds = sum(each.seconds for each in chain(made, *(trajectories for _, trajectories in tried)))
        return _Result(rows, found, seconds, made[0].versions)

    def _trials(self, leg: _Leg, split: Split | None, trajectories: Sequence[Trajectory]) -> Trials:
        return trials_of(leg.run, trajectories[0].policy.sampling, self.trial_parts[split], leg.attempts, trajectories)

    def _finish(self, name: str) -> None:
        """Run what is left of a model's attempts; only what fills this machine's memory needs the lease."""
        if self.context.should_stop():
            raise StoppedError(_STOPPED)  # before a model is loaded for nothing
        model, _ = acting(name, self.params.sampling)
        if model in PLAIN_POLICIES or not get_model(self.context.settings, model).needs_memory:
            return self._explore(name)
        self._progress(f"{name}: loading the model.")
        with self.context.lease():
            self._explore(name)

    def _explore(self, name: str) -> None:
        policy = make_policy(
            self.context.settings,
            name,
            self.params.sampling,
            quantisation=self.params.quantisation,
            batch=self.params.together(name),
        )
        for leg in self.legs[name]:
            self._try(name, leg, drawing(policy, acting(name, leg.sampling)[1]))

    def _try(self, name: str, leg: _Leg, policy: Policy) -> None:
        def progress(done: int, _: int, message: str) -> None:
            self.finished[leg.run] = done
            self._progress(f"{name}: {message}" if message else name)

        summary = explore(
            leg.tasks,
            policy,
            run=leg.run,
            attempts=leg.attempts,
            max_steps=self.params.max_steps,
            done=self._stored(leg),
            on_trajectory=self.store.add,
            on_progress=progress,
            should_stop=self.context.should_stop,
            batch=self.params.together(name),
            how=self.params.how,
        )
        if summary.stopped:
            raise StoppedError(_STOPPED)

    def _stored(self, leg: _Leg) -> set[tuple[str, int]]:
        keys = {task.key for task in leg.tasks}
        return {
            (each.task.key, each.attempt)
            for each in self.store.read_run(leg.run)
            if each.task.key in keys and each.attempt < leg.attempts
        }

    def _progress(self, message: str) -> None:
        self.context.progress(sum(self.finished.values()), self.planned, message)


def _record(context: JobContext, params: EvaluateParams, plan: Plan, results: Sequence[_Result]) -> Evaluation:
    """The evaluation, made once: a job killed before it could say that it was done stores the same one again."""
    path = context.folder / RESULT
    if not path.exists():
        rows = tuple(chain.from_iterable(result.rows for result in results))
        evaluation = Evaluation(
            id=new_id("evl"),
            name=params.title,
            created=now(),
            split=params.parts[0],
            splits=params.splits,
            task_keys=plan.task_keys,
            attempts=params.attempts,
            rows=rows,
            comparisons=tuple(
                compare(first.rows[0].policy.label, second.rows[0].policy.label, found, second.found[split], split)
                for first, second in combinations(results, 2)
                for split, found in first.found.items()
            ),
            seconds=sum(result.seconds for result in results),
            job=context.job.id,
            asked=params.model_dump(mode="json"),
            versions=results[0].versions,
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
