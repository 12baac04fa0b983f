"""A football app: two leagues with fixtures, results and tables, match tickets, followed clubs, reminders, a fantasy team.

Tables are worked out from the results. At most six tickets a match, while there are any. The fantasy team has a budget
in millions, places for each position, and takes at most two players of a club.
"""

import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from lamsim_core.environment import (
    MOMENT,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    has_words,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Sports"
FAMILY = "leisure"

Position = Literal["goalkeeper", "defender", "midfielder", "forward"]
_PLACES: dict[str, int] = {"goalkeeper": 1, "defender": 2, "midfielder": 2, "forward": 2}
_PER_CLUB = 2
_TICKETS = 6
_ROWS = 9
_FANTASY = "fantasy"
"""Id of the one row of the table ``fantasy_budget``."""
_CLUBS, _PLAYED, _COMING = 6, 3, 3
"""Clubs of a league, rounds behind it, rounds in the calendar."""


def _club(world: World, team: str) -> FrozenRow:
    return require_named(world, "sports_clubs", team, "team", see="get_league_table")


def _match(world: World, match_id: str) -> FrozenRow:
    return require_row(world, "sports_matches", match_id, "match", see="list_team_matches")


def _player(world: World, player_id: str) -> FrozenRow:
    return require_row(world, "sports_players", player_id, "player", see="search_players")


def _starts(match: FrozenRow) -> datetime:
    return datetime.strptime(str(match["starts"]), MOMENT)


def _coming(world: World, match_id: str) -> FrozenRow:
    """A match that has not begun."""
    match = _match(world, match_id)
    if _starts(match) <= world.now:
        raise ToolRefusedError(f"{match['home']} against {match['away']} has already been played.")
    return match


@tool(mutates=False)
def get_league_table(world: World, league: str) -> list[dict[str, Any]]:
    """Show a league's table, the leader first.

    Args:
        league: Name of the league.
    """
    return _table(world, str(require_named(world, "sports_leagues", league, "league")["name"]))


def _table(world: World, league: str) -> list[dict[str, Any]]:
    standing = []
    for club in world.rows("sports_clubs"):
        if club["league"] == league:
            points = difference = 0
            for own, other in _scores(world, str(club["name"])):
                points += 3 if own > other else int(own == other)
                difference += own - other
            row = {"team": club["name"], "points": points, "goal_difference": difference}
            standing.append({**row, "followed": club["followed"]})
    return sorted(standing, key=lambda row: (-row["points"], -row["goal_difference"], row["team"]))


def _scores(world: World, team: str) -> list[tuple[int, int]]:
    """Own and other goals of the matches a club has played."""
    scores = []
    for match in world.rows("sports_matches"):
        if match["home_goals"] is not None and team in (match["home"], match["away"]):
            goals = match["home_goals"], match["away_goals"]
            scores.append(goals if team == match["home"] else goals[::-1])
    return scores


@tool(mutates=False)
def list_team_matches(
    world: World, team: str, when: Literal["upcoming", "played"] = "upcoming"
) -> list[dict[str, Any]]:
    """List a team's matches in order of time, with the score of those played.

    Args:
        team: Name of the team.
        when: Matches to come, or those already played.
    """
    name = _club(world, team)["name"]
    rows = [row for row in world.rows("sports_matches") if name in (row["home"], row["away"])]
    rows = [row for row in rows if (_starts(row) > world.now) == (when == "upcoming")]
    rows.sort(key=lambda row: str(row["starts"]))
    return [{**view(row, "id", "home", "away", "starts"), **_score(row)} for row in rows]


def _score(match: FrozenRow) -> dict[str, str]:
    return {} if match["home_goals"] is None else {"score": f"{match['home_goals']}-{match['away_goals']}"}


@tool(mutates=False)
def get_match_details(world: World, match_id: str) -> dict[str, Any]:
    """Show where a match takes place, and its tickets with their prices in euros.

    Args:
        match_id: The match's id.
    """
    match = _match(world, match_id)
    fields = view(match, "starts", "standing_price", "seated_price", "tickets_left")
    return {**view(match, "home", "away"), "ground": _club(world, str(match["home"]))["ground"], **fields}


@tool(mutates=True)
def buy_match_tickets(
    world: World,
    match_id: str,
    quantity: Annotated[int, Field(ge=1, le=_TICKETS)],
    area: Literal["standing", "seated"] = "standing",
) -> dict[str, Any]:
    """Buy tickets for a match.

    Args:
        match_id: The match's id.
        quantity: How many tickets.
        area: Which part of the ground.
    """
    match = _coming(world, match_id)
    left = int(match["tickets_left"])
    if quantity > left:
        raise ToolRefusedError(f"Too few tickets are left: {left}." if left else "The match is sold out.")
    held = sum(row["quantity"] for row in world.rows("match_tickets") if row["match_id"] == match_id)
    if held + quantity > _TICKETS:
        raise ToolRefusedError(f"At most {_TICKETS} tickets a match, and the user already has {held}.")
    total = round(quantity * match[f"{area}_price"], 2)
    world.update("sports_matches", match_id, tickets_left=left - quantity)
    row = {"match_id": match_id, "area": area, "quantity": quantity, "total": total}
    world.insert("match_tickets", {"id": world.new_id("tkt"), **row})
    return {**view(match, "home", "away", "starts"), "area": area, "quantity": quantity, "total": total}


@tool(mutates=True)
def set_match_reminder(
    world: World, match_id: str, minutes_before: Annotated[int, Field(ge=5, le=1440)]
) -> dict[str, Any]:
    """Remind the user before a match begins; an earlier reminder for it is replaced.

    Args:
        match_id: The match's id.
        minutes_before: How many minutes before the start.
    """
    match = _coming(world, match_id)
    at = _starts(match) - timedelta(minutes=minutes_before)
    if at <= world.now:
        raise ToolRefusedError(f"{minutes_before} minutes before the start is already past.")
    known = [str(row["id"]) for row in world.rows("match_reminders") if row["match_id"] == match_id]
    if known:
        world.update("match_reminders", known[0], minutes_before=minutes_before)
    else:
        row = {"id": world.new_id("rem"), "match_id": match_id, "minutes_before": minutes_before}
        world.insert("match_reminders", row)
    return {**view(match, "home", "away"), "reminder_at": at.strftime(MOMENT)}


@tool(mutates=True)
def follow_team(world: World, team: str, following: bool = True) -> dict[str, Any]:
    """Follow a team's news, or stop following it.

    Args:
        team: Name of the team.
        following: Whether to follow it.
    """
    club = _club(world, team)
    if club["followed"] == following:
        raise ToolRefusedError(f"{club['name']} is {'already' if following else 'not'} followed.")
    world.update("sports_clubs", str(club["id"]), followed=following)
    return {"team": club["name"], "followed": following}


@tool(mutates=False)
def search_players(
    world: World, name: str | None = None, team: str | None = None, position: Position | None = None
) -> list[dict[str, Any]]:
    """Search players with this season's goals and fantasy price, the best scorers first.

    Args:
        name: Words of the player's name.
        team: Only players of the team of this name.
        position: Only players in this position.
    """
    if name is None and team is None and position is None:
        raise ToolRefusedError("Say which name, team or position.")
    club = None if team is None else _club(world, team)["name"]
    found = [
        row
        for row in world.rows("sports_players")
        if (name is None or has_words(name, str(row["name"])))
        and (club is None or row["team"] == club)
        and (position is None or row["position"] == position)
    ]
    found.sort(key=lambda row: (-row["goals"], str(row["name"])))
    told = [field for field, asked in {"team": team, "position": position}.items() if asked is None]
    return [view(row, "id", "name", *told, "goals", "price") for row in found[:_ROWS]]


def _picked(world: World) -> dict[str, FrozenRow]:
    """The players of the fantasy team by the ids of their rows there."""
    return {str(row["id"]): _player(world, str(row["player_id"])) for row in world.rows("fantasy_picks")}


@tool(mutates=False)
def get_fantasy_team(world: World) -> dict[str, Any]:
    """Show the user's fantasy team and the budget that is left, in millions."""
    players = [view(row, "id", "name", "team", "position", "price") for row in _picked(world).values()]
    return {"budget": world.rows("fantasy_budget")[0]["millions"], "players": players}


@tool(mutates=True)
def buy_fantasy_player(world: World, player_id: str) -> dict[str, Any]:
    """Buy a player for the user's fantasy team.

    Args:
        player_id: The player's id.
    """
    player, squad = _player(world, player_id), list(_picked(world).values())
    name, position, budget = player["name"], str(player["position"]), world.rows("fantasy_budget")[0]["millions"]
    if any(row["id"] == player_id for row in squad):
        raise ToolRefusedError(f"{name} is already in the fantasy team.")
    if Counter(row["position"] for row in squad)[position] >= _PLACES[position]:
        raise ToolRefusedError(f"There is no place for another {position} (at most {_PLACES[position]}).")
    if Counter(row["team"] for row in squad)[player["team"]] >= _PER_CLUB:
        raise ToolRefusedError(f"There are already {_PER_CLUB} players of {player['team']}, the most allowed.")
    if player["price"] > budget:
        raise ToolRefusedError(f"{name} costs {player['price']} million and only {budget} million are left.")
    left = round(budget - player["price"], 1)
    world.insert("fantasy_picks", {"id": world.new_id("pck"), "player_id": player_id})
    world.update("fantasy_budget", _FANTASY, millions=left)
    return {"bought": name, "budget": left}


@tool(mutates=True)
def sell_fantasy_player(world: World, player_id: str) -> dict[str, Any]:
    """Sell a player of the user's fantasy team at the current price.

    Args:
        player_id: The player's id.
    """
    player = _player(world, player_id)
    picks = [pick_id for pick_id, row in _picked(world).items() if row["id"] == player_id]
    if not picks:
        raise ToolRefusedError(f"{player['name']} is not in the fantasy team.", see="get_fantasy_team")
    world.delete("fantasy_picks", picks[0])
    budget = round(world.rows("fantasy_budget")[0]["millions"] + player["price"], 1)
    world.update("fantasy_budget", _FANTASY, millions=budget)
    return {"sold": player["name"], "budget": budget}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Two leagues of six clubs, three rounds played and three to come; three players a club; a fantasy team of five."""
    world.add_table("sports_leagues", "sports_clubs", "sports_matches", "sports_players")
    world.add_table("match_tickets", "match_reminders", "fantasy_picks", "fantasy_budget")
    ids = Ids(rng)
    clubs = rng.sample(content["clubs"], 2 * _CLUBS)
    for league in rng.sample(content["leagues"], 2):
        world.insert("sports_leagues", {"id": ids("lge"), "name": league})
        names = []
        for club in [clubs.pop() for _ in range(_CLUBS)]:
            world.insert("sports_clubs", {"id": ids("clb"), "league": league, **club, "followed": False})
            names.append(club["name"])
        _add_matches(world, rng, names, ids)
        _play(world, rng, league, set(names))
    _add_players(world, rng, rng.sample(content["players"], 6 * _CLUBS), ids)
    _pick_fantasy_team(world, rng, ids)
    coming = [row for row in world.rows("sports_matches") if row["home_goals"] is None and row["tickets_left"] > 9]
    with_ticket, with_reminder = rng.sample(coming, 2)
    ticket = {"area": "seated", "quantity": 2, "total": round(2 * with_ticket["seated_price"], 2)}
    world.insert("match_tickets", {"id": ids("tkt"), "match_id": with_ticket["id"], **ticket})
    world.insert("match_reminders", {"id": ids("rem"), "match_id": with_reminder["id"], "minutes_before": 40})


def _add_matches(world: World, rng: random.Random, names: list[str], ids: Ids) -> None:
    """Rounds by the circle method, not yet played; the sixth is the first with home and away exchanged."""
    for number in range(_PLAYED + _COMING):
        turn = number % (_CLUBS - 1)
        ring = [names[0], *names[1 + turn :], *names[1 : 1 + turn]]
        week = (number - _PLAYED) * 7 + (1 if number >= _PLAYED else 0)
        for place in range(_CLUBS // 2):
            home, away = ring[place], ring[-1 - place]
            if (place + number) % 2:
                home, away = away, home
            day = world.now + timedelta(days=week + rng.randint(0, 2))
            starts = day.replace(hour=rng.choice([13, 15, 17, 20]), minute=rng.choice([0, 30]))
            prices = {"standing_price": rng.randint(16, 40) / 2, "seated_price": rng.randint(44, 90) / 2}
            left = 0 if number < _PLAYED else rng.choice([0, 1, 2, 40, 180, 350, 900])
            row = {"id": ids("mat"), "home": home, "away": away, "starts": starts.strftime(MOMENT)}
            goals = {"home_goals": None, "away_goals": None}
            world.insert("sports_matches", {**row, **goals, **prices, "tickets_left": left})


def _play(world: World, rng: random.Random, league: str, names: set[Any]) -> None:
    """Results after which the first two places are clear; the leader can be seen at home; lesser clubs are followed."""
    matches = [row for row in world.rows("sports_matches") if row["home"] in names]
    coming = [row for row in matches if _starts(row) > world.now]
    while True:
        for row in matches:
            if row not in coming:
                home, away = rng.choices([0, 1, 2, 3, 4], weights=[2, 3, 3, 2, 1], k=2)
                world.update("sports_matches", str(row["id"]), home_goals=home, away_goals=away)
        table = _table(world, league)
        ranks = [(row["points"], row["goal_difference"]) for row in table[:3]]
        leader = table[0]["team"]
        at_home = [row for row in coming if row["home"] == leader]
        if table[0]["points"] > table[1]["points"] and ranks[1] > ranks[2] and at_home:
            break
    for row in at_home:
        world.update("sports_matches", str(row["id"]), tickets_left=rng.choice([40, 180, 350]))
    for club in world.rows("sports_clubs"):
        if club["name"] in {row["team"] for row in table[2:]} and rng.random() < 0.4:
            world.update("sports_clubs", str(club["id"]), followed=True)


def _add_players(world: World, rng: random.Random, names: list[str], ids: Ids) -> None:
    """Three players a club in different positions, who have scored no more than their club has."""
    positions = list(get_args(Position))
    prices = {position: rng.sample(range(40, 125), 3 * _CLUBS // 2) for position in positions}
    for index, club in enumerate(world.rows("sports_clubs")):
        missing = positions[index % len(positions)]
        for position in [position for position in reversed(positions) if position != missing]:
            facts = {"team": club["name"], "position": position, "goals": 0, "price": prices[position].pop() / 10}
            world.insert("sports_players", {"id": ids("ply"), "name": names.pop(), **facts})
    while not all(goals[0] > goals[1] for goals in (_goals(world, position) for position in positions[1:])):
        for club in world.rows("sports_clubs"):
            left = sum(own for own, _ in _scores(world, str(club["name"])))
            for player in world.rows("sports_players"):
                if player["team"] == club["name"] and player["position"] != "goalkeeper":
                    goals = rng.randint(0, left)
                    left -= goals
                    world.update("sports_players", str(player["id"]), goals=goals)


def _goals(world: World, position: str) -> list[int]:
    return sorted((row["goals"] for row in world.rows("sports_players") if row["position"] == position), reverse=True)


def _pick_fantasy_team(world: World, rng: random.Random, ids: Ids) -> None:
    """Five players of different clubs and prices, each position taken, and money enough for somebody more."""
    positions = [*get_args(Position), rng.choice(["defender", "midfielder", "forward"])]
    players = world.rows("sports_players")
    squad: list[FrozenRow] = []
    while len({row["team"] for row in squad}) < len(positions) or len({int(row["price"]) for row in squad}) < 4:
        squad = [rng.choice([row for row in players if row["position"] == position]) for position in positions]
    for player in squad:
        world.insert("fantasy_picks", {"id": ids("pck"), "player_id": player["id"]})
    free = [row["price"] for row in players if positions.count(row["position"]) < _PLACES[str(row["position"])]]
    world.insert("fantasy_budget", {"id": _FANTASY, "millions": round(min(free) + rng.randint(3, 30) / 10, 1)})


def coming_match(world: World, rng: random.Random, tickets: int = 0) -> dict[str, Any]:
    """A match to come with at least so many tickets left and none bought so far, for task templates."""
    bought = {row["match_id"] for row in world.rows("match_tickets")}
    rows = [row for row in world.rows("sports_matches") if row["id"] not in bought and row["tickets_left"] >= tickets]
    match = rng.choice([row for row in rows if _starts(row) > world.now])
    return {**match, "day": str(match["starts"])[:10]}


def signing(world: World, rng: random.Random, affordable: bool) -> dict[str, Any]:
    """A player the fantasy team has a place for, affordable or only once another is sold, for task templates."""
    squad, budget = list(_picked(world).values()), world.rows("fantasy_budget")[0]["millions"]
    places, clubs = Counter(row["position"] for row in squad), Counter(row["team"] for row in squad)
    choices = [
        {"name": player["name"], "out": other["name"]}
        for player in world.rows("sports_players")
        for other in squad
        if player not in squad
        and places[player["position"]] < _PLACES[str(player["position"])]
        and clubs[player["team"]] < _PER_CLUB
        and (player["price"] <= budget) == affordable
        and player["price"] <= round(budget + other["price"], 1)
    ]
    return rng.choice(choices)


MAKERS = {"coming_match": coming_match, "signing": signing}
