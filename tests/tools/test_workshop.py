"""The workshop tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]
WALL = {"wall_width": 5, "wall_height": 2.5, "coats": 2, "coverage": 8}
FENCE = {"max_spacing": 2.5, "fence_height": 1.8, "soil": "firm", "closed": True}
CURING = {"product": "concrete", "applied_day": "2026-05-01", "temperature": 20, "layer_mm": 100}
BOOKING = {"machine": "Murgab chipper", "day": "2026-05-05", "start_time": "17:00", "hours": 3, "delivery": True}
CUTS = {"title": "Loft bed", "wood": "ash", "stock_length_cm": 240, "pieces_cm": [90, 40, 90]}


@pytest.fixture
def shed() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    timber = {"kind": "timber", "area": "indoor"}
    chipper = {"kind": "wood chipper", "power": "petrol", "deposit": 150, "delivery_fee": 30, "min_hours": 2}
    hire = {"start": "08:00", "hours": 2, "delivery": False, "damage_cover": False, "total": 25.0, "mine": True}
    rows: dict[str, list[dict[str, Any]]] = {
        "workshop_materials": [
            {"id": "mat_1", "name": "Oak skirting", **timber, "price": 12.5, "stock": 40},
            {"id": "mat_2", "name": "Ash tread", **timber, "price": 9.75, "stock": 12},
            {"id": "mat_3", "name": "Robinia post", **timber, "area": "outdoor", "price": 8.0, "stock": 70},
        ],
        "hire_machines": [
            {"id": "mac_1", "name": "Ardenno chipper", **chipper, "hourly_rate": 18.25, "weight_kg": 90},
            {"id": "mac_2", "name": "Murgab chipper", **chipper, "hourly_rate": 12.5, "weight_kg": 200},
        ],
        "hire_bookings": [{"id": "hir_1", "machine": "Murgab chipper", "day": "2026-05-10", **hire}],
        "cut_lists": [{**CUTS, "id": "cut_1", "title": "Café bench"}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("workshop").tools)


def call(shed: Environment, tool: str, **arguments: Any) -> Transition:
    return shed.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(shed: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(shed, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def test_walls_floors_and_fences(shed: Environment) -> None:
    assert result(shed, "estimate_wall_paint", **WALL) == {"painted_area": 12.5, "litres": 3.3}
    for surface, litres in (("smooth", 2.6), ("rough", 3.2), ("porous", 3.6)):
        paint = result(shed, "estimate_wall_paint", **WALL, openings_area=2.5, surface=surface)
        assert paint == {"painted_area": 10, "litres": litres}
    floor = {"floor_length": 4, "floor_width": 3, "tile_length_cm": 30, "tile_width_cm": 60}
    for layout, tiles, spare in (("straight", 70, 6), ("diagonal", 73, 11), ("herringbone", 75, 14)):
        assert result(shed, "estimate_floor_tiles", **floor, layout=layout) == {"tiles": tiles, "spare_percent": spare}
    for sides, change, posts, length in (
        ([10, 7.5], {"closed": False}, 8, 2.36),
        ([4.2], {"closed": False, "max_spacing": 0.7, "fence_height": 1}, 7, 1.45),
        ([6, 6, 6.1], {"max_spacing": 2, "fence_height": 2, "soil": "sandy"}, 10, 2.94),
    ):
        fence = result(shed, "plan_fence_posts", **{**FENCE, **change}, side_lengths=sides)
        assert fence == {"posts": posts, "post_length": length}


def test_boards_shelves_and_curing(shed: Environment) -> None:
    exact = [([100, 100], 0, 1, 0), ([99, 100], 10, 1, 0), ([200], 3, 1, 0)]
    for pieces, kerf, boards, over in ([50, 70, 70], 3, 1, 9.1), ([150, 60, 120, 30], 5, 2, 38), *exact:
        plan = {"stock_length_cm": 200, "pieces_cm": pieces, "board_price": 12.4, "kerf_mm": kerf}
        cuts = result(shed, "plan_board_cuts", **plan)
        assert cuts == {"boards": boards, "cost": boards * 12.4, "left_over_cm": over}
    shelf: dict[str, Any] = {"span_cm": 90, "depth_cm": 25, "thickness_mm": 20, "load_kg": 20}
    for material, free, fixed in (("pine", 1.99, 0.89), ("oak", 1.55, 0.7), ("mdf", 5.77, 2.6)):
        assert result(shed, "predict_shelf_sag", material=material, **shelf) == {"sag_mm": free, "visible": free > 3}
        assert result(shed, "predict_shelf_sag", material=material, **shelf, back_fixed=True)["sag_mm"] == fixed
    for change, day, waiting in (
        ({"readiness": "light_use"}, "2026-05-10", 9),
        ({"readiness": "light_use", "layer_mm": 200}, "2026-05-15", 14),
        ({"product": "screed", "temperature": 8, "layer_mm": 90}, "2026-08-13", 104),
        ({"product": "levelling_compound", "applied_day": "2024-02-27", "layer_mm": 5}, "2024-03-02", 4),
    ):
        assert result(shed, "find_curing_day", **{**CURING, **change}) == {"ready_day": day, "waiting_days": waiting}


def test_rows_are_found_and_kept(shed: Environment) -> None:
    wanted: dict[str, Any] = {"kind": "timber", "area": "indoor", "max_price": 12.5}
    found = result(shed, "find_workshop_materials", **wanted, min_stock=12)
    assert found[::-1] == result(shed, "find_workshop_materials", **wanted, min_stock=12, sort_by="stock")
    assert [row["name"] for row in found] == ["Ash tread", "Oak skirting"]
    assert result(shed, "find_workshop_materials", **wanted, min_stock=13) == found[1:]
    hire: dict[str, Any] = {"kind": "wood chipper", "power": "petrol", "max_hourly_rate": 18.25}
    machines = result(shed, "find_hire_machines", **hire)
    assert [row["hourly_rate"] for row in machines] == [12.5, 18.25]
    assert result(shed, "find_hire_machines", **hire, max_weight_kg=90) == machines[1:]
    booked = {"booked": "Murgab chipper", "day": "2026-05-05", "total": 72.0, "deposit": 150}
    assert result(shed, "book_hire_machine", **BOOKING, damage_cover=True) == booked
    last = {"machine": "ardenno CHIPPER", "day": "2026-09-01", "start_time": "07:00", "hours": 13, "delivery": False}
    (change,) = call(shed, "book_hire_machine", **last).changes
    assert change.table == "hire_bookings" and change.after is not None and change.after["total"] == 237.25
    assert result(shed, "save_cut_list", **CUTS) == {"saved": "Loft bed", "pieces": 3}
    assert result(shed, "show_cut_list", title="loft BED") == {**CUTS, "pieces_cm": [40, 90, 90]}


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("estimate_wall_paint", {**WALL, "wall_width": 3, "wall_height": 1.1, "openings_area": 3.3}, "nothing is left"),
        ("plan_fence_posts", {**FENCE, "side_lengths": [10]}, "cannot go all the way round"),
        ("plan_fence_posts", {**FENCE, "side_lengths": [10, 3, 4]}, "cannot go all the way round"),
        ("find_curing_day", {**CURING, "applied_day": "2026-02-30"}, "not a real date"),
        ("find_curing_day", {**CURING, "applied_day": "9999-12-31"}, "too far away"),
        ("show_cut_list", {"title": "Garden bench"}, "Similar: Café bench"),
        ("save_cut_list", {**CUTS, "pieces_cm": [80, 300]}, "300 cm does not fit"),
        ("save_cut_list", {**CUTS, "title": " CAFE bench"}, "already a cut list"),
        ("book_hire_machine", {**BOOKING, "machine": "Zebra"}, "find_hire_machines"),
        ("book_hire_machine", {**BOOKING, "day": "2026-05-04"}, "from tomorrow on"),
        ("book_hire_machine", {**BOOKING, "day": "2026-09-02"}, "120 days ahead"),
        ("book_hire_machine", {**BOOKING, "day": "2026-05-10"}, "taken on 2026-05-10"),
        ("book_hire_machine", {**BOOKING, "start_time": "06:59"}, "between 07:00 and 20:00"),
        ("book_hire_machine", {**BOOKING, "start_time": "17:01"}, "between 07:00 and 20:00"),
        ("book_hire_machine", {**BOOKING, "hours": 1}, "2 hours at least"),
    ],
)
def test_refusals_change_nothing(shed: Environment, tool: str, arguments: dict[str, Any], reason: str) -> None:
    transition = call(shed, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    category, world = get_category("workshop"), get_category("workshop").world(seed)
    for table, key, differs in (("workshop_materials", "price", 8), ("hire_machines", "hourly_rate", 4)):
        rows = world.rows(table)
        assert len({row["name"] for row in rows}) == len(rows)
        for kind in {row["kind"] for row in rows}:
            assert len({row[key] for row in rows if row["kind"] == kind}) == differs
    bookings = world.rows("hire_bookings")
    assert len({row["machine"] for row in bookings}) == 8 and sum(row["mine"] for row in bookings) == 3
    free: Any = category.makers["free_hire"](world, random.Random(seed))
    environment = Environment(world, category.tools)
    for row in world.rows("hire_machines"):
        when = {"day": free["day"], "start_time": free["start"], "hours": free["hours"], "delivery": True}
        assert result(environment, "book_hire_machine", machine=row["name"], **when)["total"] > row["delivery_fee"]


def test_no_name_contains_another() -> None:
    content = get_category("workshop").content
    for pool in ([row["name"] for row in content["materials"]], content["makers"], content["cut_lists"]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == [] and len(set(names)) == len(names)
