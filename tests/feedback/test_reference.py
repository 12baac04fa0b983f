"""Where attempts left the reference solution."""

from lamsim_core.feedback.reference import (
    NOWHERE,
    REQUEST,
    deviations,
    followed,
    matched,
    nearest,
    same_call,
    same_value,
)
from lamsim_core.records import GoldCall
from tests.feedback.acting import EVENT, FIND, FOUND, MOVE, MOVED, RESCHEDULE, START, call, failures, tried


def test_values_that_mean_the_same() -> None:
    assert same_value(" Room  Baobab. ", "room baobab") and same_value(3, 3.0)
    assert not same_value(True, 1) and not same_value("3", 3) and not same_value([1, 2], [2, 1])
    assert same_value({"a": ["X"]}, {"a": ["x"]})


def test_the_nearest_reference_is_the_one_with_the_fewest_differences() -> None:
    far = GoldCall(name="t", arguments={"a": 1, "b": 2})
    near = GoldCall(name="t", arguments={"a": 9, "b": 3})
    made = GoldCall(name="t", arguments={"a": 9, "b": 4})
    assert [tuple(each) for each in nearest(made, [far, near], MOVE)] == [("b", 3, 4)]
    assert nearest(made, [GoldCall(name="other", arguments={"b": 1})], MOVE) == []
    assert nearest(made, [made], MOVE) == []
    assert same_call(made, made, MOVE) and not same_call(made, near, MOVE)


def test_calls_left_are_counted_one_by_one() -> None:
    steps = tried(FOUND, FOUND, "Done.").steps
    thrice = MOVE.model_copy(update={"gold": (FIND, FIND, FIND, RESCHEDULE)})
    assert matched(thrice, steps).left == (FIND, RESCHEDULE)
    refused = MOVE.model_copy(update={"gold": (RESCHEDULE.model_copy(update={"fails": True}),)})
    assert matched(refused, steps).left == ()


def test_each_reference_call_is_made_by_one_step() -> None:
    assert followed(MOVE, ()) == (None, None)
    steps = tried(call("find_events", title="something else"), FOUND, MOVED).steps
    assert [step and step.index for step in followed(MOVE, steps)] == [1, 2]
    assert followed(MOVE, steps[:2]) == (steps[1], None)
    twice = MOVE.model_copy(update={"gold": (FIND, FIND, RESCHEDULE)})
    assert followed(twice, steps) == (steps[1], None, steps[2])
    refused = FIND.model_copy(update={"fails": True})
    assert followed(MOVE.model_copy(update={"gold": (refused,)}), steps) == (None,), "it was not refused"
    missing = GoldCall(name=RESCHEDULE.name, arguments={"event_id": "evt_none", "start": START}, fails=True)
    steps = tried(call(RESCHEDULE.name, event_id="evt_none", start=START)).steps
    assert followed(MOVE.model_copy(update={"gold": (missing,)}), steps) == (steps[0],)


def test_the_reference_itself_deviates_nowhere() -> None:
    trajectory = tried(FOUND, MOVED, MOVE.closing)
    assert trajectory.passed is True and list(deviations(MOVE, trajectory.steps)) == []
    assert failures(trajectory.verdicts, "path.deviation") == []


def test_another_value_says_where_both_were_seen() -> None:
    other = START[:-5] + "03:00"
    trajectory = tried(FOUND, call(RESCHEDULE.name, event_id=EVENT, start=other), "Done.")
    (found,) = deviations(MOVE, trajectory.steps)
    assert (found.error_class, found.path) == ("argument_value", "$.steps[1].call.arguments.start")
    assert (found.tool, found.argument, found.expected, found.got) == (RESCHEDULE.name, "start", START, other)
    assert found.evidence["expected_from"] == REQUEST and found.evidence["got_from"] == NOWHERE
    assert (found.evidence["tool"], found.evidence["argument"]) == ("reschedule_event", "start")
    (verdict,) = failures(trajectory.verdicts, "path.deviation")
    assert (verdict.error_class, verdict.expected, verdict.got) == ("argument_value", START, other)
    assert verdict.evidence == found.evidence and not verdict.counts


def test_a_value_from_a_result_is_told_by_tool_and_field() -> None:
    trajectory = tried(FOUND, call(RESCHEDULE.name, event_id="evt_0000", start=START), "Done.")
    (found,) = deviations(MOVE, trajectory.steps)
    assert (found.argument, found.evidence["expected_from"]) == ("event_id", "find_events.id")


def test_another_tool_in_the_place_of_the_references() -> None:
    trajectory = tried(FOUND, call("create_event", title="x", start=START, minutes=30), "Done.")
    (found,) = deviations(MOVE, trajectory.steps)
    assert (found.error_class, found.expected, found.got) == ("tool_choice", RESCHEDULE.name, "create_event")
    assert found.path == "$.steps[1].call.name"
    assert found.evidence == {"tool": "reschedule_event", "called": "create_event"}


def test_a_call_never_made() -> None:
    trajectory = tried(FOUND, "Done.")
    (found,) = deviations(MOVE, trajectory.steps)
    assert (found.error_class, found.path) == ("premature_end", "$.task.gold[1]")
    assert (found.expected, found.got) == (RESCHEDULE.name, None)
    assert [d.tool for d in deviations(MOVE, ())] == [FIND.name, RESCHEDULE.name]
