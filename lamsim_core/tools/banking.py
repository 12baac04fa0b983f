"""Personal banking: accounts that cannot be overdrawn, saved payees, cards, standing orders and a history of payments.

Money is in euros and rounded to cents. Savings accounts can only be moved to other own accounts, and a current account
has a limit for each payment, which the bank tells when it is exceeded. Only saved payees can be paid.
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


@tool(mutates=True)
def save_payee(
    world: World,
    name: Annotated[str, Field(min_length=1, max_length=80)],
    iban: Annotated[str, Field(pattern=r"^[A-Z]{2}\d{2}[A-Z0-9 ]{8,30}$")],
) -> dict[str, Any]:
    """Save a new payee, so that they can be paid.

    Args:
        name: Full name of the payee.
        iban: The payee's account number (IBAN).
    """
    if any(folded(str(row["name"])) == folded(name) for row in world.rows("payees")):
        raise ToolRefusedError(f"{name} is already saved as a payee.")
    number = iban.replace(" ", "")
    known = next((row for row in world.rows("payees") if row["iban"] == number), None)
    if known is not None:
        raise ToolRefusedError(f"The account {number} belongs to {known['name']}, who is already saved.")
    row = world.insert("payees", {"id": world.new_id("pay"), "name": name.strip(), "iban": number})
    return view(row, "name", "iban")


@tool(mutates=False)
def list_cards(world: World) -> list[dict[str, Any]]:
    """List the cards with their ids, their monthly limits and whether they are frozen."""
    return [view(row, "id", "name", "monthly_limit", "frozen") for row in world.rows("cards")]


def _card(world: World, card_id: str) -> FrozenRow:
    return require_row(world, "cards", card_id, "card", see="list_cards")


@tool(mutates=True)
def freeze_card(world: World, card_id: str) -> dict[str, Any]:
    """Freeze a card, so that nobody can pay with it.

    Args:
        card_id: The card's id.
    """
    row = _card(world, card_id)
    if row["frozen"]:
        raise ToolRefusedError(f"The {row['name']} card is already frozen.")
    world.update("cards", card_id, frozen=True)
    return {"frozen": row["name"]}


@tool(mutates=True)
def set_card_limit(world: World, card_id: str, monthly_limit: Annotated[int, Field(ge=50, le=5000)]) -> dict[str, Any]:
    """Change how much can be paid with a card in a month.

    Args:
        card_id: The card's id.
        monthly_limit: The new limit, in whole euros.
    """
    row = _card(world, card_id)
    if row["frozen"]:
        raise ToolRefusedError(f"The {row['name']} card is frozen; its limit cannot be changed.")
    if row["monthly_limit"] == monthly_limit:
        raise ToolRefusedError(f"The limit of the {row['name']} card is already {monthly_limit}.")
    world.update("cards", card_id, monthly_limit=monthly_limit)
    return {"card": row["name"], "monthly_limit": monthly_limit}


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
    for account in _draw_accounts(rng, content):
        world.insert("accounts", {"id": ids("acc"), **account})
    payees = [*rng.sample(content["people"], 6), *rng.sample(content["companies"], 2)]
    rng.shuffle(payees)
    for name in payees:
        world.insert("payees", {"id": ids("pay"), "name": name, "iban": _iban(rng)})
    current = [str(row["id"]) for row in world.rows("accounts") if row["kind"] == "current"]
    _issue_cards(world, rng, content, current, ids)
    others = rng.sample(payees, len(payees))
    for name in others[: rng.randint(4, 5)]:
        order = {"account_id": rng.choice(current), "payee": name, "amount": rng.randint(10, 900)}
        world.insert("standing_orders", {"id": ids("sto"), **order, "day": rng.randint(1, 28)})
    _fill_history(world, rng, content, others, ids)


def _issue_cards(world: World, rng: random.Random, content: dict[str, Any], current: list[str], ids: Ids) -> None:
    """Four to six cards. Those with the lowest and the highest limit are never frozen, others may be."""
    names = rng.sample(content["cards"], rng.randint(4, 6))
    lowest, *between, highest = sorted(rng.sample(range(400, 4001, 100), len(names)))
    limits = [(lowest, False), (highest, False), *((limit, rng.random() < 0.4) for limit in between)]
    for name, (limit, frozen) in zip(names, rng.sample(limits, len(limits)), strict=True):
        card = {"name": name, "account_id": rng.choice(current), "monthly_limit": limit, "frozen": frozen}
        world.insert("cards", {"id": ids("crd"), **card})


def _iban(rng: random.Random) -> str:
    return f"{rng.choice(['DE', 'ES', 'FR', 'IT', 'NL', 'PT'])}{rng.randrange(10**11, 10**12)}"


def _draw_accounts(rng: random.Random, content: dict[str, Any]) -> list[dict[str, Any]]:
    """Two or three current and one or two savings accounts, no two with the same balance.

    The first holds more than a payment from it may be, the second more than the first and pays more: one can stand in
    for the other.
    """
    plans = [("current", (30_000, 50_000), rng.choice([150, 200, 250])), ("current", (70_000, 120_000), 2000)]
    plans += [("current", (8_000, 120_000), rng.choice([500, 1000]))] * rng.choice([0, 0, 1])
    plans += [("savings", (30_000, 900_000), 0)] * rng.choice([1, 2])
    current = iter(rng.sample(content["current_accounts"], 3))
    savings = iter(rng.sample(content["savings_accounts"], 2))
    cents: list[int] = []
    while len(set(cents)) < len(plans):
        cents = [rng.randint(*bounds) for _, bounds, _ in plans]
    accounts = [
        {
            "name": next(current if kind == "current" else savings),
            "kind": kind,
            "balance": balance / 100,
            "payment_limit": limit,
        }
        for (kind, _, limit), balance in zip(plans, cents, strict=True)
    ]
    return rng.sample(accounts, len(accounts))


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


def new_payee(world: World, rng: random.Random, names: list[str]) -> dict[str, str]:
    """Somebody of ``names`` who can be saved as a payee, with an IBAN, for task templates."""
    saved = {str(row["name"]) for row in world.rows("payees")}
    return {"name": rng.choice([name for name in names if name not in saved]), "iban": _iban(rng)}


def payment(world: World, rng: random.Random, fits: bool) -> dict[str, Any]:
    """Two current accounts, a payee and an amount above the first one's payment limit (or not), for task templates."""
    first, second = rng.sample([row for row in world.rows("accounts") if row["kind"] == "current"], 2)
    least = 60 if fits else int(first["payment_limit"]) + 10
    most = int(min((first if fits else second)["balance"], (first if fits else second)["payment_limit"]))
    if not fits:
        most = min(most, int(first["balance"]))  # so that the limit alone stands in the way
    payee = rng.choice(world.rows("payees"))
    amount = rng.choice(range(least, most + 1, 5))
    return {"first": first["name"], "second": second["name"], "payee": payee["name"], "amount": amount}


MAKERS = {"repeated_payment": repeated_payment, "new_payee": new_payee, "payment": payment}
