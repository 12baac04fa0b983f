"""The same attempts made by workers under Ray, on this machine or on a cluster: same seeds, same trajectories.

Nothing but tasks and acknowledgements crosses the network: a worker stores what it finished before it says so. One that
dies loses the attempts it was in the middle of, and they are handed out again. Only this module knows Ray.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from math import ceil
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]

from lamsim_core.errors import InvalidInputError, JobError, LamsimError, StoppedError
from lamsim_core.explore.engine import Attempted, Pair
from lamsim_core.explore.worker import Work, Worker
from lamsim_core.settings import REPOSITORY
from lamsim_core.store import Store
from lamsim_core.store.segments import segment_sizes

DEATHS_IN_A_ROW = 8
"""Workers that may die one after the other without an attempt finished by any, before the exploration is given up."""

CONNECT_SECONDS = 5.0
"""How long the address of a cluster may take to accept a connection."""
HEALTH_SECONDS = 30.0
"""How long a cluster may take to say that it is one."""

_POLL_SECONDS = 0.2
_LEAVE_SECONDS = 5.0
_OBJECT_STORE_BYTES = 80 * 2**20
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What makes Ray use 127.0.0.1 as the address of this machine, and then listen there only; on Linux nothing else does."""


class _Out(NamedTuple):
    """What a worker was asked for and has not answered."""

    worker: Any
    pair: Pair | None
    """The attempt, or None when it is to load its model."""


class RayPool:
    """Workers that make attempts; an ``Executor``. Those that die are replaced, and what they owed is handed out again."""

    def __init__(self, work: Work, workers: int, check: Callable[[], None]) -> None:
        """Plan the workers; they start with the first attempts.

        Args:
            work: what they have to know.
            workers: how many there are to be.
            check: raises when Ray itself is gone.
        """
        import ray

        self._ray = ray
        self._work = work
        self._workers = workers
        self._check = check
        self._options = _options(work, workers, ray.nodes())
        self._store = Store(work.settings)
        self._earlier = frozenset(segment_sizes(work.settings.journal))
        """Segments from before: none of these workers writes to them."""
        self._waiting: deque[Pair] = deque()
        self._out: dict[Any, _Out] = {}
        """By the reference of the answer."""
        self._hired: set[Any] = set()
        self._load: dict[Any, int] = {}
        """Attempts that each worker with a loaded model is making."""
        self._deaths = 0

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
        try:
            for _ in range(min(self._workers, len(left))):
                self._hire()
            while self._waiting or any(self._load.values()):
                if should_stop():
                    yield None
                    return
                answered, _ = self._ray.wait(list(self._out), num_returns=1, timeout=_POLL_SECONDS)
                if not answered:
                    self._check()
                for reference in answered:
                    yield from self._answer(reference)
                self._hand_out()
        finally:
            for worker in self._hired:
                self._ray.kill(worker)

    def _hire(self) -> None:
        """Start a worker; it gets attempts when its model is loaded."""
        worker = self._ray.remote(Worker).options(**self._options).remote()
        self._hired.add(worker)
        self._out[worker.open.remote(self._work)] = _Out(worker, None)

    def _hand_out(self) -> None:
        """Give each worker as many attempts as it makes together."""
        for worker in self._load:
            while self._waiting and self._load[worker] < self._work.batch:
                pair = self._waiting.popleft()
                self._out[worker.attempt.remote(*pair)] = _Out(worker, pair)
                self._load[worker] += 1

    def _answer(self, reference: Any) -> Iterator[Attempted]:
        """Take what a worker answered."""
        from ray.exceptions import RayActorError, RayError, RayTaskError

        worker, pair = self._out[reference]
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
        if pair is None:
            self._load[worker] = 0
            return
        self._load[worker] -= 1
        self._deaths = 0
        yield attempted

    def _bury(self, worker: Any, cause: str) -> Iterator[Attempted]:
        """Hand out again what a dead worker owed, less what it had stored without being heard, and replace it.

        Raises:
            JobError: too many died.
        """
        self._ray.kill(worker)  # one that is only cut off must not go on beside the next
        self._hired.discard(worker)
        self._load.pop(worker, None)
        owed = [out.pair for out in self._out.values() if out.worker == worker and out.pair is not None]
        self._out = {reference: out for reference, out in self._out.items() if out.worker != worker}
        stored = {}
        if owed:
            found = self._store.read_run(self._work.run, without=self._earlier)
            stored = {(each.task.key, each.attempt): each for each in found}
        self._deaths += 1
        for task, attempt in reversed(owed):
            if (trajectory := stored.get((task.key, attempt))) is not None:
                self._deaths = 0
                yield Attempted.of(trajectory)
            else:
                self._waiting.appendleft((task, attempt))
        if self._deaths >= DEATHS_IN_A_ROW:
            raise JobError(
                f"{self._deaths} workers died in a row without finishing an attempt, perhaps for want of memory: try "
                f"fewer, or a smaller batch. Ray says: {cause[:600]}"
            )
        if self._waiting:
            self._hire()


