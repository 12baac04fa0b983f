"""The banking tools: what each does, what each refuses, and what holds in every populated world."""

import random
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.banking import new_payee, payment, repeated_payment

ACCOUNTS = [
    {"id": "acc_1", "name": "Everyday", "kind": "current", "balance": 300.1, "payment_limit": 250},
    {"id": "acc_2", "name": "Nest Egg", "kind": "savings", "balance": 50.05, "payment_limit": 0},
]
PAYMENTS = [
    {
        "id": "txn_1",
        "account_id": "acc_1",
        "date": "2026-03-01",
        "payee": "Ana Popescu",
        "amount": 12.5,
        "direction": "out",
    },
    {
        "id": "txn_2",
        "account_id": "acc_1",
        "date": "2026-04-01",
        "payee": "Ana Popescu",
        "amount": 20.0,
        "direction": "out",
    },
    {
        "id": "txn_3",
        "account_id": "acc_1",
        "date": "2026-04-02",
        "payee": "Café Kaldi",
        "amount": 4.9,
        "direction": "out",
    },
]


@pytest.fixture
def bank() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "accounts": ACCOUNTS,
        "payees": [
            {"id": "pay_1", "name": "Ana Popescu", "iban": "ES110000000001"},
            {"id": "pay_2", "name": "Émile Laurent", "iban": "FR220000000002"},
        ],
        "cards": [
            {"id": "crd_1", "name": "Maestro", "account_id": "acc_1", "monthly_limit": 900, "frozen": False},
            {"id": "crd_2", "name": "Dankort", "account_id": "acc_1", "monthly_limit": 400, "frozen": True},
        ],
        "standing_orders": [{"id": "sto_1", "account_id": "acc_1", "payee": "Émile Laurent", "amount": 80, "day": 3}],
        "transactions": PAYMENTS,
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("banking").tools)


