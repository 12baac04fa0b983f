"""A music app: a catalogue of songs, the user's playlists, downloads on a small device, and what is playing.

A playlist holds each song at most once and no more than ten songs; there are at most six playlists. Downloads share
a fixed storage. Playing a playlist replaces what was playing before.
"""

import random
from typing import Annotated, Any

from pydantic import Field

from lamsim_core.environment import (
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    require_row,
    tool,
    view,
)

TITLE = "Music"
FAMILY = "leisure"

_ROWS = 8
"""The most rows a search gives."""
_PLAYLIST_SONGS = 10
_PLAYLISTS = 6
_DOWNLOADS = 8
_PLAYER = "player"
"""Id of the one row of the table ``music_player``."""

PlaylistName = Annotated[str, Field(min_length=1, max_length=60)]


def _track(world: World, track_id: str) -> FrozenRow:
    return require_row(world, "tracks", track_id, "song", see="search_tracks")


def _playlist(world: World, playlist_id: str) -> FrozenRow:
    return require_row(world, "playlists", playlist_id, "playlist", see="list_playlists")


def _storage(world: World) -> tuple[int, int]:
    """Megabytes in use, and megabytes still free."""
    used = sum(_track(world, str(row["track_id"]))["megabytes"] for row in world.rows("downloaded_tracks"))
    capacity = world.rows("music_player")[0]["storage_megabytes"]
    return used, capacity - used


@tool(mutates=False)
def search_tracks(world: World, query: str) -> list[dict[str, Any]]:
    """Search songs by words of the title, the artist or the album.

    Args:
        query: Words to look for.
    """
    found = [row for row in world.rows("tracks") if has_words(query, f"{row['title']} {row['artist']} {row['album']}")]
    found.sort(key=lambda row: (folded(str(row["title"])) != folded(query), str(row["album"]), str(row["title"])))
    return [view(row, "id", "title", "artist", "album", "seconds") for row in found[:_ROWS]]


@tool(mutates=False)
def list_playlists(world: World) -> list[dict[str, Any]]:
    """List the user's playlists with their ids."""
    return [{**view(row, "id", "name"), "songs": len(row["track_ids"])} for row in world.rows("playlists")]


@tool(mutates=False)
def get_playlist_tracks(world: World, playlist_id: str) -> list[dict[str, Any]]:
    """List the songs of a playlist in their order.

    Args:
        playlist_id: The playlist's id.
    """
    tracks = [_track(world, track_id) for track_id in _playlist(world, playlist_id)["track_ids"]]
    return [view(row, "id", "title", "artist", "seconds") for row in tracks]


@tool(mutates=True)
def create_playlist(
    world: World, name: PlaylistName, track_ids: Annotated[list[str], Field(min_length=1, max_length=_PLAYLIST_SONGS)]
) -> dict[str, Any]:
    """Make a new playlist.

    Args:
        name: Its name.
        track_ids: Ids of its songs, in order.
    """
    name, rows = name.strip(), world.rows("playlists")
    if not name:
        raise ToolRefusedError("The playlist needs a name.")
    if folded(name) in {folded(str(row["name"])) for row in rows}:
        raise ToolRefusedError(f"There is already a playlist named {name!r}.")
    if len(rows) >= _PLAYLISTS:
        raise ToolRefusedError(f"There are already {_PLAYLISTS} playlists, the most one can have.")
    titles = [_track(world, track_id)["title"] for track_id in track_ids]
    if len(set(track_ids)) < len(track_ids):
        raise ToolRefusedError("A playlist holds each song only once.")
    row = {"id": world.new_id("pls"), "name": name, "track_ids": track_ids}
    world.insert("playlists", row)
    return {"playlist_id": row["id"], "name": name, "songs": titles}


@tool(mutates=True)
def add_track_to_playlist(world: World, playlist_id: str, track_id: str, at_start: bool = False) -> dict[str, Any]:
    """Add a song to a playlist.

    Args:
        playlist_id: The playlist's id.
        track_id: The song's id.
        at_start: Put it first instead of last.
    """
    playlist, track = _playlist(world, playlist_id), _track(world, track_id)
    songs = list(playlist["track_ids"])
    if track_id in songs:
        raise ToolRefusedError(f"{track['title']} is already on {playlist['name']}.")
    if len(songs) >= _PLAYLIST_SONGS:
        raise ToolRefusedError(f"{playlist['name']} is full: a playlist holds at most {_PLAYLIST_SONGS} songs.")
    world.update("playlists", playlist_id, track_ids=[track_id, *songs] if at_start else [*songs, track_id])
    return {"added": track["title"], "playlist": playlist["name"], "songs": len(songs) + 1}


@tool(mutates=True)
def remove_track_from_playlist(world: World, playlist_id: str, track_id: str) -> dict[str, Any]:
    """Take a song off a playlist.

    Args:
        playlist_id: The playlist's id.
        track_id: The song's id.
    """
    playlist, track = _playlist(world, playlist_id), _track(world, track_id)
    songs = [song for song in playlist["track_ids"] if song != track_id]
    if len(songs) == len(playlist["track_ids"]):
        raise ToolRefusedError(f"{track['title']} is not on {playlist['name']}.", see="get_playlist_tracks")
    world.update("playlists", playlist_id, track_ids=songs)
    return {"removed": track["title"], "playlist": playlist["name"], "songs": len(songs)}


