"""Railways: connections, fares, seats, bicycle spaces, luggage, parcels, cars on trains and ferries, lost property.

Prices are in euros; the tariff differs from world to world. A connection has the number of its main train.
"""

import math
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
    parse_day,
    require_named,
    tool,
    view,
)

TITLE = "Trains"
FAMILY = "travel"

Level = Literal["first", "second"]
Card = Literal["none", "half_fare", "quarter_off", "family"]
Bicycle = Literal["standard", "electric", "tandem", "cargo"]
Spot = Literal["window", "aisle", "table"]
Ticket = Literal["single", "return", "season"]
Payout = Literal["bank", "voucher"]
Crossing = Literal["car_train", "ferry"]
Colour = Literal["black", "white", "grey", "red", "blue", "green", "yellow", "brown", "orange", "purple", "pink"]
Weights = Annotated[list[Annotated[float, Field(ge=0.1, le=40)]], Field(min_length=1, max_length=9)]
Ages = Annotated[list[Annotated[int, Field(ge=0, le=120)]], Field(min_length=1, max_length=9)]
Kg = Annotated[float, Field(ge=0.1, le=40)]
Price = Annotated[float, Field(ge=0.5, le=5000)]
Minutes = Annotated[int, Field(ge=0, le=3000)]
Metres = Annotated[float, Field(ge=0.8, le=20)]
Num = Annotated[int, Field(ge=1, le=180)]
Text = Annotated[str, Field(min_length=1, max_length=60)]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ]{5,18}$")]

_FIRST_CLASS = 1.55


def _train(world: World, number: str, day: str, earliest: int, latest: int) -> FrozenRow:
    """A train that runs on a day, which is so many days from today at the earliest and at the latest."""
    ahead, wanted = (parse_day(day).date() - world.now.date()).days, folded(number).replace(" ", "")
    rows = [row for row in world.rows("rail_connections") if folded(row["train_number"]).replace(" ", "") == wanted]
    if not rows:
        raise ToolRefusedError(f"There is no train with the number {number[:40]!r}.", see="find_train_connections")
    if not earliest <= ahead <= latest:
        raise ToolRefusedError(f"{day} is too far away or on the wrong side of today, {world.now:{DAY}}.")
    if parse_day(day).weekday() not in rows[0]["weekdays"]:
        raise ToolRefusedError(f"{rows[0]['train_number']} does not run on that day of the week.")
    return rows[0]


def _full_fare(world: World, origin: str, destination: str, travel_class: str) -> tuple[int, float]:
    """Kilometres, and the fare one way for one adult; long ways cost less per kilometre."""
    start, end = (require_named(world, "rail_stations", name, "station") for name in (origin, destination))
    if start["id"] == end["id"]:
        raise ToolRefusedError("Both stations are the same.")
    km = max(8, round(1.2 * math.dist((start["x"], start["y"]), (end["x"], end["y"]))))
    fare = 2.4 + (min(km, 100) + 0.6 * max(0, km - 100)) * _tariff(world)["per_km"]
    return km, float(fare * (_FIRST_CLASS if travel_class == "first" else 1))


def _left(row: FrozenRow, world: World, table: str, field: str, **same: str) -> int:
    """What is left of the seats or spaces of a train, on the day and in the class that rows have in common."""
    same |= {"train_number": row["train_number"]}
    taken = [r[field] for r in world.rows(table) if all(r[key] == value for key, value in same.items())]
    return int(row["bicycle_spaces" if table == "rail_bicycles" else f"{same['travel_class']}_seats"] - sum(taken))


def _tariff(world: World) -> FrozenRow:
    return world.rows("rail_tariff")[0]


