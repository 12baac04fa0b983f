"""What instances expect to be said: the unit of a number, the order of a list, and the ways to get them wrong."""

import pytest

from lamsim_core.feedback.answer import judge_answer
from lamsim_core.records import ExpectedAnswer
from lamsim_core.tasks import get_template, instantiate
from lamsim_core.tasks.mutations import other_answers


@pytest.mark.parametrize(
    ("template", "unit"),
    [
        ("files.kind_total", "MB"),
        ("calendar.day_minutes", "min"),
        ("health.distance_in_miles", "mi"),
        ("weather.hourly_peak", "°C"),
        ("smart_home.usage_of_two", "kWh"),
        ("calculator.percent_change", "%"),
        ("calculator.floor_cost", "EUR"),
        ("sports.points", None),
        ("stocks.price", None),
    ],
)
def test_the_unit_is_that_of_the_closing_messages_whichever_is_used(template: str, unit: str | None) -> None:
    tasks = [instantiate(get_template(template), seed) for seed in range(6)]
    assert {task.answer.unit for task in tasks if task.answer} == {unit}
    assert len({task.closing for task in tasks}) > 1


def test_a_currency_counts_only_when_the_request_names_it() -> None:
    for seed in range(20):
        task = instantiate(get_template("email.bill_amount"), seed)
        assert task.answer is not None
        assert (task.answer.unit == "EUR") == ("euro" in task.instruction.casefold())


@pytest.mark.parametrize("template", ["banking.accounts_above", "hotels.within_budget", "movies.whats_on"])
def test_a_list_in_order(template: str) -> None:
    for seed in range(5):
        task = instantiate(get_template(template), seed)
        assert task.answer is not None and isinstance(task.answer.value, list)
        values = [str(value) for value in task.answer.value]
        backwards = ", ".join(reversed(values))
        assert task.answer.ordered and backwards in list(other_answers(task.answer))
        assert judge_answer(", ".join(values), task.instruction, task.answer) is None
        assert judge_answer(backwards, task.instruction, task.answer) is not None
        anyhow = task.answer.model_copy(update={"ordered": False})
        assert backwards not in list(other_answers(anyhow))
        assert judge_answer(backwards, task.instruction, anyhow) is None


@pytest.mark.parametrize("unit", ["min", "kg", "°C", "MB", "EUR", None])
def test_other_answers_are_no_answers(unit: str | None) -> None:
    answer = ExpectedAnswer(kind="number", value=150.5, unit=unit)
    others = list(other_answers(answer))
    assert judge_answer("150.5", "How much?", answer) is None
    assert len(others) > 3 and all(judge_answer(other, "How much?", answer) for other in others)
