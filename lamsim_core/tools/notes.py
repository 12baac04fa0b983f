"""Notes in notebooks, with tags, and to-do lists with due dates and priorities.

Some notes are locked: they can be read and tagged, but not changed. A note's title is the only one of its kind in its
notebook, and a list holds no open item twice. Done items cannot be changed.
"""

import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    Day,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    parse_day,
    require_listed,
    require_row,
    tool,
    view,
)

TITLE = "Notes and to-dos"
FAMILY = "office"

Priority = Literal["low", "normal", "high"]
Text = Annotated[str, Field(min_length=1)]

_MOST = 8
_FACT = re.compile(r"^The (.+?) is (\S+?)(?: [a-z ]+)?\. ")


def _note(world: World, note_id: str) -> FrozenRow:
    return require_row(world, "notes", note_id, "note", see="search_notes")


def _todo(world: World, todo_id: str) -> FrozenRow:
    row = require_row(world, "todo_items", todo_id, "to-do item", see="list_todos")
    if row["done"]:
        raise ToolRefusedError(f"'{row['text']}' is already done.")
    return row


def _refuse_twin(world: World, text: str, list_name: str) -> None:
    for row in world.rows("todo_items"):
        if row["list"] == list_name and not row["done"] and folded(str(row["text"])) == folded(text):
            raise ToolRefusedError(f"'{row['text']}' is already on the list {list_name}.")


def _due(world: World, day: str) -> str:
    if parse_day(day) < world.now.replace(hour=0, minute=0, second=0, microsecond=0):
        raise ToolRefusedError(f"{day} is in the past; today is {world.now.strftime(DAY)}.")
    return day


@tool(mutates=False)
def search_notes(
    world: World, words: str | None = None, notebook: str | None = None, tag: str | None = None
) -> list[dict[str, Any]]:
    """Find notes, at most eight.

    Args:
        words: Words of the title or the text.
        notebook: Only this notebook.
        tag: Only notes with this tag.
    """
    place = None if notebook is None else require_listed(world, "note_notebooks", notebook, "notebook")
    rows = [
        row
        for row in world.rows("notes")
        if (words is None or has_words(words, f"{row['title']} {row['text']}"))
        and place in (None, row["notebook"])
        and (tag is None or folded(tag) in row["tags"])
    ]
    return [view(row, "id", "title", "notebook", "tags") for row in rows[:_MOST]]


@tool(mutates=False)
def read_note(world: World, note_id: str) -> dict[str, Any]:
    """Read a note.

    Args:
        note_id: The note's id.
    """
    return view(_note(world, note_id), "title", "text", "notebook", "tags", "locked")


@tool(mutates=True)
def create_note(world: World, title: Text, text: Text, notebook: str, tags: list[str] | None = None) -> dict[str, Any]:
    """Write a new note. Its title must be new in the notebook.

    Args:
        title: The title.
        text: The text.
        notebook: Name of the notebook.
        tags: Tags of one word.
    """
    place = require_listed(world, "note_notebooks", notebook, "notebook")
    for row in world.rows("notes"):
        if row["notebook"] == place and folded(str(row["title"])) == folded(title):
            raise ToolRefusedError(f"The notebook {place} already has a note '{row['title']}'.")
    labels = sorted({_tag(tag) for tag in tags or []})
    note = _note_row(world.new_id("not"), title, text, place, labels)
    return view(world.insert("notes", note), "id", "title", "notebook", "tags")


def _note_row(
    note_id: str, title: str, text: str, notebook: str, tags: list[str], locked: bool = False
) -> dict[str, Any]:
    return {"id": note_id, "title": title, "text": text, "notebook": notebook, "tags": tags, "locked": locked}


def _tag(text: str) -> str:
    tag = folded(text).removeprefix("#")
    if not tag or " " in tag:
        raise ToolRefusedError(f"{text[:40]!r} is not a tag: a tag is one word.")
    return tag


