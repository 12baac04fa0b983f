"""How offered tools look: other names lead back to the same tools, and nothing else about a task changes."""

import random
from collections import Counter
from typing import Any

import pytest

from lamsim_core.agent.policy import GoldPolicy
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.feedback import Judge
from lamsim_core.records import Task, ToolCall
from lamsim_core.tasks import build_environment, get_template, instantiate
from lamsim_core.tasks.offer import MOST_TOOLS, Offered, draw_offer
from lamsim_core.tasks.variation import STYLES, draw_looks, plain_looks, vocabulary
from lamsim_core.tools import categories, get_category

BANK = get_category("banking")
ALL = [Offered(BANK, tool) for tool in BANK.tools.values()]


def varied(template: str) -> Task:
    """The first instance whose tools look otherwise."""
    return next(t for seed in range(200) if (t := instantiate(get_template(template), seed)).style != "plain")


@pytest.mark.parametrize("seed", range(60))
def test_every_look_keeps_what_a_tool_is(seed: int) -> None:
    looks = draw_looks(ALL, {"list_transactions": frozenset({"payee"})}, frozenset(), random.Random(seed))
    assert len({schema.name for schema in looks.schemas}) == len(ALL)
    for (_, tool), schema, binding in zip(ALL, looks.schemas, looks.bindings, strict=True):
        assert (binding.category, binding.tool) == ("banking", tool.name)
        own: Any = tool.schema.parameters
        seen: Any = schema.parameters
        assert set(binding.parameters) == set(seen["properties"])
        assert {binding.parameters[name] for name in seen["required"]} == set(own["required"])
        for name, described in seen["properties"].items():
            before, after = dict(own["properties"][binding.parameters[name]]), dict(described)
            assert after.pop("description") and before.pop("description")
            assert after == before, "only the words change, never what is valid"
    (payments,) = [b for b in looks.bindings if b.tool == "list_transactions"]
    assert "payee" in payments.parameters.values(), "what the solution gives is never left out"


def test_every_style_occurs_and_half_stay_as_they_are() -> None:
    styles = Counter(draw_looks(ALL, {}, frozenset(), random.Random(seed)).style for seed in range(400))
    assert set(styles) == set(STYLES)
    assert 150 < styles["plain"] < 250


def test_no_look_takes_the_name_of_another_tool() -> None:
    taken = {name.replace("_", "") for category in categories().values() for name in category.tools}
    for category in categories().values():
        offered = [Offered(category, tool) for tool in category.tools.values()]
        for seed in range(12):
            looks = draw_looks(offered, {}, frozenset(), random.Random(seed))
            for schema, binding in zip(looks.schemas, looks.bindings, strict=True):
                name = schema.name.rpartition(".")[2].replace("_", "").casefold()
                assert name == binding.tool.replace("_", "") or name not in taken, schema.name


def test_verdicts_and_refusals_speak_in_the_names_the_agent_saw() -> None:
    task = next(
        t
        for seed in range(300)
        if (t := instantiate(get_template("banking.freeze_card"), seed)).style != "plain"
        and {b.tool for b in t.bindings} >= {"list_cards", "freeze_card"}
        and {s.name for s in t.tools}.isdisjoint({"list_cards", "freeze_card"})
    )
    names = {binding.tool: schema.name for schema, binding in task.bound_tools}
    freeze = next(b for b in task.bindings if b.tool == "freeze_card")
    (parameter,) = freeze.parameters
    call = ToolCall(id="call_0", name=names["freeze_card"], arguments={parameter: "crd_0"}, raw="")
    content = build_environment(task).step(call).observation.content
    assert isinstance(content, dict) and f"Look it up with {names['list_cards']}." in str(content["error"])
    own = ToolCall(id="call_0", name="freeze_card", arguments={"card_id": "crd_0"}, raw="")
    environment = build_environment(task)
    observation = environment.step(own).observation
    assert observation.fault == "unknown_tool", "the tool's own name is unknown here"
    verdicts = Judge(task).action(own, "", observation, (), [])
    (failed,) = [v for v in verdicts if v.outcome == "fail"]
    assert failed.check == "tool_name" and names["freeze_card"] in str(failed.expected)


@pytest.mark.parametrize("template", ["banking.transfer", "shopping.swap", "calendar.invite_two"])
def test_looks_change_nothing_in_the_world(template: str) -> None:
    task = varied(template)
    *_, last = run_attempt(task, GoldPolicy(), run="r")
    assert isinstance(last, Ended) and last.trajectory.passed is True
    looks = plain_looks(
        [Offered(get_category(b.category), get_category(b.category).tools[b.tool]) for b in task.bindings]
    )
    behind = {schema.name: binding for schema, binding in task.bound_tools}
    gold = [
        call.model_copy(
            update={
                "name": behind[call.name].tool,
                "arguments": {behind[call.name].parameters[k]: v for k, v in call.arguments.items()},
            }
        )
        for call in task.gold
    ]
    plain = task.model_copy(
        update={"tools": looks.schemas, "bindings": looks.bindings, "gold": tuple(gold), "style": "plain"}
    )
    *_, other = run_attempt(plain, GoldPolicy(), run="r")
    assert isinstance(other, Ended) and other.trajectory.passed is True
    assert other.trajectory.steps[-1].state_after == last.trajectory.steps[-1].state_after


def test_words_are_one_for_one() -> None:
    known = vocabulary()
    for choices in (known.verbs, known.words):
        for word, others in choices.items():
            assert word not in others and len(set(others)) == len(others)


@pytest.mark.parametrize("template", ["banking.balance", "calendar.no_tool", "shopping.swap", "calendar.move"])
def test_offers(template: str) -> None:
    read = get_template(template)
    widths = set()
    for seed in range(60):
        offered = draw_offer(read, "train", random.Random(seed))
        names = [each.tool.name for each in offered]
        assert len(set(names)) == len(names) <= MOST_TOOLS
        assert set(read.needed_tools) <= set(names) and not set(read.never_offer) & set(names)
        owners = {each.category.name for each in offered}
        family = get_category(read.category).family
        assert all(get_category(owner).family != family for owner in owners - {read.category})
        if read.expect.decline:
            assert owners == {read.category} and len(names) >= 2
        widths.add((len(names) > len(read.needed_tools), bool(owners - {read.category})))
    assert (True, False) in widths
    assert read.expect.decline or (True, True) in widths
