"""A town's cinemas: a catalogue of films, showings with seats left, tickets, a watchlist and the user's own ratings.

Prices are in euros a seat. A showing that has begun cannot be booked, nor one with too few seats or for viewers younger
than the film's age rating. A booking can be cancelled until two hours before its showing. Only films the user has seen
can be rated.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    MOMENT,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    parse_day,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Movies"
FAMILY = "leisure"

Genre = Literal["drama", "comedy", "thriller", "science fiction", "documentary", "animation", "adventure"]
_ROWS = 8
"""The most rows a result holds."""
_NOTICE = timedelta(hours=2)
_ADULT = 18
_TIMES = ["14:30", "15:45", "17:00", "18:15", "19:30", "20:45", "21:50"]


def _movie(world: World, movie_id: str) -> FrozenRow:
    return require_row(world, "movies", movie_id, "movie", see="search_movies")


def _starts(showing: FrozenRow) -> datetime:
    return datetime.strptime(str(showing["starts"]), MOMENT)


def _parts(world: World, showing_id: str) -> tuple[FrozenRow, FrozenRow, FrozenRow]:
    """A showing with its movie and its cinema."""
    showing = require_row(world, "showings", showing_id, "showing", see="find_showings")
    movie = require_row(world, "movies", str(showing["movie_id"]), "movie")
    return showing, movie, require_row(world, "cinemas", str(showing["cinema_id"]), "cinema")


@tool(mutates=False)
def search_movies(world: World, query: str | None = None, genre: Genre | None = None) -> list[dict[str, Any]]:
    """Search the films by title or director, by genre, or both.

    Args:
        query: Words of the title or of the director's name.
        genre: Only films of this genre.
    """
    if query is None and genre is None:
        raise ToolRefusedError("Say what to look for: a title, a director or a genre.")
    found = [
        row
        for row in world.rows("movies")
        if (query is None or has_words(query, f"{row['title']} {row['director']}"))
        and (genre is None or row["genre"] == genre)
    ]
    found.sort(key=lambda row: (query is None or folded(str(row["title"])) != folded(query), str(row["title"])))
    return [view(row, "id", "title", "director", "year", "minutes") for row in found[:_ROWS]]


@tool(mutates=False)
def get_movie_details(world: World, movie_id: str) -> dict[str, Any]:
    """Show a film's genre, age rating, and whether the user has seen and rated it.

    Args:
        movie_id: The movie's id.
    """
    return view(_movie(world, movie_id), "title", "genre", "minutes", "age_rating", "seen", "my_stars")


@tool(mutates=False)
def list_cinemas(world: World) -> list[dict[str, Any]]:
    """List the cinemas in town with district and facilities."""
    return [view(row, "name", "district", "step_free", "parking") for row in world.rows("cinemas")]


@tool(mutates=False)
def find_showings(
    world: World, movie_id: str | None = None, cinema: str | None = None, day: Day | None = None
) -> list[dict[str, Any]]:
    """Find coming showings of a film or at a cinema, the earliest first; the price is for one seat.

    Args:
        movie_id: Only showings of this film.
        cinema: Only showings at the cinema of this name.
        day: Only showings on this day, YYYY-MM-DD.
    """
    if movie_id is None and cinema is None:
        raise ToolRefusedError("Say which film or which cinema.")
    if movie_id is not None:
        _movie(world, movie_id)
    place = None if cinema is None else require_named(world, "cinemas", cinema, "cinema", see="list_cinemas")
    on = None if day is None else parse_day(day).date()
    found = [
        row
        for row in world.rows("showings")
        if _starts(row) > world.now
        and (movie_id is None or row["movie_id"] == movie_id)
        and (place is None or row["cinema_id"] == place["id"])
        and (on is None or _starts(row).date() == on)
    ]
    found.sort(key=lambda row: (str(row["starts"]), str(row["id"])))
    return [_told(world, row, movie_id is None, cinema is None) for row in found[:_ROWS]]


def _told(world: World, showing: FrozenRow, with_movie: bool, with_cinema: bool) -> dict[str, Any]:
    """A showing without what was asked for anyway."""
    _, movie, cinema = _parts(world, str(showing["id"]))
    named = {"movie": movie["title"]} if with_movie else {}
    named |= {"cinema": cinema["name"]} if with_cinema else {}
    return {"id": showing["id"], **named, **view(showing, "starts", "price", "seats_left")}


@tool(mutates=True)
def book_movie_tickets(
    world: World,
    showing_id: str,
    seats: Annotated[int, Field(ge=1, le=8)],
    youngest_age: Annotated[int, Field(ge=0, le=120)] = _ADULT,
) -> dict[str, Any]:
    """Book seats for a showing.

    Args:
        showing_id: The showing's id.
        seats: How many seats.
        youngest_age: Age of the youngest viewer, if there are children or teenagers.
    """
    showing, movie, cinema = _parts(world, showing_id)
    if _starts(showing) <= world.now:
        raise ToolRefusedError("This showing has already begun.")
    if youngest_age < movie["age_rating"]:
        raise ToolRefusedError(f"{movie['title']} is only for viewers of {movie['age_rating']} and older.")
    left = int(showing["seats_left"])
    if seats > left:
        raise ToolRefusedError(f"Too few seats are left: {left}." if left else "This showing is sold out.")
    total = round(seats * showing["price"], 2)
    world.update("showings", showing_id, seats_left=left - seats)
    booking = {
        "id": world.new_id("bkg"),
        "showing_id": showing_id,
        "seats": seats,
        # Adults count alike, so that a stated age and the default mean the same booking.
        "youngest_age": min(youngest_age, _ADULT),
        "total": total,
    }
    world.insert("movie_bookings", booking)
    told = {"booking_id": booking["id"], "movie": movie["title"], "cinema": cinema["name"]}
    return {**told, "starts": showing["starts"], "total": total}


@tool(mutates=False)
def list_movie_bookings(world: World) -> list[dict[str, Any]]:
    """List the user's cinema bookings that are still to come."""
    told = []
    for row in world.rows("movie_bookings"):
        showing, movie, cinema = _parts(world, str(row["showing_id"]))
        if _starts(showing) > world.now:
            where = {"movie": movie["title"], "cinema": cinema["name"], "starts": showing["starts"]}
            told.append({"id": row["id"], **where, "seats": row["seats"]})
    return sorted(told, key=lambda booking: str(booking["starts"]))


