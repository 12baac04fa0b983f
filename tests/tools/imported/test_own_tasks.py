"""Tasks of one's own over imported tools: the tools look as their source made them, and what is imported decides."""

import json

from lamsim_core.settings import Settings
from lamsim_core.tasks import build_environment, instantiate, load_templates
from lamsim_core.tasks.library import own_templates, parse_own, save_own
from lamsim_core.tasks.variation import PLAIN
from lamsim_core.tools import every_category
from lamsim_core.tools.imported import import_openapi, remove_import

TASK = """- id: shop.pay
  say: ["Pay with card {{ card }}, please.", "Use card {{ card }} to pay.", "Card {{ card }}: make the payment."]
  pick: {card: {choice: [A11, B22, C33, D44, E55, F66]}}
  solve: [{call: shop_pay, with: {card_number: "{{ card }}", billing_name: "{{ card }}"}}]
  expect: {state: true}
"""
LONG = "look_" + "x" * 54
TOOLS = [
    {
        "name": "pay",
        "description": "Pay.",
        "mutates": True,
        "parameters": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ("card_number", "billing_name", "note")},
            "required": ["card_number"],
            "dependentRequired": {"card_number": ["billing_name"]},
        },
    },
    {"name": LONG, "description": "Find it.", "parameters": {"type": "object", "properties": {}}},
]


def test_imported_tools_look_as_their_source_made_them(home: Settings) -> None:
    """A schema may name its parameters in other places too, and a name may be as long as names get."""
    import_openapi(home, "shop", "Shop", json.dumps(TOOLS))
    schemas = {name: tool.schema for each in every_category().values() for name, tool in each.tools.items()}
    template = parse_own(home, TASK)
    for seed in range(30):
        task = instantiate(template, seed)
        assert task.style == PLAIN
        assert all(tool == schemas[tool.name] for tool in task.tools)
        assert build_environment(task).tools.keys() == {tool.name for tool in task.tools}


def test_a_task_goes_and_comes_with_what_it_needs(home: Settings) -> None:
    import_openapi(home, "shop", "Shop", json.dumps(TOOLS))
    save_own(home, TASK)
    assert "shop.pay" in load_templates(home)
    remove_import(home, "shop")
    (own,) = own_templates(home)
    assert own.template is None and "no category named 'shop'" in str(own.problem)
    import_openapi(home, "shop", "Shop", json.dumps(TOOLS[1:]))
    (own,) = own_templates(home)
    assert own.template is None and "shop_pay" in str(own.problem)
    remove_import(home, "shop")
    import_openapi(home, "shop", "Shop", json.dumps(TOOLS))
    assert "shop.pay" in load_templates(home)


def test_imported_tools_are_never_lent(home: Settings) -> None:
    templates = [template for template in load_templates(home).values() if template.category == "calendar"][:4]
    before = [[tool.name for tool in instantiate(each, seed).tools] for each in templates for seed in range(8)]
    import_openapi(home, "shop", "Shop", json.dumps(TOOLS))
    assert before == [[tool.name for tool in instantiate(each, seed).tools] for each in templates for seed in range(8)]
