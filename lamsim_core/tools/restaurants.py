"""Restaurants of a city: search, opening hours, menus with allergens, tables to reserve, food delivery and reviews.

A reservation takes the smallest free table that seats the guests, for two hours from a full hour. Restaurants may have a
day off, close an hour later on Fridays and Saturdays, and deliver to some areas only, from a minimum value on.
"""

import random
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    Clock,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    parse_day,
    require_row,
    tool,
    view,
)

TITLE = "Restaurants"
FAMILY = "leisure"

Guests = Annotated[int, Field(ge=1, le=20)]
Allergen = Literal["egg", "fish", "gluten", "milk", "nuts", "soy"]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STAY = 2


def _restaurant(world: World, restaurant_id: str) -> FrozenRow:
    return require_row(world, "restaurants", restaurant_id, "restaurant", see="search_restaurants")


def _reservation(world: World, reservation_id: str) -> FrozenRow:
    row = require_row(world, "table_reservations", reservation_id, "reservation", see="list_table_reservations")
    if not row["mine"]:
        raise ToolRefusedError("That is somebody else's reservation.", see="list_table_reservations")
    if str(row["date"]) <= world.now.strftime(DAY):
        raise ToolRefusedError(f"Only the restaurant itself can still change a reservation for {row['date']}.")
    return row


def _name(world: World, restaurant_id: object) -> str:
    return str(_restaurant(world, str(restaurant_id))["name"])


def _hours(row: FrozenRow, weekday: str) -> tuple[int, int] | None:
    """First and last hour of a weekday; None when the restaurant is closed then."""
    if weekday == row["closed_on"]:
        return None
    return row["opens"], row["closes"] + (weekday in ("Friday", "Saturday"))


def _free_table(world: World, row: FrozenRow, date: str, hour: int, guests: int, but: str = "") -> int | None:
    """Seats of the smallest table that is free for two hours and large enough."""
    tables = list(row["tables"])
    for other in world.rows("table_reservations"):
        same_day = other["restaurant_id"] == row["id"] and other["date"] == date
        if same_day and other["id"] != but and abs(int(str(other["time"])[:2]) - hour) < _STAY:
            tables.remove(other["seats"])
    return min((seats for seats in tables if seats >= guests), default=None)


def _span(world: World, row: FrozenRow, date: str, guests: int) -> tuple[int, int]:
    """First and last hour at which guests may come on a day. Raises ToolRefusedError when they may not come at all."""
    name, day = row["name"], parse_day(date)
    if date <= world.now.strftime(DAY):
        raise ToolRefusedError(f"Tables can be reserved from tomorrow on; today is {world.now.strftime(DAY)}.")
    if guests > max(row["tables"]):
        raise ToolRefusedError(f"{name} has no table for more than {max(row['tables'])}.")
    weekday = _WEEKDAYS[day.weekday()]
    hours = _hours(row, weekday)
    if hours is None:
        raise ToolRefusedError(f"{name} is closed on {weekday}s.")
    return hours[0], hours[1] - _STAY


def _table(world: World, row: FrozenRow, date: str, time: str, guests: int, but: str = "") -> int:
    """Seats of the table a reservation would get. Raises ToolRefusedError when it would get none."""
    first, last = _span(world, row, date, guests)
    if not time.endswith(":00"):
        raise ToolRefusedError("Tables can be reserved from a full hour only.")
    if not first <= int(time[:2]) <= last:
        raise ToolRefusedError(f"On {date} {row['name']} takes guests from {first:02d}:00 to {last:02d}:00.")
    seats = _free_table(world, row, date, int(time[:2]), guests, but)
    if seats is None:
        raise ToolRefusedError(f"{row['name']} is full on {date} at {time}: no table for {guests} is left.")
    return seats


def _shown(world: World, row: FrozenRow) -> dict[str, Any]:
    return {"id": row["id"], "restaurant": _name(world, row["restaurant_id"]), **view(row, "date", "time", "guests")}


@tool(mutates=False)
def search_restaurants(
    world: World,
    name: str | None = None,
    cuisine: str | None = None,
    area: str | None = None,
    price: Literal["low", "medium", "high"] | None = None,
) -> list[dict[str, Any]]:
    """Search restaurants by name, cuisine, area or price.

    Args:
        name: Words of the name.
        cuisine: The cuisine, e.g. Thai.
        area: Part of the city.
        price: Price level.
    """
    if name is None and cuisine is None and area is None and price is None:
        raise ToolRefusedError("Give a name, a cuisine, an area or a price level to search for.")
    rows = world.rows("restaurants")
    for field, wanted in (("cuisine", cuisine), ("area", area)):
        if wanted is not None:
            known = sorted({str(row[field]) for row in world.rows("restaurants")})
            if folded(wanted) not in map(folded, known):
                raise ToolRefusedError(f"There is no {field} {wanted[:40]!r} here, only {', '.join(known)}.")
            rows = [row for row in rows if folded(str(row[field])) == folded(wanted)]
    rows = [row for row in rows if name is None or has_words(name, str(row["name"]))]
    rows = [row for row in rows if price is None or row["price"] == price]
    return [view(row, "id", "name", "cuisine", "area", "price", "rating") for row in rows]


