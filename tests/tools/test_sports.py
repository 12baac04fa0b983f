"""The sports tools: what each does, what each refuses, and what holds in every populated world."""

import random
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.sports import coming_match, signing

SEEDS = [*range(30), *range(100_000, 100_020)]


def match(match_id: str, home: str, away: str, starts: str, goals: tuple[int, int] | None, left: int) -> dict[str, Any]:
    row = {"id": match_id, "home": home, "away": away, "starts": starts, "home_goals": None, "away_goals": None}
    if goals:
        row |= {"home_goals": goals[0], "away_goals": goals[1]}
    return {**row, "standing_price": 9.5, "seated_price": 30.0, "tickets_left": left}


def player(player_id: str, name: str, team: str, position: str, goals: int, price: float) -> dict[str, Any]:
    return {"id": player_id, "name": name, "team": team, "position": position, "goals": goals, "price": price}


@pytest.fixture
def app() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "sports_leagues": [{"id": "lge_1", "name": "Meridian League"}],
        "sports_clubs": [
            {
                "id": f"clb_{number}",
                "league": "Meridian League",
                "name": name,
                "ground": ground,
                "followed": number == 1,
            }
            for number, (name, ground) in enumerate(
                [("Turku Otters", "Kenttä"), ("AC Lupo", "Campo"), ("Kites", "Bay")]
            )
        ],
        "sports_matches": [
            match("mat_1", "Turku Otters", "AC Lupo", "2026-05-01 15:00", (2, 1), 0),
            match("mat_2", "Kites", "Turku Otters", "2026-05-02 15:00", (1, 1), 0),
            match("mat_3", "AC Lupo", "Turku Otters", "2026-05-05 15:00", None, 3),
            match("mat_4", "Turku Otters", "Kites", "2026-05-04 09:30", None, 0),
        ],
        "sports_players": [
            player("ply_1", "Jon Åkesson", "Turku Otters", "forward", 1, 8.0),
            player("ply_2", "Luca Sala", "AC Lupo", "forward", 3, 9.5),
            player("ply_3", "Pia Kallio", "Turku Otters", "goalkeeper", 0, 4.0),
            player("ply_4", "Sten Aho", "Turku Otters", "defender", 0, 4.5),
            player("ply_5", "Bo Vik", "Kites", "goalkeeper", 0, 4.0),
        ],
        "match_tickets": [],
        "match_reminders": [{"id": "rem_1", "match_id": "mat_3", "minutes_before": 40}],
        "fantasy_picks": [{"id": "pck_1", "player_id": "ply_1"}, {"id": "pck_2", "player_id": "ply_3"}],
        "fantasy_budget": [{"id": "fantasy", "millions": 5.0}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("sports").tools)


