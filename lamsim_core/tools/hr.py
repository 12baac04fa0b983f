"""A company's personnel office: employees and their managers, leave with balances, expense claims, trainings with places.

Leave counts in working days, Monday to Friday. Filing leave takes its days off the balance at once; a rejection gives them
back. Only the manager of an employee decides about the employee's leave. Money is in euros.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    parse_day,
    require_row,
    tool,
    view,
)

TITLE = "Human resources"
FAMILY = "office"

LeaveKind = Literal["vacation", "study", "unpaid"]
ExpenseKind = Literal["meal", "taxi", "train", "hotel"]
LIMITS = {"meal": 50, "taxi": 80, "train": 250, "hotel": 180}
"""What one claim of a kind can be at most."""
RECEIPT_FROM, CLAIM_DAYS, UNPAID_DAYS = 30, 90, 20
"""Euros above which a claim needs a receipt; days within which one claims; working days that one unpaid leave can have."""
_DIRECTION = "Management"


def _employee(world: World, employee_id: str) -> FrozenRow:
    return require_row(world, "hr_employees", employee_id, "employee", see="find_employees")


def _working_days(first: datetime, last: datetime) -> int:
    weeks, rest = divmod((last - first).days + 1, 7)
    return weeks * 5 + sum((first.weekday() + day) % 7 < 5 for day in range(rest))


def _leave_at(world: World, employee_id: str, first_day: str, last_day: str) -> FrozenRow | None:
    """Leave of an employee, asked for or approved, that meets these days."""
    for row in world.rows("hr_leave_requests"):
        open_or_granted = row["employee_id"] == employee_id and row["status"] != "rejected"
        if open_or_granted and str(row["first_day"]) <= last_day and str(row["last_day"]) >= first_day:
            return row
    return None


@tool(mutates=False)
def find_employees(world: World, employee: str | None = None, department: str | None = None) -> list[dict[str, Any]]:
    """Find employees by name or department.

    Args:
        employee: Words of the employee's name.
        department: The department's name.
    """
    if employee is None and department is None:
        raise ToolRefusedError("Give a name or a department.")
    rows = world.rows("hr_employees")
    known = sorted({str(row["department"]) for row in rows})
    if department is not None and folded(department) not in [folded(one) for one in known]:
        raise ToolRefusedError(f"There is no department {department[:80]!r}. There are: {', '.join(known)}.")
    return [
        view(row, "id", "name", "title", "department")
        for row in rows
        if (employee is None or has_words(employee, str(row["name"])))
        and (department is None or folded(department) == folded(str(row["department"])))
    ]


@tool(mutates=False)
def get_employee(world: World, employee_id: str) -> dict[str, Any]:
    """Show an employee's manager, yearly salary and first day in the company.

    Args:
        employee_id: The employee's id.
    """
    row = _employee(world, employee_id)
    manager = world.get("hr_employees", str(row["manager_id"]))
    return {**view(row, "name", "manager_id", "salary", "hired"), "manager": manager and manager["name"]}


@tool(mutates=False)
def get_leave_balance(world: World, employee_id: str) -> dict[str, Any]:
    """Show how many days of vacation and study leave an employee has left.

    Args:
        employee_id: The employee's id.
    """
    balance = view(_employee(world, employee_id), "vacation_left", "study_left")
    return {**balance, "as_of": world.now.strftime(DAY)}


@tool(mutates=False)
def list_leave_requests(
    world: World, employee_id: str | None = None, status: Literal["pending", "approved", "rejected"] | None = None
) -> list[dict[str, Any]]:
    """List leave requests, earliest leave first.

    Args:
        employee_id: Only requests of this employee.
        status: Only requests with this status.
    """
    if employee_id is not None:
        _employee(world, employee_id)
    rows = sorted(world.rows("hr_leave_requests"), key=lambda row: str(row["first_day"]))
    return [
        {
            "id": row["id"],
            "employee": _employee(world, str(row["employee_id"]))["name"],
            **view(row, "kind", "first_day", "last_day", "status"),
        }
        for row in rows
        if employee_id in (None, row["employee_id"]) and status in (None, row["status"])
    ]


@tool(mutates=True)
def file_leave_request(world: World, employee_id: str, kind: LeaveKind, starts_on: Day, ends_on: Day) -> dict[str, Any]:
    """File a leave request for an employee; the manager decides about it later.

    Args:
        employee_id: The employee's id.
        kind: Kind of leave.
        starts_on: First day of leave, YYYY-MM-DD.
        ends_on: Last day of leave, YYYY-MM-DD.
    """
    row, first, last = _employee(world, employee_id), parse_day(starts_on), parse_day(ends_on)
    if last < first:
        raise ToolRefusedError("The last day is before the first.")
    if starts_on <= world.now.strftime(DAY):
        raise ToolRefusedError("Leave can only be filed from tomorrow on.")
    days = _working_days(first, last)
    if days == 0:
        raise ToolRefusedError("There is no working day in this time.")
    other = _leave_at(world, employee_id, starts_on, ends_on)
    if other is not None:
        raise ToolRefusedError(f"{row['name']} already has leave from {other['first_day']} to {other['last_day']}.")
    if kind == "unpaid" and days > UNPAID_DAYS:
        raise ToolRefusedError(f"Unpaid leave can have at most {UNPAID_DAYS} working days; this would be {days}.")
    if kind != "unpaid":
        left = row[f"{kind}_left"]
        if days > left:
            raise ToolRefusedError(f"{row['name']} has only {left} days of {kind} leave left; this needs {days}.")
        world.update("hr_employees", employee_id, **{f"{kind}_left": left - days})
    request = {"employee_id": employee_id, "kind": kind, "first_day": starts_on, "last_day": ends_on, "days": days}
    state = {"id": world.new_id("lvr"), "status": "pending", "decided_by": None}
    made = world.insert("hr_leave_requests", {**state, **request})
    return view(made, "id", "kind", "days", "status")


@tool(mutates=True)
def decide_leave_request(
    world: World, request_id: str, manager_id: str, decision: Literal["approve", "reject"]
) -> dict[str, Any]:
    """Approve or reject a pending leave request in the name of the employee's manager.

    Args:
        request_id: The leave request's id.
        manager_id: Employee id of the manager who decides.
        decision: What the manager decided.
    """
    request = require_row(world, "hr_leave_requests", request_id, "leave request", see="list_leave_requests")
    manager, employee = _employee(world, manager_id), _employee(world, str(request["employee_id"]))
    if request["status"] != "pending":
        raise ToolRefusedError(f"This request is already {request['status']}.")
    if employee["manager_id"] != manager_id:
        raise ToolRefusedError(f"{manager['name']} is not the manager of {employee['name']}.", see="get_employee")
    status = "approved" if decision == "approve" else "rejected"
    if status == "rejected" and request["kind"] != "unpaid":
        balance = f"{request['kind']}_left"
        world.update("hr_employees", str(employee["id"]), **{balance: employee[balance] + request["days"]})
    world.update("hr_leave_requests", request_id, status=status, decided_by=manager_id)
    return {"employee": employee["name"], "status": status, "decided_by": manager["name"]}


@tool(mutates=False)
def list_expense_claims(world: World, employee_id: str) -> list[dict[str, Any]]:
    """List the expense claims of an employee, newest first.

    Args:
        employee_id: The employee's id.
    """
    _employee(world, employee_id)
    rows = [row for row in world.rows("hr_expenses") if row["employee_id"] == employee_id]
    rows.sort(key=lambda row: str(row["day"]), reverse=True)
    return [view(row, "day", "kind", "amount", "status") for row in rows]


@tool(mutates=True)
def submit_expense_claim(
    world: World,
    employee_id: str,
    kind: ExpenseKind,
    amount: Annotated[float, Field(ge=0.01, le=10_000)],
    day: Day,
    receipt: bool,
) -> dict[str, Any]:
    """Submit an expense claim for an employee.

    Args:
        employee_id: The employee's id.
        kind: What the money was spent on.
        amount: How much, in euros.
        day: When it was spent, YYYY-MM-DD.
        receipt: Whether there is a receipt.
    """
    row, spent, amount = _employee(world, employee_id), parse_day(day), round(amount, 2)
    if spent > world.now:
        raise ToolRefusedError(f"{day} is in the future.")
    if (world.now - spent).days > CLAIM_DAYS:
        raise ToolRefusedError(f"Expenses can be claimed for {CLAIM_DAYS} days; {day} is too long ago.")
    if amount > LIMITS[kind]:
        raise ToolRefusedError(f"A {kind} claim can be at most {LIMITS[kind]} euros.")
    if amount > RECEIPT_FROM and not receipt:
        raise ToolRefusedError(f"Claims above {RECEIPT_FROM} euros need a receipt.")
    claim = {"kind": kind, "amount": amount, "day": day, "receipt": receipt, "status": "submitted"}
    world.insert("hr_expenses", {"id": world.new_id("exp"), "employee_id": row["id"], **claim})
    return {"employee": row["name"], **view(claim, "kind", "amount", "status")}


@tool(mutates=False)
def find_trainings(world: World, title: str) -> list[dict[str, Any]]:
    """Find trainings whose title contains the given words, with the number of places left.

    Args:
        title: Words of the title.
    """
    if not title.strip():
        raise ToolRefusedError("Give at least one word of the title.")
    return [
        {**view(row, "id", "title", "day"), "places_left": _places_left(row)}
        for row in world.rows("hr_trainings")
        if has_words(title, str(row["title"]))
    ]


def _places_left(training: FrozenRow) -> int:
    return int(training["capacity"]) - len(training["attendees"])


@tool(mutates=True)
def enrol_in_training(world: World, training_id: str, employee_ids: list[str]) -> dict[str, Any]:
    """Enrol one or several employees in a training.

    Args:
        training_id: The training's id.
        employee_ids: Ids of the employees.
    """
    training = require_row(world, "hr_trainings", training_id, "training", see="find_trainings")
    rows = [_employee(world, employee_id) for employee_id in employee_ids]
    if not rows:
        raise ToolRefusedError("Name at least one employee.")
    if len(set(employee_ids)) < len(employee_ids):
        raise ToolRefusedError("An employee is named twice.")
    for row in rows:
        if row["id"] in training["attendees"]:
            raise ToolRefusedError(f"{row['name']} is already enrolled in {training['title']}.")
        if _leave_at(world, str(row["id"]), str(training["day"]), str(training["day"])):
            raise ToolRefusedError(f"{row['name']} is on leave on {training['day']}.")
    left = _places_left(training)
    if len(rows) > left:
        raise ToolRefusedError(f"{training['title']} has {left} places left; {len(rows)} are needed.")
    world.update("hr_trainings", training_id, attendees=sorted([*training["attendees"], *employee_ids]))
    return {"training": training["title"], "enrolled": [row["name"] for row in rows], "places_left": left - len(rows)}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A director, five departments with a head and two to four others each; leave, expenses and trainings."""
    world.add_table("hr_employees", "hr_leave_requests", "hr_expenses", "hr_trainings")
    ids = Ids(rng)
    names = rng.sample(content["people"], len(content["people"]))
    salaries = rng.sample(range(310, 720), 40)
    director, boss = ids("emp"), {"name": names.pop(), "title": "Managing Director", "department": _DIRECTION}
    _hire(world, rng, {"id": director, **boss, "manager_id": None, "salary": rng.randint(1200, 1600) * 100})
    departments = rng.sample(sorted(content["departments"]), 5)
    for department, others in zip(departments, rng.sample([2, 2, 3, 3, 4], 5), strict=True):
        head, titles = ids("emp"), rng.choices(content["departments"][department], k=others)
        for index, title in enumerate([f"Head of {department}", *titles]):
            place = {"department": department, "manager_id": head if index else director}
            employee = {"id": ids("emp") if index else head, "name": names.pop(), "title": title, **place}
            _hire(world, rng, {**employee, "salary": salaries.pop() * 100})
    staff = [row for row in world.rows("hr_employees") if row["manager_id"] not in (None, director)]
    rng.shuffle(staff)
    for row in staff[:3]:
        world.update("hr_employees", str(row["id"]), vacation_left=rng.randint(1, 6))
    _fill_leave(world, rng, ids, staff[1:])
    _fill_expenses(world, rng, ids, staff)
    _fill_trainings(world, rng, ids, content)


