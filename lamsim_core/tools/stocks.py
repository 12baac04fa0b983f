"""A broker's account: invented companies on three exchanges, a portfolio, cash, market and limit orders, dividends, alerts.

Exchanges trade every day within their hours. An order without a limit is filled at once, at the price of the moment, and
only while the exchange is open; one with a limit waits until the price is reached. Waiting orders reserve cash or shares.
Every order costs a fixed fee when it is filled. Money is in euros and rounded to cents.
"""

import random
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
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Stocks"
FAMILY = "money"

Price = Annotated[float, Field(ge=0.01, le=100_000)]
FEE = 2.5
_WATCHED = 10


def _stock(world: World, ticker: str) -> FrozenRow:
    return require_named(world, "stock_quotes", ticker, "stock", field="ticker", see="find_stocks")


def _exchange(world: World, name: str) -> FrozenRow:
    return require_named(world, "stock_exchanges", name, "exchange")


def _is_open(world: World, exchange: FrozenRow) -> bool:
    return bool(exchange["opens"] <= world.now.strftime("%H:%M") < exchange["closes"])


def _account(world: World) -> FrozenRow:
    return world.rows("stock_accounts")[0]


def _pending(world: World, side: str, ticker: str | None = None) -> list[FrozenRow]:
    return [
        row
        for row in world.rows("stock_orders")
        if row["status"] == "pending" and row["side"] == side and ticker in (None, row["ticker"])
    ]


def _buying_power(world: World) -> float:
    """Cash that no waiting order has reserved."""
    reserved = sum(row["shares"] * row["limit_price"] + FEE for row in _pending(world, "buy"))
    return float(round(_account(world)["cash"] - reserved, 2))


def _position(world: World, ticker: str) -> FrozenRow | None:
    return next((row for row in world.rows("stock_positions") if row["ticker"] == ticker), None)


def _free_shares(world: World, ticker: str) -> int:
    position = _position(world, ticker)
    held = 0 if position is None else int(position["shares"])
    return held - sum(int(row["shares"]) for row in _pending(world, "sell", ticker))


@tool(mutates=False)
def find_stocks(world: World, query: str) -> list[dict[str, Any]]:
    """Find stocks by company name or ticker, with the price of the moment in euros.

    Args:
        query: Words of the company's name, or a ticker.
    """
    if not query.strip():
        raise ToolRefusedError("Give a word of the company's name.")
    return [
        view(row, "ticker", "company", "exchange", "price")
        for row in world.rows("stock_quotes")
        if has_words(query, str(row["company"])) or folded(query) == folded(str(row["ticker"]))
    ]


@tool(mutates=False)
def get_market_hours(world: World, exchange: str) -> dict[str, Any]:
    """Show when an exchange opens and closes, every day in the user's time.

    Args:
        exchange: Name of the exchange.
    """
    row = _exchange(world, exchange)
    return {**view(row, "name", "opens", "closes"), "open_now": _is_open(world, row)}


@tool(mutates=False)
def view_stock_portfolio(world: World) -> dict[str, Any]:
    """Show cash, buying power, the fee of an order, the shares held and the watchlist."""
    account = _account(world)
    positions = [view(row, "ticker", "shares", "average_price") for row in world.rows("stock_positions")]
    money = {"cash": account["cash"], "buying_power": _buying_power(world), "fee": FEE}
    return {**money, "positions": positions, "watchlist": account["watchlist"]}


