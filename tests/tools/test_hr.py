"""The human resources tools: what each does, what each refuses, and what holds in every populated world."""

from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(40), *range(100_000, 100_010)]
PEOPLE = [
    ("emp_1", "Ada Ruiz", "Head of Legal", None, 90000, 20, 5),
    ("emp_2", "Bo Lund", "Paralegal", "emp_1", 50000, 3, 0),
    ("emp_3", "Chi Okoye", "Paralegal", "emp_1", 48000, 10, 2),
]


@pytest.fixture
def office() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))  # a Monday
    world.add_table("hr_employees", "hr_leave_requests", "hr_expenses", "hr_trainings")
    for row_id, name, title, manager, salary, vacation, study in PEOPLE:
        row: dict[str, Any] = {"id": row_id, "name": name, "title": title, "department": "Legal", "manager_id": manager}
        row |= {"salary": salary, "hired": "2020-01-01", "vacation_left": vacation, "study_left": study}
        world.insert("hr_employees", row)
    for row_id, employee, first, last, status in [
        ("lvr_1", "emp_3", "2026-06-01", "2026-06-05", "pending"),
        ("lvr_2", "emp_2", "2026-07-06", "2026-07-07", "approved"),
        ("lvr_3", "emp_2", "2026-05-18", "2026-05-19", "rejected"),
    ]:
        row = {"id": row_id, "employee_id": employee, "kind": "vacation", "first_day": first, "last_day": last}
        world.insert("hr_leave_requests", {**row, "days": 5, "status": status, "decided_by": None})
    claim = {"id": "exp_1", "employee_id": "emp_2", "kind": "taxi", "amount": 20.0, "day": "2026-04-01"}
    world.insert("hr_expenses", {**claim, "receipt": True, "status": "paid"})
    for row_id, title, capacity, attendees in [("trn_1", "First Aid", 2, []), ("trn_2", "Fire Drill", 1, ["emp_1"])]:
        row = {"id": row_id, "title": title, "day": "2026-07-06", "capacity": capacity, "attendees": attendees}
        world.insert("hr_trainings", row)
    return Environment(world, get_category("hr").tools)


