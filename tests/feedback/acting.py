"""Attempts written by hand, as an agent would write them, at an instance whose tools look as they are."""

from typing import Any

from lamsim_core.agent.policy import ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.records import GoldCall, Task, Trajectory, Verdict
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")
"""Find an event, then move it."""
FIND, RESCHEDULE = MOVE.gold


def call(name: str, **arguments: Any) -> str:
    """A reply that calls a tool."""
    return call_text(GoldCall(name=name, arguments=arguments))


def tried(*replies: str, task: Task = MOVE) -> Trajectory:
    """What comes of these replies."""
    *_, last = run_attempt(task, ReplayPolicy(list(replies)), run="r")
    assert isinstance(last, Ended)
    return last.trajectory


def failures(verdicts: tuple[Verdict, ...], check: str) -> list[Verdict]:
    """What a check finds wrong."""
    return [verdict for verdict in verdicts if verdict.check == check and verdict.outcome == "fail"]


FOUND, MOVED = call_text(FIND), call_text(RESCHEDULE)
EVENT = str(RESCHEDULE.arguments["event_id"])
START = str(RESCHEDULE.arguments["start"])
