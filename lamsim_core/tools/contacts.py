"""An address book: people with phone numbers by label, e-mail addresses, groups, companies, birthdays and favourites.

A number or an address belongs to one contact only, and a person has one number of each label. Numbers are international
and stored without blanks.
"""

import random
import re
from collections.abc import Callable
from datetime import datetime
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

TITLE = "Contacts"
FAMILY = "office"

Label = Literal["mobile", "home", "work"]
Text = Annotated[str, Field(min_length=1)]

_MOST = 8
_ADDRESS = re.compile(r"^[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+$")


def _contact(world: World, contact_id: str) -> FrozenRow:
    return require_row(world, "contacts", contact_id, "contact", see="search_contacts")


def _number(world: World, text: str, but: str = "") -> str:
    """The number without blanks. Raises ToolRefusedError when it is none, or somebody else's."""
    number = re.sub(r"[\s()/.-]", "", text)
    if not re.fullmatch(r"\+\d{8,15}", number):
        raise ToolRefusedError(f"{text[:40]!r} is not an international phone number, such as +4930123456.")
    for row in world.rows("contacts"):
        if row["id"] != but and number in row["phones"].values():
            raise ToolRefusedError(f"{number} is already saved for {row['name']}.")
    return number


def _address(world: World, text: str) -> str:
    address = text.strip().casefold()
    if not _ADDRESS.match(address):
        raise ToolRefusedError(f"{text[:80]!r} is not an e-mail address.")
    for row in world.rows("contacts"):
        if address in row["emails"]:
            raise ToolRefusedError(f"{address} is already saved for {row['name']}.")
    return address


@tool(mutates=False)
def search_contacts(
    world: World, words: str | None = None, group: str | None = None, favourites_only: bool = False
) -> list[dict[str, Any]]:
    """Find contacts, in order of name, at most eight.

    Args:
        words: Words of the name or the company.
        group: Only members of this group.
        favourites_only: Only favourites.
    """
    place = None if group is None else require_listed(world, "contact_groups", group, "group")
    rows = [
        row
        for row in world.rows("contacts")
        if (words is None or has_words(words, f"{row['name']} {row['company'] or ''}"))
        and (place is None or place in row["groups"])
        and (row["favourite"] or not favourites_only)
    ]
    rows.sort(key=lambda row: folded(str(row["name"])))
    return [view(row, "id", "name", "company") for row in rows[:_MOST]]


@tool(mutates=False)
def get_contact(world: World, contact_id: str) -> dict[str, Any]:
    """Show everything saved about a contact.

    Args:
        contact_id: The contact's id.
    """
    row = _contact(world, contact_id)
    return view(row, "name", "company", "phones", "emails", "birthday", "groups", "favourite")


@tool(mutates=False)
def list_contact_birthdays(world: World, month: Annotated[int, Field(ge=1, le=12)]) -> list[dict[str, Any]]:
    """List the birthdays of the contacts in one month, in order of the day.

    Args:
        month: The month, 1 to 12.
    """
    rows = [row for row in world.rows("contacts") if row["birthday"] and int(str(row["birthday"])[5:7]) == month]
    rows.sort(key=lambda row: (str(row["birthday"])[5:], folded(str(row["name"]))))
    return [view(row, "name", "birthday") for row in rows[:_MOST]]


@tool(mutates=True)
def create_contact(
    world: World, name: Text, mobile: str | None = None, email: str | None = None, company: str | None = None
) -> dict[str, Any]:
    """Save a new contact. Nobody can be saved twice.

    Args:
        name: Full name.
        mobile: Mobile number with country code, e.g. +4915112345678.
        email: E-mail address.
        company: Where the person works.
    """
    if not name.strip():
        raise ToolRefusedError("A contact needs a name.")
    for row in world.rows("contacts"):
        if folded(str(row["name"])) == folded(name):
            raise ToolRefusedError(f"{row['name']} is already saved.", see="search_contacts")
    phones = {"mobile": _number(world, mobile)} if mobile else {}
    emails = [_address(world, email)] if email else []
    row = _row(world.new_id("con"), name.strip(), company or None, phones, emails)
    return view(world.insert("contacts", row), "id", "name")


def _row(
    contact_id: str, name: str, company: str | None, phones: dict[str, str], emails: list[str], **more: Any
) -> dict[str, Any]:
    row = {"id": contact_id, "name": name, "company": company, "phones": phones, "emails": emails}
    return {**row, "birthday": None, "groups": [], "favourite": False, **more}


