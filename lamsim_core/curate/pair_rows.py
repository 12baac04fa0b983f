"""Preference pairs as rows of a dataset, and whether a row holds: both messages done again at their place and judged anew."""

from collections.abc import Mapping
from typing import Any

from lamsim_core.curate.messages import prompt_of
from lamsim_core.curate.pairs import IN_THE_END, Pair
from lamsim_core.curate.places import Turn
from lamsim_core.curate.proof import NotHeldError, Replays, named, require, require_found, require_place

Row = dict[str, Any]


def settled(pair: Pair, replays: Replays) -> Pair:
    """A pair with its verdicts in full. Raises as ``Replays.do``.

    Of a closing message that was answered with feedback no judgement is on record, so the message is done again.
    """
    if pair.kind != "repair" or pair.rejected.calls:
        return pair
    failed = replays.do(pair.rejected, pair.rejected.message).failed
    what = " ".join(each.message for each in failed)
    return pair._replace(verdicts=failed, why=f"{what} {IN_THE_END}")


def pair_row(pair: Pair) -> Row:
    """A pair as a row of a dataset."""
    chosen, rejected = pair.chosen, pair.rejected
    task = rejected.trajectory.task
    before = [step for step in rejected.trajectory.steps if step.turn < rejected.number]
    return {
        "prompt": prompt_of(task, before),
        "chosen": [chosen.message],
        "rejected": [rejected.message],
        "tools": [tool.openai() for tool in task.tools],
        "kind": pair.kind,
        "reason": pair.why,
        "verdicts": [each.model_dump(mode="json") for each in pair.verdicts],
        "chosen_source": source_of(chosen),
        "rejected_source": source_of(rejected),
        "template": task.template,
        "category": task.category,
        "task_key": task.key,
    }


def source_of(turn: Turn) -> Row:
    """Where a message is from. ``untaken``: which of the replies that were tried there and not taken, None when it was taken."""
    return {
        "trajectory": turn.trajectory.id,
        "turn": turn.number,
        "step": turn.steps[0].index,
        "policy": turn.writer,
        "untaken": turn.untaken,
    }


def check_pair(row: Mapping[str, Any], again: Replays) -> str | None:
    """Replay a pair: rebuild the world at its place, do either message there, and judge them by the checks in force now.

    It holds when both messages and the prompt are those of their sources, nothing of the chosen one fails and the attempt it is
    from passes when done again, and the rejected one fails by every verdict the pair names.

    Args:
        row: the pair as it stands in a dataset.
        again: does stored attempts again.

    Returns:
        Why it does not hold, or None when it does.
    """
    try:
        chosen, rejected = again.turn(row["chosen_source"]), again.turn(row["rejected_source"])
        require_place(again, row, rejected)
        for side, turn in (("chosen", chosen), ("rejected", rejected)):
            require(row[side] == [turn.message], f"The {side} message is not the one of its source.")
            source = row[f"{side}_source"]
            require(source["policy"] == turn.writer, f"The {side} message was written by somebody else.")
        require(row["chosen"] != row["rejected"], "Both messages are the same.")
        require(rejected.own, "The rejected message is not a model's own.")
        _require_place_of_chosen(row, chosen, rejected)
        require(again.do(rejected, row["chosen"][0]).valid, "The chosen message does not pass at this place.")
        require(again.end(chosen.trajectory).passed is True, "The attempt of the chosen message does not pass.")
        done = again.do(rejected, row["rejected"][0], ended=rejected.last)
        failed = done.failed
        require(row["kind"] != "sibling" or done.invalid, "No action of the rejected message fails a gate.")
        if row["kind"] in ("path", "stop"):
            end = again.end(rejected.trajectory)
            require(end.passed is False, "The attempt of the rejected message does not fail.")
            failed += named("attempt", end.verdicts)
        require_found(row["verdicts"], failed)
    except NotHeldError as error:
        return str(error)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return f"The row is not one of a pair: {type(error).__name__}."
    return None


def _require_place_of_chosen(row: Mapping[str, Any], chosen: Turn, rejected: Turn) -> None:
    if row["kind"] != "repair":
        require(chosen.place == rejected.place, "The chosen message is from another place.")
        return
    later = chosen.trajectory.id == rejected.trajectory.id and chosen.number > rejected.number
    require(later and rejected.told is not None, "The chosen message does not repair the rejected one.")
    require(chosen.steps[0].state_before == rejected.steps[0].state_before, "The world had changed before the repair.")
