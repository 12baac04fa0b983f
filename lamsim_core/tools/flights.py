"""Flights: search by cities and day, fares with rules, bookings for the people of a traveller profile, seats and check-in.

Departures and arrivals are local times of their cities, durations are in minutes, prices in euros and per person. A fare
says whether a booking can be changed or refunded and for what fee per person. Check-in opens 24 hours before departure
and closes one hour before it. Children under 12 do not fly alone.
"""

import math
import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    MOMENT,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    parse_day,
    parse_moment,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Flights"
FAMILY = "travel"

Cabin = Literal["economy", "business"]

_PLACES = {"A": "window", "F": "window", "C": "aisle", "D": "aisle", "B": "middle", "E": "middle"}


def _flight(world: World, flight_id: str) -> FrozenRow:
    return require_row(world, "flights", flight_id, "flight", see="search_flights")


def _booking(world: World, booking_id: str, verb: str = "") -> FrozenRow:
    """A booking that is not cancelled. ``verb`` says what one wants to do with it that check-in puts an end to."""
    row = require_row(world, "flight_bookings", booking_id, "flight booking", see="list_flight_bookings")
    if row["status"] == "cancelled" or (verb and row["status"] == "checked in"):
        raise ToolRefusedError(f"This booking is {row['status']}; it cannot be {verb or 'used'} any more.")
    return row


def _fare(world: World, flight: FrozenRow, cabin: str) -> FrozenRow:
    for row in world.rows("flight_fares"):
        if row["flight_id"] == flight["id"] and row["cabin"] == cabin:
            return row
    raise ToolRefusedError(f"This {flight['airline']} flight has no {cabin} cabin.")


def _refuse_departed(world: World, flight: FrozenRow) -> None:
    if parse_moment(str(flight["departs_at_home"])) - world.now < timedelta(hours=1):
        raise ToolRefusedError("This flight leaves within the hour or has left; it is closed.")


def _take_seats(world: World, fare: FrozenRow, count: int) -> None:
    left = fare["seats_left"]
    if count > left:
        raise ToolRefusedError(f"Only {left} {fare['cabin']} seats are left on this flight; {count} are needed.")
    world.update("flight_fares", str(fare["id"]), seats_left=left - count)


def _give_seats_back(world: World, row: FrozenRow) -> None:
    fare = _fare(world, _flight(world, str(row["flight_id"])), str(row["cabin"]))
    free = sorted([*fare["free_seats"], *(seat for seat in row["seats"].values() if seat)])
    left = fare["seats_left"] + len(row["travellers"])
    world.update("flight_fares", str(fare["id"]), seats_left=left, free_seats=free)


def _seat_fee(seat: str) -> float:
    """Business seats (rows up to 9) cost nothing extra; in economy rows near the front and with more legroom cost most."""
    row = int(seat[:-1])
    return 0.0 if row < 10 else 12.0 if row < 15 else 22.0 if row < 17 else 6.0


@tool(mutates=False)
def search_flights(
    world: World, origin: str, destination: str, day: Day, cabin: Cabin = "economy"
) -> list[dict[str, Any]]:
    """Find flights between two cities on a day, earliest first, with price per person and seats left.

    Args:
        origin: City to leave from.
        destination: City to fly to.
        day: Day of departure, YYYY-MM-DD.
        cabin: The cabin.
    """
    parse_day(day)
    start, end = (
        require_named(world, "airports", city, "airport", field="city")["city"] for city in (origin, destination)
    )
    found = []
    for row in sorted(world.rows("flights"), key=lambda row: str(row["departs"])):
        if (row["origin"], row["destination"]) == (start, end) and str(row["departs"]).startswith(day):
            fares = [f for f in world.rows("flight_fares") if f["flight_id"] == row["id"] and f["cabin"] == cabin]
            found += [
                {**view(row, "id", "airline", "departs", "arrives", "minutes"), **view(f, "price", "seats_left")}
                for f in fares
            ]
    return found


