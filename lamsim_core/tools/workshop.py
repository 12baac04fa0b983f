"""A home workshop: estimates for building work, materials in stock, machines for hire and saved cut lists.

Estimates contain the usual reserve and are rounded here. Money is in euros, rounded to cents. A machine is hired by the
hour between opening and closing time, once a day at most. A cut list has a title of its own.
"""

import math
import random
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    Clock,
    Day,
    Ids,
    ToolRefusedError,
    World,
    folded,
    parse_day,
    require_named,
    tool,
    view,
)

TITLE = "Workshop"
FAMILY = "home"

Metres = Annotated[float, Field(ge=0.1, le=500)]
Pieces = Annotated[list[Annotated[int, Field(ge=1, le=1200)]], Field(min_length=1, max_length=40)]
StockLength = Annotated[int, Field(ge=20, le=1200)]
MachineKind = Literal[
    "plate compactor", "wood chipper", "floor sander", "concrete mixer", "log splitter", "mini digger", "post driver"
]
Power = Literal["petrol", "mains", "battery"]

_OPENS, _CLOSES, _AHEAD = 7 * 60, 20 * 60, 120
_SURFACES = {"smooth": 1.0, "rough": 1.22, "porous": 1.38}
_SPARE = {"straight": 6, "diagonal": 11, "herringbone": 14}
"""Percent of tiles that are cut or broken, by layout."""
_DEPTHS = {"firm": 0.31, "clay": 0.38, "sandy": 0.47}
"""How much of a fence's height its posts go into the ground, by soil."""
_STIFFNESS = {"pine": 9000, "oak": 11500, "plywood": 7600, "mdf": 3100, "chipboard": 2300}
"""Moduli of elasticity in N/mm²."""
_CURING = {"concrete": 28, "screed": 26, "lime_plaster": 17, "tile_adhesive": 5, "levelling_compound": 4}
"""Days to full strength at 20 degrees."""
_LAYERS = {"concrete": 120, "screed": 45, "lime_plaster": 15, "tile_adhesive": 6, "levelling_compound": 5}
"""Millimetres of thickness up to which these days are enough."""


@tool(mutates=False)
def estimate_wall_paint(
    world: World,
    wall_width: Metres,
    wall_height: Metres,
    coats: Annotated[int, Field(ge=1, le=6)],
    coverage: Annotated[float, Field(ge=1, le=30)],
    openings_area: Annotated[float, Field(ge=0, le=1000)] = 0.0,
    surface: Literal["smooth", "rough", "porous"] = "smooth",
) -> dict[str, Any]:
    """Estimate the litres of paint for a wall, with a reserve for rollers and trays.

    Args:
        wall_width: Width of the wall in metres.
        wall_height: Height of the wall in metres.
        coats: How many coats are painted.
        coverage: Square metres that one litre of the paint covers.
        openings_area: Square metres of doors and windows, which are not painted.
        surface: What the wall is like.
    """
    area = wall_width * wall_height - openings_area
    if area < 1e-6:
        raise ToolRefusedError("The doors and windows are as large as the wall; nothing is left to paint.")
    litres = area * coats / coverage * _SURFACES[surface] * 1.05
    return {"painted_area": round(area, 2), "litres": round(litres, 1)}


@tool(mutates=False)
def estimate_floor_tiles(
    world: World,
    floor_length: Metres,
    floor_width: Metres,
    tile_length_cm: Annotated[float, Field(ge=2, le=200)],
    tile_width_cm: Annotated[float, Field(ge=2, le=200)],
    layout: Literal["straight", "diagonal", "herringbone"],
    joint_mm: Annotated[float, Field(ge=0, le=20)] = 3.0,
) -> dict[str, Any]:
    """Estimate how many tiles a rectangular floor takes, with spare ones for cuts and breakage.

    Args:
        floor_length: Length of the floor in metres.
        floor_width: Width of the floor in metres.
        tile_length_cm: Length of a tile in centimetres.
        tile_width_cm: Width of a tile in centimetres.
        layout: How the tiles are laid.
        joint_mm: Width of the joints in millimetres.
    """
    joint = joint_mm / 1000
    each = (tile_length_cm / 100 + joint) * (tile_width_cm / 100 + joint)
    tiles = math.ceil(round(floor_length * floor_width / each * (100 + _SPARE[layout]) / 100, 6))
    return {"tiles": tiles, "spare_percent": _SPARE[layout]}


