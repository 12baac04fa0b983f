"""An attempt: who acted, what was done, what came back, and how it was judged."""

from typing import Self

from pydantic import Field, JsonValue, model_validator

from lamsim_core.records.base import Blame, Ending, ErrorClass, FaultKind, Mode, Outcome, PolicyKind, Record
from lamsim_core.records.task import RowChange, Task

CONSTRAINED = "@constrained"
"""Ends the label of a policy whose calls were constrained."""


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
    blame: Blame | None = None
    """Whose fault it is, when the outcome is ``fail``; None in records from before it was told: the agent's."""
    evidence: dict[str, JsonValue] = Field(default_factory=dict)
    """What the finding rests on, by name: ``schema`` (the line of the tool's schema that is broken), ``seen_in``, ..."""

    @property
    def counts(self) -> bool:
        """Whether it is held against the agent: a gate that failed by the agent's own fault."""
        return self.gate and self.outcome == "fail" and self.blame in (None, "agent")


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


class Sampled(Record):
    """The tokens of one reply exactly as they were drawn, and how likely the model held each of them to be."""

    tokens: tuple[int, ...] = ()
    """Ids in the vocabulary of the model's tokenizer, with the one that ended the reply; empty when a server wrote it."""
    texts: tuple[str, ...] = ()
    """What a server wrote, token by token, for servers tell no ids."""
    logprobs: tuple[float, ...]
    """Natural logarithm of the probability of each, before temperature and top-p are applied; to 4 decimals. 0 for a token
    that a constraint forced: nothing else could come."""

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        if bool(self.tokens) and bool(self.texts):
            raise ValueError("tokens are told by their ids or by their texts, not by both")
        if len(self.logprobs) != len(self.tokens or self.texts):
            raise ValueError("there has to be one probability for each token")
        return self


class Step(Record):
    """One action and everything known about it. A reply with several calls gives several steps of the same turn."""

    index: int
    turn: int
    reply: str | None
    """The raw reply this action came from; on the first step of a turn only."""
    by_hand: bool = False
    """Whether a person wrote the reply in the policy's place. A person who acts all along is the policy."""
    proposed: str | None = None
    """What the policy had written, where a person put other words in its place; on the first step of a turn only."""
    call: ToolCall | None
    """The call, or None when the agent spoke to the user (which ends the attempt)."""
    observation: Observation | None
    """What the tool answered, and what the step is judged by."""
    shown: Observation | None = None
    """What the agent was told instead, where a person edited the result."""
    verdicts: tuple[Verdict, ...]
    changes: tuple[RowChange, ...]
    """Rows changed by this action."""
    state_before: str
    state_after: str
    """Hashes of the world's domain state."""
    usage: Usage | None = None
    """What the reply cost; on the first step of a turn by a model only."""
    sampled: Sampled | None = None
    """The reply token by token; on the first step of a turn by a model only, and not in records from before it was kept."""
    seed: int
    """Seed the reply was sampled with."""
    seconds: float
    """Time spent in the environment and the checks."""
    feedback: str | None = None
    """What the agent was told after this turn beside its results, where it was told what was wrong; on the last step of a
    turn only."""
    untaken: tuple[tuple["Step", ...], ...] = ()
    """Other replies that were tried here on a copy of the world and not taken: the steps each would have given. On the first
    step of a turn only."""

    @property
    def costs(self) -> tuple[Usage, ...]:
        """What models' replies cost here, those not taken included."""
        tried = (self, *(step for reply in self.untaken for step in reply))
        return tuple(step.usage for step in tried if step.usage is not None)

    @property
    def told(self) -> Observation | None:
        """What the agent read: the result, or what a person put in its place."""
        return self.observation if self.shown is None else self.shown

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """Gates of this action that the agent failed, or that broke down."""
        return tuple(v for v in self.verdicts if v.counts or (v.gate and v.outcome == "error"))


class Sampling(Record):
    """How replies are drawn."""

    temperature: float = 0.0
    """0 takes the likeliest token each time."""
    top_p: float = 1.0
    max_new_tokens: int = 160
    max_steps: int = 8
    """Turns allowed."""
    constrained: bool = False
    """Whether a call could only be written in its right form: an offered tool, its arguments by name and type."""


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

    @property
    def label(self) -> str:
        """The name in tables and lists: the same model with constrained calls is another policy there."""
        return f"{self.name}{CONSTRAINED}" if self.sampling and self.sampling.constrained else self.name


class Parent(Record):
    """Where a forked trajectory left another, and what a person changed there."""

    trajectory: str
    step: int
    """Index of its first own step: the steps before were taken over."""
    action: str | None = None
    """The reply a person typed in for that step, or None when the policy decided."""
    result: Observation | None = None
    """What the agent was told instead of the result of the step before, or None when it was told the result."""


class Search(Record):
    """How an attempt was made that was more than one plain try: when it passes, that is no plain pass."""

    mode: Mode
    numbers: dict[str, int]
    """The bounds of this mode, by name."""
    oracle: bool
    """Whether something steered it that an agent never has: the judgement of the end, or diagnosis by the reference."""
    place: tuple[int, ...] = ()
    """Of a path of a tree: which try it is at each turn (0 is the first), up to the turn where it left its parent."""


class Trajectory(Record):
    """One finished attempt: the task, who acted, every step, and the judgement."""

    id: str
    run: str
    """The exploration, evaluation or live session it belongs to."""
    created: str
    """UTC, ISO 8601."""
    task: Task
    attempt: int
    """Which attempt at the task; of a fork, which one at the same place. Another one draws other replies."""
    seed: int
    policy: PolicyInfo
    parent: Parent | None = None
    search: Search | None = None
    """How it was made, when not plainly."""
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
    def identity(self) -> tuple[str | int, ...]:
        """Run, policy, task and attempt: one planned attempt has at most one trajectory. Of a fork also its parent.

        A path of a tree has its place in the parent's stead.
        """
        planned = (self.run, f"{self.policy.name}+{self.policy.adapter or ''}", self.task.key, self.attempt)
        if self.search is not None and self.search.place:
            return *planned, *self.search.place
        return planned if self.parent is None else (*planned, self.parent.content_hash())

    @property
    def plain(self) -> bool:
        """Whether it was made plainly: only then is its outcome one of the agent alone."""
        return self.search is None and all(step.feedback is None for step in self.steps)

    @property
    def edited(self) -> bool:
        """Whether the agent was told something else than a tool answered: such an attempt is never scored."""
        return any(step.shown is not None for step in self.steps)

    @property
    def helped(self) -> bool:
        """Whether a person acted somewhere in the policy's place: what came of it is no result of the policy's own."""
        typed = self.parent is not None and self.parent.action is not None
        return typed or any(step.by_hand for step in self.steps)