@tool(mutates=False)
def find_train_connections(
    world: World,
    origin: str,
    destination: str,
    day: Day,
    leave_after: Clock,
    arrive_before: Clock,
    travel_class: Level = "second",
    most_changes: Annotated[int, Field(ge=0, le=5)] = 3,
) -> list[dict[str, Any]]:
    """Find train connections between two stations on a day within two times, earliest first, with the price per person.

    Args:
        origin: Station to leave from.
        destination: Station to arrive at.
        day: Day of travel, YYYY-MM-DD.
        leave_after: Earliest departure, HH:MM.
        arrive_before: Latest arrival, HH:MM.
        travel_class: Class for which the price is wanted; trains without it are left out.
        most_changes: How many changes of train there may be at most.
    """
    weekday, found = parse_day(day).weekday(), []
    _full_fare(world, origin, destination, travel_class)
    for row in sorted(world.rows("rail_connections"), key=lambda row: str(row["departs"])):
        fits = row["departs"] >= leave_after and row["arrives"] <= arrive_before and row["changes"] <= most_changes
        same_way = (folded(row["origin"]), folded(row["destination"])) == (folded(origin), folded(destination))
        price = row[f"{travel_class}_price"]
        if same_way and fits and price is not None and weekday in row["weekdays"]:
            found.append({**view(row, "train_number", "departs", "arrives", "changes"), "price": price})
    return found


@tool(mutates=False)
def quote_train_fare(
    world: World, origin: str, destination: str, traveller_ages: Ages, travel_class: Level, discount_card: Card = "none"
) -> dict[str, Any]:
    """Quote the regular one-way train fare between two stations for travellers of certain ages.

    Args:
        origin: Station to leave from.
        destination: Station to travel to.
        traveller_ages: Age of every traveller, in years.
        travel_class: The class.
        discount_card: The card the travellers hold.
    """
    fare, total = _full_fare(world, origin, destination, travel_class)[1], 0.0
    for age in traveller_ages:
        part = 0.0 if age < 4 else 0.5 if age < 15 else 0.85 if age < 26 else 0.8 if age >= 65 else 1.0
        if discount_card == "half_fare" and age >= 15:
            part = min(part, 0.5)
        elif discount_card == "quarter_off":
            part *= 0.75
        elif discount_card == "family" and age < 15 and max(traveller_ages) >= 18:
            part = 0.0
        total += round(fare * part, 2)
    return {"total": round(total, 2)}


@tool(mutates=False)
def quote_luggage_carriage(
    world: World, origin: str, destination: str, weights_kg: Weights, to_door: bool = False
) -> dict[str, Any]:
    """Quote what it costs to have luggage carried by train ahead of a journey.

    Args:
        origin: Station where the luggage is handed in.
        destination: Station it is carried to.
        weights_kg: Weight of every piece in kilograms.
        to_door: Whether it is brought to an address instead of being collected at the station.
    """
    way, base = 1 + _full_fare(world, origin, destination, "second")[0] / 500, _tariff(world)["luggage_piece"]
    pieces = sum((base + 0.55 * max(0.0, weight - 10)) * way + (6.5 if to_door else 0) for weight in weights_kg)
    return {"total": round(pieces, 2)}


@tool(mutates=True)
def reserve_train_seats(
    world: World, train_number: str, day: Day, travel_class: Level, seats: Num, position: Spot, quiet: bool = False
) -> dict[str, Any]:
    """Reserve seats on a train.

    Args:
        train_number: Number of the train, e.g. IC 482.
        day: Day of travel, YYYY-MM-DD.
        travel_class: The class.
        seats: How many seats.
        position: Where the seats are.
        quiet: Whether they must be in the quiet zone.
    """
    row = _train(world, train_number, day, 1, 180)
    if seats > (left := _left(row, world, "rail_seats", "seats", day=day, travel_class=travel_class)):
        raise ToolRefusedError(f"Only {left} {travel_class} class seats are left on {row['train_number']} that day.")
    taken = {"train_number": row["train_number"], "day": day, "travel_class": travel_class, "seats": seats}
    made = world.insert("rail_seats", {"id": world.new_id("rsv"), **taken, "position": position, "quiet": quiet})
    return {"reservation_id": made["id"], "fee": round(seats * (6.9 if travel_class == "first" else 4.7), 2)}


