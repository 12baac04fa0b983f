"""Shows, museums, courses and sports halls of some cities: seats, places and hours are booked for people.

A section of a show that has too few seats left has a waiting list. Money is in euros and rounded to cents.
"""

import math
import random
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

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
    parse_moment,
    require_listed,
    require_named,
    tool,
    view,
)

TITLE = "Events"
FAMILY = "leisure"

Told = dict[str, Any]
Genre = Literal["concert", "play", "opera", "dance", "comedy", "circus"]
Section = Literal["stalls", "circle", "balcony"]
Level = Literal["beginner", "intermediate", "advanced"]
Text = Annotated[str, Field(min_length=1, max_length=300)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Price = Annotated[float, Field(ge=1, le=500)]
Len = Annotated[float, Field(ge=0, le=200)]
Cm = Annotated[int, Field(ge=40, le=300)]
Mins = Annotated[int, Field(ge=0, le=180)]
Few = Annotated[int, Field(ge=1, le=40)]
Hours = Annotated[float, Field(ge=0.5, le=6)]
Design = Literal["plain", "birthday", "festive"]
Count = Annotated[int, Field(ge=0, le=200)]

_SECTIONS = {"balcony": 1.0, "circle": 1.3, "stalls": 1.6}  # what a seat costs compared with the cheapest
_FILLED = ("guests", "cities", "shows", "museums", "halls", "courses")


def _named(world: World, table: str, name: str, noun: str) -> FrozenRow:
    """The row of this name; a refusal lists all there are."""
    return require_named(world, table, require_listed(world, table, name, noun), noun)


def _refuse_past(world: World, day: str, clock: str = "23:59") -> None:
    if parse_moment(f"{day} {clock}") <= world.now:
        raise ToolRefusedError(f"{day} {clock} is in the past; it is {world.now.strftime(DAY)} {world.now:%H:%M} now.")


def _minutes(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])


@tool(mutates=False)
def search_shows(
    world: World, city: str, genre: Genre, first_day: Day, last_day: Day, max_price: Price, wheelchair: bool = False
) -> list[Told]:
    """Search the shows of one kind in a city between two days, the earliest first.

    Args:
        city: The city.
        genre: The kind of show.
        first_day: The first day that suits, YYYY-MM-DD.
        last_day: The last day that suits, YYYY-MM-DD.
        max_price: Highest price of the cheapest seat, in euros.
        wheelchair: Only shows in places that can be reached by wheelchair.
    """
    town = require_listed(world, "event_cities", city, "town")
    if parse_day(first_day) > parse_day(last_day):
        raise ToolRefusedError(f"{first_day} is after {last_day}.")
    found = [
        row
        for row in world.rows("event_shows")
        if (row["city"], row["genre"]) == (town, genre)
        and first_day <= str(row["starts"])[:10] <= last_day
        and row["price_from"] <= max_price
        and (row["wheelchair"] or not wheelchair)
    ]
    return [view(row, "name", "venue", "starts", "price_from") for row in sorted(found, key=lambda row: row["starts"])]


@tool(mutates=True)
def reserve_show_seats(
    world: World, show: str, section: Section, seats: Few, holder: Text, email: Email, box_office: bool = False
) -> Told:
    """Reserve seats for a show in one of its sections.

    Args:
        show: Title of the show.
        section: Where to sit.
        seats: How many seats.
        holder: Name of the person the seats are reserved for.
        email: The person's e-mail address.
        box_office: Leave the tickets at the box office instead of sending them by e-mail.
    """
    row = require_named(world, "event_shows", show, "show", see="search_shows")
    left = row["seats_left"][section] - seats
    if left < 0:
        raise ToolRefusedError(f"The {section} of {row['name']} has only {left + seats} seats left.")
    world.update("event_shows", str(row["id"]), seats_left={**row["seats_left"], section: left})
    booked = {"show_id": row["id"], "section": section, "seats": seats, "holder": holder, "email": email}
    world.insert("event_reservations", {"id": world.new_id("res"), **booked, "box_office": box_office})
    return {**view(row, "name", "starts"), "total": round(round(row["price_from"] * _SECTIONS[section], 2) * seats, 2)}


@tool(mutates=True)
def join_show_waitlist(world: World, show: str, section: Section, seats: Few, person: Text, phone: Text) -> Told:
    """Join the waiting list for a section of a show that has too few seats left.

    Args:
        show: Title of the show.
        section: Where the person wants to sit.
        seats: How many seats are wanted.
        person: Name of the person who waits.
        phone: The person's phone number.
    """
    row = require_named(world, "event_shows", show, "show", see="search_shows")
    if row["seats_left"][section] >= seats:
        raise ToolRefusedError(f"No need to wait: the {section} of {row['name']} has enough seats left.")
    entry = {"show_id": row["id"], "section": section, "seats": seats, "person": person, "phone": phone}
    world.insert("event_waitlist", {"id": world.new_id("wai"), **entry})
    return {"waiting_for": row["name"], "section": section, "seats": seats}