@tool(mutates=True)
def place_stock_order(
    world: World,
    ticker: str,
    side: Literal["buy", "sell"],
    shares: Annotated[int, Field(ge=1, le=100_000)],
    price: Annotated[float | None, Field(ge=0.01, le=100_000)] = None,
) -> dict[str, Any]:
    """Buy or sell shares, at the market price or with a limit.

    Args:
        ticker: The stock's ticker.
        side: Whether to buy or sell.
        shares: How many shares.
        price: The limit: highest price to buy or lowest price to sell at. Without it, the market price.
    """
    stock = _stock(world, ticker)
    ticker, market, exchange = str(stock["ticker"]), stock["price"], _exchange(world, str(stock["exchange"]))
    is_open, limit = _is_open(world, exchange), None if price is None else round(price, 2)
    if limit is None and not is_open:
        hours = f"{exchange['opens']} to {exchange['closes']}"
        raise ToolRefusedError(f"{exchange['name']} is closed (open {hours}); only orders with a limit are taken now.")
    if limit is not None and not 0.5 * market <= limit <= 1.5 * market:
        raise ToolRefusedError(f"The limit is too far from the price of {market:.2f}.")
    if side == "buy":
        cost, power = round(shares * (limit or market) + FEE, 2), _buying_power(world)
        if cost > power:
            raise ToolRefusedError(f"This needs {cost:.2f} euros, fee included; the buying power is {power:.2f}.")
    elif shares > _free_shares(world, ticker):
        raise ToolRefusedError(f"Only {_free_shares(world, ticker)} shares of {ticker} can be sold.")
    reached = limit is None or (limit >= market if side == "buy" else limit <= market)
    order = {"ticker": ticker, "side": side, "shares": shares, "limit_price": limit}
    status = "filled" if reached and is_open else "pending"
    made = {"id": world.new_id("sor"), **order, "status": status, "price": market if status == "filled" else None}
    if status == "filled":
        _fill(world, ticker, side, shares, market)
    world.insert("stock_orders", {**made, "day": world.now.strftime(DAY)})
    return view(made, "id", "status", "price")


def _fill(world: World, ticker: str, side: str, shares: int, price: float) -> None:
    """Exchange shares for cash."""
    account, position = _account(world), _position(world, ticker)
    value = round(shares * price, 2)
    change = -value - FEE if side == "buy" else value - FEE
    world.update("stock_accounts", str(account["id"]), cash=round(account["cash"] + change, 2))
    if position is None:
        row = {"ticker": ticker, "shares": shares, "average_price": price}
        world.insert("stock_positions", {"id": world.new_id("pos"), **row})
        return
    position_id, held = str(position["id"]), int(position["shares"])
    if side == "buy":
        average = round((held * position["average_price"] + value) / (held + shares), 2)
        world.update("stock_positions", position_id, shares=held + shares, average_price=average)
    elif held > shares:
        world.update("stock_positions", position_id, shares=held - shares)
    else:
        world.delete("stock_positions", position_id)


@tool(mutates=False)
def list_stock_orders(
    world: World, status: Literal["pending", "filled", "cancelled"] = "pending"
) -> list[dict[str, Any]]:
    """List the stock orders with a status.

    Args:
        status: Whether they still wait, were filled or were cancelled.
    """
    rows = [row for row in world.rows("stock_orders") if row["status"] == status]
    return [view(row, "id", "ticker", "side", "shares", "limit_price") for row in rows]


@tool(mutates=True)
def cancel_stock_order(world: World, order_id: str) -> dict[str, Any]:
    """Cancel a stock order that is still pending.

    Args:
        order_id: The order's id.
    """
    row = require_row(world, "stock_orders", order_id, "stock order", see="list_stock_orders")
    if row["status"] != "pending":
        raise ToolRefusedError(f"This order is already {row['status']}.")
    world.update("stock_orders", order_id, status="cancelled")
    return {"cancelled": order_id, **view(row, "ticker", "side", "shares")}


@tool(mutates=True)
def update_stock_watchlist(world: World, tickers: list[str], action: Literal["add", "remove"]) -> dict[str, Any]:
    """Add stocks to the watchlist or remove them from it.

    Args:
        tickers: Tickers of the stocks.
        action: Whether to add or remove them.
    """
    account = _account(world)
    named, watched = {str(_stock(world, ticker)["ticker"]) for ticker in tickers}, set(account["watchlist"])
    if not named:
        raise ToolRefusedError("Name at least one stock.")
    wrong = sorted(named & watched if action == "add" else named - watched)
    if wrong:
        raise ToolRefusedError(f"{', '.join(wrong)}: {'already' if action == 'add' else 'not'} on the watchlist.")
    left = sorted(watched | named if action == "add" else watched - named)
    if len(left) > _WATCHED:
        raise ToolRefusedError(f"The watchlist holds at most {_WATCHED} stocks.")
    world.update("stock_accounts", str(account["id"]), watchlist=left)
    return {"watchlist": left}


