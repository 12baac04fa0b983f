"""Money planning: loans, savings, shared bills, invoices, wages and rents worked out, funds compared, goals and budgets kept.

No tool moves money. Amounts are in whatever currency the person thinks in and are rounded to cents; rates are percent
per year. Goals and budget lines are kept once: a name or a line that exists already is refused, not replaced.
"""

import math
import random
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from lamsim_core.environment import Day, Ids, ToolRefusedError, World, folded, parse_day, require_listed, tool, view

TITLE = "Finance"
FAMILY = "money"

Amount = Annotated[float, Field(ge=0.01, le=1e7)]
Extra = Annotated[float, Field(ge=0, le=1e7)]
Percent = Annotated[float, Field(ge=0, le=100)]
Hours = Annotated[float, Field(ge=0, le=400)]
Year = Annotated[int, Field(ge=1950, le=2100)]
Month = Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]
Name = Annotated[str, Field(pattern=r"\S", max_length=60)]
AssetClass = Literal["equity", "bond", "mixed"]
Region = Literal["Europe", "Asia", "Americas"]
Spending = Literal["food", "transport", "leisure", "clothing", "health", "pets"]
Priority = Literal["low", "medium", "high"]
Rounding = Literal["cents", "whole"]

_YEARS = range(2005, 2026)  # of the price tables


def _cents(value: float) -> float:
    if not math.isfinite(value) or abs(value) > 1e12:
        raise ToolRefusedError("The result is too large.")
    return round(value, 2) + 0.0  # never -0.0


@tool(mutates=False)
def compute_loan_instalment(
    world: World,
    amount_borrowed: Amount,
    yearly_rate: Percent,
    months: Annotated[int, Field(ge=1, le=600)],
    arrangement_fee: Extra = 0,
) -> dict[str, Any]:
    """Compute the equal monthly instalment of a loan, and the interest paid over its whole term.

    Args:
        amount_borrowed: The amount borrowed.
        yearly_rate: Interest in percent per year.
        months: The term, in months.
        arrangement_fee: A fee of the lender that is added to the amount borrowed.
    """
    owed, rate = amount_borrowed + arrangement_fee, yearly_rate / 1200
    instalment = owed / months if rate < 1e-9 else owed * rate / (1 - (1 + rate) ** -months)
    return {"monthly_instalment": _cents(instalment), "total_interest": _cents(instalment * months - owed)}


@tool(mutates=False)
def project_savings_plan(
    world: World,
    monthly_payment: Amount,
    yearly_interest: Percent,
    years: Annotated[int, Field(ge=1, le=60)],
    starting_balance: Extra = 0,
    paid_at: Literal["start", "end"] = "end",
) -> dict[str, Any]:
    """Project what a savings plan with equal monthly payments grows to, interest being credited every month.

    Args:
        monthly_payment: What is paid in every month.
        yearly_interest: Interest or return in percent per year.
        years: How many years payments are made.
        starting_balance: What is in the plan before the first payment.
        paid_at: Whether payments are made at the start or at the end of each month.
    """
    rate, months = yearly_interest / 1200, years * 12
    grown = (1 + rate) ** months
    paid = float(months) if rate < 1e-9 else (grown - 1) / rate
    if paid_at == "start":
        paid *= 1 + rate
    return {"final_balance": _cents(starting_balance * grown + monthly_payment * paid)}


@tool(mutates=False)
def split_shared_bill(
    world: World,
    bill_total: Amount,
    people: Annotated[list[Name], Field(min_length=2, max_length=12)],
    shares: Annotated[list[Annotated[int, Field(ge=1, le=100)]], Field(min_length=2, max_length=12)],
    tip_percent: Percent = 0,
) -> dict[str, Any]:
    """Split a bill among people by shares, to the cent.

    Args:
        bill_total: The bill, without a tip.
        people: Who pays, by name.
        shares: How many shares each person has, in the order of the people.
        tip_percent: A tip in percent of the bill, which is split as well.
    """
    if len(people) != len(shares):
        raise ToolRefusedError(
            f"There are {len(people)} people and {len(shares)} shares; each person needs one number."
        )
    cents = round(bill_total * (100 + tip_percent))
    exact = [cents * share / sum(shares) for share in shares]
    parts = [math.floor(each) for each in exact]
    by_rest = sorted(range(len(people)), key=lambda place: (parts[place] - exact[place], folded(people[place])))
    for place in by_rest[: cents - sum(parts)]:
        parts[place] += 1
    paid = [{"person": name, "pays": part / 100} for name, part in zip(people, parts, strict=True)]
    return {"total": cents / 100, "parts": paid}