def call(app: Environment, tool: str, **arguments: Any) -> Transition:
    return app.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(app: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(app, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_reads_show_what_is_needed_and_change_nothing(app: Environment) -> None:
    before = app.world.state_hash()
    table = result(app, "get_league_table", league="meridian league")
    assert [(row["team"], row["points"], row["goal_difference"]) for row in table] == [
        ("Turku Otters", 4, 1),
        ("Kites", 1, 0),
        ("AC Lupo", 0, -1),
    ]
    played = result(app, "list_team_matches", team="Kites", when="played")
    assert [(row["id"], row["score"]) for row in played] == [("mat_2", "1-1")]
    coming = result(app, "list_team_matches", team="turku otters")
    assert [row["id"] for row in coming] == ["mat_4", "mat_3"] and "score" not in coming[0]
    assert result(app, "get_match_details", match_id="mat_3")["ground"] == "Campo"
    assert [row["id"] for row in result(app, "search_players", position="forward")] == ["ply_2", "ply_1"]
    assert result(app, "search_players", name="akesson", team="Turku Otters")[0]["price"] == 8.0
    assert result(app, "get_fantasy_team")["budget"] == 5.0
    assert app.world.state_hash() == before


def test_tickets_and_reminders(app: Environment) -> None:
    assert result(app, "buy_match_tickets", match_id="mat_3", quantity=2, area="seated")["total"] == 60.0
    assert "left: 1" in str(call(app, "buy_match_tickets", match_id="mat_3", quantity=2).observation.content)
    assert result(app, "set_match_reminder", match_id="mat_3", minutes_before=90)["reminder_at"] == "2026-05-05 13:30"
    assert [row["minutes_before"] for row in app.world.rows("match_reminders")] == [90]
    result(app, "follow_team", team="Kites")
    result(app, "follow_team", team="AC Lupo", following=False)
    assert [row["followed"] for row in app.world.rows("sports_clubs")] == [False, False, True]


def test_nobody_gets_more_than_six_tickets_of_a_match(app: Environment) -> None:
    app.world.update("sports_matches", "mat_3", tickets_left=50)
    result(app, "buy_match_tickets", match_id="mat_3", quantity=5)
    assert "already has 5" in str(call(app, "buy_match_tickets", match_id="mat_3", quantity=2).observation.content)


def test_a_sale_pays_for_a_purchase(app: Environment) -> None:
    assert "only 5.0 million" in str(call(app, "buy_fantasy_player", player_id="ply_2").observation.content)
    assert result(app, "sell_fantasy_player", player_id="ply_1") == {"sold": "Jon Åkesson", "budget": 13.0}
    assert result(app, "buy_fantasy_player", player_id="ply_2") == {"bought": "Luca Sala", "budget": 3.5}


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_league_table", {"league": "Coral League"}, "Similar: Meridian League"),
        ("list_team_matches", {"team": "Otters"}, "Similar: Turku Otters"),
        ("buy_match_tickets", {"match_id": "mat_1", "quantity": 1}, "already been played"),
        ("buy_match_tickets", {"match_id": "mat_4", "quantity": 1}, "sold out"),
        ("set_match_reminder", {"match_id": "mat_4", "minutes_before": 30}, "already past"),
        ("set_match_reminder", {"match_id": "mat_9", "minutes_before": 30}, "no match"),
        ("follow_team", {"team": "AC Lupo"}, "already followed"),
        ("search_players", {}, "Say which"),
        ("buy_fantasy_player", {"player_id": "ply_1"}, "already in"),
        ("buy_fantasy_player", {"player_id": "ply_5"}, "no place"),
        ("buy_fantasy_player", {"player_id": "ply_4"}, "2 players of Turku Otters"),
        ("sell_fantasy_player", {"player_id": "ply_2"}, "not in"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    app: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(app, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("sports").world(seed)
    clubs = {row["name"]: row for row in world.rows("sports_clubs")}
    assert Counter(row["league"] for row in clubs.values()) == {row["name"]: 6 for row in world.rows("sports_leagues")}
    scored: Counter[str] = Counter()
    pairs = []
    for row in world.rows("sports_matches"):
        assert clubs[row["home"]]["league"] == clubs[row["away"]]["league"] and row["home"] != row["away"]
        assert (row["home_goals"] is None) == (row["starts"] > world.now.strftime("%Y-%m-%d %H:%M"))
        scored.update({row["home"]: row["home_goals"] or 0, row["away"]: row["away_goals"] or 0})
        pairs.append((row["home"], row["away"]))
    assert len(set(pairs)) == len(pairs) == 36
    assert set(Counter(name for pair in pairs for name in pair).values()) == {6}
    players = world.rows("sports_players")
    assert set(Counter(row["position"] for row in players).values()) == {9}
    assert len({row["name"] for row in players}) == len({(row["team"], row["position"]) for row in players}) == 36
    for name in clubs:
        assert sum(row["goals"] for row in players if row["team"] == name) <= scored[name]
    rng = random.Random(seed)
    assert signing(world, rng, affordable=True) and signing(world, rng, affordable=False) and coming_match(world, rng)


def test_no_name_contains_another() -> None:
    content = get_category("sports").content
    names = [row[field] for row in content["clubs"] for field in ("name", "ground")]
    names += content["players"] + content["leagues"]
    assert [
        (one, other) for one in names for other in names if one != other and one.casefold() in other.casefold()
    ] == []
    assert len(set(names)) == len(names)