@tool(mutates=True)
def cancel_movie_booking(world: World, booking_id: str) -> dict[str, Any]:
    """Cancel a cinema booking; the money is paid back.

    Args:
        booking_id: The booking's id.
    """
    row = require_row(world, "movie_bookings", booking_id, "booking", see="list_movie_bookings")
    showing, movie, _ = _parts(world, str(row["showing_id"]))
    if _starts(showing) - world.now < _NOTICE:
        raise ToolRefusedError(f"Too late: {showing['starts']} is past, or less than two hours away.")
    world.update("showings", str(showing["id"]), seats_left=showing["seats_left"] + row["seats"])
    world.delete("movie_bookings", booking_id)
    return {"cancelled": movie["title"], "refund": row["total"]}


@tool(mutates=False)
def list_movie_watchlist(world: World) -> list[dict[str, Any]]:
    """List the films on the user's watchlist."""
    listed = [_movie(world, str(row["movie_id"])) for row in world.rows("watchlist_movies")]
    return [view(movie, "id", "title", "genre", "year", "minutes") for movie in listed]


@tool(mutates=True)
def update_movie_watchlist(world: World, movie_id: str, action: Literal["add", "remove"] = "add") -> dict[str, Any]:
    """Put a film on the user's watchlist, or take it off.

    Args:
        movie_id: The movie's id.
        action: What to do with it.
    """
    movie = _movie(world, movie_id)
    known = [str(row["id"]) for row in world.rows("watchlist_movies") if row["movie_id"] == movie_id]
    if bool(known) == (action == "add"):
        raise ToolRefusedError(f"{movie['title']} is {'already' if known else 'not'} on the watchlist.")
    if known:
        world.delete("watchlist_movies", known[0])
    else:
        world.insert("watchlist_movies", {"id": world.new_id("wtc"), "movie_id": movie_id})
    return {"movie": movie["title"], "on_watchlist": not known}


