"""The stocks tools: what each does, what each refuses, and what holds in every populated world."""

from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(40), *range(100_000, 100_010)]


@pytest.fixture
def broker() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "stock_exchanges": [
            {"id": "exc_1", "name": "Early Board", "opens": "08:00", "closes": "12:00"},
            {"id": "exc_2", "name": "Late Floor", "opens": "15:00", "closes": "20:00"},
        ],
        "stock_quotes": [
            {"id": "stk_1", "ticker": "ABCD", "company": "Alba Mills", "exchange": "Early Board", "price": 20.0},
            {"id": "stk_2", "ticker": "EFGH", "company": "Egon Ports", "exchange": "Late Floor", "price": 10.0},
            {"id": "stk_3", "ticker": "IJKL", "company": "Iris Wind", "exchange": "Early Board", "price": 5.5},
        ],
        "stock_accounts": [{"id": "dep_1", "cash": 300.0, "watchlist": ["EFGH"]}],
        "stock_positions": [{"id": "pos_1", "ticker": "ABCD", "shares": 10, "average_price": 14.0}],
        "stock_orders": [],
        "stock_dividends": [
            {"id": "div_1", "ticker": "ABCD", "day": "2025-12-01", "amount": 3.5},
            {"id": "div_2", "ticker": "ABCD", "day": "2026-03-02", "amount": 4.0},
        ],
        "stock_alerts": [],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("stocks").tools)