@tool(mutates=False)
def compute_invoice_vat(
    world: World,
    unit_price: Amount,
    quantity: Annotated[int, Field(ge=1, le=10000)],
    vat_percent: Percent,
    price_includes_vat: bool,
    discount_percent: Percent = 0,
) -> dict[str, Any]:
    """Compute the VAT of an invoice, and the amount before VAT.

    Args:
        unit_price: The price of one piece.
        quantity: How many pieces.
        vat_percent: The VAT rate in percent.
        price_includes_vat: Whether the VAT is already in the price of a piece.
        discount_percent: A discount in percent, taken off the price.
    """
    amount = unit_price * quantity * (1 - discount_percent / 100)
    net = amount / (1 + vat_percent / 100) if price_includes_vat else amount
    return {"before_vat": _cents(net), "vat": _cents(net * vat_percent / 100)}


@tool(mutates=False)
def compute_equipment_value(
    world: World,
    purchase_price: Amount,
    residual_value: Extra,
    useful_years: Annotated[int, Field(ge=2, le=50)],
    years_used: Annotated[int, Field(ge=1, le=50)],
    method: Literal["straight_line", "declining_balance"],
) -> dict[str, Any]:
    """Compute the book value of depreciated equipment.

    Args:
        purchase_price: What it cost when it was new.
        residual_value: What it is worth at the end of its useful life.
        useful_years: Its useful life in years.
        years_used: For how many full years it has been used.
        method: Equal parts each year (straight_line), or double-rate declining balance down to the residual value.
    """
    if residual_value >= purchase_price or years_used > useful_years:
        what = (
            "years of use cannot exceed the useful life" if years_used > useful_years else "residual value is too high"
        )
        raise ToolRefusedError(f"The {what}.")
    if method == "straight_line":
        value = purchase_price - (purchase_price - residual_value) * years_used / useful_years
    else:
        value = max(residual_value, purchase_price * (1 - 2 / useful_years) ** years_used)
    return {"book_value": _cents(value)}


@tool(mutates=False)
def find_break_even(
    world: World, fixed_costs: Amount, price_per_piece: Amount, cost_per_piece: Extra, profit_wanted: Extra = 0
) -> dict[str, Any]:
    """Find how many pieces of a product have to be sold to cover its costs.

    Args:
        fixed_costs: Costs that do not depend on how many are sold.
        price_per_piece: What a piece is sold for.
        cost_per_piece: What making or buying a piece costs.
        profit_wanted: A profit that is to be made on top.
    """
    margin = round(price_per_piece - cost_per_piece, 6)
    if margin < 0.0001:
        raise ToolRefusedError("A piece has to be sold for more than it costs.")
    return {"pieces": math.ceil(round((fixed_costs + profit_wanted) / margin, 6))}


@tool(mutates=False)
def compute_gross_pay(
    world: World,
    hourly_wage: Annotated[float, Field(ge=0.01, le=10000)],
    regular_hours: Hours,
    overtime_hours: Hours,
    overtime_factor: Annotated[float, Field(ge=1, le=5)],
    sales_total: Extra = 0,
    commission_percent: Percent = 0,
) -> dict[str, Any]:
    """Compute gross pay from hours worked, with overtime and, if there is one, a commission on sales.

    Args:
        hourly_wage: The wage for one regular hour.
        regular_hours: How many hours were worked at the regular wage.
        overtime_hours: How many hours were worked beyond these.
        overtime_factor: How many times the hourly wage an hour of overtime earns, e.g. 1.5.
        sales_total: Sales on which a commission is paid.
        commission_percent: The commission in percent of the sales.
    """
    wage = hourly_wage * (regular_hours + overtime_hours * overtime_factor)
    return {"gross_pay": _cents(wage + sales_total * commission_percent / 100)}


