"""Catalog: everything there is can be found, opened and tried."""

import pytest

from lamsim_core.feedback import action_checks, final_checks
from lamsim_core.models.registry import list_models
from lamsim_core.settings import Settings
from lamsim_core.tasks import instantiate, load_templates
from lamsim_core.tools import categories
from lamsim_core.ui.catalog import fits
from tests.pages.driving import open_page, texts
from tests.pages.standing import standing_adapter, standing_dataset

PAGE = "8_Catalog.py"


def test_every_tool_is_listed(home: Settings) -> None:
    (table,) = open_page(PAGE, view="Tools").dataframe
    assert set(table.value["Tool"]) == {name for category in categories().values() for name in category.tools}


def test_a_search_narrows_the_tools(home: Settings) -> None:
    app = open_page(PAGE, view="Tools")
    app.text_input(key="catalog_tools").set_value("cancel calendar").run()
    assert list(app.dataframe[0].value["Tool"]) == ["cancel_event"]


def test_a_tool_is_opened_by_its_address(home: Settings) -> None:
    app = open_page(PAGE, view="Tools", tool="calendar.find_events")
    assert [heading.value for heading in app.subheader] == ["find\\_events"]
    assert any('"title"' in code.value for code in app.code)
    assert "There is no tool named" in texts(open_page(PAGE, view="Tools", tool="calendar.nothing")).replace("\\", "")


def test_every_kind_of_task_is_listed(home: Settings) -> None:
    app = open_page(PAGE, view="Tasks")
    table = app.dataframe[0].value
    assert len(table) == len(load_templates(home))
    app.text_input(key="catalog_tasks").set_value("reschedule").run()
    assert set(app.dataframe[0].value["Task"]) == {"Move"}


@pytest.mark.parametrize("template", sorted(load_templates()))
def test_every_task_shows_an_instance(home: Settings, template: str) -> None:
    app = open_page(PAGE, view="Tasks", task=template)
    task = instantiate(load_templates(home)[template], 0)
    assert task.instruction in texts(app)
    assert all(call.name in "".join(code.value for code in app.code) for call in task.gold)


def test_another_seed_is_another_instance_and_may_be_held_out(home: Settings) -> None:
    app = open_page(PAGE, view="Tasks", task="calendar.move")
    app.number_input(key="catalog_seed.calendar.move").set_value(100_000).run()
    assert instantiate(load_templates(home)["calendar.move"], 100_000).instruction in texts(app)
    assert "Unseen instances" in texts(app)


def test_how_a_task_is_written_and_its_verification(home: Settings) -> None:
    app = open_page(PAGE, view="Tasks", task="calendar.move")
    app.session_state["catalog_tabs.calendar.move"] = "How it is written"
    app.run()
    assert any("{{ event.title }}" in code.value for code in app.code)
    app.session_state["catalog_tabs.calendar.move"] = "Verification"
    app.run()
    app.button(key="catalog_verify.calendar.move").click().run()
    assert {metric.label: metric.value for metric in app.metric}["Reference solution passes"] == "5 of 5"
    assert "It keeps every contract." in [success.value for success in app.success]


def test_models_say_whether_they_can_be_used_and_why_not(home: Settings) -> None:
    adapter = standing_adapter(home, standing_dataset(home, tasks=2))
    app = open_page(PAGE, view="Models")
    assert len(app.subheader) == len(list_models(home))
    assert any(adapter.name in heading.value.replace("\\", "") for heading in app.subheader)
    missing = [entry for entry in list_models(home) if entry.why_not]
    assert len([c for c in app.caption if "weights are not on this machine" in c.value]) == len(missing)


def test_every_check_is_listed_with_its_role(home: Settings) -> None:
    actions, finals = open_page(PAGE, view="Checks").dataframe
    assert list(actions.value["Check"]) == list(action_checks())
    assert list(finals.value["Check"]) == list(final_checks())
    assert [["gate"] if check.gate else ["diagnosis"] for check in action_checks().values()] == list(
        actions.value["Role"]
    )


def test_every_word_of_a_search_must_be_found() -> None:
    assert fits("", "anything")
    assert fits("find event", "find_events", "Find events whose title ...")
    assert not fits("find flight", "find_events", "Find events whose title ...")