@tool(mutates=False)
def get_fare_rules(world: World, flight_id: str, cabin: Cabin = "economy") -> dict[str, Any]:
    """Tell what a checked bag costs on a flight and what changing or cancelling costs per person.

    Args:
        flight_id: The flight's id.
        cabin: The cabin.
    """
    fare = _fare(world, _flight(world, flight_id), cabin)
    rules: dict[str, Any] = {"bag_fee": fare["bag_fee"]}
    rules |= {"change_fee": fare["change_fee"]} if fare["changeable"] else {"changes": "not allowed"}
    rules |= {"cancel_fee": fare["cancel_fee"]} if fare["refundable"] else {"refund": "none"}
    return rules


@tool(mutates=False)
def list_travellers(world: World) -> list[dict[str, Any]]:
    """List the people of the traveller profile: who they are to the user, their full names and ages."""
    return [view(row, "name", "relation", "age") for row in world.rows("travellers")]


@tool(mutates=True)
def book_flight(
    world: World,
    flight_id: str,
    travellers: Annotated[list[str], Field(min_length=1, max_length=4)],
    cabin: Cabin = "economy",
    checked_bags: Annotated[int, Field(ge=0, le=8)] = 0,
) -> dict[str, Any]:
    """Book a flight for people of the traveller profile.

    Args:
        flight_id: The flight's id.
        travellers: Full names of those who fly.
        cabin: The cabin.
        checked_bags: Checked bags of all travellers together, at most two for each.
    """
    flight = _flight(world, flight_id)
    fare = _fare(world, flight, cabin)
    people = [require_named(world, "travellers", name, "traveller", see="list_travellers") for name in travellers]
    names = sorted({str(row["name"]) for row in people})
    if all(row["age"] < 12 for row in people):
        raise ToolRefusedError("Children under 12 cannot fly without an older traveller.")
    if checked_bags > 2 * len(names):
        raise ToolRefusedError("At most two checked bags for each traveller.")
    _refuse_departed(world, flight)
    for row in world.rows("flight_bookings"):
        twice = set(row["travellers"]) & set(names)
        if row["flight_id"] == flight_id and row["status"] != "cancelled" and twice:
            raise ToolRefusedError(f"{min(twice)} is already booked on this flight.")
    _take_seats(world, fare, len(names))
    total = round(fare["price"] * len(names) + fare["bag_fee"] * checked_bags, 2)
    row = {"flight_id": flight_id, "cabin": cabin, "travellers": names, "seats": dict.fromkeys(names, "")}
    row |= {"checked_bags": checked_bags, "total": total, "status": "booked"}
    return {"booking_id": world.insert("flight_bookings", {"id": world.new_id("fbk"), **row})["id"], "total": total}


@tool(mutates=False)
def list_flight_bookings(world: World) -> list[dict[str, Any]]:
    """List the booked flights, earliest first."""
    found = []
    for row in world.rows("flight_bookings"):
        trip = view(_flight(world, str(row["flight_id"])), "origin", "destination", "departs")
        found.append({**view(row, "id", "flight_id"), **trip, **view(row, "cabin", "travellers", "status")})
    return sorted(found, key=lambda row: str(row["departs"]))


@tool(mutates=False)
def list_free_seats(world: World, booking_id: str) -> list[dict[str, Any]]:
    """List the seats that can be chosen for a booking, front of the cabin first, with their fees.

    Args:
        booking_id: The booking's id.
    """
    row = _booking(world, booking_id)
    fare = _fare(world, _flight(world, str(row["flight_id"])), str(row["cabin"]))
    return [{"seat": seat, "place": _PLACES[seat[-1]], "fee": _seat_fee(seat)} for seat in fare["free_seats"]]


