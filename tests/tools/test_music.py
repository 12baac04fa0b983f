"""The music tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.music import downloaded_artist, playlist_song

SEEDS = [*range(30), *range(100_000, 100_020)]


@pytest.fixture
def app() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    songs = [("trk_1", "Isfugl", 5), ("trk_2", "Tyttebær", 9), ("trk_3", "Mose og Regn", 4)]
    facts = {"artist": "Nordlys Kvartett", "album": "Vinterhavn", "seconds": 200}
    songs += [(f"trk_{number}", f"Étude {number}", 4) for number in range(10, 19)]
    rows: dict[str, list[dict[str, Any]]] = {
        "tracks": [{"id": key, "title": title, **facts, "megabytes": size} for key, title, size in songs],
        "playlists": [
            {"id": "pls_1", "name": "Campfire", "track_ids": ["trk_1", "trk_2"]},
            {"id": "pls_2", "name": "Full", "track_ids": [f"trk_{number}" for number in range(10, 19)] + ["trk_1"]},
            {"id": "pls_3", "name": "Empty", "track_ids": []},
        ],
        "downloaded_tracks": [{"id": "dwn_1", "track_id": "trk_1"}],
        "music_player": [
            {
                "id": "player",
                "playlist_id": "pls_1",
                "shuffle": False,
                "stop_after_minutes": None,
                "storage_megabytes": 10,
            }
        ],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("music").tools)


def call(app: Environment, tool: str, **arguments: Any) -> Transition:
    return app.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(app: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(app, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def songs(app: Environment, playlist_id: str) -> Any:
    row = app.world.get("playlists", playlist_id)
    assert row is not None
    return row["track_ids"]


def test_reads_show_what_is_needed_and_change_nothing(app: Environment) -> None:
    before = app.world.state_hash()
    found = result(app, "search_tracks", query="tyttebær")
    assert [(row["id"], row["album"]) for row in found] == [("trk_2", "Vinterhavn")]
    assert len(result(app, "search_tracks", query="nordlys")) == 8, "no more rows than a small model can read"
    assert result(app, "search_tracks", query="etude 12")[0]["id"] == "trk_12"
    assert result(app, "list_playlists")[0] == {"id": "pls_1", "name": "Campfire", "songs": 2}
    assert [row["title"] for row in result(app, "get_playlist_tracks", playlist_id="pls_1")] == ["Isfugl", "Tyttebær"]
    assert result(app, "list_downloaded_tracks")["free_megabytes"] == 5
    assert app.world.state_hash() == before


def test_playlists_grow_shrink_and_are_made(app: Environment) -> None:
    result(app, "add_track_to_playlist", playlist_id="pls_1", track_id="trk_3", at_start=True)
    result(app, "add_track_to_playlist", playlist_id="pls_1", track_id="trk_10")
    assert songs(app, "pls_1") == ["trk_3", "trk_1", "trk_2", "trk_10"]
    result(app, "remove_track_from_playlist", playlist_id="pls_1", track_id="trk_1")
    assert songs(app, "pls_1") == ["trk_3", "trk_2", "trk_10"]
    made = result(app, "create_playlist", name=" Late Ferry ", track_ids=["trk_2", "trk_1"])
    assert made["songs"] == ["Tyttebær", "Isfugl"]
    assert songs(app, made["playlist_id"]) == ["trk_2", "trk_1"]


def test_playing_replaces_what_was_playing(app: Environment) -> None:
    result(app, "start_playlist", playlist_id="pls_2", shuffle=True, stop_after_minutes=30)
    result(app, "start_playlist", playlist_id="pls_1")
    assert app.net_changes() == (), "it was playing before, in order and without a timer"


def test_downloads_need_room_which_deleting_makes(app: Environment) -> None:
    assert "only 5 MB" in str(call(app, "download_track", track_id="trk_2").observation.content)
    assert result(app, "delete_downloaded_track", track_id="trk_1")["free_megabytes"] == 10
    assert result(app, "download_track", track_id="trk_2")["free_megabytes"] == 1


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_playlist_tracks", {"playlist_id": "Campfire"}, "no playlist"),
        ("create_playlist", {"name": "campfire", "track_ids": ["trk_1"]}, "already a playlist"),
        ("create_playlist", {"name": " ", "track_ids": ["trk_1"]}, "needs a name"),
        ("create_playlist", {"name": "New", "track_ids": ["trk_1", "trk_1"]}, "only once"),
        ("create_playlist", {"name": "New", "track_ids": ["trk_99"]}, "no song"),
        ("add_track_to_playlist", {"playlist_id": "pls_1", "track_id": "trk_1"}, "already on"),
        ("add_track_to_playlist", {"playlist_id": "pls_2", "track_id": "trk_2"}, "full"),
        ("remove_track_from_playlist", {"playlist_id": "pls_1", "track_id": "trk_3"}, "not on"),
        ("start_playlist", {"playlist_id": "pls_3"}, "no songs"),
        ("download_track", {"track_id": "trk_1"}, "already downloaded"),
        ("delete_downloaded_track", {"track_id": "trk_2"}, "not downloaded"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    app: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(app, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == ()


def test_there_are_at_most_six_playlists(app: Environment) -> None:
    for name in ("One", "Two", "Three"):
        result(app, "create_playlist", name=name, track_ids=["trk_1"])
    assert "the most" in str(call(app, "create_playlist", name="Four", track_ids=["trk_1"]).observation.content)


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("music").world(seed)
    tracks = {row["id"]: row for row in world.rows("tracks")}
    assert len({row["title"] for row in tracks.values()}) == len({row["seconds"] for row in tracks.values()}) == 40
    for row in world.rows("playlists"):
        assert 4 <= len(set(row["track_ids"])) == len(row["track_ids"]) <= 7 and set(row["track_ids"]) <= set(tracks)
    saved = [tracks[row["track_id"]] for row in world.rows("downloaded_tracks")]
    assert len({row["id"] for row in saved}) == len({row["megabytes"] for row in saved}) == len(saved) == 8
    free = world.rows("music_player")[0]["storage_megabytes"] - sum(row["megabytes"] for row in saved)
    largest = max(row["megabytes"] for row in saved)
    others = [row["megabytes"] for row in tracks.values() if row not in saved]
    assert min(others) <= free and any(free < size <= free + largest for size in others)
    rng = random.Random(seed)
    assert downloaded_artist(world, rng) and playlist_song(world, rng)


def test_no_name_contains_another() -> None:
    content = get_category("music").content
    names = [row["name"] for row in content["artists"]] + content["playlists"]
    for artist in content["artists"]:
        names += [*artist["albums"], *(title for titles in artist["albums"].values() for title in titles)]
    assert [
        (one, other) for one in names for other in names if one != other and one.casefold() in other.casefold()
    ] == []
    assert len(set(names)) == len(names)