def _hire(world: World, rng: random.Random, employee: dict[str, Any]) -> None:
    """Add an employee, hired some time ago, with some leave left."""
    hired = (world.now - timedelta(days=rng.randint(200, 5000))).strftime(DAY)
    balance = {"vacation_left": rng.randint(7, 26), "study_left": rng.randint(0, 5)}
    world.insert("hr_employees", {**employee, "hired": hired, **balance})


def _fill_leave(world: World, rng: random.Random, ids: Ids, staff: list[FrozenRow]) -> None:
    """A request for each of eight employees: three pending, four approved of which the first two overlap, one rejected."""
    start = world.now + timedelta(days=rng.randint(5, 12))
    start -= timedelta(days=max(0, start.weekday() - 2))
    starts = [start, start + timedelta(days=1), start + timedelta(days=rng.randint(20, 30))]
    starts += [start + timedelta(days=rng.randint(3, 40)) for _ in range(5)]
    statuses = ["approved"] * 4 + ["pending"] * 3 + ["rejected"]
    requests = list(zip(starts, statuses, staff, strict=False))
    for first, status, employee in rng.sample(requests, len(requests)):
        while first.weekday() > 3:
            first += timedelta(days=1)
        last = first + timedelta(days=4 - first.weekday() + rng.choice([0, 0, 7]))
        days = f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"
        request = {"employee_id": employee["id"], "kind": rng.choice(["vacation", "vacation", "unpaid", "study"])}
        decided_by = None if status == "pending" else employee["manager_id"]
        row = {**request, "first_day": days[0], "last_day": days[1], "days": _working_days(first, last)}
        world.insert("hr_leave_requests", {"id": ids("lvr"), **row, "status": status, "decided_by": decided_by})


