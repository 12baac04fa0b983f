"""The support desk: what its tools do and refuse, and what holds in every populated desk."""

import random
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.helpdesk import assignment, ticket_with_article, unanswered_ticket

SEEDS = [*range(30), *range(100_000, 100_020)]
OPEN = ("new", "in_progress", "waiting")


def ticket(number: int, title: str, status: str, assignee: str | None, priority: str = "normal") -> dict[str, Any]:
    row = {"id": f"tic_{number}", "title": title, "requester": "Fatou Diallo", "team": "network", "assignee": assignee}
    times = {"opened": "2026-05-04 08:00", "due": "2026-05-05 08:00" if priority == "normal" else "2026-05-04 12:00"}
    return {**row, "status": status, "priority": priority, **times, "asset_id": None}


@pytest.fixture
def desk() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "helpdesk_people": [{"id": "per_1", "name": "Fatou Diallo"}, {"id": "per_2", "name": "Sami Virtanen"}],
        "helpdesk_agents": [
            {"id": "agt_1", "name": "Qiu Yan", "team": "network", "max_open": 1},
            {"id": "agt_2", "name": "Paulo Machado", "team": "network", "max_open": 4},
            {"id": "agt_3", "name": "Emeka Eze", "team": "software", "max_open": 4},
        ],
        "helpdesk_tickets": [
            ticket(1, "Slow file server", "new", None),
            ticket(2, "Video calls freeze", "in_progress", "Qiu Yan", "urgent"),
            ticket(3, "Phone line silent", "closed", "Paulo Machado"),
        ],
        "helpdesk_assets": [{"id": "ast_1", "kind": "laptop", "model": "Vela laptop", "owner": "Sami Virtanen"}],
        "helpdesk_comments": [],
        "helpdesk_articles": [{"id": "art_1", "title": "Get visitors online", "issue": "Guest network password"}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("helpdesk").tools)


