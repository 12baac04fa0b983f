"""Exploration as a job: plan, run, store; a resumed job goes on where it was."""

from collections import defaultdict
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lamsim_core.agent.policy import PLAIN_POLICIES, acting, make_policy
from lamsim_core.canonical import new_id
from lamsim_core.explore.curriculum import Order, learned_order
from lamsim_core.explore.engine import Begun, Summary, carry_out, explore
from lamsim_core.explore.modes import How
from lamsim_core.explore.plan import AttemptParams
from lamsim_core.explore.worker import Work
from lamsim_core.jobs.context import JobContext
from lamsim_core.models.registry import get_model
from lamsim_core.records import Mode, Split, Task, Trajectory
from lamsim_core.store import Store

RUN_FILE = "run.txt"


class ExploreParams(AttemptParams):
    """What an exploration job is asked to do."""

    model: str
    """A model of the registry, or gold, random or noop."""
    split: Split = "train"
    tasks: int = Field(default=20, ge=1, le=100_000)
    mode: Mode = "single"
    """How attempts are made; the numbers below belong to one mode each."""
    repairs: int = Field(default=2, ge=1, le=50)
    candidates: int = Field(default=4, ge=2, le=64)
    width: int = Field(default=3, ge=2, le=64)
    nodes: int = Field(default=24, ge=2, le=10_000)
    order: Order = "planned"
    """In which order the tasks are tried."""
    executor: Literal["local", "ray"] = "local"
    """Who makes the attempts: this process, or workers under Ray."""
    workers: int = Field(default=2, ge=1, le=1000)
    """Workers under Ray, each a process with a model of its own."""
    address: str | None = Field(default=None, max_length=300)
    """The Ray cluster they run on, as host:port; without one Ray runs on this machine for as long as the job."""

    @property
    def how(self) -> How:
        """How attempts are made."""
        return How(**{name: getattr(self, name) for name in How.model_fields})

    @model_validator(mode="after")
    def _chance(self) -> Self:
        if self.mode in ("best_of", "tree") and self.temperature == 0 and self.model not in PLAIN_POLICIES:
            raise ValueError("at temperature 0 every reply is the same, so there is nothing to choose from; raise it")
        return self

    def actors(self) -> tuple[str, ...]:
        """The one who acts."""
        return (self.model,)

    @property
    def in_memory_here(self) -> bool:
        """Whether the model would fill the memory of this machine."""
        return self.executor == "local" or self.address is None


def run(context: JobContext) -> dict[str, Any]:
    """Run an exploration. Parameters: see ``ExploreParams``. Returns the run's id and counts."""
    params = context.read(ExploreParams)
    run_id = run_of(context, RUN_FILE)
    store = Store(context.settings)
    try:
        tasks = params.plan()
        if params.order == "curriculum":
            tasks = learned_order(context.settings, tasks, params.model, without_run=run_id)
        model, _ = acting(params.model, params.sampling)
        plain = model in PLAIN_POLICIES or not get_model(context.settings, model).needs_memory
        if plain or not params.in_memory_here:
            summary = _explore(context, store, params, tasks, run_id)
        else:
            context.progress(0, params.tasks * params.attempts, "Loading the model.")
            with context.lease():
                summary = _explore(context, store, params, tasks, run_id)
        stored = stored_attempts(store, run_id)
    finally:
        store.close()
    passed = sum(any(path.passed for path in made) for made in stored.values())
    return {
        "run": run_id,
        "model": params.model,
        "split": params.split,
        "mode": params.mode,
        "planned": summary.planned,
        "finished": sum(params.how.finished(made, params.max_steps) for made in stored.values()),
        "passed": passed,
        "pass_rate": passed / summary.planned,
        "trajectories": sum(map(len, stored.values())),
        "stopped": summary.stopped,
    }


def run_of(context: JobContext, file: str) -> str:
    """The run a job writes into: made once, kept in the job's folder, found again when it is resumed."""
    path = context.folder / file
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    run_id = new_id("run")
    path.write_text(run_id, encoding="ascii")
    return run_id


def stored_attempts(store: Store, run_id: str) -> dict[tuple[str, int], list[Trajectory]]:
    """What a run has stored of each attempt, by task key and attempt: one trajectory, or the paths of a tree in order."""
    found: dict[tuple[str, int], list[Trajectory]] = defaultdict(list)
    for trajectory in store.read_run(run_id):
        found[trajectory.task.key, trajectory.attempt].append(trajectory)
    return dict(found)


def _explore(context: JobContext, store: Store, params: ExploreParams, tasks: list[Task], run_id: str) -> Summary:
    how, stored = params.how, stored_attempts(store, run_id)
    done = {place for place, made in stored.items() if how.finished(made, params.max_steps)}
    begun = {place: made for place, made in stored.items() if place not in done}
    if params.executor == "ray":
        return _explore_with_ray(context, params, tasks, run_id, done, begun)
    batch = params.together(params.model)
    policy = make_policy(context.settings, params.model, params.sampling, quantisation=params.quantisation, batch=batch)
    return explore(
        tasks,
        policy,
        run=run_id,
        attempts=params.attempts,
        max_steps=params.max_steps,
        done=done,
        on_trajectory=store.add,
        on_progress=context.progress,
        should_stop=context.should_stop,
        batch=batch,
        how=how,
        begun=begun,
    )


def _explore_with_ray(
    context: JobContext,
    params: ExploreParams,
    tasks: list[Task],
    run_id: str,
    done: set[tuple[str, int]],
    begun: Begun,
) -> Summary:
    from lamsim_core.explore.ray_cluster import ray_cluster, ray_here
    from lamsim_core.explore.ray_pool import RayPool

    work = Work(
        settings=context.settings,
        run=run_id,
        run_file=(context.folder / RUN_FILE).absolute(),
        model=params.model,
        sampling=params.sampling,
        quantisation=params.quantisation,
        batch=params.together(params.model),
        how=params.how,
    )
    context.progress(len(done), len(tasks) * params.attempts, "Starting Ray.")
    workers, address = params.workers, params.address
    with ray_here(workers) if address is None else ray_cluster(address, workers) as cluster:
        pool = RayPool(work, workers, cluster, begun)
        return carry_out(
            tasks,
            pool,
            attempts=params.attempts,
            done=done,
            on_progress=context.progress,
            should_stop=context.should_stop,
            together=pool.together,
            beginning="Starting the workers.",
        )
