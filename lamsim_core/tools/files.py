"""A cloud drive: folders with files, sharing by role, locked files, a trash to restore from, and a storage limit.

Files belong to the user ("me") or were shared by somebody else; only an owner may move, rename, lock, share or trash a
file. A locked file cannot be moved, renamed or trashed. Two files of one name cannot be in one folder. The trash takes
no storage, so restoring needs room.
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

TITLE = "Files"
FAMILY = "office"

Kind = Literal["document", "spreadsheet", "presentation", "image", "video", "pdf"]
Role = Literal["viewer", "commenter", "editor"]
FileName = Annotated[str, Field(min_length=1, max_length=80)]

_ME = "me"
_DRIVE = "drive"
# How many files of a kind a drive holds, their extension, and sizes in tenths of a megabyte.
_KINDS: dict[str, tuple[int, str, tuple[int, int]]] = {
    "document": (6, "docx", (2, 80)),
    "spreadsheet": (4, "xlsx", (3, 120)),
    "presentation": (3, "pptx", (30, 600)),
    "image": (4, "jpg", (15, 250)),
    "video": (4, "mp4", (3000, 9000)),
    "pdf": (4, "pdf", (5, 350)),
}
_SMALL_VIDEO = (1200, 2900)
"""The video in the trash: larger than the room that is left, smaller than any video outside."""


def _file(world: World, file_id: str) -> FrozenRow:
    return require_row(world, "drive_files", file_id, "file", see="search_files")


def _own(world: World, file_id: str, action: str) -> FrozenRow:
    """A file of the user's that is not in the trash."""
    row = _file(world, file_id)
    if row["trashed"]:
        raise ToolRefusedError(f"{row['name']} is in the trash.")
    if row["owner"] != _ME:
        raise ToolRefusedError(f"{row['name']} belongs to {row['owner']}; only the owner can {action} it.")
    return row


def _unlocked(world: World, file_id: str, action: str) -> FrozenRow:
    row = _own(world, file_id, action)
    if row["locked"]:
        raise ToolRefusedError(f"{row['name']} is locked; unlock it before you {action} it.")
    return row


def _refuse_twin(world: World, name: str, folder: str, but: str) -> None:
    """Refuse a name that another file of the folder has."""
    for row in world.rows("drive_files"):
        same = folded(str(row["name"])) == folded(name) and row["folder"] == folder
        if same and row["id"] != but and not row["trashed"]:
            raise ToolRefusedError(f"The folder {folder} already holds a file named {row['name']}.")


def _storage(world: World) -> tuple[float, float]:
    """The storage limit and what the user's files take of it, in megabytes."""
    limit = world.rows("drive_storage")[0]["limit_mb"]
    own = [row["size_mb"] for row in world.rows("drive_files") if row["owner"] == _ME and not row["trashed"]]
    return float(limit), float(round(sum(own), 1))


@tool(mutates=False)
def search_files(world: World, query: str, in_trash: bool = False) -> list[dict[str, Any]]:
    """Find files whose name contains all the given words.

    Args:
        query: Words of the file name.
        in_trash: Search the trash instead of the folders.
    """
    if not query.strip():
        raise ToolRefusedError("Give at least one word of the file name.")
    found = [
        row for row in world.rows("drive_files") if row["trashed"] == in_trash and has_words(query, str(row["name"]))
    ]
    return [view(row, "id", "name", "folder", "size_mb") for row in found]


@tool(mutates=False)
def list_folder_files(world: World, folder: str, kind: Kind | None = None) -> list[dict[str, Any]]:
    """List the files in a folder.

    Args:
        folder: Name of the folder.
        kind: Only files of this kind.
    """
    name = require_named(world, "drive_folders", folder, "folder")["name"]
    rows = [row for row in world.rows("drive_files") if row["folder"] == name and not row["trashed"]]
    return [view(row, "id", "name", "size_mb", "modified") for row in rows if kind in (None, row["kind"])]


@tool(mutates=False)
def get_file_details(world: World, file_id: str) -> dict[str, Any]:
    """Show who owns a file, when it was modified, whether it is locked, and with whom it is shared.

    Args:
        file_id: The file's id.
    """
    row = _file(world, file_id)
    shares = [view(share, "person", "role") for share in world.rows("drive_shares") if share["file_id"] == file_id]
    return {**view(row, "name", "owner", "modified", "locked"), "shared_with": shares}


@tool(mutates=True)
def move_file(world: World, file_id: str, folder: str) -> dict[str, Any]:
    """Move a file to another folder.

    Args:
        file_id: The file's id.
        folder: Name of the folder to move it to.
    """
    row, target = _unlocked(world, file_id, "move"), require_named(world, "drive_folders", folder, "folder")
    if row["folder"] == target["name"]:
        raise ToolRefusedError(f"{row['name']} is already in {target['name']}.")
    _refuse_twin(world, str(row["name"]), str(target["name"]), but=file_id)
    world.update("drive_files", file_id, folder=target["name"])
    return {"moved": row["name"], "folder": target["name"]}