@tool(mutates=False)
def plan_fence_posts(
    world: World,
    side_lengths: Annotated[list[Metres], Field(min_length=1, max_length=12)],
    max_spacing: Annotated[float, Field(ge=0.5, le=6)],
    fence_height: Annotated[float, Field(ge=0.3, le=3)],
    soil: Literal["firm", "clay", "sandy"],
    closed: bool,
) -> dict[str, Any]:
    """Plan the posts of a fence with straight sides: how many, and how long with the part in the ground.

    Args:
        side_lengths: Length of each side in metres; neighbouring sides share a post at the corner.
        max_spacing: Largest distance between two posts, in metres.
        fence_height: Height of the fence above the ground, in metres.
        soil: What the ground is like.
        closed: Whether the last side meets the first, so that the fence goes all the way round.
    """
    if closed and max(side_lengths) * 2 >= sum(side_lengths):
        raise ToolRefusedError("Straight sides of these lengths cannot go all the way round.")
    fields = sum(math.ceil(round(side / max_spacing, 6)) for side in side_lengths)
    length = fence_height + max(0.45, fence_height * _DEPTHS[soil])
    return {"posts": fields if closed else fields + 1, "post_length": round(length, 2)}


@tool(mutates=False)
def plan_board_cuts(
    world: World,
    stock_length_cm: StockLength,
    pieces_cm: Pieces,
    board_price: Annotated[float, Field(ge=0.01, le=5000)],
    kerf_mm: Annotated[float, Field(ge=0, le=10)] = 3.0,
) -> dict[str, Any]:
    """Plan how pieces are cut from boards of one length: boards to buy, their cost and what is left over.

    Args:
        stock_length_cm: Length of the boards in centimetres.
        pieces_cm: Length of every piece in centimetres; equal pieces are repeated.
        board_price: Price of one board in euros.
        kerf_mm: What the saw blade takes away at a cut, in millimetres.
    """
    _refuse_long(stock_length_cm, pieces_cm)
    left: list[float] = []
    for piece in sorted(pieces_cm, reverse=True):
        taken = piece + kerf_mm / 10
        place = next((at for at, rest in enumerate(left) if rest >= taken), None)
        if place is None:
            left.append(stock_length_cm - piece)
        else:
            left[place] = round(left[place] - taken, 3)
    over = sum(max(0.0, rest - kerf_mm / 10) for rest in left)  # the last piece of a board is cut off, too
    return {"boards": len(left), "cost": round(len(left) * board_price, 2), "left_over_cm": round(over, 1)}


def _refuse_long(stock_length_cm: int, pieces_cm: list[int]) -> None:
    if max(pieces_cm) > stock_length_cm:
        raise ToolRefusedError(f"A piece of {max(pieces_cm)} cm does not fit on boards of {stock_length_cm} cm.")


@tool(mutates=False)
def predict_shelf_sag(
    world: World,
    material: Literal["pine", "oak", "plywood", "mdf", "chipboard"],
    span_cm: Annotated[float, Field(ge=10, le=400)],
    depth_cm: Annotated[float, Field(ge=5, le=120)],
    thickness_mm: Annotated[float, Field(ge=4, le=100)],
    load_kg: Annotated[float, Field(ge=0.1, le=1000)],
    back_fixed: bool = False,
) -> dict[str, Any]:
    """Predict by how many millimetres a shelf sags in the long run under an evenly spread load.

    Args:
        material: What the shelf is made of.
        span_cm: Distance between its supports in centimetres.
        depth_cm: Depth of the shelf from front to back, in centimetres.
        thickness_mm: Thickness of the shelf in millimetres.
        load_kg: The load in kilograms.
        back_fixed: Whether its back edge is screwed to the wall.
    """
    span, inertia = span_cm * 10, depth_cm * 10 * thickness_mm**3 / 12
    sag = 5 * load_kg * 9.81 * span**3 / (384 * _STIFFNESS[material] * inertia) * (0.72 if back_fixed else 1.6)
    return {"sag_mm": round(sag, 2), "visible": sag > span / 300}


@tool(mutates=False)
def find_curing_day(
    world: World,
    product: Literal["concrete", "screed", "lime_plaster", "tile_adhesive", "levelling_compound"],
    applied_day: Day,
    temperature: Annotated[float, Field(ge=5, le=35)],
    layer_mm: Annotated[float, Field(ge=1, le=500)],
    readiness: Literal["light_use", "full_strength"] = "full_strength",
) -> dict[str, Any]:
    """Find the day on which a building product has cured, by temperature and thickness.

    Args:
        product: What was applied.
        applied_day: The day it was applied, YYYY-MM-DD.
        temperature: Average temperature while it cures, in degrees Celsius.
        layer_mm: Thickness of the layer in millimetres.
        readiness: What it has to be ready for.
    """
    days = _CURING[product] * 2 ** ((20 - temperature) / 12) * max(1.0, layer_mm / _LAYERS[product])
    days *= 0.3 if readiness == "light_use" else 1
    waited, applied = math.ceil(round(days, 6)), parse_day(applied_day)
    if applied.year > 9900:
        raise ToolRefusedError("That is too far away.")
    return {"ready_day": (applied + timedelta(days=waited)).date().isoformat(), "waiting_days": waited}


