"""The e-mail tools: what each does, what each refuses, and what holds in every populated mailbox."""

import random
from collections import Counter
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.email import MAKERS

SEEDS = [*range(40), *range(100_000, 100_010)]


@pytest.fixture
def mailbox() -> Environment:
    return Environment(get_category("email").world(5), get_category("email").tools)


def call(mailbox: Environment, tool: str, **arguments: Any) -> Transition:
    return mailbox.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(mailbox: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(mailbox, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def row(mailbox: Environment, **fields: Any) -> Any:
    """The first mail with these fields."""
    return next(r for r in mailbox.world.rows("emails") if all(r[key] == value for key, value in fields.items()))


def test_search_finds_senders_subjects_and_files_and_hides_the_trash(mailbox: Environment) -> None:
    mail = next(r for r in mailbox.world.rows("emails") if r["attachments"] and r["folder"] == "Inbox")
    for words in (mail["from"], mail["subject"].upper(), mail["attachments"][0], mail["address"]):
        assert mail["id"] in [found["id"] for found in result(mailbox, "search_emails", words=words)]
    gone = row(mailbox, folder="Trash")
    assert result(mailbox, "search_emails", words=gone["subject"]) == []
    assert result(mailbox, "search_emails", words=gone["subject"], folder="trash")[0]["id"] == gone["id"]
    assert all(found["unread"] for found in result(mailbox, "search_emails", unread_only=True))
    assert len(result(mailbox, "search_emails")) == 8


def test_reading_changes_nothing_and_a_conversation_is_read_oldest_first(mailbox: Environment) -> None:
    before = mailbox.world.state_hash()
    last = next(r for r in mailbox.world.rows("emails") if r["folder"] == "Inbox" and r["thread"] != r["id"])
    assert result(mailbox, "read_email", email_id=last["id"])["body"] == last["body"]
    thread = result(mailbox, "read_email_thread", email_id=last["id"])
    assert len(thread) == 4 and thread[0]["from"] == "Me" and thread[-1]["from"] == last["from"]
    assert mailbox.world.state_hash() == before


def test_send_reply_and_forward(mailbox: Environment) -> None:
    assert result(mailbox, "send_email", to=["B@x.example", "a@x.example "], subject="Hi", body="Hello") == {
        "sent": "Hi",
        "to": ["a@x.example", "b@x.example"],
    }
    last = next(r for r in mailbox.world.rows("emails") if r["folder"] == "Inbox" and r["thread"] != r["id"])
    assert result(mailbox, "reply_to_email", email_id=last["id"], body="Yes")["to"] == [last["address"]]
    assert len(result(mailbox, "reply_to_email", email_id=last["id"], body="Yes", reply_all=True)["to"]) == 3
    sent = mailbox.world.rows("emails")[-1]
    assert sent["subject"] == last["subject"] and sent["thread"] == last["thread"] and sent["folder"] == "Sent"
    mail = next(r for r in mailbox.world.rows("emails") if r["attachments"])
    result(mailbox, "forward_email", email_id=mail["id"], to="a@x.example", note="Look!")
    sent = mailbox.world.rows("emails")[-1]
    assert sent["attachments"] == mail["attachments"] and sent["body"] == f"Look!\n\n{mail['body']}"
    assert sent["subject"] == f"Fwd: {mail['subject']}"


def test_move_mark_delete_and_send_a_draft(mailbox: Environment) -> None:
    mail = row(mailbox, folder="Inbox", unread=True)
    for mark, field, value in (("read", "unread", False), ("starred", "starred", True)):
        result(mailbox, "mark_email", email_id=mail["id"], mark=mark)
        assert row(mailbox, id=mail["id"])[field] is value
    result(mailbox, "delete_email", email_id=mail["id"])
    assert row(mailbox, id=mail["id"])["folder"] == "Trash"
    assert result(mailbox, "move_email", email_id=mail["id"], folder="inbox")["to"] == "Inbox"
    draft = row(mailbox, folder="Drafts", to=[])
    assert "no recipient" in str(call(mailbox, "send_draft_email", email_id=draft["id"]).observation.content)
    result(mailbox, "send_draft_email", email_id=draft["id"], to="a@x.example")
    assert row(mailbox, id=draft["id"])["folder"] == "Sent"


@pytest.mark.parametrize(
    ("tool", "where", "arguments", "reason"),
    [
        ("read_email", {}, {"email_id": "eml_1"}, "no e-mail with the id"),
        ("search_emails", {}, {"folder": "Nowhere"}, "The folders are Inbox"),
        ("send_email", {}, {"to": ["Ana Dumitru"], "subject": "a", "body": "b"}, "not an e-mail address"),
        ("send_email", {}, {"to": [], "subject": "a", "body": "b"}, "needs a recipient"),
        ("forward_email", {"folder": "Inbox"}, {"to": "ana@home"}, "not an e-mail address"),
        ("forward_email", {"folder": "Drafts"}, {"to": "a@x.example"}, "is a draft"),
        ("reply_to_email", {"folder": "Drafts"}, {"body": "a"}, "is a draft"),
        ("send_draft_email", {"folder": "Inbox"}, {}, "is not a draft"),
        ("move_email", {"folder": "Inbox"}, {"folder": "Inbox"}, "already in Inbox"),
        ("move_email", {"folder": "Inbox"}, {"folder": "Sent"}, "Nothing can be moved"),
        ("move_email", {"folder": "Drafts"}, {"folder": "Archive"}, "is a draft"),
        ("delete_email", {"folder": "Trash"}, {}, "already in the Trash"),
        ("mark_email", {"unread": False}, {"mark": "read"}, "already read"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    mailbox: Environment, tool: str, where: dict[str, Any], arguments: dict[str, Any], reason: str
) -> None:
    given = {"email_id": row(mailbox, **where)["id"]} if where else {}
    transition = call(mailbox, tool, **{**given, **arguments})
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


def test_companies_may_take_no_replies(mailbox: Environment) -> None:
    silent = MAKERS["bill"](mailbox.world, random.Random(0), replies=False)
    assert call(mailbox, "reply_to_email", email_id=silent["id"], body="a").observation.fault == "refused"
    assert silent["help"] in silent["body"]
    result(
        mailbox,
        "reply_to_email",
        email_id=MAKERS["bill"](mailbox.world, random.Random(0), replies=True)["id"],
        body="a",
    )


def test_the_order_of_new_mails_does_not_matter(mailbox: Environment) -> None:
    mails = [{"to": [f"{name}@x.example"], "subject": name, "body": "Hello"} for name in ("a", "b")]
    outcomes = []
    for order in (mails, mails[::-1]):
        mailbox.reset()
        for mail in order:
            result(mailbox, "send_email", **mail)
        outcomes.append(mailbox.net_changes())
    comparison = compare_changes(*outcomes)
    assert not (comparison.missing or comparison.wrong or comparison.collateral)


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_mailboxes_hold_their_invariants(seed: int) -> None:
    world = get_category("email").world(seed)
    mails = world.rows("emails")
    folders = {str(r["name"]) for r in world.rows("email_folders")}
    assert len({r["id"] for table in world.tables for r in world.rows(table)}) == len(mails) + len(folders)
    counts = Counter(str(r["folder"]) for r in mails)
    assert set(counts) == folders and max(counts.values()) <= 8
    subjects = Counter(r["subject"] for r in mails if not str(r["subject"]).startswith("Re: "))
    assert max(subjects.values()) == 1
    assert len({r["date"] for r in mails}) == len(mails)
    assert all(str(r["date"]) < world.now.strftime("%Y-%m-%d") for r in mails)
    assert len({(r["from"], r["address"]) for r in mails}) == len({r["from"] for r in mails})
    assert {r["unread"] for r in mails if r["folder"] == "Inbox"} == {True, False}
    rng = random.Random(seed)
    for name, make in MAKERS.items():
        assert make(world, rng), name
    assert len(MAKERS["conversation"](world, rng)["ideas"]) == 3


def test_no_name_contains_another() -> None:
    """Or naming one would name the other too."""
    content, services = get_category("email").content, ("silent_services", "answering_services")
    subjects = [e["subject"] for key in ("letters", *services, "threads", "junk", "drafts") for e in content[key]]
    people = [*content["people"], *(e["name"] for key in services for e in content[key])]
    files = [name for key in ("letters", *services) for e in content[key] for name in e.get("files", ())]
    for pool in (subjects, people, files, [*content["folders"], *content["bill_folders"]]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
