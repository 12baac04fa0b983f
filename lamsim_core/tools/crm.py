"""Customer relations: accounts with contacts, leads to qualify and convert, deals that move by rule, cases to route.

A lead is qualified only if its budget is large enough, and converted only when qualified: that makes an account, a
contact and a deal. A deal moves one stage at a time, and its amount cannot be cut by more than a fifth at once. A case
goes to a representative of the account's region who has room for it.
"""

import random
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "CRM"
FAMILY = "office"

Region = Literal["africa", "americas", "asia_pacific", "europe"]
Stage = Literal["proposal", "negotiation", "won", "lost"]
Amount = Annotated[float, Field(ge=1, le=10_000_000)]

_REGIONS = ("africa", "americas", "asia_pacific", "europe")
_NEXT = {"prospecting": "proposal", "proposal": "negotiation", "negotiation": "won"}
_LEAST_BUDGET = 5000
_MOST_CUT = 0.2


def _lead(world: World, lead_id: str) -> FrozenRow:
    row = require_row(world, "crm_leads", lead_id, "lead", see="search_leads")
    if row["status"] == "converted":
        raise ToolRefusedError(f"The lead {row['name']} has already been converted.")
    return row


def _deal(world: World, deal_id: str) -> FrozenRow:
    row = require_row(world, "crm_deals", deal_id, "deal", see="find_deals")
    if row["stage"] not in _NEXT:
        raise ToolRefusedError(f"The deal is {row['stage']}; it cannot change any more.")
    return row


def _load(world: World, rep: str) -> int:
    """How many open cases a representative has."""
    return sum(row["owner"] == rep and row["status"] == "open" for row in world.rows("crm_cases"))


def _activities(world: World, account: str) -> list[dict[str, Any]]:
    """The latest three activities with an account, its contacts or its deals, newest first."""
    about = [
        row["id"]
        for table, field in (("crm_accounts", "name"), ("crm_contacts", "account"), ("crm_deals", "account"))
        for row in world.rows(table)
        if row[field] == account
    ]
    rows = [row for row in world.rows("crm_activities") if row["record_id"] in about]
    rows.sort(key=lambda row: str(row["day"]), reverse=True)
    return [view(row, "day", "kind", "note") for row in rows[:3]]


@tool(mutates=False)
def show_crm_account(world: World, name: str) -> dict[str, Any]:
    """Show a customer account with its region, its contacts and the latest activities.

    Args:
        name: Name of the account.
    """
    row = require_named(world, "crm_accounts", name, "account")
    contacts = [view(r, "id", "name", "job") for r in world.rows("crm_contacts") if r["account"] == row["name"]]
    return {**view(row, "id", "region"), "contacts": contacts, "activities": _activities(world, str(row["name"]))}


@tool(mutates=False)
def search_leads(world: World, query: str) -> list[dict[str, Any]]:
    """Find leads by words of the person's name or of the company's.

    Args:
        query: Words of the name of the person or company.
    """
    found = [
        row
        for row in world.rows("crm_leads")
        if has_words(query, str(row["name"])) or has_words(query, str(row["company"]))
    ]
    return [view(row, "id", "name", "company", "budget", "status") for row in found]


@tool(mutates=True)
def qualify_lead(world: World, lead_id: str, qualified: bool) -> dict[str, Any]:
    """Mark a lead as qualified or as not qualified. Leads with a budget under 5000 euros cannot be qualified.

    Args:
        lead_id: The lead's id.
        qualified: True if it is worth pursuing, false if not.
    """
    row, status = _lead(world, lead_id), "qualified" if qualified else "unqualified"
    if row["status"] == status:
        raise ToolRefusedError(f"The lead {row['name']} is already {status}.")
    if qualified and row["budget"] < _LEAST_BUDGET:
        raise ToolRefusedError(f"A budget of {row['budget']} euros is too small; it takes {_LEAST_BUDGET}.")
    world.update("crm_leads", lead_id, status=status)
    return {"lead": row["name"], "status": status}


@tool(mutates=True)
def convert_lead(world: World, lead_id: str) -> dict[str, Any]:
    """Turn a qualified lead into an account with a contact and a deal in prospecting, worth the lead's budget.

    Args:
        lead_id: The lead's id.
    """
    row = _lead(world, lead_id)
    if row["status"] != "qualified":
        raise ToolRefusedError(f"The lead {row['name']} is {row['status']}; only a qualified lead can be converted.")
    company = row["company"]
    if all(account["name"] != company for account in world.rows("crm_accounts")):
        world.insert("crm_accounts", {"id": world.new_id("cus"), "name": company, "region": row["region"]})
    contact = {"name": row["name"], "job": row["job"], "account": company}
    world.insert("crm_contacts", {"id": world.new_id("con"), **contact})
    deal = {"product": row["interest"], "account": company, "stage": "prospecting", "amount": float(row["budget"])}
    made = world.insert("crm_deals", {"id": world.new_id("del"), **deal, "closed": None})
    world.update("crm_leads", lead_id, status="converted")
    return {"account": company, "deal_id": made["id"], **view(made, "stage", "amount")}


