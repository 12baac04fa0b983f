"""The trains tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]


@pytest.fixture
def counter() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    tariff = {"per_km": 0.2, "luggage_piece": 10.0, "bicycle_space": 7.5, "season_base": 10.0, "season_zone": 5.0}
    tariff |= {"parcel_base": 5.0, "parcel_kg": 0.5}
    way = {"origin": "Halvik", "destination": "Belmora", "second_seats": 6, "bicycle_spaces": 4}
    fast = {"train_number": "IC 482", "departs": "08:00", "arrives": "09:10", "changes": 0, "weekdays": [*range(7)]}
    slow = {"train_number": "RE 7", "departs": "08:30", "arrives": "10:40", "changes": 1, "weekdays": [*range(5)]}
    link = {"type": "ferry", "longest_m": 5.2, "highest_m": 2.1, "base": 20, "per_metre": 6, "extra": 5}
    rows: dict[str, list[dict[str, Any]]] = {
        "rail_stations": [
            {"id": "sta_1", "name": "Halvik", "x": 0, "y": 0, "parcel_zone": 1},
            {"id": "sta_2", "name": "Belmora", "x": 30, "y": 40, "parcel_zone": 2},
            {"id": "sta_3", "name": "Gdowno", "x": 300, "y": 400, "parcel_zone": 3},
        ],
        "rail_tariff": [{"id": "trf_1", **tariff, "delay_percents": [25, 50, 75]}],
        "rail_connections": [
            {**way, **slow, "id": "con_1", "second_price": 9.5, "first_price": None, "first_seats": 0},
            {**way, **fast, "id": "con_2", "second_price": 14.0, "first_price": 21.7, "first_seats": 4},
        ],
        "rail_car_links": [{**link, "id": "lnk_1", "name": "C"}, {**link, "id": "lnk_2", "name": "X", "highest_m": 1}],
        **{f"rail_{table}": [] for table in ("seats", "bicycles", "lost_items")},
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("trains").tools)


WAY, RUN = {"origin": "halvik", "destination": "Belmora"}, {"train_number": "ic482", "day": "2026-05-05"}
BASE: dict[str, dict[str, Any]] = {
    "find_train_connections": {**WAY, "day": "2026-05-05", "leave_after": "08:00", "arrive_before": "10:40"},
    "quote_train_fare": {**WAY, "traveller_ages": [40], "travel_class": "second"},
    "quote_luggage_carriage": {**WAY, "weights_kg": [20, 5]},
    "reserve_train_seats": {**RUN, "travel_class": "first", "seats": 4, "position": "aisle"},
    "book_bicycle_spaces": {**RUN, "bicycles": 1, "bicycle_type": "cargo"},
    "price_season_ticket": {"zones": 2, "weeks": 4, "holder": "adult"},
    "calculate_delay_compensation": {"ticket_price": 100, "delay_minutes": 60, "ticket_type": "single"},
    "compare_car_crossings": {"crossing_type": "ferry", "length_m": 4.5, "height_m": 1.5, "passengers": 3},
    "quote_rail_parcel": {"destination": "Belmora", "weight_kg": 10, "length_cm": 20, "width_cm": 20, "height_cm": 20},
    "report_item_lost_on_train": {**RUN, "coach": 3, "item": "hat", "colour": "red", "phone": "0150 123"},
}


def call(counter: Environment, tool: str, **arguments: Any) -> Transition:
    return counter.step(ToolCall(id="call_0", name=tool, arguments={**BASE[tool], **arguments}, raw=""))


def result(counter: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(counter, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


@pytest.mark.parametrize(
    ("tool", "other", "expected"),
    [
        ("quote_train_fare", {"destination": "Gdowno", "travel_class": "first"}, 127.72),
        ("quote_train_fare", {"traveller_ages": [3, 4, 14, 15, 25, 26, 64, 65]}, 79.2),
        ("quote_train_fare", {"traveller_ages": [40, 10, 70], "discount_card": "half_fare"}, 21.6),
        ("quote_train_fare", {"traveller_ages": [40, 10], "discount_card": "quarter_off"}, 16.2),
        ("quote_train_fare", {"traveller_ages": [17, 14], "discount_card": "family"}, 19.44),
        ("quote_luggage_carriage", {"to_door": True}, 41.56),
        ("price_season_ticket", {"weeks": 12, "holder": "student"}, 138.24),
        ("price_season_ticket", {"weeks": 26, "holder": "senior", "off_peak_only": True}, 236.87),
        ("calculate_delay_compensation", {"delay_minutes": 29}, 0.0),
        ("calculate_delay_compensation", {"delay_minutes": 119, "ticket_type": "return", "payout": "voucher"}, 27.5),
        ("calculate_delay_compensation", {"delay_minutes": 3000, "ticket_type": "season", "ticket_price": 200}, 3.75),
        ("quote_rail_parcel", {"destination": "Gdowno", "length_cm": 100, "width_cm": 50, "express": True}, 36.0),
    ],
)
def test_prices(counter: Environment, tool: str, other: Any, expected: float) -> None:
    assert [*result(counter, tool, **other).values()] == [expected]


def test_connections_and_crossings_that_fit(counter: Environment) -> None:
    def trains(**more: Any) -> list[str]:
        return [row["train_number"] for row in result(counter, "find_train_connections", **more)]

    def ferries(**more: Any) -> list[tuple[str, float]]:
        return [(row["name"], row["price"]) for row in result(counter, "compare_car_crossings", **more)]

    assert trains() == ["IC 482", "RE 7"]
    assert trains(travel_class="first") == trains(most_changes=0) == trains(arrive_before="10:39") == ["IC 482"]
    assert trains(day="2026-05-09") == ["IC 482"] and trains(leave_after="08:01") == ["RE 7"]
    assert trains(origin="Belmora", destination="Halvik") == trains(leave_after="23:59") == []
    assert ferries() == [("C", 57.0)] and ferries(height_m=1) == [("C", 57.0), ("X", 57.0)]
    assert ferries(length_m=0.8, height_m=1.45, roof_box=True, passengers=1) == [("C", 44.0)]
    assert ferries(length_m=5, height_m=1.7, roof_box=True) == [("C", 69.0)]
    assert ferries(length_m=5.3) == ferries(height_m=1.71, roof_box=True) == []


def test_bookings_take_what_is_left(counter: Environment) -> None:
    assert result(counter, "reserve_train_seats") == {"reservation_id": "rsv_9001", "fee": 27.6}
    assert call(counter, "reserve_train_seats", seats=1).observation.fault == "refused"
    assert result(counter, "reserve_train_seats", travel_class="second", seats=6)["fee"] == 28.2
    assert result(counter, "book_bicycle_spaces", with_trailer=True) == {"booking_id": "bik_9001", "fee": 22.5}
    assert call(counter, "book_bicycle_spaces", bicycle_type="tandem").observation.fault == "refused"
    (change,) = call(counter, "report_item_lost_on_train", day="2026-05-04").changes
    lost = {**BASE["report_item_lost_on_train"], "day": "2026-05-04", "train_number": "IC 482", "id": "lst_9001"}
    assert change.after == lost


@pytest.mark.parametrize(
    ("tool", "other", "reason"),
    [
        ("find_train_connections", {"day": "2026-02-30"}, "not a real date"),
        ("quote_train_fare", {"destination": "HALVIK"}, "Both stations are the same"),
        ("quote_train_fare", {"traveller_ages": []}, "traveller_ages"),
        ("reserve_train_seats", {"train_number": "IC 4820"}, "find_train_connections"),
        ("reserve_train_seats", {"day": "2026-11-01"}, "too far away"),
        ("reserve_train_seats", {"train_number": "RE 7", "day": "2026-05-09"}, "does not run on that day"),
        ("book_bicycle_spaces", {"bicycles": 3}, "4 spaces left that day; 6 are needed"),
        ("quote_rail_parcel", {"weight_kg": 1e300}, "weight_kg"),
        ("report_item_lost_on_train", {}, "wrong side of today, 2026-05-04"),
    ],
)
def test_refusals_say_why_and_change_nothing(counter: Environment, tool: str, other: Any, reason: str) -> None:
    transition = call(counter, tool, **other)
    assert transition.observation.fault in ("refused", "invalid_arguments"), transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("trains").world(seed)
    stations, trains = world.rows("rail_stations"), {row["train_number"]: row for row in world.rows("rail_connections")}
    assert len({row["name"] for row in stations}) == len({(row["x"], row["y"]) for row in stations}) == 10
    assert len(trains) == 36 and sum(row["first_price"] is None for row in trains.values()) == 6
    assert all(row["departs"] < row["arrives"] < "23:59" for row in trains.values())
    for table in ("rail_seats", "rail_bicycles", "rail_lost_items"):
        for row in world.rows(table):
            assert datetime.fromisoformat(row["day"]).weekday() in trains[row["train_number"]]["weekdays"]
            assert (row["day"] < f"{world.now:%Y-%m-%d}") == (table == "rail_lost_items")
    run: Any = get_category("trains").makers["train_run"](world, random.Random(seed))
    assert result(Environment(world, get_category("trains").tools), "reserve_train_seats", **run)["fee"] == 27.6


def test_no_name_contains_another() -> None:
    for pool in ("stations", "ferries", "car_trains"):
        names = [name.casefold() for name in get_category("trains").content[pool]]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
