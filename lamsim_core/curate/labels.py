"""Labels: one message of a model, and whether it was right, by its verdicts.

- right: nothing about it failed, and the attempt it is from passed;
- wrong: an action failed a gate; or its attempt failed, and an action failed a diagnostic or changed what it must not, or it
  closed the attempt with the wrong words or too early.

What is neither says nothing and is left out: a valid action of an attempt that failed for another reason, a diagnostic that
failed in an attempt that passed, and what a person wrote. A message stands at a place once; one that would be both is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lamsim_core.curate.messages import prompt_of
from lamsim_core.curate.pair_rows import source_of
from lamsim_core.curate.pairs import HARM, WORDS, harmed
from lamsim_core.curate.places import Turn, turns_of
from lamsim_core.curate.proof import Named, NotHeldError, Replays, named, require, require_found, require_place
from lamsim_core.feedback.reward import CUT_SHORT
from lamsim_core.records import Trajectory

RIGHT = "Nothing about it failed, and its attempt passed."

Row = dict[str, Any]


class Label(NamedTuple):
    """One message and whether it was right."""

    turn: Turn
    right: bool
    verdicts: tuple[Named, ...]
    """What is wrong with it."""

    @property
    def why(self) -> str:
        """In words."""
        return RIGHT if self.right else " ".join(each.message for each in self.verdicts)


def find_labels(trajectories: Sequence[Trajectory]) -> Iterator[Label]:
    """The labels that attempts at one task give, in a fixed order; none of them replayed yet."""
    found: dict[tuple[str, str], Label] = {}
    both: set[tuple[str, str]] = set()
    for trajectory in sorted(trajectories, key=lambda each: (each.created, each.id)):
        for turn in turns_of(trajectory):
            label = judged(turn) if turn.own else None
            if label is None:
                continue
            key = turn.place, turn.form
            if found.setdefault(key, label).right != label.right:
                both.add(key)
    yield from (label for key, label in found.items() if key not in both)


def judged(turn: Turn) -> Label | None:
    """Whether a message was right; None when its verdicts do not say."""
    attempt = turn.trajectory
    if turn.invalid:
        return Label(turn, False, named("action", turn.invalid))
    if any(step.failed for step in turn.steps) or turn.untaken is not None:
        return None
    if turn.clean and attempt.passed is True:
        return Label(turn, True, ())
    if attempt.passed is not False or attempt.ended in CUT_SHORT or turn.told is not None:
        return None
    wrong = named("action", (verdict for _, verdict in turn.faults))
    done_harm = {f"$.{table}.{row}" for table, row in harmed(turn)}
    wrong += named("attempt", (v for v in attempt.verdicts if v.check == HARM and v.path in done_harm))
    if not turn.calls and turn.last:
        wrong += named("end", (v for v in attempt.verdicts if v.counts and v.check in WORDS))
    return Label(turn, False, wrong) if wrong else None


def label_row(label: Label) -> Row:
    """A label as a row of a dataset."""
    turn = label.turn
    task = turn.trajectory.task
    before = [step for step in turn.trajectory.steps if step.turn < turn.number]
    return {
        "prompt": prompt_of(task, before),
        "completion": [turn.message],
        "label": label.right,
        "tools": [tool.openai() for tool in task.tools],
        "reason": label.why,
        "verdicts": [each.model_dump(mode="json") for each in label.verdicts],
        "source": source_of(turn),
        "template": task.template,
        "category": task.category,
        "task_key": task.key,
    }


def check_label(row: Mapping[str, Any], again: Replays) -> str | None:
    """Replay a label, as ``check_pair`` does a pair. Returns why it does not hold, or None when it does."""
    try:
        turn = again.turn(row["source"])
        require_place(again, row, turn)
        require(row["completion"] == [turn.message], "The message is not the one of its source.")
        require(turn.own, "The message is not a model's own.")
        done = again.do(turn, row["completion"][0], ended=turn.last)
        if row["label"] is True:
            require(done.valid, "It is called right, and something of it fails.")
            require(again.end(turn.trajectory).passed is True, "Its attempt does not pass.")
        else:
            require(row["label"] is False, "It is neither called right nor wrong.")
            failed = done.failed
            if not done.invalid:
                end = again.end(turn.trajectory)
                require(end.passed is False, "Its attempt does not fail.")
                failed += named("attempt", end.verdicts)
            require_found(row["verdicts"], failed)
    except NotHeldError as error:
        return str(error)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return f"The row is not one of a label: {type(error).__name__}."
    return None
