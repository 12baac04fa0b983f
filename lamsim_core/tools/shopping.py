"""An online shop: products with stock and smallest quantities, one cart, coupons with conditions, and past orders.

Money is in euros and rounded to cents. A search tells only whether a product is in stock; how many are left stands in the
details or shows when there are too few. The cart is one row, so that carts with the same content are the same state.
"""

import random
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from lamsim_core.environment import DAY, FrozenRow, Ids, ToolRefusedError, World, has_words, require_row, tool, view

TITLE = "Shopping"
FAMILY = "commerce"

Quantity = Annotated[int, Field(ge=1, le=99)]

_CART = "cart"


def _product(world: World, product_id: str) -> FrozenRow:
    return require_row(world, "products", product_id, "product", see="search_products")


def _cart(world: World) -> tuple[dict[str, int], FrozenRow | None]:
    """Quantities in the cart by product id, and the coupon applied."""
    row = world.rows("cart")[0]
    lines = row["lines"]
    coupon = None if row["coupon"] is None else world.get("coupons", str(row["coupon"]))
    return {key: int(str(value)) for key, value in lines.items()} if isinstance(lines, dict) else {}, coupon


def _subtotal(world: World, lines: dict[str, int]) -> float:
    return float(round(sum(_product(world, key)["price"] * count for key, count in lines.items()), 2))


def _total(world: World) -> float:
    """What the cart costs. A coupon counts only while the cart reaches its minimum."""
    lines, coupon = _cart(world)
    subtotal = _subtotal(world, lines)
    if coupon is None or subtotal < coupon["minimum"]:
        return subtotal
    return float(round(subtotal * (100 - coupon["percent"]) / 100, 2))


def _refuse_quantity(row: FrozenRow, wanted: int) -> None:
    stock, least = int(row["stock"]), int(row["min_quantity"])
    if stock == 0:
        raise ToolRefusedError(f"{row['name']} is out of stock.")
    if wanted > stock:
        raise ToolRefusedError(f"Only {stock} of {row['name']} are in stock; the cart would hold {wanted}.")
    if wanted < least:
        raise ToolRefusedError(f"{row['name']} is sold from {least} pieces on.")


def _set_lines(world: World, lines: dict[str, int]) -> None:
    world.update("cart", _CART, lines=dict(sorted(lines.items())))


@tool(mutates=False)
def search_products(world: World, query: str) -> list[dict[str, Any]]:
    """Find products whose name contains all the given words.

    Args:
        query: Words of the name.
    """
    if not query.strip():
        raise ToolRefusedError("Give at least one word of the product's name.")
    return [
        {"id": row["id"], "name": row["name"], "price": row["price"], "in_stock": row["stock"] > 0}
        for row in world.rows("products")
        if has_words(query, str(row["name"]))
    ]


@tool(mutates=False)
def get_product_details(world: World, product_id: str) -> dict[str, Any]:
    """Show a product's colour, rating, stock, smallest quantity and delivery time in days.

    Args:
        product_id: The product's id.
    """
    row = _product(world, product_id)
    return view(row, "name", "price", "colour", "rating", "stock", "min_quantity", "delivery_days")


@tool(mutates=False)
def view_cart(world: World) -> dict[str, Any]:
    """Show what is in the cart and what it costs."""
    lines, coupon = _cart(world)
    shown = [{"product_id": key, "name": _product(world, key)["name"], "quantity": lines[key]} for key in lines]
    return {"items": shown, "coupon": coupon and coupon["code"], "total": _total(world)}


@tool(mutates=True)
def add_to_cart(world: World, product_id: str, quantity: Quantity = 1) -> dict[str, Any]:
    """Put a product into the cart.

    Args:
        product_id: The product's id.
        quantity: How many.
    """
    row, (lines, _) = _product(world, product_id), _cart(world)
    wanted = lines.get(product_id, 0) + quantity
    _refuse_quantity(row, wanted)
    _set_lines(world, {**lines, product_id: wanted})
    return {"added": row["name"], "in_cart": wanted, "total": _total(world)}


