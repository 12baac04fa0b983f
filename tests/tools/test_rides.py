"""The ride and map tools: what each does, what each refuses, and what holds in every populated world."""

import random
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.rides import free_pickup, transit_pair

SEEDS = [*range(40), *range(100_000, 100_015)]


def ride(number: int, pickup: str, destination: str, status: str = "scheduled") -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": f"rid_{number}",
        "origin": "Elm House",
        "destination": destination,
        "ride_class": "Volt",
    }
    row |= {"passengers": 1, "pickup": pickup, "price": 10.0, "driver": "Ewa" if status == "completed" else ""}
    return {**row, "status": status, "tip": 0.0, "stars": 0, "comment": ""}


@pytest.fixture
def city() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    places = [("Elm House", "address", 0, 0), ("Loom Museum", "museum", 3, 4), ("Clock Museum", "museum", 0, 2)]
    classes = [("Volt", 4, 2.0, 1.0, 5), ("Van", 6, 4.0, 2.0, None)]
    line = {"origin": "Elm House", "destination": "Loom Museum", "changes": 0, "fare": 2.2}
    rows: dict[str, list[dict[str, Any]]] = {
        "map_places": [
            {"id": f"plc_{n}", "name": p[0], "kind": p[1], "x": p[2], "y": p[3]} for n, p in enumerate(places)
        ],
        "saved_places": [{"id": "sav_1", "label": "Home", "place": "Elm House"}],
        "ride_classes": [
            {"id": f"cls_{n}", "name": c[0], "seats": c[1], "base_price": c[2], "km_price": c[3], "wait": c[4]}
            for n, c in enumerate(classes)
        ],
        "rides": [
            ride(1, "2026-05-04 09:50", "Loom Museum"),
            ride(2, "2026-05-06 10:00", "Clock Museum"),
            ride(3, "2026-05-01 10:00", "Loom Museum", "completed"),
        ],
        "transit_connections": [
            {"id": "con_1", "line": "Tram A", "departs": "12:00", "arrives": "12:40", **line},
            {"id": "con_2", "line": "Bus K", "departs": "10:00", "arrives": "10:50", **line},
        ],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("rides").tools)


