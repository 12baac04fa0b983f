"""One attempt running in the app, in a thread of its own, so that a rerun or a reload of the page finds it again."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

from lamsim_core.agent.policy import PLAIN_POLICIES, HumanPolicy, ModelPolicy, Policy, make_policy
from lamsim_core.canonical import new_id, now
from lamsim_core.errors import LamsimError
from lamsim_core.explore.debugger import Debugger, Pausing
from lamsim_core.explore.edits import typed_reply
from lamsim_core.explore.episode import Acted, Ended, Event, Token, attempt_seed, run_attempt, versions
from lamsim_core.explore.fork import Fork, RestOfReference
from lamsim_core.models.backend import Backend
from lamsim_core.models.registry import get_model, open_backend, require_constrainable
from lamsim_core.records import GoldCall, Parent, PolicyInfo, Sampling, Step, Task, Trajectory
from lamsim_core.settings import Settings

LiveState = Literal["loading", "running", "paused", "your_turn", "finished", "stopped", "failed"]
KEPT = 50
"""Ended runs kept in memory."""


class LiveRun:
    """What a page may read, at any time, of an attempt that runs in another thread."""

    def __init__(
        self,
        task: Task,
        policy_name: str,
        sampling: Sampling,
        attempt: int,
        fork: Fork | None = None,
        pausing: Pausing | None = None,
        models: int = 1,
    ) -> None:
        self.id = new_id("live")
        """Also the run the trajectory is stored under."""
        self.task = task
        self.policy_name = policy_name
        self.sampling = sampling
        self.attempt = attempt
        self.fork = fork
        """Where it goes on from, when it does not start at the beginning."""
        self.models = models
        """How many models may be in memory for this run and those beside it."""
        self.trajectory_id = new_id("trj")
        """What the attempt will be stored under, so that it can be forked while it runs."""
        self.steps: tuple[Step, ...] = ()
        self.partial = ""
        """The reply being written."""
        self.trajectory: Trajectory | None = None
        self.error: str | None = None
        self.first_token_seconds: float | None = None
        """Time from the start to the first piece of text, loading included."""
        self._started = time.perf_counter()
        self._ended: float | None = None
        self._stop = threading.Event()
        self.debugger = Debugger(self._stop.is_set, pausing)
        """Holds it and changes what comes next, unless a person acts all along."""
        self._state: LiveState = "loading"
        self._info: PolicyInfo | None = None
        self._policy: Policy | None = None
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> LiveState:
        """What it is doing."""
        if self.alive and self.debugger.hold is not None:
            return "your_turn" if self.debugger.taken and self.debugger.hold.can_act else "paused"
        return self._state

    @property
    def resting(self) -> bool:
        """Whether it waits for a person, for as long as that takes."""
        return self.state in ("paused", "your_turn")

    @property
    def parent(self) -> Parent | None:
        """Where it left another attempt, when it is a fork."""
        return self.fork.parent if self.fork is not None else None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._ended is None

    @property
    def seconds(self) -> float:
        """Time since the start, or the time it took; not the time it was held."""
        return (self._ended or time.perf_counter()) - self._started - self.debugger.seconds

    def so_far(self) -> Trajectory | None:
        """The attempt as it would be stored were it stopped now, or as it is stored; None when there is nothing of it yet."""
        if self.trajectory is not None or self._info is None or not self.alive:
            return self.trajectory
        return Trajectory(
            id=self.trajectory_id,
            run=self.id,
            created=now(),
            task=self.task,
            attempt=self.attempt,
            seed=self.fork.seed if self.fork is not None else attempt_seed(self.task, self.attempt),
            policy=self._info,
            parent=self.parent,
            steps=self.steps,
            ended="stopped",
            answer=None,
            verdicts=(),
            passed=None,
            reward=None,
            seconds=self.seconds,
            versions=versions(),
        )

    def stop(self) -> None:
        """Ask it to stop; it ends after the token being written."""
        self._stop.set()

    def wait(self, timeout: float) -> bool:
        """Wait until it ended. Returns whether it did."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.alive

    def settle(self, seconds: float) -> None:
        """Give it the moment it needs to end, or to wait for a person, so that this is what is seen next."""
        until = time.monotonic() + seconds
        while self.alive and not self.resting and time.monotonic() < until:
            time.sleep(0.02)

    def act(self, reply: str | GoldCall) -> None:
        """Hand in the next reply of a person who acts as the agent, all along or after taking over.

        Raises:
            LamsimError: it is not a person's turn, or the reply cannot be used.
        """
        if self.alive and self.debugger.hold is not None:
            self.debugger.act(self.debugger.hold.number, typed_reply(reply))
            return
        if not isinstance(self._policy, HumanPolicy) or not self.alive:
            raise LamsimError("This run is not waiting for you: it has ended, or a model acts in it.")
        self._state = "running"
        self._policy.act(reply)

    def begin(
        self, settings: Settings, on_trajectory: Callable[[Trajectory], object], quantisation: str | None
    ) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._run, args=(settings, on_trajectory, quantisation), name=self.id, daemon=True
        )
        self._thread.start()

    def _run(self, settings: Settings, on_trajectory: Callable[[Trajectory], object], quantisation: str | None) -> None:
        try:
            if self.policy_name == RestOfReference.info.name:
                self._policy = RestOfReference()  # goes on wherever a person or another attempt has led it
            else:
                self._policy = _policy(settings, self.policy_name, self.sampling, quantisation, self.models)
            self._follow(self._policy, on_trajectory)
        except LamsimError as error:
            self.error, self._state = str(error), "failed"
        except Exception as error:  # the page must say that it ended; the traceback goes to the app's log
            self.error, self._state = f"The run broke down: {type(error).__name__}.", "failed"
            raise
        finally:
            self.partial, self._policy = "", None  # an ended run must not keep a model in memory
            self._ended = time.perf_counter()

    def _follow(self, policy: Policy, on_trajectory: Callable[[Trajectory], object]) -> None:
        resting: LiveState = "your_turn" if isinstance(policy, HumanPolicy) else "running"
        given = self.fork.given if self.fork is not None else 0
        self._info = policy.info
        self._state = "running" if given else resting
        for event in self._events(policy):
            if isinstance(event, Token):
                if self.first_token_seconds is None:
                    self.first_token_seconds = self.seconds
                self.partial += event.text
            elif isinstance(event, Acted):
                self.steps, self.partial = (*self.steps[: event.step.index], event.step), ""
                self._state = resting if len(self.steps) >= given else "running"
            elif isinstance(event, Ended):
                # Somebody may have looked at it for hours: that is no time the attempt took.
                took = event.trajectory.seconds - self.debugger.seconds
                trajectory = event.trajectory.model_copy(update={"seconds": took})
                on_trajectory(trajectory)
                self.trajectory = trajectory
                self.error = trajectory.error
                self._state = {"stopped": "stopped", "failed": "failed"}.get(trajectory.ended, "finished")  # type: ignore[assignment]

    def _events(self, policy: Policy) -> Iterator[Event]:
        by_person = isinstance(policy, HumanPolicy)  # who looks at everything as it is
        given: dict[str, Any] = {
            "run": self.id,
            "max_steps": self.sampling.max_steps,
            "should_stop": self._stop.is_set,
            "tell": self.debugger.tell if not by_person else lambda step: None,
            "trajectory_id": self.trajectory_id,
        }
        acting = policy if by_person else self.debugger.around(policy)
        if self.fork is not None:
            return self.fork.run(acting, **given)
        return run_attempt(self.task, acting, attempt=self.attempt, **given)