@tool(mutates=False)
def get_restaurant_info(world: World, restaurant_id: str) -> dict[str, Any]:
    """Get a restaurant's opening hours and where it delivers food to.

    Args:
        restaurant_id: The restaurant's id.
    """
    row = _restaurant(world, restaurant_id)
    hours = {weekday: _hours(row, weekday) for weekday in _WEEKDAYS}
    shown = {day: f"{span[0]:02d}:00-{span[1]:02d}:00" if span else "closed" for day, span in hours.items()}
    terms = ("delivery_minimum", "delivery_fee") if row["delivers_to"] else ()
    return {"name": row["name"], "hours": shown, **view(row, "delivers_to", *terms)}


@tool(mutates=False)
def show_restaurant_menu(world: World, restaurant_id: str, without: Allergen | None = None) -> list[dict[str, Any]]:
    """Show the dishes of a restaurant with prices and allergens.

    Args:
        restaurant_id: The restaurant's id.
        without: Only dishes free of this allergen.
    """
    _restaurant(world, restaurant_id)
    rows = [row for row in world.rows("dishes") if row["restaurant_id"] == restaurant_id]
    return [view(row, "id", "name", "price", "allergens") for row in rows if without not in row["allergens"]]


@tool(mutates=False)
def find_free_tables(world: World, restaurant_id: str, date: Day, guests: Guests) -> dict[str, Any]:
    """Find the times of a day at which a restaurant has a table free.

    Args:
        restaurant_id: The restaurant's id.
        date: The day, YYYY-MM-DD.
        guests: How many people.
    """
    row = _restaurant(world, restaurant_id)
    first, last = _span(world, row, date, guests)
    free = [hour for hour in range(first, last + 1) if _free_table(world, row, date, hour, guests) is not None]
    return {"restaurant": row["name"], "date": date, "free": [f"{hour:02d}:00" for hour in free]}


@tool(mutates=True)
def reserve_table(
    world: World, restaurant_id: str, date: Day, time: Clock, guests: Guests, note: str | None = None
) -> dict[str, Any]:
    """Reserve a table for two hours.

    Args:
        restaurant_id: The restaurant's id.
        date: The day, YYYY-MM-DD.
        time: From when, HH:MM.
        guests: How many people.
        note: A wish for the restaurant.
    """
    row = _restaurant(world, restaurant_id)
    seats = _table(world, row, date, time, guests)
    made = {"restaurant_id": restaurant_id, "date": date, "time": time, "guests": guests, "seats": seats}
    made |= {"id": world.new_id("rsv"), "note": note, "mine": True}
    return _shown(world, world.insert("table_reservations", made))


@tool(mutates=False)
def list_table_reservations(world: World, when: Literal["upcoming", "past"] = "upcoming") -> list[dict[str, Any]]:
    """List the user's table reservations in order of time.

    Args:
        when: Those to come or those of the past.
    """
    today = world.now.strftime(DAY)
    rows = [row for row in world.rows("table_reservations") if row["mine"]]
    rows = [row for row in rows if (str(row["date"]) < today) == (when == "past")]
    return [_shown(world, row) for row in sorted(rows, key=lambda row: (str(row["date"]), str(row["time"])))]


@tool(mutates=True)
def change_table_reservation(
    world: World,
    reservation_id: str,
    date: Day | None = None,
    time: Clock | None = None,
    guests: Guests | None = None,
) -> dict[str, Any]:
    """Change the day, the time or the number of guests of a reservation. What is not given stays.

    Args:
        reservation_id: The reservation's id.
        date: The new day, YYYY-MM-DD.
        time: The new time, HH:MM.
        guests: The new number of people.
    """
    row = _reservation(world, reservation_id)
    day, hour, people = date or str(row["date"]), time or str(row["time"]), guests or int(row["guests"])
    if (day, hour, people) == (row["date"], row["time"], row["guests"]):
        raise ToolRefusedError("The reservation is like that already.")
    seats = _table(world, _restaurant(world, str(row["restaurant_id"])), day, hour, people, but=reservation_id)
    changes = {"date": day, "time": hour, "guests": people, "seats": seats}
    return _shown(world, world.update("table_reservations", reservation_id, **changes))


