"""A personal calendar: events with a start, a length, a place, guests and a reminder, which must not overlap.

Times are local and written ``YYYY-MM-DD HH:MM``; a working day runs from 08:00 to 20:00. Contacts share when they are busy;
nothing keeps a busy contact from being invited, as in any calendar.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    MOMENT,
    Day,
    FrozenRow,
    Ids,
    Moment,
    ToolRefusedError,
    World,
    parse_day,
    parse_moment,
    require_named,
    require_row,
    tool,
    view,
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


def _refuse_past(world: World, moment: datetime, what: str) -> None:
    if moment < world.now:
        raise ToolRefusedError(f"{what} is in the past; now it is {world.now.strftime(MOMENT)}.")


def _contact(world: World, name: str) -> str:
    return str(require_named(world, "calendar_people", name, "contact")["name"])


def _busy(world: World, contact: str, day: str) -> list[FrozenRow]:
    """What a contact has on a day, in order of time."""
    rows = [row for row in world.rows("calendar_busy_times") if row["contact"] == contact]
    return sorted((row for row in rows if str(row["start"]).startswith(day)), key=lambda row: str(row["start"]))


def _refuse_conflict(world: World, start: str, minutes: int, but: str = "") -> None:
    moment = parse_moment(start)
    _refuse_past(world, moment, start)
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
    rows = [row for row in world.rows("events") if str(row["start"]).startswith(day)]
    rows.sort(key=lambda row: str(row["start"]))
    return [view(row, "id", "title", "start", "minutes", "place", "guests") for row in rows]


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
    row = {"title": title, "start": start, "minutes": minutes, "place": place, "guests": [], "reminder": None}
    return dict(world.insert("events", {"id": world.new_id("evt"), **row}))


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
    name = _contact(world, guest)
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


@tool(mutates=True)
def set_event_reminder(
    world: World, event_id: str, minutes_before: Annotated[int, Field(ge=5, le=1440)]
) -> dict[str, Any]:
    """Set when to be reminded of an event. It replaces another reminder.

    Args:
        event_id: The event's id.
        minutes_before: How many minutes before the start.
    """
    row = _event(world, event_id)
    due = parse_moment(str(row["start"])) - timedelta(minutes=minutes_before)
    _refuse_past(world, due, f"A reminder at {due.strftime(MOMENT)}")
    if row["reminder"] == minutes_before:
        raise ToolRefusedError(f"{row['title']} already has this reminder.")
    world.update("events", event_id, reminder=minutes_before)
    return {"title": row["title"], "reminder_at": due.strftime(MOMENT)}


@tool(mutates=False)
def list_busy_times(world: World, contact: str, day: Day) -> list[dict[str, Any]]:
    """List when a contact is busy on a day.

    Args:
        contact: Full name of the contact.
        day: The day, YYYY-MM-DD.
    """
    name = _contact(world, contact)
    parse_day(day)
    spans = [(parse_moment(str(row["start"])), row["minutes"]) for row in _busy(world, name, day)]
    return [
        {"from": begins.strftime("%H:%M"), "until": (begins + timedelta(minutes=minutes)).strftime("%H:%M")}
        for begins, minutes in spans
    ]


@tool(mutates=False)
def find_free_slot(world: World, day: Day, minutes: Minutes, contact: str | None = None) -> dict[str, Any]:
    """Find the earliest free time of a day between 08:00 and 20:00.

    Args:
        day: The day, YYYY-MM-DD.
        minutes: How long the slot must be.
        contact: Full name of a contact who must be free as well.
    """
    moment = parse_moment(f"{day} {_OPENS:02d}:00")
    end = moment.replace(hour=_CLOSES)
    rows = [row for row in world.rows("events") if str(row["start"]).startswith(day)]
    if contact is not None:
        rows += _busy(world, _contact(world, contact), day)
    while moment + timedelta(minutes=minutes) <= end:
        if moment >= world.now and not any(_overlaps(row, moment, minutes) for row in rows):
            return {"start": moment.strftime(MOMENT), "minutes": minutes}
        moment += timedelta(minutes=15)
    raise ToolRefusedError(f"There is no free slot of {minutes} minutes on {day}.")


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A calendar of about fifteen events in the next ten days, and ten contacts with times of their own."""
    world.add_table("events", "calendar_people", "calendar_busy_times")
    ids = Ids(rng)
    people = rng.sample(content["people"], 10)
    for name in people:
        world.insert("calendar_people", {"id": ids("con"), "name": name})
    days = [world.now + timedelta(days=ahead) for ahead in range(10)]
    counts = [3, 2, 2, 2, 1, 1, 1, rng.randint(0, 2), rng.randint(0, 1), 0]
    planned = [day for day, count in zip(rng.sample(days, 10), counts, strict=True) for _ in range(count)]
    guests = [2, 3, *rng.choices([0, 1, 2], weights=[3, 2, 2], k=len(planned) - 2)]
    reminders = rng.choices([None, 10, 15, 60], weights=[5, 1, 1, 1], k=len(planned))
    rows = zip(rng.sample(content["titles"], len(planned)), planned, guests, reminders, strict=True)
    for title, day, invited, reminder in rng.sample(list(rows), len(planned)):
        minutes = rng.choice([30, 45, 60, 90])
        event = {"title": title, "start": _free(world, rng, minutes, day), "minutes": minutes}
        event |= {"place": rng.choice(content["places"]), "guests": sorted(rng.sample(people, invited))}
        world.insert("events", {"id": ids("evt"), **event, "reminder": reminder})
    _fill_busy_times(world, rng, people, ids)


