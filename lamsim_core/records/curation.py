"""From attempts to a model: decisions, frozen datasets, adapters, evaluations."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from lamsim_core.records.attempt import PolicyInfo, Sampling
from lamsim_core.records.base import Record, Split, TaskKind, ToolLooks

HeldOutSplit = Literal["unseen_instances", "unseen_tools", "unseen_categories"]
"""A split that is only for measuring."""

Share = Annotated[float, Field(gt=0, le=1)]

Keep = Literal["newest", "oldest", "shortest", "seeded"]
"""Which attempt comes first where not all can be kept: by time, by number of calls (then the newest), or drawn by a seed."""

Preset = Literal["balanced"]
"""A selection that is right for most; see ``curate.presets``."""

Weigh = Literal["verified", "all"]
"""What of an attempt is trained on: what was verified (failed actions, messages answered with feedback and the closing
message of an attempt that did not pass stay as context only), or everything the agent said: UNFILTERED."""


class Mark(Record):
    """A person's decision about a trajectory. The newest mark of a trajectory counts; older ones stay."""

    id: str
    trajectory: str
    decision: Literal["accept", "reject", "undecided"]
    tags: tuple[str, ...] = ()
    note: str = ""
    author: str
    created: str


DatasetKind = Literal["sft", "preference", "labels"]
"""What a row is: a whole attempt to learn from, two messages of which one is better, or one message and whether it was right."""

PairKind = Literal["sibling", "repair", "path", "stop"]
"""How a preference pair came about; docs/datasets.md defines each."""

Method = Literal["sft", "dpo", "kto"]
"""How an adapter is trained: on rows of the dataset kinds ``sft``, ``preference`` and ``labels``, in this order."""


class OutsideRef(Record):
    """A list of texts and tools from elsewhere that a dataset must not hold, by its name and the hash of its content."""

    name: str
    hash: str


class Selection(Record):
    """Which trajectories a dataset is made from. What is not given is as it was before the choice existed."""

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
    kinds: tuple[TaskKind, ...] = ()
    """What the task demands: at least one of these; empty means any."""
    outcomes: tuple[Literal["passed", "failed", "unscored"], ...] = ()
    """Only these, when given; ``passed_only`` then says nothing."""
    origins: tuple[Literal["plain", "forked"], ...] = ()
    """Begun from the start, or forked from another attempt; empty means both."""
    since: str = ""
    """Only attempts made at this time or later: ISO 8601, or its beginning such as a date; empty means any."""
    until: str = ""
    """Only attempts made before this time."""
    min_steps: int | None = Field(default=None, ge=0)
    max_steps: int | None = Field(default=None, ge=0)
    looks: ToolLooks | Literal["any"] = "any"
    """Whether the tools offered look as they are, or otherwise."""
    min_tools: int | None = Field(default=None, ge=0)
    """Fewest tools offered."""
    max_tools: int | None = Field(default=None, ge=0)
    sql: str = ""
    """A SELECT over the views of ``store.asked`` that returns the ids to let in; empty lets all in."""
    include: tuple[str, ...] = ()
    """Ids let in whatever outcome, tags, mistakes, steps and the question say. What never enters does not enter by this
    either: held-out tasks, edited results, attempts broken off, what a person rejected."""
    exclude: tuple[str, ...] = ()
    """Ids that stay out."""
    keep: Keep = "newest"
    """Which come first where not all are kept: of duplicates, under a cap, for shares."""
    seed: int = 0
    """For ``keep`` by seed."""
    alike: float | None = Field(default=None, gt=0, le=1)
    """Of attempts with the same template and the same calls (values aside) whose requests share at least this part of
    their words, one is kept; None keeps all that are not the same replies to the same task."""
    max_per_template: int | None = None
    """At most this many per template, those that come first."""
    category_shares: dict[str, Share] = Field(default_factory=dict)
    """Parts of the dataset that categories make up; the others share what is left of 1, and have no place when nothing is."""
    kind_shares: dict[TaskKind, Share] = Field(default_factory=dict)
    """The same by kind, after categories. A task counts for the first of its kinds that is named here."""
    policy_shares: dict[str, Share] = Field(default_factory=dict)
    """The same by who acted, after kinds."""
    decontaminate: tuple[HeldOutSplit, ...] = ()
    """Splits whose requests and tools must not be found in the dataset."""
    outside: tuple[OutsideRef, ...] = ()
    """Lists from elsewhere that must not be found in it either."""
    rows: int | None = Field(default=None, ge=1)
    """At most this many in all, cut last: what has shares keeps them, templates take turns. None means as many as are left."""
    weigh: Weigh = "verified"
    """What of each attempt is trained on."""
    spare_tools: int | None = Field(default=None, ge=0)
    """A row shows the tools its attempt needed and at most this many of the others it was offered; None shows all."""
    share_tools: int | None = Field(default=None, ge=2)
    """Up to so many attempts in one world show the same tools, in the same looks, so that training reads them once; None
    leaves each the tools it had."""
    max_errors: int | None = 0
    """Most failed actions a trajectory may hold; None means any."""
    pair_kinds: tuple[PairKind, ...] = ()
    """Of preference pairs only these; empty means all."""
    max_per_pair_kind: int | None = Field(default=None, ge=1)
    """At most this many preference pairs of each kind."""
    label_balance: float | None = Field(default=1.0, ge=1)
    """Of labels at most this many of the more frequent one for each of the other; None keeps all."""


