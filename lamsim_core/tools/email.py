"""A mailbox: folders, unread and starred mail, conversations, attachments, drafts and a trash.

Mail goes to addresses, not to names; an address is found in the mail of its owner. Reading a mail does not mark it as
read. Many companies send from addresses that take no replies; all name another one in the text.
"""

import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    MOMENT,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    require_listed,
    require_row,
    tool,
    view,
)

TITLE = "E-mail"
FAMILY = "office"

Text = Annotated[str, Field(min_length=1)]

_OWNER = "me@home.example"
_SYSTEM = ("Inbox", "Archive", "Sent", "Drafts", "Spam", "Trash")
_HIDDEN = ("Trash", "Spam")
_MOST = 8
_ADDRESS = re.compile(r"^[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+$")
_HELP = re.compile(r"service@[\w.-]+\w")


def _email(world: World, email_id: str) -> FrozenRow:
    return require_row(world, "emails", email_id, "e-mail", see="search_emails")


def _addresses(given: list[str]) -> list[str]:
    for address in given:
        if not _ADDRESS.match(address.strip()):
            raise ToolRefusedError(f"{address[:80]!r} is not an e-mail address.", see="search_emails")
    if not given:
        raise ToolRefusedError("An e-mail needs a recipient.")
    return sorted({address.strip().casefold() for address in given})


def _send(
    world: World, to: list[str], subject: str, body: str, files: list[str], thread: str | None = None
) -> dict[str, Any]:
    email_id = world.new_id("eml")
    row = _row(email_id, "Sent", "Me", _OWNER, to=_addresses(to), subject=subject, body=body, attachments=files)
    world.insert("emails", {**row, "date": world.now.strftime(MOMENT), "thread": thread or email_id})
    return {"sent": subject, "to": row["to"]}


def _row(email_id: str, folder: str, sender: str, address: str, **fields: Any) -> dict[str, Any]:
    mail = {"id": email_id, "folder": folder, "from": sender, "address": address, "to": [_OWNER], "subject": ""}
    return {**mail, "body": "", "date": "", "attachments": [], "unread": False, "starred": False} | {
        "thread": email_id,
        **fields,
    }


def _refuse_draft(row: FrozenRow) -> None:
    if row["folder"] == "Drafts":
        raise ToolRefusedError(f"'{row['subject']}' is a draft: it can only be sent or deleted.")


def _words(row: FrozenRow) -> str:
    files = " ".join(row["attachments"])
    return f"{row['from']} {row['address']} {row['subject']} {files} {re.sub(r'[_.]', ' ', files)}"


@tool(mutates=False)
def search_emails(
    world: World, words: str | None = None, folder: str | None = None, unread_only: bool = False
) -> list[dict[str, Any]]:
    """Find e-mails, newest first, at most eight. Trash and Spam are searched only when named.

    Args:
        words: Words of the sender, the subject or an attachment's name.
        folder: Only this folder.
        unread_only: Only unread ones.
    """
    place = None if folder is None else require_listed(world, "email_folders", folder, "folder")
    rows = [
        row
        for row in world.rows("emails")
        if (row["folder"] == place if place else row["folder"] not in _HIDDEN)
        and (words is None or has_words(words, _words(row)))
        and (row["unread"] or not unread_only)
    ]
    rows.sort(key=lambda row: (str(row["date"]), str(row["id"])), reverse=True)
    return [view(row, "id", "from", "subject", "folder", "unread") for row in rows[:_MOST]]


@tool(mutates=False)
def read_email(world: World, email_id: str) -> dict[str, Any]:
    """Read an e-mail: its text, the sender's address, recipients, date and attachments.

    Args:
        email_id: The e-mail's id.
    """
    return view(_email(world, email_id), "from", "address", "to", "subject", "date", "body", "attachments", "starred")