@tool(mutates=True)
def book_bicycle_spaces(
    world: World, train_number: str, day: Day, bicycles: Num, bicycle_type: Bicycle, with_trailer: bool = False
) -> dict[str, Any]:
    """Book spaces for bicycles on a train.

    Args:
        train_number: Number of the train, e.g. IC 482.
        day: Day of travel, YYYY-MM-DD.
        bicycles: How many bicycles, all of one type.
        bicycle_type: Their type; a tandem or cargo bicycle takes two spaces.
        with_trailer: Whether each has a trailer, which takes one more space.
    """
    row, each = _train(world, train_number, day, 1, 180), 1 + (bicycle_type in ("tandem", "cargo")) + with_trailer
    if bicycles * each > (left := _left(row, world, "rail_bicycles", "spaces", day=day)):
        raise ToolRefusedError(f"{row['train_number']} has {left} spaces left that day; {bicycles * each} are needed.")
    what = {"bicycles": bicycles, "bicycle_type": bicycle_type, "with_trailer": with_trailer, "spaces": bicycles * each}
    made = {"id": world.new_id("bik"), "train_number": row["train_number"], "day": day}
    world.insert("rail_bicycles", {**made, **what})
    return {"booking_id": made["id"], "fee": round(bicycles * each * _tariff(world)["bicycle_space"], 2)}


@tool(mutates=False)
def price_season_ticket(
    world: World, zones: Num, weeks: Num, holder: Literal["adult", "student", "senior"], off_peak_only: bool = False
) -> dict[str, Any]:
    """Price a railway season ticket.

    Args:
        zones: In how many zones it is valid.
        weeks: For how many weeks it is valid.
        holder: Who it is for.
        off_peak_only: Whether it is only valid outside the rush hours.
    """
    tariff = _tariff(world)
    off = 33 if weeks >= 52 else 27 if weeks >= 26 else 20 if weeks >= 12 else 12 if weeks >= 4 else 0
    price = (tariff["season_base"] + tariff["season_zone"] * zones) * weeks * (100 - off) / 100
    price *= {"adult": 1.0, "student": 0.72, "senior": 0.8}[holder] * (0.78 if off_peak_only else 1)
    return {"price": round(price, 2)}


@tool(mutates=False)
def calculate_delay_compensation(
    world: World, ticket_price: Price, delay_minutes: Minutes, ticket_type: Ticket, payout: Payout = "bank"
) -> dict[str, Any]:
    """Calculate the compensation that passengers are owed for one delayed train journey.

    Args:
        ticket_price: What the ticket cost, in euros.
        delay_minutes: How late the train arrived, in minutes.
        ticket_type: Kind of ticket; of a return ticket only the delayed half counts.
        payout: Paid to the bank account or as a travel voucher.
    """
    percents = [0, *_tariff(world)["delay_percents"]]
    percent = percents[(delay_minutes >= 30) + (delay_minutes >= 60) + (delay_minutes >= 120)]
    counted = ticket_price / {"single": 1, "return": 2, "season": 40}[ticket_type]
    return {"compensation": round(counted * percent / 100 * (1.1 if payout == "voucher" else 1), 2)}


@tool(mutates=False)
def compare_car_crossings(
    world: World, crossing_type: Crossing, length_m: Metres, height_m: Metres, passengers: Num, roof_box: bool = False
) -> list[dict[str, Any]]:
    """Compare the car trains or the railway ferries that a car fits on, with the price for car and passengers.

    Args:
        crossing_type: Car trains or ferries.
        length_m: Length of the car in metres.
        height_m: Height of the car in metres, without a roof box.
        passengers: How many people sit in the car, the driver included.
        roof_box: Whether there is a box on the roof, which adds 0.4 metres.
    """
    height, found = round(height_m + 0.4 * roof_box, 2), []
    for row in world.rows("rail_car_links"):
        if row["type"] == crossing_type and length_m <= row["longest_m"] and height <= row["highest_m"]:
            metres = row["per_metre"] * max(4.0, length_m) * (1.3 if height > 1.85 else 1)
            price = row["base"] + metres + row["extra"] * (passengers - 1)
            found.append({"name": row["name"], "price": round(price, 2)})
    return found


