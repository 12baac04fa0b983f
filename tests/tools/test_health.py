"""The health tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.health import dose_time, free_specialty, workout_span

SEEDS = [*range(40), *range(100_000, 100_010)]


def slot(number: int, practitioner: str, start: str, *, specialty: str = "dentistry", booked: bool = False) -> Any:
    row = {"id": f"slt_{number}", "specialty": specialty, "practitioner": practitioner, "practice": "Casa Verde"}
    return {**row, "start": start, "booked": booked}


@pytest.fixture
def diary() -> Environment:
    world = World(datetime(2026, 5, 20, 9, 0))
    past = {"steps": 9000, "sleep_hours": 7.5, "water_ml": 1500, "weight_kg": 70.2}
    now = {"steps": 300, "sleep_hours": None, "water_ml": 400, "weight_kg": None}
    rows: dict[str, list[dict[str, Any]]] = {
        "health_days": [{"id": "day_1", "day": "2026-05-19", **past}, {"id": "day_2", "day": "2026-05-20", **now}],
        "health_goals": [
            {"id": "gol_1", "metric": "steps", "target": 8000},
            {"id": "gol_2", "metric": "water", "target": 2000},
            {"id": "gol_3", "metric": "sleep", "target": 7.5},
        ],
        "workouts": [
            {"id": "wrk_1", "day": "2026-05-01", "sport": "running", "minutes": 30, "kilometres": 5.0},
            {"id": "wrk_2", "day": "2026-05-18", "sport": "running", "minutes": 50, "kilometres": 8.1},
            {"id": "wrk_3", "day": "2026-05-10", "sport": "yoga", "minutes": 60, "kilometres": None},
        ],
        "medication_plans": [
            {
                "id": f"med_{n}",
                "medicine": name,
                "dose": "one tablet",
                "times": times,
                "doses_left": left,
                "taken_today": [],
            }
            for n, name, times, left in (
                (1, "Lumavit", ["06:30", "20:00"], 5),
                (2, "Respirol", ["07:00"], 0),
            )
        ],
        "health_slots": [
            slot(1, "Émil Sandvik", "2026-05-25 10:00"),
            slot(2, "Émil Sandvik", "2026-05-24 15:00"),
            slot(3, "Meera Rao", "2026-05-26 10:30"),
            slot(4, "Kofi Danquah", "2026-05-26 10:00", specialty="nutrition", booked=True),
            slot(5, "Kofi Danquah", "2026-05-29 10:00", specialty="nutrition"),
            slot(6, "Ludmila Hradecká", "2026-05-21 08:59", specialty="nutrition", booked=True),
        ],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("health").tools)


def call(diary: Environment, tool: str, **arguments: Any) -> Transition:
    return diary.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(diary: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(diary, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_workouts_are_listed_newest_first_and_logged(diary: Environment) -> None:
    assert [row["day"] for row in result(diary, "list_workouts", sport="running")] == ["2026-05-18", "2026-05-01"]
    assert [row["sport"] for row in result(diary, "list_workouts", since="2026-05-10")] == ["running", "yoga"]
    assert result(diary, "log_workout", sport="rowing", minutes=20)["day"] == "2026-05-20"
    assert diary.world.rows("workouts")[-1]["kilometres"] is None


def test_values_of_a_day_and_goals(diary: Environment) -> None:
    shown = result(diary, "show_health_day", day="2026-05-19")
    assert (shown["steps"], shown["weight_kg"], shown["water_goal"]) == (9000, 70.2, 2000)
    assert result(diary, "log_health_value", metric="water", amount=250)["today"] == 650
    assert result(diary, "log_health_value", metric="water", amount=100)["today"] == 750
    assert result(diary, "log_health_value", metric="weight", amount=70.04)["today"] == 70.0
    result(diary, "set_health_goal", metric="steps", target=9500)
    assert result(diary, "show_health_day")["steps_goal"] == 9500


def test_doses_are_counted_down(diary: Environment) -> None:
    assert result(diary, "record_dose", plan_id="med_1", time="06:30")["doses_left"] == 4
    assert result(diary, "list_medication_plans")[0]["doses_left"] == 4


def test_appointments_are_found_booked_cancelled(diary: Environment) -> None:
    assert [row["id"] for row in result(diary, "find_free_slots", specialty="dentistry")] == ["slt_2", "slt_1", "slt_3"]
    found = result(diary, "find_free_slots", specialty="dentistry", practitioner="emil sandvik", from_day="2026-05-25")
    assert [row["id"] for row in found] == ["slt_1"]
    assert result(diary, "book_health_slot", slot_id="slt_2")["booked"] == "Émil Sandvik"
    assert result(diary, "cancel_health_appointment", practitioner="kofi danquah")["start"] == "2026-05-26 10:00"
    result(diary, "book_health_slot", slot_id="slt_3")  # nothing is in its way any more
    assert len(result(diary, "find_free_slots", specialty="nutrition")) == 2


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("list_workouts", {"since": "2026-02-30"}, "not a real date"),
        ("log_workout", {"sport": "yoga", "minutes": 20, "kilometres": 3}, "no distance"),
        ("log_workout", {"sport": "running", "minutes": 20, "day": "2026-05-21"}, "in the future"),
        ("log_workout", {"sport": "running", "minutes": 20, "day": "2026-05-18"}, "already recorded"),
        ("show_health_day", {"day": "2026-05-18"}, "begins on 2026-05-19"),
        ("log_health_value", {"metric": "water", "amount": 20}, "between 50 and 3000"),
        ("set_health_goal", {"metric": "sleep", "target": 3}, "between 4 and 14"),
        ("record_dose", {"plan_id": "Lumavit", "time": "06:30"}, "list_medication_plans"),
        ("record_dose", {"plan_id": "med_1", "time": "08:00"}, "06:30, 20:00"),
        ("record_dose", {"plan_id": "med_1", "time": "20:00"}, "not due yet"),
        ("record_dose", {"plan_id": "med_2", "time": "07:00"}, "empty"),
        ("find_free_slots", {"specialty": "dentistry", "practitioner": "Nobody"}, "no practitioner"),
        ("book_health_slot", {"slot_id": "slt_9"}, "find_free_slots"),
        ("book_health_slot", {"slot_id": "slt_4"}, "already booked"),
        ("book_health_slot", {"slot_id": "slt_5"}, "only one is possible"),
        ("book_health_slot", {"slot_id": "slt_3"}, "with Kofi Danquah at 2026-05-26 10:00"),
        ("cancel_health_appointment", {"practitioner": "Meera Rao"}, "no appointment"),
        ("cancel_health_appointment", {"practitioner": "ludmila hradecka"}, "too close"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    diary: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(diary, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("record_dose", {"plan_id": "med_1", "time": "06:30"}),
        ("log_health_value", {"metric": "weight", "amount": 70.5}),
        ("log_workout", {"sport": "rowing", "minutes": 20}),
        ("book_health_slot", {"slot_id": "slt_2"}),
    ],
)
def test_what_is_recorded_once_is_not_recorded_twice(diary: Environment, tool: str, arguments: dict[str, Any]) -> None:
    result(diary, tool, **arguments)
    assert "already" in str(call(diary, tool, **arguments).observation.content)


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world, rng = get_category("health").world(seed), random.Random(seed)
    today = world.now.strftime("%Y-%m-%d")
    days = [row["day"] for row in world.rows("health_days")]
    assert len(set(days)) == 11 and max(days) == today
    goals = {row["metric"]: row["target"] for row in world.rows("health_goals")}
    assert 100 <= goals["water"] - world.rows("health_days")[-1]["water_ml"] <= 3000
    done = [(row["sport"], row["day"]) for row in world.rows("workouts")]
    assert len(set(done)) == len(done) and max(day for _, day in done) < today
    assert all(len([1 for sport, _ in done if sport == each]) <= 8 for each, _ in done)
    assert all(row["times"][0] < world.now.strftime("%H:%M") for row in world.rows("medication_plans"))
    slots = world.rows("health_slots")
    own = [row for row in slots if row["booked"]]
    assert len(own) == 2 and all(str(row["start"])[:10] > today for row in slots)
    assert len({row["practitioner"] for row in slots}) == 8
    blocked, free = free_specialty(world, rng, blocked=True), free_specialty(world, rng)
    assert blocked != free and not {blocked, free} & {row["specialty"] for row in own}
    span, at = workout_span(world, rng), dose_time(world, rng)
    assert (span["sport"], span["day"]) not in done and len(at["medicines"]) > 0