@tool(mutates=True)
def rate_movie(
    world: World, movie_id: str, stars: Annotated[float, Field(ge=0.5, le=5, multiple_of=0.5)]
) -> dict[str, Any]:
    """Rate a film the user has seen; an earlier rating is replaced.

    Args:
        movie_id: The movie's id.
        stars: From 0.5 to 5, in halves.
    """
    movie = _movie(world, movie_id)
    if not movie["seen"]:
        raise ToolRefusedError(f"Only films that were seen can be rated, and the user has not seen {movie['title']}.")
    world.update("movies", movie_id, my_stars=stars)
    return {"movie": movie["title"], "my_stars": stars}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """About fifteen films, eight of them on show in five cinemas; four seen, four bookings, a watchlist."""
    world.add_table("movies", "cinemas", "showings", "movie_bookings", "watchlist_movies")
    ids = Ids(rng)
    for place, district in zip(rng.sample(content["cinemas"], 5), rng.sample(content["districts"], 5), strict=True):
        facilities = {"step_free": rng.random() < 0.6, "parking": rng.random() < 0.5}
        world.insert("cinemas", {"id": ids("cin"), "name": place, "district": district, **facilities})
    films = _films(rng, content["movies"])
    years, lengths = rng.sample(range(1994, 2026), len(films)), rng.sample(range(78, 169), len(films))
    for film, year, minutes in zip(films, years, lengths, strict=True):
        facts = {"year": year, "minutes": minutes, "age_rating": rng.choice([0, 6, 6, 12, 12, 16, 16, 18])}
        world.insert("movies", {"id": ids("mov"), **film, **facts, "seen": False, "my_stars": None})
    movies = [str(row["id"]) for row in world.rows("movies")]
    rng.shuffle(movies)
    shown, seen, unseen = movies[:8], movies[6:10], movies[10:] + movies[:3]
    for movie_id in seen:
        world.update("movies", movie_id, seen=True, my_stars=rng.choice([None, 2.5, 3.5, 4.5]))
    _add_showings(world, rng, shown, ids)
    _add_bookings(world, rng, shown, seen, ids)
    for movie_id in rng.sample(unseen, 5):
        world.insert("watchlist_movies", {"id": ids("wtc"), "movie_id": movie_id})


def _films(rng: random.Random, known: list[dict[str, str]]) -> list[dict[str, str]]:
    """Fourteen films or one or two more: all those of some directors."""
    by_director: dict[str, list[dict[str, str]]] = {}
    for film in known:
        by_director.setdefault(film["director"], []).append(film)
    films: list[dict[str, str]] = []
    for director in rng.sample(sorted(by_director), len(by_director)):
        if len(films) < 14:
            films += by_director[director]
    rng.shuffle(films)
    return films


def _add_showings(world: World, rng: random.Random, movies: list[str], ids: Ids) -> None:
    """Four coming showings a film, the first two with plenty of seats; no two at the same cinema and time."""
    cinemas = [str(row["id"]) for row in world.rows("cinemas")]
    slots = [(cinema, day, time) for cinema in cinemas for day in range(1, 7) for time in _TIMES]
    rng.shuffle(slots)
    for movie_id in movies:
        prices = rng.sample(range(13, 31), 4)
        for index, half_euros in enumerate(prices):
            cinema, days, time = slots.pop()
            seats = rng.randint(12, 90) if index < 2 else rng.choice([0, 1, 2, 3, 14, 40])
            starts = f"{(world.now + timedelta(days=days)).strftime(DAY)} {time}"
            _add_showing(world, ids, movie_id, cinema, starts, half_euros / 2, seats)