@tool(mutates=False)
def quote_museum_visit(
    world: World, museum: str, adults: Count, children: Count, seniors: Count, guided_tour: bool = False
) -> Told:
    """Work out what a group pays at a museum, with the discount for groups.

    Args:
        museum: Name of the museum.
        adults: How many adults.
        children: How many children.
        seniors: How many seniors.
        guided_tour: Whether the group wants a guided tour.
    """
    row = _named(world, "event_museums", museum, "museum")
    people = adults + children + seniors
    if not people:
        raise ToolRefusedError("A group has at least one person.")
    tickets = adults * row["adult_price"] + children * row["child_price"] + seniors * row["senior_price"]
    percent = row["group_discount"] if people >= row["group_from"] else 0
    tour = row["tour_fee"] * math.ceil(people / 15) if guided_tour else 0.0
    return {"discount_percent": percent, "total": round(tickets * (100 - percent) / 100 + tour, 2)}


@tool(mutates=True)
def enrol_in_course(
    world: World, course: str, participant: Text, age: Count, level: Level, instalments: bool = False
) -> Told:
    """Enrol somebody in a course at a level that has places left.

    Args:
        course: Title of the course.
        participant: Name of the person who takes part.
        age: The person's age.
        level: The level.
        instalments: Pay in three instalments, which costs five percent more, instead of all at once.
    """
    row = _named(world, "event_courses", course, "course")
    left = row["places"][level]
    if not row["min_age"] <= age <= row["max_age"]:
        raise ToolRefusedError(f"{row['name']} is for ages {row['min_age']} to {row['max_age']}.")
    if not left:
        raise ToolRefusedError(f"{row['name']} has no {level} places left.")
    world.update("event_courses", str(row["id"]), places={**row["places"], level: left - 1})
    enrolled = {"course_id": row["id"], "participant": participant, "age": age, "level": level}
    world.insert("event_enrolments", {"id": world.new_id("enr"), **enrolled, "instalments": instalments})
    due = round(row["fee"] * 1.05 / 3, 2) if instalments else row["fee"]
    return {"course": row["name"], "meets": row["meets"], "due_now": due}


@tool(mutates=True)
def rent_sports_hall(
    world: World, hall: str, day: Day, start: Clock, hours: Hours, players: Few, equipment: bool = False
) -> Told:
    """Rent a sports hall or court for some hours.

    Args:
        hall: Name of the hall or court.
        day: The day, YYYY-MM-DD.
        start: When to begin, HH:MM.
        hours: For how many hours, in steps of half an hour.
        players: How many people will play.
        equipment: Whether to rent balls, nets and rackets too.
    """
    row = _named(world, "event_halls", hall, "hall")
    _refuse_past(world, day, start)
    begins, ends = _minutes(start), _minutes(start) + round(hours * 60)
    if begins < 7 * 60 or ends > 23 * 60 or hours * 2 % 1:
        raise ToolRefusedError("Halls are rented between 07:00 and 23:00, by the half hour.")
    if players > row["max_players"]:
        raise ToolRefusedError(f"{row['name']} is for {row['max_players']} players at most.")
    for other in world.rows("event_rentals"):
        since, same = _minutes(str(other["start"])), (other["hall_id"], other["day"]) == (row["id"], day)
        if same and begins < since + 60 * other["hours"] and since < ends:
            raise ToolRefusedError(f"{row['name']} is taken from {other['start']} for {other['hours']:g} hours.")
    rental = {"hall_id": row["id"], "day": day, "start": start, "hours": float(hours), "players": players}
    world.insert("event_rentals", {"id": world.new_id("ren"), **rental, "equipment": equipment})
    total = round(row["hourly_rate"] * hours + (row["equipment_fee"] if equipment else 0), 2)
    return {"hall": row["name"], "day": day, "start": start, "total": total}


@tool(mutates=True)
def order_gift_voucher(
    world: World, amount: Price, recipient: Text, email: Email, send_on: Day, greeting: Text, design: Design = "plain"
) -> Told:
    """Order a gift voucher for shows, museums and courses, sent by e-mail.

    Args:
        amount: Its worth in euros.
        recipient: Name of the person who gets it.
        email: The recipient's e-mail address.
        send_on: The day it is sent, YYYY-MM-DD.
        greeting: What is written on it.
        design: What it looks like.
    """
    _refuse_past(world, send_on)
    row = {"amount": round(float(amount), 2), "recipient": recipient, "email": email, "send_on": send_on}
    world.insert("event_vouchers", {"id": world.new_id("vou"), **row, "greeting": greeting, "design": design})
    return {"recipient": recipient, "amount": row["amount"], "send_on": send_on}