@tool(mutates=True)
def choose_flight_seat(
    world: World, booking_id: str, traveller: str, seat: Annotated[str, Field(pattern=r"^\d{1,2}[A-F]$")]
) -> dict[str, Any]:
    """Choose the seat of one traveller of a booking.

    Args:
        booking_id: The booking's id.
        traveller: Full name of the traveller.
        seat: The seat, e.g. 14C.
    """
    row = _booking(world, booking_id, "seated anew")
    name = str(require_named(world, "travellers", traveller, "traveller", see="list_travellers")["name"])
    if name not in row["travellers"]:
        raise ToolRefusedError(f"{name} is not on this booking; it is for {', '.join(row['travellers'])}.")
    fare = _fare(world, _flight(world, str(row["flight_id"])), str(row["cabin"]))
    if seat not in fare["free_seats"]:
        raise ToolRefusedError(f"Seat {seat} is not free.", see="list_free_seats")
    old = [row["seats"][name]] if row["seats"][name] else []
    free = sorted([*(other for other in fare["free_seats"] if other != seat), *old])
    fee = _seat_fee(seat) - sum(_seat_fee(other) for other in old)
    world.update("flight_fares", str(fare["id"]), free_seats=free)
    world.update("flight_bookings", booking_id, seats={**row["seats"], name: seat}, total=round(row["total"] + fee, 2))
    return {"traveller": name, "seat": seat, "fee": fee}


@tool(mutates=True)
def change_flight_booking(world: World, booking_id: str, new_flight_id: str) -> dict[str, Any]:
    """Move a booking to another flight between the same cities, in the same cabin. Chosen seats are given up.

    Args:
        booking_id: The booking's id.
        new_flight_id: Id of the flight to move to.
    """
    row, new = _booking(world, booking_id, "changed"), _flight(world, new_flight_id)
    old = _flight(world, str(row["flight_id"]))
    fare = _fare(world, old, str(row["cabin"]))
    if not fare["changeable"]:
        raise ToolRefusedError("The fare of this booking does not allow changes.")
    if old["id"] == new["id"]:
        raise ToolRefusedError("The booking is on this flight already.")
    if (old["origin"], old["destination"]) != (new["origin"], new["destination"]):
        raise ToolRefusedError(f"A change must stay between {old['origin']} and {old['destination']}.")
    for flight in (old, new):
        _refuse_departed(world, flight)
    count, new_fare = len(row["travellers"]), _fare(world, new, str(row["cabin"]))
    _take_seats(world, new_fare, count)
    _give_seats_back(world, row)
    cost = round((fare["change_fee"] + max(0.0, new_fare["price"] - fare["price"])) * count, 2)
    changed = {"seats": dict.fromkeys(row["travellers"], ""), "total": round(row["total"] + cost, 2)}
    world.update("flight_bookings", booking_id, flight_id=new_flight_id, **changed)
    return {"departs": new["departs"], "extra_cost": cost}


@tool(mutates=True)
def cancel_flight_booking(world: World, booking_id: str) -> dict[str, Any]:
    """Cancel a flight booking. What is paid back depends on the rules of the fare.

    Args:
        booking_id: The booking's id.
    """
    row = _booking(world, booking_id, "cancelled")
    flight = _flight(world, str(row["flight_id"]))
    _refuse_departed(world, flight)
    fare = _fare(world, flight, str(row["cabin"]))
    kept = fare["cancel_fee"] * len(row["travellers"]) if fare["refundable"] else row["total"]
    refund = round(max(0.0, row["total"] - kept), 2)
    _give_seats_back(world, row)
    world.update("flight_bookings", booking_id, status="cancelled", seats=dict.fromkeys(row["travellers"], ""))
    return {"status": "cancelled", "refund": refund}