@tool(mutates=True)
def rename_file(world: World, file_id: str, new_name: FileName) -> dict[str, Any]:
    """Give a file another name.

    Args:
        file_id: The file's id.
        new_name: The new name, with the same ending as before.
    """
    row, name = _unlocked(world, file_id, "rename"), new_name.strip()
    ending = "." + str(row["name"]).rsplit(".", 1)[-1]
    if not name.casefold().endswith(ending) or len(name) == len(ending):
        raise ToolRefusedError(f"The new name must end in {ending}, like the old one.")
    if name == row["name"]:
        raise ToolRefusedError(f"The file is already named {name}.")
    _refuse_twin(world, name, str(row["folder"]), but=file_id)
    world.update("drive_files", file_id, name=name)
    return {"old_name": row["name"], "new_name": name}


@tool(mutates=True)
def share_file(
    world: World, file_id: str, people: Annotated[list[str], Field(min_length=1, max_length=5)], role: Role
) -> dict[str, Any]:
    """Share a file with one or more people, or change their role.

    Args:
        file_id: The file's id.
        people: Full names of the people.
        role: What they may do with the file.
    """
    row = _own(world, file_id, "share")
    names = list(dict.fromkeys(str(require_named(world, "drive_people", name, "person")["name"]) for name in people))
    shares = {str(share["person"]): share for share in world.rows("drive_shares") if share["file_id"] == file_id}
    for name in names:
        if name not in shares:
            world.insert("drive_shares", {"id": world.new_id("shr"), "file_id": file_id, "person": name, "role": role})
        elif shares[name]["role"] == role:
            raise ToolRefusedError(f"{name} is already {role} of {row['name']}.")
        else:
            world.update("drive_shares", str(shares[name]["id"]), role=role)
    return {"shared": row["name"], "with": names, "role": role}


@tool(mutates=True)
def set_file_lock(world: World, file_id: str, locked: bool) -> dict[str, Any]:
    """Lock a file, so that it cannot be moved, renamed or trashed, or unlock it.

    Args:
        file_id: The file's id.
        locked: True to lock it, false to unlock it.
    """
    row = _own(world, file_id, "lock or unlock")
    if row["locked"] == locked:
        raise ToolRefusedError(f"{row['name']} is already {'locked' if locked else 'unlocked'}.")
    world.update("drive_files", file_id, locked=locked)
    return {"file": row["name"], "locked": locked}


@tool(mutates=True)
def trash_file(world: World, file_id: str) -> dict[str, Any]:
    """Put a file into the trash.

    Args:
        file_id: The file's id.
    """
    row = _unlocked(world, file_id, "trash")
    world.update("drive_files", file_id, trashed=True)
    return {"trashed": row["name"], "freed_mb": row["size_mb"]}


@tool(mutates=True)
def restore_file(world: World, file_id: str) -> dict[str, Any]:
    """Bring a file back from the trash to the folder it was in.

    Args:
        file_id: The file's id.
    """
    row = _file(world, file_id)
    if not row["trashed"]:
        raise ToolRefusedError(f"{row['name']} is not in the trash.")
    limit, used = _storage(world)
    free = round(limit - used, 1)
    if row["size_mb"] > free:
        raise ToolRefusedError(f"{row['name']} needs {row['size_mb']} MB and only {free} MB are free.")
    _refuse_twin(world, str(row["name"]), str(row["folder"]), but=file_id)
    world.update("drive_files", file_id, trashed=False)
    return {"restored": row["name"], "folder": row["folder"]}


