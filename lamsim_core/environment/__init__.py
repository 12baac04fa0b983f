"""The simulated world: tables, transactions, tools, and the step that joins them."""

from lamsim_core.environment.environment import Environment, Transition
from lamsim_core.environment.lookup import Ids, folded, has_words, require_listed, require_named, require_row, view
from lamsim_core.environment.times import DAY, MOMENT, Clock, Day, Moment, parse_day, parse_moment
from lamsim_core.environment.toolspec import ToolRefusedError, ToolSpec, tool
from lamsim_core.environment.world import FrozenRow, Snapshot, World, diff

__all__ = [
    "DAY",
    "MOMENT",
    "Clock",
    "Day",
    "Environment",
    "FrozenRow",
    "Ids",
    "Moment",
    "Snapshot",
    "ToolRefusedError",
    "ToolSpec",
    "Transition",
    "World",
    "diff",
    "folded",
    "has_words",
    "parse_day",
    "parse_moment",
    "require_listed",
    "require_named",
    "require_row",
    "tool",
    "view",
]