@tool(mutates=True)
def complete_flight_check_in(world: World, booking_id: str) -> dict[str, Any]:
    """Check in all travellers of a booking. Who has not chosen a seat gets the first free one.

    Args:
        booking_id: The booking's id.
    """
    row = _booking(world, booking_id, "checked in")
    flight = _flight(world, str(row["flight_id"]))
    _refuse_departed(world, flight)
    if parse_moment(str(flight["departs_at_home"])) - world.now > timedelta(hours=24):
        opens = parse_moment(str(flight["departs"])) - timedelta(hours=24)
        raise ToolRefusedError(f"Check-in is not open yet; it opens on {opens.strftime(MOMENT)}.")
    fare = _fare(world, flight, str(row["cabin"]))
    free = [*fare["free_seats"]]
    seats = {name: seat or (free.pop(0) if free else "at the gate") for name, seat in row["seats"].items()}
    world.update("flight_fares", str(fare["id"]), free_seats=free)
    world.update("flight_bookings", booking_id, status="checked in", seats=seats)
    return {"status": "checked in", "seats": seats}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A home city with flights to five others in the next weeks, two of them with a way back, and four bookings."""
    world.add_table("airports", "travellers", "flights", "flight_fares", "flight_bookings")
    ids = Ids(rng)
    cities = _cities(rng, content["cities"])
    for city in cities:
        world.insert("airports", {"id": ids("apt"), "city": city["name"]})
    relations = ["self", "partner", rng.choice(["son", "daughter"]), rng.choice(["mother", "father", "colleague"])]
    ages = [rng.randint(28, 58), rng.randint(28, 58), rng.randint(3, 16), rng.randint(59, 79)]
    for name, relation, age in zip(rng.sample(content["people"], 4), relations, ages, strict=True):
        world.insert("travellers", {"id": ids("trv"), "name": name, "relation": relation, "age": age})
    days = sorted(rng.sample(range(4, 40), 6))
    airlines = rng.sample(content["airlines"], 6)
    for (start, end), ahead in zip([(0, 2), (0, 3), (0, 1), (1, 0), (0, 4), (4, 0)], days, strict=True):
        day = world.now.replace(hour=0, minute=0) + timedelta(days=ahead)
        _add_leg(world, rng, (cities[start], cities[end]), day, rng.sample(airlines, rng.choice([3, 4, 4])), ids)
    today = world.now.replace(minute=0) + timedelta(hours=4)
    _add_leg(world, rng, (cities[0], cities[5]), today, rng.sample(airlines, 2), ids)
    _add_bookings(world, rng, [str(city["name"]) for city in cities], ids)


def _cities(rng: random.Random, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Six cities, none further from the first than a flight without a stop goes."""
    home = rng.choice(known)
    near = [city for city in known if 300 < _distance(home, city) < 7_000]
    return [{**city, "ahead": city["utc"] - home["utc"]} for city in (home, *rng.sample(near, 5))]


def _distance(one: dict[str, Any], two: dict[str, Any]) -> float:
    """Kilometres between two cities along a great circle."""
    a, b, c, d = (math.radians(value) for value in (one["lat"], two["lat"], one["lon"], two["lon"]))
    cosine = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(d - c)
    return 6371 * math.acos(max(-1.0, min(1.0, cosine)))


def _add_leg(
    world: World, rng: random.Random, leg: tuple[dict[str, Any], ...], day: datetime, airlines: list[str], ids: Ids
) -> None:
    """The flights of a day between two cities: one of each airline, no two at the same time or price."""
    start, end = leg
    km = _distance(start, end)
    departures = sorted(rng.sample(range((day.hour or 6) * 60, 22 * 60, 25), len(airlines)))
    prices = rng.sample(range(100, 180, 2), len(airlines))
    seats = [rng.randint(4, 9), rng.randint(4, 9), 0, rng.randint(1, 2)]
    rng.shuffle(seats)
    for airline, clock, percent, left in zip(airlines, departures, prices, seats, strict=False):
        minutes = 5 * round((40 + km / 13.5) * rng.choice([1.0, 1.05, 1.1, 1.4, 1.6]) / 5)
        departs = day.replace(hour=0) + timedelta(minutes=clock)
        arrives = departs + timedelta(minutes=minutes, hours=end["utc"] - start["utc"])
        flight_id, at_home = ids("flt"), departs - timedelta(hours=start["ahead"])
        row = {"airline": airline, "origin": start["name"], "destination": end["name"]}
        row |= {"departs": departs.strftime(MOMENT), "arrives": arrives.strftime(MOMENT), "minutes": minutes}
        world.insert("flights", {"id": flight_id, **row, "departs_at_home": at_home.strftime(MOMENT)})
        price = round((60 + 0.05 * km) * percent / 100) + rng.choice([0.0, 0.5, 0.9])
        cabins = [("economy", price, left)]
        if rng.random() < 0.4:
            cabins.append(("business", round(price * rng.choice([2.2, 2.6, 3.0])) + 0.0, rng.choice([0, 1, 2, 4])))
        for cabin, cost, free in cabins:
            fare = {"flight_id": flight_id, "cabin": cabin, "price": cost, "seats_left": free}
            fare |= {"free_seats": _free_seats(rng, cabin, min(free, 6)), **_rules(rng, cabin)}
            world.insert("flight_fares", {"id": ids("far"), **fare})


