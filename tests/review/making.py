"""Real attempts in a store, reviews of their verdicts, and checks that are changed on purpose."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lamsim_core.agent.policy import GoldPolicy, ReplayPolicy
from lamsim_core.canonical import new_id, now
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.feedback import registry
from lamsim_core.feedback.registry import Attempt, Fail, Finding
from lamsim_core.records import Review, ReviewAnswer, Trajectory
from lamsim_core.review.corrections import outcome_at
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")


def solved(run: str = "run_a", attempt: int = 0, *, passes: bool = True) -> Trajectory:
    """The reference solution: every gate passes."""
    *_, last = run_attempt(MOVE, GoldPolicy(), run=run, attempt=attempt)
    assert isinstance(last, Ended) and last.trajectory.passed is passes
    return last.trajectory


def undone(run: str = "run_a", attempt: int = 0, *, passes: bool = False) -> Trajectory:
    """An agent that only says it is done: ``state.goal`` is the one gate that fails."""
    *_, last = run_attempt(MOVE, ReplayPolicy(["Done."]), run=run, attempt=attempt)
    assert isinstance(last, Ended) and last.trajectory.passed is passes
    assert [v.check for v in last.trajectory.verdicts if v.counts] == ([] if passes else ["state.goal"])
    return last.trajectory


def review(
    trajectory: Trajectory, check: str, answer: ReviewAnswer, *, step: int | None = None, **fields: Any
) -> Review:
    """A review of what a check said, made now and in sight of the verdict unless ``fields`` say otherwise."""
    verdicts = trajectory.verdicts if step is None else trajectory.steps[step].verdicts
    given = {
        "id": new_id("rev"),
        "trajectory": trajectory.id,
        "step": step,
        "check": check,
        "version": 1,
        "said": outcome_at(verdicts, check),
        "answer": answer,
        "blind": False,
        "reviewer": "me",
        "created": now(),
    }
    return Review.model_validate({**given, **fields})


@contextmanager
def changed_check(check: str, run: Callable[[Attempt], Iterable[Finding]]) -> Iterator[None]:
    """A check of whole attempts that behaves otherwise, as its next version, until the end of the block."""
    registry.final_checks()
    old = registry._FINAL[check]
    registry._FINAL[check] = replace(old, run=run, version=old.version + 1)
    try:
        yield
    finally:
        registry._FINAL[check] = old


@contextmanager
def without_check(check: str) -> Iterator[None]:
    """A check that is gone until the end of the block."""
    kept = dict(registry.final_checks())
    del registry._FINAL[check]
    try:
        yield
    finally:
        registry._FINAL.clear()
        registry._FINAL.update(kept)


def finds_nothing(_attempt: Attempt) -> Iterator[Finding]:
    """Nothing is ever wrong."""
    return iter(())


def finds_fault(_attempt: Attempt) -> Iterator[Finding]:
    """Everything is always wrong."""
    yield Fail("state", "This is wrong on purpose.")
