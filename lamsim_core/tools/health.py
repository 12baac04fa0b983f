"""A health diary: workouts, steps, sleep, water and weight, goals, medication plans, and appointments in free slots.

It records and books, and gives no medical advice. Doses are recorded for the times a plan names and not before they are
due; appointments may not overlap, one for each practitioner, and can be cancelled until a day before.
"""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    MOMENT,
    Clock,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    parse_day,
    parse_moment,
    require_row,
    tool,
    view,
)

TITLE = "Health"
FAMILY = "home"

Sport = Literal["running", "cycling", "swimming", "walking", "rowing", "yoga"]
Specialty = Literal["physiotherapy", "dentistry", "dermatology", "nutrition", "vision care", "general practice"]

_SPORTS = {"running": 10.0, "cycling": 21.0, "swimming": 2.4, "walking": 5.0, "rowing": 8.0, "yoga": 0.0}
"""Usual speed in kilometres an hour."""
_SHOWN = 8
_LIMITS = {"water": (50, 3000), "weight": (20, 300), "sleep": (0.5, 20)}
_GOALS = {"steps": (1000, 50000), "water": (500, 6000), "sleep": (4, 14)}
_FIELDS = {"water": "water_ml", "weight": "weight_kg", "sleep": "sleep_hours"}


def _past_day(world: World, day: str | None) -> str:
    """A day that is not in the future; today when none is given."""
    text = world.now.strftime(DAY) if day is None else parse_day(day).strftime(DAY)
    if text > world.now.strftime(DAY):
        raise ToolRefusedError(f"{text} is in the future; today is {world.now.strftime(DAY)}.")
    return text


def _diary(world: World, day: str) -> FrozenRow:
    row = next((row for row in world.rows("health_days") if row["day"] == day), None)
    if row is None:
        first = min(str(row["day"]) for row in world.rows("health_days"))
        raise ToolRefusedError(f"Nothing is recorded for {day}; the diary begins on {first}.")
    return row


def _practitioner(world: World, name: str) -> str:
    """The full name of a practitioner, whatever its spelling."""
    known = {folded(str(row["practitioner"])): str(row["practitioner"]) for row in world.rows("health_slots")}
    if folded(name) not in known:
        raise ToolRefusedError(f"There is no practitioner named {name[:80]!r}.", see="find_free_slots")
    return known[folded(name)]


@tool(mutates=False)
def list_workouts(world: World, sport: Sport | None = None, since: Day | None = None) -> list[dict[str, Any]]:
    """List past workouts, newest first, at most eight.

    Args:
        sport: Only workouts of this sport.
        since: Only workouts from this day on, YYYY-MM-DD.
    """
    start = "" if since is None else parse_day(since).strftime(DAY)
    rows = [row for row in world.rows("workouts") if sport in (None, row["sport"]) and str(row["day"]) >= start]
    rows.sort(key=lambda row: str(row["day"]), reverse=True)
    return [view(row, "day", "sport", "minutes", "kilometres") for row in rows[:_SHOWN]]


@tool(mutates=True)
def log_workout(
    world: World,
    sport: Sport,
    minutes: Annotated[int, Field(ge=1, le=600)],
    kilometres: Annotated[float, Field(ge=0.1, le=400)] | None = None,
    day: Day | None = None,
) -> dict[str, Any]:
    """Record a workout that has been done.

    Args:
        sport: Kind of sport.
        minutes: How long it took.
        kilometres: Distance covered, if it was measured.
        day: Day of the workout, YYYY-MM-DD; today when left out.
    """
    date = _past_day(world, day)
    if sport == "yoga" and kilometres is not None:
        raise ToolRefusedError("Yoga has no distance.")
    if any(row["day"] == date and row["sport"] == sport for row in world.rows("workouts")):
        raise ToolRefusedError(f"A workout of {sport} is already recorded for {date}.")
    distance = None if kilometres is None else float(round(kilometres, 2))
    row = {"day": date, "sport": sport, "minutes": minutes, "kilometres": distance}
    world.insert("workouts", {"id": world.new_id("wrk"), **row})
    return {"recorded": sport, "day": date, "minutes": minutes}