@tool(mutates=True)
def set_contact_phone(
    world: World, contact_id: str, label: Label, number: str, replace: bool = False
) -> dict[str, Any]:
    """Save a phone number for a contact.

    Args:
        contact_id: The contact's id.
        label: Which kind of number it is.
        number: The number with country code, e.g. +4915112345678.
        replace: Whether a number saved under this label is overwritten.
    """
    row = _contact(world, contact_id)
    new = _number(world, number, but=contact_id)
    old = row["phones"].get(label)
    if old == new:
        raise ToolRefusedError(f"{new} is already the {label} number of {row['name']}.")
    if old and not replace:
        raise ToolRefusedError(f"{row['name']} has another {label} number, {old}, which would have to be replaced.")
    phones = {**row["phones"], label: new}
    world.update("contacts", contact_id, phones=dict(sorted(phones.items())))
    return {"name": row["name"], label: new}


@tool(mutates=True)
def add_contact_email(world: World, contact_id: str, address: str) -> dict[str, Any]:
    """Add an e-mail address to a contact.

    Args:
        contact_id: The contact's id.
        address: The e-mail address.
    """
    row = _contact(world, contact_id)
    emails = sorted([*row["emails"], _address(world, address)])
    world.update("contacts", contact_id, emails=emails)
    return {"name": row["name"], "emails": emails}


@tool(mutates=True)
def update_contact(
    world: World,
    contact_id: str,
    company: str | None = None,
    birthday: Day | None = None,
    favourite: bool | None = None,
) -> dict[str, Any]:
    """Change a contact's company or birthday, or make it a favourite or not.

    Args:
        contact_id: The contact's id.
        company: The new company.
        birthday: The date of birth, YYYY-MM-DD.
        favourite: Whether it is a favourite.
    """
    row = _contact(world, contact_id)
    changes = {"company": company or None, "birthday": birthday, "favourite": favourite}
    changes = {field: value for field, value in changes.items() if value is not None}
    if not changes:
        raise ToolRefusedError("Nothing to change was given.")
    if birthday is not None and parse_day(birthday) > world.now:
        raise ToolRefusedError(f"Nobody can be born on {birthday}, which is in the future.")
    if all(row[field] == value for field, value in changes.items()):
        raise ToolRefusedError(f"All this is already saved for {row['name']}.")
    world.update("contacts", contact_id, **changes)
    return {"name": row["name"], **changes}


@tool(mutates=True)
def change_contact_group(world: World, contact_id: str, group: str, change: Literal["join", "leave"]) -> dict[str, Any]:
    """Put a contact into a group or take it out.

    Args:
        contact_id: The contact's id.
        group: Name of the group.
        change: Whether the contact joins or leaves it.
    """
    row, name = _contact(world, contact_id), require_listed(world, "contact_groups", group, "group")
    member = name in row["groups"]
    if member == (change == "join"):
        raise ToolRefusedError(f"{row['name']} is {'already' if member else 'not'} in the group {name}.")
    groups = {*row["groups"], name} if change == "join" else {*row["groups"]} - {name}
    world.update("contacts", contact_id, groups=sorted(groups))
    return {"name": row["name"], "groups": sorted(groups)}


@tool(mutates=True)
def merge_contacts(world: World, keep_id: str, duplicate_id: str) -> dict[str, Any]:
    """Merge two entries of one person: the numbers, addresses and groups of the duplicate go to the entry kept.

    Args:
        keep_id: Id of the contact that stays.
        duplicate_id: Id of the contact that goes.
    """
    kept, other = _contact(world, keep_id), _contact(world, duplicate_id)
    if keep_id == duplicate_id:
        raise ToolRefusedError("Both are the same contact.")
    for label, number in other["phones"].items():
        if kept["phones"].get(label, number) != number:
            raise ToolRefusedError(f"They cannot be merged: they have different {label} numbers.")
    if kept["birthday"] and other["birthday"] and kept["birthday"] != other["birthday"]:
        raise ToolRefusedError("They cannot be merged: they have different birthdays.")
    changes = {
        "phones": dict(sorted({**other["phones"], **kept["phones"]}.items())),
        "emails": sorted({*kept["emails"], *other["emails"]}),
        "groups": sorted({*kept["groups"], *other["groups"]}),
        "company": kept["company"] or other["company"],
        "birthday": kept["birthday"] or other["birthday"],
        "favourite": kept["favourite"] or other["favourite"],
    }
    world.delete("contacts", duplicate_id)
    world.update("contacts", keep_id, **changes)
    return {"kept": kept["name"], "gone": other["name"]}