def _add_showing(
    world: World, ids: Ids, movie_id: str, cinema_id: str, starts: str, price: float, seats_left: int
) -> str:
    row = {"id": ids("shw"), "movie_id": movie_id, "cinema_id": cinema_id, "starts": starts}
    world.insert("showings", {**row, "price": price, "seats_left": seats_left})
    return str(row["id"])


def _add_bookings(world: World, rng: random.Random, shown: list[str], seen: list[str], ids: Ids) -> None:
    """A visit last week, one within the hour (too late to cancel), and two to come, each for another film."""
    cinema = str(rng.choice(world.rows("cinemas"))["id"])
    past = (world.now - timedelta(days=rng.randint(2, 9))).replace(hour=19, minute=30).strftime(MOMENT)
    soon = (world.now + timedelta(minutes=rng.choice([30, 45, 60]))).strftime(MOMENT)
    booked = [_add_showing(world, ids, seen[-1], cinema, past, 9.5, rng.randint(0, 60))]
    booked.append(_add_showing(world, ids, shown[3], cinema, soon, 8.5, rng.randint(20, 60)))
    for movie_id in rng.sample(shown[:3] + shown[4:6], 2):
        coming = [row for row in world.rows("showings") if row["movie_id"] == movie_id]
        booked.append(str(rng.choice(coming)["id"]))
    for showing_id in booked:
        showing, seats = _parts(world, showing_id)[0], rng.randint(2, 5)
        row = {"showing_id": showing_id, "seats": seats, "youngest_age": _ADULT}
        world.insert("movie_bookings", {"id": ids("bkg"), **row, "total": round(seats * showing["price"], 2)})


def coming_showing(world: World, rng: random.Random, seats: int = 8, other_than: str = "") -> dict[str, Any]:
    """A showing from tomorrow on with at least so many seats, not of the film named, for task templates."""
    tomorrow = (world.now + timedelta(days=1)).strftime(DAY)
    parts = [_parts(world, str(row["id"])) for row in world.rows("showings") if row["seats_left"] >= seats]
    fitting = [one for one in parts if str(one[0]["starts"]) >= tomorrow and one[1]["title"] != other_than]
    showing, movie, cinema = rng.choice(fitting)
    day, time = str(showing["starts"]).split(" ")
    return {**view(showing, "id", "price"), "movie": movie["title"], "cinema": cinema["name"], "day": day, "time": time}


def own_booking(world: World, rng: random.Random) -> dict[str, Any]:
    """A booking that can still be cancelled, for task templates."""
    rows = [(row, *_parts(world, str(row["showing_id"]))[:2]) for row in world.rows("movie_bookings")]
    booking, showing, movie = rng.choice([one for one in rows if _starts(one[1]) - world.now >= _NOTICE])
    return {**view(booking, "id", "seats"), "movie": movie["title"], "starts": showing["starts"]}


def busy_day(world: World, rng: random.Random) -> dict[str, Any]:
    """A cinema and a day on which it shows at least two films, for task templates."""
    films: dict[tuple[str, str], set[str]] = {}
    for row in world.rows("showings"):
        if _starts(row) > world.now:
            place = _parts(world, str(row["id"]))[2]["name"], str(row["starts"])[:10]
            films.setdefault(place, set()).add(str(row["movie_id"]))
    cinema, day = rng.choice(sorted(place for place, shown in films.items() if len(shown) > 1))
    return {"cinema": cinema, "day": day}


MAKERS = {"coming_showing": coming_showing, "own_booking": own_booking, "busy_day": busy_day}
