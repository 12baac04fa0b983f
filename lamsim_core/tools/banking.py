"""Personal banking: accounts that cannot be overdrawn, saved payees, cards, standing orders and a history of payments.

Money is in euros and rounded to cents. Savings accounts can only be moved to other own accounts, and a current account
has a limit for each payment.
"""

import random
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Banking"
FAMILY = "money"

Amount = Annotated[float, Field(ge=0.01, le=1_000_000)]


def _account(world: World, account_id: str) -> FrozenRow:
    return require_row(world, "accounts", account_id, "account", see="list_accounts")


def _take(world: World, row: FrozenRow, amount: float, payee: str) -> float:
    """Book money out of an account. Returns the new balance."""
    balance = row["balance"]
    if amount > balance:
        raise ToolRefusedError(f"{row['name']} holds only {balance:.2f}; {amount:.2f} is too much.")
    return _book(world, row, round(balance - amount, 2), amount, payee, "out")


def _book(world: World, row: FrozenRow, balance: float, amount: float, payee: str, direction: str) -> float:
    account_id = str(row["id"])
    world.update("accounts", account_id, balance=balance)
    world.insert(
        "transactions",
        {
            "id": world.new_id("txn"),
            "account_id": account_id,
            "date": world.now.strftime(DAY),
            "payee": payee,
            "amount": amount,
            "direction": direction,
        },
    )
    return balance


@tool(mutates=False)
def list_accounts(world: World) -> list[dict[str, Any]]:
    """List the accounts with their ids and balances."""
    return [view(row, "id", "name", "kind", "balance") for row in world.rows("accounts")]


@tool(mutates=False)
def list_transactions(world: World, account_id: str, payee: str | None = None) -> list[dict[str, Any]]:
    """List the past payments of an account, newest first.

    Args:
        account_id: The account's id.
        payee: Only payments with this payee.
    """
    _account(world, account_id)
    rows = [row for row in world.rows("transactions") if row["account_id"] == account_id]
    if payee is not None:
        rows = [row for row in rows if folded(payee) in folded(str(row["payee"]))]
    rows.sort(key=lambda row: str(row["date"]), reverse=True)
    return [view(row, "date", "payee", "amount", "direction") for row in rows]


@tool(mutates=True)
def transfer_money(world: World, from_account: str, to_account: str, amount: Amount) -> dict[str, Any]:
    """Move money between two of the user's own accounts.

    Args:
        from_account: Id of the account to take from.
        to_account: Id of the account to put into.
        amount: How much.
    """
    source, target = _account(world, from_account), _account(world, to_account)
    if from_account == to_account:
        raise ToolRefusedError("Both accounts are the same.")
    amount = round(amount, 2)
    left = _take(world, source, amount, str(target["name"]))
    held = _book(world, target, round(target["balance"] + amount, 2), amount, str(source["name"]), direction="in")
    return {"moved": amount, str(source["name"]): left, str(target["name"]): held}


@tool(mutates=True)
def pay_contact(world: World, account_id: str, payee: str, amount: Amount) -> dict[str, Any]:
    """Pay a saved payee from a current account.

    Args:
        account_id: Id of the account to pay from.
        payee: Name of the payee.
        amount: How much.
    """
    row, name, amount = (
        _account(world, account_id),
        str(require_named(world, "payees", payee, "payee")["name"]),
        round(amount, 2),
    )
    if row["kind"] != "current":
        raise ToolRefusedError(f"{row['name']} is a savings account: it cannot pay others, only transfer.")
    limit = row["payment_limit"]
    if amount > limit:
        raise ToolRefusedError(f"A payment from {row['name']} can be at most {limit:.2f}.")
    return {"paid": amount, "payee": name, "balance": _take(world, row, amount, name)}


@tool(mutates=False)
def list_cards(world: World) -> list[dict[str, Any]]:
    """List the cards with their ids and whether they are frozen."""
    return [view(row, "id", "name", "frozen") for row in world.rows("cards")]


@tool(mutates=True)
def freeze_card(world: World, card_id: str) -> dict[str, Any]:
    """Freeze a card, so that nobody can pay with it.

    Args:
        card_id: The card's id.
    """
    row = require_row(world, "cards", card_id, "card", see="list_cards")
    if row["frozen"]:
        raise ToolRefusedError(f"The {row['name']} card is already frozen.")
    world.update("cards", card_id, frozen=True)
    return {"frozen": row["name"]}


@tool(mutates=False)
def list_standing_orders(world: World) -> list[dict[str, Any]]:
    """List the standing orders: payments made every month."""
    return [view(row, "id", "payee", "amount", "day") for row in world.rows("standing_orders")]


