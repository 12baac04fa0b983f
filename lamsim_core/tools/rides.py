"""Rides and maps of one city: places, saved places, routes, ride classes with price estimates, rides, public transport.

Prices are in euros, distances in kilometres along streets. A ride is for now or scheduled up to 30 days ahead, at least 30
minutes from any other scheduled ride. Cancelling is free until an hour before pickup; later it costs a fifth of the price.
Completed rides can be tipped once and rated once.
"""

import math
import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    MOMENT,
    Clock,
    FrozenRow,
    Ids,
    Moment,
    ToolRefusedError,
    World,
    parse_moment,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Rides and maps"
FAMILY = "travel"

Kind = Literal["station", "airport", "museum", "hospital", "pharmacy", "cinema", "park", "market", "library"]
Passengers = Annotated[int, Field(ge=1, le=8)]

_SPEEDS = {"car": 30, "bike": 15, "walk": 5}
_FREE_UNTIL = timedelta(minutes=60)
_APART = timedelta(minutes=30)


def _place(world: World, name: str) -> FrozenRow:
    return require_named(world, "map_places", name, "place", see="list_saved_places")


def _two_places(world: World, origin: str, destination: str) -> tuple[FrozenRow, FrozenRow]:
    start, end = _place(world, origin), _place(world, destination)
    if start["id"] == end["id"]:
        raise ToolRefusedError("Start and destination are the same place.")
    return start, end


def _km(one: FrozenRow, two: FrozenRow) -> float:
    """Streets make a way a third longer than the straight line."""
    straight = math.dist((one["x"], one["y"]), (two["x"], two["y"]))
    return round(max(0.2, 1.3 * straight), 1)


def _price(row: FrozenRow, km: float) -> float:
    return round(float(row["base_price"] + row["km_price"] * km), 2)


def _ride(world: World, ride_id: str) -> FrozenRow:
    return require_row(world, "rides", ride_id, "ride", see="list_rides")


def _completed(world: World, ride_id: str) -> FrozenRow:
    row = _ride(world, ride_id)
    if row["status"] != "completed":
        raise ToolRefusedError(f"This ride is {row['status']}; only completed rides have a driver to thank.")
    return row


@tool(mutates=False)
def find_map_places(world: World, kind: Kind, near: str) -> list[dict[str, Any]]:
    """Find places of a kind, nearest first, with the distance by street.

    Args:
        kind: What kind of place.
        near: Name of the place to measure from.
    """
    start = _place(world, near)
    rows = [row for row in world.rows("map_places") if row["kind"] == kind and row["id"] != start["id"]]
    found = [{"name": row["name"], "km": _km(start, row)} for row in rows]
    return sorted(found, key=lambda row: (row["km"], row["name"]))


@tool(mutates=False)
def list_saved_places(world: World) -> list[dict[str, Any]]:
    """List the user's saved places, such as Home, with the names they have on the map."""
    return [view(row, "label", "place") for row in world.rows("saved_places")]


@tool(mutates=False)
def get_map_route(
    world: World, origin: str, destination: str, mode: Literal["car", "bike", "walk"] = "car"
) -> dict[str, Any]:
    """Tell how far it is from one place to another and how long it takes.

    Args:
        origin: Name of the place to start from.
        destination: Name of the place to go to.
        mode: How to get there.
    """
    km = _km(*_two_places(world, origin, destination))
    return {"km": km, "minutes": round(km / _SPEEDS[mode] * 60) + (4 if mode == "car" else 1)}


@tool(mutates=False)
def estimate_rides(world: World, origin: str, destination: str, passengers: Passengers = 1) -> list[dict[str, Any]]:
    """List the ride classes with room for the passengers, with price and minutes until a car is there (none: no car now).

    Args:
        origin: Name of the place to start from.
        destination: Name of the place to go to.
        passengers: How many people ride.
    """
    km = _km(*_two_places(world, origin, destination))
    rows = [row for row in world.rows("ride_classes") if row["seats"] >= passengers]
    return [
        {"ride_class": row["name"], "seats": row["seats"], "price": _price(row, km), "wait_minutes": row["wait"]}
        for row in rows
    ]


