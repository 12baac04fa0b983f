"""Attempts of a model that says what it is told to say, in any mode."""

from collections.abc import Sequence
from typing import Any, cast

from lamsim_core.agent.policy import ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.canonical import new_id
from lamsim_core.explore.episode import PLAIN, Ended, run_attempt
from lamsim_core.explore.manner import Manner
from lamsim_core.records import GoldCall, PolicyInfo, Task, Trajectory
from lamsim_core.tasks import build_environment
from tests.curate.attempts import gold_replies, stamped, tasks

MODEL = PolicyInfo(kind="model", name="tiny")
NO_TOOL = call_text(GoldCall(name="no_such_tool", arguments={}))
BROKEN = '<tool_call>\n{"name": \n</tool_call>'


class Scripted(ReplayPolicy):
    """A model whose replies are written down."""

    def __init__(self, replies: Sequence[str], info: PolicyInfo = MODEL) -> None:
        super().__init__(replies)
        self.info = info


def says(task: Task, *replies: str, manner: Manner = PLAIN, info: PolicyInfo = MODEL, **changes: Any) -> Trajectory:
    """The attempt of a model that gives these replies, one a turn; turns are limited to them."""
    events = run_attempt(task, Scripted(replies, info), run=new_id("run"), max_steps=len(replies), manner=manner)
    found = next(event.trajectory for event in events if isinstance(event, Ended))
    return stamped(found, **changes)


class Moves:
    """Replies to the task of moving an event: look it up, move it, say so."""

    def __init__(self, seed: int = 0) -> None:
        self.task = tasks(1, seed=seed)[0]
        self.look, self.move, self.close = gold_replies(self.task)
        self._look, self._move = self.task.gold
        self.event = self.task.goal[0].id

    def looks(self, **arguments: Any) -> str:
        """The lookup with other values."""
        return call_text(self._look.model_copy(update={"arguments": {**self._look.arguments, **arguments}}))

    def moves(self, **arguments: Any) -> str:
        """The move with other values."""
        return call_text(self._move.model_copy(update={"arguments": {**self._move.arguments, **arguments}}))

    @property
    def wrong_time(self) -> str:
        """A valid move to another time."""
        return self.moves(**{self.time: "2026-06-29 08:15"})

    @property
    def title(self) -> str:
        """Name of the argument of the lookup."""
        return next(iter(self._look.arguments))

    @property
    def time(self) -> str:
        """Name of the argument that says when."""
        return next(name for name, value in self._move.arguments.items() if value != self.event)

    def others(self) -> list[str]:
        """Ids of other events."""
        return [name for name in build_environment(self.task).initial()["events"] if name != self.event]

    def calls(self, own: str, *values: str) -> str:
        """A call of a tool by its own name, with values in the order of its parameters."""
        schema = next(schema for schema, bound in self.task.bound_tools if bound.tool == own)
        names = cast(dict[str, Any], schema.parameters["properties"])
        return call_text(GoldCall(name=schema.name, arguments=dict(zip(names, values, strict=False))))

    def passing(self, **changes: Any) -> Trajectory:
        """A model's attempt that passes."""
        return says(self.task, self.look, self.move, self.close, **changes)
