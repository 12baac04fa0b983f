"""What must be unseen is unseen: no tool, template, wording or value of content that is held out leaks into training."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lamsim_core.feedback.phrases import names, normalise
from lamsim_core.records import Task
from lamsim_core.tasks import SPLITS, instantiate, load_templates, plan_tasks, split_of, templates_of
from lamsim_core.tasks.instance import wordings_for
from lamsim_core.tasks.splits import seed_range
from lamsim_core.tasks.variation import STYLES
from lamsim_core.tools import Category, categories
from lamsim_core.tools.held_out import content_for, held_out_entries, held_out_tool, split_rules

TEMPLATES = load_templates()
TRAINED = [name for name, template in TEMPLATES.items() if split_of(template, 0) == "train"]
FIRST_HELD_OUT = split_rules().train_seeds


@pytest.fixture(scope="module")
def train() -> list[Task]:
    """Four instances of every template that is trained on."""
    return plan_tasks("train", 4 * len(TRAINED), seed=11)


def letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())


def test_rules_name_what_there_is() -> None:
    rules = split_rules()
    assert len(rules.held_out_categories) >= 5 and rules.held_out_categories <= set(categories())
    for name in rules.held_out_tools:
        category, _, tool = name.partition(".")
        assert category not in rules.held_out_categories
        assert tool in categories()[category].tools
        assert [t for t in templates_of("unseen_tools") if tool in t.needed_tools], f"no task needs {name}"


def test_no_held_out_tool_or_category_is_offered_in_training(train: list[Task]) -> None:
    hidden = split_rules().held_out_categories
    names = {letters(name): c.name for c in categories().values() for name in c.tools if held_out_tool(c.name, name)}
    names |= {letters(name): c for c in hidden for name in categories()[c].tools}
    for task in [*train, *plan_tasks("unseen_instances", len(TRAINED))]:
        assert not hidden & {*task.worlds, *(binding.category for _, binding in task.bound_tools)}
        for schema, binding in task.bound_tools:
            assert not held_out_tool(binding.category, binding.tool)
            assert letters(schema.name.rpartition(".")[2]) not in names, f"{schema.name} is the name of a held-out tool"
        for table in task.goal:
            assert table.table


def test_held_out_tasks_need_what_was_never_offered(train: list[Task]) -> None:
    trained = {f"{binding.category}.{binding.tool}" for task in train for _, binding in task.bound_tools}
    for split in ("unseen_tools", "unseen_categories"):
        for task in plan_tasks(split, 2 * len(templates_of(split))):
            behind = {schema.name: f"{b.category}.{b.tool}" for schema, b in task.bound_tools}
            needed = {behind[call.name] for call in task.gold} or set(behind.values())
            assert needed - trained, f"{task.id} needs only tools seen in training"


def test_no_template_of_another_split_is_trained_on() -> None:
    by_split = {split: {t.id for t in templates_of(split)} for split in SPLITS}
    assert by_split["train"] == by_split["unseen_instances"]
    assert by_split["unseen_tools"] and by_split["unseen_categories"]
    for split in ("unseen_tools", "unseen_categories"):
        assert by_split["train"].isdisjoint(by_split[split])
    assert by_split["unseen_tools"].isdisjoint(by_split["unseen_categories"])


def test_no_instance_is_in_two_splits(train: list[Task]) -> None:
    unseen = plan_tasks("unseen_instances", 2 * len(TRAINED))
    assert {task.key for task in train}.isdisjoint(task.key for task in unseen)
    assert {task.seed for task in train}.isdisjoint(task.seed for task in unseen)


def test_the_last_wording_is_never_used_in_training() -> None:
    for name in TRAINED:
        template = TEMPLATES[name]
        assert wordings_for(template, 0) == template.say[:-1] and len(template.say) >= 5, name
        assert template.say[-1] in wordings_for(template, FIRST_HELD_OUT)
        assert template.say[-1] not in template.say[:-1]


@pytest.mark.parametrize("category", categories().values(), ids=lambda c: c.name)
def test_held_out_content_is_in_no_training_world(category: Category) -> None:
    hidden = secret_values(category)
    assert len(hidden) >= 2, f"{category.name} holds nothing of its content out"
    for seed in range(25):
        found = hidden & set(world_texts(category, seed))
        assert not found, f"seed {seed}: {sorted(found)[:3]}"
    held = [text for seed in range(FIRST_HELD_OUT, FIRST_HELD_OUT + 40) for text in world_texts(category, seed)]
    assert hidden & set(held), "held-out worlds never show what is held out"


def test_held_out_content_is_in_no_training_task(train: list[Task]) -> None:
    """Names and phrases that no category trains on; a single word in lower case may be part of any sentence."""
    trained = {text for category in categories().values() for text in texts(content_for(category.content, 0))}
    hidden = {
        name: [value for value in secret_values(category) - trained if " " in value or not value.islower()]
        for name, category in categories().items()
    }
    assert sum(len(values) for values in hidden.values()) > 200
    for task in train:
        said = normalise(f"{task.instruction}\n{task.closing}")
        for category in task.worlds:
            for value in hidden[category]:
                assert normalise(value) not in said or not names(said, value), (task.id, value)


def secret_values(category: Category) -> set[str]:
    """Texts of held-out entries that no entry of training holds: names, titles; short words may be anywhere."""
    known = set(texts(content_for(category.content, 0)))
    return {text for entry in held_out_entries(category.content) for text in texts(entry) if len(text) > 4} - known


def world_texts(category: Category, seed: int) -> Iterator[str]:
    world = category.world(seed)
    for table in world.tables:
        for row in world.rows(table):
            yield from texts(dict(row))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def test_every_template_belongs_to_one_split_for_a_seed() -> None:
    assert set(seed_range("train")).isdisjoint(seed_range("unseen_instances"))
    for template in TEMPLATES.values():
        for split in SPLITS:
            assert split_of(template, seed_range(split)[0]) in SPLITS


def test_looks_vary_and_lead_back_to_the_tools() -> None:
    tasks = plan_tasks("train", 2 * len(TRAINED), seed=5)
    assert {task.style for task in tasks} == set(STYLES)
    for task in tasks:
        for schema, binding in task.bound_tools:
            own = categories()[binding.category].tools[binding.tool].schema
            properties: Any = own.parameters["properties"]
            required: Any = own.parameters["required"]
            offered: Any = schema.parameters["properties"]
            assert set(binding.parameters) == set(offered)
            assert set(required) <= set(binding.parameters.values()) <= set(properties)
            if task.style == "plain":
                assert schema == own


def test_the_same_seed_gives_the_same_looks() -> None:
    template = TEMPLATES[TRAINED[0]]
    assert [instantiate(template, seed) for seed in range(8)] == [instantiate(template, seed) for seed in range(8)]