def call(broker: Environment, tool: str, **arguments: Any) -> Transition:
    return broker.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(broker: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(broker, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def order(broker: Environment, ticker: str, side: str, shares: int, **more: Any) -> Any:
    return result(broker, "place_stock_order", ticker=ticker, side=side, shares=shares, **more)


def portfolio(broker: Environment) -> Any:
    return result(broker, "view_stock_portfolio")


def test_reads_show_what_is_needed(broker: Environment) -> None:
    found = [{"ticker": "ABCD", "company": "Alba Mills", "exchange": "Early Board", "price": 20.0}]
    assert result(broker, "find_stocks", query="alba") == result(broker, "find_stocks", query="abcd") == found
    assert result(broker, "get_market_hours", exchange="late floor")["open_now"] is False
    assert portfolio(broker)["buying_power"] == 300.0
    assert result(broker, "list_stock_orders") == []
    assert [row["amount"] for row in result(broker, "list_dividend_payments", ticker="ABCD")] == [4.0, 3.5]
    assert len(result(broker, "list_dividend_payments", ticker="ABCD", since="2026-03-02")) == 1
    assert broker.net_changes() == ()


def test_market_orders_move_cash_and_shares_and_cost_a_fee(broker: Environment) -> None:
    assert order(broker, "abcd", "buy", 10)["status"] == "filled"
    assert portfolio(broker)["cash"] == 97.5
    assert portfolio(broker)["positions"] == [{"ticker": "ABCD", "shares": 20, "average_price": 17.0}]
    order(broker, "ABCD", "sell", 20)
    assert portfolio(broker)["cash"] == 495.0 and portfolio(broker)["positions"] == []
    assert len(result(broker, "list_stock_orders", status="filled")) == 2


def test_limit_orders_wait_and_reserve_until_they_are_cancelled(broker: Environment) -> None:
    waiting = order(broker, "ABCD", "buy", 10, price=19.75)
    assert waiting["status"] == "pending" and waiting["price"] is None
    assert (portfolio(broker)["cash"], portfolio(broker)["buying_power"]) == (300.0, 100.0)
    order(broker, "ABCD", "sell", 6, price=21)
    assert "Only 4 shares" in str(
        call(broker, "place_stock_order", ticker="ABCD", side="sell", shares=5).observation.content
    )
    assert result(broker, "cancel_stock_order", order_id=waiting["id"])["ticker"] == "ABCD"
    assert portfolio(broker)["buying_power"] == 300.0
    assert order(broker, "ABCD", "buy", 1, price=20)["price"] == 20.0  # the limit is reached: filled at once
    assert order(broker, "EFGH", "buy", 1, price=12)["status"] == "pending"  # reached, but the exchange is closed


def test_watchlist_and_alerts(broker: Environment) -> None:
    added = result(broker, "update_stock_watchlist", tickers=["IJKL", "ABCD"], action="add")
    assert added == {"watchlist": ["ABCD", "EFGH", "IJKL"]}
    assert result(broker, "update_stock_watchlist", tickers=["EFGH"], action="remove")["watchlist"] == ["ABCD", "IJKL"]
    result(broker, "set_stock_alert", ticker="ABCD", direction="below", price=18)
    again = call(broker, "set_stock_alert", ticker="abcd", direction="below", price=18.0)
    assert "already" in str(again.observation.content)


def test_the_sequence_of_independent_orders_does_not_matter_but_the_stock_does(broker: Environment) -> None:
    outcomes = []
    for tickers in (["ABCD", "IJKL"], ["IJKL", "ABCD"], ["IJKL", "IJKL"]):
        broker.reset()
        for ticker in tickers:
            order(broker, ticker, "buy", 2)
        outcomes.append(broker.net_changes())
    same = compare_changes(outcomes[0], outcomes[1])
    assert not (same.missing or same.wrong or same.collateral)
    assert compare_changes(outcomes[0], outcomes[2]).missing


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("find_stocks", {"query": " "}, "Give a word"),
        ("get_market_hours", {"exchange": "Moon"}, "no exchange"),
        ("place_stock_order", {"ticker": "Alba Mills", "side": "buy", "shares": 1}, "find_stocks"),
        ("place_stock_order", {"ticker": "EFGH", "side": "buy", "shares": 1}, "Late Floor is closed"),
        ("place_stock_order", {"ticker": "ABCD", "side": "buy", "shares": 15}, "needs 302.50"),
        ("place_stock_order", {"ticker": "ABCD", "side": "sell", "shares": 11}, "Only 10 shares"),
        ("place_stock_order", {"ticker": "IJKL", "side": "sell", "shares": 1}, "Only 0 shares"),
        ("place_stock_order", {"ticker": "ABCD", "side": "buy", "shares": 1, "price": 9}, "too far"),
        ("cancel_stock_order", {"order_id": "ABCD"}, "list_stock_orders"),
        ("update_stock_watchlist", {"tickers": [], "action": "add"}, "at least one"),
        ("update_stock_watchlist", {"tickers": ["ABCD", "EFGH"], "action": "add"}, "EFGH: already"),
        ("update_stock_watchlist", {"tickers": ["ABCD"], "action": "remove"}, "ABCD: not"),
        ("set_stock_alert", {"ticker": "ABCD", "direction": "above", "price": 19}, "already above"),
        ("list_dividend_payments", {"ticker": "ABCD", "since": "2026-02-30"}, "not a real date"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    broker: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(broker, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("stocks").world(seed)
    broker = Environment(world, get_category("stocks").tools)
    names = [str(row["name"]) for row in world.rows("stock_exchanges")]
    hours = [result(broker, "get_market_hours", exchange=name) for name in names]
    assert hours[0]["open_now"] and not hours[2]["open_now"]
    tickers = {row["ticker"] for row in world.rows("stock_quotes")}
    assert len(tickers) == len(world.rows("stock_quotes")) == len({row["price"] for row in world.rows("stock_quotes")})
    held = {str(row["ticker"]): row["shares"] for row in world.rows("stock_positions")}
    pending = [row for row in world.rows("stock_orders") if row["status"] == "pending"]
    assert len({row["ticker"] for row in pending}) == len(pending) == 4
    assert {row["side"] for row in pending} == {"buy", "sell"}
    assert all(row["shares"] <= held[str(row["ticker"])] for row in pending if row["side"] == "sell")
    shown = portfolio(broker)
    assert 2_400 < shown["buying_power"] < shown["cash"]
    assert shown["watchlist"] == sorted(set(shown["watchlist"])) and set(shown["watchlist"]) <= tickers


def test_no_name_contains_another() -> None:
    content = get_category("stocks").content
    names = [company["name"] for company in content["companies"]]
    words = [word for name in names for word in name.casefold().split()]
    assert len(set(words)) == len(words), "a word of one company would find another"
    for pool in (names, content["exchanges"], [company["ticker"] for company in content["companies"]]):
        assert [(a, b) for a in pool for b in pool if a != b and a.casefold() in b.casefold()] == []
