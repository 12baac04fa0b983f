"""The kitchen tools: what each works out, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), *range(100_000, 100_015)]


@pytest.fixture
def kitchen() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    dish = {"cuisine": "indian", "diet": "vegan", "minutes": 40, "servings": 4}
    milk = {"amount": 1, "unit": "l", "best_before": "2026-05-09", "shelf": "fridge", "opened": True}
    korma = {**dish, "diet": "vegetarian", "minutes": 30, "servings": 6, "ingredients": ["peas", "crème fraîche"]}
    rows: dict[str, list[dict[str, Any]]] = {
        "kitchen_ingredients": [{"id": "ing_1", "name": "Rye", "grams_per_100_ml": 50}],
        "kitchen_recipes": [
            {**dish, "id": "rec_1", "title": "Lamb Curry", "diet": "meat", "ingredients": ["lamb", "red onions"]},
            {**korma, "id": "rec_2", "title": "Pea Korma"},
            {**dish, "id": "rec_3", "title": "Chana", "ingredients": ["chickpeas", "onions"]},
        ],
        "meal_plans": [{"id": "mea_1", "day": "2026-05-06", "meal": "lunch", "recipe": "Chana", "servings": 2}],
        "pantry_items": [
            {**milk, "id": "pan_1", "item": "milk"},
            {**milk, "id": "pan_2", "item": "kimchi", "best_before": "2026-05-03", "opened": False},
            {**milk, "id": "pan_3", "item": "ham", "best_before": "2026-05-10"},
        ],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("kitchen").tools)


def call(kitchen: Environment, tool: str, **arguments: Any) -> Transition:
    return kitchen.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(kitchen: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(kitchen, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


BASE: dict[str, dict[str, Any]] = {
    "convert_ingredient_measure": {"ingredient": "rYe", "amount": 2, "from_measure": "cups", "to_measure": "grams"},
    "estimate_roasting_time": {"joint": "beef", "weight_kg": 2, "doneness": "rare", "oven_celsius": 180},
    "calculate_portion_energy": {"fat_grams": 40, "protein_grams": 50, "carbohydrate_grams": 100, "portions": 5},
    "calculate_portion_cost": {"ingredient_costs": [30, 20], "portions": 20, "labour_hours": 2.5, "hourly_wage": 16},
    "calculate_bread_dough": {"flour_grams": 500, "hydration_percent": 70, "salt_percent": 2, "starter_grams": 100},
    "calculate_brine": {"food": "chicken", "weight_kg": 4, "water_litres": 6, "salt_percent": 5},
    "estimate_party_drinks": {"adults": 20, "children": 10, "hours": 5, "hot_weather": False, "alcohol_served": True},
    "adapt_oven_setting": {"temperature": 200, "minutes": 60, "recipe_oven": "conventional", "own_oven": "fan"},
    "plan_meal": {"day": "2026-05-06", "meal": "dinner", "recipe": "Pea Korma", "servings": 5},
    "find_pantry_items": {"shelf": "fridge", "best_before": "2026-05-09"},
    "add_pantry_item": {"item": "Oats", "amount": 1.5, "unit": "kg", "best_before": "2026-05-04", "shelf": "cellar"},
}


@pytest.mark.parametrize(
    ("tool", "other", "expected"),
    [
        ("convert_ingredient_measure", {"cup_size": "us"}, [236.6]),
        ("convert_ingredient_measure", {"amount": 90, "from_measure": "grams", "to_measure": "cups"}, [0.72]),
        ("convert_ingredient_measure", {"from_measure": "tablespoons", "to_measure": "teaspoons"}, [6.0]),
        ("estimate_roasting_time", {"doneness": "medium", "oven_celsius": 200, "on_the_bone": True}, [96, 16]),
        ("estimate_roasting_time", {"joint": "venison", "weight_kg": 0.1, "oven_celsius": 500}, [7, 10]),
        ("calculate_portion_energy", {"fibre_grams": 20, "unit": "kj"}, [838]),
        ("calculate_portion_cost", {"ingredient_costs": [100_000] * 30, "waste_percent": 10}, [165_002.0]),
        ("calculate_bread_dough", {"starter_grams": 150, "starter_hydration": 50}, [370, 12.0]),
        ("calculate_brine", {"food": "fish", "weight_kg": 9, "water_litres": 1, "sugar_percent": 4}, [500, 400, 6.0]),
        ("estimate_party_drinks", {"spare_percent": 0}, [29.0, 17.5, 16.0, 7.0]),
        ("estimate_party_drinks", {"hot_weather": True, "alcohol_served": False}, [37.1, 43.8, 0.0, 0.0]),
        ("adapt_oven_setting", {"minutes": 1, "own_oven": "air_fryer"}, [175, 1]),
        ("adapt_oven_setting", {"recipe_oven": "air_fryer", "minutes": 39, "scale": "fahrenheit"}, [210, 45]),
    ],
)
def test_working_out(kitchen: Environment, tool: str, other: Any, expected: list[float]) -> None:
    told = result(kitchen, tool, **{**BASE[tool], **other})
    assert [value for value in told.values() if not isinstance(value, str)] == expected


def test_finding_recipes_and_what_is_in_the_pantry(kitchen: Environment) -> None:
    def titles(**more: Any) -> list[str]:
        loose = {"cuisine": "indian", "diet": "any", "max_minutes": 40, "min_servings": 4}
        return [row["title"] for row in result(kitchen, "find_recipes", **{**loose, **more})]

    assert titles() == titles(excluded_ingredients=[""]) == ["Chana", "Lamb Curry", "Pea Korma"]
    assert titles(diet="vegetarian") == ["Chana", "Pea Korma"] and titles(diet="vegan") == ["Chana"]
    assert titles(max_minutes=39) == titles(min_servings=5) == ["Pea Korma"] and titles(cuisine="thai") == []
    assert titles(excluded_ingredients=["Peas"]) == ["Chana", "Lamb Curry"]  # chickpeas are no peas
    assert titles(excluded_ingredients=["onion"]) == ["Pea Korma"] == titles(excluded_ingredients=["Onions", "LÂMB"])
    shelf = BASE["find_pantry_items"]
    assert [row["item"] for row in result(kitchen, "find_pantry_items", **shelf)] == ["kimchi", "milk"]
    assert [row["item"] for row in result(kitchen, "find_pantry_items", **shelf, opened_only=True)] == ["milk"]


def test_plans_and_pantry_items_are_entered(kitchen: Environment) -> None:
    plan, oats = BASE["plan_meal"], BASE["add_pantry_item"]
    assert result(kitchen, "plan_meal", **{**plan, "recipe": "pea korma"}) == {"id": "mea_9001", **plan, "cook": None}
    changes = call(kitchen, "add_pantry_item", **{**oats, "amount": 1.504}).changes
    assert [change.after for change in changes] == [{"id": "pan_9001", **oats, "opened": False}]
    assert "there is already Pea Korma" in str(call(kitchen, "plan_meal", **plan).observation.content)


@pytest.mark.parametrize(
    ("tool", "other", "reason"),
    [
        ("convert_ingredient_measure", {"ingredient": "rye flour"}, "Similar: Rye"),
        ("convert_ingredient_measure", {"amount": 1e300}, "amount"),
        ("estimate_roasting_time", {"joint": "pork"}, "not served rare"),
        ("calculate_portion_cost", {"ingredient_costs": []}, "ingredient_costs"),
        ("calculate_bread_dough", {"flour_grams": 1, "starter_hydration": 200}, "more water than"),
        ("adapt_oven_setting", {"own_oven": "conventional"}, "already written for"),
        ("plan_meal", {"recipe": "Soup"}, "find_recipes"),
        ("plan_meal", {"day": "2026-05-03"}, "today is 2026-05-04"),
        ("plan_meal", {"meal": "lunch"}, "there is already Chana"),
        ("find_pantry_items", {"best_before": "2026-13-01"}, "not a real date"),
        ("add_pantry_item", {"best_before": "2026-05-03"}, "2026-05-03 is past"),
    ],
)
def test_refusals_say_why_and_change_nothing(kitchen: Environment, tool: str, other: Any, reason: str) -> None:
    transition = call(kitchen, tool, **{**BASE[tool], **other})
    assert transition.observation.fault in ("refused", "invalid_arguments"), transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("kitchen").world(seed)
    recipes, plans, pantry = (world.rows(table) for table in ("kitchen_recipes", "meal_plans", "pantry_items"))
    titles = {row["title"] for row in recipes}
    assert len(titles) == len({row["minutes"] for row in recipes}) == 24
    today, oldest = (f"{world.now - timedelta(days=days):%Y-%m-%d}" for days in (0, 5))
    assert len({(row["day"], row["meal"]) for row in plans if row["day"] >= today and row["recipe"] in titles}) == 7
    assert len({row["item"] for row in pantry}) == 10
    assert all(row["amount"] > 0 and row["best_before"] >= oldest for row in pantry)
    want: Any = get_category("kitchen").makers["recipe_search"](world, random.Random(seed))
    asked = {"cuisine": want["cuisine"], "diet": want["diet"], "max_minutes": want["minutes"]}
    asked |= {"min_servings": want["servings"], "excluded_ingredients": [want["without"], want["nor"]]}
    environment = Environment(world, get_category("kitchen").tools)
    found = result(environment, "find_recipes", **asked)
    every = result(environment, "find_recipes", **{**asked, "excluded_ingredients": []})
    assert len(found) >= 2 and min(row["minutes"] for row in every) < min(row["minutes"] for row in found)


def test_no_name_contains_another() -> None:
    for pool, field in (("ingredients", "name"), ("recipes", "title"), ("stock", "item")):
        names = [row[field].casefold() for row in get_category("kitchen").content[pool]]
        assert [(a, b) for a in names for b in names if a != b and a in b] == []
        assert len(set(names)) == len(names)
