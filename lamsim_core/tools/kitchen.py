"""A kitchen at home and for catering: measures, roasting, dough, brine, drinks, costs, recipes, meal plans and the pantry.

What is worked out is rounded as a cook needs it. A meal of a day is planned once; nothing past its date is stored.
"""

import math
import random
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from lamsim_core.environment import (
    DAY,
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

TITLE = "Kitchen"
FAMILY = "home"

Result = dict[str, Any]
Quantity = Annotated[float, Field(ge=0, le=100_000)]
Percent = Annotated[float, Field(ge=0, le=100)]
Weight = Annotated[float, Field(ge=0.1, le=50)]
Amount = Annotated[float, Field(ge=0.01, le=100_000)]
Degrees = Annotated[int, Field(ge=80, le=500)]
Minutes = Annotated[int, Field(ge=1, le=1440)]
Portions = Annotated[int, Field(ge=1, le=2000)]
Guests = Annotated[int, Field(ge=0, le=2000)]
Servings = Annotated[int, Field(ge=1, le=50)]
Text = Annotated[str, Field(min_length=1, max_length=80)]
Cup = Literal["metric", "us"]
Measure = Literal["cups", "tablespoons", "teaspoons", "grams"]
Joint = Literal["beef", "lamb", "pork", "veal", "venison"]
Doneness = Literal["rare", "medium", "well_done"]
Food = Literal["chicken", "turkey", "pork", "fish"]
Scale = Literal["celsius", "fahrenheit"]
Oven = Literal["conventional", "fan", "steam", "air_fryer"]
Cuisine = Literal["indian", "italian", "mexican", "thai"]
Diet = Literal["any", "vegetarian", "vegan"]
Meal = Literal["breakfast", "lunch", "dinner"]
StockUnit = Literal["g", "kg", "ml", "l", "pieces"]
Shelf = Literal["fridge", "freezer", "cupboard", "cellar"]

_CUPS = {"metric": 250.0, "us": 236.588}
"""Millilitres."""
_PER_KILO = {"rare": 30.0, "medium": 39.0, "well_done": 51.0}
_JOINTS = {"beef": 1.0, "lamb": 0.94, "pork": 1.15, "veal": 1.06, "venison": 0.87}
_SOAKING = {"chicken": 6.0, "turkey": 9.0, "pork": 8.0, "fish": 2.0}
"""Hours in the brine for the first kilogram."""
_ENERGY = {"kcal": (9.0, 4.0, 2.0), "kj": (37.0, 17.0, 8.0)}
"""A gram of fat, of protein or carbohydrate, of fibre."""
_OVENS = {"conventional": (0, 0, 1.0), "fan": (-20, -35, 0.9), "steam": (-10, -20, 0.84), "air_fryer": (-25, -45, 0.78)}
"""Degrees Celsius and Fahrenheit more than in a conventional oven, and the share of its time."""
_DIETS = {"any": ("meat", "vegetarian", "vegan"), "vegetarian": ("vegetarian", "vegan"), "vegan": ("vegan",)}


@tool(mutates=False)
def convert_ingredient_measure(
    world: World, ingredient: Text, amount: Amount, from_measure: Measure, to_measure: Measure, cup_size: Cup = "metric"
) -> Result:
    """Convert an amount of a kitchen ingredient between cups, spoons and grams.

    Args:
        ingredient: Name of the ingredient.
        amount: How much of it there is.
        from_measure: The measure the amount is in.
        to_measure: The measure wanted.
        cup_size: Which cups are meant, metric ones or US ones.
    """
    row = require_named(world, "kitchen_ingredients", ingredient, "ingredient")
    per_gram = 100 / row["grams_per_100_ml"]
    sizes = {"cups": _CUPS[cup_size], "tablespoons": 15.0, "teaspoons": 5.0, "grams": per_gram}
    result = amount * sizes[from_measure] / sizes[to_measure]
    decimals = 1 if to_measure == "grams" else 2
    return {"ingredient": row["name"], "result": round(result, decimals), "measure": to_measure}


@tool(mutates=False)
def estimate_roasting_time(
    world: World, joint: Joint, weight_kg: Weight, doneness: Doneness, oven_celsius: Degrees, on_the_bone: bool = False
) -> Result:
    """Estimate for how many minutes a joint of meat is roasted and how many it rests.

    Args:
        joint: The kind of meat.
        weight_kg: Weight of the joint in kilograms.
        doneness: How well done it should be.
        oven_celsius: Temperature of the oven in degrees Celsius.
        on_the_bone: Whether the meat is still on the bone.
    """
    if joint == "pork" and doneness == "rare":
        raise ToolRefusedError("Pork is not served rare; it has to be medium or well done.")
    minutes = (17 + _PER_KILO[doneness] * _JOINTS[joint] * weight_kg) * 180 / oven_celsius
    roasted = round(minutes * (1.12 if on_the_bone else 1.0))
    return {"roasting_minutes": roasted, "resting_minutes": max(10, round(roasted / 6))}


@tool(mutates=False)
def calculate_portion_energy(
    world: World,
    fat_grams: Quantity,
    protein_grams: Quantity,
    carbohydrate_grams: Quantity,
    portions: Portions,
    fibre_grams: Quantity = 0.0,
    unit: Literal["kcal", "kj"] = "kcal",
) -> Result:
    """Calculate the food energy of one portion of a dish from what the whole dish contains.

    Args:
        fat_grams: Fat in the whole dish, in grams.
        protein_grams: Protein in the whole dish, in grams.
        carbohydrate_grams: Carbohydrate in the whole dish without fibre, in grams.
        portions: Into how many portions the dish is divided.
        fibre_grams: Fibre in the whole dish, in grams.
        unit: Kilocalories or kilojoules.
    """
    fat, other, fibre = _ENERGY[unit]
    total = fat_grams * fat + (protein_grams + carbohydrate_grams) * other + fibre_grams * fibre
    return {"energy_per_portion": round(total / portions), "unit": unit}


@tool(mutates=False)
def calculate_portion_cost(
    world: World,
    ingredient_costs: Annotated[list[Quantity], Field(min_length=1, max_length=30)],
    portions: Portions,
    labour_hours: Annotated[float, Field(ge=0, le=500)],
    hourly_wage: Quantity,
    waste_percent: Percent = 0.0,
) -> Result:
    """Calculate what one portion of a catered dish costs to make, in euros.

    Args:
        ingredient_costs: Cost of each ingredient in euros.
        portions: How many portions are made.
        labour_hours: Hours of work in the kitchen.
        hourly_wage: Pay for an hour of work in euros.
        waste_percent: By how many percent the ingredients cost more because some is thrown away.
    """
    ingredients = math.fsum(ingredient_costs) * (1 + waste_percent / 100)
    return {"cost_per_portion": round((ingredients + labour_hours * hourly_wage) / portions, 2)}


@tool(mutates=False)
def calculate_bread_dough(
    world: World,
    flour_grams: Annotated[int, Field(ge=1, le=100_000)],
    hydration_percent: Annotated[int, Field(ge=30, le=150)],
    salt_percent: Percent,
    starter_grams: Annotated[int, Field(ge=0, le=100_000)],
    starter_hydration: Annotated[int, Field(ge=30, le=200)] = 100,
) -> Result:
    """Calculate the water and salt for a sourdough bread; percentages are of all flour, that of the starter included.

    Args:
        flour_grams: Flour besides that in the starter, in grams.
        hydration_percent: Water in the finished dough, in percent of the flour.
        salt_percent: Salt in percent of the flour.
        starter_grams: Sourdough starter in grams.
        starter_hydration: Water in the starter, in percent of its flour.
    """
    in_starter = starter_grams / (1 + starter_hydration / 100)
    flour = flour_grams + in_starter
    water = flour * hydration_percent / 100 - (starter_grams - in_starter)
    if water < 0:
        raise ToolRefusedError("The starter alone brings more water than the dough should have.")
    return {"water_grams": round(water), "salt_grams": round(flour * salt_percent / 100, 1)}


@tool(mutates=False)
def calculate_brine(
    world: World, food: Food, weight_kg: Weight, water_litres: Weight, salt_percent: Percent, sugar_percent: Percent = 0
) -> Result:
    """Calculate salt and sugar for brining; percentages are of the food and the water together.

    Args:
        food: What is brined.
        weight_kg: Weight of the food in kilograms.
        water_litres: Water in litres.
        salt_percent: Salt in percent.
        sugar_percent: Sugar in percent.
    """
    grams = (weight_kg + water_litres) * 10
    hours = round(_SOAKING[food] * math.sqrt(weight_kg), 1)
    salt, sugar = round(grams * salt_percent), round(grams * sugar_percent)
    return {"salt_grams": salt, "sugar_grams": sugar, "soaking_hours": hours}


@tool(mutates=False)
def estimate_party_drinks(
    world: World,
    adults: Guests,
    children: Guests,
    hours: Annotated[float, Field(ge=0.5, le=24)],
    hot_weather: bool,
    alcohol_served: bool,
    spare_percent: Annotated[int, Field(ge=0, le=100)] = 10,
) -> Result:
    """Estimate how many litres of each kind of drink a party needs.

    Args:
        adults: How many adults come.
        children: How many children come.
        hours: How many hours the party lasts.
        hot_weather: Whether it is going to be hot.
        alcohol_served: Whether beer and wine are served.
        spare_percent: How many percent more to buy than is drunk.
    """
    factor = hours * (1.35 if hot_weather else 1.0) * (1 + spare_percent / 100)
    litres = {
        "water": adults * (0.22 if alcohol_served else 0.18) + children * 0.14,
        "soft_drinks": adults * (0.09 if alcohol_served else 0.21) + children * 0.17,
        "beer": adults * 0.16 if alcohol_served else 0.0,
        "wine": adults * 0.07 if alcohol_served else 0.0,
    }
    return {f"{kind}_litres": round(amount * factor, 1) for kind, amount in litres.items()}


@tool(mutates=False)
def adapt_oven_setting(
    world: World, temperature: Degrees, minutes: Minutes, recipe_oven: Oven, own_oven: Oven, scale: Scale = "celsius"
) -> Result:
    """Adapt temperature and baking time of a recipe to another kind of oven.

    Args:
        temperature: Temperature the recipe gives.
        minutes: Baking time the recipe gives, in minutes.
        recipe_oven: The kind of oven the recipe is written for.
        own_oven: The kind of oven that will be used.
        scale: Whether temperatures are in degrees Celsius or Fahrenheit.
    """
    if recipe_oven == own_oven:
        raise ToolRefusedError("The recipe is already written for that kind of oven.")
    own, other, place = _OVENS[own_oven], _OVENS[recipe_oven], 0 if scale == "celsius" else 1
    baked = max(1, round(minutes * own[2] / other[2]))
    return {"temperature": temperature + own[place] - other[place], "scale": scale, "minutes": baked}


@tool(mutates=False)
def find_recipes(
    world: World,
    cuisine: Cuisine,
    diet: Diet,
    max_minutes: Minutes,
    min_servings: Servings,
    excluded_ingredients: list[str] | None = None,
) -> list[Result]:
    """Find recipes that meet all conditions.

    Args:
        cuisine: The cuisine.
        diet: The diet; vegan recipes are vegetarian, too.
        max_minutes: How many minutes it may take at most.
        min_servings: For how many people the recipe is meant at least.
        excluded_ingredients: Ingredients that must not be in it.
    """
    found = [row for row in world.rows("kitchen_recipes") if row["cuisine"] == cuisine and row["diet"] in _DIETS[diet]]
    found = [row for row in found if row["minutes"] <= max_minutes and row["servings"] >= min_servings]
    for word in filter(None, map(folded, excluded_ingredients or [])):
        found = [row for row in found if not any(f" {word}" in f" {folded(str(part))}" for part in row["ingredients"])]
    found.sort(key=lambda row: str(row["title"]))
    return [view(row, "id", "title", "minutes", "servings") for row in found[:10]]


@tool(mutates=True)
def plan_meal(world: World, day: Day, meal: Meal, recipe: str, servings: Servings, cook: Text | None = None) -> Result:
    """Enter a recipe into the meal plan.

    Args:
        day: The day, YYYY-MM-DD.
        meal: Which meal of the day.
        recipe: Title of the recipe.
        servings: How many servings are cooked.
        cook: Who cooks.
    """
    row = require_named(world, "kitchen_recipes", recipe, "recipe", field="title", see="find_recipes")
    date = parse_day(day).strftime(DAY)
    if date < world.now.strftime(DAY):
        raise ToolRefusedError(f"{date} is past; today is {world.now.strftime(DAY)}.")
    for other in world.rows("meal_plans"):
        if (other["day"], other["meal"]) == (date, meal):
            raise ToolRefusedError(f"For {meal} on {date} there is already {other['recipe']}.")
    entry = {"day": date, "meal": meal, "recipe": row["title"], "servings": servings, "cook": cook}
    return dict(world.insert("meal_plans", {"id": world.new_id("mea"), **entry}))


@tool(mutates=False)
def find_pantry_items(world: World, shelf: Shelf, best_before: Day, opened_only: bool = False) -> list[Result]:
    """Find what has to be eaten from one shelf up to a day, the oldest first.

    Args:
        shelf: Where it is kept.
        best_before: The last best-before date to show, YYYY-MM-DD.
        opened_only: Whether to show only what is opened.
    """
    last = parse_day(best_before).strftime(DAY)
    rows = [row for row in world.rows("pantry_items") if row["shelf"] == shelf and str(row["best_before"]) <= last]
    rows = sorted((row for row in rows if row["opened"] or not opened_only), key=lambda row: str(row["best_before"]))
    return [view(row, "item", "amount", "unit", "best_before", "opened") for row in rows[:10]]


@tool(mutates=True)
def add_pantry_item(
    world: World, item: Text, amount: Amount, unit: StockUnit, best_before: Day, shelf: Shelf, opened: bool = False
) -> Result:
    """Enter something that was put into the pantry.

    Args:
        item: What it is.
        amount: How much of it, in the unit.
        unit: The unit of the amount.
        best_before: The best-before date, YYYY-MM-DD.
        shelf: Where it is kept.
        opened: Whether the package is already opened.
    """
    last = parse_day(best_before).strftime(DAY)
    if last < world.now.strftime(DAY):
        raise ToolRefusedError(f"{last} is past; today is {world.now.strftime(DAY)}.")
    row = {"item": item, "amount": round(amount, 2), "unit": unit, "best_before": last, "shelf": shelf}
    return dict(world.insert("pantry_items", {"id": world.new_id("pan"), **row, "opened": opened}))


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Twelve ingredients of known density, 24 recipes, seven planned meals and ten things in the pantry."""
    world.add_table("kitchen_ingredients", "kitchen_recipes", "meal_plans", "pantry_items")
    ids = Ids(rng)
    for entry in rng.sample(content["ingredients"], 12):
        density = round(entry["grams_per_100_ml"] * rng.uniform(0.94, 1.06), 1)
        world.insert("kitchen_ingredients", {"id": ids("ing"), "name": entry["name"], "grams_per_100_ml": density})
    recipes = rng.sample(content["recipes"], 24)
    for entry, minutes in zip(recipes, rng.sample(range(16, 96), 24), strict=True):
        row = {**view(entry, "title", "cuisine", "diet", "ingredients"), "minutes": minutes}
        world.insert("kitchen_recipes", {"id": ids("rec"), **row, "servings": rng.choice([2, 4, 4, 5, 6, 8])})
    slots = rng.sample([(ahead, meal) for ahead in range(12) for meal in ("lunch", "dinner")], 7)
    for (ahead, meal), entry in zip(slots, rng.sample(recipes, 7), strict=True):
        row = {"day": day_ahead(world, rng, ahead, ahead), "meal": meal, "recipe": entry["title"]}
        world.insert(
            "meal_plans", {"id": ids("mea"), **row, "servings": rng.randint(2, 8), "cook": rng.choice(content["cooks"])}
        )
    for entry in rng.sample(content["stock"], 10):
        row = {"item": entry["item"], "amount": entry["amount"] * rng.randint(1, 4), "unit": entry["unit"]}
        row |= {"best_before": day_ahead(world, rng, -5, 200), "shelf": entry["shelf"]}
        world.insert("pantry_items", {"id": ids("pan"), **row, "opened": rng.random() < 0.4})


def day_ahead(world: World, rng: random.Random, least: int = 15, most: int = 300) -> str:
    """A day that many days ahead; when none are given, one for which nothing is planned yet."""
    return (world.now + timedelta(days=rng.randint(least, most))).strftime(DAY)


def recipe_search(world: World, rng: random.Random) -> Result:
    """Conditions that two or more recipes meet; without the two ingredients to exclude, another would be the quickest."""
    options = [(c, d, n) for c in get_args(Cuisine) for d in ("vegetarian", "vegan") for n in (3, 4)]
    for cuisine, diet, servings in rng.sample(options, len(options)):
        suited = [row for row in world.rows("kitchen_recipes") if row["diet"] in _DIETS[diet]]
        fits = [row for row in suited if row["cuisine"] == cuisine and row["servings"] >= servings]
        fits.sort(key=lambda row: int(row["minutes"]))
        for part in rng.sample(list(fits[0]["ingredients"]), len(fits[0]["ingredients"])) if fits else ():
            left = [row for row in fits if part not in row["ingredients"]]
            other = rng.choice(sorted({str(p) for row in suited for p in row["ingredients"] if p != part}))
            left = [row for row in left if other not in row["ingredients"]]
            if len(left) >= 2:
                found = {"cuisine": cuisine, "diet": diet, "servings": servings, "without": part, "nor": other}
                return {**found, "minutes": -(-int(left[-1]["minutes"]) // 5) * 5}
    raise LookupError("no search finds two recipes")


MAKERS = {"day_ahead": day_ahead, "recipe_search": recipe_search}
