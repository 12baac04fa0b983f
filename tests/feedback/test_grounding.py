"""Whether an answer was looked up: what was seen decides, not which tool showed it."""

from collections.abc import Sequence

import pytest
from pydantic import JsonValue

from lamsim_core.feedback.grounding import leaves, recited, why_ungrounded
from lamsim_core.records import ExpectedAnswer, Observation, Step, ToolCall


def seen(*contents: JsonValue, ok: bool = True) -> list[Step]:
    return [
        Step(
            index=index,
            turn=index,
            reply="",
            call=ToolCall(id=f"call_{index}", name="look", arguments={}, raw=""),
            observation=Observation(ok=ok, content=content, fault=None if ok else "refused"),
            verdicts=(),
            changes=(),
            state_before="0",
            state_after="0",
            seed=0,
            seconds=0.0,
        )
        for index, content in enumerate(contents)
    ]


PLACE = ExpectedAnswer(
    kind="text", value="Room Aspen", rivals=("Hall",), direct=True, sources=(("evt_1", "Room Aspen"),)
)
SUM = ExpectedAnswer(kind="number", value=42.5, sources=((30.25, 12.25, "txn_4"),))
COUNT = ExpectedAnswer(kind="number", value=3, sources=(("ord_1", "ord_2", "ord_3"),))
BOTH = ExpectedAnswer(kind="list", value=["Ada", "Bo"], direct=True, sources=(("Ada", "Bo", "Cy"),))
OF_TWO = ExpectedAnswer(kind="number", value=19, sources=((31.5,), (12.5,)))


@pytest.mark.parametrize(
    ("answer", "results"),
    [
        (PLACE, [[{"place": "room aspen"}]]),
        (PLACE, [{"text": "It is in Room Aspen, on the left."}]),
        (PLACE.model_copy(update={"value": "Café Löwe"}), [{"text": "Cafe Lowe has it"}]),
        (PLACE.model_copy(update={"value": "2026-06-15"}), [{"text": "We meet on June 15th, 2026."}]),
        (SUM, [[{"amount": 30.25}, {"amount": 12.25}]]),
        (SUM, [{"total": 42.5}]),
        (COUNT, [[{"id": "ord_2"}]]),
        (BOTH, [{"guests": ["Bo", "Ada"]}]),
        (BOTH, [["Ada"], ["Bo"]]),
        (OF_TWO, [{"t": 31.5}, {"t": 12.5}]),
    ],
)
def test_what_was_seen_tells_the_answer(answer: ExpectedAnswer, results: Sequence[JsonValue]) -> None:
    assert why_ungrounded(answer, seen(*results)) is None


@pytest.mark.parametrize(
    ("answer", "results"),
    [
        (PLACE, []),
        (PLACE, [[{"place": "Hall"}]]),
        (PLACE, [{"place": "Room Aspenwood"}]),
        (PLACE.model_copy(update={"value": "2026-06-15"}), [{"text": "We meet on June 5th, 2026."}]),
        (SUM, [{"amount": 7.5}]),
        (COUNT, [{"quantity": 3}]),
        (BOTH, [["Ada"]]),
        (OF_TWO, [{"t": 31.5}]),
        (OF_TWO, [{"quantity": 19}]),
    ],
)
def test_what_was_seen_does_not_tell_the_answer(answer: ExpectedAnswer, results: Sequence[JsonValue]) -> None:
    assert why_ungrounded(answer, seen(*results)) is not None


def test_a_call_that_failed_has_shown_nothing() -> None:
    assert why_ungrounded(PLACE, seen({"error": "Room Aspen is taken."}, ok=False)) is not None


def test_leaves_are_texts_and_numbers() -> None:
    assert list(leaves({"a": [1, "x", None, True, {"b": 2.5}], "c": {}})) == [1, "x", 2.5]


def test_what_the_request_says_was_not_looked_up() -> None:
    apart = ExpectedAnswer(kind="number", value=18, sources=(("Galway", "cloudy"), ("Dakar", 37)))
    ask = "How far apart are Galway and Dakar?"
    assert why_ungrounded(apart, seen([{"town": "Galway"}, {"town": "Dakar"}]), ask) is not None
    assert why_ungrounded(apart, seen({"sky": "cloudy"}, {"humidity": 37}), ask) is None
    assert why_ungrounded(apart, seen({"between": ["Galway", "Dakar"], "apart": 18}), ask) is None
    only = ExpectedAnswer(kind="number", value=18, sources=(("Galway",),))
    assert why_ungrounded(only, seen({"town": "Galway"}), ask) is None


def test_values_that_a_message_recites() -> None:
    results = seen([{"id": "evt_1", "place": "Room Aspen"}, {"id": "evt_2", "place": "Hall"}], {"day": "2026-01-02"})
    said = "evt_1, Room Aspen, evt_2, Hall, 2026-01-02"
    assert recited(said, PLACE, results, "Where on 2026-01-02?") == ["evt_1", "evt_2", "hall"]
    assert recited("It is in Room Aspen.", PLACE, results, "Where?") == []
    assert recited(said, PLACE, (), "Where?") == []