@tool(mutates=False)
def read_email_thread(world: World, email_id: str) -> list[dict[str, Any]]:
    """Read a whole conversation, oldest e-mail first.

    Args:
        email_id: Id of any e-mail of the conversation.
    """
    thread = _email(world, email_id)["thread"]
    rows = [row for row in world.rows("emails") if row["thread"] == thread and row["folder"] not in _HIDDEN]
    return [view(row, "from", "date", "body") for row in sorted(rows, key=lambda row: str(row["date"]))[-_MOST:]]


@tool(mutates=True)
def send_email(world: World, to: list[str], subject: Text, body: Text) -> dict[str, Any]:
    """Write a new e-mail and send it.

    Args:
        to: E-mail addresses of the recipients.
        subject: The subject.
        body: The text.
    """
    return _send(world, to, subject, body, [])


@tool(mutates=True)
def reply_to_email(world: World, email_id: str, body: Text, reply_all: bool = False) -> dict[str, Any]:
    """Answer an e-mail.

    Args:
        email_id: The e-mail's id.
        body: The text of the answer.
        reply_all: Also send it to the other recipients.
    """
    row = _email(world, email_id)
    _refuse_draft(row)
    if str(row["address"]).startswith("noreply@"):
        raise ToolRefusedError(f"{row['address']} takes no replies.")
    others = [str(address) for address in row["to"] if address != _OWNER]
    own = row["address"] == _OWNER
    to = others if own else [str(row["address"]), *(others if reply_all else [])]
    return _send(world, to, _prefixed("Re: ", row), body, [], str(row["thread"]))


@tool(mutates=True)
def forward_email(world: World, email_id: str, to: str, note: str | None = None) -> dict[str, Any]:
    """Forward an e-mail with its attachments.

    Args:
        email_id: The e-mail's id.
        to: E-mail address of the recipient.
        note: Text to put above it.
    """
    row = _email(world, email_id)
    _refuse_draft(row)
    body = f"{note}\n\n{row['body']}" if note else str(row["body"])
    return _send(world, [to], _prefixed("Fwd: ", row), body, list(row["attachments"]), str(row["thread"]))


def _prefixed(prefix: str, row: FrozenRow) -> str:
    subject = str(row["subject"])
    return subject if subject.startswith(prefix) else prefix + subject


@tool(mutates=True)
def send_draft_email(world: World, email_id: str, to: str | None = None) -> dict[str, Any]:
    """Send a draft as it is.

    Args:
        email_id: The draft's id.
        to: E-mail address of the recipient, if the draft has none yet.
    """
    row = _email(world, email_id)
    if row["folder"] != "Drafts":
        raise ToolRefusedError(f"'{row['subject']}' is not a draft.")
    if row["to"] and to is not None:
        raise ToolRefusedError(f"The draft is already addressed to {', '.join(row['to'])}.")
    if not row["to"] and to is None:
        raise ToolRefusedError("The draft has no recipient yet.")
    addresses = _addresses([to]) if to is not None else list(row["to"])
    world.update("emails", email_id, folder="Sent", to=addresses, date=world.now.strftime(MOMENT))
    return {"sent": row["subject"], "to": addresses}


@tool(mutates=True)
def move_email(world: World, email_id: str, folder: str) -> dict[str, Any]:
    """Move an e-mail to another folder.

    Args:
        email_id: The e-mail's id.
        folder: Name of the folder.
    """
    row, place = _email(world, email_id), require_listed(world, "email_folders", folder, "folder")
    if place in ("Sent", "Drafts"):
        raise ToolRefusedError(f"Nothing can be moved to {place}.")
    if row["folder"] == place:
        raise ToolRefusedError(f"'{row['subject']}' is already in {place}.")
    if place != "Trash":
        _refuse_draft(row)
    world.update("emails", email_id, folder=place)
    return {"moved": row["subject"], "to": place}