@tool(mutates=False)
def find_deals(world: World, query: str, open_only: bool = False) -> list[dict[str, Any]]:
    """Find deals by words of the product or of the account's name.

    Args:
        query: Words of the product or the account's name.
        open_only: Leave out deals that are won or lost.
    """
    found = [
        row
        for row in world.rows("crm_deals")
        if (has_words(query, str(row["product"])) or has_words(query, str(row["account"])))
        and (not open_only or row["stage"] in _NEXT)
    ]
    return [view(row, "id", "product", "account", "stage", "amount") for row in found]


@tool(mutates=True)
def update_deal(world: World, deal_id: str, stage: Stage | None = None, amount: Amount | None = None) -> dict[str, Any]:
    """Move a deal to its next stage or change its amount, or both.

    Args:
        deal_id: The deal's id.
        stage: The stage after the present one, in the order prospecting, proposal, negotiation, won; or lost.
        amount: The new amount in euros.
    """
    row = _deal(world, deal_id)
    if stage is None and amount is None:
        raise ToolRefusedError("Give a new stage or a new amount.")
    if amount is not None:
        least = round(row["amount"] * (1 - _MOST_CUT), 2)
        if round(amount, 2) == row["amount"]:
            raise ToolRefusedError(f"The amount is already {row['amount']:.2f} euros.")
        if round(amount, 2) < least:
            raise ToolRefusedError(
                f"The amount cannot be cut by more than a fifth; the least now is {least:.2f} euros."
            )
        world.update("crm_deals", deal_id, amount=float(round(amount, 2)))
    if stage is not None:
        expected = _NEXT[str(row["stage"])]
        if stage not in (expected, "lost"):
            raise ToolRefusedError(f"The deal is in {row['stage']}; the next stage is {expected}.")
        closed = world.now.strftime(DAY) if stage in ("won", "lost") else None
        world.update("crm_deals", deal_id, stage=stage, closed=closed)
    return view(require_row(world, "crm_deals", deal_id, "deal"), "product", "account", "stage", "amount")


@tool(mutates=False)
def find_cases(world: World, query: str) -> list[dict[str, Any]]:
    """Find customers' cases by words of the subject or of the account's name.

    Args:
        query: Words of the subject or the account's name.
    """
    found = [
        row
        for row in world.rows("crm_cases")
        if has_words(query, str(row["subject"])) or has_words(query, str(row["account"]))
    ]
    return [view(row, "id", "subject", "account", "region", "owner", "status") for row in found]


@tool(mutates=True)
def route_case(world: World, case_id: str, rep: str) -> dict[str, Any]:
    """Give an open case to a sales representative of its region.

    Args:
        case_id: The case's id.
        rep: Full name of the representative.
    """
    row = require_row(world, "crm_cases", case_id, "case", see="find_cases")
    person = require_named(world, "crm_reps", rep, "representative", see="list_sales_reps")
    name, limit = str(person["name"]), int(person["max_cases"])
    if row["status"] != "open":
        raise ToolRefusedError(f"The case is {row['status']}.")
    if row["owner"] == name:
        raise ToolRefusedError(f"{name} already has this case.")
    if person["region"] != row["region"]:
        raise ToolRefusedError(f"{name} works in {person['region']}; the case comes from {row['region']}.")
    if _load(world, name) >= limit:
        raise ToolRefusedError(f"{name} already has {limit} open cases and can take no more.")
    world.update("crm_cases", case_id, owner=name)
    return {"case": row["subject"], "owner": name}


@tool(mutates=False)
def list_sales_reps(world: World, region: Region) -> list[dict[str, Any]]:
    """List the sales representatives of a region with how many open cases they have and may have.

    Args:
        region: The region.
    """
    reps = [row for row in world.rows("crm_reps") if row["region"] == region]
    return [{"name": r["name"], "open_cases": _load(world, str(r["name"])), "limit": r["max_cases"]} for r in reps]


