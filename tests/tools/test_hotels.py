"""The hotel tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.hotels import booked_hotel, hotel_stay

SEEDS = [*range(40), *range(100_000, 100_015)]
NIGHTS = [(datetime(2026, 5, 4) + timedelta(days=n)).strftime("%Y-%m-%d") for n in range(12)]


def booking(number: int, check_in: str, check_out: str, total: float) -> dict[str, Any]:
    row = {"id": f"hbk_{number}", "room_id": "roo_1", "check_in": check_in, "check_out": check_out, "guests": 2}
    return {**row, "breakfast": False, "discount": 0.0, "total": total, "status": "booked"}


@pytest.fixture
def desk() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    common = {"city": "Porto", "district": "Harbour", "check_in_from": "14:00", "free_cancel_days": 3}
    free = dict.fromkeys(NIGHTS, 2) | {NIGHTS[9]: 0}
    rows: dict[str, list[dict[str, Any]]] = {
        "hotels": [
            {"id": "htl_1", "name": "Aegli", "stars": 4, "rating": 8.1, "amenities": ["pool"], "breakfast_price": 9.5}
            | common,
            {"id": "htl_2", "name": "Lumen", "stars": 2, "rating": 7.0, "amenities": [], "breakfast_price": 7} | common,
        ],
        "hotel_rooms": [
            {"id": "roo_1", "hotel_id": "htl_1", "kind": "double", "sleeps": 2, "price": 80.0, "free": free},
            {"id": "roo_2", "hotel_id": "htl_2", "kind": "single", "sleeps": 1, "price": 50.0, "free": free},
        ],
        "hotel_bookings": [
            booking(1, "2026-05-06", "2026-05-08", 160.0),
            booking(2, "2026-05-10", "2026-05-12", 160.0),
        ],
        "hotel_loyalty": [{"id": "loy_1", "level": "blue", "points": 2500}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("hotels").tools)


def call(desk: Environment, tool: str, **arguments: Any) -> Transition:
    return desk.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(desk: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(desk, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def free(desk: Environment, night: int) -> Any:
    room = desk.world.get("hotel_rooms", "roo_1")
    assert room is not None
    return room["free"][NIGHTS[night]]


def test_search_narrows_by_stars_price_and_amenity(desk: Environment) -> None:
    assert [row["name"] for row in result(desk, "search_hotels", city="porto")] == ["Aegli", "Lumen"]
    for narrowing in ({"min_stars": 3}, {"amenity": "pool"}, {"min_stars": 4, "max_price": 80}):
        found = result(desk, "search_hotels", city="Porto", **narrowing)
        assert [(row["name"], row["price_from"]) for row in found] == [("Aegli", 80.0)]
    assert result(desk, "search_hotels", city="Porto", max_price=49.9) == []
    assert result(desk, "get_hotel_details", hotel_id="htl_1")["breakfast_price"] == 9.5


def test_booking_takes_every_night_and_counts_breakfast(desk: Environment) -> None:
    stay = {"check_in": NIGHTS[5], "check_out": NIGHTS[7]}
    rooms = result(desk, "list_available_rooms", hotel_id="htl_1", **stay)
    assert rooms == [{"room_id": "roo_1", "kind": "double", "sleeps": 2, "price": 80.0, "left": 2}]
    booked = result(desk, "book_hotel_room", room_id="roo_1", guests=2, breakfast=True, **stay)
    assert booked["total"] == 198.0 and booked["free_cancellation_until"] == NIGHTS[2]
    assert [free(desk, night) for night in (4, 5, 6, 7)] == [2, 1, 1, 2]
    assert result(desk, "get_hotel_booking", booking_id=booked["booking_id"])["breakfast"] is True
    assert len(result(desk, "list_hotel_bookings")) == 3
    gone = {"hotel_id": "htl_1", "check_in": NIGHTS[8], "check_out": NIGHTS[10]}
    assert result(desk, "list_available_rooms", **gone) == []


def test_moving_frees_the_old_nights_and_keeps_the_discount(desk: Environment) -> None:
    assert result(desk, "redeem_loyalty_points", booking_id="hbk_2", points=1500) == {
        "total": 145.0,
        "points_left": 1000,
    }
    moved = result(desk, "change_hotel_dates", booking_id="hbk_2", check_in=NIGHTS[6], check_out=NIGHTS[9])
    assert moved["total"] == 225.0
    assert [free(desk, night) for night in (6, 7, 8)] == [2, 2, 1]


def test_cancelling_is_free_until_the_deadline_and_costs_a_night_later(desk: Environment) -> None:
    assert result(desk, "get_hotel_booking", booking_id="hbk_2")["free_cancellation_until"] == "2026-05-07"
    assert result(desk, "cancel_hotel_booking", booking_id="hbk_2")["fee"] == 0.0
    refused = call(desk, "cancel_hotel_booking", booking_id="hbk_1").observation
    assert refused.fault == "refused" and "costs 80.00" in str(refused.content)
    assert result(desk, "cancel_hotel_booking", booking_id="hbk_1", accept_fee=True)["fee"] == 80.0
    assert free(desk, 2) == 3
    assert result(desk, "get_loyalty_account") == {"level": "blue", "points": 2500}


def test_the_order_of_independent_bookings_does_not_matter(desk: Environment) -> None:
    stays = [{"check_in": NIGHTS[1], "check_out": NIGHTS[3]}, {"check_in": NIGHTS[2], "check_out": NIGHTS[4]}]
    outcomes = []
    for order in (stays, stays[::-1]):
        desk.reset()
        for stay in order:
            result(desk, "book_hotel_room", room_id="roo_1", guests=1, **stay)
        outcomes.append(desk.net_changes())
    comparison = compare_changes(*outcomes)
    assert not (comparison.missing or comparison.wrong or comparison.collateral)


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_hotels", {"city": "Paris"}, "Cities: Porto"),
        ("get_hotel_details", {"hotel_id": "Aegli"}, "search_hotels"),
        ("list_available_rooms", {"hotel_id": "htl_1", "check_in": NIGHTS[3], "check_out": NIGHTS[3]}, "1 to 14"),
        (
            "list_available_rooms",
            {"hotel_id": "htl_1", "check_in": "2026-05-01", "check_out": NIGHTS[1]},
            "in the past",
        ),
        ("list_available_rooms", {"hotel_id": "htl_1", "check_in": "2026-13-01", "check_out": NIGHTS[1]}, "real date"),
        (
            "book_hotel_room",
            {"room_id": "roo_2", "guests": 2, "check_in": NIGHTS[1], "check_out": NIGHTS[2]},
            "sleeps 1",
        ),
        (
            "book_hotel_room",
            {"room_id": "roo_1", "guests": 1, "check_in": NIGHTS[8], "check_out": NIGHTS[10]},
            "is free",
        ),
        ("change_hotel_dates", {"booking_id": "hbk_2", "check_in": NIGHTS[6], "check_out": NIGHTS[10]}, NIGHTS[9]),
        ("change_hotel_dates", {"booking_id": "hbk_1", "check_in": NIGHTS[2], "check_out": NIGHTS[4]}, "already"),
        ("cancel_hotel_booking", {"booking_id": "hbk_9"}, "list_hotel_bookings"),
        ("redeem_loyalty_points", {"booking_id": "hbk_1", "points": 2600}, "Only 2500"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    desk: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(desk, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("hotels").world(seed)
    hotels = {row["id"]: row for row in world.rows("hotels")}
    assert len({row["name"] for row in hotels.values()}) == len(hotels)
    cities = [row["city"] for row in hotels.values()]
    assert len(set(cities)) == 4 and all(cities.count(city) >= 3 for city in cities)
    for city in set(cities):
        ratings = [row["rating"] for row in hotels.values() if row["city"] == city]
        assert len(set(ratings)) == len(ratings)
    rooms = {row["id"]: row for row in world.rows("hotel_rooms")}
    assert all(sum(r["hotel_id"] == h and r["kind"] == "double" for r in rooms.values()) == 1 for h in hotels)
    booked = [hotels[rooms[row["room_id"]]["hotel_id"]]["city"] for row in world.rows("hotel_bookings")]
    assert sorted(booked) == sorted(set(cities))
    for row in world.rows("hotel_bookings"):
        assert world.now.strftime("%Y-%m-%d") < row["check_in"] < row["check_out"]
        assert row["guests"] <= rooms[row["room_id"]]["sleeps"] and row["total"] == round(row["total"], 2) > 0
    rng = random.Random(seed)
    assert booked_hotel(world, rng, late=True)["id"] == world.rows("hotel_bookings")[0]["id"]
    for free in (True, False):
        stay = hotel_stay(world, rng, free=free)
        assert stay["hotel"] != stay["other"] and stay["check_in"] > world.now.strftime("%Y-%m-%d")
    assert world.rows("hotel_loyalty")[0]["points"] % 100 == 0


def test_no_name_contains_another() -> None:
    content = get_category("hotels").content
    names = [name.casefold() for name in content["cities"] + content["hotels"]]
    assert [(a, b) for a in names for b in names if a != b and f" {a} " in f" {b} "] == []
    assert len(set(names)) == len(names)
