"""Hotels: search by city, rooms with availability for every night, bookings that can be moved or cancelled, loyalty points.

Prices are in euros. A room costs its price for each night; breakfast is per guest and night. Cancelling is free up to a
deadline that the hotel sets in days before check-in; later it costs the first night, which has to be accepted. A hundred
loyalty points take one euro off a booking.
"""

import random
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    parse_day,
    require_row,
    tool,
    view,
)

TITLE = "Hotels"
FAMILY = "travel"

Amenity = Literal["pool", "gym", "spa", "parking", "sauna", "pets"]
AMENITIES = ("pool", "gym", "spa", "parking", "sauna", "pets")

_ROOMS = {"single": 1, "twin": 2, "double": 2, "family": 4, "suite": 3}
_FACTORS = {"single": 0.8, "twin": 1.0, "double": 1.1, "family": 1.6, "suite": 2.1}
_ON_SALE = 32
"""Days ahead for which rooms are sold."""


def _hotel(world: World, hotel_id: str) -> FrozenRow:
    return require_row(world, "hotels", hotel_id, "hotel", see="search_hotels")


def _booking(world: World, booking_id: str) -> FrozenRow:
    """A booking that can still be worked with."""
    row = require_row(world, "hotel_bookings", booking_id, "hotel booking", see="list_hotel_bookings")
    if row["status"] == "cancelled":
        raise ToolRefusedError("This booking is cancelled.")
    return row


def _nights(check_in: str, check_out: str) -> list[str]:
    """The days on whose evening one sleeps there."""
    first, last = parse_day(check_in), parse_day(check_out)
    count = (last - first).days
    if not 1 <= count <= 14:
        raise ToolRefusedError("A stay is 1 to 14 nights; check-out comes after check-in.")
    return [(first + timedelta(days=night)).strftime(DAY) for night in range(count)]


def _left(room: FrozenRow, nights: list[str], own: tuple[str, ...] = ()) -> int:
    """Rooms of this type free on every one of the nights, those counted that one holds already."""
    return min(int(room["free"].get(night, 0)) + (night in own) for night in nights)


def _count(world: World, room: FrozenRow, nights: list[str], change: int) -> None:
    """Take rooms out of sale or put them back."""
    free = {night: left + change * (night in nights) for night, left in room["free"].items()}
    world.update("hotel_rooms", str(room["id"]), free=free)


def _refuse_past(world: World, check_in: str) -> None:
    if check_in < world.now.strftime(DAY):
        raise ToolRefusedError(f"{check_in} is in the past; today is {world.now.strftime(DAY)}.")


def _total(hotel: FrozenRow, room: FrozenRow, nights: int, guests: int, breakfast: bool) -> float:
    food = guests * float(hotel["breakfast_price"]) if breakfast else 0.0
    return round(nights * (float(room["price"]) + food), 2)


def _deadline(hotel: FrozenRow, check_in: str) -> str:
    """The last day on which cancelling is free."""
    return (parse_day(check_in) - timedelta(days=hotel["free_cancel_days"])).strftime(DAY)


@tool(mutates=False)
def search_hotels(
    world: World,
    city: str,
    min_stars: Annotated[int, Field(ge=1, le=5)] = 1,
    max_price: Annotated[float, Field(ge=0)] | None = None,
    amenity: Amenity | None = None,
) -> list[dict[str, Any]]:
    """Find hotels in a city, with their rating by guests and the price per night of their cheapest room.

    Args:
        city: The city.
        min_stars: Only hotels with at least so many stars.
        max_price: Only hotels whose cheapest room costs at most this per night.
        amenity: Only hotels that have this.
    """
    cities = sorted({str(row["city"]) for row in world.rows("hotels")})
    if folded(city) not in [folded(known) for known in cities]:
        raise ToolRefusedError(f"There are no hotels in {city[:80]!r}. Cities: {', '.join(cities)}.")
    found = []
    for row in world.rows("hotels"):
        price = min(room["price"] for room in world.rows("hotel_rooms") if room["hotel_id"] == row["id"])
        fits = folded(str(row["city"])) == folded(city) and row["stars"] >= min_stars
        if fits and (max_price is None or price <= max_price) and (amenity is None or amenity in row["amenities"]):
            found.append({**view(row, "id", "name", "stars", "rating"), "price_from": price})
    return found


@tool(mutates=False)
def get_hotel_details(world: World, hotel_id: str) -> dict[str, Any]:
    """Tell a hotel's amenities, district, breakfast price per guest and night, and when check-in starts.

    Args:
        hotel_id: The hotel's id.
    """
    row = _hotel(world, hotel_id)
    return view(row, "name", "district", "amenities", "breakfast_price", "check_in_from", "free_cancel_days")