@tool(mutates=True)
def set_cart_quantity(world: World, product_id: str, quantity: Quantity) -> dict[str, Any]:
    """Change how many pieces of a product the cart holds.

    Args:
        product_id: The product's id.
        quantity: How many there should be in all.
    """
    row, (lines, _) = _product(world, product_id), _cart(world)
    if product_id not in lines:
        raise ToolRefusedError(f"{row['name']} is not in the cart.", see="view_cart")
    if lines[product_id] == quantity:
        raise ToolRefusedError(f"The cart already holds {quantity} of {row['name']}.")
    _refuse_quantity(row, quantity)
    _set_lines(world, {**lines, product_id: quantity})
    return {"product": row["name"], "in_cart": quantity, "total": _total(world)}


@tool(mutates=True)
def remove_from_cart(world: World, product_id: str) -> dict[str, Any]:
    """Take a product out of the cart, all pieces of it.

    Args:
        product_id: The product's id.
    """
    row, (lines, _) = _product(world, product_id), _cart(world)
    if product_id not in lines:
        raise ToolRefusedError(f"{row['name']} is not in the cart.", see="view_cart")
    del lines[product_id]
    _set_lines(world, lines)
    return {"removed": row["name"], "total": _total(world)}


@tool(mutates=True)
def apply_coupon(world: World, code: str) -> dict[str, Any]:
    """Apply a coupon to the cart. It replaces another coupon.

    Args:
        code: The coupon's code.
    """
    lines, applied = _cart(world)
    row = next((row for row in world.rows("coupons") if str(row["code"]).casefold() == code.casefold().strip()), None)
    if row is None:
        raise ToolRefusedError(f"There is no coupon {code[:80]}.")
    if row["used"]:
        raise ToolRefusedError(f"The coupon {row['code']} has already been used.")
    if str(row["last_day"]) < world.now.strftime(DAY):
        raise ToolRefusedError(f"The coupon {row['code']} expired on {row['last_day']}.")
    if applied is not None and applied["id"] == row["id"]:
        raise ToolRefusedError(f"The coupon {row['code']} is already applied.")
    if _subtotal(world, lines) < row["minimum"]:
        raise ToolRefusedError(f"The coupon {row['code']} needs a cart of at least {row['minimum']} euros.")
    world.update("cart", _CART, coupon=row["id"])
    return {"coupon": row["code"], "percent": row["percent"], "total": _total(world)}


@tool(mutates=True)
def place_order(world: World) -> dict[str, Any]:
    """Order everything in the cart and empty it."""
    lines, coupon = _cart(world)
    if not lines:
        raise ToolRefusedError("The cart is empty.")
    total, ordered = _total(world), []
    for product_id, count in lines.items():
        row = _product(world, product_id)
        stock = int(row["stock"])
        if stock < count:
            raise ToolRefusedError(f"Only {stock} of {row['name']} are left.")
        world.update("products", product_id, stock=stock - count)
        ordered.append({"product": row["name"], "quantity": count})
    if coupon is not None and total < _subtotal(world, lines):
        world.update("coupons", str(coupon["id"]), used=True)
    world.update("cart", _CART, lines={}, coupon=None)
    order = {"day": world.now.strftime(DAY), "lines": ordered, "total": total, "status": "processing", "carrier": None}
    row = world.insert("orders", {"id": world.new_id("ord"), **order})
    return {"order_id": row["id"], "total": total}


@tool(mutates=False)
def list_orders(world: World) -> list[dict[str, Any]]:
    """List the past orders, newest first."""
    rows = sorted(world.rows("orders"), key=lambda row: str(row["day"]), reverse=True)
    return [{"id": row["id"], "day": row["day"], "products": _names(row), "total": row["total"]} for row in rows]


def _names(order: FrozenRow) -> list[str]:
    lines = order["lines"] if isinstance(order["lines"], list) else []
    return [str(line["product"]) for line in lines if isinstance(line, dict)]


