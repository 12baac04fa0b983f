"""The benchmark's tasks, read from its files."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamsim_core.evaluate.bfcl.categories import ADDED_FUNCTIONS, MULTI_TURN, answered
from lamsim_core.evaluate.bfcl.pack import answers_file, functions_file, tasks_file
from lamsim_core.models.backend import Message

Function = dict[str, Any]
"""A function as the benchmark describes it: ``name``, ``description``, ``parameters`` with its own names of types."""
Accepted = dict[str, dict[str, list[Any]]]
"""One expected call: its name, and for each parameter the values that count as right; ``""`` among them: may be left out."""


@dataclass(frozen=True)
class Conversation:
    """What a task of several turns acts on, and what is right."""

    classes: tuple[str, ...]
    """Names of the classes, in the benchmark's order: of two functions of one name the later is meant."""
    initial: dict[str, Any]
    """The initial state of each class."""
    gold: tuple[tuple[str, ...], ...]
    """For each turn the reference's calls, in Python's syntax."""
    long_context: bool
    """Whether the objects hold much more than is needed."""
    added: dict[int, tuple[Function, ...]] = field(default_factory=dict)
    """Functions that are offered from a turn on only."""


@dataclass(frozen=True)
class Item:
    """One task."""

    id: str
    category: str
    turns: tuple[tuple[Message, ...], ...]
    """What is said before each turn of the agent; one turn unless there is a ``conversation``."""
    functions: tuple[Function, ...]
    """What is offered at first."""
    accepted: tuple[Accepted, ...] = ()
    """The calls that are right, in a task of one turn."""
    conversation: Conversation | None = None


def load_items(pack: Path, category: str) -> list[Item]:
    """Every task of a category, in the order of the file.

    Args:
        pack: from ``ensure_pack``.
        category: one of ``CATEGORIES``.
    """
    answers = (
        {entry["id"]: entry["ground_truth"] for entry in _lines(pack / answers_file(category))}
        if (answered(category))
        else {}
    )
    entries = _lines(pack / tasks_file(category))
    if category in MULTI_TURN:
        return [_conversation(pack, category, entry, answers[entry["id"]]) for entry in entries]
    return [
        Item(
            id=entry["id"],
            category=category,
            turns=_turns(entry),
            functions=tuple(entry["function"]),
            accepted=tuple(answers.get(entry["id"], ())),
        )
        for entry in entries
    ]


def spread(items: list[Item], limit: int | None) -> list[Item]:
    """At most ``limit`` tasks, evenly spread over the file: neighbours there resemble each other."""
    if limit is None or limit >= len(items):
        return items
    return [items[place * len(items) // limit] for place in range(limit)]


def _conversation(pack: Path, category: str, entry: dict[str, Any], gold: list[list[str]]) -> Item:
    classes = tuple(entry["involved_classes"])
    functions = {each["name"]: each for name in classes for each in _lines(pack / functions_file(name))}
    held = {int(turn): tuple(names) for turn, names in entry.get("missed_function", {}).items()}
    late = {name for names in held.values() for name in names}
    turns = _turns(entry)
    for turn in held:
        turns = (*turns[:turn], (Message(role="user", content=ADDED_FUNCTIONS),), *turns[turn + 1 :])
    return Item(
        id=entry["id"],
        category=category,
        turns=turns,
        functions=tuple(each for name, each in functions.items() if name not in late),
        conversation=Conversation(
            classes=classes,
            initial=entry["initial_config"],
            gold=tuple(tuple(turn) for turn in gold),
            long_context=category == "multi_turn_long_context",
            added={turn: tuple(functions[name] for name in names) for turn, names in held.items()},
        ),
    )


def _turns(entry: dict[str, Any]) -> tuple[tuple[Message, ...], ...]:
    return tuple(
        tuple(Message(role=said["role"], content=said["content"]) for said in turn) for turn in entry["question"]
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
