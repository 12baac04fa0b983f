"""A support desk: tickets with a workflow and due times, team queues, agents with a limit, comments, help articles.

A ticket goes new, in_progress, waiting, resolved, closed. It needs an assignee to be worked on and a public comment to
be resolved. Its due time follows from its priority. An agent takes tickets of the own team only, and only so many.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    MOMENT,
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

TITLE = "Helpdesk"
FAMILY = "office"

Team = Literal["hardware", "network", "accounts", "software"]
Priority = Literal["low", "normal", "high", "urgent"]
Status = Literal["in_progress", "waiting", "resolved", "closed"]
Text = Annotated[str, Field(min_length=1, max_length=300)]

_TEAMS = ("hardware", "network", "accounts", "software")
_HOURS = {"urgent": 4, "high": 8, "normal": 24, "low": 72}
"""Hours from opening to the due time, by priority."""
_NEXT = {
    "new": ("in_progress",),
    "in_progress": ("waiting", "resolved"),
    "waiting": ("in_progress", "resolved"),
    "resolved": ("in_progress", "closed"),
    "closed": (),
}
_OPEN = ("new", "in_progress", "waiting")


def _ticket(world: World, ticket_id: str) -> FrozenRow:
    return require_row(world, "helpdesk_tickets", ticket_id, "ticket", see="search_tickets")


def _open_ticket(world: World, ticket_id: str) -> FrozenRow:
    row = _ticket(world, ticket_id)
    if row["status"] not in _OPEN:
        raise ToolRefusedError(f"The ticket is {row['status']}; only an open ticket can be changed like this.")
    return row


def _load(world: World, agent: str) -> int:
    """How many open tickets an agent has."""
    return sum(row["assignee"] == agent and row["status"] in _OPEN for row in world.rows("helpdesk_tickets"))


def _due(opened: str, priority: str) -> str:
    return (datetime.strptime(opened, MOMENT) + timedelta(hours=_HOURS[priority])).strftime(MOMENT)


@tool(mutates=False)
def search_tickets(world: World, query: str) -> list[dict[str, Any]]:
    """Find tickets by words of their title or by the name of the person who asked for help.

    Args:
        query: Words of the title, or the person's name.
    """
    if not query.strip():
        raise ToolRefusedError("Give at least one word of the title or the person's name.")
    found = [
        row
        for row in world.rows("helpdesk_tickets")
        if has_words(query, str(row["title"])) or has_words(query, str(row["requester"]))
    ]
    return [view(row, "id", "title", "team", "status", "assignee") for row in found[:8]]


@tool(mutates=False)
def list_team_queue(
    world: World, team: Team, due_within_hours: Annotated[int, Field(ge=0, le=200)] | None = None
) -> list[dict[str, Any]]:
    """List the open tickets of a team, the one due first at the top.

    Args:
        team: The team.
        due_within_hours: Only tickets due within so many hours from now, overdue ones included.
    """
    rows = [row for row in world.rows("helpdesk_tickets") if row["team"] == team and row["status"] in _OPEN]
    if due_within_hours is not None:
        last = (world.now + timedelta(hours=due_within_hours)).strftime(MOMENT)
        rows = [row for row in rows if str(row["due"]) <= last]
    rows.sort(key=lambda row: str(row["due"]))
    return [view(row, "id", "title", "assignee", "due") for row in rows]


@tool(mutates=False)
def show_ticket(world: World, ticket_id: str) -> dict[str, Any]:
    """Show a ticket: who asked, priority, due time, the device it is about, and its comments.

    Args:
        ticket_id: The ticket's id.
    """
    row = _ticket(world, ticket_id)
    asset = None if row["asset_id"] is None else world.get("helpdesk_assets", str(row["asset_id"]))
    comments = [
        view(comment, "internal", "text")
        for comment in world.rows("helpdesk_comments")
        if comment["ticket_id"] == ticket_id
    ]
    fields = view(row, "title", "requester", "team", "assignee", "status", "priority", "due")
    return {**fields, "asset": asset and asset["model"], "comments": comments[-3:]}


@tool(mutates=False)
def list_support_agents(world: World, team: Team) -> list[dict[str, Any]]:
    """List the agents of a team with how many open tickets they have and may have.

    Args:
        team: The team.
    """
    agents = [row for row in world.rows("helpdesk_agents") if row["team"] == team]
    return [{"name": r["name"], "open_tickets": _load(world, str(r["name"])), "limit": r["max_open"]} for r in agents]


@tool(mutates=True)
def create_ticket(
    world: World, title: Text, requester: str, team: Team, priority: Priority = "normal", asset_id: str | None = None
) -> dict[str, Any]:
    """Open a ticket for somebody who needs help.

    Args:
        title: What it is about.
        requester: Full name of the person who needs help.
        team: The team that should look after it.
        priority: How urgent it is.
        asset_id: Id of the person's device it is about.
    """
    name = require_named(world, "helpdesk_people", requester, "person")["name"]
    if asset_id is not None:
        asset = require_row(world, "helpdesk_assets", asset_id, "device", see="list_person_assets")
        if asset["owner"] != name:
            raise ToolRefusedError(f"That device does not belong to {name}.", see="list_person_assets")
    for row in world.rows("helpdesk_tickets"):
        if row["requester"] == name and folded(str(row["title"])) == folded(title) and row["status"] in _OPEN:
            raise ToolRefusedError(f"{name} already has an open ticket with this title.")
    opened = world.now.strftime(MOMENT)
    ticket = {"title": title.strip(), "requester": name, "team": team, "assignee": None, "status": "new"}
    times = {"priority": priority, "opened": opened, "due": _due(opened, priority), "asset_id": asset_id}
    row = world.insert("helpdesk_tickets", {"id": world.new_id("tic"), **ticket, **times})
    return view(row, "id", "title", "due")


@tool(mutates=True)
def assign_ticket(world: World, ticket_id: str, agent: str) -> dict[str, Any]:
    """Assign an open ticket to an agent of its team.

    Args:
        ticket_id: The ticket's id.
        agent: Full name of the agent.
    """
    row = _open_ticket(world, ticket_id)
    person = require_named(world, "helpdesk_agents", agent, "agent", see="list_support_agents")
    name, limit = str(person["name"]), int(person["max_open"])
    if person["team"] != row["team"]:
        raise ToolRefusedError(f"{name} works for {person['team']}; the ticket belongs to {row['team']}.")
    if row["assignee"] == name:
        raise ToolRefusedError(f"The ticket is already assigned to {name}.")
    if _load(world, name) >= limit:
        raise ToolRefusedError(f"{name} already has {limit} open tickets and can take no more.")
    world.update("helpdesk_tickets", ticket_id, assignee=name)
    return {"ticket": row["title"], "assignee": name}


@tool(mutates=True)
def update_ticket(
    world: World, ticket_id: str, status: Status | None = None, priority: Priority | None = None
) -> dict[str, Any]:
    """Change the status or the priority of a ticket, or both.

    Args:
        ticket_id: The ticket's id.
        status: The next step: new tickets go in_progress, and only resolved ones can be closed.
        priority: The new priority; the due time follows it.
    """
    row = _ticket(world, ticket_id)
    if status is None and priority is None:
        raise ToolRefusedError("Give a new status or a new priority.")
    if priority is not None:
        if _open_ticket(world, ticket_id)["priority"] == priority:
            raise ToolRefusedError(f"The priority is already {priority}.")
        world.update("helpdesk_tickets", ticket_id, priority=priority, due=_due(str(row["opened"]), priority))
    if status is not None:
        _check_step(world, row, status)
        world.update("helpdesk_tickets", ticket_id, status=status)
    return view(_ticket(world, ticket_id), "title", "status", "priority", "due")


def _check_step(world: World, row: FrozenRow, status: str) -> None:
    """Refuse a status that the workflow does not allow next."""
    steps = _NEXT[str(row["status"])]
    if status not in steps:
        allowed = f"; next can be {' or '.join(steps)}" if steps else " for good"
        raise ToolRefusedError(f"The ticket is {row['status']}{allowed}.")
    if status == "in_progress" and row["assignee"] is None:
        raise ToolRefusedError("Nobody is assigned to the ticket, so nobody can work on it.")
    comments = [comment for comment in world.rows("helpdesk_comments") if comment["ticket_id"] == row["id"]]
    if status == "resolved" and all(comment["internal"] for comment in comments):
        raise ToolRefusedError("Before it is resolved, a public comment must tell the person what was done.")


@tool(mutates=True)
def add_ticket_comment(
    world: World, ticket_id: str, text: Text, internal: bool = False, article_id: str | None = None
) -> dict[str, Any]:
    """Comment on a ticket.

    Args:
        ticket_id: The ticket's id.
        text: What to write.
        internal: True if only the support team may read it; otherwise the person who asked reads it too.
        article_id: Id of a help article to attach.
    """
    row = _ticket(world, ticket_id)
    if row["status"] == "closed":
        raise ToolRefusedError("The ticket is closed; nothing can be added.")
    if article_id is not None:
        require_row(world, "helpdesk_articles", article_id, "help article", see="search_help_articles")
    comment = {"ticket_id": ticket_id, "text": text, "internal": internal, "article_id": article_id}
    world.insert("helpdesk_comments", {"id": world.new_id("cmt"), **comment})
    return {"ticket": row["title"], "internal": internal, "article_id": article_id}


@tool(mutates=False)
def search_help_articles(world: World, query: str) -> list[dict[str, Any]]:
    """Find help articles whose title contains all the given words.

    Args:
        query: Words of the title.
    """
    return [view(row, "id", "title") for row in world.rows("helpdesk_articles") if has_words(query, str(row["title"]))]


@tool(mutates=False)
def list_person_assets(world: World, person: str) -> list[dict[str, Any]]:
    """List the devices a person has been given.

    Args:
        person: Full name of the person.
    """
    name = require_named(world, "helpdesk_people", person, "person")["name"]
    return [view(row, "id", "kind", "model") for row in world.rows("helpdesk_assets") if row["owner"] == name]


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Four teams of three agents with five to eight tickets each, ten people with devices, and help articles."""
    tables = ("tickets", "agents", "people", "assets", "comments", "articles")
    world.add_table(*(f"helpdesk_{name}" for name in tables))
    ids = Ids(rng)
    names = rng.sample(content["people"], 22)
    people, agents = names[:10], names[10:]
    for name in people:
        world.insert("helpdesk_people", {"id": ids("per"), "name": name})
        for kind in rng.sample(sorted(content["devices"]), rng.randint(1, 3)):
            asset = {"kind": kind, "model": f"{rng.choice(content['models'])} {kind}", "owner": name}
            world.insert("helpdesk_assets", {"id": ids("ast"), **asset})
    drafts, busy = [], rng.choice(_TEAMS)  # one team has several tickets that nobody has
    for index, team in enumerate(_TEAMS):
        drafts += _team(world, rng, content, team, agents[index * 3 :][:3], 2 if team == busy else 1, ids)
    rng.shuffle(drafts)
    for draft, minutes in zip(drafts, rng.sample(range(30, 3000), len(drafts)), strict=True):
        _open(world, rng, content, {**draft, "requester": rng.choice(people)}, minutes, ids)
    useful = [draft["title"] for draft in drafts if draft["title"] in content["articles"]]
    for issue in rng.sample(useful, min(12, len(useful))):
        world.insert("helpdesk_articles", {"id": ids("art"), "title": content["articles"][issue], "issue": issue})


