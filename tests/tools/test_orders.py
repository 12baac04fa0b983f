"""The tools of the customer service desk: what each does, what each refuses, and what holds in every populated world."""

from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(40), *range(100_000, 100_010)]


@pytest.fixture
def desk() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    world.add_table("retail_orders", "retail_items", "retail_variants", "retail_refunds", "retail_notes")
    for row_id, day, status, delivered in [
        ("ro_1", "2026-05-03", "processing", None),
        ("ro_2", "2026-04-20", "delivered", "2026-04-25"),
        ("ro_3", "2026-03-20", "delivered", "2026-04-03"),
        ("ro_4", "2026-04-29", "shipped", None),
    ]:
        sent = status != "processing"
        row: dict[str, Any] = {
            "id": row_id,
            "customer": "Ana Popescu",
            "address": "1 Hill Street",
            "day": day,
            "status": status,
        }
        row |= {"delivered_on": delivered, "payment": "gift card", "shipping_fee": 5.0, "total": 45.0}
        row |= {"carrier": "Anker" if sent else None, "last_seen": "Lyon" if sent else None, "cancel_reason": None}
        world.insert("retail_orders", row)
        for number, product, final in [(1, "kimono", False), (2, "poncho", True)]:
            item: dict[str, Any] = {
                "id": f"itm_{row_id[3]}{number}",
                "order_id": row_id,
                "product": product,
                "variant": "small",
            }
            item |= {"quantity": 2 if number == 1 else 1, "price": 10.0, "state": "kept"}
            world.insert("retail_items", {**item, "final_sale": final, "return_reason": None})
    for row_id, product, variant, stock in [
        ("var_1", "kimono", "small", 4),
        ("var_2", "kimono", "large", 2),
        ("var_3", "kimono", "medium", 1),
        ("var_4", "poncho", "small", 9),
    ]:
        world.insert("retail_variants", {"id": row_id, "product": product, "variant": variant, "stock": stock})
    return Environment(world, get_category("orders").tools)