def call(city: Environment, tool: str, **arguments: Any) -> Transition:
    return city.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(city: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(city, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_the_map_measures_along_streets(city: Environment) -> None:
    assert result(city, "list_saved_places") == [{"label": "Home", "place": "Elm House"}]
    assert result(city, "find_map_places", kind="museum", near="elm house") == [
        {"name": "Clock Museum", "km": 2.6},
        {"name": "Loom Museum", "km": 6.5},
    ]
    way = {"origin": "Elm House", "destination": "Loom Museum"}
    assert result(city, "get_map_route", **way) == {"km": 6.5, "minutes": 17}
    assert result(city, "get_map_route", mode="walk", **way) == {"km": 6.5, "minutes": 79}
    assert [row["line"] for row in result(city, "find_transit_connections", **way)] == ["Bus K", "Tram A"]
    assert [row["line"] for row in result(city, "find_transit_connections", after="10:01", **way)] == ["Tram A"]
    assert result(city, "find_transit_connections", origin="Loom Museum", destination="Elm House") == []


def test_estimates_and_rides_cost_the_same(city: Environment) -> None:
    way = {"origin": "Elm House", "destination": "Loom Museum"}
    estimates = result(city, "estimate_rides", **way)
    assert [(row["ride_class"], row["price"], row["wait_minutes"]) for row in estimates] == [
        ("Volt", 8.5, 5),
        ("Van", 17.0, None),
    ]
    assert [row["ride_class"] for row in result(city, "estimate_rides", passengers=5, **way)] == ["Van"]
    ordered = result(city, "request_ride", ride_class="volt", **way)
    assert ordered["price"] == 8.5 and ordered["pickup"] == "2026-05-04 09:00"
    assert (
        result(city, "request_ride", ride_class="Van", passengers=6, pickup="2026-05-09 10:00", **way)["price"] == 17.0
    )
    assert len(result(city, "list_rides")) == 4


def test_cancelling_costs_a_fifth_within_the_hour(city: Environment) -> None:
    assert result(city, "cancel_ride", ride_id="rid_1") == {"status": "cancelled", "fee": 2.0}
    assert result(city, "cancel_ride", ride_id="rid_2") == {"status": "cancelled", "fee": 0.0}
    assert [row["id"] for row in result(city, "list_rides", status="cancelled")] == ["rid_1", "rid_2"]


def test_thanks_are_given_once(city: Environment) -> None:
    assert result(city, "tip_ride_driver", ride_id="rid_3", amount=2.5) == {"driver": "Ewa", "tip": 2.5}
    assert result(city, "rate_ride_driver", ride_id="rid_3", stars=4, comment="Smooth")["stars"] == 4
    assert "already tipped with 2.50" in str(
        call(city, "tip_ride_driver", ride_id="rid_3", amount=1).observation.content
    )
    assert "already rated" in str(call(city, "rate_ride_driver", ride_id="rid_3", stars=1).observation.content)


def test_the_order_of_independent_rides_does_not_matter(city: Environment) -> None:
    way = {"origin": "Elm House", "destination": "Loom Museum", "ride_class": "Volt"}
    outcomes = []
    for order in (("2026-05-08 10:00", "2026-05-08 15:00"), ("2026-05-08 15:00", "2026-05-08 10:00")):
        city.reset()
        for pickup in order:
            result(city, "request_ride", pickup=pickup, **way)
        outcomes.append(city.net_changes())
    comparison = compare_changes(*outcomes)
    assert not (comparison.missing or comparison.wrong or comparison.collateral)


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_map_route", {"origin": "Home", "destination": "Loom Museum"}, "list_saved_places"),
        ("get_map_route", {"origin": "Elm House", "destination": "elm house"}, "the same place"),
        ("estimate_rides", {"origin": "Elm House", "destination": "Museum"}, "Loom Museum"),
        ("request_ride", {"ride_class": "Van"}, "No Van car is free"),
        ("request_ride", {"ride_class": "Taxi"}, "estimate_rides"),
        ("request_ride", {"ride_class": "Volt", "passengers": 5}, "at most 4"),
        ("request_ride", {"ride_class": "Volt", "pickup": "2026-05-04 08:59"}, "within 30 days"),
        ("request_ride", {"ride_class": "Volt", "pickup": "2026-06-09 08:00"}, "within 30 days"),
        ("request_ride", {"ride_class": "Volt", "pickup": "2026-05-32 08:00"}, "real date"),
        ("request_ride", {"ride_class": "Volt", "pickup": "2026-05-06 09:45"}, "already a ride"),
        ("cancel_ride", {"ride_id": "rid_3"}, "completed"),
        ("tip_ride_driver", {"ride_id": "rid_1", "amount": 2}, "only completed"),
        ("rate_ride_driver", {"ride_id": "rid_9", "stars": 5}, "list_rides"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    city: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    way = {"origin": "Elm House", "destination": "Loom Museum"} if tool == "request_ride" else {}
    transition = call(city, tool, **way, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("rides").world(seed)
    places = {row["name"]: row for row in world.rows("map_places")}
    assert len(places) == len(world.rows("map_places")) >= 15
    assert {row["place"] for row in world.rows("saved_places")} <= set(places)
    assert [row["label"] for row in world.rows("saved_places")][:2] == ["Home", "Work"]
    classes = world.rows("ride_classes")
    assert sum(row["wait"] is None for row in classes) == 1 and sum(row["seats"] > 4 for row in classes) == 2
    rides = world.rows("rides")
    assert Counter(row["status"] for row in rides) == {"completed": 5, "scheduled": 4}
    assert len({row["destination"] for row in rides}) == len(rides)
    now = world.now.strftime("%Y-%m-%d %H:%M")
    assert all((row["pickup"] < now) == (row["status"] == "completed") for row in rides)
    assert sum(row["pickup"][:10] == now[:10] for row in rides) == 1
    for row in world.rows("transit_connections"):
        assert row["origin"] in places and row["destination"] in places and row["departs"] < row["arrives"]
    rng = random.Random(seed)
    assert len(transit_pair(world, rng)["connections"]) == 4
    time = free_pickup(world, rng)
    assert time["there"] < time["back"] and not any(row["pickup"].startswith(time["day"]) for row in rides)


def test_no_name_contains_another() -> None:
    content = get_category("rides").content
    for city in content["cities"]:
        names = [*city["addresses"], *(name for group in city["places"].values() for name in group)]
        names += [row["name"] for row in content["ride_classes"]] + content["drivers"] + content["lines"]
        assert [(a, b) for a in names for b in names if a != b and f" {a} ".casefold() in f" {b} ".casefold()] == []
        assert len(set(names)) == len(names)
