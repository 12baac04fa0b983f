"""The events tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]


@pytest.fixture
def office() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    show = {"genre": "concert", "city": "Córdoba", "venue": "Dome", "price_from": 30.5, "wheelchair": False}
    show["seats_left"] = {"balcony": 10, "circle": 3, "stalls": 0}
    museum = {"adult_price": 10, "child_price": 4, "senior_price": 7.5, "tour_fee": 45, "group_from": 10}
    course = {"id": "crs_1", "name": "Archery", "meets": "Mondays 18:30", "fee": 120, "min_age": 16, "max_age": 46}
    hall = {"hourly_rate": 24.5, "equipment_fee": 6, "max_players": 12}
    rows: dict[str, list[dict[str, Any]]] = {
        "event_cities": [{"id": "cty_1", "name": "Córdoba"}, {"id": "cty_2", "name": "Pune"}],
        "event_shows": [
            {**show, "id": "shw_1", "name": "Kora", "starts": "2026-05-10 19:30", "price_from": 20, "wheelchair": True},
            {**show, "id": "shw_2", "name": "Oud", "starts": "2026-05-06 18:00"},
            {**show, "id": "shw_3", "name": "Drum Walk", "starts": "2026-05-07 18:00", "genre": "dance"},
        ],
        "event_museums": [{**museum, "id": "mus_1", "name": "Kite House", "group_discount": 10}],
        "event_courses": [{**course, "places": {"beginner": 1, "intermediate": 0, "advanced": 2}}],
        "event_halls": [{**hall, "id": "hal_1", "name": "Oak Hall"}, {**hall, "id": "hal_2", "name": "Elm Gym"}],
        "event_rentals": [{"id": "ren_1", "hall_id": "hal_1", "day": "2026-05-06", "start": "18:00", "hours": 1.5}],
        **{f"event_{table}": [] for table in ("reservations", "waitlist", "enrolments", "vouchers", "draws")},
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("events").tools)


BASE: dict[str, dict[str, Any]] = {
    "search_shows": {"city": "cordoba", "genre": "concert", "first_day": "2026-05-06", "last_day": "2026-05-10"},
    "reserve_show_seats": {"show": "kora", "section": "circle", "seats": 3, "holder": "Mei", "email": "mei@x.example"},
    "join_show_waitlist": {"show": "Oud", "section": "circle", "seats": 4, "person": "Mei", "phone": "+44 1"},
    "quote_museum_visit": {"museum": "Kite House", "adults": 6, "children": 4, "seniors": 0},
    "enrol_in_course": {"course": "archery", "participant": "Ravi", "age": 46, "level": "beginner"},
    "rent_sports_hall": {"hall": "Oak Hall", "day": "2026-05-06", "start": "16:30", "hours": 1.5, "players": 12},
    "order_gift_voucher": {"amount": 5, "recipient": "Al", "email": "a@b.c", "send_on": "2026-05-04", "greeting": "Hi"},
    "plan_seating_rows": {"room_length": 12, "room_width": 9.2, "stage_depth": 3, "row_spacing": 90, "seat_width": 50},
    "plan_tournament": {"teams": 6, "courts": 3, "match_minutes": 20, "break_minutes": 5, "start": "09:00"},
    "draw_balanced_teams": {"occasion": "Cup", "players": [*"ABCDE"], "strengths": [4, 9, 4, 9, 1], "team_count": 2},
}
BASE["search_shows"]["max_price"] = 30.5


def call(office: Environment, tool: str, **arguments: Any) -> Transition:
    return office.step(ToolCall(id="call_0", name=tool, arguments={**BASE[tool], **arguments}, raw=""))


def result(office: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(office, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


@pytest.mark.parametrize(
    ("tool", "other", "expected"),
    [
        ("reserve_show_seats", {}, {"name": "Kora", "starts": "2026-05-10 19:30", "total": 78.0}),
        ("quote_museum_visit", {}, {"discount_percent": 10, "total": 68.4}),
        ("quote_museum_visit", {"adults": 5}, {"discount_percent": 0, "total": 66}),
        ("quote_museum_visit", {"adults": 0, "children": 0, "seniors": 16, "guided_tour": True}, {"total": 198.0}),
        ("enrol_in_course", {"instalments": True}, {"course": "Archery", "due_now": 42.0}),
        ("rent_sports_hall", {"start": "19:30", "hours": 3.5, "equipment": True}, {"total": 91.75}),
        ("rent_sports_hall", {"hall": "elm gym", "start": "18:30"}, {"total": 36.75}),
        ("plan_seating_rows", {"room_length": 5.7, "stage_depth": 0.3, "aisle": 0}, {"rows": 6, "seats": 108}),
        ("plan_tournament", {"teams": 5, "courts": 1, "twice": True}, {"matches": 20, "ends": "17:15"}),
    ],
)
def test_prices_and_plans(office: Environment, tool: str, other: Any, expected: dict[str, Any]) -> None:
    assert expected.items() <= result(office, tool, **other).items()


def test_shows_are_found(office: Environment) -> None:
    def names(**more: Any) -> list[str]:
        return [row["name"] for row in result(office, "search_shows", **more)]

    assert names() == ["Oud", "Kora"] and names(city="Pune") == [] and names(genre="dance") == ["Drum Walk"]
    assert names(max_price=30.4) == names(wheelchair=True) == names(first_day="2026-05-07") == ["Kora"]


def test_bookings_are_kept(office: Environment) -> None:
    tables = [change.table for tool in BASE if office.tools[tool].mutates for change in call(office, tool).changes]
    assert len(tables) == len({*tables}) == 8
    assert office.world.rows("event_shows")[0]["seats_left"] == {"balcony": 10, "circle": 0, "stalls": 0}
    assert office.world.rows("event_courses")[0]["places"] == {"beginner": 0, "intermediate": 0, "advanced": 2}
    assert [row["show_id"] for row in office.world.rows("event_reservations")] == ["shw_1"]
    assert office.world.rows("event_vouchers") == [{"id": "vou_9001", **BASE["order_gift_voucher"], "design": "plain"}]


def test_teams_are_drawn_from_pots_whatever_the_order(office: Environment) -> None:
    drawn = result(office, "draw_balanced_teams")
    assert sorted(team["strength"] for team in drawn["teams"]) == [13, 14]
    assert result(office, "draw_balanced_teams", players=[*"EDCBA"], strengths=[1, 9, 4, 9, 4]) == drawn
    assert any(result(office, "draw_balanced_teams", draw_number=number) != drawn for number in range(2, 22))


@pytest.mark.parametrize(
    ("tool", "other", "reason"),
    [
        ("search_shows", {"city": "Atlantis"}, "The towns are Córdoba, Pune"),
        ("search_shows", {"last_day": "2026-05-05"}, "2026-05-06 is after 2026-05-05"),
        ("reserve_show_seats", {"seats": 4}, "only 3 seats left"),
        ("join_show_waitlist", {"seats": 3}, "No need to wait"),
        ("quote_museum_visit", {"adults": 0, "children": 0}, "at least one person"),
        ("enrol_in_course", {"age": 47}, "for ages 16 to 46"),
        ("rent_sports_hall", {"day": "2026-02-29"}, "not a real date"),
        ("rent_sports_hall", {"day": "2026-05-04", "start": "09:00"}, "it is 2026-05-04 09:00 now"),
        ("rent_sports_hall", {"start": "22:00"}, "between 07:00 and 23:00"),
        ("rent_sports_hall", {"players": 13}, "12 players at most"),
        ("rent_sports_hall", {"start": "16:31"}, "taken from 18:00 for 1.5 hours"),
        ("order_gift_voucher", {"send_on": "2026-05-03"}, "in the past"),
        ("plan_seating_rows", {"stage_depth": 200}, "Not a single row"),
        ("plan_tournament", {"teams": 2, "match_minutes": 60, "start": "23:00"}, "end on the same day"),
        ("draw_balanced_teams", {"strengths": [1, 2]}, "exactly one strength"),
        ("draw_balanced_teams", {"players": ["A", "b", "B", "C", "D"]}, "a name of their own"),
        ("draw_balanced_teams", {"players": [], "strengths": []}, "From 0 players"),
    ],
)
def test_refusals_say_why_and_change_nothing(office: Environment, tool: str, other: Any, reason: str) -> None:
    transition = call(office, tool, **other)
    assert transition.observation.fault in ("refused", "invalid_arguments"), transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("events").world(seed)
    shows = world.rows("event_shows")
    assert len({row["name"] for row in shows}) == len({(row["city"], row["starts"][:10]) for row in shows}) == 24
    assert all(f"{world.now:%Y-%m-%d %H:%M}" < row["starts"] for row in shows)
    for table, number in (("museums", 6), ("halls", 6), ("courses", 10), ("guests", 12)):
        assert len({row["name"] for row in world.rows(f"event_{table}")}) == number
    assert all(row["child_price"] < row["adult_price"] >= row["senior_price"] for row in world.rows("event_museums"))
    rentals = [(row["hall_id"], row["day"]) for row in world.rows("event_rentals")]
    assert len(set(rentals)) == len(rentals) == 5
    squad: Any = get_category("events").makers["squad"](world, random.Random(seed))
    people = {"players": squad["players"], "strengths": squad["strengths"], "team_count": squad["teams"]}
    drawn = result(Environment(world, get_category("events").tools), "draw_balanced_teams", **people)
    assert len({len(team["players"]) for team in drawn["teams"]}) == 1


def test_no_name_contains_another() -> None:
    content = get_category("events").content
    titles = [name for genre in ("concert", "play", "opera", "dance", "comedy", "circus") for name in content[genre]]
    for pool in (titles, *(content[key] for key in ("venues", "museums", "halls", "courses", "people"))):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