def _team(
    world: World, rng: random.Random, content: dict[str, Any], team: str, agents: list[str], unassigned: int, ids: Ids
) -> list[dict[str, Any]]:
    """Three agents, the first with all the tickets allowed, and one with fewer than the others; and the team's tickets."""
    loads = rng.choice([(2, 1, 0), (3, 1, 0), (3, 2, 0)])
    for index in rng.sample(range(3), 3):
        limit = loads[index] if index == 0 else rng.randint(4, 6)
        world.insert("helpdesk_agents", {"id": ids("agt"), "name": agents[index], "team": team, "max_open": limit})
    held = [name for name, load in zip(agents, loads, strict=True) for _ in range(load)]
    drafts: list[dict[str, Any]] = [
        {"assignee": name, "status": rng.choice(["new", "in_progress", "in_progress", "waiting"])} for name in held
    ]
    drafts += [{"assignee": None, "status": "new"} for _ in range(rng.randint(unassigned, min(3, 7 - len(held))))]
    drafts.append({"assignee": rng.choice(agents), "status": rng.choice(["resolved", "closed"])})
    titles = rng.sample(content[f"{team}_issues"], len(drafts))
    return [{**draft, "title": title, "team": team} for draft, title in zip(drafts, titles, strict=True)]


def _open(
    world: World, rng: random.Random, content: dict[str, Any], draft: dict[str, Any], minutes: int, ids: Ids
) -> None:
    """Insert a ticket that was opened some minutes ago, with its comments. What is done has told the person so."""
    priority = rng.choices(["low", "normal", "high", "urgent"], weights=[2, 4, 2, 1])[0]
    opened = (world.now - timedelta(minutes=minutes)).strftime(MOMENT)
    owned = [str(row["id"]) for row in world.rows("helpdesk_assets") if row["owner"] == draft["requester"]]
    asset = rng.choice(owned) if draft["team"] == "hardware" else None
    times = {"priority": priority, "opened": opened, "due": _due(opened, priority), "asset_id": asset}
    ticket_id = ids("tic")
    world.insert("helpdesk_tickets", {"id": ticket_id, **draft, **times})
    notes = [(text, True) for text in rng.sample(content["internal_notes"], rng.randint(0, 1))]
    if draft["status"] in ("resolved", "closed") or (draft["status"] != "new" and rng.random() < 0.4):
        notes += [(text, False) for text in rng.sample(content["public_notes"], 1)]
    for text, internal in notes:
        comment = {"ticket_id": ticket_id, "text": text, "internal": internal, "article_id": None}
        world.insert("helpdesk_comments", {"id": ids("cmt"), **comment})


