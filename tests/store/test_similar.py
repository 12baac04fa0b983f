"""Similar steps: the same tool only, the same mistake before anything else, then arguments."""

from typing import Any

import pytest

from lamsim_core.errors import NotFoundError
from lamsim_core.records import Observation, Step, ToolCall, Trajectory, Verdict
from lamsim_core.store import Index, Journal
from lamsim_core.store.similar import similar_steps
from tests.store.factories import make_rejudgement, make_step, make_trajectory


def a_call(name: str, error: str | None = None, **arguments: Any) -> Step:
    fail = Verdict(
        check="arguments.type", version=1, outcome="fail", gate=True, error_class="argument_type", path=error
    )
    return make_step(
        0,
        0,
        call=ToolCall(id="call_0", name=name, arguments=arguments, raw=""),
        observation=Observation(ok=error is None, content={}, fault="invalid_arguments" if error else None),
        verdicts=(fail,) if error else (),
    )


def message() -> Step:
    return make_step(0, 0, call=None, observation=None, verdicts=(), changes=())


STEPS = {
    0: a_call("find_events", title="Sync", limit=5),
    1: a_call("find_events", title="Sync", limit=9),
    2: a_call("find_events", title="Sync", limit=5),
    3: a_call("find_events", title="Lunch", limit=7),
    4: a_call("delete_event", title="Sync", limit=5),
    5: a_call("find_events", error="$.arguments.limit", title="Lunch", limit="x"),
    6: a_call("find_events", error="$.arguments.limit", title="Dinner", limit="y"),
    7: a_call("find_events", error="$.arguments.title", title=5, limit=1),
    8: message(),
    9: message(),
}
RECORDS = {number: make_trajectory(number, steps=(step,)) for number, step in STEPS.items()}


@pytest.fixture
def filled(index: Index, journal: Journal) -> Index:
    for record in RECORDS.values():
        journal.append("trajectory", record)
    index.sync()
    return index


def numbers(found: list[Any]) -> list[int]:
    by_id = {record.id: number for number, record in RECORDS.items()}
    return [by_id[each.trajectory] for each in found]


def of(number: int) -> Trajectory:
    return RECORDS[number]


def test_the_same_arguments_come_first_and_other_tools_never(filled: Index) -> None:
    found = similar_steps(filled, of(0).id, 0)
    assert numbers(found)[:3] == [2, 1, 3]
    assert set(numbers(found)) == {1, 2, 3, 5, 6, 7}
    best, next_best = found[:2]
    assert (best.same_arguments, best.all_arguments, best.same_mistakes, best.same_ending) == (2, 2, True, True)
    assert (next_best.same_arguments, next_best.all_arguments) == (1, 3)
    assert best.arguments == ("limit=5", 'title="Sync"')
    assert not best.same_task


def test_the_same_mistake_at_the_same_place_comes_before_arguments(filled: Index) -> None:
    found = similar_steps(filled, of(5).id, 0)
    assert numbers(found)[:2] == [6, 7]
    assert found[0].mistakes == ("argument_type",) and found[0].same_mistakes
    assert not found[2].same_mistakes and found[2].ok


def test_messages_are_like_messages(filled: Index) -> None:
    assert numbers(similar_steps(filled, of(8).id, 0)) == [9]


def test_the_verdicts_in_force_count(filled: Index, journal: Journal) -> None:
    journal.append(
        "rejudgement", make_rejudgement(6, steps=((),), tools=("find_events",), verdicts=(), passed=True, reward=1.0)
    )
    filled.sync()
    found = similar_steps(filled, of(5).id, 0)
    assert numbers(found)[0] == 7
    (six,) = (each for each in found if each.trajectory == of(6).id)
    assert six.mistakes == () and six.passed is True


def test_the_list_is_cut_and_what_is_not_there_is_said(filled: Index) -> None:
    assert len(similar_steps(filled, of(0).id, 0, limit=2)) == 2
    for trajectory, step in ((of(0).id, 5), ("trj_nope", 0)):
        with pytest.raises(NotFoundError, match="There is no step named"):
            similar_steps(filled, trajectory, step)
