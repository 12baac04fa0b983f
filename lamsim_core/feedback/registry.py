"""How a check is written: a pure function that yields findings, registered under an id with a version.

A check that finds nothing wrong yields nothing and passes; one that does not apply yields ``Abstain``; one that raises
is recorded as ``error``. Only ``pass`` ever counts as a pass.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from pydantic import JsonValue

from lamsim_core.canonical import content_hash
from lamsim_core.environment.arguments import ArgumentFault
from lamsim_core.feedback.reward import CUT_SHORT
from lamsim_core.records import Blame, Ending, ErrorClass, Observation, RowChange, Step, Task, ToolCall, Verdict


class Fail(NamedTuple):
    """Something is wrong."""

    error_class: ErrorClass | None
    message: str
    """One sentence the agent could act on."""
    path: str | None = None
    expected: JsonValue = None
    got: JsonValue = None
    blame: Blame = "agent"
    evidence: Mapping[str, JsonValue] = MappingProxyType({})
    """What the finding rests on, by name."""


class Abstain(NamedTuple):
    """The check does not apply here."""

    why: str


Finding = Fail | Abstain


@dataclass(frozen=True)
class Action:
    """One action as the checks see it."""

    task: Task
    call: ToolCall | None
    """None when the agent spoke to the user."""
    text: str
    """The raw reply."""
    offered: bool
    """Whether the called name is one of the tools offered."""
    argument_faults: tuple[ArgumentFault, ...]
    """How the arguments break the schema of the tool as offered."""
    observation: Observation | None
    changes: tuple[RowChange, ...]
    history: Sequence[Step]


@dataclass(frozen=True)
class Attempt:
    """A finished attempt as the checks see it."""

    task: Task
    steps: Sequence[Step]
    ended: Ending
    answer: str | None
    changes: tuple[RowChange, ...]
    """Net changes of the world."""
    passed: bool | None = None
    """What the gates came to; known to the diagnostics only, which are made after the gates."""

    @property
    def tool_broke(self) -> bool:
        """Whether a tool broke down on the way: then what is left undone may not be the agent's fault."""
        return any(step.observation is not None and step.observation.fault == "tool_bug" for step in self.steps)

    @property
    def unfinished(self) -> bool:
        """Whether it was cut short by somebody else than the agent: then nothing it left undone can be held against it."""
        return self.ended in CUT_SHORT


Subject = TypeVar("Subject", Action, Attempt)


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """A registered check."""

    id: str
    version: int
    gate: bool
    about: str
    """What it checks, in one sentence."""
    run: Callable[[Subject], Iterable[Finding]]
    passed: Verdict = field(init=False)
    """The verdict of a pass, made once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "passed", Verdict(check=self.id, version=self.version, outcome="pass", gate=self.gate))

    def judge(self, subject: Subject) -> tuple[Verdict, ...]:
        """The verdicts of this check: one pass, one abstention, one error, or every failure found."""
        try:
            findings = list(self.run(subject))
            return tuple(self._verdict(finding) for finding in findings) or (self.passed,)
        except Exception as error:  # a check that breaks down has not passed anything
            why = f"The check broke down: {type(error).__name__}: {str(error)[:200]}"
            return (Verdict(check=self.id, version=self.version, outcome="error", gate=self.gate, message=why),)

    def _verdict(self, finding: Finding) -> Verdict:
        if isinstance(finding, Abstain):
            return _abstained(self.id, self.version, self.gate, finding.why)
        return Verdict(
            check=self.id,
            version=self.version,
            outcome="fail",
            gate=self.gate,
            error_class=finding.error_class,
            path=finding.path,
            expected=finding.expected,
            got=finding.got,
            message=finding.message,
            blame=finding.blame,
            evidence=dict(finding.evidence),
        )


@lru_cache(maxsize=256)
def _abstained(check: str, version: int, gate: bool, why: str) -> Verdict:
    """An abstention, made once: a check has few reasons for one."""
    return Verdict(check=check, version=version, outcome="abstain", gate=gate, message=why)


_ACTION: dict[str, Check[Action]] = {}
_FINAL: dict[str, Check[Attempt]] = {}


def action_check(
    check_id: str, *, version: int, gate: bool
) -> Callable[[Callable[[Action], Iterable[Finding]]], Callable[[Action], Iterable[Finding]]]:
    """Register a check of single actions; the docstring's first line says what it checks."""

    def register(run: Callable[[Action], Iterable[Finding]]) -> Callable[[Action], Iterable[Finding]]:
        _add(_ACTION, Check(check_id, version, gate, _about(run), run))
        return run

    return register


def final_check(
    check_id: str, *, version: int, gate: bool
) -> Callable[[Callable[[Attempt], Iterable[Finding]]], Callable[[Attempt], Iterable[Finding]]]:
    """Register a check of whole attempts; the docstring's first line says what it checks."""

    def register(run: Callable[[Attempt], Iterable[Finding]]) -> Callable[[Attempt], Iterable[Finding]]:
        _add(_FINAL, Check(check_id, version, gate, _about(run), run))
        return run

    return register


def _about(run: Callable[..., object]) -> str:
    lines = (run.__doc__ or "").strip().splitlines()
    if not lines:
        raise TypeError(f"check {getattr(run, '__name__', run)!r} needs a docstring that says what it checks")
    return lines[0]


def _add(registry: dict[str, Check[Subject]], check: Check[Subject]) -> None:
    if check.id in registry:
        raise ValueError(f"two checks are named {check.id!r}")
    registry[check.id] = check


def action_checks() -> Mapping[str, Check[Action]]:
    """Every check of single actions, in the order they were registered."""
    from lamsim_core.feedback import actions, diagnosis  # noqa: F401 - they register their checks

    return _ACTION


def final_checks() -> Mapping[str, Check[Attempt]]:
    """Every check of whole attempts, in the order they were registered."""
    from lamsim_core.feedback import attempts  # noqa: F401 - registers its checks

    return _FINAL


def check_versions() -> dict[str, int]:
    """The version of every check in force."""
    return {
        **{check.id: check.version for check in action_checks().values()},
        **{check.id: check.version for check in final_checks().values()},
    }


def checks_hash() -> str:
    """Names the checks in force, by id and version: 32 hexadecimal characters."""
    return content_hash(check_versions())