def assignment(world: World, rng: random.Random, crowded: bool) -> dict[str, Any]:
    """A ticket nobody has and two agents of its team, of whom the first is full (``crowded``) or not; for templates."""
    row = rng.choice([row for row in world.rows("helpdesk_tickets") if row["assignee"] is None])
    team = [agent for agent in world.rows("helpdesk_agents") if agent["team"] == row["team"]]
    full = [str(agent["name"]) for agent in team if _load(world, str(agent["name"])) >= agent["max_open"]]
    free = [str(agent["name"]) for agent in team if str(agent["name"]) not in full]
    first = rng.choice(full if crowded else free)
    return {"title": row["title"], "first": first, "second": rng.choice([name for name in free if name != first])}


def unanswered_ticket(world: World, rng: random.Random) -> dict[str, Any]:
    """A ticket in progress or waiting on which nobody has commented publicly, for task templates."""
    answered = {row["ticket_id"] for row in world.rows("helpdesk_comments") if not row["internal"]}
    rows = [row for row in world.rows("helpdesk_tickets") if row["status"] in ("in_progress", "waiting")]
    return dict(rng.choice([row for row in rows if row["id"] not in answered]))


def ticket_with_article(world: World, rng: random.Random) -> dict[str, Any]:
    """An open ticket and the title of the article that helps with it, for task templates."""
    articles = {row["issue"]: row["title"] for row in world.rows("helpdesk_articles")}
    rows = [row for row in world.rows("helpdesk_tickets") if row["status"] in _OPEN and row["title"] in articles]
    row = rng.choice(rows)
    return {**row, "article": articles[row["title"]]}


MAKERS = {
    "assignment": assignment,
    "unanswered_ticket": unanswered_ticket,
    "ticket_with_article": ticket_with_article,
}
