"""The cloud drive: what its tools do and refuse, and what holds in every populated drive."""

from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(30), *range(100_000, 100_020)]


def file(number: int, name: str, folder: str, size: float, **more: Any) -> dict[str, Any]:
    row = {"id": f"fil_{number}", "name": name, "kind": "document", "size_mb": size, "owner": "me", "folder": folder}
    return {**row, "modified": "2026-03-01", "locked": False, "trashed": False, **more}


@pytest.fixture
def drive() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "drive_people": [{"id": "per_1", "name": "Elif Yıldız"}, {"id": "per_2", "name": "Wei Lin"}],
        "drive_folders": [{"id": "fol_1", "name": "Drafts"}, {"id": "fol_2", "name": "Legal"}],
        "drive_files": [
            file(1, "Style handbook.docx", "Drafts", 4.0),
            file(2, "Style handbook.docx", "Legal", 5.0),
            file(3, "Bird atlas.pdf", "Drafts", 20.0, kind="pdf", locked=True),
            file(4, "Visa form.pdf", "Drafts", 1.0, kind="pdf", owner="Wei Lin"),
            file(5, "Baby steps.mp4", "Legal", 80.0, kind="video", trashed=True),
            file(6, "Visa form.pdf", "Drafts", 2.0, kind="pdf", trashed=True),
        ],
        "drive_shares": [{"id": "shr_1", "file_id": "fil_1", "person": "Wei Lin", "role": "viewer"}],
        "drive_storage": [{"id": "drive", "limit_mb": 100.0}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("files").tools)


def call(drive: Environment, tool: str, **arguments: Any) -> Transition:
    return drive.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(drive: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(drive, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_reads(drive: Environment) -> None:
    assert [row["id"] for row in result(drive, "search_files", query="style HANDBOOK")] == ["fil_1", "fil_2"]
    assert [row["id"] for row in result(drive, "search_files", query="visa form.pdf", in_trash=True)] == ["fil_6"]
    assert [row["id"] for row in result(drive, "list_folder_files", folder="drafts", kind="pdf")] == ["fil_3", "fil_4"]
    assert result(drive, "get_file_details", file_id="fil_1")["shared_with"] == [
        {"person": "Wei Lin", "role": "viewer"}
    ]
    storage = result(drive, "review_storage", top=1)
    assert (storage["used_mb"], storage["free_mb"]) == (29.0, 71.0)
    assert storage["biggest"] == [{"id": "fil_3", "name": "Bird atlas.pdf", "size_mb": 20.0}]


def test_a_taken_name_must_be_changed_before_moving(drive: Environment) -> None:
    assert "already holds" in str(call(drive, "move_file", file_id="fil_1", folder="Legal").observation.content)
    result(drive, "rename_file", file_id="fil_1", new_name="Second version.docx")
    assert result(drive, "move_file", file_id="fil_1", folder="legal") == {
        "moved": "Second version.docx",
        "folder": "Legal",
    }


def test_a_locked_file_is_unlocked_first(drive: Environment) -> None:
    for tool, more in (
        ("trash_file", {}),
        ("rename_file", {"new_name": "Birds.pdf"}),
        ("move_file", {"folder": "Legal"}),
    ):
        assert "is locked" in str(call(drive, tool, file_id="fil_3", **more).observation.content)
    result(drive, "set_file_lock", file_id="fil_3", locked=False)
    assert result(drive, "trash_file", file_id="fil_3") == {"trashed": "Bird atlas.pdf", "freed_mb": 20.0}


def test_restoring_needs_room(drive: Environment) -> None:
    assert "only 71.0 MB are free" in str(call(drive, "restore_file", file_id="fil_5").observation.content)
    result(drive, "set_file_lock", file_id="fil_3", locked=False)
    result(drive, "trash_file", file_id="fil_3")
    assert result(drive, "restore_file", file_id="fil_5") == {"restored": "Baby steps.mp4", "folder": "Legal"}


def test_sharing_adds_people_and_changes_roles(drive: Environment) -> None:
    result(drive, "share_file", file_id="fil_1", people=["wei lin", "elif yıldız", "Wei Lin"], role="editor")
    shared = result(drive, "get_file_details", file_id="fil_1")["shared_with"]
    assert shared == [{"person": "Wei Lin", "role": "editor"}, {"person": "Elif Yıldız", "role": "editor"}]


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_files", {"query": " "}, "at least one word"),
        ("list_folder_files", {"folder": "Nowhere"}, "no folder named"),
        ("get_file_details", {"file_id": "Drafts"}, "search_files"),
        ("move_file", {"file_id": "fil_1", "folder": "Drafts"}, "already in"),
        ("move_file", {"file_id": "fil_4", "folder": "Legal"}, "only the owner can move"),
        ("rename_file", {"file_id": "fil_1", "new_name": "Guide.pdf"}, "must end in .docx"),
        ("rename_file", {"file_id": "fil_1", "new_name": ".docx"}, "must end in .docx"),
        ("rename_file", {"file_id": "fil_5", "new_name": "Film.mp4"}, "in the trash"),
        ("share_file", {"file_id": "fil_1", "people": ["Wei Lin"], "role": "viewer"}, "already viewer"),
        ("share_file", {"file_id": "fil_1", "people": ["Elif Yıldız", "Wei Lin"], "role": "viewer"}, "already viewer"),
        ("share_file", {"file_id": "fil_1", "people": ["Nobody"], "role": "viewer"}, "no person named"),
        ("set_file_lock", {"file_id": "fil_1", "locked": False}, "already unlocked"),
        ("trash_file", {"file_id": "fil_5"}, "in the trash"),
        ("restore_file", {"file_id": "fil_1"}, "not in the trash"),
        ("restore_file", {"file_id": "fil_6"}, "already holds"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    drive: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(drive, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_drives_hold_their_invariants(seed: int) -> None:
    world = get_category("files").world(seed)
    files, folders = world.rows("drive_files"), {row["name"] for row in world.rows("drive_folders")}
    kept = [row for row in files if not row["trashed"]]
    places = [(row["folder"], row["name"]) for row in files]
    assert len(set(places)) == len(places) and {row["folder"] for row in files} <= folders
    assert len({row["size_mb"] for row in files}) == len({row["modified"] for row in files}) == len(files)
    assert max(sum(row["folder"] == name for row in kept) for name in folders) <= 8
    used = sum(row["size_mb"] for row in kept if row["owner"] == "me")
    free = world.rows("drive_storage")[0]["limit_mb"] - used
    trash = [row for row in files if row["trashed"]]
    assert {row["kind"] == "video" for row in trash if row["size_mb"] > free} == {True}
    assert all((row["kind"] == "video") == (row["size_mb"] > free) for row in trash)
    assert all(row["owner"] == "me" for row in files if row["locked"] or row["trashed"])
    assert any(row["locked"] for row in files)
    owners = {row["id"]: row["owner"] for row in files}
    shares = [(row["file_id"], row["person"]) for row in world.rows("drive_shares")]
    assert len(set(shares)) == len(shares) and all(owners[file_id] != person for file_id, person in shares)


def test_no_name_contains_another() -> None:
    content = get_category("files").content
    names = [name.casefold() for key, group in content.items() if key != "held_out" for name in group]
    assert [(a, b) for a in names for b in names if a != b and a in b] == []
    assert len(set(names)) == len(names)