def _fill_busy_times(world: World, rng: random.Random, people: list[str], ids: Ids) -> None:
    """Every contact is busy during one of the events, and three times more."""
    events = world.rows("events")
    for name in people:
        event = rng.choice(events)
        clash = parse_moment(str(event["start"])) + timedelta(minutes=rng.choice([-15, 0, 15]))
        spans = [(clash, rng.choice([45, 60, 90]))]
        while len(spans) < 4:
            day = world.now + timedelta(days=rng.randint(0, 9))
            moment = day.replace(hour=rng.randint(_OPENS, _CLOSES - 3), minute=rng.choice([0, 30]))
            minutes = rng.choice([30, 60, 90, 120])
            if all(abs(moment - other) >= timedelta(hours=3) for other, _ in spans):
                spans.append((moment, minutes))
        for moment, minutes in spans:
            row = {"contact": name, "start": moment.strftime(MOMENT), "minutes": minutes}
            world.insert("calendar_busy_times", {"id": ids("bsy"), **row})


def _free(world: World, rng: random.Random, minutes: int, day: datetime | None = None) -> str:
    """A start at which nothing is planned, on ``day`` or one of the next ten."""
    while True:
        date = day or world.now + timedelta(days=rng.randint(0, 9))
        moment = date.replace(hour=rng.randint(_OPENS, _CLOSES - 2), minute=rng.choice([0, 15, 30, 45]))
        fits = moment + timedelta(minutes=minutes) <= date.replace(hour=_CLOSES, minute=0)
        if fits and moment > world.now and not any(_overlaps(row, moment, minutes) for row in world.rows("events")):
            return moment.strftime(MOMENT)


def _days(world: World) -> list[str]:
    """The day of every event."""
    return [str(row["start"])[:10] for row in world.rows("events")]


def free_slot(world: World, rng: random.Random, minutes: int = 60) -> str:
    """A start at which ``minutes`` are free, for task templates."""
    return _free(world, rng, minutes)


def free_day(world: World, rng: random.Random, minutes: int = 60) -> str:
    """A day that has at least one event and a free slot of ``minutes``, for task templates."""
    return rng.choice(sorted(set(_days(world))))


def day_with(world: World, rng: random.Random, events: int) -> str:
    """A day with exactly this many events, for task templates."""
    days = _days(world)
    return rng.choice(sorted({day for day in days if days.count(day) == events}))


def taken_slot(world: World, rng: random.Random) -> str:
    """A time during an event, at its start or a little later, for task templates."""
    event = rng.choice(world.rows("events"))
    return (parse_moment(str(event["start"])) + timedelta(minutes=rng.choice([0, 15]))).strftime(MOMENT)


def two_guests(world: World, rng: random.Random, busy: bool) -> dict[str, Any]:
    """An event, a contact who is busy then (or not), and one who is free then, for task templates."""
    cases = []
    for event in world.rows("events"):
        clashing, free = _by_availability(world, event)
        if len(free) > 1 and clashing:
            cases.append((event, clashing, free))
    event, clashing, free = rng.choice(cases)
    second = rng.choice(free)
    first = rng.choice(clashing if busy else [name for name in free if name != second])
    return {"event": dict(event), "first": first, "second": second}


def _by_availability(world: World, event: FrozenRow) -> tuple[list[str], list[str]]:
    """Contacts not yet invited to an event: those who are busy at some time during it, and those who are not."""
    guests: list[str] = list(event["guests"])
    start = parse_moment(str(event["start"]))
    clashing: list[str] = []
    free: list[str] = []
    for name in (str(row["name"]) for row in world.rows("calendar_people")):
        spans = _busy(world, name, start.strftime(DAY))
        if name not in guests:
            (clashing if any(_overlaps(span, start, event["minutes"]) for span in spans) else free).append(name)
    return clashing, free


MAKERS = {
    "free_slot": free_slot,
    "free_day": free_day,
    "day_with": day_with,
    "taken_slot": taken_slot,
    "two_guests": two_guests,
}
