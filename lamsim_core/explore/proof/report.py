"""The proof itself: everything is tried on the real path, and what the judge says is held beside what it must say."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from pydantic import JsonValue

from lamsim_core.agent.policy import RandomPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.proof.case import Cheat, Injection, Mark, Variation
from lamsim_core.explore.proof.cheats import cheats
from lamsim_core.explore.proof.errors import injections
from lamsim_core.explore.proof.legal import variations
from lamsim_core.explore.proof.results import Caught, ProofReport, Spared, Withstood, Wrong
from lamsim_core.explore.proof.scene import CutPolicy, Scene, attempt
from lamsim_core.records import ErrorClass, Trajectory, Verdict
from lamsim_core.tasks import Template, instantiate

QUIET = frozenset({"arguments.grounded", "arguments.value", "ending.premature", "repetition", "path.deviation"})
"""Diagnostics that a legal attempt must not set off. The others tell of the way, not of mistakes."""
_LONGEST = 600


def prove(
    templates: Sequence[Template],
    seeds: Sequence[int],
    *,
    walks: int = 10,
    examples: int = 3,
    on_progress: Callable[[int, int, str], None] = lambda done, total, message: None,
) -> ProofReport:
    """Try every error, legal variation and cheat on the instances of ``seeds``.

    Args:
        templates: whose instances.
        seeds: which instances.
        walks: random walks through each instance.
        examples: how many of each kind of wrong outcome are kept.
        on_progress: told of each template.

    Raises:
        TaskTemplateError: a template has no fair instance for a seed.
    """
    started = time.perf_counter()
    proof = _Proof(examples)
    for number, template in enumerate(templates):
        on_progress(number, len(templates), template.id)
        for seed in seeds:
            proof.try_instance(Scene(instantiate(template, seed)), walks)
    return proof.report(len(templates), len(templates) * len(seeds), time.perf_counter() - started)


class _Proof:
    """Counts while instances are tried."""

    def __init__(self, examples: int) -> None:
        self._examples = examples
        self._attempts = 0
        self._errors: dict[ErrorClass, Counter[str]] = {}
        self._legal: dict[str, Counter[str]] = {}
        self._cheats: dict[str, Counter[str]] = {}
        self._walks: dict[str, Counter[str]] = {}
        self._wrong: list[Wrong] = []
        self._kept: Counter[tuple[str, str, str]] = Counter()

    def try_instance(self, scene: Scene, walks: int) -> None:
        """Everything on one instance."""
        for injection in injections(scene):
            self._try_error(scene, injection)
        for variation in variations(scene):
            self._try_legal(scene, variation)
        for cheat in cheats(scene):
            self._try_cheat(scene, cheat)
        walked = self._walks.setdefault(scene.task.template, Counter())
        for walk in range(walks):
            self._attempts += 1
            *_, last = run_attempt(scene.task, RandomPolicy(), run="proof", attempt=walk)
            walked["tried"] += 1
            walked["passed"] += isinstance(last, Ended) and last.trajectory.passed is True

    def _try_error(self, scene: Scene, case: Injection) -> None:
        self._attempts += 1
        policy = CutPolicy(case.replies) if case.cut else case.replies
        made = attempt(scene.task, policy, case.max_steps)
        for mark in case.marks:
            count = self._errors.setdefault(mark.error_class, Counter())
            count["cases"] += 1
            problem = _judged(made, case, mark)
            count["caught"] += problem not in ("not caught", "not failed", "not passed")
            count["right_class"] += problem in (None, "wrong path")
            count["right_path"] += problem is None
            if problem:
                wanted: JsonValue = {"step": mark.step, "paths": list(mark.paths), "passes": case.passes}
                self._note("error", mark.error_class, case.what, scene, case.place, problem, wanted, made)

    def _try_legal(self, scene: Scene, case: Variation) -> None:
        self._attempts += 1
        made = attempt(scene.task, case.replies)
        count = self._legal.setdefault(case.what, Counter())
        count["cases"] += 1
        problem = _punished(made, case)
        if problem:
            count["false_alarms"] += 1
            self._note("legal", case.what, "", scene, case.corrected, problem, None, made)

    def _try_cheat(self, scene: Scene, case: Cheat) -> None:
        self._attempts += 1
        made = attempt(scene.task, case.replies, case.max_steps)
        count = self._cheats.setdefault(case.what, Counter())
        count["tried"] += 1
        if made.passed is True:
            count["passed"] += 1
            self._note("cheat", case.what, "", scene, None, "passed", None, made)

    def _note(
        self,
        kind: Literal["error", "legal", "cheat"],
        name: str,
        what: str,
        scene: Scene,
        place: int | None,
        problem: str,
        expected: JsonValue,
        made: Trajectory,
    ) -> None:
        key = (kind, name, problem if kind == "error" else "")
        self._kept[key] += 1
        if self._kept[key] > self._examples:
            return
        found: list[JsonValue] = [
            {"step": step, "check": v.check, "class": v.error_class, "path": v.path, "message": v.message[:_LONGEST]}
            for step, v in _failed(made)
        ]
        replies = tuple(step.reply[:_LONGEST] for step in made.steps if step.reply is not None)
        self._wrong.append(
            Wrong(
                kind=kind,
                name=name,
                what=what,
                task=scene.task.id,
                place=place,
                problem=problem,
                expected=expected,
                got=found,
                replies=replies[:8],
            )
        )

    def report(self, templates: int, instances: int, seconds: float) -> ProofReport:
        """Everything counted so far."""
        return ProofReport(
            templates=templates,
            instances=instances,
            attempts=self._attempts,
            seconds=seconds,
            errors={name: Caught(**self._errors.get(name, Counter())) for name in get_args(ErrorClass)},
            legal={name: Spared(**count) for name, count in self._legal.items()},
            cheats={name: Withstood(**count) for name, count in self._cheats.items()},
            walks={name: Withstood(**count) for name, count in self._walks.items()},
            wrong=tuple(self._wrong),
        )


def _failed(made: Trajectory) -> list[tuple[int | None, Verdict]]:
    """Every failed verdict with the step it is on; those of the whole attempt last."""
    on_steps = [(step.index, verdict) for step in made.steps for verdict in step.verdicts]
    return [(at, v) for at, v in (*on_steps, *((None, v) for v in made.verdicts)) if v.outcome in ("fail", "error")]


def _judged(made: Trajectory, case: Injection, mark: Mark) -> str | None:
    """What is wrong with the judgement of an error, or None."""
    failed = _failed(made)
    here = [v for at, v in failed if at == mark.step and v.error_class is not None and v.blame in (None, "agent")]
    if not here:
        return "not caught"
    if case.passes is not None and made.passed is not case.passes:
        return "not passed" if case.passes else "not failed"
    if case.passes and any(v.counts and at not in (None, case.place) for at, v in failed):
        return "another action is blamed"
    ours = {other.error_class for other in case.marks if other.step == mark.step}
    if mark.step is not None and any(v.counts and v.error_class not in ours | _ALLOWED[mark.error_class] for v in here):
        return "another class as well"
    alike = [v for v in here if v.error_class == mark.error_class]
    if not alike:
        return "wrong class"
    right = [v for v in alike if v.path in mark.paths]
    if mark.names is not None:
        right = [v for v in right if (v.expected, v.got) == mark.names]
    return None if right else "wrong path"


class _Allowed(dict[ErrorClass, frozenset[ErrorClass]]):
    """Gates that may fail beside an error: its own consequences."""

    def __missing__(self, key: ErrorClass) -> frozenset[ErrorClass]:
        return frozenset()


_ALLOWED: Mapping[ErrorClass, frozenset[ErrorClass]] = _Allowed(argument_value=frozenset({"execution"}))


def _punished(made: Trajectory, case: Variation) -> str | None:
    """How a legal attempt was punished, or None."""
    for at, verdict in _failed(made):
        if verdict.counts or (verdict.gate and verdict.outcome == "error"):
            return f"{verdict.check} failed"
        if verdict.check in QUIET and not (case.corrected is not None and at == case.corrected):
            return f"{verdict.check} spoke"
    return None if made.passed is True else "did not pass"
