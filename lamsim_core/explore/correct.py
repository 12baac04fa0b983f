"""Corrections: where an attempt of a model went wrong, the reference solution goes on from there.

A model that only ever saw perfect attempts has never seen what its own errors lead to, and repeats them. So it is shown
how to go on from just these places: DAgger (Ross, Gordon and Bagnell, 2011), with the reference solution as the expert and
forks as its answers. docs/decisions/0034-corrections.md
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from pydantic import Field

from lamsim_core.errors import DivergenceError, NotFoundError, StoppedError
from lamsim_core.explore.episode import Ended
from lamsim_core.explore.fork import Fork, RestOfReference, fork_at, reference_done, turns_of
from lamsim_core.explore.job import RUN_FILE, run_of
from lamsim_core.jobs.context import JobContext
from lamsim_core.records import Record, Trajectory
from lamsim_core.store import Store


class CorrectParams(Record):
    """What a job that corrects attempts is asked to do."""

    runs: tuple[str, ...] = Field(min_length=1)
    """Whose failed attempts are corrected."""
    most: int = Field(default=2, ge=1, le=100)
    """Corrections of one attempt, its first errors first."""


def corrections(origin: Trajectory, most: int) -> Iterator[Fork]:
    """The forks in which the reference solution can go on right after a turn that failed; the first errors first.

    None of an attempt that passed or was not scored, was forked itself, or that no model made; none where something else
    than the reference solution would have changed was changed before.
    """
    if origin.passed is not False or origin.policy.kind != "model" or origin.parent is not None:
        return
    for _, group in groupby(origin.steps, key=lambda step: step.turn):
        turn = list(group)
        after = turn[-1].index + 1
        if turn[-1].call is None or not any(step.failed for step in turn):
            continue
        if reference_done(origin.task, origin.steps[:after]) is None:
            return  # Nor can it later on.
        yield fork_at(origin, after)
        most -= 1
        if not most:
            return


def run(context: JobContext) -> dict[str, Any]:
    """Correct attempts. Parameters: see ``CorrectParams``. Returns the run of the corrections and counts.

    Raises:
        NotFoundError: a run is not there, or nothing of it is stored.
        StoppedError: it was stopped; the corrections so far are kept, and a resumed job goes on.
    """
    params = context.read(CorrectParams)
    run_id = run_of(context, RUN_FILE)
    with Store(context.settings) as store:
        made = {(each.parent.trajectory, each.parent.step): each for each in store.read_run(run_id) if each.parent}
        attempts = [attempt for name in params.runs for attempt in _attempts(store, name)]
        diverged = 0
        for number, attempt in enumerate(attempts):
            if context.should_stop():
                raise StoppedError("Stopped; the corrections so far are kept. Resume the job to make the rest.")
            context.progress(number, len(attempts), "")
            try:
                for fork in corrections(attempt, params.most):
                    place = (attempt.id, fork.parent.step)
                    if place not in made:
                        made[place] = corrected(fork, run_id)
                        store.add(made[place])
            except DivergenceError:
                diverged += 1
        context.progress(len(attempts), len(attempts), "")
    return {
        "run": run_id,
        "attempts": len(attempts),
        "corrected": len({trajectory for trajectory, _ in made}),
        "corrections": len(made),
        "passed": sum(each.passed is True for each in made.values()),
        "diverged": diverged,
    }


def _attempts(store: Store, name: str) -> list[Trajectory]:
    found = store.read_run(name)
    if not found:
        raise NotFoundError("run with attempts", name)
    return found


def corrected(fork: Fork, run_id: str) -> Trajectory:
    """The attempt with the reference solution from the fork on.

    Raises:
        DivergenceError: the steps before do not come out as they are recorded.
    """
    turns = turns_of(fork.taken) + len(fork.task.gold) + 1
    *_, last = fork.run(RestOfReference(), run=run_id, max_steps=turns)
    assert isinstance(last, Ended)
    return last.trajectory
