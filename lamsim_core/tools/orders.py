"""The desk of a retailer's customer service: customers' orders with their items, addresses, returns, exchanges and refunds.

An order can be changed or cancelled only while it is being processed. Items of a delivered order can be returned, or
exchanged for another variant in stock, within thirty days, unless they were bought in a final sale. Money goes back the
way it was paid, or becomes store credit. It is in euros and rounded to cents.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "Customer orders"
FAMILY = "commerce"

RETURN_DAYS = 30
_PAYMENTS = ["credit card", "bank transfer", "gift card", "mobile wallet"]
_CREDIT = "store credit"


def _order(world: World, order_id: str) -> FrozenRow:
    return require_row(world, "retail_orders", order_id, "order", see="find_customer_orders")


def _items(world: World, order_id: str) -> list[FrozenRow]:
    return [row for row in world.rows("retail_items") if row["order_id"] == order_id]


def _still_processing(order: FrozenRow, what: str) -> None:
    if order["status"] != "processing":
        raise ToolRefusedError(f"The order is already {order['status']}; {what} is not possible any more.")


def _refund(world: World, order_id: str, amount: float, method: str) -> None:
    row = {"order_id": order_id, "amount": amount, "method": method, "day": world.now.strftime(DAY)}
    world.insert("retail_refunds", {"id": world.new_id("rfd"), **row})


def _refunded(world: World, order_id: str) -> float:
    amounts = [float(row["amount"]) for row in world.rows("retail_refunds") if row["order_id"] == order_id]
    return round(sum(amounts), 2)


def _returnable(world: World, item_id: str) -> tuple[FrozenRow, FrozenRow]:
    """An item that can still be sent back, and its order. Raises ToolRefusedError for any other."""
    item = require_row(world, "retail_items", item_id, "order item", see="get_retail_order")
    order = _order(world, str(item["order_id"]))
    if order["status"] != "delivered":
        raise ToolRefusedError(f"The order is {order['status']}, not delivered: nothing can be sent back.")
    if item["state"] != "kept":
        raise ToolRefusedError(f"The {item['product']} is already {item['state']}.")
    if item["final_sale"]:
        raise ToolRefusedError(f"The {item['product']} was bought in a final sale: it can't be sent back.")
    delivered = datetime.strptime(str(order["delivered_on"]), DAY)
    if (world.now - delivered).days > RETURN_DAYS:
        raise ToolRefusedError(f"It was delivered on {order['delivered_on']}, more than {RETURN_DAYS} days ago.")
    return item, order


@tool(mutates=False)
def find_customer_orders(world: World, customer: str) -> list[dict[str, Any]]:
    """Find the orders of a customer, newest first.

    Args:
        customer: The customer's name.
    """
    rows = [row for row in world.rows("retail_orders") if has_words(customer, str(row["customer"]))]
    if not rows:
        raise ToolRefusedError(f"There are no orders of a customer named {customer[:80]!r}.")
    rows.sort(key=lambda row: str(row["day"]), reverse=True)
    several = len({row["customer"] for row in rows}) > 1
    return [
        {
            **view(row, "id", "day", "status", "total", *(["customer"] if several else [])),
            "products": [item["product"] for item in _items(world, str(row["id"]))],
        }
        for row in rows
    ]


@tool(mutates=False)
def get_retail_order(world: World, order_id: str) -> dict[str, Any]:
    """Show an order's items with their ids, address, payment and shipping fee.

    Args:
        order_id: The order's id.
    """
    shown = view(_order(world, order_id), "customer", "address", "payment", "shipping_fee", "delivered_on")
    items = [view(item, "id", "product", "variant", "quantity", "price", "state") for item in _items(world, order_id)]
    return {**shown, "items": items}


@tool(mutates=True)
def change_order_address(world: World, order_id: str, address: str) -> dict[str, Any]:
    """Change where an order is delivered, as long as it has not been shipped.

    Args:
        order_id: The order's id.
        address: The whole new address.
    """
    order = _order(world, order_id)
    if not address.strip():
        raise ToolRefusedError("The address is empty.")
    _still_processing(order, "another address")
    if folded(address) == folded(str(order["address"])):
        raise ToolRefusedError("The order already goes to this address.")
    world.update("retail_orders", order_id, address=address)
    return {"order_id": order_id, "address": address}


@tool(mutates=True)
def cancel_retail_order(
    world: World, order_id: str, reason: Literal["ordered by mistake", "no longer needed", "found cheaper", "too slow"]
) -> dict[str, Any]:
    """Cancel an order that has not been shipped; the customer gets the money back.

    Args:
        order_id: The order's id.
        reason: Why the customer cancels.
    """
    order = _order(world, order_id)
    _still_processing(order, "cancelling it")
    amount = round(order["total"] - _refunded(world, order_id), 2)
    world.update("retail_orders", order_id, status="cancelled", cancel_reason=reason)
    if amount > 0:
        _refund(world, order_id, amount, str(order["payment"]))
    return {"cancelled": order_id, "refunded": amount, "method": order["payment"]}


@tool(mutates=True)
def return_order_item(
    world: World, item_id: str, reason: Literal["damaged", "does not fit", "wrong item", "not liked"]
) -> dict[str, Any]:
    """Register the return of an item of a delivered order; its price is paid back.

    Args:
        item_id: Id of the item within the order.
        reason: Why the customer returns it.
    """
    item, order = _returnable(world, item_id)
    order_id = str(order["id"])
    value = round(item["price"] * item["quantity"], 2)
    amount = round(min(value, order["total"] - _refunded(world, order_id)), 2)
    world.update("retail_items", item_id, state="returned", return_reason=reason)
    if amount > 0:
        _refund(world, order_id, amount, str(order["payment"]))
    return {"returned": item["product"], "refunded": amount, "method": order["payment"]}


@tool(mutates=False)
def list_product_variants(world: World, product: str) -> list[dict[str, Any]]:
    """List the variants of a product (sizes or colours) with their ids and stock.

    Args:
        product: The product's name.
    """
    name = require_named(world, "retail_variants", product, "product", field="product")["product"]
    rows = [row for row in world.rows("retail_variants") if row["product"] == name]
    return [view(row, "id", "variant", "stock") for row in rows]


@tool(mutates=True)
def exchange_order_item(world: World, item_id: str, variant_id: str) -> dict[str, Any]:
    """Exchange an item of a delivered order for another variant of the same product.

    Args:
        item_id: Id of the item within the order.
        variant_id: Id of the variant wanted instead.
    """
    item, _ = _returnable(world, item_id)
    variant = require_row(world, "retail_variants", variant_id, "variant", see="list_product_variants")
    if variant["product"] != item["product"]:
        raise ToolRefusedError(f"A {item['product']} can't be exchanged for another product.")
    if variant["variant"] == item["variant"]:
        raise ToolRefusedError(f"The customer already has this variant, {item['variant']}.")
    if variant["stock"] < item["quantity"]:
        stock = variant["stock"] or "none"
        raise ToolRefusedError(f"{item['quantity']} are needed in {variant['variant']}; {stock} in stock.")
    world.update("retail_variants", variant_id, stock=variant["stock"] - item["quantity"])
    world.update("retail_items", item_id, variant=variant["variant"], state="exchanged")
    return {"product": item["product"], "old": item["variant"], "new": variant["variant"]}


@tool(mutates=True)
def refund_order_amount(
    world: World,
    order_id: str,
    amount: Annotated[float, Field(ge=0.01, le=10_000)],
    method: Literal["credit card", "bank transfer", "gift card", "mobile wallet", "store credit"],
) -> dict[str, Any]:
    """Pay back a part of what an order cost, as goodwill or for its shipping.

    Args:
        order_id: The order's id.
        amount: How much, in euros.
        method: How the order was paid, or store credit.
    """
    order, amount = _order(world, order_id), round(amount, 2)
    if method not in (order["payment"], _CREDIT):
        raise ToolRefusedError(f"The order was paid by {order['payment']}; refunds go there or become {_CREDIT}.")
    left = round(order["total"] - _refunded(world, order_id), 2)
    if amount > left:
        raise ToolRefusedError(f"At most {left:.2f} can still be paid back for this order.")
    _refund(world, order_id, amount, method)
    return {"refunded": amount, "method": method}


@tool(mutates=False)
def track_order_parcel(world: World, order_id: str) -> dict[str, Any]:
    """Show who carries an order's parcel and where it was last seen.

    Args:
        order_id: The order's id.
    """
    order = _order(world, order_id)
    if order["last_seen"] is None:
        raise ToolRefusedError(f"The order is {order['status']}; there is no parcel.")
    return view(order, "carrier", "last_seen")


@tool(mutates=True)
def add_order_note(world: World, order_id: str, note: str, urgent: bool = False) -> dict[str, Any]:
    """Leave a note for the warehouse on an order.

    Args:
        order_id: The order's id.
        note: What the note says.
        urgent: Whether the warehouse must see it first.
    """
    _order(world, order_id)
    if not note.strip():
        raise ToolRefusedError("The note is empty.")
    world.insert("retail_notes", {"id": world.new_id("nte"), "order_id": order_id, "note": note, "urgent": urgent})
    return {"order_id": order_id, "noted": note, "urgent": urgent}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Six customers with two or three orders each: four processing, three shipped, seven delivered, one cancelled."""
    world.add_table("retail_orders", "retail_items", "retail_variants", "retail_refunds", "retail_notes")
    ids = Ids(rng)
    prices = _fill_variants(world, rng, content, ids)
    statuses = ["processing"] * 4 + ["shipped"] * 3 + ["delivered"] * 4 + ["old"] * 3 + ["cancelled"]
    rng.shuffle(statuses)
    counts = rng.sample([3, 3, 3, 2, 2, 2], 6)
    addresses = rng.sample(content["addresses"], 6)
    for customer, address, count in zip(rng.sample(content["customers"], 6), addresses, counts, strict=True):
        wanted = rng.sample(sorted(prices), 3 * count)  # nobody orders the same product twice: it names the order
        days = rng.sample(range(0, 8), count)  # no two orders of a customer on one day
        for day in days:
            status, products = statuses.pop(), [wanted.pop() for _ in range(rng.randint(1, 3))]
            order = _order_row(world, rng, content, status, day)
            _insert_order(world, rng, ids, {**order, "customer": customer, "address": address}, products, prices)