@tool(mutates=False)
def track_order(world: World, order_id: str) -> dict[str, Any]:
    """Show where an order is and who delivers it.

    Args:
        order_id: The order's id.
    """
    row = require_row(world, "orders", order_id, "order", see="list_orders")
    return view(row, "status", "carrier")


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """A shop with twenty products of five kinds, a cart with two or three of them, three coupons and some past orders."""
    world.add_table("products", "cart", "coupons", "orders")
    ids = Ids(rng)
    kinds = rng.sample(sorted(content["kinds"]), 10)
    offered = [(kind, brand) for kind in kinds[:5] for brand in rng.sample(content["brands"], 4)]
    prices = {kind: rng.sample(range(*content["kinds"][kind]), 4) for kind in kinds[:5]}
    stocks = {kind: _stocks(rng, place) for place, kind in enumerate(kinds[:5])}
    ratings = {kind: rng.sample(range(31, 50), 4) for kind in kinds[:5]}
    for kind, brand in rng.sample(offered, len(offered)):
        price = prices[kind].pop() + rng.choice([0.25, 0.5, 0.9, 0.95, 0.99])
        least = 1 if kind in kinds[:2] else rng.choices([1, 2, 3], weights=[8, 1, 1])[0]
        row = {"name": f"{brand} {kind}", "kind": kind, "price": round(price, 2), "stock": stocks[kind].pop()}
        row |= {"min_quantity": least, "colour": rng.choice(content["colours"]), "rating": ratings[kind].pop() / 10}
        world.insert("products", {"id": ids("prd"), **row, "delivery_days": rng.randint(2, 14)})
    _fill_cart(world, rng)
    _issue_coupons(world, rng, content, ids)
    _fill_orders(world, rng, content, kinds[5:], ids)


def _stocks(rng: random.Random, place: int) -> list[int]:
    """What is left of a kind's products: there is always one kind with a choice, and one that is sold out in part."""
    some = [rng.randint(4, 30) for _ in range(4)]
    if place == 0:
        return some
    keep = [False, True, True, rng.random() < 0.5] if place == 1 else [rng.random() < 0.7 for _ in range(4)]
    return [stock if kept else 0 for stock, kept in zip(some, keep, strict=True)]


def _in_stock(world: World, kind: str) -> list[FrozenRow]:
    """What can be had of a kind, the cheapest first."""
    rows = [row for row in world.rows("products") if row["kind"] == kind and row["stock"] > 0]
    return sorted(rows, key=lambda row: row["price"])


def _cheapest(world: World) -> dict[str, FrozenRow]:
    """The cheapest product in stock by kind."""
    found = {kind: _in_stock(world, kind) for kind in sorted({str(row["kind"]) for row in world.rows("products")})}
    return {kind: rows[0] for kind, rows in found.items() if rows}


def _fill_cart(world: World, rng: random.Random) -> None:
    """One product of two or three kinds; the first a single piece, so that 'take it out' has one meaning.

    None is the cheapest of its kind, so that 'put the cheapest in my cart' has one meaning too.
    """
    cheapest = [row["id"] for row in _cheapest(world).values()]
    for_sale = [row for row in world.rows("products") if row["min_quantity"] == 1 and row["stock"] > 0]
    for_sale = [row for row in for_sale if row["id"] not in cheapest]
    by_kind = {str(row["kind"]): str(row["id"]) for row in rng.sample(for_sale, len(for_sale))}
    chosen = rng.sample(sorted(by_kind.values()), min(len(by_kind), rng.randint(2, 3)))
    lines = {product_id: 1 if index == 0 else rng.randint(1, 3) for index, product_id in enumerate(chosen)}
    world.insert("cart", {"id": _CART, "lines": dict(sorted(lines.items())), "coupon": None})