@tool(mutates=False)
def find_workshop_materials(
    world: World,
    kind: Literal["timber", "panel", "insulation", "sealant"],
    area: Literal["indoor", "outdoor"],
    max_price: Annotated[float, Field(ge=0, le=10000)],
    min_stock: Annotated[int, Field(ge=0, le=10000)],
    sort_by: Literal["price", "stock"] = "price",
) -> list[dict[str, Any]]:
    """Find building materials in stock that meet all the conditions.

    Args:
        kind: Kind of material.
        area: Where the material may be used.
        max_price: Highest price of a piece in euros.
        min_stock: How many pieces must be in stock at least.
        sort_by: Order of the result: the cheapest first, or the largest stock first.
    """
    rows = [row for row in world.rows("workshop_materials") if (row["kind"], row["area"]) == (kind, area)]
    found = [row for row in rows if row["price"] <= max_price and row["stock"] >= min_stock]
    found.sort(key=lambda row: row["price"] if sort_by == "price" else -row["stock"])
    return [view(row, "name", "price", "stock") for row in found]


@tool(mutates=False)
def find_hire_machines(
    world: World,
    kind: MachineKind,
    power: Power,
    max_hourly_rate: Annotated[float, Field(ge=0, le=1000)],
    max_weight_kg: Annotated[float, Field(ge=1, le=10000)] | None = None,
) -> list[dict[str, Any]]:
    """Find machines for hire that meet all the conditions, the cheapest first.

    Args:
        kind: Kind of machine.
        power: What the machine runs on.
        max_hourly_rate: Highest price of an hour in euros.
        max_weight_kg: Highest weight in kilograms; any weight when it is left out.
    """
    heaviest = math.inf if max_weight_kg is None else max_weight_kg
    rows = [row for row in world.rows("hire_machines") if (row["kind"], row["power"]) == (kind, power)]
    found = [row for row in rows if row["hourly_rate"] <= max_hourly_rate and row["weight_kg"] <= heaviest]
    found.sort(key=lambda row: row["hourly_rate"])
    return [view(row, "name", "hourly_rate", "weight_kg", "deposit", "delivery_fee", "min_hours") for row in found]


def _ahead(world: World, days: int) -> str:
    return (world.now + timedelta(days=days)).date().isoformat()


@tool(mutates=True)
def book_hire_machine(
    world: World,
    machine: str,
    day: Day,
    start_time: Clock,
    hours: Annotated[int, Field(ge=1, le=13)],
    delivery: bool,
    damage_cover: bool = False,
) -> dict[str, Any]:
    """Book a machine for hire for some hours of one day; the total does not count the deposit.

    Args:
        machine: Full name of the machine.
        day: The day, YYYY-MM-DD.
        start_time: From when, HH:MM.
        hours: For how many hours.
        delivery: True to have it brought and fetched for a fee, false to collect it oneself.
        damage_cover: Whether to add the cover for damage.
    """
    row = require_named(world, "hire_machines", machine, "machine", see="find_hire_machines")
    name, start = str(row["name"]), int(start_time[:2]) * 60 + int(start_time[3:])
    if not _ahead(world, 0) < parse_day(day).date().isoformat() <= _ahead(world, _AHEAD):
        raise ToolRefusedError(f"Machines are hired out from tomorrow on, up to {_AHEAD} days ahead.")
    if start < _OPENS or start + hours * 60 > _CLOSES:
        raise ToolRefusedError("Machines are hired out between 07:00 and 20:00.")
    if hours < row["min_hours"]:
        raise ToolRefusedError(f"The {name} is hired out for {row['min_hours']} hours at least.")
    if any((other["machine"], other["day"]) == (name, day) for other in world.rows("hire_bookings")):
        raise ToolRefusedError(f"The {name} is taken on {day}.")
    hire = row["hourly_rate"] * hours
    total = round(hire + (row["delivery_fee"] if delivery else 0) + (hire * 0.12 if damage_cover else 0), 2)
    terms = {"delivery": delivery, "damage_cover": damage_cover, "total": total, "mine": True}
    booked = {"machine": name, "day": day, "start": start_time, "hours": hours, **terms}
    world.insert("hire_bookings", {"id": world.new_id("hir"), **booked})
    return {"booked": name, "day": day, "total": total, "deposit": row["deposit"]}


@tool(mutates=False)
def show_cut_list(world: World, title: str) -> dict[str, Any]:
    """Show a saved cut list: the wood, the length of its boards and the pieces.

    Args:
        title: Title of the cut list.
    """
    row = require_named(world, "cut_lists", title, "cut list", field="title")
    return view(row, "title", "wood", "stock_length_cm", "pieces_cm")


