"""Judging stored attempts again by the checks in force now, and saying what came out differently.

It reads the journal alone, so it can run in a process of its own beside the app. Verdicts that came out differently are
stored as rejudgements; the old ones stay. People's corrections are put in again where the checks still say what was
corrected.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lamsim_core.feedback import judge_again
from lamsim_core.feedback.judge import Judged
from lamsim_core.records import Rejudgement, Review, Trajectory, Verdict, VerdictChange
from lamsim_core.review.corrections import corrected, outcome_at, rejudge
from lamsim_core.store.rejudged import with_verdicts
from lamsim_core.store.segments import Position, read_record, read_records

EXAMPLES = 5
"""Trajectories named for each kind of change."""


class _Earlier(NamedTuple):
    """A rejudgement that was there already."""

    created: str
    id: str
    cause: str
    rescore: str | None
    position: Position


@dataclass
class Found:
    """What a rescore found."""

    judged: int = 0
    unjudged: int = 0
    changed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    changes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Verdicts by check, and by what it said before and says now."""
    examples: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    stopped: bool = False

    def note(self, trajectory: str, before: Trajectory, after: Judged) -> None:
        """Count what differs between two judgements of an attempt."""
        self.changed += 1
        if before.passed != after.passed:
            self.outcomes[f"{_OUTCOMES[before.passed]} > {_OUTCOMES[after.passed]}"] += 1
        for old, new in [
            *zip((step.verdicts for step in before.steps), after.steps, strict=True),
            (before.verdicts, after.verdicts),
        ]:
            for check in dict.fromkeys(verdict.check for verdict in (*old, *new)):
                change = (check, outcome_at(old, check) or "none", outcome_at(new, check) or "none")
                if change[1] != change[2]:
                    self.changes[change] += 1
                    named = self.examples[change]
                    if len(named) < EXAMPLES and trajectory not in named:
                        named.append(trajectory)

    def verdict_changes(self) -> tuple[VerdictChange, ...]:
        """What changed, the commonest first."""
        ranked = sorted(self.changes.items(), key=lambda item: (-item[1], item[0]))
        return tuple(
            VerdictChange(check=key[0], before=key[1], after=key[2], count=n, examples=tuple(self.examples[key]))
            for key, n in ranked
        )


_OUTCOMES = {True: "passed", False: "failed", None: "not scored"}


def rescore(
    folder: Path,
    rescore_id: str,
    author: str,
    *,
    add: Callable[[Rejudgement], object],
    runs: Sequence[str] = (),
    on_progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Judge every stored attempt again. Called again with the same id, it goes on and counts what it did before.

    Args:
        folder: the journal.
        rescore_id: names this rescore in the rejudgements.
        author: who asked for it.
        add: makes a rejudgement durable.
        runs: only attempts of these runs; empty means all.
        on_progress: told how far it is.
        should_stop: asked between attempts.
    """
    earlier, said, positions = _survey(folder, runs)
    found = Found()
    on_progress(0, len(positions), "")
    for number, (trajectory_id, position) in enumerate(positions.items(), start=1):
        if should_stop():
            found.stopped = True
            return found
        trajectory = read_record(folder, position)
        assert isinstance(trajectory, Trajectory)
        mine = sorted(earlier.get(trajectory_id, ()))
        done = {each.cause for each in mine if each.rescore == rescore_id}
        others = [each for each in mine if each.rescore != rescore_id]
        before = _newest(folder, trajectory, others)
        before_pure = _newest(folder, trajectory, [each for each in others if each.cause == "rescore"])
        try:
            pure = judge_again(trajectory)
        except ValueError:
            found.unjudged += 1
            on_progress(number, len(positions), "")
            continue
        found.judged += 1
        renewed = with_verdicts(trajectory, pure)
        final = corrected(renewed, said.get(trajectory_id, ()))
        other_verdicts = substance(before) != substance(with_verdicts(trajectory, final))
        if other_verdicts:
            found.note(trajectory_id, before, final)
        if other_verdicts or substance(before_pure) != substance(renewed):
            if "rescore" not in done:
                add(rejudge(trajectory, pure, "rescore", author, rescore_id))
            if final != pure and "review" not in done:
                add(rejudge(trajectory, final, "review", author, rescore_id))
        on_progress(number, len(positions), "")
    return found


def substance(trajectory: Trajectory) -> object:
    """What verdicts say, wording and version left aside: attempts of equal substance need no new verdicts."""
    return (
        trajectory.passed,
        [_said(step.verdicts) for step in trajectory.steps],
        _said(trajectory.verdicts),
    )


def _said(verdicts: Sequence[Verdict]) -> Counter[tuple[object, ...]]:
    return Counter((v.check, v.outcome, v.error_class, v.path, v.counts) for v in verdicts)  # in whatever order


def _survey(
    folder: Path, runs: Sequence[str]
) -> tuple[dict[str, list[_Earlier]], dict[str, list[Review]], dict[str, Position]]:
    """Earlier rejudgements, reviews and the attempts to judge, by id of the attempt. One record of each attempt counts."""
    earlier: dict[str, list[_Earlier]] = defaultdict(list)
    said: dict[str, list[Review]] = defaultdict(list)
    oldest: dict[tuple[str | int, ...], tuple[str, str, Position]] = {}
    for position, record in read_records(folder, "trajectory", "rejudgement", "review"):
        if isinstance(record, Rejudgement):
            known = _Earlier(record.created, record.id, record.cause, record.rescore, position)
            earlier[record.trajectory].append(known)
        elif isinstance(record, Review):
            said[record.trajectory].append(record)
        elif isinstance(record, Trajectory) and (not runs or record.run in runs):
            place = (record.created, record.id, position)
            oldest[record.identity] = min(place, oldest.get(record.identity, place))
    for reviews in said.values():
        reviews.sort(key=lambda review: (review.created, review.id))
    return earlier, said, {place[1]: place[2] for place in sorted(oldest.values())}


def _newest(folder: Path, trajectory: Trajectory, earlier: Sequence[_Earlier]) -> Trajectory:
    """The attempt with the verdicts of the newest of these rejudgements, or with its own."""
    if not earlier:
        return trajectory
    record = read_record(folder, earlier[-1].position)
    assert isinstance(record, Rejudgement)
    return with_verdicts(trajectory, record)
