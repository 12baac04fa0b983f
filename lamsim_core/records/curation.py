"""From attempts to a model: decisions, frozen datasets, adapters, evaluations."""

from typing import Literal

from lamsim_core.records.attempt import PolicyInfo
from lamsim_core.records.base import Record, Split


class Mark(Record):
    """A person's decision about a trajectory. The newest mark of a trajectory counts; older ones stay."""

    id: str
    trajectory: str
    decision: Literal["accept", "reject", "undecided"]
    tags: tuple[str, ...] = ()
    note: str = ""
    author: str
    created: str


class Selection(Record):
    """Which trajectories a dataset is made from."""

    passed_only: bool = True
    """Only attempts whose every final gate passed."""
    decisions: tuple[Literal["accept", "reject", "undecided"], ...] = ("accept", "undecided")
    """Which human decisions are let in."""
    policies: tuple[str, ...] = ()
    """Policy names; empty means any."""
    categories: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    max_per_template: int | None = None
    """At most this many per template, the newest first."""
    max_errors: int | None = 0
    """Most failed actions a trajectory may hold; None means any."""


class Dataset(Record):
    """A frozen dataset version: never changed after it was written."""

    id: str
    name: str
    created: str
    kind: Literal["sft"] = "sft"
    selection: Selection
    members: tuple[str, ...]
    """Trajectory ids, in row order."""
    rows: int
    counts: dict[str, dict[str, int]]
    """Rows by category, template, policy and number of calls; and what was left out, by reason."""
    hash: str
    """Hash of the rows."""
    parent: str | None = None


class Recipe(Record):
    """How to train."""

    method: Literal["sft"] = "sft"
    epochs: float = 1.0
    max_optimizer_steps: int | None = None
    learning_rate: float = 6e-4
    batch_size: int = 4
    gradient_accumulation: int = 1
    lora_rank: int = 32
    lora_alpha: int = 64
    lora_dropout: float = 0.0
    max_length: int = 2048
    """Tokens; longer rows are dropped and counted, never cut."""
    seed: int = 0
    precision: Literal["nf4", "bf16", "fp32"] = "nf4"
    """How the frozen base weights are held while training: as they are when the model runs, unless said otherwise."""
    save_steps: int = 50


class Adapter(Record):
    """A trained adapter."""

    id: str
    name: str
    created: str
    base: str
    """Name of the base model in the registry."""
    base_hash: str
    dataset: str
    dataset_hash: str
    recipe: Recipe
    metrics: dict[str, float]
    weights_sha256: str
    job: str | None = None


class EvaluationRow(Record):
    """One policy's result on the tasks of an evaluation."""

    policy: PolicyInfo
    planned: int
    """Attempts planned: the denominator."""
    finished: int
    passed: int
    pass_rate: float
    low: float
    high: float
    """95 % Wilson interval of the pass rate."""
    actions: int
    errors: dict[str, int]
    """Failed actions by error class."""
    errors_per_100: float | None
    """Failed actions per 100 actions; None when there were no actions."""
    by_category: dict[str, tuple[int, int]]
    """Passed and planned, by category."""
    mean_seconds: float | None
    run: str


class Comparison(Record):
    """Two policies on the same attempts, paired."""

    first: str
    second: str
    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    """Second pass rate minus first."""
    low: float
    high: float
    """95 % paired bootstrap interval of the difference."""
    p_value: float
    """Exact McNemar test, two-sided."""


class Evaluation(Record):
    """Several policies on the same held-out instances."""

    id: str
    name: str
    created: str
    split: Split
    task_keys: tuple[str, ...]
    attempts: int
    rows: tuple[EvaluationRow, ...]
    comparisons: tuple[Comparison, ...]
    seconds: float
