"""The calendar tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.calendar import day_with, free_slot, taken_slot, two_guests


@pytest.fixture
def calendar() -> Environment:
    world = World(datetime(2026, 5, 4, 7, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "events": [
            event("evt_1", "Piano lesson", "2026-05-05 10:00", 60),
            event("evt_2", "Book club", "2026-05-05 08:30", 30, guests=["Mei Chen"]),
            event("evt_3", "Haircut", "2026-05-06 09:00", 30),
        ],
        "calendar_people": [{"id": "con_1", "name": "Mei Chen"}, {"id": "con_2", "name": "Amara Okafor"}],
        "calendar_busy_times": [
            {"id": "bsy_1", "contact": "Mei Chen", "start": "2026-05-05 11:00", "minutes": 60},
            {"id": "bsy_2", "contact": "Mei Chen", "start": "2026-05-05 08:00", "minutes": 30},
            {"id": "bsy_3", "contact": "Amara Okafor", "start": "2026-05-06 09:15", "minutes": 30},
        ],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("calendar").tools)


def event(event_id: str, title: str, start: str, minutes: int, guests: list[str] | None = None) -> dict[str, Any]:
    return {
        "id": event_id,
        "title": title,
        "start": start,
        "minutes": minutes,
        "place": "Studio 4",
        "guests": guests or [],
        "reminder": None,
    }


def call(calendar: Environment, tool: str, **arguments: Any) -> Transition:
    return calendar.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(calendar: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(calendar, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def slot(start: str) -> dict[str, Any]:
    return {"title": "Chess club", "start": start, "minutes": 30}


def test_there_are_ten_tools() -> None:
    tools = get_category("calendar").tools
    assert len(tools) == 10
    assert {name for name, spec in tools.items() if spec.mutates} == {
        "create_event",
        "reschedule_event",
        "set_event_place",
        "set_event_reminder",
        "invite_guest",
        "cancel_event",
    }


def test_reads_find_events_and_change_nothing(calendar: Environment) -> None:
    before = calendar.world.state_hash()
    assert [row["id"] for row in result(calendar, "find_events", title=" PIANO ")] == ["evt_1"]
    assert result(calendar, "find_events", title="dentist") == []
    assert [row["id"] for row in result(calendar, "list_events", day="2026-05-05")] == ["evt_2", "evt_1"]
    assert result(calendar, "list_events", day="2026-05-07") == []
    assert result(calendar, "list_busy_times", contact="mei chen", day="2026-05-05") == [
        {"from": "08:00", "until": "08:30"},
        {"from": "11:00", "until": "12:00"},
    ]
    assert result(calendar, "list_busy_times", contact="Amara Okafor", day="2026-05-05") == []
    assert calendar.world.state_hash() == before


@pytest.mark.parametrize(
    ("day", "minutes", "start"),
    [
        ("2026-05-05", 30, "2026-05-05 08:00"),
        ("2026-05-05", 60, "2026-05-05 09:00"),
        ("2026-05-05", 90, "2026-05-05 11:00"),
        ("2026-05-04", 480, "2026-05-04 08:00"),
    ],
)
def test_the_earliest_free_slot(calendar: Environment, day: str, minutes: int, start: str) -> None:
    assert result(calendar, "find_free_slot", day=day, minutes=minutes) == {"start": start, "minutes": minutes}


def test_a_contact_must_be_free_as_well(calendar: Environment) -> None:
    found = result(calendar, "find_free_slot", day="2026-05-05", minutes=90, contact="Mei Chen")
    assert found == {"start": "2026-05-05 12:00", "minutes": 90}
    assert result(calendar, "find_free_slot", day="2026-05-05", minutes=90, contact="Amara Okafor")["start"] == (
        "2026-05-05 11:00"
    )


def test_creating_an_event(calendar: Environment) -> None:
    made = result(calendar, "create_event", title="Chess club", start="2026-05-05 11:00", minutes=45)
    assert calendar.world.get("events", made["id"]) == {
        "id": made["id"],
        "title": "Chess club",
        "start": "2026-05-05 11:00",
        "minutes": 45,
        "place": None,
        "guests": [],
        "reminder": None,
    }
    placed = result(calendar, "create_event", title="Lunch", start="2026-05-05 12:00", minutes=45, place="Café Kaldi")
    assert placed["place"] == "Café Kaldi" and placed["id"] != made["id"]


def test_changing_an_event(calendar: Environment) -> None:
    assert result(calendar, "reschedule_event", event_id="evt_1", start="2026-05-05 10:30")["minutes"] == 60
    assert result(calendar, "set_event_place", event_id="evt_1", place="Town hall")["place"] == "Town hall"
    assert result(calendar, "invite_guest", event_id="evt_2", guest="amara okafor")["guests"] == [
        "Amara Okafor",
        "Mei Chen",
    ]
    assert result(calendar, "set_event_reminder", event_id="evt_1", minutes_before=45) == {
        "title": "Piano lesson",
        "reminder_at": "2026-05-05 09:45",
    }
    assert result(calendar, "find_events", title="piano")[0]["reminder"] == 45
    assert "already has" in str(call(calendar, "set_event_reminder", event_id="evt_1", minutes_before=45).observation)
    assert result(calendar, "cancel_event", event_id="evt_3") == {"cancelled": "Haircut"}
    assert calendar.world.get("events", "evt_3") is None


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("create_event", {"title": "A", "start": "2026-05-05 10:59", "minutes": 5}, "overlaps with 'Piano lesson'"),
        ("create_event", {"title": "A", "start": "2026-05-05 09:30", "minutes": 31}, "overlaps with 'Piano lesson'"),
        ("create_event", {"title": "A", "start": "2026-05-04 06:59", "minutes": 30}, "in the past"),
        ("create_event", {"title": "A", "start": "2026-02-30 10:00", "minutes": 30}, "not a real date"),
        ("reschedule_event", {"event_id": "Haircut", "start": "2026-05-07 10:00"}, "find_events"),
        ("reschedule_event", {"event_id": "evt_1", "start": "2026-05-05 08:45"}, "overlaps with 'Book club'"),
        ("reschedule_event", {"event_id": "evt_1", "start": "2026-05-01 10:00"}, "in the past"),
        ("set_event_place", {"event_id": "evt_9", "place": "Town hall"}, "no event with the id"),
        ("invite_guest", {"event_id": "evt_9", "guest": "Mei Chen"}, "no event with the id"),
        ("invite_guest", {"event_id": "evt_1", "guest": "Mei"}, "no contact named 'Mei'"),
        ("invite_guest", {"event_id": "evt_2", "guest": "mei chen"}, "already invited"),
        ("set_event_reminder", {"event_id": "evt_9", "minutes_before": 15}, "no event with the id"),
        ("list_busy_times", {"contact": "Mei", "day": "2026-05-05"}, "Similar: Mei Chen"),
        ("list_busy_times", {"contact": "Mei Chen", "day": "2026-05-32"}, "not a real date"),
        ("find_free_slot", {"day": "2026-05-05", "minutes": 30, "contact": "Bo"}, "no contact named"),
        ("cancel_event", {"event_id": "evt_9"}, "no event with the id"),
        ("find_free_slot", {"day": "2026-05-03", "minutes": 30}, "no free slot"),
        ("find_free_slot", {"day": "2026-13-01", "minutes": 30}, "not a real date"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    calendar: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(calendar, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


def test_a_full_day_has_no_slot(calendar: Environment) -> None:
    result(calendar, "create_event", title="Retreat", start="2026-05-06 10:00", minutes=480)
    assert call(calendar, "find_free_slot", day="2026-05-06", minutes=150).observation.fault == "refused"


@pytest.mark.parametrize(
    "arguments",
    [
        {"title": "A", "start": "5 May 10:00", "minutes": 30},
        {"title": "A", "start": "2026-05-07 10:00", "minutes": 4},
        {"title": "A", "start": "2026-05-07 10:00", "minutes": 481},
        {"title": "", "start": "2026-05-07 10:00", "minutes": 30},
    ],
)
def test_formats_and_limits_of_arguments(calendar: Environment, arguments: dict[str, Any]) -> None:
    assert call(calendar, "create_event", **arguments).observation.fault == "invalid_arguments"


def test_the_order_of_invitations_does_not_matter(calendar: Environment) -> None:
    outcomes = []
    for order in (["Mei Chen", "Amara Okafor"], ["Amara Okafor", "Mei Chen"]):
        calendar.reset()
        for guest in order:
            result(calendar, "invite_guest", event_id="evt_1", guest=guest)
        outcomes.append(calendar.net_changes())
    comparison = compare_changes(*outcomes)
    assert not (comparison.missing or comparison.wrong or comparison.collateral)


def test_a_reminder_cannot_be_due_in_the_past(calendar: Environment) -> None:
    soon = result(calendar, "create_event", title="Chess club", start="2026-05-04 07:30", minutes=30)["id"]
    reminder = call(calendar, "set_event_reminder", event_id=soon, minutes_before=60)
    assert reminder.observation.fault == "refused" and reminder.changes == ()
    result(calendar, "set_event_reminder", event_id=soon, minutes_before=15)


@pytest.mark.parametrize("seed", [*range(25), *range(100_000, 100_025)])
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("calendar").world(seed)
    ids = [row["id"] for table in world.tables for row in world.rows(table)]
    assert len(set(ids)) == len(ids)
    spans = []
    for row in world.rows("events"):
        start = datetime.fromisoformat(str(row["start"]))
        spans.append((start, start + timedelta(minutes=int(str(row["minutes"])))))
        assert start > world.now
    spans.sort()
    assert len(spans) >= 12
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    contacts = {row["name"] for row in world.rows("calendar_people")}
    guests = [row["guests"] for row in world.rows("events")]
    assert all(
        isinstance(found, list) and found == sorted(map(str, found)) and set(found) <= contacts for found in guests
    )
    assert len({row["title"] for row in world.rows("events")}) == len(spans)
    rng = random.Random(seed)
    assert [day_with(world, rng, count) for count in (2, 3)]
    taken = call(Environment(world, get_category("calendar").tools), "create_event", **slot(taken_slot(world, rng)))
    assert "overlaps with" in str(taken.observation.content)
    busy = [two_guests(world, random.Random(draw), draw % 2 == 0) for draw in range(4)]
    assert all(case["first"] != case["second"] for case in busy)
    free = free_slot(world, random.Random(seed), 90)
    environment = Environment(world, get_category("calendar").tools)
    result(environment, "create_event", title="Chess club", start=free, minutes=90)


def test_seeds_give_different_worlds() -> None:
    assert len({get_category("calendar").world(seed).state_hash() for seed in range(50)}) == 50