@tool(mutates=True)
def mark_email(
    world: World, email_id: str, mark: Literal["read", "unread", "starred", "not starred"]
) -> dict[str, Any]:
    """Mark an e-mail as read or unread, or give it a star or take it away.

    Args:
        email_id: The e-mail's id.
        mark: What it shall be.
    """
    row = _email(world, email_id)
    field, value = {
        "read": ("unread", False),
        "unread": ("unread", True),
        "starred": ("starred", True),
        "not starred": ("starred", False),
    }[mark]
    if row[field] == value:
        raise ToolRefusedError(f"'{row['subject']}' is already {mark}.")
    world.update("emails", email_id, **{field: value})
    return {"marked": row["subject"], "as": mark}


@tool(mutates=True)
def delete_email(world: World, email_id: str) -> dict[str, Any]:
    """Delete an e-mail: it goes to the Trash.

    Args:
        email_id: The e-mail's id.
    """
    row = _email(world, email_id)
    if row["folder"] == "Trash":
        raise ToolRefusedError(f"'{row['subject']}' is already in the Trash.")
    world.update("emails", email_id, folder="Trash")
    return {"deleted": row["subject"]}


def _slug(name: str, joint: str) -> str:
    return re.sub(r"[^a-z0-9]+", joint, folded(name)).strip(joint)