@tool(mutates=True)
def save_cut_list(
    world: World,
    title: Annotated[str, Field(min_length=1)],
    wood: Literal["pine", "spruce", "oak", "larch", "beech", "ash"],
    stock_length_cm: StockLength,
    pieces_cm: Pieces,
) -> dict[str, Any]:
    """Save a new cut list under a title of its own.

    Args:
        title: The title.
        wood: The wood of the boards.
        stock_length_cm: Length of the boards in centimetres.
        pieces_cm: Length of every piece in centimetres; equal pieces are repeated.
    """
    _refuse_long(stock_length_cm, pieces_cm)
    if any(folded(str(row["title"])) == folded(title) for row in world.rows("cut_lists")):
        raise ToolRefusedError(f"There is already a cut list {title[:80]!r}.")
    kept = {"title": title, "wood": wood, "stock_length_cm": stock_length_cm, "pieces_cm": sorted(map(int, pieces_cm))}
    world.insert("cut_lists", {"id": world.new_id("cut"), **kept})
    return {"saved": title, "pieces": len(pieces_cm)}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Eight materials of four kinds, four machines of six kinds, eight bookings and five cut lists."""
    world.add_table("workshop_materials", "hire_machines", "hire_bookings", "cut_lists")
    ids = Ids(rng)
    for kind in content["prices"]:
        low, high = content["prices"][kind]
        pool = [entry for entry in content["materials"] if entry["kind"] == kind]
        chosen = [m for area in ("indoor", "outdoor") for m in rng.sample([m for m in pool if m["area"] == area], 4)]
        prices = rng.sample(range(low * 20, high * 20), 8)
        for entry, price, stock in zip(chosen, prices, rng.sample(range(4, 160), 8), strict=True):
            row = {**view(entry, "name", "kind", "area"), "price": price / 20, "stock": stock}
            world.insert("workshop_materials", {"id": ids("mat"), **row})
    for kind in rng.sample(sorted(content["machines"]), 6):
        terms = content["machines"][kind]
        rates, weights = rng.sample(range(*terms["rate"]), 4), rng.sample(range(*terms["weight"]), 4)
        usual, other = rng.sample(terms["power"], 2)
        for place, maker in enumerate(rng.sample(content["makers"], 4)):
            row = {"name": f"{maker} {kind}", "maker": maker, "kind": kind, "power": other if place == 3 else usual}
            row |= {"hourly_rate": rates[place] + rng.choice([0.0, 0.25, 0.5, 0.75]), "weight_kg": weights[place]}
            row |= {"deposit": rng.randint(4, 30) * 10, "delivery_fee": rng.randint(12, 45)}
            world.insert("hire_machines", {"id": ids("mac"), **row, "min_hours": place // 2 + 1})
    for place, machine in enumerate(rng.sample(world.rows("hire_machines"), 8)):
        hours, start = rng.randint(2, 6), f"{rng.randint(7, 12):02d}:{rng.choice(['00', '30'])}"
        row = {"machine": machine["name"], "day": _ahead(world, rng.randint(1, 30)), "start": start, "hours": hours}
        row |= {"delivery": False, "damage_cover": False, "total": round(machine["hourly_rate"] * hours, 2)}
        world.insert("hire_bookings", {"id": ids("hir"), **row, "mine": place < 3})
    for title in rng.sample(content["cut_lists"], 5):
        stock = rng.choice([200, 240, 250, 300])
        pieces = sorted(rng.choices(range(32, 128), k=rng.randint(7, 10)))
        row = {"title": title, "wood": rng.choice(["pine", "spruce", "oak", "larch", "beech", "ash"])}
        world.insert("cut_lists", {"id": ids("cut"), **row, "stock_length_cm": stock, "pieces_cm": pieces})


def free_hire(world: World, rng: random.Random) -> dict[str, Any]:
    """A day on which no machine is taken, a time and a number of hours, for task templates."""
    taken = {row["day"] for row in world.rows("hire_bookings")}
    days = [_ahead(world, days) for days in range(2, 60)]
    start = f"{rng.randint(7, 11):02d}:{rng.choice(['00', '15', '30', '45'])}"
    return {"day": rng.choice([day for day in days if day not in taken]), "start": start, "hours": rng.randint(3, 8)}


def building_day(world: World, rng: random.Random) -> str:
    """A day of the last three weeks, for task templates."""
    return _ahead(world, -rng.randint(1, 20))


def cut_pieces(world: World, rng: random.Random, count: int = 5) -> list[int]:
    """Lengths of pieces in centimetres, all different, for task templates."""
    return rng.sample(range(28, 138), count)


MAKERS = {"free_hire": free_hire, "building_day": building_day, "cut_pieces": cut_pieces}
