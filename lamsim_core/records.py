"""The frozen records: whatever is stored, sent between processes or shown is one of these.

They hold data and no behaviour beyond what can be computed from themselves. "Not scored" is None: never 0, never a
pass. NaN is refused.
"""

from functools import cached_property
from typing import Any, Literal

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
    "execution",
    "repetition",
    "ungrounded",
    "answer",
    "state",
    "collateral",
    "ending",
]
"""What kind of mistake a failed check found."""

Ending = Literal["answered", "step_limit", "token_limit", "stopped", "failed"]
"""How an attempt ended: the agent answered, a limit was met, the user stopped it, or the policy broke down."""

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

Row = dict[str, JsonValue]
"""One row of a world's table."""


class Record(BaseModel):
    """Base of all records: frozen, no unknown fields, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def content_hash(self) -> str:
        """Hash of the record's whole content."""
        return content_hash(self.model_dump(mode="json"))


class ToolCall(Record):
    """One call as the agent wrote it."""

    id: str
    """Names the call within its trajectory: ``call_<index>``."""
    name: str
    """The tool's name; empty when it could not be read."""
    arguments: dict[str, JsonValue]
    """The arguments; empty when they could not be read."""
    raw: str
    """The text the call was read from."""
    error: str | None = None
    """Why the text is not a call, or None."""


class RowChange(Record):
    """What happened to one row: inserted (no before), deleted (no after) or updated."""

    table: str
    id: str
    before: Row | None
    after: Row | None


class Observation(Record):
    """What the environment answered to a call."""

    ok: bool
    """Whether the tool ran to its end."""
    content: JsonValue
    """The result, or ``{"error": message}``."""
    fault: FaultKind | None = None
    """Why it did not run, or None."""


class Verdict(Record):
    """What one check says about one action or one finished attempt."""

    check: str
    """The check's id, e.g. ``arguments.missing``."""
    version: int
    """The check's version: verdicts of different versions are never mixed up."""
    outcome: Outcome
    gate: bool
    """Gates decide the reward; the rest is diagnosis."""
    error_class: ErrorClass | None = None
    """What kind of mistake, when the outcome is ``fail``."""
    path: str | None = None
    """JSON path of the fault within the call, e.g. ``$.arguments.amount``."""
    expected: JsonValue = None
    got: JsonValue = None
    message: str = ""
    """One sentence, written so that the model could act on it."""


class Usage(Record):
    """What one reply of a model cost."""

    prompt_tokens: int
    """Tokens in the prompt, cached ones included."""
    cached_tokens: int
    """Prompt tokens whose keys and values were already there."""
    completion_tokens: int
    prefill_seconds: float
    """Time until the first token."""
    decode_seconds: float
    """Time for the tokens after the first."""


class Step(Record):
    """One action and everything known about it. A reply with several calls gives several steps of the same turn."""

    index: int
    turn: int
    reply: str | None
    """The raw reply this action came from; on the first step of a turn only."""
    call: ToolCall | None
    """The call, or None when the agent spoke to the user (which ends the attempt)."""
    observation: Observation | None
    verdicts: tuple[Verdict, ...]
    changes: tuple[RowChange, ...]
    """Rows changed by this action."""
    state_before: str
    state_after: str
    """Hashes of the world's domain state."""
    usage: Usage | None = None
    """What the reply cost; on the first step of a turn by a model only."""
    seed: int
    """Seed the reply was sampled with."""
    seconds: float
    """Time spent in the environment and the checks."""

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """Verdicts that did not pass and are gates of this action."""
        return tuple(v for v in self.verdicts if v.gate and v.outcome in ("fail", "error"))


class ToolSchema(Record):
    """A tool as the agent sees it: name, description and JSON Schema of its parameters."""

    name: str
    description: str
    parameters: dict[str, JsonValue]

    def openai(self) -> dict[str, Any]:
        """The tool in OpenAI function shape."""
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        }


class GoldCall(Record):
    """One call of the reference solution, arguments resolved."""

    name: str
    arguments: dict[str, JsonValue]
    together: bool = False
    """Made in the same turn as the call before it."""
    fails: bool = False
    """The tool refuses it; finding that out is part of the task."""