def _fill_expenses(world: World, rng: random.Random, ids: Ids, staff: list[FrozenRow]) -> None:
    """Three to six claims of four employees, at least two of them of one kind."""
    claims = []
    for employee in staff[:4]:
        often, *others = rng.sample(sorted(LIMITS), 3)
        for kind in [often] * rng.randint(2, 3) + others[: rng.randint(1, 2)]:
            amount = rng.randint(900, LIMITS[kind] * 100) / 100
            day = (world.now - timedelta(days=rng.randint(3, 80))).strftime(DAY)
            claim = {"kind": kind, "amount": amount, "day": day, "receipt": amount > RECEIPT_FROM or rng.random() < 0.5}
            claims.append({"employee_id": employee["id"], **claim, "status": rng.choice(["submitted", "paid", "paid"])})
    for claim in rng.sample(claims, len(claims)):
        world.insert("hr_expenses", {"id": ids("exp"), **claim})


def _fill_trainings(world: World, rng: random.Random, ids: Ids, content: dict[str, Any]) -> None:
    """Seven trainings: two full, one with a single place, four with room for a department."""
    everybody = [str(row["id"]) for row in world.rows("hr_employees")]
    left = rng.sample([0, 0, 1, 6, 7, 8, 9], 7)
    for title, places in zip(rng.sample(content["trainings"], 7), left, strict=True):
        attendees = sorted(rng.sample(everybody, rng.randint(0, 3) if places > 1 else rng.randint(4, 6)))
        day = (world.now + timedelta(days=rng.randint(50, 120))).strftime(DAY)
        row = {"title": title, "day": day, "capacity": len(attendees) + places, "attendees": attendees}
        world.insert("hr_trainings", {"id": ids("trn"), **row})