def _free_seats(rng: random.Random, cabin: str, count: int) -> list[str]:
    """Seats in different rows with different letters: six of them are two of each place."""
    rows, letters = (range(10, 31), "ABCDEF") if cabin == "economy" else (range(1, 5), "ACDF")
    return sorted(f"{a}{b}" for a, b in zip(rng.sample(rows, count), rng.sample(letters, count), strict=True))


def _rules(rng: random.Random, cabin: str) -> dict[str, Any]:
    """A fare that allows nothing, one that takes fees, or one that is free to change."""
    kind = rng.choice(["light", "standard", "standard", "flex"])
    change, cancel = (rng.randrange(15, 60, 5), rng.randrange(20, 45, 5)) if kind == "standard" else (0, 0)
    bag = rng.choice([18.5, 21.5, 24.5, 27.5, 31.5, 34.5]) if cabin == "economy" else 0.0
    rules = {"bag_fee": bag, "changeable": kind != "light", "change_fee": change}
    return {**rules, "refundable": kind == "flex" or (kind == "standard" and rng.random() < 0.8), "cancel_fee": cancel}


def _add_bookings(world: World, rng: random.Random, cities: list[str], ids: Ids) -> None:
    """One to check in for today, one that can be changed, one that cannot, one that is refunded in part."""
    wishes: dict[str, dict[str, Any]] = {
        cities[5]: {},
        cities[2]: {"changeable": True, "change_fee": rng.randrange(15, 60, 5)},
        cities[3]: {"changeable": False, "refundable": False},
        cities[1]: {"refundable": True, "cancel_fee": rng.randrange(20, 45, 5)},
    }
    names = [str(row["name"]) for row in world.rows("travellers")]
    for city, rules in wishes.items():
        flights = [row for row in world.rows("flights") if row["destination"] == city]
        flight = min(flights, key=lambda row: int(_fare(world, row, "economy")["seats_left"]))  # others have room
        people = sorted([names[0], *rng.sample(names[1:], rng.randint(0, 2))])
        fare = _fare(world, flight, "economy")
        seats = {"free_seats": _free_seats(rng, "economy", 6), "seats_left": max(6, fare["seats_left"])}
        fare = world.update("flight_fares", str(fare["id"]), **seats, **rules)
        bags = rng.randint(0, len(people))
        row = {"flight_id": flight["id"], "cabin": "economy", "travellers": people, "seats": dict.fromkeys(people, "")}
        row |= {"checked_bags": bags, "total": round(fare["price"] * len(people) + fare["bag_fee"] * bags, 2)}
        world.insert("flight_bookings", {"id": ids("fbk"), **row, "status": "booked"})


def flight_leg(world: World, rng: random.Random, legs: list[int], cabin: str = "economy") -> dict[str, Any]:
    """One of some days and pairs of cities, with what a search shows, and the booking there. For task templates.

    By number: 0 leaves today, 1 can be changed, 2 cannot, 3 is refunded in part, 4 to 6 are not booked (6 is the way back of 5).
    """
    days = sorted({(str(r["departs"])[:10], str(r["origin"]), str(r["destination"])) for r in world.rows("flights")})
    day, origin, destination = rng.choice([days[number] for number in legs])
    trip: dict[str, Any] = {"origin": origin, "destination": destination, "day": day}
    found: Any = search_flights.function(world, **trip, cabin=cabin)
    options = [{**row, "clock": str(row["departs"])[11:]} for row in found]
    for row in world.rows("flight_bookings"):
        booked = [option for option in options if option["id"] == row["flight_id"]]
        if booked and cabin == row["cabin"]:
            fare = dict(_fare(world, _flight(world, str(row["flight_id"])), cabin))
            others = [option for option in options if option not in booked]
            return {**trip, "options": options, "booking": {**row, **booked[0]}, "fare": fare, "others": others}
    return {**trip, "options": options}


MAKERS = {"flight_leg": flight_leg}
