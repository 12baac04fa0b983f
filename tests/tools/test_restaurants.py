"""The restaurant tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]
BELLA = {
    "id": "rst_1",
    "name": "Trattoria Bellini",
    "cuisine": "Italian",
    "area": "Riverside",
    "price": "medium",
    "rating": 4.4,
    "opens": 12,
    "closes": 21,
    "closed_on": "Tuesday",
    "tables": [2, 4],
    "delivers_to": ["Northgate"],
    "delivery_minimum": 20,
    "delivery_fee": 2.5,
}
SUAN = {**BELLA, "id": "rst_2", "name": "Baan Suan", "cuisine": "Thai", "price": "low", "delivers_to": []}


def booking(key: str, date: str, time: str, seats: int, mine: bool = True) -> dict[str, Any]:
    row = {"id": key, "restaurant_id": "rst_1", "date": date, "time": time, "guests": seats, "seats": seats}
    return {**row, "note": None, "mine": mine}


@pytest.fixture
def town() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))  # a Monday
    dish = {"restaurant_id": "rst_1", "allergens": []}
    rows: dict[str, list[dict[str, Any]]] = {
        "restaurants": [BELLA, SUAN],
        "dishes": [
            {**dish, "id": "dsh_1", "name": "Caponata", "price": 9.5, "allergens": ["nuts"]},
            {**dish, "id": "dsh_2", "name": "Osso Buco", "price": 22.0},
            {**dish, "id": "dsh_3", "restaurant_id": "rst_2", "name": "Pad Thai", "price": 11.0},
        ],
        "table_reservations": [
            booking("rsv_1", "2026-05-06", "19:00", 4),
            booking("rsv_2", "2026-05-06", "18:00", 2, mine=False),
            booking("rsv_3", "2026-04-10", "19:00", 2),
            booking("rsv_4", "2026-05-04", "19:00", 2),
        ],
        "food_deliveries": [],
        "restaurant_reviews": [],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("restaurants").tools)


def call(town: Environment, tool: str, **arguments: Any) -> Transition:
    return town.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(town: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(town, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_reads_show_what_is_needed_and_change_nothing(town: Environment) -> None:
    before = town.world.state_hash()
    for query in ({"name": "bellini"}, {"cuisine": "italian"}, {"cuisine": "Italian", "area": "riverside"}):
        assert [row["id"] for row in result(town, "search_restaurants", **query)] == ["rst_1"]
    assert result(town, "search_restaurants", price="high") == []
    info = result(town, "get_restaurant_info", restaurant_id="rst_1")
    assert info["hours"]["Tuesday"] == "closed" and info["hours"]["Friday"] == "12:00-22:00"
    assert info["delivers_to"] == ["Northgate"]
    menu = result(town, "show_restaurant_menu", restaurant_id="rst_1", without="nuts")
    assert [row["name"] for row in menu] == ["Osso Buco"]
    free = result(town, "find_free_tables", restaurant_id="rst_1", date="2026-05-06", guests=3)["free"]
    assert free == ["12:00", "13:00", "14:00", "15:00", "16:00", "17:00"]
    assert [row["id"] for row in result(town, "list_table_reservations")] == ["rsv_4", "rsv_1"]
    assert [row["id"] for row in result(town, "list_table_reservations", when="past")] == ["rsv_3"]
    assert town.world.state_hash() == before


def test_a_reservation_takes_the_smallest_table_until_all_are_taken(town: Environment) -> None:
    plan = {"restaurant_id": "rst_1", "date": "2026-05-07", "time": "19:00"}
    result(town, "reserve_table", **plan, guests=2, note="by the window")
    result(town, "reserve_table", **plan, guests=1)
    made = town.world.rows("table_reservations")[-2:]
    assert [(row["seats"], row["note"]) for row in made] == [(2, "by the window"), (4, None)]
    assert "is full" in str(call(town, "reserve_table", **{**plan, "time": "18:00"}, guests=2).observation.content)
    result(town, "reserve_table", **{**plan, "time": "17:00"}, guests=2)


def test_change_and_cancel(town: Environment) -> None:
    changed = result(town, "change_table_reservation", reservation_id="rsv_1", guests=1, time="17:00")
    assert (changed["date"], changed["time"], changed["guests"]) == ("2026-05-06", "17:00", 1)
    assert town.world.get("table_reservations", "rsv_1")["seats"] == 4, "the small table is taken at 18:00"  # type: ignore[index]
    assert result(town, "cancel_table_reservation", reservation_id="rsv_1")["cancelled"] == "Trattoria Bellini"
    assert town.world.get("table_reservations", "rsv_1") is None


def test_delivery_and_review(town: Environment) -> None:
    order = {"restaurant_id": "rst_1", "dish_ids": ["dsh_2", "dsh_1"], "area": "northgate", "time": "19:30"}
    assert result(town, "order_food_delivery", **order)["total"] == 34.0
    assert town.world.rows("food_deliveries")[0]["dish_ids"] == ["dsh_1", "dsh_2"]
    review = {"reservation_id": "rsv_3", "stars": 4, "comment": "Fine."}
    assert result(town, "review_restaurant", **review) == {"reviewed": "Trattoria Bellini", "stars": 4}
    assert "already reviewed" in str(call(town, "review_restaurant", **review).observation.content)


TABLE = {"restaurant_id": "rst_1", "date": "2026-05-07", "time": "19:00", "guests": 2}
MEAL = {"restaurant_id": "rst_1", "dish_ids": ["dsh_2"], "area": "Northgate", "time": "19:30"}


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_restaurants", {}, "Give a name"),
        ("search_restaurants", {"cuisine": "Nordic"}, "only Italian, Thai"),
        ("get_restaurant_info", {"restaurant_id": "Baan Suan"}, "search_restaurants"),
        ("find_free_tables", {"restaurant_id": "rst_1", "date": "2026-05-05", "guests": 2}, "closed on Tuesdays"),
        ("find_free_tables", {"restaurant_id": "rst_1", "date": "2026-02-30", "guests": 2}, "not a real date"),
        ("reserve_table", {**TABLE, "date": "2026-05-05"}, "closed on Tuesdays"),
        ("reserve_table", {**TABLE, "date": "2026-05-04"}, "from tomorrow on"),
        ("reserve_table", {**TABLE, "guests": 5}, "more than 4"),
        ("reserve_table", {**TABLE, "time": "19:30"}, "full hour"),
        ("reserve_table", {**TABLE, "time": "20:00"}, "12:00 to 19:00"),
        ("reserve_table", {**TABLE, "date": "2026-05-06", "guests": 3}, "is full"),
        ("change_table_reservation", {"reservation_id": "rsv_1"}, "like that already"),
        ("change_table_reservation", {"reservation_id": "rsv_2", "guests": 1}, "somebody else"),
        ("cancel_table_reservation", {"reservation_id": "rsv_3"}, "Only the restaurant"),
        ("cancel_table_reservation", {"reservation_id": "rsv_4"}, "Only the restaurant"),
        ("order_food_delivery", {**MEAL, "dish_ids": ["dsh_1"]}, "delivers from 20.00"),
        ("order_food_delivery", {**MEAL, "dish_ids": ["dsh_2", "dsh_3"]}, "does not have Pad Thai"),
        ("order_food_delivery", {**MEAL, "area": "Riverside"}, "only to Northgate"),
        ("order_food_delivery", {**MEAL, "time": "11:00"}, "from 13:00 until 21:00"),
        ("order_food_delivery", {**MEAL, "restaurant_id": "rst_2", "dish_ids": ["dsh_3"]}, "nowhere"),
        ("review_restaurant", {"reservation_id": "rsv_1", "stars": 5, "comment": "Good"}, "past reservation"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    town: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(town, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("restaurants").world(seed)
    places, today = {row["id"]: row for row in world.rows("restaurants")}, world.now.strftime("%Y-%m-%d")
    assert len(places) == len({row["name"] for row in places.values()}) == 10
    assert len({(row["cuisine"], row["area"]) for row in places.values()}) == 10
    for place in places.values():
        prices = [row["price"] for row in world.rows("dishes") if row["restaurant_id"] == place["id"]]
        assert len(prices) == 5 and all(price == round(price, 2) > 0 for price in prices)
    mine = [row for row in world.rows("table_reservations") if row["mine"]]
    assert len({row["restaurant_id"] for row in mine}) == len(mine) == 6
    assert sum(row["date"] > today for row in mine) == sum(row["date"] < today for row in mine) == 3
    for row in world.rows("table_reservations"):
        place, day = places[row["restaurant_id"]], datetime.strptime(str(row["date"]), "%Y-%m-%d").strftime("%A")
        assert day != place["closed_on"] and row["seats"] in place["tables"] and 1 <= row["guests"] <= row["seats"]
    for first in ("free", "full", "closed"):
        plan: Any = get_category("restaurants").makers["visit"](world, random.Random(seed), first=first)
        assert plan["first"] != plan["second"]


def test_no_name_contains_another() -> None:
    content = get_category("restaurants").content
    dishes = [dish["name"] for menu in content["dishes"].values() for dish in menu]
    for pool in ([row["name"] for row in content["restaurants"]], content["areas"], dishes):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
