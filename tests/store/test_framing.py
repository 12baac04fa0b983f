import json
from typing import Any

import pytest

from lamsim_core.records import Mark, Trajectory
from lamsim_core.store.framing import KINDS, MARK, Kind, decode, encode, frame, kind_of, payload_hash, unframe
from tests.store.factories import (
    make_adapter,
    make_dataset,
    make_evaluation,
    make_mark,
    make_rejudgement,
    make_rescore,
    make_review,
    make_step,
    make_task,
    make_trajectory,
)

RECORDS = [
    make_trajectory(1),
    make_mark(1),
    make_dataset(1),
    make_adapter(1),
    make_evaluation(1),
    make_review(1),
    make_rejudgement(1),
    make_rescore(1),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_kind_is_written_and_read_back_the_same(record: Any) -> None:
    kind = kind_of(record)
    payload = encode(kind, record)
    assert unframe(frame(kind, payload)) == (kind, payload)
    assert decode(kind, payload) == record
    assert payload_hash(payload) == record.content_hash()


def test_every_kind_has_a_record_to_test() -> None:
    assert {kind_of(record) for record in RECORDS} == set(KINDS)


def test_a_line_is_json_that_says_what_it_is() -> None:
    payload = encode("mark", make_mark(1))
    line = json.loads(frame("mark", payload))
    assert line["v"] == 1
    assert line["kind"] == "mark"
    assert line["length"] == len(payload)
    assert Mark(**line["payload"]) == make_mark(1)


@pytest.mark.parametrize(
    "text",
    ["\ud800", "\udfff x", "\x00", "a\nb\r\u2028", MARK.decode(), '"}\n{"v":1,"kind":"mark"', "é😀", "\\ud800"],
    ids=ascii,
)
def test_any_text_survives_within_one_line(text: str) -> None:
    record = make_trajectory(1, answer=text, task=make_task(1, instruction=text), run=text)
    line = frame("trajectory", encode("trajectory", record))
    assert line.count(b"\n") == 1
    assert line.count(MARK) == 1
    kind, payload = unframe(line)
    assert decode(kind, payload) == record


def test_lone_surrogates_in_keys_survive() -> None:
    call = make_step(1).call
    assert call is not None
    step = make_step(1, call=call.model_copy(update={"arguments": {"\ud800": ["\udc00"]}}))
    record = make_trajectory(1, steps=(step,))
    assert decode("trajectory", encode("trajectory", record)) == record


def test_nesting_as_deep_as_a_record_allows_survives() -> None:
    deep: Any = 1
    for _ in range(240):
        deep = [deep]
    call = make_step(1).call
    assert call is not None
    step = make_step(1, call=type(call)(**{**call.model_dump(), "arguments": {"a": deep}}))
    record = make_trajectory(1, steps=(step,))
    assert decode("trajectory", encode("trajectory", record)) == record


@pytest.mark.parametrize(
    ("kind", "record", "reason"),
    [
        ("trajectory", make_trajectory(1).model_copy(update={"reward": float("nan")}), "not JSON compliant"),
        ("trajectory", make_trajectory(1).model_copy(update={"passed": "perhaps"}), "does not fit"),
        ("trajectory", make_trajectory(1).model_copy(update={"versions": {"x": object()}}), "not JSON serializable"),
        ("mark", make_trajectory(1), "is not a mark"),
    ],
)
def test_what_would_not_read_back_is_refused(kind: Kind, record: Trajectory, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        encode(kind, record)


def test_an_unknown_kind_is_not_believed() -> None:
    with pytest.raises(ValueError, match="does not know"):
        unframe(frame("secret", b"{}"))


@pytest.mark.parametrize("payload", [b"{}", b"[]", b'{"id":1}', b"nonsense", b"[" * 100_000, b"\xff"])
def test_a_payload_that_is_no_record_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError):
        decode("mark", payload)


def test_a_task_is_not_stored() -> None:
    with pytest.raises(ValueError, match="Task is not stored"):
        kind_of(make_task(1))
