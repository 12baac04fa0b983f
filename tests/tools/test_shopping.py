"""The shopping tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.shopping import cart_line, coupon_pair, ordered_product, quiet_day, two_kinds, usable_coupon

TODAY = "2026-05-04"


@pytest.fixture
def shop() -> Environment:
    world = World(datetime(2026, 5, 4, 10, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [
            product("prd_1", "Tulipán kettle", "kettle", 20.0, 5),
            product("prd_2", "Oryx kettle", "kettle", 33.33, 0),
            product("prd_3", "Oryx candle", "candle", 4.99, 9, least=3),
            product("prd_4", "Kaito chess set", "chess set", 30.0, 4),
        ],
        "cart": [{"id": "cart", "lines": {"prd_4": 1}, "coupon": None}],
        "coupons": [
            {"id": "cpn_1", "code": "MERCI10", "percent": 10, "minimum": 30, "last_day": TODAY, "used": False},
            {"id": "cpn_2", "code": "LUCKY25", "percent": 25, "minimum": 50, "last_day": "2026-06-01", "used": False},
            {"id": "cpn_3", "code": "HELLO5", "percent": 5, "minimum": 0, "last_day": "2026-05-03", "used": False},
            {"id": "cpn_4", "code": "BONUS5", "percent": 5, "minimum": 0, "last_day": "2026-06-01", "used": True},
        ],
        "orders": [order("ord_1", "2026-04-01", "Atlas tent", 99.5), order("ord_2", "2026-04-20", "Fuji rug", 70.0)],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("shopping").tools)


def product(product_id: str, name: str, kind: str, price: float, stock: int, least: int = 1) -> dict[str, Any]:
    row = {"id": product_id, "name": name, "kind": kind, "price": price, "stock": stock, "min_quantity": least}
    return {**row, "colour": "plum", "rating": 4.2, "delivery_days": 3}


def order(order_id: str, day: str, product: str, total: float) -> dict[str, Any]:
    lines = [{"product": product, "quantity": 1}]
    return {"id": order_id, "day": day, "lines": lines, "total": total, "status": "shipped", "carrier": "GLS"}


def call(shop: Environment, tool: str, **arguments: Any) -> Transition:
    return shop.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(shop: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(shop, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def refusal(shop: Environment, tool: str, **arguments: Any) -> str:
    transition = call(shop, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation
    assert transition.changes == () and transition.before == transition.after
    return str(transition.observation.content)


def test_there_are_ten_tools() -> None:
    tools = get_category("shopping").tools
    assert len(tools) == 10
    assert {name for name, spec in tools.items() if spec.mutates} == {
        "add_to_cart",
        "set_cart_quantity",
        "remove_from_cart",
        "apply_coupon",
        "place_order",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kettle", ["prd_1", "prd_2"]),
        ("Kettles", ["prd_1", "prd_2"]),
        ("tulipan KETTLE", ["prd_1"]),
        ("chess", ["prd_4"]),
        ("ettle", []),
        ("cheapest kettle", []),
    ],
)
def test_search_needs_every_word(shop: Environment, query: str, found: list[str]) -> None:
    assert [row["id"] for row in result(shop, "search_products", query=query)] == found


def test_reads_show_what_is_needed_and_change_nothing(shop: Environment) -> None:
    before = shop.world.state_hash()
    assert result(shop, "search_products", query="Oryx kettle") == [
        {"id": "prd_2", "name": "Oryx kettle", "price": 33.33, "in_stock": False}
    ]
    assert result(shop, "get_product_details", product_id="prd_3") == {
        "name": "Oryx candle",
        "price": 4.99,
        "colour": "plum",
        "rating": 4.2,
        "stock": 9,
        "min_quantity": 3,
        "delivery_days": 3,
    }
    assert result(shop, "view_cart") == {
        "items": [{"product_id": "prd_4", "name": "Kaito chess set", "quantity": 1}],
        "coupon": None,
        "total": 30.0,
    }
    assert result(shop, "list_orders")[0] == {
        "id": "ord_2",
        "day": "2026-04-20",
        "products": ["Fuji rug"],
        "total": 70.0,
    }
    assert result(shop, "track_order", order_id="ord_1") == {"status": "shipped", "carrier": "GLS"}
    assert shop.world.state_hash() == before


def test_adding_and_removing(shop: Environment) -> None:
    assert result(shop, "add_to_cart", product_id="prd_3", quantity=3) == {
        "added": "Oryx candle",
        "in_cart": 3,
        "total": 44.97,
    }
    assert result(shop, "add_to_cart", product_id="prd_3")["in_cart"] == 4
    assert result(shop, "remove_from_cart", product_id="prd_4") == {"removed": "Kaito chess set", "total": 19.96}
    assert shop.world.rows("cart")[0]["lines"] == {"prd_3": 4}


def test_a_coupon_counts_while_the_cart_reaches_its_minimum(shop: Environment) -> None:
    assert result(shop, "apply_coupon", code="merci10") == {"coupon": "MERCI10", "percent": 10, "total": 27.0}
    result(shop, "add_to_cart", product_id="prd_1")
    assert result(shop, "remove_from_cart", product_id="prd_4")["total"] == 20.0
    assert result(shop, "add_to_cart", product_id="prd_1")["total"] == 36.0


def test_a_coupon_replaces_another(shop: Environment) -> None:
    result(shop, "apply_coupon", code="MERCI10")
    result(shop, "add_to_cart", product_id="prd_1")
    assert result(shop, "apply_coupon", code="LUCKY25")["total"] == 37.5
    assert result(shop, "view_cart")["coupon"] == "LUCKY25"


def test_checkout_orders_empties_the_cart_and_spends_coupon_and_stock(shop: Environment) -> None:
    result(shop, "apply_coupon", code="MERCI10")
    answer = result(shop, "place_order")
    assert answer == {"order_id": answer["order_id"], "total": 27.0}
    assert result(shop, "view_cart") == {"items": [], "coupon": None, "total": 0}
    assert result(shop, "list_orders")[0]["products"] == ["Kaito chess set"]
    assert result(shop, "track_order", order_id=answer["order_id"]) == {"status": "processing", "carrier": None}
    product, coupon = shop.world.get("products", "prd_4"), shop.world.get("coupons", "cpn_1")
    assert product is not None and product["stock"] == 3
    assert coupon is not None and coupon["used"] is True


def test_the_quantity_in_the_cart_can_be_changed(shop: Environment) -> None:
    changed = result(shop, "set_cart_quantity", product_id="prd_4", quantity=3)
    assert changed == {"product": "Kaito chess set", "in_cart": 3, "total": 90.0}
    assert result(shop, "set_cart_quantity", product_id="prd_4", quantity=1)["total"] == 30.0
    assert shop.net_changes() == ()


def test_a_coupon_that_did_not_count_is_not_spent(shop: Environment) -> None:
    result(shop, "apply_coupon", code="MERCI10")
    result(shop, "remove_from_cart", product_id="prd_4")
    result(shop, "add_to_cart", product_id="prd_1")
    assert result(shop, "place_order")["total"] == 20.0
    coupon = shop.world.get("coupons", "cpn_1")
    assert coupon is not None and coupon["used"] is False


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_products", {"query": "  "}, "at least one word"),
        ("add_to_cart", {"product_id": "Oryx candle"}, "search_products"),
        ("add_to_cart", {"product_id": "prd_2"}, "out of stock"),
        ("add_to_cart", {"product_id": "prd_1", "quantity": 6}, "Only 5 of Tulipán kettle"),
        ("add_to_cart", {"product_id": "prd_4", "quantity": 4}, "the cart would hold 5"),
        ("add_to_cart", {"product_id": "prd_3", "quantity": 2}, "from 3 pieces"),
        ("get_product_details", {"product_id": "Oryx candle"}, "search_products"),
        ("set_cart_quantity", {"product_id": "prd_1", "quantity": 2}, "view_cart"),
        ("set_cart_quantity", {"product_id": "prd_4", "quantity": 5}, "Only 4 of Kaito chess set"),
        ("set_cart_quantity", {"product_id": "prd_4", "quantity": 1}, "already holds 1"),
        ("remove_from_cart", {"product_id": "prd_9"}, "no product with the id"),
        ("remove_from_cart", {"product_id": "prd_1"}, "not in the cart"),
        ("apply_coupon", {"code": "SALE"}, "no coupon SALE"),
        ("apply_coupon", {"code": "LUCKY25"}, "at least 50 euros"),
        ("apply_coupon", {"code": "HELLO5"}, "expired on 2026-05-03"),
        ("apply_coupon", {"code": "BONUS5"}, "already been used"),
        ("track_order", {"order_id": "Atlas tent"}, "list_orders"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    shop: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    assert reason in refusal(shop, tool, **arguments)


def test_refusals_that_depend_on_what_was_done(shop: Environment) -> None:
    result(shop, "apply_coupon", code="MERCI10")
    assert "already applied" in refusal(shop, "apply_coupon", code="MERCI10")
    shop.world.update("products", "prd_4", stock=0)
    assert "Only 0 of Kaito chess set are left" in refusal(shop, "place_order")
    result(shop, "remove_from_cart", product_id="prd_4")
    assert "The cart is empty" in refusal(shop, "place_order")


@pytest.mark.parametrize("quantity", [0, -1, 100, 1.5])
def test_quantities_are_whole_and_within_reason(shop: Environment, quantity: float) -> None:
    assert call(shop, "add_to_cart", product_id="prd_1", quantity=quantity).observation.fault == "invalid_arguments"


def outcome(shop: Environment, *products: str) -> Any:
    shop.reset()
    for product_id in products:
        result(shop, "add_to_cart", product_id=product_id)
    return shop.net_changes()


def test_the_order_of_additions_does_not_matter_but_the_product_does(shop: Environment) -> None:
    wanted = outcome(shop, "prd_1", "prd_4")
    same = compare_changes(wanted, outcome(shop, "prd_4", "prd_1"))
    assert not (same.missing or same.wrong or same.collateral)
    assert compare_changes(wanted, outcome(shop, "prd_1", "prd_1")).missing


def test_a_cart_emptied_and_filled_again_is_the_same_cart(shop: Environment) -> None:
    result(shop, "remove_from_cart", product_id="prd_4")
    result(shop, "add_to_cart", product_id="prd_4")
    assert shop.net_changes() == ()


@pytest.mark.parametrize("seed", [*range(25), *range(100_000, 100_025)])
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("shopping").world(seed)
    today, products = world.now.strftime("%Y-%m-%d"), {row["id"]: row for row in world.rows("products")}
    ids = [row["id"] for table in world.tables for row in world.rows(table)]
    assert len(set(ids)) == len(ids)
    assert len({row["name"] for row in products.values()}) == len(products) == 20
    assert len({(row["kind"], row["price"]) for row in products.values()}) == len(products)
    assert all(isinstance(row["stock"], int) and row["stock"] >= 0 for row in products.values())
    assert all(
        isinstance(row["price"], float) and row["price"] == round(row["price"], 2) > 0 for row in products.values()
    )
    cart = world.rows("cart")[0]
    assert isinstance(cart["lines"], dict) and cart["lines"] and 1 in cart["lines"].values()
    assert list(cart["lines"]) == sorted(cart["lines"])
    for product_id, quantity in cart["lines"].items():
        row = products[product_id]
        assert isinstance(quantity, int) and isinstance(row["stock"], int) and isinstance(row["min_quantity"], int)
        assert row["min_quantity"] <= quantity <= row["stock"]
    ordered = [row["lines"] for row in world.rows("orders")]
    assert (
        len({str(lines) for lines in ordered}) == len({row["day"] for row in world.rows("orders")}) == len(ordered) >= 3
    )
    assert all(str(row["day"]) < today for row in world.rows("orders"))
    rng = random.Random(seed)
    environment = Environment(world, get_category("shopping").tools)
    assert cart["lines"][cart_line(world, rng)["id"]] == 1
    assert ordered_product(world, rng) in str(ordered)
    assert len(set(two_kinds(world, rng))) == 2
    assert sum(str(row["day"]) > quiet_day(world, rng) for row in world.rows("orders")) >= 2
    pair = coupon_pair(world, rng, first_works=False)
    assert call(environment, "apply_coupon", code=pair["first"]).observation.fault == "refused"
    full = result(environment, "view_cart")["total"]
    assert 0 < result(environment, "apply_coupon", code=usable_coupon(world, rng))["total"] < full
    result(environment, "place_order")


def test_seeds_give_different_worlds() -> None:
    assert len({get_category("shopping").world(seed).state_hash() for seed in range(50)}) == 50


def test_a_kind_finds_only_products_of_its_kind() -> None:
    content = get_category("shopping").content
    kinds = list(content["kinds"])
    world = World(datetime(2026, 5, 4, 10, 0))
    world.add_table("products")
    for number, (kind, brand) in enumerate((kind, brand) for kind in kinds for brand in content["brands"]):
        row = {
            "id": f"prd_{number}",
            "name": f"{brand} {kind}",
            "kind": kind,
            "price": 1.0,
            "stock": 1,
            "min_quantity": 1,
        }
        world.insert("products", row)
    shop = Environment(world, get_category("shopping").tools)
    for kind in kinds:
        assert kind[0] not in "aeiou"  # requests say 'a kettle'
        names = [row["name"] for row in result(shop, "search_products", query=kind)]
        assert sorted(names) == sorted(f"{brand} {kind}" for brand in content["brands"])
