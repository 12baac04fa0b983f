"""What the index answers with: rows of lists and numbers, as frozen records."""

from typing import Literal

from lamsim_core.records import Ending, Mode, PolicyKind, Record, Split, TaskKind, ToolLooks
from lamsim_core.store.filters import Decision


class TrajectoryRow(Record):
    """A trajectory in a list: what can be said without reading its steps."""

    id: str
    run: str
    created: str
    template: str
    category: str
    kinds: tuple[TaskKind, ...]
    """What the task demands, as its template lists it."""
    task_key: str
    split: Split
    task_seed: int
    instruction: str
    """At most 2000 characters."""
    policy_kind: PolicyKind
    policy: str
    adapter: str | None
    temperature: float | None
    attempt: int
    ended: Ending
    passed: bool | None
    """None when not scored."""
    reward: float | None
    n_steps: int
    n_calls: int
    n_failed: int
    """Steps with a failed gate."""
    error_classes: tuple[str, ...]
    """Mistakes found by gates, of actions and of the whole attempt."""
    tools: tuple[str, ...]
    """Tools called, by their own names, in the order of their first call."""
    offered: tuple[str, ...]
    """Tools offered, as ``category.tool`` by their own names."""
    looks: ToolLooks
    """Whether the agent saw them as they are."""
    completion_tokens: int | None
    """None when no model wrote."""
    seconds: float
    answer: str | None
    """At most 2000 characters."""
    parent: str | None
    """The trajectory this one was forked from."""
    parent_step: int | None
    """Index of its first own step."""
    edited: bool
    """Whether the agent was told a result that a person had edited."""
    helped: bool
    """Whether a person acted somewhere in the policy's place."""
    mode: Mode
    """How it was made."""
    plain: bool
    """Whether its outcome is one of the agent alone: made plainly, and told nothing beside results."""
    decision: Decision
    """The newest human decision; ``undecided`` when there is none."""
    tags: tuple[str, ...]
    note: str
    rejudged: Literal["rescore", "review"] | None
    """What changed its verdicts last: newer checks, a person's corrections, or nothing yet."""


class RunRow(Record):
    """One run: an exploration, an evaluation or a live session."""

    run: str
    first: str
    """When its oldest trajectory was made."""
    last: str
    count: int
    passed: int
    failed: int
    unscored: int
    policies: tuple[str, ...]
    categories: tuple[str, ...]
    splits: tuple[str, ...]


class RunOutcome(Record):
    """What came of the trajectories of a run that fit a filter."""

    run: str
    first: str
    """When the oldest of them was made."""
    count: int
    passed: int
    policies: tuple[str, ...]


class Overview(Record):
    """What is stored, in numbers."""

    trajectories: int
    passed: int
    failed: int
    unscored: int
    accepted: int
    rejected: int
    undecided: int
    runs: int
    policies: int
    templates: int
    marks: int
    datasets: int
    adapters: int
    evaluations: int
    conflicts: int
    """Records left out because an older one stands for the same thing."""
    damaged: int
    """Places in the journal that could not be read."""
    newest: str | None
    """When the newest trajectory was made, or None when there is none."""


class ConflictRow(Record):
    """A record left out because an older one with other content has the same identity."""

    kind: str
    id: str
    kept: str
    """Id of the record that stands."""
    created: str


class DamageRow(Record):
    """A place in the journal that could not be read."""

    segment: str
    byte_offset: int
    byte_length: int
    reason: str