@tool(mutates=True)
def cancel_table_reservation(world: World, reservation_id: str) -> dict[str, Any]:
    """Cancel a reservation, at the latest the day before.

    Args:
        reservation_id: The reservation's id.
    """
    row = _reservation(world, reservation_id)
    world.delete("table_reservations", reservation_id)
    return {"cancelled": _name(world, row["restaurant_id"]), **view(row, "date", "time")}


@tool(mutates=True)
def order_food_delivery(
    world: World,
    restaurant_id: str,
    dish_ids: Annotated[list[str], Field(min_length=1, max_length=12)],
    area: str,
    time: Clock,
) -> dict[str, Any]:
    """Order dishes of one restaurant to be delivered today.

    Args:
        restaurant_id: The restaurant's id.
        dish_ids: Ids of the dishes, one for each portion.
        area: Part of the city to deliver to.
        time: When it should arrive, HH:MM.
    """
    row = _restaurant(world, restaurant_id)
    dishes = [require_row(world, "dishes", dish, "dish", see="show_restaurant_menu") for dish in dish_ids]
    foreign = [str(dish["name"]) for dish in dishes if dish["restaurant_id"] != restaurant_id]
    if foreign:
        raise ToolRefusedError(f"{row['name']} does not have {foreign[0]}.")
    target = next((known for known in row["delivers_to"] if folded(known) == folded(area)), None)
    if target is None:
        known = ", ".join(row["delivers_to"])
        raise ToolRefusedError(f"{row['name']} delivers {'only to ' + known if known else 'nowhere'}.")
    span = _hours(row, _WEEKDAYS[world.now.weekday()])
    if span is None:
        raise ToolRefusedError(f"{row['name']} is closed today.")
    if not span[0] < int(time[:2]) < span[1] or time <= world.now.strftime("%H:%M"):
        raise ToolRefusedError(f"{row['name']} can deliver today from {span[0] + 1:02d}:00 until {span[1]:02d}:00.")
    value, minimum = round(sum(dish["price"] for dish in dishes), 2), row["delivery_minimum"]
    if value < minimum:
        raise ToolRefusedError(f"The dishes cost {value:.2f}; {row['name']} delivers from {minimum:.2f} on.")
    total = round(value + row["delivery_fee"], 2)
    order = {"restaurant_id": restaurant_id, "dish_ids": sorted(dish_ids), "area": target, "time": time, "total": total}
    world.insert("food_deliveries", {"id": world.new_id("dlv"), **order})
    return {"dishes": value, "delivery_fee": row["delivery_fee"], "total": total, "arrives": time}


@tool(mutates=True)
def review_restaurant(
    world: World,
    reservation_id: str,
    stars: Annotated[int, Field(ge=1, le=5)],
    comment: Annotated[str, Field(min_length=1)],
) -> dict[str, Any]:
    """Publish a review of a past visit.

    Args:
        reservation_id: Id of the past reservation.
        stars: From 1 (bad) to 5 (excellent).
        comment: What to say about it.
    """
    row = world.get("table_reservations", reservation_id)
    if row is None or not row["mine"] or str(row["date"]) >= world.now.strftime(DAY):
        raise ToolRefusedError("Only a past reservation can be reviewed.", see="list_table_reservations")
    if any(other["reservation_id"] == reservation_id for other in world.rows("restaurant_reviews")):
        raise ToolRefusedError(f"The visit on {row['date']} is already reviewed.")
    review = {"reservation_id": reservation_id, "stars": stars, "comment": comment}
    world.insert("restaurant_reviews", {"id": world.new_id("rvw"), **review})
    return {"reviewed": _name(world, row["restaurant_id"]), "stars": stars}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Ten restaurants of four cuisines, none twice in an area, six with a busy evening; and the user's reservations."""
    world.add_table("restaurants", "dishes", "table_reservations", "food_deliveries", "restaurant_reviews")
    ids = Ids(rng)
    cuisines = rng.sample(sorted(content["dishes"]), 4)
    areas = rng.sample(content["areas"], 4)
    ratings = rng.sample(range(31, 50), 10)
    for cuisine, count in zip(cuisines, (3, 3, 2, 2), strict=True):
        known = [entry["name"] for entry in content["restaurants"] if entry["cuisine"] == cuisine]
        for name, area in zip(rng.sample(known, count), rng.sample(areas, count), strict=True):
            place = {"id": ids("rst"), "name": name, "cuisine": cuisine, "area": area}
            place |= {"price": rng.choice(["low", "medium", "high"]), "rating": ratings.pop() / 10}
            world.insert("restaurants", {**place, **_terms(rng, areas)})
            _fill_menu(world, rng, ids, place, content["dishes"][cuisine])
    for row in rng.sample(world.rows("restaurants"), 6):
        _fill_evening(world, rng, ids, row)
    _fill_visits(world, rng, ids)


