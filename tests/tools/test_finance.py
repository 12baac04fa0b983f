"""The finance tools: what each does, what each refuses, and what holds in every populated world."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(35), 122, *range(100_000, 100_015)]  # with 122 it is the first of March
LOAN = {"amount_borrowed": 12000, "yearly_rate": 12, "months": 12}
PLAN = {"monthly_payment": 100, "yearly_interest": 12, "years": 1}
VALUE = {"purchase_price": 10000, "residual_value": 1000, "useful_years": 5}
RENT = {"current_rent": 1000, "increase_percent": 10, "first_increase_year": 2026}
PRICE = {"price": 120, "country": "norway", "from_year": 2005, "to_year": 2025}
GOAL = {"goal_name": "Dental work", "target_amount": 900.456, "monthly_payment": 75, "deadline": "2026-05-05"}
LINE = {"budget_name": "household", "month": "2026-05", "spending": "food", "limit": 45.5}


@pytest.fixture
def desk() -> Environment:
    world = World(datetime(2026, 5, 4, 9, 0))
    fund = {"asset_class": "equity", "region": "Europe", "average_return": 5.1}
    line = {"spending": "food", "limit": 300, "carry_over": False}
    goal = {"target": 900, "monthly": 45, "deadline": "2027-03-01", "priority": "low", "savers": []}
    rows: dict[str, list[dict[str, Any]]] = {
        "investment_funds": [
            {"id": "fnd_1", "name": "Cedar Shares", **fund, "fee_percent": 0.2, "risk": 5, "pays_out": True},
            {"id": "fnd_2", "name": "Almond Shares", **fund, "fee_percent": 0.5, "risk": 6, "pays_out": False},
        ],
        "price_levels": [{"id": "lvl_1", "country": "Norway", "levels": [*range(100, 205, 5)]}],
        "savings_goals": [{"id": "gol_1", "name": "Cargo bike", **goal}],
        "budgets": [{"id": "bud_1", "name": "Household"}],
        "budget_lines": [{"id": "bln_1", "budget": "Household", "month": "2026-04", **line}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("finance").tools)


def call(desk: Environment, tool: str, **arguments: Any) -> Transition:
    return desk.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(desk: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(desk, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("compute_loan_instalment", LOAN, [1066.19, 794.23]),
        ("compute_loan_instalment", {**LOAN, "amount_borrowed": 11800, "arrangement_fee": 200}, [1066.19, 794.23]),
        ("project_savings_plan", {**PLAN, "paid_at": "start"}, [1280.93]),
        ("project_savings_plan", {**PLAN, "starting_balance": 1000}, [2395.08]),
        ("project_savings_plan", {**PLAN, "yearly_interest": 0, "years": 2, "starting_balance": 50}, [2450]),
        ("compute_equipment_value", {**VALUE, "years_used": 2, "method": "straight_line"}, [6400]),
        ("compute_equipment_value", {**VALUE, "years_used": 2, "method": "declining_balance"}, [3600]),
        ("compute_equipment_value", {**VALUE, "years_used": 5, "method": "declining_balance"}, [1000]),
        ("find_break_even", {"fixed_costs": 1001, "price_per_piece": 12.5, "cost_per_piece": 10}, [401]),
        ("find_break_even", {"fixed_costs": 1000, "price_per_piece": 10.01, "cost_per_piece": 10}, [100000]),
        ("project_rent", {**RENT, "target_year": 2025}, [1000]),
        ("project_rent", {**RENT, "target_year": 2029, "every_years": 2}, [1210]),
        ("adjust_for_inflation", {**PRICE, "from_year": 2025, "to_year": 2015}, [90, 2015]),
        ("adjust_for_inflation", {**PRICE, "price": 99.99, "to_year": 2015, "rounding": "whole"}, [150, 2015]),
    ],
)
def test_reckoning(desk: Environment, tool: str, arguments: dict[str, Any], expected: list[float]) -> None:
    assert [*result(desk, tool, **arguments).values()] == expected


def test_bills_invoices_and_pay(desk: Environment) -> None:
    no_interest = {"amount_borrowed": 1000, "yearly_rate": 0, "months": 19}  # 1000 / 19 * 19 falls short of 1000
    assert str(result(desk, "compute_loan_instalment", **no_interest)["total_interest"]) == "0.0"
    for total, tip, shares, parts in (
        (100, 0, [1, 1, 1], [33.33, 33.34, 33.33]),
        (10.01, 0, [3, 2, 5], [3, 2, 5.01]),
        (0.01, 0, [1, 1, 100], [0, 0, 0.01]),
        (1e7, 100, [1, 1, 1], [6666666.66, 6666666.67, 6666666.67]),
    ):
        bill = {"bill_total": total, "people": ["Zoe", "Ana", "Ben"], "shares": shares, "tip_percent": tip}
        split = result(desk, "split_shared_bill", **bill)
        assert [part["pays"] for part in split["parts"]] == parts and split["total"] == round(sum(parts), 2)
    invoice = {"unit_price": 50, "quantity": 4, "vat_percent": 20, "discount_percent": 10}
    for included, expected in (False, {"before_vat": 180, "vat": 36}), (True, {"before_vat": 150, "vat": 30}):
        assert result(desk, "compute_invoice_vat", **invoice, price_includes_vat=included) == expected
    work = {"hourly_wage": 20, "regular_hours": 38, "overtime_hours": 4, "overtime_factor": 1.5}
    assert result(desk, "compute_gross_pay", **work, sales_total=5000, commission_percent=2) == {"gross_pay": 980}


def test_funds_goals_and_budgets(desk: Environment) -> None:
    search: dict[str, Any] = {"asset_class": "equity", "region": "Europe", "max_fee_percent": 0.5, "max_risk": 6}
    almond, cedar = result(desk, "search_investment_funds", **search)
    assert (almond["name"], cedar["name"]) == ("Almond Shares", "Cedar Shares")
    for more, funds in ({"pays_out": False}, [almond]), ({"max_risk": 5}, [cedar]), ({"region": "Asia"}, []):
        assert result(desk, "search_investment_funds", **{**search, **more}) == funds
    (change,) = call(desk, "save_savings_goal", **GOAL, savers=["Zoe", "Ana"]).changes
    goal = {"name": "Dental work", "target": 900.46, "monthly": 75, "deadline": "2026-05-05", "priority": "medium"}
    assert change.after == {"id": change.id, **goal, "savers": ["Ana", "Zoe"]}
    line = {"budget": "Household", "month": "2026-05", "spending": "food", "limit": 45.5, "carry_over": False}
    assert result(desk, "add_budget_line", **LINE) == line


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("project_savings_plan", {"monthly_payment": 1e7, "yearly_interest": 100, "years": 60}, "too large"),
        (
            "split_shared_bill",
            {"bill_total": 9, "people": ["Zoe", "Ana"], "shares": [1, 2, 3]},
            "2 people and 3 shares",
        ),
        ("compute_equipment_value", {**VALUE, "years_used": 6, "method": "straight_line"}, "exceed the useful life"),
        ("find_break_even", {"fixed_costs": 1, "price_per_piece": 5, "cost_per_piece": 5}, "more than it costs"),
        ("adjust_for_inflation", {**PRICE, "country": "Peru"}, "only for Norway"),
        ("adjust_for_inflation", {**PRICE, "from_year": 2025}, "two different years"),
        ("adjust_for_inflation", {**PRICE, "to_year": 2026}, "from 2005 to 2025"),
        ("save_savings_goal", {**GOAL, "goal_name": " cargo BIKE"}, "already a goal"),
        ("save_savings_goal", {**GOAL, "deadline": "2026-05-04"}, "not in the future"),
        ("save_savings_goal", {**GOAL, "deadline": "2027-02-29"}, "not a real date"),
        ("add_budget_line", {**LINE, "budget_name": "Band"}, "The budgets are Household"),
        ("add_budget_line", {**LINE, "month": "2026-04"}, "already has a line for food"),
    ],
)
def test_refusals_change_nothing(desk: Environment, tool: str, arguments: dict[str, Any], reason: str) -> None:
    transition = call(desk, tool, **arguments)
    assert transition.observation.fault == "refused", transition.observation.content
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    category, world = get_category("finance"), get_category("finance").world(seed)
    funds = world.rows("investment_funds")
    assert len({row["name"] for row in funds}) == 36
    assert len({(row["asset_class"], row["region"], row["fee_percent"]) for row in funds}) == 36
    for row in world.rows("price_levels"):
        assert row["levels"][0] == 100 and len(set(row["levels"])) == 21 and [*row["levels"]] == sorted(row["levels"])
    lines = {(row["budget"], row["spending"], row["month"]) for row in world.rows("budget_lines")}
    last_day = world.now - timedelta(days=world.now.day)
    assert len(lines) == 15 and {month for *_, month in lines} == {last_day.strftime("%Y-%m")}
    limits: Any = category.makers["fund_search"](world, random.Random(seed))
    search = {"max_fee_percent": limits.pop("fee"), "max_risk": limits.pop("risk"), **limits}
    found = result(Environment(world, category.tools), "search_investment_funds", **search)
    assert 2 <= len(found) <= 3


def test_no_name_contains_another() -> None:
    content = get_category("finance").content
    for pool in (content["funds"], content["countries"], content["goals"], content["budgets"]):
        names = [name.casefold() for name in pool]
        assert [(a, b) for a in names for b in names if a != b and a in b] == [] and len(set(names)) == len(names)