def _policy(settings: Settings, name: str, sampling: Sampling, quantisation: str | None, models: int) -> Policy:
    """The policy of a name; so many models used last stay in memory, so that the next run of them starts at once."""
    if name in (*PLAIN_POLICIES, "human"):
        return make_policy(settings, name, sampling)
    if sampling.constrained:
        require_constrainable(get_model(settings, name))
    with _loading:
        wanted = name, quantisation
        backend = _kept.pop(wanted, None)
        while len(_kept) >= models:
            del _kept[next(iter(_kept))]  # a run that still uses the old model keeps it until it ends
        _kept[wanted] = backend or open_backend(settings, name, quantisation=quantisation)
        return ModelPolicy(_kept[wanted], sampling)


_kept: dict[tuple[str, str | None], Backend] = {}
"""Models in memory, the one used last at the end."""
_loading = threading.Lock()
_runs: dict[str, LiveRun] = {}
_lock = threading.Lock()


def start_live(
    settings: Settings,
    task: Task,
    policy_name: str,
    sampling: Sampling,
    *,
    attempt: int,
    on_trajectory: Callable[[Trajectory], object],
    quantisation: str | None = None,
    pausing: Pausing | None = None,
    models: int = 1,
) -> LiveRun:
    """Start an attempt in the background of this process. Of ``models`` used last, the weights stay in memory."""
    run = LiveRun(task, policy_name, sampling, attempt, pausing=pausing, models=models)
    return _begin(run, settings, on_trajectory, quantisation)


def start_fork(
    settings: Settings,
    fork: Fork,
    policy_name: str,
    sampling: Sampling,
    *,
    on_trajectory: Callable[[Trajectory], object],
    pausing: Pausing | None = None,
) -> LiveRun:
    """Start a fork of a stored attempt in the background of this process.

    Raises:
        InvalidInputError: no turn is left to go on.
    """
    fork.require_turn(sampling.max_steps)
    run = LiveRun(fork.task, policy_name, sampling, fork.attempt, fork, pausing)
    return _begin(run, settings, on_trajectory, None)


def _begin(
    run: LiveRun, settings: Settings, on_trajectory: Callable[[Trajectory], object], quantisation: str | None
) -> LiveRun:
    with _lock:
        _runs[run.id] = run
        ended = [other for other in _runs.values() if not other.alive]
        for old in ended[: max(0, len(ended) - KEPT)]:
            del _runs[old.id]
    run.begin(settings, on_trajectory, quantisation)
    return run


def get_live(run_id: str) -> LiveRun | None:
    """A run of this process, or None when there is none (the app was restarted, or it is long over)."""
    with _lock:
        return _runs.get(run_id)


def live_runs() -> list[LiveRun]:
    """Runs of this process that are still going on."""
    with _lock:
        return [run for run in _runs.values() if run.alive]
