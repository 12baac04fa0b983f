"""Attempts made by workers under Ray: the same, none lost, none twice, and nothing left of Ray afterwards."""

import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from lamsim_core.agent.policy import RandomPolicy
from lamsim_core.canonical import content_hash
from lamsim_core.errors import DamagedRecordError, InvalidInputError, JobError, NotFoundError, StoppedError
from lamsim_core.explore import ray_cluster
from lamsim_core.explore.engine import Summary, carry_out, explore
from lamsim_core.explore.ray_cluster import Cluster, fair_share
from lamsim_core.explore.ray_pool import RayPool
from lamsim_core.explore.worker import Worker
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.runner import run_inline
from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.tasks import plan_tasks
from tests.crash.ray_kill import run_under_fire, stored, work_for, workers_here

TWO = 2
"""Workers in these tests."""


@pytest.fixture(scope="module")
def ray() -> Iterator[Cluster]:
    """Ray, started once for this file; afterwards nothing of it is left."""
    me = psutil.Process()
    before = set(me.children(recursive=True))
    with ray_cluster.ray_here(TWO) as cluster:
        yield cluster
        started = set(me.children(recursive=True)) - before
    assert len(started) >= 3 and not [each for each in started if each.is_running()]
    assert not [path for path in Path("/tmp").glob("lamsim-*") if list(path.glob(f"session_*_{me.pid}"))]


def bare(trajectory: Trajectory) -> str:
    """Hash of what an attempt was, less its ids and times and what it cost."""
    dropped: dict[str, Any] = {"id": True, "run": True, "created": True, "seconds": True}
    dropped["steps"] = {"__all__": {"usage", "seconds"}}
    return content_hash(trajectory.model_dump(mode="json", exclude=dropped))


def test_a_stopped_job_leaves_no_worker(home: Settings, ray: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "ray_here", lambda workers: nullcontext(ray))
    params = {"model": "gold", "tasks": 5, "attempts": 1000, "executor": "ray", "workers": TWO}
    workers: list[psutil.Process] = []

    def stop_soon(done: int, total: int, message: str) -> None:
        if done >= 5 and not workers:
            workers.extend(workers_here())
            ((job, _),) = supervisor.list_jobs(home)
            supervisor.stop(home, job.id)

    with pytest.raises(StoppedError):
        run_inline(home, "explore", params, stop_soon)
    _, left = psutil.wait_procs(workers, timeout=5)
    assert workers and not left
    ((_, status),) = supervisor.list_jobs(home)
    assert (status.state, status.error) == ("stopped", None)
    finished = status.result["finished"]
    assert isinstance(finished, int) and 5 <= finished <= len(stored(home))
    assert set(stored(home).values()) == {1}


def test_workers_make_the_same_attempts_and_none_again(home: Settings, ray: Cluster) -> None:
    kept: list[Trajectory] = []
    tasks = plan_tasks("train", 8)
    options: dict[str, Any] = {"attempts": 2, "done": {(tasks[2].key, 1)}, "should_stop": lambda: False}
    here = explore(
        tasks,
        RandomPolicy(),
        run="run_here",
        max_steps=8,
        on_trajectory=kept.append,
        on_progress=lambda done, total, message: None,
        **options,
    )
    said: list[str] = []
    pool = RayPool(work_for(home, "random", "run_there"), TWO, ray)
    there = carry_out(
        tasks,
        pool,
        on_progress=lambda done, total, message: said.append(f"{done} of {total} {message}"),
        together=pool.together,
        beginning="Wait.",
        **options,
    )
    assert there == here == Summary(16, 16, here.passed, False)
    assert said[0] == "1 of 16 Wait." and said[-1].startswith("16 of 16 ")
    found = Store(home).read_run("run_there")
    assert {(t.task.key, t.attempt): bare(t) for t in found} == {(t.task.key, t.attempt): bare(t) for t in kept}


def test_killed_workers_lose_nothing_and_store_nothing_twice(home: Settings, ray: Cluster) -> None:
    marks = iter((8, 24, 40))

    def until(finished: Callable[[], int], over: Callable[[], bool]) -> None:
        mark = next(marks, 10_000)
        while finished() < mark and not over():
            time.sleep(0.005)

    pool = RayPool(work_for(home, "gold", "run_kill"), TWO, ray)
    found = run_under_fire(home, pool, plan_tasks("train", 60), 1, until, only_busy=True)
    assert found.kills >= 2
    assert (found.planned, found.finished, found.lost, found.doubled, found.damaged) == (60, 60, 0, 0, 0)


def test_a_worker_says_why_it_cannot_work(home: Settings, ray: Cluster) -> None:
    pool = RayPool(work_for(home, "gould", "run_none"), 1, ray)
    with pytest.raises(NotFoundError, match="no model named 'gould'"):
        list(pool([(plan_tasks("train", 1)[0], 0)], lambda: False))
    assert not stored(home)


def test_a_worker_knows_when_it_does_not_see_the_store(home: Settings) -> None:
    work = work_for(home, "gold", "run_one")
    absent = work.run_file.with_name("absent.txt")
    with pytest.raises(JobError, match=r"does not see the store of this run: .*absent\.txt should hold run_one"):
        Worker().prepare(work.model_copy(update={"run_file": absent}))
    absent.write_text("run_two")
    with pytest.raises(JobError, match="but: run_two"):
        Worker().prepare(work.model_copy(update={"run_file": absent}))


def test_ray_listens_on_this_machine_only(ray: Cluster) -> None:
    open_ = []
    for each in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a worker of the test before that only just ends
            open_ += [at.laddr for at in each.net_connections("inet") if at.status == psutil.CONN_LISTEN]
    assert len(open_) >= 3
    assert {at.ip for at in open_} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.mark.parametrize("address", ["here", "ray://10.0.0.5:10001", "10.0.0.5", ":6379", "10.0.0.5:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with (
        pytest.raises(InvalidInputError, match="not the address of a Ray cluster"),
        ray_cluster.ray_cluster(address, 1),
    ):
        pass


def test_an_address_where_nobody_answers_is_named_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "HEALTH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(JobError, match=f"No Ray cluster can be used at {at}: .* did not say"):  # noqa: SIM117
            with ray_cluster.ray_cluster(at, 1):
                pass
    with pytest.raises(JobError, match=f"at {at}: .*refused.*ray start --head"), ray_cluster.ray_cluster(at, 1):
        pass


@pytest.mark.parametrize(
    ("processors", "workers", "share"),
    [([2], 2, 1), ([16], 3, 5), ([4, 4], 3, 2), ([4, 8], 3, 4), ([1], 9, 1), ([], 1, 1)],
)
def test_workers_share_the_processors(processors: list[int], workers: int, share: int) -> None:
    assert fair_share(processors, workers) == share


def test_errors_come_through_from_other_processes() -> None:
    for error in (NotFoundError("model", "gould", ["gold"]), DamagedRecordError("seg_1.jsonl", 7, "torn")):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert type(again) is type(error) and str(again) == str(error) and vars(again) == vars(error)