def _mail_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", ".", folded(name)).strip(".")


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Sixteen people in four groups and four companies, and second entries of two of them under a nickname.

    The first three groups and companies have exactly three members.
    """
    world.add_table("contact_groups", "contacts")
    ids = Ids(rng)
    groups = rng.sample(content["groups"], 4)
    for name in groups:
        world.insert("contact_groups", {"id": ids("grp"), "name": name})
    companies = rng.sample(content["companies"], 4)
    people = rng.sample(content["people"], 16)
    numbers = iter(rng.sample(range(10_000_000, 99_999_999), 80))
    days = [rng.sample(range(1, 29), 16), rng.sample(range(1960, 2005), 16)]
    months = rng.sample(range(1, 13), 3)
    favourites = rng.sample(range(16), 5)
    for place, person in enumerate(people):
        name = str(person["name"])
        labels = ["mobile", *rng.sample(["home", "work"], rng.choice([0, 1, 1, 2]))]
        employer = companies[place % 4] if place < 11 else None
        birthday = f"{days[1][place]}-{months[place % 3]:02d}-{days[0][place]:02d}" if place < 12 else None
        row = _row(
            ids("con"),
            name,
            employer,
            {label: f"{person['code']}{next(numbers)}" for label in sorted(labels)},
            [f"{_mail_name(name)}@{rng.choice(content['domains'])}"],
            birthday=birthday,
            groups=sorted({groups[place // 3], *rng.sample(groups[3:], rng.choice([0, 0, 1]))} if place < 12 else ()),
            favourite=place in favourites,
        )
        world.insert("contacts", row)
    doubles = rng.sample([row for row in world.rows("contacts") if len(row["phones"]) < 3], 2)
    for twin, nickname in zip(doubles, rng.sample(content["nicknames"], 2), strict=True):
        label = rng.choice([label for label in ("home", "work") if label not in twin["phones"]])
        code = next(person["code"] for person in people if person["name"] == twin["name"])
        email = f"{_mail_name(nickname)}@{rng.choice(content['domains'])}"
        world.insert("contacts", _row(ids("con"), nickname, None, {label: f"{code}{next(numbers)}"}, [email]))


def new_number(world: World, rng: random.Random, like: str) -> str:
    """A number nobody has, of the same country as another, for task templates."""
    taken = {number for row in world.rows("contacts") for number in row["phones"].values()}
    while True:
        number = f"{like[:-8]}{rng.randint(10_000_000, 99_999_999)}"
        if number not in taken:
            return number


def birthday_month(world: World, rng: random.Random) -> dict[str, Any]:
    """A month with several birthdays, for task templates."""
    months = sorted(int(str(row["birthday"])[5:7]) for row in world.rows("contacts") if row["birthday"])
    month = rng.choice(sorted({month for month in months if months.count(month) > 1}))
    return {"number": month, "name": datetime(2026, month, 1).strftime("%B")}


def double(world: World, rng: random.Random) -> dict[str, Any]:
    """An entry without mobile number and birthday, and somebody it can be merged into, for task templates."""
    others = [row for row in world.rows("contacts") if "mobile" not in row["phones"]]
    other = rng.choice(others)
    label = next(iter(other["phones"]))
    kept = [row for row in world.rows("contacts") if "mobile" in row["phones"] and label not in row["phones"]]
    return {"nickname": other["name"], "name": rng.choice(kept)["name"]}


def day_of_birth(world: World, rng: random.Random) -> str:
    """A date of birth, for task templates."""
    return datetime(rng.randint(1950, 2006), rng.randint(1, 12), rng.randint(1, 28)).strftime(DAY)


def phone(world: World, rng: random.Random) -> dict[str, Any]:
    """One of several numbers of somebody, and all other numbers there are, for task templates."""
    row = rng.choice([row for row in world.rows("contacts") if len(row["phones"]) > 1])
    label = rng.choice(sorted(row["phones"]))
    return {"name": row["name"], "label": label, "number": row["phones"][label], "all": all_numbers(world, rng)}


def all_numbers(world: World, rng: random.Random) -> list[str]:
    """Every number saved, for task templates."""
    return [number for row in world.rows("contacts") for number in row["phones"].values()]


def taken_label(world: World, rng: random.Random, swapped: bool = False) -> dict[str, Any]:
    """Somebody with a number under one label and none under another, and a new number, for task templates.

    ``swapped``: the label called taken is the free one.
    """
    row = rng.choice([row for row in world.rows("contacts") if len(row["phones"]) < 3])
    taken = rng.choice(sorted(row["phones"]))
    free = rng.choice([label for label in ("home", "mobile", "work") if label not in row["phones"]])
    number = new_number(world, rng, row["phones"][taken])
    labels = {"taken": free, "free": taken} if swapped else {"taken": taken, "free": free}
    return {"name": row["name"], "number": number, **labels}


def three_in(world: World, rng: random.Random, of: str = "groups") -> str:
    """A group, or a company, with exactly three members, for task templates."""
    found = [
        name for row in world.rows("contacts") for name in (row["groups"] if of == "groups" else [row[of]]) if name
    ]
    return rng.choice(sorted({str(name) for name in found if found.count(name) == 3}))


MAKERS: dict[str, Callable[..., Any]] = {
    "phone": phone,
    "all_numbers": all_numbers,
    "taken_label": taken_label,
    "three_in": three_in,
    "new_number": new_number,
    "birthday_month": birthday_month,
    "double": double,
    "day_of_birth": day_of_birth,
}