def call(bank: Environment, tool: str, **arguments: Any) -> Transition:
    return bank.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(bank: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(bank, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def balance(bank: Environment, account_id: str) -> Any:
    row = bank.world.get("accounts", account_id)
    assert row is not None
    return row["balance"]


def test_there_are_ten_tools_with_one_sentence_each() -> None:
    tools = get_category("banking").tools
    assert len(tools) == 10
    assert {name for name, spec in tools.items() if spec.mutates} == {
        "transfer_money",
        "pay_contact",
        "save_payee",
        "freeze_card",
        "set_card_limit",
        "cancel_standing_order",
    }


def test_reads_show_what_is_needed_and_change_nothing(bank: Environment) -> None:
    before = bank.world.state_hash()
    assert result(bank, "list_accounts")[0] == {"id": "acc_1", "name": "Everyday", "kind": "current", "balance": 300.1}
    assert [row["date"] for row in result(bank, "list_transactions", account_id="acc_1")] == [
        "2026-04-02",
        "2026-04-01",
        "2026-03-01",
    ]
    assert [row["amount"] for row in result(bank, "list_transactions", account_id="acc_1", payee="ana popescu")] == [
        20.0,
        12.5,
    ]
    assert result(bank, "list_transactions", account_id="acc_2") == []
    assert result(bank, "list_cards")[1] == {
        "id": "crd_2",
        "name": "Dankort",
        "monthly_limit": 400,
        "frozen": True,
    }
    assert result(bank, "list_standing_orders") == [{"id": "sto_1", "payee": "Émile Laurent", "amount": 80, "day": 3}]
    assert bank.world.state_hash() == before


def test_transfer_moves_money_and_books_it_on_both_sides(bank: Environment) -> None:
    assert result(bank, "transfer_money", from_account="acc_1", to_account="acc_2", amount=100.05) == {
        "moved": 100.05,
        "Everyday": 200.05,
        "Nest Egg": 150.1,
    }
    assert (balance(bank, "acc_1"), balance(bank, "acc_2")) == (200.05, 150.1)
    booked = [(row["account_id"], row["payee"], row["direction"]) for row in bank.world.rows("transactions")[3:]]
    assert booked == [("acc_1", "Nest Egg", "out"), ("acc_2", "Everyday", "in")]


def test_an_account_can_be_emptied_but_not_overdrawn(bank: Environment) -> None:
    result(bank, "transfer_money", from_account="acc_2", to_account="acc_1", amount=50.05)
    assert balance(bank, "acc_2") == 0.0
    assert (
        call(bank, "transfer_money", from_account="acc_2", to_account="acc_1", amount=0.01).observation.fault
        == "refused"
    )


def test_pay_contact_pays_whatever_the_spelling_of_the_name(bank: Environment) -> None:
    assert result(bank, "pay_contact", account_id="acc_1", payee=" emile LAURENT", amount=0.105) == {
        "paid": 0.1,
        "payee": "Émile Laurent",
        "balance": 300.0,
    }
    assert bank.world.rows("transactions")[-1]["payee"] == "Émile Laurent"


def test_a_new_payee_can_be_paid_once_saved(bank: Environment) -> None:
    payment = {"account_id": "acc_1", "payee": "Tove Halvorsen", "amount": 20}
    assert call(bank, "pay_contact", **payment).observation.fault == "refused"
    saved = result(bank, "save_payee", name="Tove Halvorsen", iban="NO93 8601 1117 947")
    assert saved == {"name": "Tove Halvorsen", "iban": "NO9386011117947"}
    assert result(bank, "pay_contact", **payment)["balance"] == 280.1


def test_card_limits(bank: Environment) -> None:
    assert result(bank, "set_card_limit", card_id="crd_1", monthly_limit=1200) == {
        "card": "Maestro",
        "monthly_limit": 1200,
    }
    assert result(bank, "list_cards")[0]["monthly_limit"] == 1200
    for limit in (49, 5001, 120.5):
        observation = call(bank, "set_card_limit", card_id="crd_1", monthly_limit=limit).observation
        assert observation.fault == "invalid_arguments"


def test_freeze_and_cancel(bank: Environment) -> None:
    assert result(bank, "freeze_card", card_id="crd_1") == {"frozen": "Maestro"}
    assert all(row["frozen"] for row in bank.world.rows("cards"))
    assert result(bank, "cancel_standing_order", order_id="sto_1") == {"cancelled": "Émile Laurent"}
    assert bank.world.rows("standing_orders") == []


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("list_transactions", {"account_id": "Everyday"}, "list_accounts"),
        ("transfer_money", {"from_account": "acc_9", "to_account": "acc_1", "amount": 1}, "no account with the id"),
        ("transfer_money", {"from_account": "acc_1", "to_account": "acc_9", "amount": 1}, "no account with the id"),
        ("transfer_money", {"from_account": "acc_1", "to_account": "acc_1", "amount": 1}, "the same"),
        ("transfer_money", {"from_account": "acc_2", "to_account": "acc_1", "amount": 50.06}, "holds only 50.05"),
        ("pay_contact", {"account_id": "acc_9", "payee": "Ana Popescu", "amount": 1}, "no account with the id"),
        ("pay_contact", {"account_id": "acc_1", "payee": "Café Kaldi", "amount": 1}, "no payee named 'Café Kaldi'"),
        ("pay_contact", {"account_id": "acc_1", "payee": "Ana", "amount": 1}, "Similar: Ana Popescu"),
        ("pay_contact", {"account_id": "acc_1", "payee": "Ana Popescu", "amount": 250.01}, "at most 250.00"),
        ("pay_contact", {"account_id": "acc_2", "payee": "Ana Popescu", "amount": 1}, "savings account"),
        ("save_payee", {"name": "ana popescu", "iban": "ES110000000009"}, "already saved"),
        ("save_payee", {"name": "Tove Halvorsen", "iban": "FR22 0000 0000 02"}, "belongs to Émile Laurent"),
        ("set_card_limit", {"card_id": "crd_1", "monthly_limit": 900}, "already 900"),
        ("set_card_limit", {"card_id": "crd_2", "monthly_limit": 900}, "is frozen"),
        ("set_card_limit", {"card_id": "crd_9", "monthly_limit": 900}, "list_cards"),
        ("freeze_card", {"card_id": "Maestro"}, "list_cards"),
        ("freeze_card", {"card_id": "crd_2"}, "already frozen"),
        ("cancel_standing_order", {"order_id": "sto_9"}, "list_standing_orders"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    bank: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(bank, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


def test_a_payment_above_the_balance_is_refused(bank: Environment) -> None:
    result(bank, "pay_contact", account_id="acc_1", payee="Ana Popescu", amount=250)
    transition = call(bank, "pay_contact", account_id="acc_1", payee="Ana Popescu", amount=50.11)
    assert transition.observation.content == {"error": "Everyday holds only 50.10; 50.11 is too much."}


@pytest.mark.parametrize("amount", [0, -5, 0.001])
def test_amounts_below_a_cent_are_not_valid(bank: Environment, amount: float) -> None:
    observation = call(bank, "pay_contact", account_id="acc_1", payee="Ana Popescu", amount=amount).observation
    assert observation.fault == "invalid_arguments"


def test_the_order_of_independent_payments_does_not_matter(bank: Environment) -> None:
    first = {"account_id": "acc_1", "payee": "Ana Popescu", "amount": 10.1}
    second = {"account_id": "acc_1", "payee": "Émile Laurent", "amount": 20.2}
    outcomes = []
    for order in ([first, second], [second, first]):
        bank.reset()
        for arguments in order:
            result(bank, "pay_contact", **arguments)
        outcomes.append(bank.net_changes())
    comparison = compare_changes(*outcomes)
    assert not (comparison.missing or comparison.wrong or comparison.collateral)


def test_repeated_payment_finds_the_payee_paid_twice(bank: Environment) -> None:
    assert repeated_payment(bank.world, random.Random(0), saved=True) == {
        "account": "Everyday",
        "account_id": "acc_1",
        "payee": "Ana Popescu",
    }


@pytest.mark.parametrize("seed", [*range(25), *range(100_000, 100_025)])
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("banking").world(seed)
    accounts, today = world.rows("accounts"), world.now.strftime("%Y-%m-%d")
    ids = [row["id"] for table in world.tables for row in world.rows(table)]
    assert len(set(ids)) == len(ids)
    assert all(
        isinstance(row["balance"], float) and row["balance"] == round(row["balance"], 2) >= 0 for row in accounts
    )
    assert len({row["balance"] for row in accounts}) == len({row["name"] for row in accounts}) == len(accounts)
    kinds = Counter(row["kind"] for row in accounts)
    assert kinds["current"] >= 2 and kinds["savings"] >= 1
    by_id = {row["id"]: row for row in accounts}
    payees = [row["name"] for row in world.rows("payees")]
    standing = [row["payee"] for row in world.rows("standing_orders")]
    assert len(set(payees)) == len(payees) and len(set(standing)) == len(standing) and set(standing) <= set(payees)
    cards = sorted(world.rows("cards"), key=lambda row: int(str(row["monthly_limit"])))
    assert len({row["monthly_limit"] for row in cards}) == len(cards) >= 3
    assert not cards[0]["frozen"] and not cards[-1]["frozen"]
    assert len({row["iban"] for row in world.rows("payees")}) == len(payees)
    assert new_payee(world, random.Random(seed), [payees[0], "Owen Pritchard"])["name"] == "Owen Pritchard"
    assert any(_finds_payment(world, draw, False) for draw in range(20))
    assert any(_finds_payment(world, draw, True) for draw in range(20))
    owners: dict[Any, set[Any]] = {}
    for row in world.rows("transactions"):
        assert row["account_id"] in by_id and str(row["date"]) < today
        assert isinstance(row["amount"], float) and row["amount"] == round(row["amount"], 2) > 0
        if row["direction"] == "out":
            owners.setdefault(row["payee"], set()).add(row["account_id"])
    assert all(len(found) == 1 for found in owners.values())
    repeated = repeated_payment(world, random.Random(seed), saved=True)
    assert repeated["payee"] in payees and repeated["payee"] not in standing


def _finds_payment(world: World, draw: int, fits: bool) -> bool:
    try:
        found = payment(world, random.Random(draw), fits)
    except IndexError:  # a drawing that finds nothing is drawn again
        return False
    limits = {row["name"]: int(str(row["payment_limit"])) for row in world.rows("accounts")}
    assert (found["amount"] <= limits[found["first"]]) == fits
    return True


def test_seeds_give_different_worlds() -> None:
    assert len({get_category("banking").world(seed).state_hash() for seed in range(50)}) == 50


def test_no_name_contains_another() -> None:
    """Or naming one would name the other too."""
    content = get_category("banking").content
    pools = [["current_accounts", "savings_accounts"], ["people", "companies", "merchants", "employers"], ["cards"]]
    for pool in pools:
        names = [name.casefold() for group in pool for name in content[group]]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
