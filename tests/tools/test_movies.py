"""The movies tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.movies import busy_day, coming_showing, own_booking

SEEDS = [*range(30), *range(100_000, 100_020)]


def film(movie_id: str, title: str, director: str, age: int, seen: bool) -> dict[str, Any]:
    facts = {"genre": "drama", "year": 2001, "minutes": 100, "age_rating": age, "seen": seen, "my_stars": None}
    return {"id": movie_id, "title": title, "director": director, **facts}


def showing(showing_id: str, movie_id: str, starts: str, price: float, seats: int) -> dict[str, Any]:
    row = {"id": showing_id, "movie_id": movie_id, "cinema_id": "cin_1", "starts": starts}
    return {**row, "price": price, "seats_left": seats}


@pytest.fixture
def town() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "movies": [
            film("mov_1", "Café Sol", "Inês Caldeira", 12, seen=True),
            film("mov_2", "The Salt Ferry", "Inês Caldeira", 0, seen=False),
        ],
        "cinemas": [
            {"id": "cin_1", "name": "Biograf Måsen", "district": "Old Town", "step_free": True, "parking": False}
        ],
        "showings": [
            showing("shw_1", "mov_1", "2026-05-05 19:30", 9.5, 3),
            showing("shw_2", "mov_2", "2026-05-04 10:30", 8.0, 0),
            showing("shw_3", "mov_2", "2026-05-03 19:30", 8.0, 9),
        ],
        "movie_bookings": [
            {"id": "bkg_1", "showing_id": "shw_1", "seats": 2, "youngest_age": 18, "total": 19.0},
            {"id": "bkg_2", "showing_id": "shw_2", "seats": 1, "youngest_age": 18, "total": 8.0},
            {"id": "bkg_3", "showing_id": "shw_3", "seats": 1, "youngest_age": 18, "total": 8.0},
        ],
        "watchlist_movies": [{"id": "wtc_1", "movie_id": "mov_2"}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("movies").tools)


def call(town: Environment, tool: str, **arguments: Any) -> Transition:
    return town.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(town: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(town, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def seats_left(town: Environment, showing_id: str) -> Any:
    row = town.world.get("showings", showing_id)
    assert row is not None
    return row["seats_left"]


def test_reads_show_what_is_needed_and_change_nothing(town: Environment) -> None:
    before = town.world.state_hash()
    assert [row["id"] for row in result(town, "search_movies", query="caldeira")] == ["mov_1", "mov_2"]
    assert result(town, "search_movies", query="cafe sol", genre="drama")[0]["director"] == "Inês Caldeira"
    assert result(town, "search_movies", genre="comedy") == []
    assert result(town, "get_movie_details", movie_id="mov_1")["age_rating"] == 12
    assert result(town, "list_cinemas")[0]["district"] == "Old Town"
    shown = {"id": "shw_1", "cinema": "Biograf Måsen", "starts": "2026-05-05 19:30", "price": 9.5, "seats_left": 3}
    assert result(town, "find_showings", movie_id="mov_1") == [shown]
    found = result(town, "find_showings", cinema="biograf masen", day="2026-05-04")
    assert [row["movie"] for row in found] == ["The Salt Ferry"], "what has begun is not shown"
    assert [row["id"] for row in result(town, "list_movie_bookings")] == ["bkg_2", "bkg_1"]
    assert [row["title"] for row in result(town, "list_movie_watchlist")] == ["The Salt Ferry"]
    assert town.world.state_hash() == before


def test_booking_takes_seats_and_cancelling_gives_them_back(town: Environment) -> None:
    booked = result(town, "book_movie_tickets", showing_id="shw_1", seats=3, youngest_age=12)
    assert booked["total"] == 28.5 and seats_left(town, "shw_1") == 0
    assert town.world.rows("movie_bookings")[-1]["youngest_age"] == 12
    assert call(town, "book_movie_tickets", showing_id="shw_1", seats=1).observation.fault == "refused"
    assert result(town, "cancel_movie_booking", booking_id=booked["booking_id"])["refund"] == 28.5
    assert town.net_changes() == ()


def test_adults_are_booked_alike_whatever_their_age(town: Environment) -> None:
    result(town, "book_movie_tickets", showing_id="shw_1", seats=1, youngest_age=64)
    result(town, "book_movie_tickets", showing_id="shw_1", seats=1)
    assert {row["youngest_age"] for row in town.world.rows("movie_bookings")} == {18}


def test_watchlist_and_ratings(town: Environment) -> None:
    result(town, "update_movie_watchlist", movie_id="mov_2", action="remove")
    result(town, "update_movie_watchlist", movie_id="mov_1")
    assert [row["movie_id"] for row in town.world.rows("watchlist_movies")] == ["mov_1"]
    assert result(town, "rate_movie", movie_id="mov_1", stars=3.5) == {"movie": "Café Sol", "my_stars": 3.5}
    assert call(town, "rate_movie", movie_id="mov_1", stars=3.2).observation.fault == "invalid_arguments"


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_movies", {}, "Say what"),
        ("get_movie_details", {"movie_id": "mov_9"}, "no movie"),
        ("find_showings", {}, "which film"),
        ("find_showings", {"cinema": "Kino Vltava"}, "no cinema"),
        ("find_showings", {"movie_id": "mov_1", "day": "2026-02-30"}, "not a real date"),
        ("book_movie_tickets", {"showing_id": "shw_1", "seats": 4}, "left: 3"),
        ("book_movie_tickets", {"showing_id": "shw_1", "seats": 1, "youngest_age": 11}, "12 and older"),
        ("book_movie_tickets", {"showing_id": "shw_2", "seats": 1}, "sold out"),
        ("book_movie_tickets", {"showing_id": "shw_3", "seats": 1}, "begun"),
        ("cancel_movie_booking", {"booking_id": "bkg_2"}, "Too late"),
        ("cancel_movie_booking", {"booking_id": "bkg_9"}, "no booking"),
        ("update_movie_watchlist", {"movie_id": "mov_2"}, "already"),
        ("update_movie_watchlist", {"movie_id": "mov_1", "action": "remove"}, "not on"),
        ("rate_movie", {"movie_id": "mov_2", "stars": 4}, "not seen"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    town: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(town, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("movies").world(seed)
    movies, showings = world.rows("movies"), world.rows("showings")
    for field in ("title", "year", "minutes"):
        assert len({row[field] for row in movies}) == len(movies) >= 14
    slots = [(row["cinema_id"], row["starts"]) for row in showings]
    assert len(set(slots)) == len(slots)
    assert all(row["seats_left"] >= 0 and row["price"] > 0 for row in showings)
    cinemas = world.rows("cinemas")
    assert len({row["district"] for row in cinemas}) == len({row["name"] for row in cinemas}) == len(cinemas)
    by_id = {row["id"]: row for row in showings}
    booked = [by_id[row["showing_id"]]["movie_id"] for row in world.rows("movie_bookings")]
    assert len(set(booked)) == len(booked) == 4
    seen = {row["id"] for row in movies if row["seen"]}
    assert len(seen) == 4 and not seen & {row["movie_id"] for row in world.rows("watchlist_movies")}
    soon = (world.now + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M")
    rng = random.Random(seed)
    assert own_booking(world, rng)["starts"] >= soon and coming_showing(world, rng, seats=8) and busy_day(world, rng)


def test_no_name_contains_another() -> None:
    content = get_category("movies").content
    names = [row["title"] for row in content["movies"]] + sorted({row["director"] for row in content["movies"]})
    names += content["cinemas"] + content["districts"]
    assert [
        (one, other) for one in names for other in names if one != other and one.casefold() in other.casefold()
    ] == []
    assert len(set(names)) == len(names)