def _terms(rng: random.Random, areas: list[str]) -> dict[str, Any]:
    """When a restaurant is open, its tables, and where it delivers to."""
    return {
        "opens": rng.choice([11, 12, 12, 17]),
        "closes": rng.choice([21, 21, 22]),
        "closed_on": rng.choice([*_WEEKDAYS[:4], *_WEEKDAYS[:4], "Sunday", None]),
        "tables": rng.choice([[2, 2, 4], [2, 4, 4], [2, 4, 6], [2, 4, 8]]),
        "delivers_to": sorted(rng.sample(areas, rng.choice([0, 2, 2, 3]))),
        "delivery_minimum": rng.choice([15, 18, 20, 25, 30]),
        "delivery_fee": rng.choice([1.9, 2.5, 2.9, 3.5, 4.2]),
    }


def _fill_menu(world: World, rng: random.Random, ids: Ids, row: dict[str, Any], known: list[dict[str, Any]]) -> None:
    """Five dishes, no two for the same price."""
    factor, cents = {"low": 0.8, "medium": 1.0, "high": 1.5}[row["price"]], rng.sample([0, 20, 40, 50, 90], 5)
    for dish, more in zip(rng.sample(known, 5), cents, strict=True):
        price = round(dish["price"] * factor * rng.uniform(0.9, 1.1)) + more / 100
        filled = {"name": dish["name"], "price": price, "allergens": sorted(dish["allergens"])}
        world.insert("dishes", {"id": ids("dsh"), "restaurant_id": row["id"], **filled})


def _days(world: World, row: FrozenRow, ahead: range) -> list[str]:
    """The days, counted from today, on which a restaurant is open."""
    days = [world.now + timedelta(days=number) for number in ahead]
    return [day.strftime(DAY) for day in days if _hours(row, _WEEKDAYS[day.weekday()])]


def _fill_evening(world: World, rng: random.Random, ids: Ids, row: FrozenRow) -> None:
    """Other people take all tables of one evening, or all but the smallest."""
    date, time = rng.choice(_days(world, row, range(1, 8))), f"{rng.choice([18, 19])}:00"
    for seats in sorted(row["tables"], reverse=True)[: len(row["tables"]) - rng.choice([0, 0, 1])]:
        taken = {"restaurant_id": row["id"], "date": date, "time": time, "guests": rng.randint(seats - 1, seats)}
        world.insert("table_reservations", {"id": ids("rsv"), **taken, "seats": seats, "note": None, "mine": False})


def _fill_visits(world: World, rng: random.Random, ids: Ids) -> None:
    """Three reservations to come and three of the past, each at another restaurant."""
    busy = {row["restaurant_id"] for row in world.rows("table_reservations")}
    quiet = [row for row in world.rows("restaurants") if row["id"] not in busy]
    others = [row for row in world.rows("restaurants") if row["id"] in busy]
    for place, row in enumerate([*rng.sample(quiet, 3), *rng.sample(others, 3)]):
        ahead = range(1, 8) if place < 3 else range(-60, -2)
        table, date = rng.choice(row["tables"]), rng.choice(_days(world, row, ahead))
        visit = {"restaurant_id": row["id"], "date": date, "time": f"{rng.choice([18, 19])}:00"}
        visit |= {"guests": max(2, table - rng.choice([0, 0, 1])), "seats": table, "note": None, "mine": True}
        world.insert("table_reservations", {"id": ids("rsv"), **visit})


def _outcome(world: World, row: FrozenRow, date: str, time: str, guests: int) -> str:
    """What becomes of a reservation: free, closed, full or impossible."""
    try:
        _table(world, row, date, time, guests)
    except ToolRefusedError as refusal:
        return next((word for word in ("closed", "full") if word in str(refusal)), "impossible")
    return "free"


def visit(world: World, rng: random.Random, first: str = "free") -> dict[str, Any]:
    """When ``first`` is free, closed or full and ``second`` has a table, for task templates."""
    days = [(world.now + timedelta(days=ahead)).strftime(DAY) for ahead in range(1, 8)]
    whens = [(day, f"{hour}:00", guests) for day in days for hour in (17, 18, 19, 20) for guests in (2, 3, 4, 5, 6)]
    rows = world.rows("restaurants")
    for row in rng.sample(rows, len(rows)):
        for when in rng.sample(whens, len(whens)):
            others = [other for other in rows if other is not row and _outcome(world, other, *when) == "free"]
            if others and _outcome(world, row, *when) == first:
                names = {"first": row["name"], "second": rng.choice(others)["name"]}
                return {**names, "date": when[0], "time": when[1], "guests": when[2]}
    raise LookupError(f"no restaurant is {first}")


MAKERS = {"visit": visit}
