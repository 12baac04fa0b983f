"""One step: a call meets the world. Whatever the agent wrote, a step answers with an observation and never raises."""

from collections.abc import Mapping
from copy import copy
from typing import NamedTuple

from lamsim_core.environment.arguments import did_you_mean
from lamsim_core.environment.toolspec import ToolRefusedError, ToolSpec
from lamsim_core.environment.world import Snapshot, World, diff
from lamsim_core.records import FaultKind, Observation, RowChange, ToolCall


class Transition(NamedTuple):
    """What one call did."""

    observation: Observation
    changes: tuple[RowChange, ...]
    before: str
    after: str
    """State hashes."""


class Environment:
    """A world and the tools offered in it."""

    def __init__(self, world: World, tools: Mapping[str, ToolSpec]) -> None:
        """Start in ``world`` (which is copied, so that ``reset`` can return to it) with ``tools`` by offered name."""
        self._origin = world.copy()
        self.tools = dict(tools)
        self._offered = {spec.origin or name: name for name, spec in self.tools.items()}
        self.reset()

    def reset(self) -> None:
        """Go back to the first state."""
        self.world = self._origin.copy()

    def copy(self) -> "Environment":
        """The same environment in the same state; what is done in one does not reach the other."""
        twin = copy(self)
        twin.world = self.world.copy()
        return twin

    def initial(self) -> Snapshot:
        """The state before the first step."""
        return self._origin.snapshot()

    def net_changes(self) -> tuple[RowChange, ...]:
        """What all steps together changed."""
        return diff(self._origin.snapshot(), self.world.snapshot())

    def step(self, call: ToolCall) -> Transition:
        """Run one call in a transaction. A call that does not succeed changes nothing."""
        before = self.world.state_hash()
        observation = self._run(call)
        if not observation.ok:
            return Transition(observation, (), before, before)
        return Transition(observation, self.world.changes(), before, self.world.state_hash())

    def _run(self, call: ToolCall) -> Observation:
        if call.error is not None:
            return _fault("malformed_call", call.error)
        spec = self.tools.get(call.name)
        if spec is None:
            hint = did_you_mean(call.name, self.tools)
            return _fault("unknown_tool", f"There is no tool named {call.name[:80]!r}.{hint}")
        faults = spec.validator.faults(call.arguments)
        if faults:
            return _fault("invalid_arguments", " ".join(fault.message for fault in faults[:5]))
        try:
            with self.world.transaction():
                return Observation(ok=True, content=spec.run(self.world, call.arguments))
        except ToolRefusedError as refusal:
            known = self._offered.get(refusal.see or "")
            return _fault("refused", f"{refusal} Look it up with {known}." if known else str(refusal))
        except Exception as bug:  # a tool's bug is the tool's fault: the agent is told, the attempt goes on
            return _fault("tool_bug", f"The tool {call.name!r} broke down ({type(bug).__name__}).")


def _fault(kind: FaultKind, message: str) -> Observation:
    return Observation(ok=False, content={"error": message}, fault=kind)
