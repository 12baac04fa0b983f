"""Labels by their definition: what is right, what is wrong, and what is neither."""

import json
from typing import Any

import pytest

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.canonical import canonical_json
from lamsim_core.curate.labels import check_label, find_labels, label_row
from lamsim_core.curate.messages import reply_of
from lamsim_core.curate.proof import Replays
from lamsim_core.explore.repair import Repair
from lamsim_core.records import Trajectory
from tests.curate.attempts import attempt, gold_replies, tasks
from tests.curate.scripted import BROKEN, NO_TOOL, Moves, says

M = Moves()
DROP = M.calls("cancel_event", M.others()[0])


def labelled(*attempts: Trajectory) -> dict[str, bool]:
    """Every message with its label; each label must hold."""
    replays = Replays({each.id: each for each in attempts}.__getitem__)
    rows = [label_row(label) for label in find_labels(attempts)]
    assert [check_label(row, replays) for row in rows] == [None] * len(rows)
    return {reply_of(row["completion"][0]): row["label"] for row in rows}


def test_every_message_of_an_attempt_that_passed_without_mistakes_is_right() -> None:
    assert labelled(M.passing()) == {M.look: True, M.move: True, M.close: True}


def test_a_message_with_a_failed_action_is_wrong_and_a_valid_one_of_a_failed_attempt_is_neither() -> None:
    assert labelled(says(M.task, M.look, NO_TOOL, "I give up.")) == {NO_TOOL: False, "I give up.": False}


def test_in_an_attempt_that_passed_only_what_failed_is_wrong() -> None:
    found = labelled(says(M.task, BROKEN, M.look, M.look, M.move, M.close))
    assert found.pop(BROKEN) is False
    assert found == {M.look: True, M.move: True, M.close: True}, "the second look repeats, and passed: it is neither"


def test_what_was_answered_with_feedback_is_not_right() -> None:
    found = labelled(says(M.task, M.look, "Moved.", M.move, M.close, manner=Repair(1)))
    assert found == {M.look: True, M.move: True, M.close: True}


@pytest.mark.parametrize(
    ("replies", "wrong"),
    [
        ([M.look, M.wrong_time, "Done."], [M.wrong_time]),
        ([M.look, M.look, "Done."], [M.look, "Done."]),
        ([M.look, M.move, DROP, "Done."], [DROP]),
        (["Done."], ["Done."]),
        ([M.look, M.look], [M.look]),
    ],
    ids=["value", "repetition", "harm", "early", "unfinished"],
)
def test_of_an_attempt_that_failed_what_its_verdicts_name_is_wrong(replies: list[str], wrong: list[str]) -> None:
    assert labelled(says(M.task, *replies)) == dict.fromkeys(wrong, False)


def test_the_wrong_words_are_wrong() -> None:
    task = tasks(1, template="calendar.event_place")[0]
    look, _ = gold_replies(task)
    assert labelled(says(task, look, "I looked it up.")) == {"I looked it up.": False}


def test_only_a_models_own_messages_are_labelled() -> None:
    assert labelled(attempt(M.task, GoldPolicy())) == {}


def test_a_message_said_twice_at_a_place_is_labelled_once_and_one_that_would_be_both_not_at_all() -> None:
    one, other = M.passing(), M.passing()
    rows = [label_row(label) for label in find_labels([one, other])]
    assert len(rows) == 3 and {row["source"]["trajectory"] for row in rows} == {one.id}
    first = other.steps[0].verdicts[0].model_copy(update={"outcome": "fail", "gate": True, "blame": "agent"})
    steps = (other.steps[0].model_copy(update={"verdicts": (first,)}), *other.steps[1:])
    labels = list(find_labels([one, other.model_copy(update={"steps": steps})]))
    assert labels and all(label.turn.number > 0 for label in labels)


@pytest.mark.parametrize("how", ["label", "completion", "prompt", "verdict", "turn"])
def test_a_spoiled_label_does_not_hold(how: str) -> None:
    bad = says(M.task, M.look, NO_TOOL, "I give up.")
    replays = Replays({bad.id: bad}.__getitem__)
    row: dict[str, Any] = json.loads(canonical_json(label_row(next(find_labels([bad])))))
    assert check_label(row, replays) is None
    if how == "label":
        row["label"] = True
    elif how == "completion":
        row["completion"][0]["content"] = "Hm."
    elif how == "prompt":
        row["prompt"].pop()
    elif how == "verdict":
        row["verdicts"][0]["check"] = "execution"
    else:
        row["source"]["turn"] = 0
    assert check_label(row, replays) is not None
