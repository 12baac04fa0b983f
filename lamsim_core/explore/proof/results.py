"""What a proof found: counts, the goals that were missed, and examples of anything wrong."""

from typing import Literal

from pydantic import Field, JsonValue

from lamsim_core.records import ErrorClass, Record

LEAST_RIGHT = 0.99
"""Share of the errors whose class and path must be right; all must be caught."""
MOST_WALKS = 2
"""Random walks of 100 through a template that may pass: see the contract of walks."""


class Caught(Record):
    """How often errors of one class were tried, caught, given the right class and the right path."""

    cases: int = 0
    caught: int = 0
    right_class: int = 0
    right_path: int = 0


class Spared(Record):
    """How often a legal variation was tried, and how often it was punished all the same."""

    cases: int = 0
    false_alarms: int = 0


class Withstood(Record):
    """How often a cheat was tried, and how often it passed."""

    tried: int = 0
    passed: int = 0


class Wrong(Record):
    """One thing that came out as it must not."""

    kind: Literal["error", "legal", "cheat"]
    name: str
    """The error class, the variation or the cheat."""
    what: str
    """What was tried, in a few words."""
    task: str
    place: int | None
    """The reference call the error was put at."""
    problem: str
    """What came out wrong."""
    expected: JsonValue
    got: JsonValue
    """The verdicts that failed."""
    replies: tuple[str, ...]


class ProofReport(Record):
    """The whole proof."""

    templates: int
    instances: int
    attempts: int
    seconds: float
    errors: dict[ErrorClass, Caught]
    legal: dict[str, Spared]
    cheats: dict[str, Withstood]
    walks: dict[str, Withstood]
    """Random walks by template, apart from the cheats: a look-up can be passed by chance."""
    wrong: tuple[Wrong, ...] = Field(default=())
    """Examples, some of each kind and name."""

    @property
    def missed(self) -> tuple[str, ...]:
        """The goals that were not met, in sentences."""
        sentences = []
        for name, found in self.errors.items():
            if found.caught < found.cases:
                sentences.append(f"{name}: {found.cases - found.caught} of {found.cases} errors were not caught.")
            for part, right in (("class", found.right_class), ("path", found.right_path)):
                if right < LEAST_RIGHT * found.cases:
                    sentences.append(f"{name}: {found.cases - right} of {found.cases} have a wrong {part}.")
        for what, spared in self.legal.items():
            if spared.false_alarms:
                sentences.append(f"{what}: {spared.false_alarms} of {spared.cases} were punished.")
        for what, cheat in self.cheats.items():
            if cheat.passed:
                sentences.append(f"{what}: {cheat.passed} of {cheat.tried} passed.")
        for template, walk in self.walks.items():
            if walk.passed > max(MOST_WALKS, MOST_WALKS * walk.tried / 100):
                sentences.append(f"random walks through {template}: {walk.passed} of {walk.tried} passed.")
        return tuple(sentences)