@tool(mutates=False)
def plan_seating_rows(
    world: World, room_length: Len, room_width: Len, stage_depth: Len, row_spacing: Cm, seat_width: Cm, aisle: Len = 1.2
) -> Told:
    """Plan how many rows and seats fit into a room with a stage at one end and an aisle from the back to the stage.

    Args:
        room_length: Length of the room, in metres.
        room_width: Width of the room, in metres.
        stage_depth: How much of the length the stage takes, in metres.
        row_spacing: Distance from row to row, in centimetres.
        seat_width: Width of a seat, in centimetres.
        aisle: Width of the aisle, in metres.
    """
    rows = math.floor(round((room_length - stage_depth) * 100 / row_spacing, 6))
    across = math.floor(round((room_width - aisle) * 100 / seat_width, 6))
    if rows < 1 or across < 1:
        raise ToolRefusedError("Not a single row fits into this room.")
    return {"rows": rows, "seats_per_row": across, "seats": rows * across}


@tool(mutates=False)
def plan_tournament(
    world: World, teams: Few, courts: Few, match_minutes: Mins, break_minutes: Mins, start: Clock, twice: bool = False
) -> Told:
    """Plan a tournament of one day in which every team plays every other, round by round.

    Args:
        teams: How many teams.
        courts: On how many courts matches are played at the same time.
        match_minutes: Minutes a match takes.
        break_minutes: Minutes between one match and the next on a court.
        start: When the first match begins, HH:MM.
        twice: Whether every two teams meet twice.
    """
    legs = 2 if twice else 1
    turns = legs * (teams - 1 + teams % 2) * math.ceil(teams // 2 / courts)
    end = _minutes(start) + turns * (match_minutes + break_minutes) - break_minutes
    if teams < 2 or end >= 24 * 60:
        raise ToolRefusedError("It needs two teams at least, and has to end on the same day.")
    return {"matches": legs * teams * (teams - 1) // 2, "ends": f"{end // 60:02d}:{end % 60:02d}"}


@tool(mutates=True)
def draw_balanced_teams(
    world: World, occasion: Text, players: list[Text], strengths: list[Few], team_count: Few, draw_number: Few = 1
) -> Told:
    """Draw teams of about the same strength by lot and save them.

    Args:
        occasion: What the teams are for.
        players: Names of the players.
        strengths: Strength of each player, in the order of the players.
        team_count: How many teams.
        draw_number: Which draw it is; another number gives other teams.
    """
    if len(players) != len(strengths) or len({folded(name) for name in players}) != len(players):
        raise ToolRefusedError("Every player needs a name of their own and exactly one strength.")
    if not 1 < team_count <= len(players):
        raise ToolRefusedError(f"From {len(players)} players, {team_count} teams cannot be drawn.")
    order = sorted(zip(strengths, players, strict=True), key=lambda each: (-each[0], folded(each[1])))
    lots = random.Random(f"{draw_number} {[folded(name) for _, name in order]}")
    teams: list[list[tuple[int, str]]] = [[] for _ in range(team_count)]
    for place in range(0, len(order), team_count):
        pot = order[place : place + team_count]
        for team, each in zip(lots.sample(teams, len(pot)), pot, strict=True):
            team.append(each)
    drawn = [{"players": [name for _, name in team], "strength": sum(value for value, _ in team)} for team in teams]
    saved = {"occasion": occasion, "draw_number": draw_number, "teams": drawn}
    world.insert("event_draws", {"id": world.new_id("drw"), **saved})
    return {"teams": drawn}


def populate(world: World, rng: random.Random, content: Told) -> None:
    """Three cities with eight shows each, six museums, six halls, ten courses, and some bookings."""
    for table in (*_FILLED, "reservations", "waitlist", "enrolments", "rentals", "vouchers", "draws"):
        world.add_table(f"event_{table}")
    ids = Ids(rng)
    for name in rng.sample(content["people"], 12):
        email = f"{folded(name).replace(' ', '.')}@{rng.choice(content['mail'])}"
        phone = f"+{rng.choice([31, 39, 44, 48, 55, 61, 81, 254, 351])}{rng.randint(200_000_000, 999_999_999)}"
        world.insert("event_guests", {"id": ids("gst"), "name": name, "email": email, "phone": phone})
    genres = rng.sample(get_args(Genre), 5)
    titles = {genre: rng.sample(content[genre], 8) for genre in genres}
    venues = rng.sample(content["venues"], 9)
    for place, city in enumerate(rng.sample(content["cities"], 3)):
        world.insert("event_cities", {"id": ids("cty"), "name": city})
        kinds = [*genres[place : place + 2] * 3, *genres[place + 2 : place + 3] * 2]
        for genre, ahead in zip(kinds, rng.sample(range(4, 46), len(kinds)), strict=True):
            starts = (world.now + timedelta(days=ahead)).strftime(DAY) + rng.choice([" 18:00", " 19:30", " 20:00"])
            row = {"name": titles[genre].pop(), "genre": genre, "city": city, "venue": rng.choice(venues[place::3])}
            row |= {"starts": starts, "price_from": rng.randint(24, 130) / 2, "wheelchair": rng.random() < 0.65}
            row["seats_left"] = {section: rng.choice([0, 1, 6, 14, 25, 40]) for section in sorted(_SECTIONS)}
            world.insert("event_shows", {"id": ids("shw"), **row})
    for name in rng.sample(content["museums"], 6):
        prices = {"adult_price": rng.randint(18, 42) / 2, "child_price": rng.randint(5, 14) / 2}
        prices |= {
            "senior_price": min(prices["adult_price"], rng.randint(15, 26) / 2),
            "tour_fee": rng.randint(9, 22) * 5.0,
        }
        group = {"group_from": rng.choice([8, 10, 12]), "group_discount": rng.choice([5, 8, 10, 12, 15])}
        world.insert("event_museums", {"id": ids("mus"), "name": name, **prices, **group})
    for name in rng.sample(content["halls"], 6):
        terms = {"hourly_rate": rng.randint(24, 110) / 2, "equipment_fee": rng.randint(6, 24) / 2}
        world.insert("event_halls", {"id": ids("hal"), "name": name, **terms, "max_players": rng.randint(12, 40)})
    for name in rng.sample(content["courses"], 10):
        low, meets = rng.choice([6, 8, 10, 14, 16]), f"{rng.choice(content['weekdays'])} {rng.randint(15, 20)}:30"
        row = {"name": name, "meets": meets, "fee": rng.randint(90, 460) / 2, "min_age": low, "max_age": low + 30}
        places = {level: rng.choice([0, 1, 3, 8]) for level in get_args(Level)}
        world.insert("event_courses", {"id": ids("crs"), **row, "places": places})
    for guest, hall in zip(
        rng.sample(world.rows("event_guests"), 5), rng.sample(world.rows("event_halls"), 5), strict=True
    ):
        show = rng.choice(world.rows("event_shows"))
        seat = {"show_id": show["id"], "section": rng.choice(sorted(_SECTIONS)), "seats": rng.randint(1, 5)}
        held = {"holder": guest["name"], "email": guest["email"], "box_office": rng.random() < 0.3}
        world.insert("event_reservations", {"id": ids("res"), **seat, **held})
        rental = {"hall_id": hall["id"], "day": day_ahead(world, rng)["iso"], "start": "18:00", "hours": 1.5}
        world.insert("event_rentals", {"id": ids("ren"), **rental, "players": rng.randint(2, 12), "equipment": False})


def day_ahead(world: World, rng: random.Random, low: int = 3, high: int = 40) -> dict[str, str]:
    """A coming day as tools take it and as people say it, for task templates."""
    day = world.now + timedelta(days=rng.randint(low, high))
    return {"iso": day.strftime(DAY), "said": f"{day.day} {day.strftime('%B %Y')}"}


def show_search(world: World, rng: random.Random) -> Told:
    """City, kind, days and highest price of a search that finds a show."""
    row = rng.choice(world.rows("event_shows"))
    ahead = (parse_day(str(row["starts"])[:10]) - parse_day(world.now.strftime(DAY))).days
    first, last = day_ahead(world, rng, max(ahead - 18, 1), ahead), day_ahead(world, rng, ahead + 1, ahead + 18)
    return {
        **view(row, "city", "genre"),
        "first": first,
        "last": last,
        "max_price": math.ceil(row["price_from"] / 5) * 5,
    }


def squad(world: World, rng: random.Random) -> Told:
    """Some players by first name, their strengths, and both in one text."""
    players = [str(row["name"]).split()[0] for row in rng.sample(world.rows("event_guests"), rng.choice([6, 8, 9]))]
    strengths = [rng.randint(2, 10) for _ in players]
    pairs = [f"{name} {strength}" for name, strength in zip(players, strengths, strict=True)]
    return {"players": players, "strengths": strengths, "pairs": pairs, "teams": 2 if len(players) == 8 else 3}


MAKERS = {"day_ahead": day_ahead, "show_search": show_search, "squad": squad}