@tool(mutates=False)
def list_available_rooms(world: World, hotel_id: str, check_in: Day, check_out: Day) -> list[dict[str, Any]]:
    """List the kinds of rooms of a hotel that are free for a whole stay, with price per night and how many are left.

    Args:
        hotel_id: The hotel's id.
        check_in: Day of arrival, YYYY-MM-DD.
        check_out: Day of departure, YYYY-MM-DD.
    """
    _hotel(world, hotel_id)
    nights = _nights(check_in, check_out)
    _refuse_past(world, check_in)
    rooms = [row for row in world.rows("hotel_rooms") if row["hotel_id"] == hotel_id and _left(row, nights) > 0]
    return [{"room_id": r["id"], **view(r, "kind", "sleeps", "price"), "left": _left(r, nights)} for r in rooms]


@tool(mutates=True)
def book_hotel_room(
    world: World,
    room_id: str,
    check_in: Day,
    check_out: Day,
    guests: Annotated[int, Field(ge=1, le=6)],
    breakfast: bool = False,
) -> dict[str, Any]:
    """Book one room of a kind for a stay.

    Args:
        room_id: Id of the kind of room.
        check_in: Day of arrival, YYYY-MM-DD.
        check_out: Day of departure, YYYY-MM-DD.
        guests: How many people sleep in it.
        breakfast: Whether to add breakfast.
    """
    room = require_row(world, "hotel_rooms", room_id, "room", see="list_available_rooms")
    hotel, nights = _hotel(world, str(room["hotel_id"])), _nights(check_in, check_out)
    _refuse_past(world, check_in)
    if guests > room["sleeps"]:
        raise ToolRefusedError(f"This {room['kind']} room sleeps {room['sleeps']}, not {guests}.")
    if not _left(room, nights):
        raise ToolRefusedError(f"No {room['kind']} room of {hotel['name']} is free on all of these nights.")
    total = _total(hotel, room, len(nights), guests, breakfast)
    _count(world, room, nights, -1)
    row = {"room_id": room_id, "check_in": check_in, "check_out": check_out, "guests": guests, "breakfast": breakfast}
    booking_id = world.new_id("hbk")
    world.insert("hotel_bookings", {"id": booking_id, **row, "discount": 0.0, "total": total, "status": "booked"})
    return {"booking_id": booking_id, "total": total, "free_cancellation_until": _deadline(hotel, check_in)}


@tool(mutates=False)
def list_hotel_bookings(world: World) -> list[dict[str, Any]]:
    """List the user's hotel bookings, earliest first."""
    found = []
    for row in sorted(world.rows("hotel_bookings"), key=lambda row: str(row["check_in"])):
        room = require_row(world, "hotel_rooms", str(row["room_id"]), "room")
        hotel = _hotel(world, str(room["hotel_id"]))
        found.append(
            {
                "id": row["id"],
                "hotel": hotel["name"],
                "city": hotel["city"],
                **view(row, "check_in", "check_out", "status"),
            }
        )
    return found


@tool(mutates=False)
def get_hotel_booking(world: World, booking_id: str) -> dict[str, Any]:
    """Tell the room, guests, breakfast, total price and last day of free cancellation of a booking.

    Args:
        booking_id: The booking's id.
    """
    row = require_row(world, "hotel_bookings", booking_id, "hotel booking", see="list_hotel_bookings")
    room = require_row(world, "hotel_rooms", str(row["room_id"]), "room")
    until = _deadline(_hotel(world, str(room["hotel_id"])), str(row["check_in"]))
    details = {"hotel_id": room["hotel_id"], "room": room["kind"], **view(row, "guests", "breakfast", "total")}
    return {**details, "free_cancellation_until": until}