@tool(mutates=False)
def show_health_day(world: World, day: Day | None = None) -> dict[str, Any]:
    """Show steps, sleep, water and weight of a day, and the present goals.

    Args:
        day: The day, YYYY-MM-DD; today when left out.
    """
    row = _diary(world, _past_day(world, day))
    goals = {f"{goal['metric']}_goal": goal["target"] for goal in world.rows("health_goals")}
    return {**view(row, "day", "steps", "sleep_hours", "water_ml", "weight_kg"), **goals}


@tool(mutates=True)
def log_health_value(world: World, metric: Literal["water", "weight", "sleep"], amount: float) -> dict[str, Any]:
    """Record water drunk, weight or sleep for today. Water is added to what was drunk before.

    Args:
        metric: What is recorded.
        amount: Millilitres of water, kilograms of weight, or hours of sleep.
    """
    low, high = _LIMITS[metric]
    if not low <= amount <= high:
        raise ToolRefusedError(f"The amount of {metric} must be between {low} and {high}.")
    row, field = _diary(world, world.now.strftime(DAY)), _FIELDS[metric]
    if metric != "water" and row[field] is not None:
        raise ToolRefusedError(f"The {metric} of today is already recorded: {row[field]}.")
    value = row[field] + round(amount) if metric == "water" else float(round(amount, 1))
    world.update("health_days", str(row["id"]), **{field: value})
    return {"recorded": metric, "today": value}


@tool(mutates=True)
def set_health_goal(world: World, metric: Literal["steps", "water", "sleep"], target: float) -> dict[str, Any]:
    """Change the daily goal for steps, water or sleep.

    Args:
        metric: What the goal is for.
        target: Steps, millilitres of water, or hours of sleep a day.
    """
    low, high = _GOALS[metric]
    if not low <= target <= high:
        raise ToolRefusedError(f"A goal for {metric} must be between {low} and {high}.")
    row = next(row for row in world.rows("health_goals") if row["metric"] == metric)
    world.update("health_goals", str(row["id"]), target=float(round(target, 1)) if metric == "sleep" else round(target))
    return {"changed_goal": metric}


@tool(mutates=False)
def list_medication_plans(world: World) -> list[dict[str, Any]]:
    """List the medicines to take: dose, times of day, and how many doses are left in the pack."""
    return [view(row, "id", "medicine", "dose", "times", "doses_left") for row in world.rows("medication_plans")]


@tool(mutates=True)
def record_dose(world: World, plan_id: str, time: Clock) -> dict[str, Any]:
    """Record that a dose of a medicine was taken today.

    Args:
        plan_id: Id of the medication plan.
        time: Time of the dose in the plan, HH:MM.
    """
    row = require_row(world, "medication_plans", plan_id, "medication plan", see="list_medication_plans")
    if time not in row["times"]:
        raise ToolRefusedError(f"The plan for {row['medicine']} has no dose at {time}: {', '.join(row['times'])}.")
    if time > world.now.strftime("%H:%M"):
        raise ToolRefusedError(f"The dose of {time} is not due yet; it is {world.now.strftime('%H:%M')}.")
    if time in row["taken_today"]:
        raise ToolRefusedError(f"The {time} dose of {row['medicine']} is already recorded.")
    if row["doses_left"] == 0:
        raise ToolRefusedError(f"The pack of {row['medicine']} is empty.")
    left = row["doses_left"] - 1
    world.update("medication_plans", plan_id, doses_left=left, taken_today=sorted([*row["taken_today"], time]))
    return {"recorded": row["medicine"], "time": time, "doses_left": left}


@tool(mutates=False)
def find_free_slots(
    world: World, specialty: Specialty, practitioner: str | None = None, from_day: Day | None = None
) -> list[dict[str, Any]]:
    """Find free appointments of practitioners, earliest first, at most eight.

    Args:
        specialty: Field of the practitioner.
        practitioner: Only slots with this practitioner.
        from_day: Only slots on this day or later, YYYY-MM-DD.
    """
    start = "" if from_day is None else parse_day(from_day).strftime(DAY)
    rows = [row for row in world.rows("health_slots") if row["specialty"] == specialty]
    if practitioner is not None:
        name = _practitioner(world, practitioner)
        rows = [row for row in rows if row["practitioner"] == name]
    rows = [row for row in rows if not row["booked"] and str(row["start"]) >= start]
    rows.sort(key=lambda row: str(row["start"]))
    return [view(row, "id", "practitioner", "practice", "start") for row in rows[:_SHOWN]]


