"""Exploration as a job: plan, run, store; a resumed job goes on where it was."""

from typing import Any, Literal

from pydantic import Field

from lamsim_core.agent.policy import PLAIN_POLICIES, make_policy
from lamsim_core.canonical import new_id
from lamsim_core.explore.engine import Summary, carry_out, explore
from lamsim_core.explore.plan import AttemptParams
from lamsim_core.explore.worker import Work
from lamsim_core.jobs.context import JobContext
from lamsim_core.models.registry import get_model
from lamsim_core.records import Split, Task
from lamsim_core.store import Store

RUN_FILE = "run.txt"


class ExploreParams(AttemptParams):
    """What an exploration job is asked to do."""

    model: str
    """A model of the registry, or gold, random or noop."""
    split: Split = "train"
    tasks: int = Field(default=20, ge=1, le=100_000)
    executor: Literal["local", "ray"] = "local"
    """Who makes the attempts: this process, or workers under Ray."""
    workers: int = Field(default=2, ge=1, le=1000)
    """Workers under Ray, each a process with a model of its own."""
    address: str | None = Field(default=None, max_length=300)
    """The Ray cluster they run on, as host:port; without one Ray runs on this machine for as long as the job."""

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
        plain = params.model in PLAIN_POLICIES or not get_model(context.settings, params.model).needs_memory
        if plain or not params.in_memory_here:
            summary = _explore(context, store, params, tasks, run_id)
        else:
            context.progress(0, params.tasks * params.attempts, "Loading the model.")
            with context.lease():
                summary = _explore(context, store, params, tasks, run_id)
        done = stored_attempts(store, run_id)
    finally:
        store.close()
    passed = sum(1 for outcome in done.values() if outcome)
    return {
        "run": run_id,
        "model": params.model,
        "split": params.split,
        "planned": summary.planned,
        "finished": len(done),
        "passed": passed,
        "pass_rate": passed / summary.planned,
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


def stored_attempts(store: Store, run_id: str) -> dict[tuple[str, int], bool]:
    """Task key and attempt of what a run has stored, with whether it passed."""
    return {(t.task.key, t.attempt): t.passed is True for t in store.read_run(run_id)}


def _explore(context: JobContext, store: Store, params: ExploreParams, tasks: list[Task], run_id: str) -> Summary:
    batch = params.together(params.model)
    done = set(stored_attempts(store, run_id))
    if params.executor == "ray":
        return _explore_with_ray(context, params, tasks, run_id, done, batch)
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
    )


def _explore_with_ray(
    context: JobContext, params: ExploreParams, tasks: list[Task], run_id: str, done: set[tuple[str, int]], batch: int
) -> Summary:
    from lamsim_core.explore.ray_pool import ray_pool

    work = Work(
        settings=context.settings,
        run=run_id,
        run_file=(context.folder / RUN_FILE).absolute(),
        model=params.model,
        sampling=params.sampling,
        quantisation=params.quantisation,
        batch=batch,
    )
    context.progress(len(done), len(tasks) * params.attempts, "Starting Ray.")
    with ray_pool(work, params.workers, params.address) as pool:
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
