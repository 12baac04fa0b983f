"""Customer relations: what the tools do and refuse, and what holds in every populated world."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(30), *range(100_000, 100_020)]


def lead(number: int, company: str, budget: int, status: str = "new") -> dict[str, Any]:
    person = {"id": f"led_{number}", "name": f"Petra Hofmann {number}", "job": "founder", "company": company}
    return {**person, "budget": budget, "region": "europe", "interest": "data backup", "status": status}


@pytest.fixture
def crm() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    case = {"account": "Riga Robotics", "region": "europe", "status": "open"}
    deal = {"account": "Riga Robotics", "amount": 1000.0, "closed": None}
    rows: dict[str, list[dict[str, Any]]] = {
        "crm_accounts": [{"id": "cus_1", "name": "Riga Robotics", "region": "europe"}],
        "crm_contacts": [{"id": "con_1", "name": "Lotte Visser", "job": "founder", "account": "Riga Robotics"}],
        "crm_leads": [lead(1, "Douro Wines", 9000), lead(2, "Riga Robotics", 8000), lead(3, "Cebu Electronics", 3000)],
        "crm_deals": [
            {"id": "del_1", "product": "cold storage", "stage": "prospecting", **deal},
            {"id": "del_2", "product": "web shop", "stage": "lost", **deal},
        ],
        "crm_cases": [
            {"id": "cas_1", "subject": "Login portal down", "owner": None, **case},
            {"id": "cas_2", "subject": "Refund not received", "owner": "Vusi Zulu", **case},
        ],
        "crm_reps": [
            {"id": "rep_1", "name": "Vusi Zulu", "region": "europe", "max_cases": 1},
            {"id": "rep_2", "name": "Tala Reyes", "region": "europe", "max_cases": 3},
            {"id": "rep_3", "name": "Umut Şahin", "region": "africa", "max_cases": 3},
        ],
        "crm_activities": [],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("crm").tools)


def call(crm: Environment, tool: str, **arguments: Any) -> Transition:
    return crm.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(crm: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(crm, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_reads(crm: Environment) -> None:
    assert result(crm, "show_crm_account", name="riga robotics")["contacts"] == [
        {"id": "con_1", "name": "Lotte Visser", "job": "founder"}
    ]
    assert [row["id"] for row in result(crm, "search_leads", query="douro")] == ["led_1"]
    assert [row["id"] for row in result(crm, "find_deals", query="riga")] == ["del_1", "del_2"]
    assert [row["id"] for row in result(crm, "find_deals", query="riga", open_only=True)] == ["del_1"]
    assert [row["id"] for row in result(crm, "find_cases", query="login portal")] == ["cas_1"]
    assert result(crm, "list_sales_reps", region="europe")[0] == {"name": "Vusi Zulu", "open_cases": 1, "limit": 1}


def test_a_lead_becomes_account_contact_and_deal(crm: Environment) -> None:
    assert "is new" in str(call(crm, "convert_lead", lead_id="led_1").observation.content)
    result(crm, "qualify_lead", lead_id="led_1", qualified=True)
    made = result(crm, "convert_lead", lead_id="led_1")
    assert made == {"account": "Douro Wines", "deal_id": "del_9001", "stage": "prospecting", "amount": 9000.0}
    assert "already been converted" in str(call(crm, "convert_lead", lead_id="led_1").observation.content)
    assert result(crm, "show_crm_account", name="Douro Wines")["contacts"][0]["name"] == "Petra Hofmann 1"


def test_a_lead_of_a_known_company_joins_its_account(crm: Environment) -> None:
    result(crm, "qualify_lead", lead_id="led_2", qualified=True)
    result(crm, "convert_lead", lead_id="led_2")
    assert len(crm.world.rows("crm_accounts")) == 1
    assert len(result(crm, "show_crm_account", name="Riga Robotics")["contacts"]) == 2


def test_a_deal_moves_stage_by_stage(crm: Environment) -> None:
    assert "the next stage is proposal" in str(call(crm, "update_deal", deal_id="del_1", stage="won"))
    assert result(crm, "update_deal", deal_id="del_1", stage="proposal", amount=800)["amount"] == 800.0
    result(crm, "update_deal", deal_id="del_1", stage="negotiation")
    result(crm, "update_deal", deal_id="del_1", stage="won")
    assert crm.world.rows("crm_deals")[0]["closed"] == "2026-05-04"
    assert "cannot change" in str(call(crm, "update_deal", deal_id="del_1", amount=900))


def test_activities_show_up_with_the_account(crm: Environment) -> None:
    result(crm, "log_crm_activity", record_id="del_1", kind="call", note="Budget is approved.", minutes=15)
    assert result(crm, "show_crm_account", name="Riga Robotics")["activities"] == [
        {"day": "2026-05-04", "kind": "call", "note": "Budget is approved."}
    ]


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("show_crm_account", {"name": "Riga"}, "Similar: Riga Robotics"),
        ("qualify_lead", {"lead_id": "led_3", "qualified": True}, "too small"),
        ("qualify_lead", {"lead_id": "Douro Wines", "qualified": True}, "search_leads"),
        ("update_deal", {"deal_id": "del_1"}, "Give a new stage"),
        ("update_deal", {"deal_id": "del_1", "amount": 1000}, "already 1000.00"),
        ("update_deal", {"deal_id": "del_1", "stage": "proposal", "amount": 799.99}, "the least now is 800.00"),
        ("update_deal", {"deal_id": "del_2", "stage": "proposal"}, "is lost"),
        ("route_case", {"case_id": "cas_1", "rep": "Vusi Zulu"}, "can take no more"),
        ("route_case", {"case_id": "cas_1", "rep": "Umut Sahin"}, "works in africa"),
        ("route_case", {"case_id": "cas_2", "rep": "Vusi Zulu"}, "already has this case"),
        ("route_case", {"case_id": "cas_9", "rep": "Tala Reyes"}, "find_cases"),
        ("log_crm_activity", {"record_id": "cas_1", "kind": "call", "note": "x"}, "No lead, contact, account or deal"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    crm: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(crm, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("crm").world(seed)
    accounts = {row["name"]: row["region"] for row in world.rows("crm_accounts")}
    deals, reps = world.rows("crm_deals"), {row["name"]: row for row in world.rows("crm_reps")}
    people = [row["name"] for table in ("crm_contacts", "crm_leads", "crm_reps") for row in world.rows(table)]
    assert len(set(people)) == len(people) and len(accounts) == 8 and len(reps) == 12
    assert not set(accounts) & {row["company"] for row in world.rows("crm_leads")}
    assert len({(row["account"], row["product"]) for row in deals}) == len(deals)
    assert {"prospecting", "proposal", "negotiation"} <= {row["stage"] for row in deals}
    assert all((row["closed"] is None) == (row["stage"] not in ("won", "lost")) for row in deals)
    for name in accounts:
        stages = [row["stage"] for row in deals if row["account"] == name]
        assert len(stages) <= 4 and sum(stage not in ("won", "lost") for stage in stages) >= 2
        jobs = [row["job"] for row in world.rows("crm_contacts") if row["account"] == name]
        assert len(set(jobs)) == len(jobs) > 0
    load = Counter(row["owner"] for row in world.rows("crm_cases"))
    for row in world.rows("crm_cases"):
        assert row["region"] == accounts[row["account"]]
        assert row["owner"] is None or reps[row["owner"]]["region"] == row["region"]
    for region in set(accounts.values()):
        loads = sorted(load[name] for name, row in reps.items() if row["region"] == region)
        assert loads[0] < loads[1] <= loads[2]
    assert all(load[name] <= row["max_cases"] for name, row in reps.items())


def test_no_name_contains_another() -> None:
    content = get_category("crm").content
    names = [name.casefold() for key, group in content.items() if key not in ("held_out", "notes") for name in group]
    assert [(a, b) for a in names for b in names if a != b and a in b] == []
    assert len(set(names)) == len(names)
