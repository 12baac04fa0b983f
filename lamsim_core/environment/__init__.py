"""The simulated world: tables, transactions, tools, and the step that joins them."""

from lamsim_core.environment.environment import Environment, Transition
from lamsim_core.environment.toolspec import ToolRefusedError, ToolSpec, tool
from lamsim_core.environment.world import Snapshot, World, diff

__all__ = ["Environment", "Snapshot", "ToolRefusedError", "ToolSpec", "Transition", "World", "diff", "tool"]