def call(office: Environment, tool: str, **arguments: Any) -> Transition:
    return office.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(office: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(office, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def left(office: Environment, employee_id: str) -> int:
    return int(result(office, "get_leave_balance", employee_id=employee_id)["vacation_left"])


def test_reads_show_what_is_needed(office: Environment) -> None:
    assert [row["id"] for row in result(office, "find_employees", department="legal")] == ["emp_1", "emp_2", "emp_3"]
    assert [row["id"] for row in result(office, "find_employees", employee="okoye")] == ["emp_3"]
    assert result(office, "find_employees", employee="Nobody") == []
    shown = result(office, "get_employee", employee_id="emp_2")
    assert (shown["manager_id"], shown["manager"], shown["salary"]) == ("emp_1", "Ada Ruiz", 50000)
    assert result(office, "get_employee", employee_id="emp_1")["manager"] is None
    assert [row["id"] for row in result(office, "list_leave_requests")] == ["lvr_3", "lvr_1", "lvr_2"]
    assert [row["id"] for row in result(office, "list_leave_requests", employee_id="emp_2", status="approved")] == [
        "lvr_2"
    ]
    assert result(office, "list_expense_claims", employee_id="emp_2")[0]["amount"] == 20.0
    assert result(office, "find_trainings", title="fire") == [
        {"id": "trn_2", "title": "Fire Drill", "day": "2026-07-06", "places_left": 0}
    ]
    assert office.net_changes() == ()


def test_filed_leave_costs_working_days_and_a_rejection_gives_them_back(office: Environment) -> None:
    filed = {"employee_id": "emp_3", "kind": "vacation", "starts_on": "2026-05-08", "ends_on": "2026-05-12"}
    made = result(office, "file_leave_request", **filed)
    assert (made["days"], made["status"], left(office, "emp_3")) == (3, "pending", 7)
    result(office, "decide_leave_request", request_id=made["id"], manager_id="emp_1", decision="reject")
    assert left(office, "emp_3") == 10
    assert result(office, "file_leave_request", **filed)["days"] == 3  # a rejected request is not in the way
    unpaid = {**filed, "kind": "unpaid", "starts_on": "2026-08-03", "ends_on": "2026-08-28"}
    assert result(office, "file_leave_request", **unpaid)["days"] == 20
    assert left(office, "emp_3") == 7


def test_claims_are_submitted_and_people_enrolled(office: Environment) -> None:
    claim = {"employee_id": "emp_2", "kind": "meal", "amount": 30, "day": "2026-05-04", "receipt": False}
    assert result(office, "submit_expense_claim", **claim)["status"] == "submitted"
    enrolled = result(office, "enrol_in_training", training_id="trn_1", employee_ids=["emp_3", "emp_1"])
    assert enrolled["places_left"] == 0
    assert office.world.get("hr_trainings", "trn_1")["attendees"] == ["emp_1", "emp_3"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("tool", "change", "reason"),
    [
        ("find_employees", {}, "Give a name or a department"),
        ("find_employees", {"department": "Magic"}, "There are: Legal"),
        ("get_employee", {"employee_id": "Bo Lund"}, "find_employees"),
        ("find_trainings", {"title": " "}, "at least one word"),
        ("file_leave_request", {"ends_on": "2026-05-10"}, "before the first"),
        ("file_leave_request", {"starts_on": "2026-02-30"}, "not a real date"),
        ("file_leave_request", {"starts_on": "2026-05-04"}, "from tomorrow on"),
        ("file_leave_request", {"starts_on": "2026-05-16", "ends_on": "2026-05-17"}, "no working day"),
        ("file_leave_request", {"starts_on": "2026-07-07", "ends_on": "2026-07-08"}, "already has leave"),
        ("file_leave_request", {"ends_on": "2026-05-14"}, "only 3 days"),
        ("file_leave_request", {"kind": "unpaid", "ends_on": "2026-06-08"}, "at most 20"),
        ("decide_leave_request", {"manager_id": "emp_2"}, "not the manager"),
        ("decide_leave_request", {"request_id": "lvr_2"}, "already approved"),
        ("submit_expense_claim", {"amount": 80.01}, "at most 80"),
        ("submit_expense_claim", {"receipt": False}, "need a receipt"),
        ("submit_expense_claim", {"day": "2026-05-05"}, "in the future"),
        ("submit_expense_claim", {"day": "2026-02-01"}, "too long ago"),
        ("enrol_in_training", {"employee_ids": []}, "at least one"),
        ("enrol_in_training", {"employee_ids": ["emp_3", "emp_3"]}, "twice"),
        ("enrol_in_training", {"employee_ids": ["emp_2"]}, "on leave"),
        ("enrol_in_training", {"training_id": "trn_2"}, "0 places left"),
        ("enrol_in_training", {"training_id": "trn_2", "employee_ids": ["emp_1"]}, "already enrolled"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    office: Environment, tool: str, change: dict[str, Any], reason: str
) -> None:
    usual: dict[str, dict[str, Any]] = {
        "file_leave_request": {
            "employee_id": "emp_2",
            "kind": "vacation",
            "starts_on": "2026-05-11",
            "ends_on": "2026-05-12",
        },
        "decide_leave_request": {"request_id": "lvr_1", "manager_id": "emp_1", "decision": "approve"},
        "submit_expense_claim": {
            "employee_id": "emp_2",
            "kind": "taxi",
            "amount": 60,
            "day": "2026-05-01",
            "receipt": True,
        },
        "enrol_in_training": {"training_id": "trn_1", "employee_ids": ["emp_3"]},
    }
    transition = call(office, tool, **{**usual.get(tool, {}), **change})
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("hr").world(seed)
    people = {str(row["id"]): row for row in world.rows("hr_employees")}
    today = world.now.strftime("%Y-%m-%d")
    assert len({row["name"] for row in people.values()}) == len(people)
    assert all(row["manager_id"] in (None, *people) for row in people.values())
    departments = [row["department"] for row in people.values()]
    assert {departments.count(name) for name in departments} >= {1, 3} and max(map(departments.count, departments)) <= 8
    requests = world.rows("hr_leave_requests")
    assert len({row["employee_id"] for row in requests}) == len(requests)
    assert all(today < str(row["first_day"]) <= str(row["last_day"]) for row in requests)
    assert any(row["vacation_left"] < 7 for row in people.values())
    places = [row["capacity"] - len(row["attendees"]) for row in world.rows("hr_trainings")]
    assert min(places) == 0 and sum(count > 3 for count in places) >= 3
    assert all(str(row["day"]) < today for row in world.rows("hr_expenses"))


def test_no_name_contains_another() -> None:
    content = get_category("hr").content
    for pool in (content["people"], content["trainings"], list(content["departments"])):
        assert [(a, b) for a in pool for b in pool if a != b and a.casefold() in b.casefold()] == []