@tool(mutates=True)
def append_to_note(world: World, note_id: str, text: Text) -> dict[str, Any]:
    """Add a line at the end of a note.

    Args:
        note_id: The note's id.
        text: The line.
    """
    row = _note(world, note_id)
    if row["locked"]:
        raise ToolRefusedError(f"The note '{row['title']}' is locked and cannot be changed.")
    world.update("notes", note_id, text=f"{row['text']}\n{text}")
    return {"added_to": row["title"]}


@tool(mutates=True)
def tag_note(world: World, note_id: str, tag: str, remove: bool = False) -> dict[str, Any]:
    """Give a note a tag, or take one away.

    Args:
        note_id: The note's id.
        tag: The tag, one word.
        remove: Whether the tag is taken away.
    """
    row, label = _note(world, note_id), _tag(tag)
    if (label in row["tags"]) != remove:
        raise ToolRefusedError(f"'{row['title']}' {'does not have' if remove else 'already has'} the tag {label}.")
    tags = sorted({*row["tags"]} - {label} if remove else {*row["tags"], label})
    world.update("notes", note_id, tags=tags)
    return {"title": row["title"], "tags": tags}


@tool(mutates=False)
def list_todos(
    world: World, list_name: str, status: Literal["open", "done", "all"] = "open", due_by: Day | None = None
) -> list[dict[str, Any]]:
    """List the items of a to-do list.

    Args:
        list_name: Name of the list.
        status: Which items.
        due_by: Only items due on this day or before, YYYY-MM-DD.
    """
    place = require_listed(world, "todo_lists", list_name, "to-do list")
    rows = [row for row in world.rows("todo_items") if row["list"] == place]
    if status != "all":
        rows = [row for row in rows if row["done"] == (status == "done")]
    if due_by is not None:
        parse_day(due_by)
        rows = [row for row in rows if row["due"] and str(row["due"]) <= due_by]
    fields = ("id", "text", "due", "priority", "done") if status == "all" else ("id", "text", "due", "priority")
    return [view(row, *fields) for row in rows[:_MOST]]


@tool(mutates=True)
def add_todo(
    world: World, list_name: str, text: Text, due: Day | None = None, priority: Priority = "normal"
) -> dict[str, Any]:
    """Put an item on a to-do list.

    Args:
        list_name: Name of the list.
        text: What is to be done.
        due: The day it is due, YYYY-MM-DD.
        priority: How important it is.
    """
    place = require_listed(world, "todo_lists", list_name, "to-do list")
    _refuse_twin(world, text, place)
    day = None if due is None else _due(world, due)
    item = _item(world.new_id("tdo"), text, place, day, priority)
    return view(world.insert("todo_items", item), "id", "text", "list", "due", "priority")


def _item(
    item_id: str, text: str, list_name: str, due: str | None, priority: str, done: bool = False
) -> dict[str, Any]:
    return {"id": item_id, "text": text, "list": list_name, "due": due, "priority": priority, "done": done}


@tool(mutates=True)
def update_todo(world: World, todo_id: str, due: Day | None = None, priority: Priority | None = None) -> dict[str, Any]:
    """Change the due day or the priority of an open to-do item.

    Args:
        todo_id: The item's id.
        due: The new due day, YYYY-MM-DD.
        priority: The new priority.
    """
    row = _todo(world, todo_id)
    changes = {"due": None if due is None else _due(world, due), "priority": priority}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes:
        raise ToolRefusedError("Nothing to change was given.")
    if all(row[field] == value for field, value in changes.items()):
        raise ToolRefusedError(f"This is how '{row['text']}' already is.")
    world.update("todo_items", todo_id, **changes)
    return {"text": row["text"], **changes}


@tool(mutates=True)
def move_todo(world: World, todo_id: str, list_name: str) -> dict[str, Any]:
    """Move an open to-do item to another list.

    Args:
        todo_id: The item's id.
        list_name: Name of the list it goes to.
    """
    row, place = _todo(world, todo_id), require_listed(world, "todo_lists", list_name, "to-do list")
    _refuse_twin(world, str(row["text"]), place)
    world.update("todo_items", todo_id, list=place)
    return {"moved": row["text"], "to": place}