def free_days(world: World, rng: random.Random, short: bool = False) -> dict[str, Any]:
    """An employee and days without leave, for task templates (``short``: more than the vacation the employee has left)."""
    found = []
    for row in world.rows("hr_employees"):
        for ahead in range(7, 90):
            first = world.now + timedelta(days=ahead)
            for length in (2, 3, 4, 7, 9, 11) if first.weekday() == 0 else ():
                last = first + timedelta(days=length)
                enough = _working_days(first, last) <= row["vacation_left"]
                days = first.strftime(DAY), last.strftime(DAY)
                if enough != short and not _leave_at(world, str(row["id"]), *days):
                    found.append({"name": row["name"], "first": days[0], "last": days[1]})
    return rng.choice(found)


def small_department(world: World, rng: random.Random) -> str:
    """A department of exactly three people, for task templates."""
    departments = [str(row["department"]) for row in world.rows("hr_employees")]
    return rng.choice(sorted({name for name in departments if departments.count(name) == 3}))


def busy_day(world: World, rng: random.Random) -> str:
    """A day on which two or more have approved leave, for task templates."""
    spans = [
        (row["first_day"], row["last_day"]) for row in world.rows("hr_leave_requests") if row["status"] == "approved"
    ]
    days = sorted({str(day) for span in spans for day in span})
    return rng.choice([day for day in days if sum(first <= day <= last for first, last in spans) > 1])


def repeated_expense(world: World, rng: random.Random) -> dict[str, Any]:
    """An employee and a kind of expense claimed at least twice, for task templates."""
    claims = [(str(row["employee_id"]), str(row["kind"])) for row in world.rows("hr_expenses")]
    employee_id, kind = rng.choice(sorted({claim for claim in claims if claims.count(claim) > 1}))
    return {"name": _employee(world, employee_id)["name"], "kind": kind}


def past_day(world: World, rng: random.Random) -> str:
    """A day of the last weeks, for task templates."""
    return (world.now - timedelta(days=rng.randint(1, 40))).strftime(DAY)


MAKERS = {
    "past_day": past_day,
    "free_days": free_days,
    "small_department": small_department,
    "busy_day": busy_day,
    "repeated_expense": repeated_expense,
}
