"""The flight tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.flights import flight_leg

SEEDS = [*range(40), *range(100_000, 100_015)]


def flight(number: int, departs: str, at_home: str = "", destination: str = "Oslo") -> dict[str, Any]:
    row = {"id": f"flt_{number}", "airline": f"Air {number}", "origin": "Lima", "destination": destination}
    return {**row, "departs": departs, "arrives": departs, "minutes": 90, "departs_at_home": at_home or departs}


def fare(number: int, seats: int, change_fee: int | None = 20, price: float = 100.0) -> dict[str, Any]:
    row = {"id": f"far_{number}", "flight_id": f"flt_{number}", "cabin": "economy", "price": price, "bag_fee": 20.5}
    rules = {"changeable": change_fee is not None, "change_fee": change_fee or 0}
    refund = {"refundable": change_fee is not None, "cancel_fee": 30}
    return {**row, "seats_left": seats, "free_seats": ["12A", "18C"][:seats], **rules, **refund}


def booking(number: int, flight_id: str, names: list[str]) -> dict[str, Any]:
    row = {"id": f"fbk_{number}", "flight_id": flight_id, "cabin": "economy", "travellers": names}
    seats = dict.fromkeys(names, "")
    return {**row, "seats": seats, "checked_bags": 0, "total": 100.0 * len(names), "status": "booked"}


@pytest.fixture
def desk() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    people = [("Ana Lund", "self", 40), ("Bo Lund", "son", 8)]
    rows: dict[str, list[dict[str, Any]]] = {
        "airports": [{"id": f"apt_{n}", "city": city} for n, city in enumerate(["Lima", "Oslo", "Rome"])],
        "travellers": [{"id": f"trv_{n}", "name": p[0], "relation": p[1], "age": p[2]} for n, p in enumerate(people)],
        "flights": [
            flight(1, "2026-05-10 08:00"),
            flight(2, "2026-05-10 18:00"),
            flight(3, "2026-05-04 20:00", destination="Rome"),
            flight(4, "2026-05-11 08:00", destination="Rome"),
            flight(5, "2026-05-04 11:00", at_home="2026-05-04 09:30"),
        ],
        "flight_fares": [fare(1, 2), fare(2, 1, None, 150.5), fare(3, 2), fare(4, 0, None), fare(5, 2)],
        "flight_bookings": [
            booking(1, "flt_1", ["Ana Lund"]),
            booking(2, "flt_3", ["Ana Lund", "Bo Lund"]),
            booking(3, "flt_4", ["Ana Lund"]),
            booking(4, "flt_5", ["Ana Lund"]),
        ],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("flights").tools)


def call(desk: Environment, tool: str, **arguments: Any) -> Transition:
    return desk.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(desk: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(desk, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def seats_left(desk: Environment, number: int) -> Any:
    row = desk.world.get("flight_fares", f"far_{number}")
    assert row is not None
    return row["seats_left"]


def test_search_and_rules_tell_what_booking_needs(desk: Environment) -> None:
    found = result(desk, "search_flights", origin="lima", destination="OSLO", day="2026-05-10")
    assert [(row["id"], row["price"], row["seats_left"]) for row in found] == [("flt_1", 100.0, 2), ("flt_2", 150.5, 1)]
    assert result(desk, "search_flights", origin="Lima", destination="Oslo", day="2026-05-10", cabin="business") == []
    assert result(desk, "get_fare_rules", flight_id="flt_1") == {"bag_fee": 20.5, "change_fee": 20, "cancel_fee": 30}
    assert result(desk, "get_fare_rules", flight_id="flt_2") == {
        "bag_fee": 20.5,
        "changes": "not allowed",
        "refund": "none",
    }
    assert [row["relation"] for row in result(desk, "list_travellers")] == ["self", "son"]
    listed = result(desk, "list_flight_bookings")
    assert [row["id"] for row in listed] == ["fbk_4", "fbk_2", "fbk_1", "fbk_3"]


def test_booking_takes_seats_and_cancelling_gives_them_back(desk: Environment) -> None:
    desk.world.update("flight_fares", "far_2", seats_left=2)
    names = ["Bo Lund", "ana lund"]
    booked = result(desk, "book_flight", flight_id="flt_2", travellers=names, checked_bags=1)
    assert booked["total"] == 321.5 and seats_left(desk, 2) == 0
    row = desk.world.get("flight_bookings", booked["booking_id"])
    assert row is not None and row["travellers"] == ["Ana Lund", "Bo Lund"]
    assert result(desk, "cancel_flight_booking", booking_id=booked["booking_id"])["refund"] == 0.0
    assert seats_left(desk, 2) == 2
    assert result(desk, "cancel_flight_booking", booking_id="fbk_1") == {"status": "cancelled", "refund": 70.0}


def test_changing_costs_fee_and_difference_and_gives_up_seats(desk: Environment) -> None:
    assert result(desk, "choose_flight_seat", booking_id="fbk_1", traveller="Ana Lund", seat="12A")["fee"] == 12.0
    assert result(desk, "choose_flight_seat", booking_id="fbk_1", traveller="Ana Lund", seat="18C")["fee"] == -6.0
    assert [row["seat"] for row in result(desk, "list_free_seats", booking_id="fbk_1")] == ["12A"]
    assert result(desk, "change_flight_booking", booking_id="fbk_1", new_flight_id="flt_2")["extra_cost"] == 70.5
    row = desk.world.get("flight_bookings", "fbk_1")
    assert row is not None and row["seats"] == {"Ana Lund": ""} and row["total"] == 176.5
    assert (seats_left(desk, 1), seats_left(desk, 2)) == (3, 0)


def test_check_in_seats_everybody_and_closes_the_booking(desk: Environment) -> None:
    done = result(desk, "complete_flight_check_in", booking_id="fbk_2")
    assert done == {"status": "checked in", "seats": {"Ana Lund": "12A", "Bo Lund": "18C"}}
    for tool in ("cancel_flight_booking", "complete_flight_check_in"):
        assert call(desk, tool, booking_id="fbk_2").observation.fault == "refused"


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_flights", {"origin": "Paris", "destination": "Oslo", "day": "2026-05-10"}, "no airport named"),
        ("search_flights", {"origin": "Lima", "destination": "Oslo", "day": "2026-02-30"}, "not a real date"),
        ("get_fare_rules", {"flight_id": "flt_1", "cabin": "business"}, "no business cabin"),
        ("book_flight", {"flight_id": "Air 1", "travellers": ["Ana Lund"]}, "search_flights"),
        ("book_flight", {"flight_id": "flt_2", "travellers": ["Ana"]}, "Ana Lund"),
        ("book_flight", {"flight_id": "flt_2", "travellers": ["Bo Lund"]}, "under 12"),
        ("book_flight", {"flight_id": "flt_2", "travellers": ["Ana Lund", "Bo Lund"]}, "Only 1 economy seats"),
        ("book_flight", {"flight_id": "flt_2", "travellers": ["Ana Lund"], "checked_bags": 3}, "two checked bags"),
        ("book_flight", {"flight_id": "flt_1", "travellers": ["Ana Lund"]}, "already booked"),
        ("choose_flight_seat", {"booking_id": "fbk_1", "traveller": "Ana Lund", "seat": "20A"}, "not free"),
        ("choose_flight_seat", {"booking_id": "fbk_1", "traveller": "Bo Lund", "seat": "12A"}, "not on this booking"),
        ("change_flight_booking", {"booking_id": "fbk_3", "new_flight_id": "flt_3"}, "does not allow changes"),
        ("change_flight_booking", {"booking_id": "fbk_1", "new_flight_id": "flt_1"}, "already"),
        ("change_flight_booking", {"booking_id": "fbk_1", "new_flight_id": "flt_3"}, "between Lima and Oslo"),
        ("cancel_flight_booking", {"booking_id": "fbk_4"}, "within the hour"),
        ("complete_flight_check_in", {"booking_id": "fbk_1"}, "opens on 2026-05-09 08:00"),
        ("complete_flight_check_in", {"booking_id": "fbk_9"}, "list_flight_bookings"),
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
    world = get_category("flights").world(seed)
    flights = {row["id"]: row for row in world.rows("flights")}
    assert 18 <= len(flights) <= 26
    assert all(str(row["departs_at_home"]) > world.now.strftime("%Y-%m-%d %H:%M") for row in flights.values())
    for row in world.rows("flight_fares"):
        assert row["flight_id"] in flights and row["price"] == round(row["price"], 2) > 0
        assert len(set(row["free_seats"])) == len(row["free_seats"]) <= max(6, row["seats_left"])
    people = {row["name"] for row in world.rows("travellers")}
    assert len(people) == 4
    destinations = [flights[row["flight_id"]]["destination"] for row in world.rows("flight_bookings")]
    assert len(set(destinations)) == len(destinations) == 4
    assert all(set(row["travellers"]) <= people for row in world.rows("flight_bookings"))
    rng = random.Random(seed)
    today, changeable, fixed, refunded = (flight_leg(world, rng, [number]) for number in range(4))
    assert today["day"] == world.now.strftime("%Y-%m-%d")
    assert changeable["fare"]["changeable"] and not fixed["fare"]["changeable"] and refunded["fare"]["refundable"]
    assert all(any(row["seats_left"] > 2 for row in leg["others"]) for leg in (changeable, fixed))
    there, back = flight_leg(world, rng, [5]), flight_leg(world, rng, [6])
    assert there["destination"] == back["origin"] and there["day"] < back["day"] and "booking" not in there


def test_arrivals_are_local_times() -> None:
    hours = {city["name"]: city["utc"] for city in get_category("flights").content["cities"]}
    for row in get_category("flights").world(3).rows("flights"):
        shift = timedelta(hours=hours[row["destination"]] - hours[row["origin"]], minutes=row["minutes"])
        departs, arrives = (datetime.fromisoformat(str(row[key])) for key in ("departs", "arrives"))
        assert arrives - departs == shift


def test_no_name_contains_another() -> None:
    content = get_category("flights").content
    names = [city["name"] for city in content["cities"]] + content["airlines"] + content["people"]
    assert [(a, b) for a in names for b in names if a != b and f" {a} " in f" {b} "] == []
    assert len({name.casefold() for name in names}) == len(names)