@tool(mutates=True)
def set_stock_alert(world: World, ticker: str, direction: Literal["above", "below"], price: Price) -> dict[str, Any]:
    """Set an alert for when a stock's price rises above or falls below a value.

    Args:
        ticker: The stock's ticker.
        direction: Which side of the value the price has to reach.
        price: The value, in euros.
    """
    stock, price = _stock(world, ticker), round(price, 2)
    if (stock["price"] > price) if direction == "above" else (stock["price"] < price):
        raise ToolRefusedError(f"{stock['ticker']} is already {direction} {price:.2f}: it is at {stock['price']:.2f}.")
    alert = {"ticker": stock["ticker"], "direction": direction, "price": price}
    if any(view(row, *alert) == alert for row in world.rows("stock_alerts")):
        raise ToolRefusedError("There is such an alert already.")
    world.insert("stock_alerts", {"id": world.new_id("alr"), **alert})
    return alert


@tool(mutates=False)
def list_dividend_payments(world: World, ticker: str, since: Day | None = None) -> list[dict[str, Any]]:
    """List the dividends a stock has paid into the account, newest first.

    Args:
        ticker: The stock's ticker.
        since: Only payments on or after this day, YYYY-MM-DD.
    """
    ticker = str(_stock(world, ticker)["ticker"])
    if since is not None:
        parse_day(since)
    rows = [
        row for row in world.rows("stock_dividends") if row["ticker"] == ticker and str(row["day"]) >= (since or "")
    ]
    rows.sort(key=lambda row: str(row["day"]), reverse=True)
    return [view(row, "day", "amount") for row in rows]


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Thirteen stocks on three exchanges (the first open all morning, the last closed), six of them held."""
    world.add_table("stock_exchanges", "stock_quotes", "stock_accounts", "stock_positions")
    world.add_table("stock_orders", "stock_dividends", "stock_alerts")
    ids = Ids(rng)
    names = rng.sample(content["exchanges"], 3)
    hours = [
        ("05:30", "06:30", "12:00", "14:30"),
        ("08:00", "09:00", "16:00", "17:45"),
        ("12:30", "15:30", "19:00", "22:30"),
    ]
    for name, (opens, opens_to, closes, closes_to) in zip(names, hours, strict=True):
        row = {"name": name, "opens": _quarter(rng, opens, opens_to), "closes": _quarter(rng, closes, closes_to)}
        world.insert("stock_exchanges", {"id": ids("exc"), **row})
    listed = names * 3 + [names[0]] * 3 + [names[2]]
    cents = rng.sample(range(480, 9_000), len(listed))
    for exchange, company, price in zip(listed, rng.sample(content["companies"], len(listed)), cents, strict=True):
        row = {"ticker": company["ticker"], "company": company["name"], "exchange": exchange, "price": price / 100}
        world.insert("stock_quotes", {"id": ids("stk"), **row})
    _fill_account(world, rng, ids)


def _quarter(rng: random.Random, earliest: str, latest: str) -> str:
    """A time of day between two, on a quarter of an hour."""
    first, last = (int(text[:2]) * 4 + int(text[3:]) // 15 for text in (earliest, latest))
    quarter = rng.randint(first, last)
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"


def _fill_account(world: World, rng: random.Random, ids: Ids) -> None:
    """Six positions, four waiting orders, three of the past, and dividends. Two stocks are untouched."""
    quotes = world.rows("stock_quotes")
    first = [row for row in quotes if row["exchange"] == quotes[0]["exchange"]]
    spare, *held = rng.sample(first, 4)
    closed = rng.choice([row for row in quotes if row["exchange"] == quotes[2]["exchange"]])
    others = [row for row in quotes if row not in (spare, closed, *held)]
    rng.shuffle(others)
    held += others[:3]
    for row, shares in zip(rng.sample(held, 6), rng.sample(range(8, 90), 6), strict=True):
        bought = round(row["price"] * rng.uniform(0.6, 1.4), 2)
        position = {"ticker": row["ticker"], "shares": shares, "average_price": bought}
        world.insert("stock_positions", {"id": ids("pos"), **position})
    watchlist = sorted(str(row["ticker"]) for row in rng.sample(quotes, rng.randint(2, 4)))
    waiting = [(row, "sell") for row in others[: rng.choice([1, 2])]]
    waiting += [(row, "buy") for row in others[3 : 7 - len(waiting)]]
    reserved = 0.0
    for row, side in rng.sample(waiting, len(waiting)):
        limit = round(row["price"] * (rng.uniform(0.85, 0.97) if side == "buy" else rng.uniform(1.03, 1.15)), 2)
        shares = rng.randint(3, 8)
        reserved += shares * limit + FEE if side == "buy" else 0
        order = {"ticker": row["ticker"], "side": side, "shares": shares, "limit_price": limit, "status": "pending"}
        _past_order(world, rng, ids, {**order, "price": None}, rng.randint(0, 6))
    for row in rng.sample(held, 3):
        order = {"ticker": row["ticker"], "side": "buy", "shares": rng.randint(2, 8), "limit_price": None}
        _past_order(world, rng, ids, {**order, "status": "filled", "price": row["price"]}, rng.randint(10, 90))
    cash = round(reserved + rng.randint(250_000, 900_000) / 100, 2)
    world.insert("stock_accounts", {"id": ids("dep"), "cash": cash, "watchlist": watchlist})
    for row in rng.sample(held, 4):
        latest = rng.randint(5, 80)
        for quarter in range(rng.randint(3, 4)):
            day = (world.now - timedelta(days=latest + 91 * quarter)).strftime(DAY)
            payment = {"ticker": row["ticker"], "day": day, "amount": rng.randint(150, 6_000) / 100}
            world.insert("stock_dividends", {"id": ids("div"), **payment})
    row = rng.choice(quotes)
    alert = {"ticker": row["ticker"], "direction": "above", "price": round(row["price"] * 1.2)}
    world.insert("stock_alerts", {"id": ids("alr"), **alert})


def _past_order(world: World, rng: random.Random, ids: Ids, order: dict[str, Any], ago: int) -> None:
    day = (world.now - timedelta(days=ago)).strftime(DAY)
    world.insert("stock_orders", {"id": ids("sor"), **order, "day": day})


def quoted_stock(
    world: World,
    rng: random.Random,
    is_open: bool | None = None,
    held: bool | None = None,
    watched: bool | None = None,
    ordered: bool | None = None,
    other_than: str = "",
) -> dict[str, Any]:
    """A stock for task templates: on an open exchange or not, held, watched, with a pending order, not this ticker."""
    watchlist = _account(world)["watchlist"]
    waiting = {row["ticker"] for side in ("buy", "sell") for row in _pending(world, side)}
    found = []
    for row in world.rows("stock_quotes"):
        ticker = str(row["ticker"])
        facts = [
            (is_open, _is_open(world, _exchange(world, str(row["exchange"])))),
            (held, _position(world, ticker) is not None),
            (watched, ticker in watchlist),
            (ordered, ticker in waiting),
        ]
        if ticker != other_than and all(wanted in (None, fact) for wanted, fact in facts):
            found.append(dict(row))
    return rng.choice(found)


def dividend_payer(world: World, rng: random.Random) -> dict[str, Any]:
    """A company that paid dividends, and the first of a month after one of them and before the last two, for templates."""
    paid: dict[str, list[str]] = {}
    for row in world.rows("stock_dividends"):
        paid.setdefault(str(row["ticker"]), []).append(str(row["day"]))
    ticker = rng.choice(sorted(paid))
    after = parse_day(sorted(paid[ticker])[-3])
    since = (after.replace(day=1) + timedelta(days=32)).replace(day=1)
    return {"company": _stock(world, ticker)["company"], "since": since.strftime(DAY)}


MAKERS = {"quoted_stock": quoted_stock, "dividend_payer": dividend_payer}
