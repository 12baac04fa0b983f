"""The contacts tools: what each does, what each refuses, and what holds in every populated address book."""

import random
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.contacts import MAKERS

SEEDS = [*range(40), *range(100_000, 100_010)]


@pytest.fixture
def book() -> Environment:
    return Environment(get_category("contacts").world(5), get_category("contacts").tools)


def call(book: Environment, tool: str, **arguments: Any) -> Transition:
    return book.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(book: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(book, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def person(book: Environment, number: int = 0) -> Any:
    return book.world.rows("contacts")[number]


def test_reads_find_people_and_change_nothing(book: Environment) -> None:
    before, row = book.world.state_hash(), person(book)
    assert [r["id"] for r in result(book, "search_contacts", words=row["name"].upper())] == [row["id"]]
    assert row["id"] in [r["id"] for r in result(book, "search_contacts", words=row["company"])]
    members = result(book, "search_contacts", group=row["groups"][0].lower())
    assert row["id"] in [r["id"] for r in members] and members == sorted(members, key=lambda r: r["name"].casefold())
    assert len(result(book, "search_contacts", favourites_only=True)) == 5
    assert result(book, "get_contact", contact_id=row["id"])["phones"] == row["phones"]
    days = result(book, "list_contact_birthdays", month=int(row["birthday"][5:7]))
    assert row["name"] in [r["name"] for r in days]
    assert [r["birthday"][5:] for r in days] == sorted(r["birthday"][5:] for r in days)
    assert book.world.state_hash() == before


def test_create_and_the_forms_of_numbers(book: Environment) -> None:
    result(book, "create_contact", name="Dagny Holm", mobile="+47 (412) 34-56/7.8", email=" D@Holm.example")
    new = book.world.rows("contacts")[-1]
    assert new["phones"] == {"mobile": "+47412345678"}
    assert new["emails"] == ["d@holm.example"] and new["company"] is None


def test_a_number_is_replaced_only_on_request(book: Environment) -> None:
    row = person(book)
    new = MAKERS["new_number"](book.world, random.Random(0), like=row["phones"]["mobile"])
    refused = call(book, "set_contact_phone", contact_id=row["id"], label="mobile", number=new)
    assert refused.observation.fault == "refused" and row["phones"]["mobile"] in str(refused.observation.content)
    result(book, "set_contact_phone", contact_id=row["id"], label="mobile", number=new, replace=True)
    assert person(book)["phones"]["mobile"] == new


def test_update_groups_and_addresses(book: Environment) -> None:
    row = person(book)
    result(
        book,
        "update_contact",
        contact_id=row["id"],
        company="Olmo",
        birthday="1990-02-03",
        favourite=not row["favourite"],
    )
    assert person(book)["company"] == "Olmo" and person(book)["favourite"] is not row["favourite"]
    result(book, "change_contact_group", contact_id=row["id"], group=row["groups"][0], change="leave")
    assert row["groups"][0] not in person(book)["groups"]
    result(book, "change_contact_group", contact_id=row["id"], group=row["groups"][0], change="join")
    assert person(book)["groups"] == row["groups"]
    assert result(book, "add_contact_email", contact_id=row["id"], address="A@a.example")["emails"][0] == "a@a.example"


def test_merging_keeps_everything_and_refuses_what_does_not_fit(book: Environment) -> None:
    double = MAKERS["double"](book.world, random.Random(1))
    rows = {row["name"]: row for row in book.world.rows("contacts")}
    kept, gone = rows[double["name"]], rows[double["nickname"]]
    result(book, "merge_contacts", keep_id=kept["id"], duplicate_id=gone["id"])
    merged = book.world.get("contacts", kept["id"])
    assert merged is not None and book.world.get("contacts", gone["id"]) is None
    assert merged["phones"] == {**kept["phones"], **gone["phones"]}
    assert merged["emails"] == sorted([*kept["emails"], *gone["emails"]])
    for two, reason in ((person(book, 1), "cannot be merged: they have different"), (person(book), "the same contact")):
        transition = call(book, "merge_contacts", keep_id=person(book)["id"], duplicate_id=two["id"])
        assert transition.observation.fault == "refused" and reason in str(transition.observation.content)


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_contact", {"contact_id": "con_1"}, "no contact with the id"),
        ("search_contacts", {"group": "Nobody"}, "The groups are"),
        ("create_contact", {"name": "{name}"}, "is already saved"),
        ("create_contact", {"name": "  "}, "needs a name"),
        ("create_contact", {"name": "New One", "mobile": "0171 234"}, "not an international phone number"),
        ("create_contact", {"name": "New One", "mobile": "{other_mobile}"}, "already saved for"),
        ("create_contact", {"name": "New One", "email": "one@home"}, "not an e-mail address"),
        ("set_contact_phone", {"contact_id": "{id}", "label": "mobile", "number": "{mobile}"}, "is already the mobile"),
        ("set_contact_phone", {"contact_id": "{id}", "label": "work", "number": "{other_mobile}"}, "already saved for"),
        ("add_contact_email", {"contact_id": "{id}", "address": "{email}"}, "already saved for"),
        ("update_contact", {"contact_id": "{id}"}, "Nothing to change"),
        ("update_contact", {"contact_id": "{id}", "birthday": "1990-02-31"}, "not a real date"),
        ("update_contact", {"contact_id": "{id}", "birthday": "2090-02-03"}, "in the future"),
        ("update_contact", {"contact_id": "{id}", "company": "{company}"}, "already saved"),
        ("change_contact_group", {"contact_id": "{id}", "group": "{group}", "change": "join"}, "already in the group"),
        ("change_contact_group", {"contact_id": "{id}", "group": "No", "change": "leave"}, "There is no group"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    book: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    row = person(book)
    known = {
        "name": row["name"],
        "id": row["id"],
        "mobile": row["phones"]["mobile"],
        "other_mobile": person(book, 1)["phones"]["mobile"],
        "email": row["emails"][0],
        "company": row["company"],
        "group": row["groups"][0],
    }
    transition = call(book, tool, **{key: value.format(**known) for key, value in arguments.items()})
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_address_books_hold_their_invariants(seed: int) -> None:
    world = get_category("contacts").world(seed)
    rows = world.rows("contacts")
    assert len(rows) == 18 and len({row["id"] for row in rows}) == 18 == len({row["name"] for row in rows})
    numbers = [number for row in rows for number in row["phones"].values()]
    assert len(set(numbers)) == len(numbers)
    assert all(number[0] == "+" and 8 <= len(number) - 1 <= 15 for number in numbers)
    emails = [address for row in rows for address in row["emails"]]
    assert len(set(emails)) == len(emails)
    groups = {str(row["name"]) for row in world.rows("contact_groups")}
    assert all(set(row["groups"]) <= groups for row in rows)
    born = [str(row["birthday"])[:4] for row in rows if row["birthday"]]
    assert len(born) == len(set(born)) == 12
    rng = random.Random(seed)
    for name, make in MAKERS.items():
        assert make(world, rng, "+4915112345678") if name == "new_number" else make(world, rng), name
    assert MAKERS["three_in"](world, rng, "company")
    assert MAKERS["taken_label"](world, rng, swapped=True)["number"] not in numbers


def test_no_name_contains_another() -> None:
    """Or naming one would name the other too."""
    content = get_category("contacts").content
    people = [*(entry["name"] for entry in content["people"]), *content["nicknames"]]
    for pool in (people, content["companies"], content["groups"]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
