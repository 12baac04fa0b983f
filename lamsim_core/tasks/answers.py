"""What the closing message must say, and where an agent must have seen it."""

import random
from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue

from lamsim_core.feedback.grounding import common_number, holds, leaves, same_leaf, values_of
from lamsim_core.feedback.quantities import currencies_in, quantities_in
from lamsim_core.records import ExpectedAnswer
from lamsim_core.tasks.drawing import RedrawError
from lamsim_core.tasks.expressions import evaluate, names_in
from lamsim_core.tasks.template import Answer, Template

_LONGEST_SOURCE = 60
"""Values kept of one result."""


def expected_answer(
    template: Template, scope: Mapping[str, Any], results: Mapping[str, JsonValue]
) -> ExpectedAnswer | None:
    """The answer an instance expects, or None.

    Args:
        template: the template.
        scope: slots, results and world, for its expressions.
        results: results of the reference solution by their names.

    Raises:
        RedrawError: there is nothing to answer in this drawing.
        TaskTemplateError: the answer is not of the kind the template says.
    """
    expect = template.expect
    if expect.decline:
        return ExpectedAnswer(kind="decline")
    if expect.ask is not None:
        about, rivals = (
            [str(evaluate(word, scope)) for word in words] for words in (expect.ask.about, expect.ask.not_about)
        )
        return ExpectedAnswer(kind="ask", value=list(about), rivals=tuple(rivals))
    if expect.answer is None:
        return None
    answer = _value(template, expect.answer, scope)
    order = list(results)
    named = _source_names(expect.answer, results) or order[-1:]
    sources = [results[name] for name in named]
    seen = list(leaves(sources))
    direct = all(holds(seen, value) for value in values_of(answer))
    places = tuple(order.index(name) for name in named)
    groups = tuple(_distinct(sources, results))
    return answer.model_copy(update={"direct": direct, "sources": groups, "follows_from": places})


def closing_message(
    template: Template, scope: Mapping[str, Any], answer: ExpectedAnswer | None, rng: random.Random
) -> str:
    """What the reference solution says at the end."""
    shown: Any = None if answer is None else answer.value
    if isinstance(shown, list):
        shown = ", ".join(str(item) for item in shown)
    if answer is None:
        plain = "Done."
    elif answer.kind == "decline":
        plain = "I cannot do this: none of the offered tools fits."
    elif answer.kind == "ask":
        plain = f"I still need to know: {values_of(answer)[0]}?"
    else:
        plain = "{{ answer }}"
    return str(evaluate(rng.choice(template.close or [plain]), {**scope, "answer": shown}))


def with_unit(answer: ExpectedAnswer, template: Template, scope: Mapping[str, Any], instruction: str) -> ExpectedAnswer:
    """A number with the unit that the closing messages put behind it, whichever of them is used.

    A currency counts only when the request names it: a world of euros does not tell an agent so in every result.
    """
    value = answer.value
    if answer.kind != "number" or isinstance(value, bool) or not isinstance(value, int | float):
        return answer
    asked = currencies_in(instruction)
    said = [str(evaluate(close, {**scope, "answer": value})) for close in template.close]
    units = {
        unit
        for text in said
        for each in quantities_in(text)
        if abs(each.number - value) <= answer.tolerance
        for unit in each.units[:1]
        if not unit.is_currency or unit in asked
    }
    return answer.model_copy(update={"unit": units.pop().name}) if len(units) == 1 else answer


def _value(template: Template, answer: Answer, scope: Mapping[str, Any]) -> ExpectedAnswer:
    rivals = tuple(dict.fromkeys(str(item) for item in cast(list[JsonValue], evaluate(answer.rivals, scope) or [])))
    if answer.number is not None:
        value = evaluate(answer.number, scope)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise template.error(f"its answer should be a number and is {value!r}")
        return ExpectedAnswer(kind="number", value=round(value, 6), tolerance=answer.tolerance)
    if answer.text is not None:
        value = evaluate(answer.text, scope)
        if not isinstance(value, str) or not value.strip():
            raise RedrawError("the answer is empty")
        return ExpectedAnswer(kind="text", value=value, rivals=rivals)
    items = evaluate(answer.items, scope)
    if not isinstance(items, list) or not items:
        raise RedrawError("the answer is an empty list")
    numeric = all(isinstance(item, int | float) and not isinstance(item, bool) for item in items)
    return ExpectedAnswer(
        kind="list",
        value=[round(item, 6) if numeric else str(item) for item in items],
        tolerance=answer.tolerance,
        rivals=rivals,
        ordered=answer.ordered and len(items) > 1,
    )


def _source_names(answer: Answer, results: Mapping[str, JsonValue]) -> list[str]:
    """The results the answer's expression mentions."""
    expression = answer.number if answer.number is not None else answer.text or answer.items
    mentioned = names_in(expression) if isinstance(expression, str) else frozenset()
    return [name for name in results if name in mentioned]


def _distinct(sources: list[JsonValue], results: Mapping[str, JsonValue]) -> list[tuple[JsonValue, ...]]:
    """For each source the values that no other result holds and that do not stand for anything."""
    groups = []
    for source in sources:
        others = [leaf for result in results.values() if result is not source for leaf in leaves(result)]
        own = [
            leaf
            for leaf in leaves(source)
            if not common_number(leaf) and not any(same_leaf(leaf, other) for other in others)
        ]
        groups.append(tuple(dict.fromkeys(own))[:_LONGEST_SOURCE])
    return groups