@tool(mutates=True)
def complete_todo(world: World, todo_id: str) -> dict[str, Any]:
    """Tick off a to-do item.

    Args:
        todo_id: The item's id.
    """
    row = _todo(world, todo_id)
    world.update("todo_items", todo_id, done=True)
    return {"done": row["text"]}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Four notebooks of four notes and three to-do lists of six or seven items, a third of them done."""
    world.add_table("note_notebooks", "notes", "todo_lists", "todo_items")
    ids = Ids(rng)
    notebooks = {theme: rng.choice(names) for theme, names in content["notebooks"].items()}
    for name in notebooks.values():
        world.insert("note_notebooks", {"id": ids("nbk"), "name": name})
    chosen = []
    for theme in notebooks:
        for kind, count in (("facts", 2), ("days", 1), ("thoughts", 1)):
            chosen += rng.sample([note for note in content[kind] if note["in"] == theme], count)
    rng.shuffle(chosen)
    tags = rng.sample(content["tags"], 5)
    locks = rng.sample([True] * 4 + [False] * 12, 16)
    for note, locked in zip(chosen, locks, strict=True):
        value = rng.randint(*note["between"]) if "between" in note else day_ahead(world, rng)
        labels = sorted(rng.sample(tags, rng.choice([0, 1, 1, 2])))
        row = _note_row(
            ids("not"), note["title"], note["text"].format(value=value), notebooks[note["in"]], labels, locked
        )
        world.insert("notes", row)
    lists = rng.sample(content["lists"], 3)
    for name in lists:
        world.insert("todo_lists", {"id": ids("lst"), "name": name})
    for name in lists:
        count = rng.randint(6, 7)
        dues = [(world.now + timedelta(days=days)).strftime(DAY) for days in rng.sample(range(1, 40), count)]
        for place, (text, due) in enumerate(zip(rng.sample(content["items"][name], count), dues, strict=True)):
            priority = rng.choice(["low", "normal", "normal", "high"])
            item = _item(ids("tdo"), text, name, due if place < 4 else None, priority, done=place in (3, 5))
            world.insert("todo_items", item)


def day_ahead(world: World, rng: random.Random, after: str = "") -> str:
    """A day in the coming weeks, after another if one is given, for task templates."""
    start = parse_day(after) if after else world.now
    return (start + timedelta(days=rng.randint(3, 30))).strftime(DAY)


def fact(world: World, rng: random.Random, kind: str = "number", but: str = "") -> dict[str, Any]:
    """A note that says what some number or day is, for task templates.

    The note with ``what`` is said, ``words`` of it to search for, its ``value`` and the values of all such notes (``all``).
    """
    found = [(row, match) for row in world.rows("notes") if (match := _FACT.match(row["text"]))]
    found = [(row, match) for row, match in found if match[2].isdigit() == (kind == "number")]
    row, match = rng.choice([pair for pair in found if pair[0]["id"] != but])
    words = re.sub(r"^.* (?:of|for|with) (?:the |our |an? )?", "", match[1])
    value = int(match[2]) if kind == "number" else match[2]
    return {**row, "what": match[1], "words": words, "value": value, "all": [each[2] for _, each in found]}


def two_due(world: World, rng: random.Random) -> dict[str, Any]:
    """A list and a day by which exactly two of its open items are due, for task templates."""
    name = rng.choice(world.rows("todo_lists"))["name"]
    dues = sorted(
        str(row["due"]) for row in world.rows("todo_items") if row["list"] == name and row["due"] and not row["done"]
    )
    return {"list": name, "day": dues[1]}


MAKERS: dict[str, Callable[..., Any]] = {"day_ahead": day_ahead, "fact": fact, "two_due": two_due}