@tool(mutates=False)
def project_rent(
    world: World,
    current_rent: Amount,
    increase_percent: Percent,
    first_increase_year: Year,
    target_year: Year,
    every_years: Annotated[int, Field(ge=1, le=20)] = 1,
) -> dict[str, Any]:
    """Project a rent that rises by a fixed percentage at regular intervals.

    Args:
        current_rent: The monthly rent before the first increase.
        increase_percent: By how many percent it rises each time.
        first_increase_year: The year of the first increase.
        target_year: The year whose rent is wanted; an increase in that year counts.
        every_years: How many years lie between increases.
    """
    times = 0 if target_year < first_increase_year else (target_year - first_increase_year) // every_years + 1
    return {"monthly_rent": _cents(current_rent * (1 + increase_percent / 100) ** times)}


@tool(mutates=False)
def adjust_for_inflation(
    world: World, price: Amount, country: str, from_year: Year, to_year: Year, rounding: Rounding = "cents"
) -> dict[str, Any]:
    """Adjust a price of one year to the price level of another year in the same country.

    Args:
        price: The price in the first year.
        country: The country, by its English name.
        from_year: The year the price is from.
        to_year: The year whose price level is wanted; it may also be the earlier one.
        rounding: Whether the result is rounded to cents or to a whole number.
    """
    row = next((row for row in world.rows("price_levels") if folded(str(row["country"])) == folded(country)), None)
    if row is None:
        known = ", ".join(str(each["country"]) for each in world.rows("price_levels"))
        raise ToolRefusedError(f"There is no price table for {country[:60]!r}, only for {known}.")
    if from_year == to_year or not (from_year in _YEARS and to_year in _YEARS):
        raise ToolRefusedError(f"It takes two different years from {_YEARS[0]} to {_YEARS[-1]}.")
    value = price * row["levels"][_YEARS.index(to_year)] / row["levels"][_YEARS.index(from_year)]
    return {"price": _cents(value) if rounding == "cents" else round(value), "year": to_year}


@tool(mutates=False)
def search_investment_funds(
    world: World,
    asset_class: AssetClass,
    region: Region,
    max_fee_percent: Percent,
    max_risk: Annotated[int, Field(ge=1, le=7)],
    pays_out: bool | None = None,
) -> list[dict[str, Any]]:
    """Search funds by what they hold, where, and what they cost; in alphabetical order.

    Args:
        asset_class: What the fund invests in.
        region: Where it invests.
        max_fee_percent: The highest yearly fee in percent.
        max_risk: The highest risk class, from 1 (low) to 7 (high).
        pays_out: Only funds that pay out their earnings (true) or that reinvest them (false).
    """
    wanted = {"asset_class": asset_class, "region": region}
    rows = [row for row in world.rows("investment_funds") if view(row, *wanted) == wanted]
    rows = [row for row in rows if row["fee_percent"] <= max_fee_percent and row["risk"] <= max_risk]
    rows = sorted((row for row in rows if pays_out in (None, row["pays_out"])), key=lambda row: str(row["name"]))
    return [view(row, "name", "fee_percent", "risk", "average_return") for row in rows]


@tool(mutates=True)
def save_savings_goal(
    world: World,
    goal_name: Name,
    target_amount: Amount,
    monthly_payment: Amount,
    deadline: Day,
    priority: Priority = "medium",
    savers: list[str] | None = None,
) -> dict[str, Any]:
    """Save a new savings goal.

    Args:
        goal_name: What the goal is called.
        target_amount: How much is to be saved in all.
        monthly_payment: How much is put aside every month.
        deadline: The day by which the money is needed, YYYY-MM-DD.
        priority: How important the goal is.
        savers: Names of the people who save for it together.
    """
    if any(folded(str(row["name"])) == folded(goal_name) for row in world.rows("savings_goals")):
        raise ToolRefusedError(f"There is already a goal {goal_name!r}.")
    if parse_day(deadline) <= world.now:
        raise ToolRefusedError(f"{deadline} is not in the future.")
    goal = {"name": goal_name, "target": _cents(target_amount), "monthly": _cents(monthly_payment)}
    goal |= {"deadline": deadline, "priority": priority, "savers": sorted(savers or [])}
    world.insert("savings_goals", {"id": world.new_id("gol"), **goal})
    return {"goal": goal_name, "deadline": deadline, "saved": True}