@tool(mutates=True)
def change_hotel_dates(world: World, booking_id: str, check_in: Day, check_out: Day) -> dict[str, Any]:
    """Move a booking to other nights in the same kind of room. The total is worked out anew.

    Args:
        booking_id: The booking's id.
        check_in: New day of arrival, YYYY-MM-DD.
        check_out: New day of departure, YYYY-MM-DD.
    """
    row, nights = _booking(world, booking_id), _nights(check_in, check_out)
    if (check_in, check_out) == (row["check_in"], row["check_out"]):
        raise ToolRefusedError("The booking has these dates already.")
    for day in (str(row["check_in"]), check_in):
        _refuse_past(world, day)
    room = require_row(world, "hotel_rooms", str(row["room_id"]), "room")
    hotel, held = _hotel(world, str(room["hotel_id"])), _nights(str(row["check_in"]), str(row["check_out"]))
    full = [night for night in nights if not _left(room, [night], tuple(held))]
    if full:
        raise ToolRefusedError(f"No {room['kind']} room is free in the night of {', '.join(full)}.")
    _count(world, room, held, 1)
    _count(world, require_row(world, "hotel_rooms", str(room["id"]), "room"), nights, -1)
    price = _total(hotel, room, len(nights), row["guests"], row["breakfast"])
    total = round(max(0.0, price - row["discount"]), 2)
    world.update("hotel_bookings", booking_id, check_in=check_in, check_out=check_out, total=total)
    return {"check_in": check_in, "check_out": check_out, "total": total}


@tool(mutates=True)
def cancel_hotel_booking(world: World, booking_id: str, accept_fee: bool = False) -> dict[str, Any]:
    """Cancel a hotel booking. After the last day of free cancellation this costs the first night.

    Args:
        booking_id: The booking's id.
        accept_fee: Whether to cancel even if it costs a fee.
    """
    row = _booking(world, booking_id)
    _refuse_past(world, str(row["check_in"]))
    room = require_row(world, "hotel_rooms", str(row["room_id"]), "room")
    until = _deadline(_hotel(world, str(room["hotel_id"])), str(row["check_in"]))
    fee = 0.0 if world.now.strftime(DAY) <= until else round(float(room["price"]), 2)
    if fee and not accept_fee:
        raise ToolRefusedError(f"Cancelling was free until {until}; now it costs {fee:.2f}, which has to be accepted.")
    _count(world, room, _nights(str(row["check_in"]), str(row["check_out"])), 1)
    world.update("hotel_bookings", booking_id, status="cancelled", total=fee)
    return {"status": "cancelled", "fee": fee}


@tool(mutates=False)
def get_loyalty_account(world: World) -> dict[str, Any]:
    """Tell the user's loyalty points and level."""
    return view(world.rows("hotel_loyalty")[0], "level", "points")


