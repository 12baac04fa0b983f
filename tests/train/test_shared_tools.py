"""Rows of one world show the same tools, and say with them what the attempts did."""

from collections import Counter
from functools import cache
from typing import Any

import pytest

from lamsim_core.records import ToolCall, Trajectory
from lamsim_core.tasks import build_environment, get_template, instantiate, templates_of
from lamsim_core.tasks.variation import Looks, draw_looks
from lamsim_core.tools import categories
from lamsim_core.train.rows import Row, to_row, tokenize_rows, tools_of
from lamsim_core.train.shared_tools import to_rows
from lamsim_core.train.together import families
from tests.curate.attempts import attempt, clumsy

CATEGORIES = ("banking", "calendar", "events", "files", "kitchen")


@cache
def world(category: str, seed: int = 4) -> tuple[Trajectory, ...]:
    """What the reference solution does in one world."""
    templates = [template for template in templates_of("train") if template.category == category]
    return tuple(attempt(instantiate(template, seed)) for template in templates)


def names(row: Row) -> tuple[str, ...]:
    return tuple(tool.name for tool in tools_of(row))


def calls(row: Row) -> list[list[tuple[str, dict[str, Any]]]]:
    return [
        [(call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]]
        for message in row["messages"]
        if message.get("tool_calls")
    ]


@pytest.mark.parametrize("category", CATEGORIES)
def test_rows_of_one_world_show_the_same_tools(category: str) -> None:
    attempts = world(category)
    rows = to_rows(attempts, share=6)
    assert [row["trajectory"] for row in rows] == [each.id for each in attempts]
    assert rows == to_rows(attempts, share=6), "drawn by the world, not by chance"
    shown = Counter(names(row) for row in rows)
    assert 1 < max(shown.values()) <= 6 and len(shown) < len(attempts)
    for row in rows:
        assert len(set(names(row))) == len(names(row)) <= 12
        same = [other for other in rows if names(other) == names(row)]
        assert all(other["tools"] == row["tools"] for other in same), "the same looks, too"
        if len(same) > 1:
            assert len({other["messages"][0]["content"] for other in same}) == 1, "and the same time"


@pytest.mark.parametrize("category", CATEGORIES)
def test_calls_mean_what_they_meant(category: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made again in the attempt's own world, by the tools that are shown, they have the same results."""
    drawn: list[Looks] = []

    def looks(*how: Any) -> Looks:
        drawn.append(draw_looks(*how))
        return drawn[-1]

    monkeypatch.setattr("lamsim_core.train.shared_tools.draw_looks", looks)
    rows = to_rows(world(category), share=6)
    renamed = 0
    for trajectory, row in zip(world(category), rows, strict=True):
        before = to_row(trajectory)
        spoken = [{**message, "tool_calls": None} for message in row["messages"]]
        assert spoken == [{**message, "tool_calls": None} for message in before["messages"]]
        shown = [each for each in drawn if [tool.openai() for tool in each.schemas] == row["tools"]]
        if not shown:
            assert row == before
            continue
        worlds = dict.fromkeys([*trajectory.task.worlds, *(binding.category for binding in shown[0].bindings)])
        task = trajectory.task.model_copy(
            update={"tools": shown[0].schemas, "bindings": shown[0].bindings, "worlds": tuple(worlds)}
        )
        environment = build_environment(task)
        told = [
            environment.step(ToolCall(id="x", name=name, arguments=given, raw="")).observation.content
            for turn in calls(row)
            for name, given in turn
        ]
        assert told == [step.told.content for step in trajectory.steps if step.told is not None]
        renamed += calls(row) != calls(before)
    assert renamed


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_call_fits_a_tool_that_is_shown(category: str) -> None:
    for row in to_rows(world(category), spare_tools=1, share=8):
        offered = {tool.name: tool.parameters for tool in tools_of(row)}
        for name, given in (call for turn in calls(row) for call in turn):
            properties = offered[name]["properties"]
            assert isinstance(properties, dict)
            assert given.keys() <= properties.keys()
            assert set(offered[name].get("required") or ()) <= given.keys()  # type: ignore[arg-type]


@pytest.mark.parametrize("category", CATEGORIES)
def test_what_must_be_declined_is_never_shown_a_tool_that_could_do_it(category: str) -> None:
    behind = {
        tool.schema.description: (name, tool.name) for name, c in categories().items() for tool in c.tools.values()
    }
    idle = 0
    for seed in (3, 4, 5):
        for trajectory, row in zip(world(category, seed), to_rows(world(category, seed), share=8), strict=True):
            template = get_template(trajectory.task.template)
            if not (template.expect.decline or template.expect.ask):
                continue
            idle += 1
            shown = [behind[tool.description] for tool in tools_of(row) if tool.description in behind]
            assert not {tool for home, tool in shown if home in template.categories} & {*template.never_offer}
            assert len(row["tools"]) >= 2
            own = {binding.category for _, binding in trajectory.task.bound_tools}
            assert {home for home, _ in shown} <= {*template.categories, *own}
    assert idle


def test_an_attempt_in_which_something_went_wrong_keeps_its_tools() -> None:
    wrong = clumsy(world("calendar")[0].task)
    rows = to_rows([*world("calendar"), wrong], share=8)
    assert rows[-1] == to_row(wrong)


def test_training_finds_the_families(tokenizer: Any) -> None:
    rows = [row for seed in (4, 5) for row in to_rows(world("kitchen", seed), share=6)]
    made = tokenize_rows(tokenizer, rows, 8192).rows
    found = families(made)
    told = [(names(row), row["messages"][0]["content"]) for row in rows]
    assert len(set(found)) == len(set(told)) < len(rows)
    assert len(set(zip(found, told, strict=True))) == len(set(found))