class Dataset(Record):
    """A frozen dataset version: never changed after it was written."""

    id: str
    name: str
    created: str
    kind: DatasetKind = "sft"
    selection: Selection
    members: tuple[str, ...]
    """Ids of the trajectories the rows are made of, in row order."""
    rows: int
    counts: dict[str, dict[str, int]]
    """Rows by category, template, policy, number of calls and kind; and what was left out, by reason."""
    hash: str
    """Hash of the rows."""
    parent: str | None = None


class Recipe(Record):
    """How to train."""

    method: Method = "sft"
    beta: float = Field(default=0.1, gt=0)
    """DPO and KTO: how strongly the adapter is held to the model it starts from."""
    epochs: float = 1.0
    max_optimizer_steps: int | None = None
    learning_rate: float = 6e-4
    batch_size: int = 4
    gradient_accumulation: int = 1
    lora_rank: int = 32
    lora_alpha: int = 64
    lora_dropout: float = 0.0
    through_prompt: bool = True
    """Whether gradients go through what comes before the first trained token, too. Without, a step takes about half the time."""
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
    start: str | None = None
    """Id of the adapter whose weights it started from; None means the base model alone."""


class Trials(Record):
    """Sampled attempts, several at each task, beside those an evaluation compares by: how reliably a policy passes."""

    run: str
    sampling: Sampling | None
    """How replies were drawn; None when no model acted."""
    attempts: int
    """At each task."""
    passes: tuple[int, ...]
    """How many of them passed, for each task in the order of the plan."""
    finished: int
    """Attempts at all tasks together that came to their end."""
    pass_rate: float
    low: float
    high: float
    """95 % interval of the pass rate by a bootstrap over tasks."""
    all_pass: tuple[float, ...]
    """pass^1, pass^2, ...: the chance that so many attempts at a task all pass."""


class EvaluationRow(Record):
    """One policy's result on the tasks of an evaluation, or on those of one of its splits."""

    policy: PolicyInfo
    split: Split | None = None
    """Whose tasks; None for all of the evaluation's."""
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
    trials: Trials | None = None
    """What came of sampled attempts at the first of these tasks, where some were asked for."""


SIGNIFICANT = 0.05
"""A difference whose p is below this is called more than chance."""


class Comparison(Record):
    """Two policies on the same attempts, paired."""

    first: str
    second: str
    split: Split | None = None
    """Whose tasks; None for all of the evaluation's."""
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

    @property
    def sure(self) -> str:
        """How far the difference may be chance, in a sentence: the interval and the test have to agree that it is not."""
        apart = self.low > 0 or self.high < 0
        if apart and self.p_value < SIGNIFICANT:
            return "The interval leaves out 0 and p is below 0.05: this is more than chance."
        if apart:
            return "The interval leaves out 0, but p is not below 0.05, since few attempts differ: this may be chance."
        return "The interval holds 0: this may be chance."


class Evaluation(Record):
    """Several policies on the same held-out instances."""

    id: str
    name: str
    created: str
    split: Split
    """The first of the splits."""
    splits: tuple[Split, ...] = ()
    """All of them, with as many tasks each; empty for ``split`` alone."""
    task_keys: tuple[str, ...]
    attempts: int
    rows: tuple[EvaluationRow, ...]
    """Policy by policy: over all tasks, and where there are several splits, on each of them."""
    comparisons: tuple[Comparison, ...]
    seconds: float
    job: str | None = None
    """The job that made it."""
    asked: dict[str, JsonValue] = Field(default_factory=dict)
    """The parameters of that job; empty in records from before they were kept."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of the product and of what it ran on."""

    @property
    def parts(self) -> tuple[Split, ...]:
        """Every split it has tasks of."""
        return self.splits or (self.split,)