def _fill_variants(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> dict[str, float]:
    """Fourteen products with three or four variants each, a third of them sold out. Returns the prices."""
    prices = {}
    for product in rng.sample(content["products"], 14):
        low, high = product["price"]
        prices[str(product["name"])] = rng.randint(low, high) + rng.choice([0.0, 0.5, 0.9, 0.95])
        options = content[product["in"]]
        chosen = set(rng.sample(range(len(options)), min(len(options), rng.randint(3, 4))))
        sold_out = rng.choice(sorted(chosen))
        for place, option in enumerate(options):
            if place in chosen:
                stock = 0 if place == sold_out or rng.random() < 0.25 else rng.randint(3, 30)
                row = {"product": product["name"], "variant": option, "stock": stock}
                world.insert("retail_variants", {"id": ids("var"), **row})
    return prices


def _order_row(world: World, rng: random.Random, content: dict[str, Any], status: str, day: int) -> dict[str, Any]:
    """An order without its lines. ``old``: delivered longer ago than items can be returned. ``day`` makes days differ."""
    ago = {"processing": 0, "shipped": 4, "delivered": 11, "old": 50, "cancelled": 9}[status] + day
    delivered = None
    if status in ("delivered", "old"):
        delivered = (world.now - timedelta(days=ago - rng.randint(2, 8))).strftime(DAY)
    shipped = status in ("shipped", "delivered", "old")
    return {
        "day": (world.now - timedelta(days=ago)).strftime(DAY),
        "status": "delivered" if status == "old" else status,
        "delivered_on": delivered,
        "payment": rng.choice(_PAYMENTS),
        "shipping_fee": rng.choice([3.95, 4.5, 4.9, 5.95, 6.5, 7.9]),
        "carrier": rng.choice(content["carriers"]) if shipped else None,
        "last_seen": rng.choice(content["places"]) if shipped else None,
        "cancel_reason": "no longer needed" if status == "cancelled" else None,
    }


def _insert_order(
    world: World, rng: random.Random, ids: Ids, order: dict[str, Any], products: list[str], prices: dict[str, float]
) -> None:
    """Add an order and its items. The first was never in a final sale."""
    order_id, total = ids("ro"), order["shipping_fee"]
    items = []
    for index, product in enumerate(products):
        variants = [str(row["variant"]) for row in world.rows("retail_variants") if row["product"] == product]
        quantity = rng.choice([1, 1, 1, 2])
        total += prices[product] * quantity
        item = {"product": product, "variant": rng.choice(variants), "quantity": quantity, "price": prices[product]}
        final = index > 0 and rng.random() < 0.35
        items.append({"order_id": order_id, **item, "state": "kept", "final_sale": final, "return_reason": None})
    world.insert("retail_orders", {"id": order_id, **order, "total": round(total, 2)})
    for item in rng.sample(items, len(items)):
        world.insert("retail_items", {"id": ids("itm"), **item})
    if order["status"] == "cancelled":
        refund = {"order_id": order_id, "amount": round(total, 2), "method": order["payment"], "day": order["day"]}
        world.insert("retail_refunds", {"id": ids("rfd"), **refund})


def order_item(world: World, rng: random.Random, final: bool = False) -> dict[str, Any]:
    """An item that can be returned, with its customer, for task templates (``final``: too late or a final sale)."""
    orders = {str(row["id"]): row for row in world.rows("retail_orders") if row["status"] == "delivered"}
    found = []
    for item in world.rows("retail_items"):
        order = orders.get(str(item["order_id"]))
        if order is None or item["state"] != "kept":
            continue
        delivered = datetime.strptime(str(order["delivered_on"]), DAY)
        lost = bool(item["final_sale"]) or (world.now - delivered).days > RETURN_DAYS
        if lost == final:
            found.append({**item, "customer": order["customer"], "total": order["total"]})
    return rng.choice(found)


def ordered_product(world: World, rng: random.Random, status: str, other_than: str = "") -> dict[str, Any]:
    """Customer, product and order id of an item of an order with this status, for task templates.

    Args:
        world: the world.
        rng: draws one of them.
        status: the order's status.
        other_than: a customer that is not wanted.
    """
    orders = {
        str(row["id"]): str(row["customer"])
        for row in world.rows("retail_orders")
        if row["status"] == status and row["customer"] != other_than
    }
    item = rng.choice([item for item in world.rows("retail_items") if item["order_id"] in orders])
    order_id = str(item["order_id"])
    return {"customer": orders[order_id], "product": item["product"], "order_id": order_id}


MAKERS = {"order_item": order_item, "ordered_product": ordered_product}