def call(desk: Environment, tool: str, **arguments: Any) -> Transition:
    return desk.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(desk: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(desk, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def refunds(desk: Environment) -> list[tuple[Any, Any, Any]]:
    return [(row["order_id"], row["amount"], row["method"]) for row in desk.world.rows("retail_refunds")]


def test_reads_show_what_is_needed(desk: Environment) -> None:
    orders = result(desk, "find_customer_orders", customer="popescu")
    assert [order["id"] for order in orders] == ["ro_1", "ro_4", "ro_2", "ro_3"]
    assert orders[0]["products"] == ["kimono", "poncho"] and "customer" not in orders[0]
    order = result(desk, "get_retail_order", order_id="ro_2")
    assert order["payment"] == "gift card" and [item["id"] for item in order["items"]] == ["itm_21", "itm_22"]
    assert result(desk, "list_product_variants", product="Kimono")[1] == {"id": "var_2", "variant": "large", "stock": 2}
    assert result(desk, "track_order_parcel", order_id="ro_4") == {"carrier": "Anker", "last_seen": "Lyon"}
    assert desk.net_changes() == ()


def test_an_order_in_processing_can_be_changed_and_cancelled(desk: Environment) -> None:
    result(desk, "change_order_address", order_id="ro_1", address="2 Rue Sainte, Marseille")
    assert desk.world.get("retail_orders", "ro_1")["address"] == "2 Rue Sainte, Marseille"  # type: ignore[index]
    result(desk, "add_order_note", order_id="ro_1", note="Use padding", urgent=True)
    assert desk.world.rows("retail_notes")[0]["urgent"] is True
    result(desk, "refund_order_amount", order_id="ro_1", amount=5, method="store credit")
    done = result(desk, "cancel_retail_order", order_id="ro_1", reason="too slow")
    assert done == {"cancelled": "ro_1", "refunded": 40.0, "method": "gift card"}
    assert refunds(desk) == [("ro_1", 5, "store credit"), ("ro_1", 40.0, "gift card")]


def test_an_item_is_returned_or_exchanged_within_thirty_days(desk: Environment) -> None:
    assert result(desk, "return_order_item", item_id="itm_21", reason="damaged")["refunded"] == 20.0
    assert refunds(desk) == [("ro_2", 20.0, "gift card")]
    result(desk, "refund_order_amount", order_id="ro_2", amount=25, method="gift card")
    refused = call(desk, "refund_order_amount", order_id="ro_2", amount=0.01, method="gift card")
    assert "At most 0.00" in str(refused.observation.content)
    desk.reset()
    assert result(desk, "exchange_order_item", item_id="itm_21", variant_id="var_2")["new"] == "large"
    assert desk.world.get("retail_variants", "var_2")["stock"] == 0  # type: ignore[index]
    again = call(desk, "exchange_order_item", item_id="itm_21", variant_id="var_1")
    assert "already exchanged" in str(again.observation.content)


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("find_customer_orders", {"customer": "Nobody"}, "no orders of a customer"),
        ("get_retail_order", {"order_id": "kimono"}, "find_customer_orders"),
        ("change_order_address", {"order_id": "ro_4", "address": "2 Rue Sainte"}, "already shipped"),
        ("change_order_address", {"order_id": "ro_1", "address": "1 hill street"}, "already goes"),
        ("change_order_address", {"order_id": "ro_1", "address": " "}, "empty"),
        ("cancel_retail_order", {"order_id": "ro_2", "reason": "too slow"}, "already delivered"),
        ("return_order_item", {"item_id": "itm_11", "reason": "damaged"}, "not delivered"),
        ("return_order_item", {"item_id": "itm_22", "reason": "damaged"}, "final sale"),
        ("return_order_item", {"item_id": "itm_31", "reason": "damaged"}, "more than 30 days"),
        ("list_product_variants", {"product": "sofa"}, "no product named"),
        ("exchange_order_item", {"item_id": "itm_21", "variant_id": "var_1"}, "already has"),
        ("exchange_order_item", {"item_id": "itm_21", "variant_id": "var_3"}, "2 are needed"),
        ("exchange_order_item", {"item_id": "itm_21", "variant_id": "var_4"}, "another product"),
        ("refund_order_amount", {"order_id": "ro_2", "amount": 5, "method": "credit card"}, "paid by gift card"),
        ("refund_order_amount", {"order_id": "ro_2", "amount": 45.01, "method": "gift card"}, "At most 45.00"),
        ("track_order_parcel", {"order_id": "ro_1"}, "no parcel"),
        ("add_order_note", {"order_id": "ro_1", "note": ""}, "empty"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    desk: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(desk, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("orders").world(seed)
    orders = {str(row["id"]): row for row in world.rows("retail_orders")}
    today = world.now.strftime("%Y-%m-%d")
    bought: dict[str, list[str]] = {}
    values = {order_id: float(order["shipping_fee"]) for order_id, order in orders.items()}
    for item in world.rows("retail_items"):
        order_id = str(item["order_id"])
        bought.setdefault(str(orders[order_id]["customer"]), []).append(str(item["product"]))
        values[order_id] += item["price"] * item["quantity"]
    assert all(len(set(products)) == len(products) for products in bought.values())
    assert all(round(values[order_id], 2) == order["total"] for order_id, order in orders.items())
    for order in orders.values():
        assert (order["delivered_on"] is not None) == (order["status"] == "delivered")
        assert str(order["day"]) <= str(order["delivered_on"] or today) <= today
    processing = {row["customer"] for row in orders.values() if row["status"] == "processing"}
    assert len(processing) > 1
    stocks: dict[str, list[int]] = {}
    for row in world.rows("retail_variants"):
        stocks.setdefault(str(row["product"]), []).append(row["stock"])
    assert all(min(counts) == 0 and 3 <= len(counts) <= 4 for counts in stocks.values())


def test_no_name_contains_another() -> None:
    content = get_category("orders").content
    products = [product["name"] for product in content["products"]]
    for pool in (content["customers"], content["addresses"], content["places"], content["carriers"], products):
        assert [(a, b) for a in pool for b in pool if a != b and a.casefold() in b.casefold()] == []