def _options(work: Work, workers: int, nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How Ray is to run a worker: its share of processors and GPUs, and the environment of the product."""
    offers = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = sum(int(offer.get("GPU", 0)) for offer in offers)
    variables = {
        "PYTHONPATH": str(REPOSITORY),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return {
        "num_cpus": fair_share([int(offer.get("CPU", 0)) for offer in offers], workers),
        "num_gpus": 1 / ceil(workers / gpus) if gpus else 0,
        "max_concurrency": work.batch,
        "max_restarts": 0,
        "scheduling_strategy": "SPREAD",
        # Variables only: a working directory would be packed and sent to every machine.
        "runtime_env": {"env_vars": {**work.settings.environment(), **variables}},
    }


def fair_share(processors: Sequence[int], workers: int) -> int:
    """The most processors each worker can have on machines with so many, so that all find room; at least one."""
    most = max(processors, default=1)
    return next((n for n in range(most, 1, -1) if sum(count // n for count in processors) >= workers), 1)


@contextmanager
def ray_pool(work: Work, workers: int, address: str | None) -> Iterator[RayPool]:
    """Workers on the cluster at ``address`` or, without one, on this machine: there nothing of Ray is left afterwards.

    The environment of this process belongs to Ray from then on.

    Raises:
        InvalidInputError: the address is not one.
        JobError: no cluster can be used at the address, or Ray cannot be started here.
        StoppedError: a stop was asked for while Ray was starting.
    """
    with ray_here(workers) if address is None else ray_cluster(address) as check:
        yield RayPool(work, workers, check)


@contextmanager
def ray_here(workers: int) -> Iterator[Callable[[], None]]:
    """A Ray of our own on the loopback address, which only who knows a random word can use.

    Yields:
        What raises ``JobError`` when Ray has died.

    Raises:
        JobError: it cannot be started.
        StoppedError: a stop was asked for while it was starting.
    """
    os.environ.update(_LOOPBACK)
    os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()})
    # Workers are started for our actors when they are asked for; none ahead.
    os.environ.update({"RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0"})
    # When this process is killed, Ray's agents try to tell their head, which died with it, before they leave.
    os.environ.update({"RAY_gcs_rpc_server_reconnect_timeout_s": "10"})
    # Not in the job's folder: the paths of Unix sockets end at 107 characters.
    folder = tempfile.mkdtemp(prefix="lamsim-", dir="/tmp")
    me = psutil.Process()
    before = set(me.children(recursive=True))
    try:
        with _connected(
            address="local",
            num_cpus=max(workers, os.cpu_count() or 1),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _temp_dir=folder,
        ):
            core = [each for each in me.children() if each not in before and each.name() in ("raylet", "gcs_server")]

            def check() -> None:
                if not all(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in core):
                    raise JobError("Ray has died on this machine, perhaps for want of memory. Resume to go on.")

            try:
                yield check
            finally:
                started = set(me.children(recursive=True)) - before
        _, left = psutil.wait_procs(started, timeout=_LEAVE_SECONDS)
        for process in left:
            process.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ray_cluster(address: str) -> Iterator[Callable[[], None]]:
    """The cluster of this address; its death is found out by Ray.

    Raises:
        InvalidInputError: this is not an address.
        JobError: no cluster can be used there.
        StoppedError: a stop was asked for while it was being reached.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise InvalidInputError(
            f"{address[:120]!r} is not the address of a Ray cluster. Expected host:port of its head, as `ray start --head` "
            "prints it, such as 10.0.0.5:6379."
        )
    if host in ("127.0.0.1", "localhost"):
        os.environ.update(_LOOPBACK)
    _require_cluster(host, int(port))
    with _connected(address=address):
        yield lambda: None


def _require_cluster(host: str, port: int) -> None:
    """Find out soon whether a cluster answers: Ray itself would try for minutes.

    Raises:
        JobError: none does.
    """
    why = ""
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
        asked = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", f"{host}:{port}"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=HEALTH_SECONDS)
        if found.returncode:
            why = (found.stderr or found.stdout).strip()[-400:] or f"its health check failed ({found.returncode})"
    except subprocess.TimeoutExpired:
        why = f"what listens there did not say within {HEALTH_SECONDS:.0f} s that it is one"
    except (OSError, OverflowError) as error:
        why = str(error)
    if why:
        raise JobError(
            f"No Ray cluster can be used at {host}:{port}: {why}. Expected the head of a running cluster with the same "
            "version of Ray. Start it with `ray start --head`, correct --address, or leave it out to run on this machine."
        )


@contextmanager
def _connected(**options: Any) -> Iterator[None]:
    """Ray, as long as the block lasts. Signals go on reaching who heard them before."""
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"})
    import ray
    from ray.exceptions import RayError

    on_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        try:
            ray.init(log_to_driver=False, configure_logging=False, **options)
        except SystemExit as stop:  # how Ray takes a SIGTERM
            raise StoppedError("Stopped while Ray was starting.") from stop
        except (RayError, RuntimeError, ValueError, OSError) as error:
            raise JobError(
                f"Ray could not be used ({str(error)[:600]}). A cluster given by --address must have this machine as a "
                "member (`ray start --address=...`). Its log, or `ray status`, may say more."
            ) from error
        finally:
            if on_main:
                signal.signal(signal.SIGTERM, handler)
        yield
    finally:
        ray.shutdown()


@cache
def _token() -> str:
    """A random word, the same for as long as this process lives: Ray reads it once."""
    return secrets.token_hex(32)