@tool(mutates=False)
def review_storage(world: World, top: Annotated[int, Field(ge=1, le=8)] = 3) -> dict[str, Any]:
    """Show how much storage is used and free, and the user's biggest files.

    Args:
        top: How many of the biggest files to show.
    """
    limit, used = _storage(world)
    own = [row for row in world.rows("drive_files") if row["owner"] == _ME and not row["trashed"]]
    own.sort(key=lambda row: float(row["size_mb"]), reverse=True)
    biggest = [view(row, "id", "name", "size_mb") for row in own[:top]]
    return {"limit_mb": limit, "used_mb": used, "free_mb": round(limit - used, 1), "biggest": biggest}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Five folders with some twenty files, two of them with a namesake in another folder, and four files in the trash."""
    world.add_table("drive_folders", "drive_files", "drive_shares", "drive_people", "drive_storage")
    ids = Ids(rng)
    people = rng.sample(content["people"], 8)
    for name in people:
        world.insert("drive_people", {"id": ids("per"), "name": name})
    folders = rng.sample(content["folders"], 5)
    for name in folders:
        world.insert("drive_folders", {"id": ids("fol"), "name": name})
    files = _files(world, rng, content, folders, people)
    for row in files:
        world.insert("drive_files", {"id": ids("fil"), **row})
    _share(world, rng, people, ids)
    used = sum(row["size_mb"] for row in files if row["owner"] == _ME and not row["trashed"])
    # 40 to 90 megabytes are left: enough for anything in the trash but the video.
    world.insert("drive_storage", {"id": _DRIVE, "limit_mb": (used + 90) // 50 * 50})


def _files(
    world: World, rng: random.Random, content: dict[str, Any], folders: list[str], people: list[str]
) -> list[dict[str, Any]]:
    """The files without ids. Sizes and days differ, so that 'the biggest' and 'the newest' are clear."""
    days = iter(rng.sample(range(1, 400), 30))
    sizes: set[float] = set()
    kept: list[dict[str, Any]] = []
    trash: list[dict[str, Any]] = []
    twins: list[dict[str, Any]] = []
    for kind, (count, ending, bounds) in _KINDS.items():
        for index, stem in enumerate(rng.sample(content[f"{kind}s"], count)):
            trashed = index == 0 and kind in ("document", "image", "video", "pdf")
            size = _new_size(rng, _SMALL_VIDEO if trashed and kind == "video" else bounds, sizes)
            owner = _ME if trashed or kind == "video" or rng.random() < 0.8 else rng.choice(people)
            row = {"name": f"{stem}.{ending}", "kind": kind, "size_mb": size, "owner": owner}
            row["modified"] = (world.now - timedelta(days=next(days))).strftime(DAY)
            row["locked"] = owner == _ME and not trashed and index > 1 and rng.random() < 0.25
            (trash if trashed else kept).append({**row, "trashed": trashed})
            if index == 1 and kind in ("document", "spreadsheet"):
                size, day = _new_size(rng, bounds, sizes), world.now - timedelta(days=next(days))
                kept[-1]["owner"] = _ME
                twins.append({**kept[-1], "size_mb": size, "modified": day.strftime(DAY)})
    lockable = [row for row in kept if row["owner"] == _ME and row["kind"] in ("image", "pdf", "presentation")]
    rng.choice(lockable)["locked"] = True
    rng.shuffle(kept)
    while not _has_pair([str(row["kind"]) for row in kept]):
        rng.shuffle(kept)
    placed = [{**row, "folder": folders[index % 5]} for index, row in enumerate(kept)]
    placed += [{**row, "folder": rng.choice(folders)} for row in trash]
    for row in twins:
        taken = next(other["folder"] for other in placed if other["name"] == row["name"])
        placed.append({**row, "folder": rng.choice([name for name in folders if name != taken])})
    rng.shuffle(placed)
    return placed


def _has_pair(kinds: list[str]) -> bool:
    """Whether a fifth of the files, every fifth of them, holds two of a kind other than documents."""
    held = [kinds[index::5] for index in range(5)]
    return any(group.count(kind) > 1 for group in held for kind in set(group) - {"document"})


def _new_size(rng: random.Random, bounds: tuple[int, int], taken: set[float]) -> float:
    while True:
        size = rng.randint(*bounds) / 10
        if size not in taken:
            taken.add(size)
            return size


def _share(world: World, rng: random.Random, people: list[str], ids: Ids) -> None:
    """Three to five others per file for half of the files; the owner is none of them."""
    for row in world.rows("drive_files"):
        if rng.random() < 0.5 and not row["trashed"]:
            others = [name for name in people if name != row["owner"]]
            for name in rng.sample(others, rng.randint(3, 5)):
                role = rng.choice(["viewer", "commenter", "editor", "editor"])
                world.insert("drive_shares", {"id": ids("shr"), "file_id": row["id"], "person": name, "role": role})


def file_to_move(world: World, rng: random.Random, taken: bool) -> dict[str, Any]:
    """A file that may be moved, and a folder that holds another of its name (``taken``) or not, for task templates."""
    rows = [row for row in world.rows("drive_files") if not row["trashed"]]
    places = {(row["folder"], row["name"]) for row in rows}
    folders = [folder["name"] for folder in world.rows("drive_folders")]
    found = [
        {**row, "target": folder}
        for row in rows
        for folder in folders
        if row["owner"] == _ME and not row["locked"] and folder != row["folder"]
        if ((folder, row["name"]) in places) == taken
    ]
    return rng.choice(found)


def several_of_a_kind(world: World, rng: random.Random) -> dict[str, Any]:
    """A folder and a kind (not documents, a word that might mean all) of which it holds several files beside others."""
    kinds: dict[str, list[str]] = {}
    for row in world.rows("drive_files"):
        if not row["trashed"]:
            kinds.setdefault(str(row["folder"]), []).append(str(row["kind"]))
    pairs = [
        (folder, kind)
        for folder, held in kinds.items()
        for kind in set(held) - {"document"}
        if 1 < held.count(kind) < len(held)
    ]
    folder, kind = rng.choice(sorted(pairs))
    return {"folder": folder, "kind": kind}


MAKERS = {"file_to_move": file_to_move, "several_of_a_kind": several_of_a_kind}