@tool(mutates=True)
def book_health_slot(world: World, slot_id: str) -> dict[str, Any]:
    """Book a free appointment with a practitioner.

    Args:
        slot_id: The slot's id.
    """
    row = require_row(world, "health_slots", slot_id, "slot", see="find_free_slots")
    own = [other for other in world.rows("health_slots") if other["booked"]]
    start = parse_moment(str(row["start"]))
    if row["booked"]:
        raise ToolRefusedError("You have already booked this slot.")
    if any(other["practitioner"] == row["practitioner"] for other in own):
        raise ToolRefusedError(f"You already have an appointment with {row['practitioner']}; only one is possible.")
    clash = next((o for o in own if abs(parse_moment(str(o["start"])) - start) < timedelta(hours=1)), None)
    if clash is not None:
        raise ToolRefusedError(f"You have an appointment with {clash['practitioner']} at {clash['start']} already.")
    world.update("health_slots", slot_id, booked=True)
    return {"booked": row["practitioner"], "start": row["start"], "practice": row["practice"]}


@tool(mutates=True)
def cancel_health_appointment(world: World, practitioner: str) -> dict[str, Any]:
    """Cancel the appointment with a practitioner, at least 24 hours before.

    Args:
        practitioner: Name of the practitioner.
    """
    name = _practitioner(world, practitioner)
    rows = [row for row in world.rows("health_slots") if row["booked"] and row["practitioner"] == name]
    if not rows:
        raise ToolRefusedError(f"There is no appointment with {name}.")
    row = rows[0]
    if parse_moment(str(row["start"])) - world.now < timedelta(hours=24):
        raise ToolRefusedError(f"The appointment with {name} is too close to cancel it here; call the practice.")
    world.update("health_slots", str(row["id"]), booked=False)
    return {"cancelled": name, "start": row["start"]}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Ten days of a diary, three goals, some twenty workouts, four medicines, and eight practitioners of four fields."""
    world.add_table("workouts", "health_days", "health_goals", "medication_plans", "health_slots")
    ids = Ids(rng)
    weight, steps = rng.randint(520, 960), rng.sample(range(2100, 18900), 11)
    for ago in range(10, -1, -1):
        row = {"day": _day(world, -ago), "steps": steps[ago], "sleep_hours": rng.randint(50, 95) / 10}
        row |= {"water_ml": 50 * rng.randint(16, 60), "weight_kg": (weight + rng.randint(-5, 5)) / 10}
        if ago == 0:
            row |= {
                "steps": steps[0] // 10,
                "sleep_hours": None,
                "water_ml": 50 * rng.randint(14, 26),
                "weight_kg": None,
            }
        world.insert("health_days", {"id": ids("day"), **row})
    goals = {"steps": 500 * rng.randint(12, 28), "water": 100 * rng.randint(15, 22), "sleep": rng.randint(14, 18) / 2}
    for metric, target in goals.items():
        world.insert("health_goals", {"id": ids("gol"), "metric": metric, "target": target})
    sports = rng.sample(sorted(_SPORTS), 4)
    for sport in sports:
        for ago in rng.sample(range(1, 40), rng.randint(3, 6)):
            minutes = rng.randint(18, 95)
            distance = round(_SPORTS[sport] * rng.uniform(0.85, 1.15) * minutes / 60, 1) or None
            row = {"day": _day(world, -ago), "sport": sport, "minutes": minutes, "kilometres": distance}
            world.insert("workouts", {"id": ids("wrk"), **row})
    for name in rng.sample(content["medicines"], 4):
        morning = f"06:{rng.choice([0, 10, 15, 20, 30, 40, 45]):02}"
        times = [morning, *rng.sample(["13:00", "18:30", "20:00", "21:15"], rng.randint(1, 2))]
        plan = {"medicine": name, "dose": rng.choice(content["doses"]), "times": sorted(times)}
        world.insert(
            "medication_plans", {"id": ids("med"), **plan, "doses_left": rng.randint(4, 60), "taken_today": []}
        )
    _fill_slots(world, rng, content, ids)


def _day(world: World, days: int) -> str:
    return (world.now + timedelta(days=days)).strftime(DAY)


def _fill_slots(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> None:
    """Two practitioners in each of four fields with three free slots each.

    Two of the eight have an appointment with the user, before their free slots. The second of these starts when the
    earliest free slot of another field does, so that this slot cannot be booked.
    """
    fields = rng.sample(content["specialties"], 4)
    names, practices = rng.sample(content["practitioners"], 8), rng.sample(content["practices"], 8)
    people = list(zip(names, practices, [field for field in fields for _ in range(2)], strict=True))
    while True:
        rows = _draw_slots(world, rng, people)
        if not _clashes(rows, fields[3]) and _clashes(rows, fields[2]) == [True] and not _clashes(rows, fields[0]):
            break
    for row in rng.sample(rows, len(rows)):
        world.insert("health_slots", {"id": ids("slt"), **row})


def _draw_slots(world: World, rng: random.Random, people: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    starts = [
        (world.now + timedelta(days=day)).replace(hour=hour, minute=rng.choice([0, 15, 30, 45]))
        for day in range(3, 19)
        for hour in rng.sample(range(8, 18), 3)
    ]
    rng.shuffle(starts)
    rows = []
    for index, (name, practice, field) in enumerate(people):
        own = index in (0, 2)
        for number, start in enumerate(sorted(starts.pop() for _ in range(4 if own else 3))):
            row = {"specialty": field, "practitioner": name, "practice": practice}
            rows.append({**row, "start": start.strftime(MOMENT), "booked": own and number == 0})
    blocked = min(str(row["start"]) for row in rows if row["specialty"] == people[4][2])
    next(row for row in rows if row["booked"] and row["practitioner"] == people[2][0])["start"] = blocked
    return rows


def _clashes(rows: Sequence[FrozenRow], specialty: str) -> list[bool]:
    """For the free slots of a field, earliest first, whether each meets an appointment of the user; ends with the last."""
    own = [parse_moment(str(row["start"])) for row in rows if row["booked"]]
    free = sorted(str(row["start"]) for row in rows if row["specialty"] == specialty and not row["booked"])
    near = [any(abs(parse_moment(start) - other) < timedelta(hours=1) for other in own) for start in free]
    while near and not near[-1]:
        near.pop()
    return near


def free_specialty(world: World, rng: random.Random, blocked: bool = False) -> str:
    """A field in which the user has no appointment, for task templates.

    ``blocked``: its earliest free slot, and only that, meets an appointment with somebody else; otherwise none does.
    """
    rows = world.rows("health_slots")
    fields = {str(row["specialty"]) for row in rows} - {str(row["specialty"]) for row in rows if row["booked"]}
    return rng.choice(sorted(field for field in fields if _clashes(rows, field) == ([True] if blocked else [])))


def workout_span(world: World, rng: random.Random) -> dict[str, str]:
    """A sport and a day without it, with one workout before and two after at least, for task templates."""
    found = []
    for sport in _SPORTS:
        days = [str(row["day"]) for row in world.rows("workouts") if row["sport"] == sport]
        for day in (_day(world, -ago) for ago in range(1, 40)):
            if day not in days and min(days, default=day) < day and sum(other > day for other in days) > 1:
                found.append({"sport": sport, "day": day})
    return rng.choice(found)


def dose_time(world: World, rng: random.Random) -> dict[str, Any]:
    """A time of day at which some medicines are to be taken and others are not, for task templates."""
    plans = world.rows("medication_plans")
    times = sorted({str(time) for row in plans for time in row["times"]})
    found = [{"time": time, "medicines": [row["medicine"] for row in plans if time in row["times"]]} for time in times]
    return rng.choice([entry for entry in found if 1 < len(entry["medicines"]) < len(plans)] or found)


MAKERS = {"free_specialty": free_specialty, "workout_span": workout_span, "dose_time": dose_time}