@tool(mutates=True)
def start_playlist(
    world: World,
    playlist_id: str,
    shuffle: bool = False,
    stop_after_minutes: Annotated[int, Field(ge=5, le=240)] | None = None,
) -> dict[str, Any]:
    """Play a playlist now.

    Args:
        playlist_id: The playlist's id.
        shuffle: Play it in random order.
        stop_after_minutes: Sleep timer: after how many minutes the music stops.
    """
    playlist = _playlist(world, playlist_id)
    if not playlist["track_ids"]:
        raise ToolRefusedError(f"{playlist['name']} has no songs to play.")
    state = {"playlist_id": playlist_id, "shuffle": shuffle, "stop_after_minutes": stop_after_minutes}
    world.update("music_player", _PLAYER, **state)
    return {"playing": playlist["name"], "shuffle": shuffle, "stop_after_minutes": stop_after_minutes}


@tool(mutates=False)
def list_downloaded_tracks(world: World) -> dict[str, Any]:
    """List the songs saved for offline use, with their sizes and the free storage."""
    tracks = [_track(world, str(row["track_id"])) for row in world.rows("downloaded_tracks")]
    free = _storage(world)[1]
    return {"songs": [view(row, "id", "title", "artist", "megabytes") for row in tracks], "free_megabytes": free}


@tool(mutates=True)
def download_track(world: World, track_id: str) -> dict[str, Any]:
    """Save a song on the device for offline use.

    Args:
        track_id: The song's id.
    """
    track = _track(world, track_id)
    if any(row["track_id"] == track_id for row in world.rows("downloaded_tracks")):
        raise ToolRefusedError(f"{track['title']} is already downloaded.")
    free = _storage(world)[1]
    if track["megabytes"] > free:
        raise ToolRefusedError(
            f"Not enough storage: the song needs {track['megabytes']} MB and only {free} MB are free."
        )
    world.insert("downloaded_tracks", {"id": world.new_id("dwn"), "track_id": track_id})
    return {"downloaded": track["title"], "free_megabytes": free - track["megabytes"]}


@tool(mutates=True)
def delete_downloaded_track(world: World, track_id: str) -> dict[str, Any]:
    """Delete a downloaded song from the device; it stays in playlists.

    Args:
        track_id: The song's id.
    """
    track = _track(world, track_id)
    saved = [str(row["id"]) for row in world.rows("downloaded_tracks") if row["track_id"] == track_id]
    if not saved:
        raise ToolRefusedError(f"{track['title']} is not downloaded.", see="list_downloaded_tracks")
    world.delete("downloaded_tracks", saved[0])
    return {"deleted": track["title"], "free_megabytes": _storage(world)[1]}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Eight artists with two albums each, three or four playlists, and a device nearly full of songs of different sizes."""
    world.add_table("tracks", "playlists", "downloaded_tracks", "music_player")
    ids = Ids(rng)
    artists = rng.sample(content["artists"], 8)
    songs = [
        {"title": title, "artist": artist["name"], "album": album}
        for artist in artists
        for album, titles in artist["albums"].items()
        for title in titles
    ]
    rng.shuffle(songs)
    for song, seconds in zip(songs, rng.sample(range(122, 390), len(songs)), strict=True):
        world.insert("tracks", {"id": ids("trk"), **song, "seconds": seconds, "megabytes": rng.randint(4, 15)})
    tracks = [str(row["id"]) for row in world.rows("tracks")]
    for name in rng.sample(content["playlists"], rng.choice([3, 3, 4])):
        world.insert("playlists", {"id": ids("pls"), "name": name, "track_ids": rng.sample(tracks, rng.randint(4, 7))})
    favourites = {artist["name"] for artist in artists[:2]}
    saved = [str(row["id"]) for row in world.rows("tracks") if row["artist"] in favourites and rng.random() < 0.7]
    saved += [track_id for track_id in rng.sample(tracks, len(tracks)) if track_id not in saved]
    for track_id, megabytes in zip(saved, rng.sample(range(4, 16), _DOWNLOADS), strict=False):
        world.update("tracks", track_id, megabytes=megabytes)
        world.insert("downloaded_tracks", {"id": ids("dwn"), "track_id": track_id})
    used = sum(_track(world, str(row["track_id"]))["megabytes"] for row in world.rows("downloaded_tracks"))
    playing = {"playlist_id": rng.choice(world.rows("playlists"))["id"], "shuffle": False, "stop_after_minutes": None}
    world.insert("music_player", {"id": _PLAYER, **playing, "storage_megabytes": used + rng.randint(5, 8)})


def downloaded_artist(world: World, rng: random.Random) -> str:
    """An artist of whom two songs or more are downloaded, but not all downloads, for task templates."""
    artists = [str(_track(world, str(row["track_id"]))["artist"]) for row in world.rows("downloaded_tracks")]
    return rng.choice(sorted({name for name in artists if 1 < artists.count(name) < len(artists)}))


def playlist_song(world: World, rng: random.Random) -> dict[str, Any]:
    """A song on a playlist, and another playlist without it, for task templates."""
    rows = world.rows("playlists")
    rng.shuffle(rows)
    choices = [
        (source, track_id, target)
        for source in rows
        for track_id in source["track_ids"]
        for target in rows
        if track_id not in target["track_ids"]
    ]
    source, track_id, target = rng.choice(choices)
    return {"playlist": source["name"], "title": _track(world, track_id)["title"], "other": target["name"]}


MAKERS = {"downloaded_artist": downloaded_artist, "playlist_song": playlist_song}