@tool(mutates=True)
def log_crm_activity(
    world: World,
    record_id: str,
    kind: Literal["call", "email", "meeting"],
    note: Annotated[str, Field(min_length=1, max_length=300)],
    minutes: Annotated[int, Field(ge=0, le=600)] = 0,
) -> dict[str, Any]:
    """Note down a call, an email or a meeting with a lead, a contact, an account, or about a deal.

    Args:
        record_id: Id of the lead, contact, account or deal.
        kind: What it was.
        note: What was said.
        minutes: How long it took.
    """
    tables = ("crm_leads", "crm_contacts", "crm_accounts", "crm_deals")
    if all(world.get(table, record_id) is None for table in tables):
        raise ToolRefusedError(f"No lead, contact, account or deal has the id {record_id[:80]!r}.")
    activity = {"record_id": record_id, "kind": kind, "note": note, "minutes": minutes}
    row = world.insert("crm_activities", {"id": world.new_id("act"), **activity, "day": world.now.strftime(DAY)})
    return view(row, "kind", "minutes", "day")


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Eight accounts in four regions with contacts and deals, eight leads, twelve representatives and fifteen cases."""
    tables = ("accounts", "contacts", "leads", "deals", "cases", "reps", "activities")
    world.add_table(*(f"crm_{name}" for name in tables))
    ids = Ids(rng)
    people, companies = rng.sample(content["people"], 33), rng.sample(content["companies"], 16)
    for index, company in enumerate(companies[:8]):
        world.insert("crm_accounts", {"id": ids("cus"), "name": company, "region": _REGIONS[index % 4]})
        for job in rng.sample(content["jobs"], rng.randint(1, 2) if index % 2 else 2):
            world.insert("crm_contacts", {"id": ids("con"), "name": people.pop(), "job": job, "account": company})
        _deals(world, rng, content, company, ids)
    budgets = [*rng.sample(range(1500, 5000, 100), 2), *rng.sample(range(6000, 60000, 500), 6)]
    for company, budget in zip(companies[8:], rng.sample(budgets, 8), strict=True):
        status = rng.choice(["new", "new", "new", "qualified"]) if budget >= _LEAST_BUDGET else "new"
        lead = {"name": people.pop(), "job": rng.choice(content["jobs"]), "company": company, "budget": budget}
        more = {"region": rng.choice(_REGIONS), "interest": rng.choice(content["products"]), "status": status}
        world.insert("crm_leads", {"id": ids("led"), **lead, **more})
    _cases(world, rng, content, ids)


def _deals(world: World, rng: random.Random, content: dict[str, Any], company: str, ids: Ids) -> None:
    """Two to four deals of an account, at least two of them open, each with what was last talked about."""
    stages = rng.sample(["prospecting", "proposal", "negotiation"], 2)
    stages += rng.sample(["prospecting", "proposal", "negotiation", "won", "lost"], rng.randint(0, 2))
    rng.shuffle(stages)
    for product, stage in zip(rng.sample(content["products"], len(stages)), stages, strict=True):
        days = rng.sample(range(1, 120), 2)
        closed = (world.now - timedelta(days=min(days))).strftime(DAY) if stage in ("won", "lost") else None
        deal = {"product": product, "account": company, "stage": stage, "amount": float(rng.randint(30, 900) * 100)}
        row = world.insert("crm_deals", {"id": ids("del"), **deal, "closed": closed})
        if rng.random() < 0.5:
            activity = {"record_id": row["id"], "kind": rng.choice(["call", "email", "meeting"])}
            activity |= {"note": rng.choice(content["notes"]), "minutes": rng.randint(1, 9) * 5}
            day = (world.now - timedelta(days=max(days))).strftime(DAY)
            world.insert("crm_activities", {"id": ids("act"), **activity, "day": day})


def _cases(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> None:
    """Three representatives a region: one who is full, one with more cases than the last. Some cases have no owner."""
    known = {folded(str(row["name"])) for table in ("crm_contacts", "crm_leads") for row in world.rows(table)}
    others = [name for name in content["people"] if folded(name) not in known]
    reps, subjects = rng.sample(others, 12), rng.sample(content["subjects"], 24)
    for region in _REGIONS:
        accounts = [str(row["name"]) for row in world.rows("crm_accounts") if row["region"] == region]
        loads = rng.choice([(2, 1, 0), (2, 1, 0), (3, 1, 0)])
        names = [reps.pop() for _ in loads]
        for index in rng.sample(range(3), 3):
            limit = loads[index] if index == 0 else rng.randint(4, 6)
            world.insert("crm_reps", {"id": ids("rep"), "name": names[index], "region": region, "max_cases": limit})
        owners = [name for name, load in zip(names, loads, strict=True) for _ in range(load)] + [None, None]
        for owner in rng.sample(owners, len(owners)):
            case = {"subject": subjects.pop(), "account": rng.choice(accounts), "region": region, "owner": owner}
            world.insert("crm_cases", {"id": ids("cas"), **case, "status": "open"})


def deal_of(world: World, rng: random.Random, stage: str) -> dict[str, Any]:
    """A deal in a stage, for task templates."""
    return dict(rng.choice([row for row in world.rows("crm_deals") if row["stage"] == stage]))


MAKERS = {"deal_of": deal_of}