def _issue_coupons(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> None:
    """One coupon the cart can have, one it is too small for, one that expired."""
    reached = _subtotal(world, _cart(world)[0])
    minimums = [rng.randint(1, 10) / 10 * reached // 5 * 5, reached // 10 * 10 + 10 * rng.randint(2, 9), 0]
    for word, minimum, days in zip(rng.sample(content["coupons"], 3), minimums, (30, 30, -20), strict=True):
        percent = rng.choice([5, 10, 15, 20, 25, 30])
        last = (world.now + timedelta(days=days + rng.randint(-10, 10))).strftime(DAY)
        row = {"percent": percent, "minimum": int(minimum), "last_day": last, "used": False}
        world.insert("coupons", {"id": ids("cpn"), "code": f"{word}{percent}", **row})


def _fill_orders(world: World, rng: random.Random, content: dict[str, Any], kinds: list[str], ids: Ids) -> None:
    """Three to five orders of different days. Every kind was ordered once, so that 'the kettle I ordered' is clear."""
    count = rng.randint(3, 5)
    for ago in sorted(rng.sample(range(2, 60), count), reverse=True):
        kind = kinds.pop()
        quantity = rng.randint(1, 2)
        price = rng.randrange(*content["kinds"][kind]) + rng.choice([0.0, 0.5, 0.9])
        order = {
            "day": (world.now - timedelta(days=ago)).strftime(DAY),
            "lines": [{"product": f"{rng.choice(content['brands'])} {kind}", "quantity": quantity}],
            "total": round(price * quantity, 2),
            "status": "delivered" if ago > 14 else rng.choice(["shipped", "out for delivery", "delivered"]),
            "carrier": rng.choice(content["carriers"]),
        }
        world.insert("orders", {"id": ids("ord"), **order})


def cart_line(world: World, rng: random.Random) -> dict[str, Any]:
    """A product of which the cart holds exactly one piece, for task templates."""
    single = [key for key, count in _cart(world)[0].items() if count == 1]
    return dict(_product(world, rng.choice(single)))


def usable_coupon(world: World, rng: random.Random) -> str:
    """The code of a coupon that the cart can have today, for task templates."""
    subtotal, today = _subtotal(world, _cart(world)[0]), world.now.strftime(DAY)
    usable = [row for row in world.rows("coupons") if str(row["last_day"]) >= today and not row["used"]]
    return str(rng.choice([row for row in usable if row["minimum"] <= subtotal])["code"])


def ordered_product(world: World, rng: random.Random) -> str:
    """The name of a product in one of the past orders, for task templates."""
    return rng.choice([name for row in world.rows("orders") for name in _names(row)])


def quiet_day(world: World, rng: random.Random) -> str:
    """A day on which nothing was ordered and after which there are at least two orders, for task templates."""
    ordered = sorted(str(row["day"]) for row in world.rows("orders"))
    days = [(world.now - timedelta(days=ago)).strftime(DAY) for ago in range(1, 75)]
    return rng.choice([day for day in days if day < ordered[-2] and day not in ordered])


def two_kinds(world: World, rng: random.Random) -> list[str]:
    """Two kinds with a choice, the cheapest in stock to be had singly and not in the cart, for task templates."""
    in_cart = _cart(world)[0]
    kinds = [
        kind
        for kind, row in _cheapest(world).items()
        if row["min_quantity"] == 1 and row["id"] not in in_cart and len(_in_stock(world, kind)) > 1
    ]
    return rng.sample(kinds, 2)


def coupon_pair(world: World, rng: random.Random, first_works: bool) -> dict[str, str]:
    """A coupon that the cart can have and one that it cannot, in one order or the other, for task templates."""
    works = usable_coupon(world, rng)
    other = rng.choice([str(row["code"]) for row in world.rows("coupons") if row["code"] != works])
    first, second = (works, other) if first_works else (other, works)
    return {"first": first, "second": second}


def enough_of_two(world: World, rng: random.Random, first_enough: bool) -> dict[str, Any]:
    """Two products of a kind, and a quantity that is left of the second, and of the first or not, for task templates."""
    in_cart = _cart(world)[0]
    rows = [row for row in world.rows("products") if row["stock"] > 0 and row["id"] not in in_cart]
    first = rng.choice(rows)
    least, stock = int(first["min_quantity"]), int(first["stock"])
    quantities = range(max(2, least), stock + 1) if first_enough else range(stock + 1, stock + 9)
    quantity = rng.choice(quantities)
    fits = [row for row in rows if row["kind"] == first["kind"] and row["id"] != first["id"]]
    second = rng.choice([row for row in fits if row["min_quantity"] <= quantity <= row["stock"]])
    return {"first": first["name"], "second": second["name"], "quantity": quantity}


MAKERS = {
    "cart_line": cart_line,
    "usable_coupon": usable_coupon,
    "ordered_product": ordered_product,
    "coupon_pair": coupon_pair,
    "quiet_day": quiet_day,
    "two_kinds": two_kinds,
    "enough_of_two": enough_of_two,
}
