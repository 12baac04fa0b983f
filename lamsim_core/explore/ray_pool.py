"""The same attempts made by workers under Ray, on this machine or on a cluster: same seeds, same trajectories.

Nothing but tasks and acknowledgements crosses the network: a worker stores what it finished before it says so. One that
dies loses the attempts it was in the middle of, and they are handed out again.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from lamsim_core.errors import JobError, LamsimError
from lamsim_core.explore.engine import NOTHING_BEGUN, Attempted, Begun, Pair
from lamsim_core.explore.ray_cluster import MOST_SPARES, Cluster
from lamsim_core.explore.worker import Work, Worker
from lamsim_core.records import Trajectory
from lamsim_core.settings import REPOSITORY
from lamsim_core.store import Store
from lamsim_core.store.segments import segment_sizes

SPARES = 4
"""Workers kept ready, without a model, to take the place of one that dies; as many as have died so far, at most."""
LATE_SECONDS = 4.0
"""Once workers die, one that took longer than this to start may be dead unseen: another one is started beside it."""
GIVE_UP_AFTER = 8
"""Workers that must have died since an attempt was finished by any before the exploration is given up ..."""
GIVE_UP_SECONDS = 300.0
"""... and how long ago that must be."""

_POLL_SECONDS = 0.2


class _Out(NamedTuple):
    """What a worker was asked for and has not answered."""

    worker: Any
    what: Pair | Literal["prepare", "open"]


class RayPool:
    """Workers that make attempts; an ``Executor``. Those that die are replaced, and what they owed is handed out again."""

    def __init__(self, work: Work, workers: int, cluster: Cluster, begun: Begun = NOTHING_BEGUN) -> None:
        """Plan the workers; they start with the first attempts.

        Args:
            work: what they have to know.
            workers: how many are to make attempts.
            cluster: where they run.
            begun: what was stored earlier of attempts that are not finished.
        """
        import ray

        self._ray = ray
        self._work = work
        self._workers = workers
        self._cluster = cluster
        self._before = begun
        self._begun = dict(begun)
        self._store = Store(work.settings)
        self._earlier = frozenset(segment_sizes(work.settings.journal))
        """Segments from before: none of these workers writes to them."""
        self._waiting: deque[Pair] = deque()
        self._out: dict[Any, _Out] = {}
        """By the reference of the answer."""
        self._starting: dict[Any, float] = {}
        """Workers that do not answer yet, and when each was asked for."""
        self._spare: list[Any] = []
        """Workers that are ready and have no model."""
        self._opening: set[Any] = set()
        self._load: dict[Any, int] = {}
        """Attempts that each worker with a loaded model is making."""
        self._deaths = 0
        self._deaths_in_vain = 0
        """Deaths since an attempt was finished."""
        self._finished = time.monotonic()
        """When that was."""

    @property
    def together(self) -> int:
        """Attempts made at the same time."""
        return self._workers * self._work.batch

    def __call__(self, left: Sequence[Pair], should_stop: Callable[[], bool]) -> Generator[Attempted | None]:
        """Make what is left; yields each attempt once it is stored, None when stopped.

        Raises:
            LamsimError: a worker cannot go on, too many died, or Ray is gone.
        """
        self._waiting.extend(left)
        self._finished = time.monotonic()
        try:
            while self._waiting or any(self._load.values()):
                if should_stop():
                    yield None
                    return
                self._staff()
                self._hand_out()
                answered, _ = self._ray.wait(list(self._out), num_returns=1, timeout=_POLL_SECONDS)
                if not answered:
                    self._cluster.check()
                for reference in answered:
                    yield from self._answer(reference)
        finally:
            for worker in self._hired():
                self._ray.kill(worker)

    def _hired(self) -> list[Any]:
        return [*self._starting, *self._spare, *self._opening, *self._load]

    def _staff(self) -> None:
        """See that there are as many workers as there is work for, and spare ones once some have died."""
        posts = min(self._workers, len(self._waiting) + sum(self._load.values()))
        while self._spare and len(self._opening) + len(self._load) < posts:
            worker = self._spare.pop()
            self._opening.add(worker)
            self._out[worker.open.remote()] = _Out(worker, "open")
        hired = len(self._hired())
        since = time.monotonic() - LATE_SECONDS if self._deaths else 0.0
        late = sum(asked < since for asked in self._starting.values())
        wanted = min(posts + min(self._deaths, SPARES) + late, self._workers + MOST_SPARES)
        for _ in range(wanted - hired):
            worker = self._ray.remote(Worker).options(**_options(self._work, self._cluster)).remote()
            self._starting[worker] = time.monotonic()
            self._out[worker.prepare.remote(self._work)] = _Out(worker, "prepare")

    def _hand_out(self) -> None:
        """Give each worker as many attempts as it makes together."""
        for worker in self._load:
            while self._waiting and self._load[worker] < self._work.batch:
                task, attempt = pair = self._waiting.popleft()
                known = self._begun.get((task.key, attempt), ())
                self._out[worker.attempt.remote(task, attempt, list(known))] = _Out(worker, pair)
                self._load[worker] += 1

    def _answer(self, reference: Any) -> Iterator[Attempted]:
        """Take what a worker answered."""
        from ray.exceptions import RayActorError, RayError, RayTaskError

        worker, what = self._out[reference]
        try:
            attempted = self._ray.get(reference)
        except RayActorError as error:
            yield from self._bury(worker, str(error))
            return
        except RayTaskError as error:
            if isinstance(error.cause, LamsimError):
                raise error.cause from None
            raise
        except RayError as error:
            raise JobError(f"Ray cannot go on: {str(error)[:1000]}") from error
        del self._out[reference]
        if what == "prepare":
            del self._starting[worker]
            self._spare.append(worker)
        elif what == "open":
            self._opening.discard(worker)
            self._load[worker] = 0
        else:
            self._load[worker] -= 1
            yield self._got(attempted)

    def _got(self, attempted: Attempted) -> Attempted:
        self._deaths_in_vain = 0
        self._finished = time.monotonic()
        return attempted

    def _bury(self, worker: Any, cause: str) -> Iterator[Attempted]:
        """Hand out again what a dead worker owed, less what it had stored without being heard.

        Raises:
            JobError: too many died.
        """
        self._ray.kill(worker)  # one that is only cut off must not go on beside the next
        for group in (self._starting, self._load):
            group.pop(worker, None)
        self._opening.discard(worker)
        self._spare = [each for each in self._spare if each != worker]
        owed = [out.what for out in self._out.values() if out.worker == worker and not isinstance(out.what, str)]
        self._out = {reference: out for reference, out in self._out.items() if out.worker != worker}
        self._deaths += 1
        self._deaths_in_vain += 1
        stored = self._stored() if owed else {}
        how, steps = self._work.how, self._work.sampling.max_steps
        for task, attempt in reversed(owed):
            place = task.key, attempt
            if place in stored and how.finished(stored[place], steps):
                yield self._got(Attempted.of(stored[place]))
            else:
                self._waiting.appendleft((task, attempt))
                self._begun[place] = stored.get(place, self._before.get(place, ()))
        if self._deaths_in_vain >= GIVE_UP_AFTER and time.monotonic() - self._finished > GIVE_UP_SECONDS:
            raise JobError(
                f"{self._deaths_in_vain} workers died since an attempt was last finished, perhaps for want of memory: "
                f"try fewer, or a smaller batch. Ray says: {cause[:600]}"
            )

    def _stored(self) -> dict[tuple[str, int], Sequence[Trajectory]]:
        """What is stored of attempts that these workers made or went on with."""
        found: defaultdict[tuple[str, int], list[Trajectory]] = defaultdict(list)
        for each in self._store.read_run(self._work.run, without=self._earlier):
            found[each.task.key, each.attempt].append(each)
        return {place: [*self._before.get(place, ()), *made] for place, made in found.items()}


def _options(work: Work, cluster: Cluster) -> dict[str, Any]:
    """How Ray is to run a worker: its share of processors and GPUs, and the environment of the product."""
    variables = {
        "PYTHONPATH": str(REPOSITORY),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return {
        "num_cpus": cluster.processors,
        "num_gpus": cluster.gpus,
        "max_concurrency": work.batch,
        "max_restarts": 0,
        "scheduling_strategy": "SPREAD",
        # Variables only: a working directory would be packed and sent to every machine.
        "runtime_env": {"env_vars": {**work.settings.environment(), **variables}},
    }
