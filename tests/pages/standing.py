"""Jobs and records that stand as if they had been made: no process, no model."""

import time
from typing import Any

from lamsim_core.canonical import new_id, now
from lamsim_core.curate.freezing import freeze
from lamsim_core.files import write_atomic
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.creation import create_folder, new_job
from lamsim_core.jobs.folder import STATUS, job_folder, write_record
from lamsim_core.jobs.job import Job, JobStatus, State
from lamsim_core.records import (
    Adapter,
    Comparison,
    Dataset,
    Evaluation,
    EvaluationRow,
    PolicyInfo,
    Recipe,
    Selection,
    Split,
)
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from tests.filling import fill


def standing_job(
    settings: Settings,
    kind: str,
    state: State,
    *,
    label: str = "a job",
    params: dict[str, Any] | None = None,
    **status: Any,
) -> Job:
    """A job in a state, without a process."""
    job = create_folder(settings, new_job(kind, params or {}, label=label), group=True)
    write_record(job_folder(settings, job.id) / STATUS, JobStatus(state=state, updated=now(), **status))
    return job


def wait_for(settings: Settings, job_id: str, *states: State, seconds: float = 90) -> JobStatus:
    """Wait until a job is in one of these states."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status = supervisor.status(settings, job_id)
        if status.state in states:
            return status
        time.sleep(0.1)
    raise AssertionError(f"{job_id} is {supervisor.status(settings, job_id)}")


def standing_dataset(settings: Settings, *, name: str = "passed attempts", tasks: int = 4) -> Dataset:
    """A frozen dataset of the reference solution's attempts."""
    fill(settings, tasks)
    store = open_store(settings)
    dataset = freeze(store, name, Selection(policies=("gold",)))
    store.index.sync()
    return dataset


def standing_adapter(settings: Settings, dataset: Dataset, *, name: str = "mine-1") -> Adapter:
    """The record of a trained adapter; without weights."""
    adapter = Adapter(
        id=new_id("adp"),
        name=name,
        created=now(),
        base="smollm2-135m",
        base_hash="b" * 32,
        dataset=dataset.id,
        dataset_hash=dataset.hash,
        recipe=Recipe(),
        metrics={"loss_first": 2.5, "loss_last": 0.25},
        weights_sha256="a" * 64,
    )
    folder = settings.adapters / adapter.id
    folder.mkdir(parents=True)
    write_atomic(folder / "adapter.json", adapter.model_dump_json())
    open_store(settings).add(adapter)
    return adapter


def standing_row(kind: str, name: str, passed: int, *, errors: dict[str, int] | None = None) -> EvaluationRow:
    """One policy's result on 40 attempts."""
    return EvaluationRow(
        policy=PolicyInfo(kind=kind, name=name),  # type: ignore[arg-type]
        planned=40,
        finished=40,
        passed=passed,
        pass_rate=passed / 40,
        low=max(0.0, passed / 40 - 0.1),
        high=min(1.0, passed / 40 + 0.1),
        actions=100,
        errors=errors or {},
        errors_per_100=float(sum((errors or {}).values())),
        by_category={"calendar": (passed // 2, 20), "banking": (passed - passed // 2, 20)},
        mean_seconds=1.5,
        run=new_id("run"),
    )


def standing_evaluation(
    settings: Settings, *, name: str = "before and after", splits: tuple[Split, ...] = (), attempts: int = 1
) -> Evaluation:
    """A base model, its adapter and the reference solution on 40 attempts, the same on each split."""
    rows = (
        standing_row("model", "smollm2-135m", 4, errors={"structure": 30, "tool_name": 10}),
        standing_row("model", "mine-1", 22, errors={"structure": 2}),
        standing_row("gold", "gold", 40),
    )
    found = Comparison(
        first="smollm2-135m",
        second="mine-1",
        both=3,
        only_first=1,
        only_second=19,
        neither=17,
        difference=0.45,
        low=0.3,
        high=0.6,
        p_value=0.00004,
    )
    evaluation = Evaluation(
        id=new_id("evl"),
        name=name,
        created=now(),
        split="unseen_instances",
        splits=splits,
        task_keys=tuple(f"key{number}" for number in range(40)),
        attempts=attempts,
        rows=tuple(row.model_copy(update={"split": part}) for row in rows for part in (None, *splits)),
        comparisons=tuple(found.model_copy(update={"split": part}) for part in (None, *splits)),
        seconds=180.0,
    )
    open_store(settings).add(evaluation)
    return evaluation
