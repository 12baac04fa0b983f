"""What every record is, and the closed sets of words records use."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from lamsim_core.canonical import content_hash

Outcome = Literal["pass", "fail", "abstain", "error"]
"""What a check says. Only ``pass`` counts as one."""

FaultKind = Literal["malformed_call", "unknown_tool", "invalid_arguments", "refused", "tool_bug"]
"""Why a call did not run: the agent's JSON, the name, the arguments, the tool's own rules, or a bug of the tool."""

ErrorClass = Literal[
    "structure",
    "tool_name",
    "argument_missing",
    "argument_unknown",
    "argument_type",
    "argument_enum",
    "argument_format",
    "argument_value",
    "tool_choice",
    "execution",
    "repetition",
    "ungrounded",
    "premature_end",
    "answer",
    "state",
    "collateral",
    "ending",
]
"""What kind of mistake a failed check found."""

Blame = Literal["agent", "tool", "task"]
"""Whose fault a failure is: only the agent's own count against it."""

Ending = Literal[
    "answered", "step_limit", "token_limit", "token_budget", "time_limit", "abandoned", "stopped", "failed"
]
"""How an attempt ended: the agent answered, a limit was met (of turns, of a reply's tokens, of the whole attempt's tokens or
seconds), a search left it, the user stopped it, or the policy broke down."""

Mode = Literal["single", "repair", "best_of", "tree"]
"""How an attempt is made: plainly, with feedback, with several replies to choose from, or as a search with backtracking."""

PolicyKind = Literal["model", "gold", "random", "noop", "human", "replay", "scripted"]
"""Who acts."""

Split = Literal["train", "unseen_instances", "unseen_tools", "unseen_categories"]
"""Which part of the tasks; the last three are held out from training (the paper's three settings)."""

TaskKind = Literal[
    "lookup",
    "write",
    "conditional",
    "aggregate",
    "multi_step",
    "parallel",
    "recovery",
    "cross",
    "no_tool",
    "ask",
]
"""What a task demands; most have several."""

ToolLooks = Literal["plain", "varied"]
"""How offered tools look: as they are, or named, described and ordered otherwise."""

Row = dict[str, JsonValue]
"""One row of a world's table."""


class Record(BaseModel):
    """Base of all records: frozen, no unknown fields, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def content_hash(self) -> str:
        """Hash of the record's whole content."""
        return content_hash(self.model_dump(mode="json"))
