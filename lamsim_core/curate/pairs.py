"""Preference pairs: two messages at one place of one task, of which one is better, and programs say why.

A place is a task, the messages before and the state of the world. The chosen message had no failed verdict, and the attempt
it is from passed. The rejected one was written by a model in an attempt of its own. There are four kinds:

- ``repair``: the rejected message was answered with feedback; the chosen one is what the same attempt wrote once nothing was
  wrong any more, put in its place. The errors between have changed nothing.
- ``sibling``: an action of the rejected message failed a gate.
- ``path``: both call tools. No action of the rejected message failed a gate, but it repeats a call, has other values than
  the task calls for, or changed what it must not; and its attempt failed.
- ``stop``: one of the two closes the attempt, or both do. The rejected one closes too early, goes on when everything is done,
  or closes with the wrong words; and its attempt failed.

A rejected message makes one pair: with the repair of its own attempt, else with a message of the same model, of another one, of
a person, of the reference solution. Every pair is replayed before it is let in: see ``curate.pair_rows``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from lamsim_core.canonical import content_hash, derive_seed
from lamsim_core.curate.places import BY_HAND, Turn, alike, turns_of
from lamsim_core.curate.proof import Named, named
from lamsim_core.explore.repair import CUT_OFF
from lamsim_core.feedback.grounding import leaves
from lamsim_core.feedback.reference import same_call
from lamsim_core.feedback.reward import CUT_SHORT
from lamsim_core.feedback.state import compare_changes, net_changes
from lamsim_core.records import PairKind, Trajectory, Verdict

WRITERS = ("model", "human", "gold")
"""Policies whose messages may be chosen."""
GOLD = "gold"
WORDS = ("answer.value", "answer.grounded", "ending.answered")
"""Gates that say that a closing message is wrong by itself."""
HARM = "state.collateral"
"""The gate that says that something was changed that must not be."""
_OFF = ("repetition", "arguments.value")
"""Diagnosis of an action that says that it leads nowhere."""
IN_THE_END = "Told so, the agent wrote the chosen message in the end, and passed."


class Pair(NamedTuple):
    """Two messages at one place."""

    kind: PairKind
    chosen: Turn
    rejected: Turn
    verdicts: tuple[Named, ...]
    """What is wrong with the rejected one."""
    why: str
    """In words."""


def find_pairs(trajectories: Sequence[Trajectory], kinds: Iterable[PairKind], seed: int) -> Iterator[Iterator[Pair]]:
    """For each message that may be rejected the pairs it could make, the best first; in a fixed order, none replayed yet.

    Args:
        trajectories: attempts at one task, whatever came of them.
        kinds: which pairs are wanted.
        seed: decides between messages that could be chosen with equal right.
    """
    wanted = set(kinds)
    turns = {
        trajectory.id: list(turns_of(trajectory))
        for trajectory in sorted(trajectories, key=lambda each: (each.created, each.id))
    }
    chosen: dict[str, list[Turn]] = defaultdict(list)
    rejected: dict[tuple[str, str], list[Turn]] = defaultdict(list)
    for turn in chain.from_iterable(turns.values()):
        if on_the_way(turn):
            chosen[turn.place].append(turn)
        elif turn.own:
            rejected[turn.place, turn.form].append(turn)
    for (place, _), said in rejected.items():
        yield (pair for pair in _possible(said, turns, chosen[place], seed) if pair.kind in wanted)


def _possible(
    said: Sequence[Turn], turns: Mapping[str, Sequence[Turn]], chosen: Sequence[Turn], seed: int
) -> Iterator[Pair]:
    """The pairs of one message, said once or more often: an attempt's own correction comes before what others wrote."""
    for turn in said:
        yield from repaired(turn, turns[turn.trajectory.id])
    for turn in said:
        yield from _better(turn, chosen, seed)


def on_the_way(turn: Turn) -> bool:
    """Whether a message may be chosen: nothing about it failed, its attempt passed, and it is known who wrote it."""
    trajectory = turn.trajectory
    return (
        trajectory.passed is True
        and turn.untaken is None
        and turn.clean
        and turn.writer is not None
        and (trajectory.policy.kind in WRITERS or turn.writer == BY_HAND)
    )


def repaired(turn: Turn, turns: Sequence[Turn]) -> Iterator[Pair]:
    """The pair of a first error and what its own attempt wrote in the end."""
    taken = [each for each in turns if each.untaken is None]
    if turn.untaken is not None or turn.told in (None, CUT_OFF):
        return
    place = taken.index(turn)
    if place and taken[place - 1].told is not None:
        return  # not the first
    better = next((each for each in taken[place:] if each.told is None), None)
    if better is None or not on_the_way(better) or not better.own or better.form == turn.form:
        return
    if better.steps[0].state_before != turn.steps[0].state_before:
        return
    wrong = named("action", (verdict for _, verdict in turn.faults))
    if turn.calls and not wrong:
        return
    why = f"{' '.join(each.message for each in wrong)} {IN_THE_END}"
    yield Pair("repair", better, turn, wrong, why)