@tool(mutates=True)
def request_ride(
    world: World,
    origin: str,
    destination: str,
    ride_class: str,
    passengers: Passengers = 1,
    pickup: Moment | None = None,
) -> dict[str, Any]:
    """Order a ride for now, or schedule one for later.

    Args:
        origin: Name of the place to start from.
        destination: Name of the place to go to.
        ride_class: The ride class.
        passengers: How many people ride.
        pickup: When to be picked up, YYYY-MM-DD HH:MM. Left out: now.
    """
    start, end = _two_places(world, origin, destination)
    kind = require_named(world, "ride_classes", ride_class, "ride class", see="estimate_rides")
    moment = world.now if pickup is None else parse_moment(pickup)
    if passengers > kind["seats"]:
        raise ToolRefusedError(f"{kind['name']} takes at most {kind['seats']} passengers, not {passengers}.")
    if not world.now <= moment <= world.now + timedelta(days=30):
        raise ToolRefusedError(f"Pickup must be within 30 days from now, {world.now.strftime(MOMENT)}.")
    if moment == world.now and kind["wait"] is None:
        raise ToolRefusedError(f"No {kind['name']} car is free right now.")
    for row in world.rows("rides"):
        if row["status"] == "scheduled" and abs(parse_moment(str(row["pickup"])) - moment) < _APART:
            raise ToolRefusedError(f"There is already a ride to {row['destination']} at {row['pickup']}.")
    price = _price(kind, _km(start, end))
    ride: dict[str, Any] = {"origin": start["name"], "destination": end["name"], "ride_class": kind["name"]}
    ride |= {"passengers": passengers, "pickup": moment.strftime(MOMENT), "price": price, "driver": ""}
    ride_id = world.new_id("rid")
    world.insert("rides", {"id": ride_id, **ride, "status": "scheduled", "tip": 0.0, "stars": 0, "comment": ""})
    return {"ride_id": ride_id, "pickup": ride["pickup"], "price": price}


@tool(mutates=False)
def list_rides(
    world: World, status: Literal["scheduled", "completed", "cancelled"] = "scheduled"
) -> list[dict[str, Any]]:
    """List the user's rides of one status, earliest first.

    Args:
        status: Which rides.
    """
    rows = sorted((row for row in world.rows("rides") if row["status"] == status), key=lambda row: str(row["pickup"]))
    fields = ["id", "pickup", "destination", "ride_class", "price"]
    return [view(row, *fields, *(["driver"] if status == "completed" else [])) for row in rows]


@tool(mutates=True)
def cancel_ride(world: World, ride_id: str) -> dict[str, Any]:
    """Cancel a scheduled ride. Less than an hour before pickup this costs a fee.

    Args:
        ride_id: The ride's id.
    """
    row = _ride(world, ride_id)
    if row["status"] != "scheduled":
        raise ToolRefusedError(f"This ride is {row['status']}; only scheduled rides can be cancelled.")
    early = parse_moment(str(row["pickup"])) - world.now >= _FREE_UNTIL
    fee = 0.0 if early else round(0.2 * row["price"], 2)
    world.update("rides", ride_id, status="cancelled", price=fee)
    return {"status": "cancelled", "fee": fee}


@tool(mutates=True)
def tip_ride_driver(world: World, ride_id: str, amount: Annotated[float, Field(ge=0.5, le=50)]) -> dict[str, Any]:
    """Give the driver of a completed ride a tip, once for each ride.

    Args:
        ride_id: The ride's id.
        amount: Euros.
    """
    row = _completed(world, ride_id)
    if row["tip"]:
        raise ToolRefusedError(f"This ride was already tipped with {row['tip']:.2f}.")
    tip = round(amount, 2)
    world.update("rides", ride_id, tip=tip)
    return {"driver": row["driver"], "tip": tip}


