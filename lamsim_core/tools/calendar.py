"""A personal calendar: events with a start, a length, a place and guests, which must not overlap.

Times are local and written ``YYYY-MM-DD HH:MM``; a working day runs from 08:00 to 20:00.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from lamsim_core.environment import (
    MOMENT,
    Day,
    FrozenRow,
    Ids,
    Moment,
    ToolRefusedError,
    World,
    parse_moment,
    require_named,
    require_row,
    tool,
)

TITLE = "Calendar"
FAMILY = "office"

Minutes = Annotated[int, Field(ge=5, le=480)]

_OPENS, _CLOSES = 8, 20


def _event(world: World, event_id: str) -> FrozenRow:
    return require_row(world, "events", event_id, "event", see="find_events")


def _overlaps(row: FrozenRow, start: datetime, minutes: int) -> bool:
    begins = parse_moment(str(row["start"]))
    return begins < start + timedelta(minutes=minutes) and start < begins + timedelta(minutes=row["minutes"])


def _refuse_conflict(world: World, start: str, minutes: int, but: str = "") -> None:
    moment = parse_moment(start)
    if moment < world.now:
        raise ToolRefusedError(f"{start} is in the past; now it is {world.now.strftime(MOMENT)}.")
    for row in world.rows("events"):
        if row["id"] != but and _overlaps(row, moment, minutes):
            raise ToolRefusedError(
                f"{start} overlaps with '{row['title']}' ({row['start']}, {row['minutes']} minutes)."
            )


@tool(mutates=False)
def find_events(world: World, title: str) -> list[dict[str, Any]]:
    """Find events whose title contains the given words.

    Args:
        title: Words of the title.
    """
    return [dict(row) for row in world.rows("events") if title.casefold().strip() in str(row["title"]).casefold()]


@tool(mutates=False)
def list_events(world: World, day: Day) -> list[dict[str, Any]]:
    """List the events of one day in order of time.

    Args:
        day: The day, YYYY-MM-DD.
    """
    rows = [dict(row) for row in world.rows("events") if str(row["start"]).startswith(day)]
    return sorted(rows, key=lambda row: str(row["start"]))


@tool(mutates=True)
def create_event(
    world: World, title: Annotated[str, Field(min_length=1)], start: Moment, minutes: Minutes, place: str | None = None
) -> dict[str, Any]:
    """Create an event. It must not overlap with another.

    Args:
        title: The title.
        start: When it starts, YYYY-MM-DD HH:MM.
        minutes: How long it lasts.
        place: Where it is.
    """
    _refuse_conflict(world, start, minutes)
    row = {"id": world.new_id("evt"), "title": title, "start": start, "minutes": minutes, "place": place, "guests": []}
    return dict(world.insert("events", row))


@tool(mutates=True)
def reschedule_event(world: World, event_id: str, start: Moment) -> dict[str, Any]:
    """Move an event to another time. Its length stays the same.

    Args:
        event_id: The event's id.
        start: The new start, YYYY-MM-DD HH:MM.
    """
    row = _event(world, event_id)
    _refuse_conflict(world, start, row["minutes"], but=event_id)
    return dict(world.update("events", event_id, start=start))


@tool(mutates=True)
def set_event_place(world: World, event_id: str, place: Annotated[str, Field(min_length=1)]) -> dict[str, Any]:
    """Change where an event takes place.

    Args:
        event_id: The event's id.
        place: The new place.
    """
    _event(world, event_id)
    return dict(world.update("events", event_id, place=place))


@tool(mutates=True)
def invite_guest(world: World, event_id: str, guest: str) -> dict[str, Any]:
    """Invite one of the contacts to an event.

    Args:
        event_id: The event's id.
        guest: Full name of the contact.
    """
    row = _event(world, event_id)
    name = str(require_named(world, "calendar_people", guest, "contact")["name"])
    guests: list[str] = list(row["guests"])
    if name in guests:
        raise ToolRefusedError(f"{name} is already invited.")
    return dict(world.update("events", event_id, guests=sorted([*guests, name])))


@tool(mutates=True)
def cancel_event(world: World, event_id: str) -> dict[str, Any]:
    """Cancel an event and remove it from the calendar.

    Args:
        event_id: The event's id.
    """
    row = _event(world, event_id)
    world.delete("events", event_id)
    return {"cancelled": row["title"]}


@tool(mutates=False)
def find_free_slot(world: World, day: Day, minutes: Minutes) -> dict[str, Any]:
    """Find the earliest free time of a day between 08:00 and 20:00.

    Args:
        day: The day, YYYY-MM-DD.
        minutes: How long the slot must be.
    """
    moment = parse_moment(f"{day} {_OPENS:02d}:00")
    end = moment.replace(hour=_CLOSES)
    rows = [row for row in world.rows("events") if str(row["start"]).startswith(day)]
    while moment + timedelta(minutes=minutes) <= end:
        if moment >= world.now and not any(_overlaps(row, moment, minutes) for row in rows):
            return {"start": moment.strftime(MOMENT), "minutes": minutes}
        moment += timedelta(minutes=15)
    raise ToolRefusedError(f"There is no free slot of {minutes} minutes on {day}.")


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A calendar of about fifteen events in the next ten days."""
    world.add_table("events", "calendar_people")
    ids = Ids(rng)
    for name in rng.sample(content["people"], 8):
        world.insert("calendar_people", {"id": ids("con"), "name": name})
    people = [str(row["name"]) for row in world.rows("calendar_people")]
    for title in rng.sample(content["titles"], rng.randint(12, 16)):
        minutes = rng.choice([30, 45, 60, 90])
        start = _free(world, rng, minutes)
        world.insert(
            "events",
            {
                "id": ids("evt"),
                "title": title,
                "start": start,
                "minutes": minutes,
                "place": rng.choice(content["places"]),
                "guests": sorted(rng.sample(people, rng.choice([0, 0, 1, 2]))),
            },
        )


def _free(world: World, rng: random.Random, minutes: int) -> str:
    while True:
        day = world.now + timedelta(days=rng.randint(0, 9))
        moment = day.replace(hour=rng.randint(_OPENS, _CLOSES - 2), minute=rng.choice([0, 15, 30, 45]))
        if moment > world.now and not any(_overlaps(row, moment, minutes) for row in world.rows("events")):
            return moment.strftime(MOMENT)


def free_slot(world: World, rng: random.Random, minutes: int = 60) -> str:
    """A start at which ``minutes`` are free, for task templates."""
    return _free(world, rng, minutes)


def free_day(world: World, rng: random.Random, minutes: int = 60) -> str:
    """A day that has at least one event and a free slot of ``minutes``, for task templates."""
    days = sorted({str(row["start"])[:10] for row in world.rows("events")})
    return rng.choice(days)


MAKERS = {"free_slot": free_slot, "free_day": free_day}