@tool(mutates=True)
def cancel_standing_order(world: World, order_id: str) -> dict[str, Any]:
    """Cancel a standing order.

    Args:
        order_id: The standing order's id.
    """
    row = require_row(world, "standing_orders", order_id, "standing order", see="list_standing_orders")
    world.delete("standing_orders", order_id)
    return {"cancelled": row["payee"]}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A household's bank: three to five accounts, eight payees, some cards and standing orders, two months of history."""
    world.add_table("accounts", "payees", "cards", "standing_orders", "transactions")
    ids = Ids(rng)
    names = [(name, "current") for name in rng.sample(content["current_accounts"], rng.choice([2, 2, 3]))]
    names += [(name, "savings") for name in rng.sample(content["savings_accounts"], rng.choice([1, 2]))]
    rng.shuffle(names)
    for (name, kind), cents in zip(names, _balances(rng, [kind for _, kind in names]), strict=True):
        limit = rng.choice([500, 1000, 2000]) if kind == "current" else 0
        account = {"name": name, "kind": kind, "balance": cents / 100, "payment_limit": limit}
        world.insert("accounts", {"id": ids("acc"), **account})
    payees = [*rng.sample(content["people"], 6), *rng.sample(content["companies"], 2)]
    rng.shuffle(payees)
    for name in payees:
        world.insert("payees", {"id": ids("pay"), "name": name})
    current = [str(row["id"]) for row in world.rows("accounts") if row["kind"] == "current"]
    for index, name in enumerate(rng.sample(content["cards"], rng.randint(2, 4))):
        frozen = index > 0 and rng.random() < 0.3
        card = {"id": ids("crd"), "name": name, "account_id": rng.choice(current), "frozen": frozen}
        world.insert("cards", card)
    others = rng.sample(payees, len(payees))
    for name in others[: rng.randint(3, 4)]:
        order = {"account_id": rng.choice(current), "payee": name, "amount": rng.randint(10, 900)}
        world.insert("standing_orders", {"id": ids("sto"), **order, "day": rng.randint(1, 28)})
    _fill_history(world, rng, content, others, ids)


def _balances(rng: random.Random, kinds: list[str]) -> list[int]:
    """Balances in cents, no two alike."""
    ranges = {"current": (8_000, 120_000), "savings": (30_000, 900_000)}
    while True:
        drawn = [rng.randint(*ranges[kind]) for kind in kinds]
        if len(set(drawn)) == len(drawn):
            return drawn


def _fill_history(world: World, rng: random.Random, content: dict[str, Any], payees: list[str], ids: Ids) -> None:
    """Two months of payments. Whoever is paid often has one account and no standing order: 'as last time' is clear."""
    merchants = rng.sample(content["merchants"], 6)
    for account in world.rows("accounts"):
        if account["kind"] == "current":
            repeated, single = [payees.pop(), merchants.pop()], [payees.pop(0), merchants.pop()]
            paid = [(name, "out") for name in repeated for _ in range(rng.randint(2, 3))]
            paid += [(name, "out") for name in single] + [(rng.choice(content["employers"]), "in")]
        else:
            paid = [("Interest", "in")] * rng.randint(1, 2)
        rng.shuffle(paid)
        days = rng.sample(range(1, 60), len(paid))
        cents = rng.sample(range(450, 7_500), len(paid))
        for (name, direction), ago, spent in zip(paid, days, cents, strict=True):
            amount = spent / 100 if direction == "out" or name == "Interest" else rng.randint(90_000, 350_000) / 100
            date = (world.now - timedelta(days=ago)).strftime(DAY)
            row = {"account_id": account["id"], "date": date, "payee": name, "amount": amount, "direction": direction}
            world.insert("transactions", {"id": ids("txn"), **row})


def repeated_payment(world: World, rng: random.Random, saved: bool = False) -> dict[str, Any]:
    """An account and somebody paid from it at least twice (``saved``: a payee one can pay), for task templates."""
    allowed = {str(row["name"]) for row in world.rows("payees")}
    counts: dict[tuple[str, str], int] = {}
    for row in world.rows("transactions"):
        if row["direction"] == "out" and (not saved or row["payee"] in allowed):
            pair = (str(row["account_id"]), str(row["payee"]))
            counts[pair] = counts.get(pair, 0) + 1
    account_id, payee = rng.choice(sorted(pair for pair, count in counts.items() if count > 1))
    return {"account": _account(world, account_id)["name"], "account_id": account_id, "payee": payee}


MAKERS = {"repeated_payment": repeated_payment}
