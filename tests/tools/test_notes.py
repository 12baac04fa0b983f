"""The tools for notes and to-dos: what each does, what each refuses, and what holds in every populated world."""

import random
from collections import Counter
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.notes import MAKERS

SEEDS = [*range(40), *range(100_000, 100_010)]


@pytest.fixture
def desk() -> Environment:
    return Environment(get_category("notes").world(5), get_category("notes").tools)


def call(desk: Environment, tool: str, **arguments: Any) -> Transition:
    return desk.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(desk: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(desk, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def row(desk: Environment, table: str, **fields: Any) -> Any:
    """The first row with these fields."""
    return next(r for r in desk.world.rows(table) if all(r[key] == value for key, value in fields.items()))


def test_reads_find_what_is_there_and_change_nothing(desk: Environment) -> None:
    before = desk.world.state_hash()
    note = next(r for r in desk.world.rows("notes") if r["tags"])
    assert note["id"] in [r["id"] for r in result(desk, "search_notes", words=note["title"].upper())]
    assert note["id"] in [r["id"] for r in result(desk, "search_notes", words=note["text"].split(". ")[-1])]
    assert len(result(desk, "search_notes", notebook=note["notebook"])) == 4
    assert all(note["tags"][0] in r["tags"] for r in result(desk, "search_notes", tag=note["tags"][0]))
    assert result(desk, "read_note", note_id=note["id"])["text"] == note["text"]
    name = desk.world.rows("todo_lists")[0]["name"]
    everything = result(desk, "list_todos", list_name=name, status="all")
    assert len(everything) == len(result(desk, "list_todos", list_name=name)) + 2
    assert len(result(desk, "list_todos", list_name=name, status="done")) == 2
    due = MAKERS["two_due"](desk.world, random.Random(0))
    assert len(result(desk, "list_todos", list_name=due["list"], due_by=due["day"])) == 2
    assert desk.world.state_hash() == before


def test_notes_are_written_extended_and_tagged(desk: Environment) -> None:
    book = desk.world.rows("note_notebooks")[0]["name"]
    made = result(desk, "create_note", title="Soup", text="Hot.", notebook=book.upper(), tags=["B", "a", "#b"])
    assert made["tags"] == ["a", "b"] and made["notebook"] == book
    result(desk, "append_to_note", note_id=made["id"], text="With salt.")
    assert row(desk, "notes", title="Soup")["text"] == "Hot.\nWith salt."
    assert result(desk, "tag_note", note_id=made["id"], tag="C")["tags"] == ["a", "b", "c"]
    assert result(desk, "tag_note", note_id=made["id"], tag="a", remove=True)["tags"] == ["b", "c"]


def test_items_are_added_changed_moved_and_ticked_off(desk: Environment) -> None:
    first, second = (r["name"] for r in desk.world.rows("todo_lists")[:2])
    day = MAKERS["day_ahead"](desk.world, random.Random(0))
    made = result(desk, "add_todo", list_name=first, text="Sing", due=day, priority="high")
    assert result(desk, "update_todo", todo_id=made["id"], priority="low") == {"text": "Sing", "priority": "low"}
    assert result(desk, "move_todo", todo_id=made["id"], list_name=second) == {"moved": "Sing", "to": second}
    result(desk, "complete_todo", todo_id=made["id"])
    assert row(desk, "todo_items", text="Sing") == {
        "id": made["id"],
        "text": "Sing",
        "list": second,
        "due": day,
        "priority": "low",
        "done": True,
    }
    assert result(desk, "add_todo", list_name=second, text="Sing")["due"] is None


@pytest.mark.parametrize(
    ("tool", "where", "arguments", "reason"),
    [
        ("read_note", None, {"note_id": "not_1"}, "no note with the id"),
        ("search_notes", None, {"notebook": "Nowhere"}, "The notebooks are"),
        ("create_note", None, {"title": "a", "text": "b", "notebook": "Nowhere"}, "no notebook"),
        ("create_note", None, {"title": "{title}", "text": "b", "notebook": "{notebook}"}, "already has a note"),
        ("create_note", None, {"title": "a", "text": "b", "notebook": "{notebook}", "tags": ["a b"]}, "one word"),
        ("append_to_note", ("notes", {"locked": True}), {"text": "a"}, "is locked"),
        ("tag_note", ("notes", {"locked": True}), {"tag": "none", "remove": True}, "does not have"),
        ("list_todos", None, {"list_name": "Nowhere"}, "no to-do list"),
        ("list_todos", None, {"list_name": "{list}", "due_by": "2026-02-30"}, "not a real date"),
        ("add_todo", None, {"list_name": "{list}", "text": "{text}"}, "already on the list"),
        ("add_todo", None, {"list_name": "{list}", "text": "a", "due": "2025-01-01"}, "in the past"),
        ("update_todo", ("todo_items", {"done": False}), {}, "Nothing to change"),
        ("update_todo", ("todo_items", {"done": True}), {"priority": "high"}, "already done"),
        ("move_todo", ("todo_items", {"done": False}), {"list_name": "{list}"}, "already on the list"),
        ("complete_todo", ("todo_items", {"done": True}), {}, "already done"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    desk: Environment, tool: str, where: Any, arguments: dict[str, Any], reason: str
) -> None:
    note, item = row(desk, "notes"), row(desk, "todo_items", done=False)
    known = {"title": note["title"], "notebook": note["notebook"], "text": item["text"], "list": item["list"]}
    given = {key: value.format(**known) if isinstance(value, str) else value for key, value in arguments.items()}
    if where is not None:
        given["note_id" if where[0] == "notes" else "todo_id"] = row(desk, where[0], **where[1])["id"]
    transition = call(desk, tool, **given)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("notes").world(seed)
    notes, items = world.rows("notes"), world.rows("todo_items")
    assert len({row["id"] for table in world.tables for row in world.rows(table)}) == sum(
        len(world.rows(table)) for table in world.tables
    )
    assert len({row["title"] for row in notes}) == len(notes) == 16
    assert set(Counter(row["notebook"] for row in notes).values()) == {4}
    assert sum(row["locked"] for row in notes) == 4
    assert len({row["text"] for row in items}) == len(items)
    for name in (row["name"] for row in world.rows("todo_lists")):
        mine = [row for row in items if row["list"] == name]
        assert len(mine) <= 8 and sum(row["done"] for row in mine) == 2
        dues = [row["due"] for row in mine if row["due"]]
        assert len(set(dues)) == len(dues) == 4 and min(dues) > world.now.strftime("%Y-%m-%d")
    rng = random.Random(seed)
    one = MAKERS["fact"](world, rng)
    assert MAKERS["fact"](world, rng, but=one["id"])["id"] != one["id"] and len(one["all"]) == 8
    assert str(MAKERS["fact"](world, rng, "day")["value"]) > world.now.strftime("%Y-%m-%d")


def test_no_name_contains_another() -> None:
    """Or naming one would name the other too."""
    content = get_category("notes").content
    titles = [entry["title"] for key in ("facts", "days", "thoughts") for entry in content[key]]
    items = [item for name in content["lists"] for item in content["items"][name]]
    books = [name for names in content["notebooks"].values() for name in names]
    for pool in (titles, items, books, content["lists"], content["tags"]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