@tool(mutates=False)
def quote_rail_parcel(
    world: World, destination: str, weight_kg: Kg, length_cm: Num, width_cm: Num, height_cm: Num, express: bool = False
) -> dict[str, Any]:
    """Quote the price of sending a parcel by rail.

    Args:
        destination: Station it goes to.
        weight_kg: Weight in kilograms.
        length_cm: Length in centimetres.
        width_cm: Width in centimetres.
        height_cm: Height in centimetres.
        express: Whether it goes by the next train.
    """
    zone, tariff = require_named(world, "rail_stations", destination, "station")["parcel_zone"], _tariff(world)
    charged = tariff["parcel_base"] + tariff["parcel_kg"] * max(weight_kg, length_cm * width_cm * height_cm / 5000)
    return {"price": round(charged * (1 + 0.25 * (zone - 1)) * (1.6 if express else 1), 2)}


@tool(mutates=True)
def report_item_lost_on_train(
    world: World, train_number: str, day: Day, coach: Num, item: Text, colour: Colour, phone: Phone
) -> dict[str, Any]:
    """Report an item left on a train to the lost property office of the railway.

    Args:
        train_number: Number of the train, e.g. IC 482.
        day: Day of the journey, YYYY-MM-DD.
        coach: Number of the coach.
        item: What was lost, without its colour, e.g. umbrella.
        colour: Its main colour.
        phone: Phone number of the owner.
    """
    row = _train(world, train_number, day, -60, 0)
    made = {"id": world.new_id("lst"), "train_number": row["train_number"], "day": day, "coach": coach}
    world.insert("rail_lost_items", {**made, "item": item.strip(), "colour": colour, "phone": phone})
    return {"report_id": made["id"]}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Ten stations, 36 connections, a tariff, four car trains, four ferries, and a few earlier bookings."""
    world.add_table("rail_stations", "rail_connections", "rail_tariff", "rail_car_links")
    world.add_table("rail_seats", "rail_bicycles", "rail_lost_items")
    ids = Ids(rng)
    spots = rng.sample([(x, y) for x in range(10, 400, 30) for y in range(10, 400, 30)], 10)
    for place, (name, (x, y)) in enumerate(zip(rng.sample(content["stations"], 10), spots, strict=True)):
        world.insert("rail_stations", {"id": ids("sta"), "name": name, "x": x, "y": y, "parcel_zone": place % 3 + 1})
    tariff = {key: rng.randint(*span) / 100 for key, span in content["tariff"].items()}
    world.insert("rail_tariff", {"id": ids("trf"), **tariff, "delay_percents": rng.choice(content["delay_percents"])})
    _add_connections(world, rng, content, ids)
    for kind, names in (("ferry", content["ferries"]), ("car_train", content["car_trains"])):
        for name in rng.sample(names, 4):
            limits = {"longest_m": rng.choice([5.2, 6.5, 8.0]), "highest_m": rng.choice([2.1, 2.4, 2.9])}
            prices = {"base": rng.randint(180, 420) / 10, "per_metre": rng.randint(52, 119) / 10}
            row = {"name": name, "type": kind, **limits, **prices, "extra": rng.randint(50, 140) / 10}
            world.insert("rail_car_links", {"id": ids("lnk"), **row})
    for _ in range(5):
        row = {**train_run(world, rng), "travel_class": "second", "seats": rng.randint(1, 4), "position": "window"}
        world.insert("rail_seats", {"id": ids("rsv"), **row, "quiet": rng.random() < 0.3})
        row = {**train_run(world, rng), "bicycles": 1, "bicycle_type": "standard", "with_trailer": False, "spaces": 1}
        world.insert("rail_bicycles", {"id": ids("bik"), **row})
        row = {**train_run(world, rng, past=True), "coach": rng.randint(1, 12), "item": rng.choice(content["items"])}
        row |= {"colour": rng.choice(["black", "blue", "red"]), "phone": f"0150 {rng.randint(100000, 999999)}"}
        world.insert("rail_lost_items", {"id": ids("lst"), **row})


def _add_connections(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> None:
    """Six pairs of stations with six connections each, four of them direct and one without first class."""
    names = [str(row["name"]) for row in world.rows("rail_stations")]
    numbers = iter(rng.sample(range(102, 998), 36))
    for origin, destination in rng.sample([(a, b) for a in names for b in names if a != b], 6):
        km, fare = _full_fare(world, origin, destination, "second")
        for place, departs in enumerate(sorted(rng.sample(range(5 * 60, 17 * 60, 20), 6))):
            changes, first = rng.choice([1, 2]) if place in (1, 4) else 0, place != 3
            arrives = departs + round(km * rng.uniform(0.55, 0.75)) + 15 + 22 * changes
            price = round(fare * rng.uniform(0.55, 1.05), 1)
            row: dict[str, Any] = {"train_number": f"{rng.choice(content['trains'])} {next(numbers)}", "origin": origin}
            row |= {"destination": destination, "departs": _clock(departs), "arrives": _clock(arrives)}
            row |= {"changes": changes, "weekdays": {2: [0, 1, 2, 3, 4], 4: [4, 5, 6]}.get(place, [*range(7)])}
            row |= {"second_price": price, "first_price": round(price * _FIRST_CLASS, 1) if first else None}
            row |= {"second_seats": rng.randint(14, 40), "first_seats": rng.randint(9, 20) if first else 0}
            world.insert("rail_connections", {"id": ids("con"), **row, "bicycle_spaces": rng.choice([6, 8, 10])})


def _clock(minutes: int) -> str:
    return f"{min(minutes, 1439) // 60:02d}:{min(minutes, 1439) % 60:02d}"


def train_run(world: World, rng: random.Random, past: bool = False) -> dict[str, Any]:
    """A train with both classes and a day it runs on, for task templates."""
    row = rng.choice([row for row in world.rows("rail_connections") if row["first_price"] is not None])
    days = [world.now + timedelta(days=-ahead if past else ahead) for ahead in range(2, 12 if past else 40)]
    day = rng.choice([day for day in days if day.weekday() in row["weekdays"]])
    return {"train_number": row["train_number"], "day": day.strftime(DAY)}


def trip(world: World, rng: random.Random, travel_class: str) -> dict[str, Any]:
    """A way, a day, and two times between which several direct trains with a class run, for task templates."""
    day = (world.now + timedelta(days=rng.randint(2, 40))).strftime(DAY)
    asked = {**view(rng.choice(world.rows("rail_connections")), "origin", "destination"), "day": day}
    after, before = _clock(rng.randrange(300, 660, 30)), _clock(rng.randrange(840, 1260, 30))
    asked |= {"leave_after": after, "arrive_before": before, "travel_class": travel_class}
    if len(find_train_connections.function(world, **asked, most_changes=0)) < 2:  # type: ignore[arg-type]
        raise LookupError("too few trains run between these times")
    return asked


def figures(world: World, rng: random.Random, weights: bool = False) -> dict[str, Any]:
    """Ages of travellers, the first grown up, or weights of luggage, as a list and in words, for task templates."""
    more = rng.sample([*range(2, 25), *range(64, 84)], rng.randint(1, 3))
    found = [rng.randint(16, 62) / 2 for _ in range(rng.randint(3, 4))] if weights else [rng.randint(28, 62), *more]
    words = [f"{each:g}" for each in found]
    return {"list": found, "words": f"{', '.join(words[:-1])} and {words[-1]}"}


MAKERS = {"train_run": train_run, "trip": trip, "figures": figures}