class _Filler:
    """Puts mail into a new mailbox, one mail a day, the newest first."""

    def __init__(self, world: World, rng: random.Random, content: dict[str, Any]) -> None:
        self.world, self.rng, self.ids = world, rng, Ids(rng)
        self.letters = rng.sample(content["letters"], len(content["letters"]))
        silent, answering = content["silent_services"], content["answering_services"]
        self.bills = [(mail, "noreply") for mail in rng.sample(silent, 3)]
        self.bills += [(mail, "billing") for mail in rng.sample(answering, 2)]
        rng.shuffle(self.bills)
        domains = content["domains"]
        self.address = {name: f"{_slug(name, '.')}@{rng.choice(domains)}" for name in content["people"]}
        self._day = world.now

    def put(self, folder: str, mail: dict[str, Any], sender: str, address: str, **more: Any) -> str:
        """A mail, older than those put before it. Returns its id."""
        self._day -= timedelta(days=1)
        date = self._day.replace(hour=self.rng.randint(7, 21), minute=self.rng.randint(0, 59))
        fields = {
            "amount": f"{self.rng.randint(1200, 29900) / 100:.2f}",
            "day": (self.world.now + timedelta(days=self.rng.randint(3, 30))).strftime(DAY),
            "time": f"{self.rng.randint(8, 19):02d}:{self.rng.choice(['00', '15', '30', '45'])}",
            "help": re.sub(r"^\w+@", "service@", address),
        }
        email_id = self.ids("eml")
        row = _row(
            email_id, folder, sender, address, subject=mail["subject"], attachments=sorted(mail.get("files", ()))
        )
        letter = {"body": mail["body"].format(**fields), "date": date.strftime(MOMENT), **more}
        self.world.insert("emails", {**row, **letter})
        return email_id

    def letter(self, folder: str, sender: str, **more: Any) -> None:
        """A letter of a person."""
        self.put(folder, self.letters.pop(), sender, self.address[sender], **more)

    def bill(self, folder: str, **more: Any) -> None:
        """A bill of a company."""
        mail, box = self.bills.pop()
        self.put(folder, mail, mail["name"], f"{box}@{_slug(mail['name'], '-')}.example", **more)

    def conversation(self, thread: dict[str, Any], people: list[str]) -> None:
        """The user asked, three people answered; the last answer is in the inbox."""
        ideas = self.rng.sample(thread["ideas"], len(people))
        first = {"subject": thread["subject"], "body": thread["opening"]}
        to = sorted(self.address[name] for name in people)
        ids = []
        for name, idea, folder in zip(people, ideas, ("Inbox", "Archive", "Archive"), strict=True):
            mail = {"subject": f"Re: {thread['subject']}", "body": thread["answer"].format(idea=idea)}
            address = self.address[name]
            ids.append(self.put(folder, mail, name, address, to=sorted({_OWNER, *to} - {address})))
        root = self.put("Sent", first, "Me", _OWNER, to=to)
        for email_id in ids:
            self.world.update("emails", email_id, thread=root)


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A mailbox of about thirty mails: at most eight to a folder, two people with two mails in the inbox, five bills."""
    world.add_table("email_folders", "emails")
    filler = _Filler(world, rng, content)
    bills = rng.choice(content["bill_folders"])
    own = [bills, *rng.sample(content["folders"], 3)]
    for name in (*_SYSTEM, *own):
        world.insert("email_folders", {"id": filler.ids("fld"), "name": name})
    people = rng.sample(content["people"], 9)
    unread = rng.sample([True, True, True, False, False, False], 6)
    inbox = [people[0], people[0], people[1], people[1], people[2]]
    rng.shuffle(inbox)
    filler.bill("Inbox", unread=unread.pop())
    for sender in inbox:
        filler.letter("Inbox", sender, unread=unread.pop())
    filler.conversation(rng.choice(content["threads"]), people[6:])
    others = [("Archive", 3), ("Archive", 4), (own[1], 3), (own[1], 5), (own[2], 4), (own[3], 5), ("Trash", 3)]
    for folder, person in [*others, ("Trash", 4)]:
        filler.letter(folder, people[person])
    filler.bill("Archive")
    for _ in range(3):
        filler.bill(bills)
    for junk in rng.sample(content["junk"], 2):
        filler.put("Spam", junk, junk["name"], junk["address"], unread=True)
    drafts = rng.sample(content["drafts"], 3)
    for draft, name in zip(drafts, [None, None, people[5]], strict=True):
        filler.put("Drafts", draft, "Me", _OWNER, to=[] if name is None else [filler.address[name]])


def bill(world: World, rng: random.Random, replies: bool | None = None) -> dict[str, Any]:
    """A company's bill and the address it names for questions (``help``), for task templates.

    ``replies``: only of companies that take replies, or of those that do not.
    """
    found = [(row, match) for row in world.rows("emails") if (match := _HELP.search(row["body"]))]
    if replies is not None:
        found = [pair for pair in found if str(pair[0]["address"]).startswith("noreply@") is not replies]
    row, match = rng.choice(found)
    return {**row, "help": match.group()}


def bill_folder(world: World, rng: random.Random) -> str:
    """The folder with three bills, for task templates."""
    folders = [str(row["folder"]) for row in world.rows("emails") if _HELP.search(row["body"])]
    return max(folders, key=folders.count)


def writer_of_two(world: World, rng: random.Random) -> str:
    """Somebody with two mails in the inbox, for task templates."""
    senders = [str(row["from"]) for row in world.rows("emails") if row["folder"] == "Inbox"]
    return rng.choice(sorted({name for name in senders if senders.count(name) == 2}))


def person(world: World, rng: random.Random) -> dict[str, Any]:
    """Somebody who wrote, with first name and address, for task templates."""
    rows = [row for row in world.rows("emails") if row["folder"] not in (*_HIDDEN, "Sent", "Drafts")]
    row = rng.choice([row for row in rows if not _HELP.search(row["body"])])
    return {"name": row["from"], "first": str(row["from"]).split()[0], "address": row["address"]}


def conversation(world: World, rng: random.Random) -> dict[str, Any]:
    """The subject of the conversation of several people and what they proposed in it, without articles."""
    rows = [row for row in world.rows("emails") if row["thread"] != row["id"]]
    ideas = [re.sub(r"^.*: (?:(?:an?|the) )?(.+)\.$", r"\1", str(row["body"]), flags=re.I) for row in rows]
    return {"subject": _email(world, str(rows[0]["thread"]))["subject"], "ideas": ideas}


def day_ahead(world: World, rng: random.Random) -> str:
    """A day in the coming weeks, for task templates."""
    return (world.now + timedelta(days=rng.randint(3, 40))).strftime(DAY)


MAKERS: dict[str, Callable[..., Any]] = {
    make.__name__: make for make in (bill, bill_folder, writer_of_two, person, conversation, day_ahead)
}