@tool(mutates=True)
def add_budget_line(
    world: World, budget_name: str, month: Month, spending: Spending, limit: Amount, carry_over: bool = False
) -> dict[str, Any]:
    """Add to a budget how much may be spent on something in a month.

    Args:
        budget_name: Name of the budget.
        month: The month, YYYY-MM.
        spending: What the money is for.
        limit: How much may be spent at most.
        carry_over: Whether what is left goes over to the next month.
    """
    name = require_listed(world, "budgets", budget_name, "budget")
    line = {"budget": name, "month": month, "spending": spending}
    if any(view(row, *line) == line for row in world.rows("budget_lines")):
        raise ToolRefusedError(f"The budget {name} already has a line for {spending} in {month}.")
    row = {**line, "limit": _cents(limit), "carry_over": carry_over}
    world.insert("budget_lines", {"id": world.new_id("bln"), **row})
    return row


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Four funds of each class and region, price levels of eight countries, six goals, five budgets with last month's lines."""
    world.add_table("investment_funds", "price_levels", "savings_goals", "budgets", "budget_lines")
    ids = Ids(rng)
    words = rng.sample(content["funds"], 36)
    kinds = {"equity": (4, 7, "Shares"), "bond": (1, 4, "Bonds"), "mixed": (2, 6, "Balanced")}
    for asset_class in get_args(AssetClass):
        for region in get_args(Region):
            fees, pays = rng.sample(range(8, 190), 4), rng.sample([True, True, False, rng.random() < 0.5], 4)
            for fee, pays_out in zip(fees, pays, strict=True):
                low, high, kind = kinds[asset_class]
                fund = {"name": f"{words.pop()} {kind}", "asset_class": asset_class, "region": region}
                fund |= {"fee_percent": fee / 100, "risk": rng.randint(low, high), "pays_out": pays_out}
                fund["average_return"] = round(rng.uniform(1.2, 2.2) + fund["risk"] * rng.uniform(0.5, 0.9), 2)
                world.insert("investment_funds", {"id": ids("fnd"), **fund})
    for country in rng.sample(content["countries"], 8):
        levels = [100.0]
        for _ in _YEARS[1:]:
            levels.append(round(levels[-1] * (1 + rng.choice([0.006, 0.013, 0.019, 0.024, 0.038, 0.061])), 1))
        world.insert("price_levels", {"id": ids("lvl"), "country": country, "levels": levels})
    for name in rng.sample(content["goals"], 6):
        deadline = (world.now + timedelta(days=rng.randint(90, 1500))).date().isoformat()
        goal = {"name": name, "target": rng.randrange(600, 24000, 100), "monthly": rng.randrange(20, 400, 5)}
        goal |= {"deadline": deadline, "priority": rng.choice(get_args(Priority)), "savers": []}
        world.insert("savings_goals", {"id": ids("gol"), **goal})
    last_month = (world.now.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    for name in rng.sample(content["budgets"], 5):
        world.insert("budgets", {"id": ids("bud"), "name": name})
        for spending in rng.sample(get_args(Spending), 3):
            row = {"budget": name, "month": last_month, "spending": spending, "limit": rng.randrange(40, 600, 5)}
            world.insert("budget_lines", {"id": ids("bln"), **row, "carry_over": rng.random() < 0.3})


def fund_search(world: World, rng: random.Random, pays_out: bool | None = None) -> dict[str, Any]:
    """Limits within which there are at least two funds of a class and a region, and beyond which one, for task templates."""
    for _ in range(40):
        wanted = {"asset_class": rng.choice(get_args(AssetClass)), "region": rng.choice(get_args(Region))}
        fee, risk = rng.randrange(40, 200, 5) / 100, rng.randint(2, 6)
        funds = [row for row in world.rows("investment_funds") if view(row, *wanted) == wanted]
        inside = [row for row in funds if row["fee_percent"] <= fee and row["risk"] <= risk]
        if len([row for row in inside if pays_out in (None, row["pays_out"])]) > 1 and len(inside) < len(funds):
            return {**wanted, "fee": fee, "risk": risk}
    raise LookupError("too few funds within the limits, or none beyond them")


MAKERS = {"fund_search": fund_search}
