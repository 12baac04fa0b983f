"""The reference beside an attempt: which step stands for which call."""

from lamsim_core.agent.policy import GoldPolicy, ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.feedback.reference import along
from lamsim_core.records import GoldCall, Step, Task
from lamsim_core.ui.reference_path import path_rows
from tests.instances import plain_instance

TASK = plain_instance("calendar.move", "create_event")
FIND, UPDATE = TASK.gold


def steps_of(task: Task, *replies: str) -> tuple[Step, ...]:
    *_, last = run_attempt(task, ReplayPolicy(replies), run="r")
    assert isinstance(last, Ended)
    return last.trajectory.steps


def test_the_reference_matches_itself_call_by_call() -> None:
    *_, last = run_attempt(TASK, GoldPolicy(), run="r")
    assert isinstance(last, Ended)
    found = along(TASK, last.trajectory.steps)
    assert [(place.gold, place.step and place.step.index, place.how) for place in found] == [
        (0, 0, "same"),
        (1, 1, "same"),
    ]


def test_other_values_and_missing_calls_are_told_apart() -> None:
    other = UPDATE.model_copy(update={"arguments": {**UPDATE.arguments, "start": "2026-01-01 03:00"}})
    steps = steps_of(TASK, call_text(FIND), call_text(other), "Done.")
    assert [place.how for place in along(TASK, steps)] == ["same", "other_values"]
    rows = path_rows(TASK, steps)
    assert [row["Match"] for row in rows] == [["Same call"], ["Other values"], ["Message"]]
    assert rows[1]["Differs in"] == "start" and rows[1]["Call"] == "2"
    assert rows[2]["Reference solution"] == TASK.closing


def test_a_call_never_made_stands_where_it_belongs() -> None:
    steps = steps_of(TASK, call_text(FIND), "Done.")
    rows = path_rows(TASK, steps)
    assert [(row["Step"], row["Match"]) for row in rows] == [
        ("1", ["Same call"]),
        ("", ["Never made"]),
        ("2", ["Message"]),
    ]
    nothing = path_rows(TASK, steps_of(TASK, "Done."))
    assert [row["Match"] for row in nothing] == [["Never made"], ["Never made"], ["Message"]]


def test_another_tool_in_its_place_and_calls_that_cannot_be_read() -> None:
    another = GoldCall(name="create_event", arguments={})
    steps = steps_of(TASK, call_text(FIND), call_text(another), "<tool_call>{</tool_call>", "Done.")
    rows = path_rows(TASK, steps)
    assert [row["Match"] for row in rows] == [["Same call"], ["Another tool"], ["Not in it"], ["Message"]]
    assert rows[2]["What was done"] == "a call that cannot be read"