def _better(turn: Turn, chosen: Sequence[Turn], seed: int) -> Iterator[Pair]:
    """The pairs of a message with each that may be chosen at its place, the best first."""
    if not turn.invalid and any(alike(other, turn) for other in chosen):
        return  # another attempt passed this way
    for other in sorted(chosen, key=lambda each: _rank(turn, each, seed)):
        found = compared(other, turn)
        if found is not None:
            yield found


def _rank(turn: Turn, other: Turn, seed: int) -> tuple[int, int, str]:
    """Who wrote it counts first; between equals the seed decides, and of the same message the oldest comes first."""
    writer = other.writer
    if writer == turn.writer:
        nearness = 0
    elif writer == BY_HAND or other.trajectory.policy.kind == "human":
        nearness = 2
    else:
        nearness = 3 if other.trajectory.policy.kind == GOLD else 1
    return nearness, derive_seed("chosen", seed, turn.place, other.form), other.form


def compared(chosen: Turn, rejected: Turn) -> Pair | None:
    """What two messages at one place are as a pair, the first of which may be chosen; None when they are none."""
    if chosen.form == rejected.form:
        return None
    if rejected.invalid:
        wrong = named("action", rejected.invalid)
        what = " ".join(each.message for each in wrong)
        return Pair("sibling", chosen, rejected, wrong, f"{what} The chosen message is valid, and its attempt passed.")
    attempt = rejected.trajectory
    if attempt.passed is not False or attempt.ended in CUT_SHORT or rejected.untaken is not None:
        return None
    if rejected.told is not None or any(step.failed for step in rejected.steps) or alike(chosen, rejected):
        return None
    return _path(chosen, rejected) if chosen.calls and rejected.calls else _stop(chosen, rejected)


def _path(chosen: Turn, rejected: Turn) -> Pair | None:
    wrong = off_the_way(chosen, rejected)
    if not wrong:
        return None
    what = " ".join(each.message for each in wrong)
    why = f"{what} The attempt failed; the one with the chosen calls at this place passed."
    return Pair("path", chosen, rejected, wrong, why)


def off_the_way(chosen: Turn, rejected: Turn) -> tuple[Named, ...]:
    """The verdicts by which valid calls led off the way; none when nothing says that they did."""
    found = named("action", (verdict for _, verdict in rejected.faults if verdict.check in _OFF))
    if found:
        return found
    ends = rejected.trajectory.verdicts
    harm = {f"$.{table}.{row}" for table, row in harmed(rejected)}
    found = named("attempt", (v for v in ends if v.check == HARM and v.path in harm))
    if found:
        return found
    looked = tuple(step for step in rejected.steps if not step.changes)
    paths = tuple(
        f"$.steps[{step.index}].call.arguments." for step in looked if _fell_short(chosen, step.index, rejected)
    )
    other = (v for v in ends if v.check == "path.deviation" and v.error_class == "argument_value")
    return named("attempt", (v for v in other if paths and (v.path or "").startswith(paths)))


def harmed(turn: Turn) -> set[tuple[str, str]]:
    """Rows that a turn changed and that nobody asked for, as things stood after it; what the reference does is no harm."""
    task, steps = turn.trajectory.task, turn.trajectory.steps
    mine = {
        (change.table, change.id)
        for step in turn.steps
        if step.call is not None and not any(same_call(step.call, reference, task) for reference in task.gold)
        for change in step.changes
    }
    before = (change for step in steps[: turn.steps[-1].index + 1] for change in step.changes)
    found = compare_changes(task.goal, net_changes(before)).collateral
    return mine & {(change.table, change.id) for change in found}


def _fell_short(chosen: Turn, index: int, rejected: Turn) -> bool:
    """Whether a call did not show what the chosen call of the same tool showed."""
    step = next(each for each in rejected.steps if each.index == index)
    if step.call is None or step.observation is None:
        return False
    seen = {content_hash(leaf) for leaf in leaves(step.observation.content)}
    return any(
        not {content_hash(leaf) for leaf in leaves(other.observation.content)} <= seen
        for other in chosen.steps
        if other.call is not None and other.observation is not None and other.call.name == step.call.name
    )


def _stop(chosen: Turn, rejected: Turn) -> Pair | None:
    ends = [verdict for verdict in rejected.trajectory.verdicts if verdict.counts]
    if rejected.calls:
        wrong = named("attempt", ends)
        names = ", ".join(dict.fromkeys(call.name for call in rejected.calls))
        why = f"Nothing was left but to tell the user; the agent called {names} instead, and its attempt failed. "
    else:
        early: list[Verdict] = [verdict for _, verdict in rejected.faults if verdict.check == "ending.premature"]
        words = [verdict for verdict in ends if verdict.check in WORDS]
        if chosen.calls and not early:
            return None
        wrong = (*named("action", early), *named("end", ends if chosen.calls else words))
        why = "" if chosen.calls else "The right closing message at this place is another one. "
    if not wrong:
        return None
    return Pair("stop", chosen, rejected, wrong, why + " ".join(each.message for each in wrong))