class ExpectedAnswer(Record):
    """What the closing message must say."""

    kind: Literal["number", "text", "list", "decline", "ask"]
    """A number, one name or phrase, a set of them, that no offered tool can do what was asked, or a question."""
    value: JsonValue = None
    """For a question: words of which it names one."""
    tolerance: float = 0.005
    """For numbers: the largest accepted difference."""
    unit: str | None = None
    """For numbers: the unit the value is in (a name in ``feedback.quantities``). The same amount in another unit is the
    answer too, a quantity of another dimension is not. None when it has no unit, or none that is known."""
    ordered: bool = False
    """For lists: the values must be named in this order."""
    rivals: tuple[str, ...] = ()
    """For text and list: other values the answer must not also name (so listing everything does not pass). For a
    question: what must not be asked."""
    direct: bool = False
    """Whether a result of the reference solution holds the value itself (otherwise it is worked out)."""
    sources: tuple[tuple[JsonValue, ...], ...] = ()
    """For each result the value follows from: what only that result holds. An attempt must have seen some of each."""
    follows_from: tuple[int, ...] = ()
    """Places of the reference calls whose results these are."""


class ToolBinding(Record):
    """What is behind a tool that was offered under names of its own."""

    category: str
    tool: str
    parameters: dict[str, str]
    """The own name of each parameter offered."""


class Task(Record):
    """One instance of a template: a concrete request in a concrete world."""

    template: str
    """The template's id, e.g. ``calendar.move_meeting``."""
    category: str
    seed: int
    """Seed of the world and of the slots."""
    split: Split
    instruction: str
    """What the user says."""
    tools: tuple[ToolSchema, ...]
    """The tools offered to the agent, in the order offered."""
    gold: tuple[GoldCall, ...]
    """A reference solution. Other ways to the same end pass too."""
    closing: str
    """What the reference solution says to the user at the end."""
    answer: ExpectedAnswer | None
    """What must be said, or None when only the state counts."""
    goal: tuple[RowChange, ...]
    """What must have changed in the world, net; empty when nothing may change."""
    checks: tuple[str, ...]
    """The final gates that apply; all must pass. Never empty."""
    now: str = ""
    """The time in the world, ``YYYY-MM-DD HH:MM``; the agent is told."""
    kinds: tuple[TaskKind, ...] = ()
    worlds: tuple[str, ...] = ()
    """Categories whose tables the world holds; empty means the task's own."""
    bindings: tuple[ToolBinding, ...] = ()
    """What is behind each tool offered, in the same order; empty means the category's own tools as they are."""
    style: str = "plain"
    """How the tools look: ``plain``, or the name style they were varied into."""

    @property
    def id(self) -> str:
        """Readable name: template@seed."""
        return f"{self.template}@{self.seed}"

    @property
    def bound_tools(self) -> tuple[tuple[ToolSchema, ToolBinding], ...]:
        """Every tool offered, with what is behind it."""
        bindings = self.bindings or tuple(
            ToolBinding(category=self.category, tool=schema.name, parameters={}) for schema in self.tools
        )
        return tuple(zip(self.tools, bindings, strict=True))

    @cached_property
    def key(self) -> str:
        """Hash of the content: equal tasks have equal keys."""
        return self.content_hash()


class Sampling(Record):
    """How replies are drawn."""

    temperature: float = 0.0
    """0 takes the likeliest token each time."""
    top_p: float = 1.0
    max_new_tokens: int = 160
    max_steps: int = 8
    """Turns allowed."""


class PolicyInfo(Record):
    """Who acted, exactly: every part that can change behaviour, by hash."""

    kind: PolicyKind
    name: str
    """Name in the registry of models, or the policy's own name."""
    model_hash: str | None = None
    adapter: str | None = None
    adapter_hash: str | None = None
    template_hash: str | None = None
    """Hash of the chat template."""
    quantisation: str | None = None
    device: str | None = None
    sampling: Sampling | None = None


class Parent(Record):
    """Where a forked trajectory left another."""

    trajectory: str
    step: int


class Trajectory(Record):
    """One finished attempt: the task, who acted, every step, and the judgement."""

    id: str
    run: str
    """The exploration, evaluation or live session it belongs to."""
    created: str
    """UTC, ISO 8601."""
    task: Task
    attempt: int
    seed: int
    policy: PolicyInfo
    parent: Parent | None = None
    steps: tuple[Step, ...]
    ended: Ending
    answer: str | None
    """The closing message, or None when there was none."""
    verdicts: tuple[Verdict, ...]
    """Judgement of the whole attempt."""
    passed: bool | None
    """Whether every final gate of the task passed; None when not scored."""
    reward: float | None
    seconds: float
    error: str | None = None
    """Why the policy broke down, when ``ended`` is ``failed``."""
    versions: dict[str, str]
    """Versions of the product and of what it ran on."""

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """Run, policy, task and attempt: one planned attempt has at most one trajectory."""
        return (self.run, f"{self.policy.name}+{self.policy.adapter or ''}", self.task.key, self.attempt)


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