@tool(mutates=True)
def redeem_loyalty_points(
    world: World, booking_id: str, points: Annotated[int, Field(ge=100, le=100_000, multiple_of=100)]
) -> dict[str, Any]:
    """Use loyalty points to lower the total of a booking: a hundred points take one euro off.

    Args:
        booking_id: The booking's id.
        points: How many points, in hundreds.
    """
    row, account = _booking(world, booking_id), world.rows("hotel_loyalty")[0]
    if points > account["points"]:
        raise ToolRefusedError(f"Only {account['points']} points are left.")
    value = points / 100
    if value > row["total"]:
        raise ToolRefusedError(f"The booking costs only {row['total']:.2f}; {points} points are worth more.")
    total = round(row["total"] - value, 2)
    world.update("hotel_loyalty", str(account["id"]), points=account["points"] - points)
    world.update("hotel_bookings", booking_id, total=total, discount=round(row["discount"] + value, 2))
    return {"total": total, "points_left": account["points"] - points}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Three cities with three or four hotels each, two or three kinds of rooms in each of them, and four bookings."""
    world.add_table("hotels", "hotel_rooms", "hotel_bookings", "hotel_loyalty")
    ids = Ids(rng)
    cities = rng.sample(content["cities"], 4)
    names = rng.sample(content["hotels"], 16)
    days = [(world.now + timedelta(days=ahead)).strftime(DAY) for ahead in range(_ON_SALE)]
    for city in cities:
        districts = rng.sample(content["districts"], 4)
        ratings = rng.sample(range(62, 98), 4)
        prices = rng.sample(range(48, 190), 4)
        for district, rating, price in zip(districts[: rng.choice([3, 4])], ratings, prices, strict=False):
            stars = min(5, max(2, 1 + price // 42 + rng.choice([0, 0, 1])))
            amenities = sorted(rng.sample(AMENITIES, rng.randint(1, 4)))
            row = {"name": names.pop(), "city": city, "district": district, "stars": stars, "rating": rating / 10}
            row |= {"amenities": amenities, "breakfast_price": rng.choice([7, 8.5, 9, 11, 12.5, 14, 16, 19])}
            row |= {"check_in_from": rng.choice(["13:00", "14:00", "15:00", "16:00"])}
            hotel = {"id": ids("htl"), **row, "free_cancel_days": rng.choice([1, 2, 3, 5, 7])}
            world.insert("hotels", hotel)
            kinds = rng.sample(["single", "twin", "family", "suite"], rng.choice([1, 2]))
            for kind in sorted([*kinds, "double"], key=list(_ROOMS).index):
                free = {day: rng.choice([0, 1, 2, 3, 4, 5, 6, 8]) for day in days}
                room = {"hotel_id": hotel["id"], "kind": kind, "sleeps": _ROOMS[kind]}
                room |= {"price": float(round(price * _FACTORS[kind])), "free": free}
                world.insert("hotel_rooms", {"id": ids("roo"), **room})
    points = rng.randrange(1_200, 9_000, 100)
    level = "gold" if points > 6_000 else "silver" if points > 3_000 else "blue"
    world.insert("hotel_loyalty", {"id": ids("loy"), "level": level, "points": points})
    _add_bookings(world, rng, cities, ids)


def _add_bookings(world: World, rng: random.Random, cities: list[str], ids: Ids) -> None:
    """One booking in each city: the first is past its free cancellation, the others are later."""
    for number, city in enumerate(cities):
        hotel = rng.choice([row for row in world.rows("hotels") if row["city"] == city])
        room = rng.choice([row for row in world.rows("hotel_rooms") if row["hotel_id"] == hotel["id"]])
        ahead = rng.randint(1, hotel["free_cancel_days"] - 1 or 1) if number == 0 else rng.randint(8, 24)
        if number == 0 and hotel["free_cancel_days"] == 1:
            world.update("hotels", str(hotel["id"]), free_cancel_days=2)
        start = world.now + timedelta(days=ahead)
        check_in, nights = start.strftime(DAY), rng.randint(1, 5)
        check_out = (start + timedelta(days=nights)).strftime(DAY)
        guests, breakfast = rng.randint(1, room["sleeps"]), rng.random() < 0.4
        row = {"room_id": room["id"], "check_in": check_in, "check_out": check_out, "guests": guests}
        total = _total(hotel, room, nights, guests, breakfast)
        row |= {"breakfast": breakfast, "discount": 0.0, "total": total, "status": "booked"}
        world.insert("hotel_bookings", {"id": ids("hbk"), **row})


def _hotels(world: World, city: str) -> list[dict[str, Any]]:
    rows: Any = search_hotels.function(world, city=city)
    return list(rows)


def hotel_stay(world: World, rng: random.Random, kind: str = "double", free: bool | None = True) -> dict[str, Any]:
    """Two hotels of a city and dates for task templates: the first has a room of the kind (or, by ``free``, has none).

    The second always has one.
    """
    hotels = {str(row["id"]): dict(row) for row in world.rows("hotels")}
    rooms = [row for row in world.rows("hotel_rooms") if row["kind"] == kind]
    fitting = []
    for ahead in range(2, _ON_SALE - 6):
        first = world.now + timedelta(days=ahead)
        for nights in (1, 2, 3):
            stay = (first.strftime(DAY), (first + timedelta(days=nights)).strftime(DAY))
            evenings = _nights(*stay)
            left = {str(room["hotel_id"]): (room, _left(room, evenings)) for room in rooms}
            for one, (room, count) in left.items():
                if free is not None and bool(count) != free:
                    continue
                for two, (other, spare) in left.items():
                    if one != two and spare and hotels[one]["city"] == hotels[two]["city"]:
                        dates = {"check_in": stay[0], "check_out": stay[1], "nights": nights}
                        fitting.append((hotels[one], hotels[two], dates, room, other))
    first_hotel, second_hotel, dates, room, other = rng.choice(fitting)
    names = {"city": first_hotel["city"], "hotel": first_hotel["name"], "other": second_hotel["name"]}
    return {**dates, **names, "price": room["price"], "other_price": other["price"]}


def booked_hotel(world: World, rng: random.Random, late: bool = False) -> dict[str, Any]:
    """A booking with its hotel and a later check-out; ``late``: its free cancellation is over. For task templates."""
    today = world.now.strftime(DAY)
    fitting = []
    for row in world.rows("hotel_bookings"):
        room = require_row(world, "hotel_rooms", str(row["room_id"]), "room")
        hotel = _hotel(world, str(room["hotel_id"]))
        if (_deadline(hotel, str(row["check_in"])) < today) == late:
            later = (parse_day(str(row["check_out"])) + timedelta(days=1)).strftime(DAY)
            fitting.append({**row, "hotel": hotel["name"], "city": hotel["city"], "later": later})
    return rng.choice(fitting)


MAKERS = {"hotel_stay": hotel_stay, "booked_hotel": booked_hotel}