def call(desk: Environment, tool: str, **arguments: Any) -> Transition:
    return desk.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(desk: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(desk, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_reads(desk: Environment) -> None:
    assert [row["id"] for row in result(desk, "search_tickets", query="slow server")] == ["tic_1"]
    assert len(result(desk, "search_tickets", query="fatou diallo")) == 3
    assert [row["id"] for row in result(desk, "list_team_queue", team="network")] == ["tic_2", "tic_1"]
    assert [row["id"] for row in result(desk, "list_team_queue", team="network", due_within_hours=3)] == ["tic_2"]
    assert result(desk, "list_support_agents", team="network")[0] == {"name": "Qiu Yan", "open_tickets": 1, "limit": 1}
    assert result(desk, "search_help_articles", query="visitors") == [{"id": "art_1", "title": "Get visitors online"}]
    assert result(desk, "list_person_assets", person="sami virtanen")[0]["id"] == "ast_1"
    assert result(desk, "show_ticket", ticket_id="tic_1")["comments"] == []


def test_a_ticket_goes_its_way(desk: Environment) -> None:
    assert "Nobody is assigned" in str(call(desk, "update_ticket", ticket_id="tic_1", status="in_progress"))
    result(desk, "assign_ticket", ticket_id="tic_1", agent="paulo machado")
    result(desk, "update_ticket", ticket_id="tic_1", status="in_progress")
    result(desk, "add_ticket_comment", ticket_id="tic_1", text="Look at the switch.", internal=True)
    assert "public comment" in str(call(desk, "update_ticket", ticket_id="tic_1", status="resolved"))
    result(desk, "add_ticket_comment", ticket_id="tic_1", text="It works again.", article_id="art_1")
    result(desk, "update_ticket", ticket_id="tic_1", status="resolved")
    result(desk, "update_ticket", ticket_id="tic_1", status="closed")
    assert "closed for good" in str(call(desk, "update_ticket", ticket_id="tic_1", status="in_progress"))


def test_the_due_time_follows_the_priority(desk: Environment) -> None:
    assert result(desk, "update_ticket", ticket_id="tic_1", priority="high")["due"] == "2026-05-04 16:00"
    made = {"title": "Got wet", "requester": "Sami Virtanen", "team": "hardware", "asset_id": "ast_1"}
    assert result(desk, "create_ticket", **made)["due"] == "2026-05-05 09:00"


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_tickets", {"query": ""}, "at least one word"),
        ("show_ticket", {"ticket_id": "Slow file server"}, "search_tickets"),
        ("create_ticket", {"title": "x", "requester": "Fatou", "team": "network"}, "Similar: Fatou Diallo"),
        ("create_ticket", {"title": "slow file server", "requester": "Fatou Diallo", "team": "network"}, "already has"),
        (
            "create_ticket",
            {"title": "x", "requester": "Fatou Diallo", "team": "hardware", "asset_id": "ast_1"},
            "does not belong to Fatou Diallo",
        ),
        ("assign_ticket", {"ticket_id": "tic_1", "agent": "Qiu Yan"}, "can take no more"),
        ("assign_ticket", {"ticket_id": "tic_1", "agent": "Emeka Eze"}, "works for software"),
        ("assign_ticket", {"ticket_id": "tic_2", "agent": "Qiu Yan"}, "already assigned"),
        ("assign_ticket", {"ticket_id": "tic_3", "agent": "Paulo Machado"}, "is closed"),
        ("update_ticket", {"ticket_id": "tic_1"}, "Give a new status"),
        ("update_ticket", {"ticket_id": "tic_1", "priority": "normal"}, "already normal"),
        ("update_ticket", {"ticket_id": "tic_1", "status": "closed", "priority": "low"}, "next can be in_progress"),
        ("update_ticket", {"ticket_id": "tic_3", "priority": "low"}, "is closed"),
        ("add_ticket_comment", {"ticket_id": "tic_3", "text": "Hi"}, "closed"),
        ("add_ticket_comment", {"ticket_id": "tic_1", "text": "Hi", "article_id": "art_9"}, "search_help_articles"),
        ("list_person_assets", {"person": "Nobody"}, "no person named"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    desk: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(desk, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_desks_hold_their_invariants(seed: int) -> None:
    world, rng = get_category("helpdesk").world(seed), random.Random(seed)
    tickets = world.rows("helpdesk_tickets")
    agents = {row["name"]: row for row in world.rows("helpdesk_agents")}
    load = Counter(row["assignee"] for row in tickets if row["status"] in OPEN)
    assert len({row["title"] for row in tickets}) == len({row["opened"] for row in tickets}) == len(tickets)
    assert not set(agents) & {row["name"] for row in world.rows("helpdesk_people")}
    for team in ("hardware", "network", "accounts", "software"):
        names = [name for name, row in agents.items() if row["team"] == team]
        loads = sorted(load[name] for name in names)
        assert len(names) == 3 and loads[0] < loads[1]
        assert [load[name] >= agents[name]["max_open"] for name in names].count(True) == 1
        assert any(row["team"] == team and row["assignee"] is None for row in tickets)
        assert sum(row["team"] == team and row["status"] in OPEN for row in tickets) <= 8
    public = {row["ticket_id"] for row in world.rows("helpdesk_comments") if not row["internal"]}
    for row in tickets:
        assert row["assignee"] is None or agents[row["assignee"]]["team"] == row["team"]
        assert row["assignee"] is not None or row["status"] == "new"
        assert row["status"] not in ("resolved", "closed") or row["id"] in public
        assert row["opened"] < row["due"] and row["opened"] < world.now.strftime("%Y-%m-%d %H:%M")
    owned = [(row["owner"], row["kind"]) for row in world.rows("helpdesk_assets")]
    assert len(set(owned)) == len(owned)
    plan = assignment(world, rng, crowded=True)
    assert load[plan["first"]] == agents[plan["first"]]["max_open"] and plan["first"] != plan["second"]
    assert agents[plan["first"]]["team"] == agents[plan["second"]]["team"]
    assert unanswered_ticket(world, rng)["id"] not in public and ticket_with_article(world, rng)["article"]


def test_no_name_contains_another() -> None:
    content = get_category("helpdesk").content
    issues = [title for key in content if key.endswith("_issues") for title in content[key]]
    assert set(content["articles"]) <= set(issues)
    for group in (issues, list(content["articles"].values()), content["people"], content["devices"]):
        names = [name.casefold() for name in group]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