@tool(mutates=True)
def rate_ride_driver(
    world: World, ride_id: str, stars: Annotated[int, Field(ge=1, le=5)], comment: str = ""
) -> dict[str, Any]:
    """Rate the driver of a completed ride, once for each ride.

    Args:
        ride_id: The ride's id.
        stars: From 1 (bad) to 5 (very good).
        comment: Words for the driver.
    """
    row = _completed(world, ride_id)
    if row["stars"]:
        raise ToolRefusedError(f"This ride was already rated with {row['stars']} stars.")
    world.update("rides", ride_id, stars=stars, comment=comment)
    return {"driver": row["driver"], "stars": stars}


@tool(mutates=False)
def find_transit_connections(
    world: World, origin: str, destination: str, after: Clock = "00:00"
) -> list[dict[str, Any]]:
    """Find buses, trams and trains from one place to another, which run at the same times every day, earliest first.

    Args:
        origin: Name of the place to start from.
        destination: Name of the place to go to.
        after: Earliest departure, HH:MM.
    """
    start, end = _two_places(world, origin, destination)
    fields = ("line", "departs", "arrives", "changes", "fare")
    rows = [
        view(row, *fields)
        for row in world.rows("transit_connections")
        if (row["origin"], row["destination"]) == (start["name"], end["name"]) and row["departs"] >= after
    ]
    return sorted(rows, key=lambda row: row["departs"])


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A city with fifteen or more places, four ride classes, some rides past and to come, and a timetable."""
    world.add_table("map_places", "saved_places", "ride_classes", "rides", "transit_connections")
    ids = Ids(rng)
    city = rng.choice(content["cities"])
    places = [(name, kind) for kind, names in city["places"].items() for name in names]
    places += [(name, "address") for name in city["addresses"]]
    rng.shuffle(places)
    spots = rng.sample([(x, y) for x in range(2, 26) for y in range(2, 26)], len(places))
    for (name, kind), (x, y) in zip(places, spots, strict=True):
        far = 2 if kind == "airport" else 1
        row = {"name": name, "kind": kind, "x": round(0.4 * x * far, 1), "y": round(0.4 * y * far, 1)}
        world.insert("map_places", {"id": ids("plc"), **row})
    labels = ["Home", "Work", *rng.sample(content["labels"], len(city["addresses"]) - 2)]
    for label, address in zip(labels, rng.sample(city["addresses"], len(labels)), strict=True):
        world.insert("saved_places", {"id": ids("sav"), "label": label, "place": address})
    small, large = ([kind for kind in content["ride_classes"] if (kind["seats"] > 4) == big] for big in (False, True))
    kinds = [*rng.sample(small, 3), *rng.sample(large, 2)]
    missing = rng.randrange(5)
    for number, kind in enumerate(rng.sample(kinds, 5)):
        per_km = round(kind["factor"] * rng.uniform(0.9, 1.1), 2)
        wait = None if number == missing else rng.randint(2, 14)
        row = {"name": kind["name"], "seats": kind["seats"], "base_price": round(2.4 * kind["factor"], 1)}
        world.insert("ride_classes", {"id": ids("cls"), **row, "km_price": per_km, "wait": wait})
    _add_rides(world, rng, rng.sample(content["drivers"], 5), ids)
    _add_timetable(world, rng, rng.sample(content["lines"], 9), ids)


def _add_rides(world: World, rng: random.Random, drivers: list[str], ids: Ids) -> None:
    """Five rides driven in the last weeks, one to come within the hour and three later, each to another place."""
    places = [row for row in world.rows("map_places") if row["kind"] != "address"]
    home = _place(world, str(world.rows("saved_places")[0]["place"]))
    kinds = [row for row in world.rows("ride_classes") if row["seats"] <= 4]
    soon = world.now + timedelta(minutes=rng.choice([35, 40, 45, 50]))
    later = [_at(world, rng, ahead) for ahead in rng.sample(range(1, 12), 3)]
    past = [_at(world, rng, -ago) for ago in rng.sample(range(1, 20), 5)]
    for number, (end, moment) in enumerate(zip(rng.sample(places, 9), [*past, soon, *later], strict=True)):
        done, kind = number < 5, rng.choice(kinds)
        row = {"origin": home["name"], "destination": end["name"], "ride_class": kind["name"], "passengers": 1}
        row |= {"pickup": moment.strftime(MOMENT), "price": _price(kind, _km(home, end))}
        row |= {"driver": drivers[number] if done else "", "status": "completed" if done else "scheduled"}
        # The first is tipped and rated already, the others wait for thanks.
        thanks = {"tip": 2.0, "stars": 5, "comment": ""} if number == 0 else {"tip": 0.0, "stars": 0, "comment": ""}
        world.insert("rides", {"id": ids("rid"), **row, **thanks})


def _at(world: World, rng: random.Random, days: int) -> datetime:
    midnight = world.now.replace(hour=0, minute=0) + timedelta(days=days)
    return midnight + timedelta(hours=rng.randint(7, 21), minutes=rng.choice([0, 10, 20, 30, 40, 50]))


def _add_timetable(world: World, rng: random.Random, lines: list[str], ids: Ids) -> None:
    """Eight pairs of places, Home among them, with four connections each; no two arrive at the same time."""
    names = sorted(str(row["name"]) for row in world.rows("map_places") if row["kind"] != "address")
    home = str(world.rows("saved_places")[0]["place"])
    ends = rng.sample(names, 8)
    for number, end in enumerate(ends):
        origin = home if number < 4 else ends[number - 4]
        direct = _km(_place(world, origin), _place(world, end)) * 3 + 8
        starts = rng.sample(range(8 * 60, 23 * 60, 5), 4)
        lasting = rng.sample(range(12), 4)
        for line, begins, extra in zip(rng.sample(lines, 4), starts, lasting, strict=True):
            arrives = begins + round(direct) + extra * 3
            clocks = {"departs": _clock(begins), "arrives": _clock(min(arrives, 24 * 60 - 1))}
            row = {"origin": origin, "destination": end, "line": line, **clocks, "changes": extra // 5}
            world.insert(
                "transit_connections", {"id": ids("con"), **row, "fare": rng.choice([1.8, 2.2, 2.6, 3.1, 3.5])}
            )


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def two_places(world: World, rng: random.Random) -> dict[str, Any]:
    """Two places that are no addresses, and a third, for task templates."""
    names = sorted(str(row["name"]) for row in world.rows("map_places") if row["kind"] not in ("address", "airport"))
    return dict(zip(("origin", "destination", "third"), rng.sample(names, 3), strict=True))


def transit_pair(world: World, rng: random.Random) -> dict[str, Any]:
    """A place with connections from the user's home, earliest first, for task templates."""
    origin = str(world.rows("saved_places")[0]["place"])
    ends = sorted({str(row["destination"]) for row in world.rows("transit_connections") if row["origin"] == origin})
    destination = rng.choice(ends)
    found: Any = find_transit_connections.function(world, origin=origin, destination=destination)
    return {"destination": destination, "connections": found}


def free_pickup(world: World, rng: random.Random) -> dict[str, str]:
    """A day on which no ride is scheduled yet, with a time to go and a later one to come back."""
    taken = {str(row["pickup"])[:10] for row in world.rows("rides") if row["status"] == "scheduled"}
    days = [(world.now + timedelta(days=ahead)).strftime(DAY) for ahead in range(1, 20)]
    start = rng.randrange(8 * 60, 16 * 60, 5)
    back = start + rng.randrange(90, 360, 15)
    return {"day": rng.choice([day for day in days if day not in taken]), "there": _clock(start), "back": _clock(back)}


MAKERS = {"two_places": two_places, "transit_pair": transit_pair, "free_pickup": free_pickup}
