"""What was done wrong, counted exactly, over the verdicts in force."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest

from lamsim_core.errors import InvalidInputError
from lamsim_core.records import ErrorClass, PolicyInfo, ToolCall, Trajectory, Verdict
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.mistakes import Axis, Confusion, MistakeKind, Scope, confusions, mistake_table, mistaken
from tests.store.factories import make_rejudgement, make_step, make_task, make_trajectory

BASE = PolicyInfo(kind="model", name="base")
TUNED = PolicyInfo(kind="model", name="tuned", adapter="adp_1")
GOLD = PolicyInfo(kind="gold", name="gold")

STRUCTURE = MistakeKind(error_class="structure", counts=True)
MISSING = MistakeKind(error_class="argument_missing", counts=True)
VALUE = MistakeKind(error_class="argument_value", counts=False)
ANSWER = MistakeKind(error_class="answer", counts=True)
CHOICE = MistakeKind(error_class="tool_choice", counts=False)
END = MistakeKind(error_class="premature_end", counts=False)


def wrong(error_class: ErrorClass, *, check: str = "some.check", gate: bool = True, **fields: Any) -> Verdict:
    return Verdict(
        check=check, version=1, outcome="fail", gate=gate, error_class=error_class, **{"blame": "agent", **fields}
    )


def left(error_class: ErrorClass, **evidence: Any) -> Verdict:
    """Where an attempt left the reference."""
    return wrong(error_class, check="path.deviation", gate=False, evidence=evidence)


def attempt(
    i: int,
    policy: PolicyInfo,
    steps: Sequence[tuple[str | None, Sequence[Verdict]]],
    final: Sequence[Verdict] = (),
    **fields: Any,
) -> Trajectory:
    """An attempt from what was called in each step and what the checks said of it."""
    made = [
        make_step(
            0,
            index,
            call=None if tool is None else ToolCall(id=f"c{index}", name=tool, arguments={}, raw="{}"),
            observation=None,
            verdicts=tuple(verdicts),
            changes=(),
        )
        for index, (tool, verdicts) in enumerate(steps)
    ]
    counted = any(verdict.gate for verdict in final)
    given = {"passed": not counted, "reward": float(not counted), "ended": "answered", "attempt": i, **fields}
    return make_trajectory(i, policy=policy, steps=tuple(made), verdicts=tuple(final), **given)


RECORDS = [
    # calendar, base: two actions with mistakes, one of them twice over; the answer is wrong.
    attempt(
        0,
        BASE,
        [
            (None, [wrong("structure")]),
            ("find_events", [wrong("argument_missing"), wrong("argument_missing", path="$.b"), wrong("structure")]),
            ("find_events", [wrong("argument_value", gate=False), wrong("execution", blame="tool")]),
            (None, []),
        ],
        [
            wrong("answer"),
            left("tool_choice", tool="find_events", called="list_events"),
            left("premature_end", tool="delete_event"),
            left("premature_end", tool="delete_event"),
        ],
    ),
    # banking, base: nothing wrong, and the deviation check passed.
    attempt(1, BASE, [("find_events", [])], [Verdict(check="path.deviation", version=1, outcome="pass", gate=False)]),
    # email, tuned.
    attempt(
        2,
        TUNED,
        [("delete_event", [wrong("argument_missing")]), ("find_events", [])],
        [
            wrong("answer"),
            left("tool_choice", tool="find_events", called="list_events"),
            left(
                "argument_value",
                tool="find_events",
                argument="title",
                expected_from="the request",
                got_from="list_events.id",
            ),
        ],
    ),
    # travel, tuned: failed, but older checks never compared it with the reference.
    attempt(3, TUNED, [("find_events", [])], [wrong("answer")]),
    # calendar, no model.
    attempt(4, GOLD, [("find_events", [wrong("structure")])], [wrong("answer"), left("premature_end", tool="x")]),
]


@pytest.fixture
def store(home: Settings) -> Store:
    store = Store(home)
    for record in RECORDS:
        store.add(record)
    store.index.sync()
    return store


def test_actions_with_a_mistake_are_counted_once_for_each_kind(store: Store) -> None:
    table = mistake_table(store.index, "actions", "policy")
    assert table.totals == {"base": 5, "tuned": 3}
    assert table.kinds == (STRUCTURE, MISSING, VALUE), "what a tool broke down on is held against nobody"
    assert table.counts == ({"base": 2}, {"base": 1, "tuned": 1}, {"base": 1})
    assert table.per_hundred("base", 0) == 40
    assert table.per_hundred("tuned", 0) == 0
    assert table.count("tuned", 1) == 1


def test_actions_by_category_and_by_tool(store: Store) -> None:
    table = mistake_table(store.index, "actions", "category")
    assert table.totals == {"banking": 1, "calendar": 4, "email": 2, "travel": 1}
    assert table.counts == ({"calendar": 2}, {"calendar": 1, "email": 1}, {"calendar": 1})
    table = mistake_table(store.index, "actions", "tool")
    assert table.totals == {"": 2, "delete_event": 1, "find_events": 5}
    assert table.counts == ({"": 1, "find_events": 1}, {"find_events": 1, "delete_event": 1}, {"find_events": 1})


def test_attempts_are_counted_apart_from_actions(store: Store) -> None:
    table = mistake_table(store.index, "attempts", "policy")
    assert table.totals == {"base": 2, "tuned": 2}
    assert table.kinds == (ANSWER, VALUE, CHOICE, END)
    assert table.counts == ({"base": 1, "tuned": 2}, {"tuned": 1}, {"base": 1, "tuned": 1}, {"base": 1})
    table = mistake_table(store.index, "attempts", "tool")
    assert table.totals == {"delete_event": 1, "find_events": 4}, "an attempt stands at every tool it called"
    assert table.counts[0] == {"delete_event": 1, "find_events": 3}


def test_the_filter_and_the_kinds_of_policies_hold(store: Store) -> None:
    assert mistake_table(store.index, "actions", "policy", TrajectoryFilter(policies=("tuned",))).totals == {"tuned": 3}
    assert mistake_table(store.index, "actions", "policy", kinds=()).totals == {"base": 5, "gold": 1, "tuned": 3}
    nothing = mistake_table(store.index, "actions", "policy", TrajectoryFilter(policies=("gold",)))
    assert (nothing.totals, nothing.kinds) == ({}, ())
    narrowed = confusions(store.index, TrajectoryFilter(categories=("email",)))
    assert (narrowed.failed, narrowed.compared) == (1, 1)


def test_only_verdicts_in_force_count(store: Store) -> None:
    store.add(make_rejudgement(0, steps=((), (), (wrong("structure"),), ()), tools=(None, "a", "b", None)))
    store.index.sync()
    table = mistake_table(store.index, "actions", "policy")
    assert table.counts == ({"base": 1}, {"tuned": 1})
    assert mistake_table(store.index, "attempts", "policy").counts[0] == {"base": 1, "tuned": 2}


@pytest.mark.parametrize("scope", get_args(Scope))
@pytest.mark.parametrize("axis", get_args(Axis))
def test_every_number_leads_to_its_attempts(store: Store, scope: Scope, axis: Axis) -> None:
    table = mistake_table(store.index, scope, axis)
    for place, kind in enumerate(table.kinds):
        for value in table.totals:
            behind = mistaken(store.index, scope, axis, value, kind)
            assert bool(behind) == bool(table.count(value, place))
            assert len(behind) <= table.count(value, place)
            if scope == "attempts":
                assert len(behind) == table.count(value, place)


def test_the_attempts_behind_a_number_are_the_newest_first(store: Store) -> None:
    first, _, third, fourth, _ = (record.id for record in RECORDS)
    assert mistaken(store.index, "actions", "policy", "base", STRUCTURE) == (first,)
    assert mistaken(store.index, "attempts", "tool", "find_events", ANSWER) == (fourth, third, first)
    assert mistaken(store.index, "attempts", "policy", "'; --", ANSWER) == ()


def test_confusions_are_counted_by_attempt_the_commonest_first(store: Store) -> None:
    first, _, third, _, _ = (record.id for record in RECORDS)
    found = confusions(store.index)
    assert (found.failed, found.compared) == (3, 2), "one was never held beside the reference"
    nothing: dict[str, Any] = {"called": None, "argument": None, "expected_from": None, "got_from": None}
    choice, value, end = found.rows
    assert choice == Confusion(
        **{**nothing, "called": "list_events"}, error_class="tool_choice", tool="find_events", attempts=(third, first)
    )
    assert value == Confusion(
        error_class="argument_value",
        tool="find_events",
        called=None,
        argument="title",
        expected_from="the request",
        got_from="list_events.id",
        attempts=(third,),
    )
    assert end == Confusion(**nothing, error_class="premature_end", tool="delete_event", attempts=(first,))
    assert found.share(choice) == 1.0 and found.share(value) == found.share(end) == 0.5


def test_an_empty_store_has_no_mistakes(home: Settings) -> None:
    index = Store(home).index
    assert mistake_table(index, "actions", "tool").totals == {}
    found = confusions(index)
    assert (found.failed, found.compared, found.rows) == (0, 0, ())


def test_what_cannot_be_counted_is_refused(store: Store) -> None:
    unknown: Any = "id FROM trajectories; --"
    with pytest.raises(InvalidInputError, match="cannot be counted"):
        mistake_table(store.index, "actions", unknown)
    with pytest.raises(InvalidInputError, match="cannot be counted"):
        mistaken(store.index, unknown, "policy", "base", ANSWER)


def test_names_in_evidence_are_read_as_they_are(store: Store) -> None:
    odd = attempt(
        20, BASE, [("find_events", [])], [wrong("answer"), left("tool_choice", tool='a"b\u2028', called="c'; --")],
        task=make_task(20, category="odd"),
    )  # fmt: skip
    store.add(odd)
    store.index.sync()
    (row,) = confusions(store.index, TrajectoryFilter(categories=("odd",))).rows
    assert (row.tool, row.called, row.attempts) == ('a"b\u2028', "c'; --", (odd.id,))
