"""Ray itself: one of our own on this machine, or a cluster that is there already. What runs on it is in ``ray_pool``."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from math import ceil
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]

from lamsim_core.errors import InvalidInputError, JobError, StoppedError

MOST_SPARES = 10
"""Workers beyond those asked for that there may be when some died."""

CONNECT_SECONDS = 5.0
"""How long the address of a cluster may take to accept a connection."""
HEALTH_SECONDS = 30.0
"""How long a cluster may take to say that it is one."""

_LEAVE_SECONDS = 5.0
_OBJECT_STORE_BYTES = 80 * 2**20
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What makes Ray use 127.0.0.1 as the address of this machine, and then listen there only; on Linux nothing else does."""
_OURS = {
    "RAY_AUTH_MODE": "token",
    # Workers are started for our actors when they are asked for; none ahead.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    # A worker killed before it has told Ray that it is there is missed only after this time (else 60 s), and until then
    # counts among those that start, of which there may be so many (else one for each processor).
    "RAY_worker_register_timeout_seconds": "20",
    "RAY_worker_maximum_startup_concurrency": str((os.cpu_count() or 1) + MOST_SPARES),
    # When this process is killed, Ray's agents try to tell their head, which died with it, before they leave.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
}
"""What is said to a Ray of our own by its environment."""


class Cluster(NamedTuple):
    """Ray, ready to be used."""

    check: Callable[[], None]
    """Raises ``JobError`` when Ray has died, where that would not be found out otherwise."""
    processors: int
    """For each worker."""
    gpus: float
    """For each worker, a fraction when several share one."""


def fair_share(processors: Sequence[int], workers: int) -> int:
    """The most processors each worker can have on machines with so many, so that all find room; at least one."""
    most = max(processors, default=1)
    return next((n for n in range(most, 1, -1) if sum(count // n for count in processors) >= workers), 1)


def _offered(nodes: Sequence[Mapping[str, Any]], kind: str) -> list[int]:
    return [int(node["Resources"].get(kind, 0)) for node in nodes if node["Alive"]]


def _gpu_share(nodes: Sequence[Mapping[str, Any]], workers: int) -> float:
    gpus = sum(_offered(nodes, "GPU"))
    return 1 / ceil(workers / gpus) if gpus else 0


@contextmanager
def ray_here(workers: int) -> Iterator[Cluster]:
    """A Ray of our own on the loopback address, which only who knows a random word can use; nothing of it is left.

    The environment of this process belongs to Ray from then on.

    Raises:
        JobError: it cannot be started.
        StoppedError: a stop was asked for while it was starting.
    """
    os.environ.update({**_LOOPBACK, **_OURS, "RAY_AUTH_TOKEN": _token()})
    processors = fair_share([os.cpu_count() or 1], workers)
    # Not in the job's folder: the paths of Unix sockets end at 107 characters.
    folder = tempfile.mkdtemp(prefix="lamsim-", dir="/tmp")
    me = psutil.Process()
    before = set(me.children(recursive=True))
    try:
        with _connected(
            address="local",
            num_cpus=processors * (workers + MOST_SPARES),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _temp_dir=folder,
        ):
            core = [each for each in me.children() if each not in before and each.name() in ("raylet", "gcs_server")]

            def check() -> None:
                if not all(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in core):
                    raise JobError("Ray has died on this machine, perhaps for want of memory. Resume to go on.")

            import ray

            try:
                yield Cluster(check, processors, _gpu_share(ray.nodes(), workers))
            finally:
                started = set(me.children(recursive=True)) - before
        _, left = psutil.wait_procs(started, timeout=_LEAVE_SECONDS)
        for process in left:
            process.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ray_cluster(address: str, workers: int) -> Iterator[Cluster]:
    """The cluster of this address; its death is found out by Ray. Its processors and GPUs are shared out evenly.

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
        import ray

        nodes = ray.nodes()
        yield Cluster(lambda: None, fair_share(_offered(nodes, "CPU"), workers), _gpu_share(nodes, workers))


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
