"""Catalog: everything there is can be found, opened and tried."""

from pathlib import Path
from typing import Any

import pytest

from lamsim_core.canonical import new_id, now
from lamsim_core.feedback import action_checks, final_checks
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.folder import STATUS, job_folder, write_record
from lamsim_core.jobs.job import Job, JobStatus
from lamsim_core.models import registry
from lamsim_core.models.registry import list_models
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.tasks import instantiate, load_templates
from lamsim_core.tools import categories
from lamsim_core.ui.catalog import fits
from tests.models.endpoint_told import Told
from tests.models.test_registry import make_adapter
from tests.pages.driving import open_page, texts
from tests.pages.standing import standing_adapter, standing_dataset, standing_evaluation, standing_job

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
    app.session_state["catalog_tool_tabs.calendar.find_events"] = "Schema"
    app.run()
    assert any('"title"' in tree.value for tree in app.json)
    assert "There is no tool named" in texts(open_page(PAGE, view="Tools", tool="calendar.nothing")).replace("\\", "")


def test_every_kind_of_task_is_listed(home: Settings) -> None:
    app = open_page(PAGE, view="Tasks")
    table = app.dataframe[0].value
    assert len(table) == len(load_templates(home))
    app.text_input(key="catalog_tasks").set_value("reschedule_event").run()
    assert set(app.dataframe[0].value["Task"]) == {"Move"}
    app.text_input(key="catalog_tasks").set_value("").run()
    app.selectbox(key="catalog_tasks_category").set_value("banking").run()
    assert len(app.dataframe[0].value) == len([t for t in load_templates(home).values() if "banking" in t.categories])


def test_every_category_is_listed_and_leads_to_its_tools(home: Settings) -> None:
    app = open_page(PAGE, view="Categories")
    assert list(app.dataframe[0].value["Category"]) == [category.title for category in categories().values()]
    app.session_state["view"] = "Tools"
    app.session_state["catalog_tools_category"] = "banking"
    app.run()
    assert set(app.dataframe[0].value["Tool"]) == set(categories()["banking"].tools)


def one_of_each_kind() -> list[str]:
    """For each category and each kind, the first template."""
    first: dict[object, str] = {}
    for name, template in load_templates().items():
        for trait in (template.category, *template.kinds):
            first.setdefault(trait, name)
    return sorted(set(first.values()))


@pytest.mark.parametrize("template", one_of_each_kind())
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


def test_the_reference_solution_is_run_step_by_step(home: Settings) -> None:
    app = open_page(PAGE, view="Tasks", task="calendar.move")
    app.session_state["catalog_tabs.calendar.move"] = "Solved step by step"
    app.run()
    task = instantiate(load_templates(home)["calendar.move"], 0)
    place = f"catalog_gold.calendar.move.{task.key}"
    assert "Step 0 of 3" in texts(app) and task.gold[0].name not in "".join(code.value for code in app.code)
    app.button(key=f"{place}.Next step").click().run()
    assert "Step 1 of 3" in texts(app) and task.gold[0].name in "".join(code.value for code in app.code)
    app.button(key=f"{place}.To the end").click().run()
    assert "What decides" in texts(app) and app.button(key=f"{place}.Next step").disabled
    app.button(key=f"{place}.Back").click().run()
    assert "What decides" not in texts(app)


def test_a_tool_is_tried_on_a_world_and_shows_what_changed(home: Settings) -> None:
    app = open_page(PAGE, view="Tools", tool="banking.freeze_card")
    card = next(row for row in categories()["banking"].world(0).rows("cards") if not row["frozen"])
    for given, told in (("crd_0", "no card with the id"), (str(card["id"]), "→ true")):
        (entry,) = [each for each in app.text_input if each.key and each.key.endswith("card_id")]
        entry.set_value(given)
        call = next(button for button in app.button if button.label == "Call it")
        call.click().run()
        seen = texts(app) + "".join(code.value for code in app.code)
        changed = any("Change" in table.value for table in app.dataframe)
        assert changed == (given != "crd_0")
        assert changed or told in seen
    app.button(key="catalog_trial.banking.freeze_card.again").click().run()
    assert not any("Change" in table.value for table in app.dataframe)


def test_a_task_is_written_tried_saved_and_deleted(home: Settings) -> None:
    app = open_page(PAGE, view="Task studio")
    assert {metric.label: metric.value for metric in app.metric}["Reference solution passes"] == "5 of 5"
    app.button(key="studio_save").click().run()
    assert (home.tasks / "calendar.my_first_task.yaml").is_file()
    assert "calendar.my_first_task" in load_templates(home)
    app = open_page(PAGE, view="Tasks", task="calendar.my_first_task")
    assert "My first task" in texts(app)
    app = open_page(PAGE, view="Task studio")
    app.button(key="own_delete.calendar.my_first_task").click().run()
    assert "calendar.my_first_task" not in load_templates(home)


@pytest.mark.parametrize(
    ("edit", "told", "line"),
    [
        (("find_events", "find_event"), "Did you mean 'find_events'", "Line 10"),
        (("{{ found[0].place }}", "{{ founds[0].place }}"), "founds", "Line 12"),
        (("from: events", "from: nothing"), "o table 'nothing'", "Line 8"),
        (("  say:", "  says:"), "say", "Line 1"),
        (("close: [", "close: ["), "", ""),
        (("{{ found[0].place }}", "{{ event.title }}"), "gives the answer away", ""),
        (("- id: calendar.", "- id: nowhere."), "o category named", "Line 1"),
        (("expect:", "expect: ["), "ot YAML", "Line"),
    ],
)
def test_mistakes_in_a_task_are_told_with_their_line(
    home: Settings, edit: tuple[str, str], told: str, line: str
) -> None:
    app = open_page(PAGE, view="Task studio")
    text = app.text_area(key="studio_text").value or ""
    app.text_area(key="studio_text").set_value(text.replace(*edit)).run()
    shown = texts(app).replace("\\", "")
    assert bool(app.error) == bool(told)
    assert told in shown and line in shown
    if told:
        app.button(key="studio_save").click().run()
        assert not home.tasks.exists() or not list(home.tasks.iterdir())


def test_a_shipped_task_is_a_start_for_one_of_ones_own(home: Settings) -> None:
    app = open_page(PAGE, view="Tasks", task="banking.freeze_card")
    app.button(key="catalog_edit.banking.freeze_card").click().run()
    assert (app.text_area(key="studio_text").value or "").startswith("- id: banking.freeze_card_mine\n")
    assert not app.error


def test_models_say_whether_they_can_be_used_and_why_not(home: Settings) -> None:
    adapter = standing_adapter(home, standing_dataset(home, tasks=2))
    app = open_page(PAGE, view="Models")
    assert len(app.subheader) == len(list_models(home))
    assert any(adapter.name in heading.value.replace("\\", "") for heading in app.subheader)
    missing = [entry for entry in list_models(home) if entry.why_not]
    assert len([c for c in app.caption if "weights are not on this machine" in c.value]) == len(missing)


def test_an_adapter_says_where_it_comes_from_and_what_it_was_measured_at(home: Settings) -> None:
    adapter = standing_adapter(home, standing_dataset(home, tasks=2))
    app = open_page(PAGE, view="Models")
    assert {"Try it on Simulate"} <= {link.label for link in app.get("page_link")}
    app.session_state[f"details.{adapter.id}"] = True
    app.run()
    assert {"Its dataset", "Evaluate it"} <= {link.label for link in app.get("page_link")}
    evaluation = standing_evaluation(home)
    rows = [
        row.model_copy(update={"policy": row.policy.model_copy(update={"adapter": adapter.id})})
        if row.policy.name == adapter.name
        else row
        for row in evaluation.rows
    ]
    open_store(home).add(evaluation.model_copy(update={"id": new_id("evl"), "rows": tuple(rows)}))
    app.run()
    said = texts(app).replace("\\", "")
    assert "55.0 % passed (45.0 % to 65.0 %)" in said and "of 40 attempts · smollm2-135m 10.0 % · p = 4e-05" in said


def test_an_adapter_is_deleted_and_merged_from_its_place(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = standing_adapter(home, standing_dataset(home, tasks=2))
    started: list[dict[str, Any]] = []

    def start(settings: Settings, kind: str, params: dict[str, Any], *, label: str, request_id: str) -> Job:
        started.append({"kind": kind, **params})
        return standing_job(settings, kind, "running", params=params, label=label)

    with monkeypatch.context() as patched:
        patched.setattr(supervisor, "start", start)
        app = open_page(PAGE, view="Models")
        app.button(key=f"merge.{adapter.id}").click().run()
        assert not app.exception and started == [{"kind": "merge", "model": adapter.id}]
    assert app.button(key=f"merge.{adapter.id}").disabled
    app.button(key=f"delete.{adapter.id}").click().run()
    assert "is being used by the job" in texts(app) and (home.adapters / adapter.id).is_dir()
    ((job, _),) = supervisor.list_jobs(home, "merge")
    result = {"folder": "/somewhere/mine-1-bf16", "bytes": 270e6, "same": 1.0, "farthest": 0.004}
    write_record(job_folder(home, job.id) / STATUS, JobStatus(state="done", updated=now(), result=result))
    app = open_page(PAGE, view="Models", job=job.id)
    assert "no chance of a token differs by more than 0.004" in texts(app) and "/somewhere/mine-1-bf16" in texts(app)
    app.button(key=f"delete.{adapter.id}").click().run()
    assert not (home.adapters / adapter.id).exists() and not app.exception
    assert not [button for button in app.button if adapter.id in str(button.key)]


def test_what_came_with_the_product_stands_first_and_is_never_deleted(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "shipped_folder", lambda settings: tmp_path / "models")
    adapter = make_adapter("ours", base="smollm2-135m")
    (tmp_path / "models" / "ours").mkdir(parents=True)
    (tmp_path / "models" / "ours" / "adapter.json").write_text(adapter.model_dump_json(), encoding="utf-8")
    (tmp_path / "models" / "ours" / "DATASET.md").write_text("# What it learned from <b>", encoding="utf-8")
    app = open_page(PAGE, view="Models")
    assert [heading.value.replace("\\", "") for heading in app.subheader][:2] == [
        "SmolLM2 135M Instruct",
        "ours (adapter of smollm2-135m)",
    ]
    keys = {str(button.key) for button in app.button}
    assert f"merge.{adapter.id}" in keys and f"delete.{adapter.id}" not in keys
    app.session_state[f"details.{adapter.id}"] = True
    app.run()
    assert "# What it learned from <b>" in [code.value for code in app.code]


def test_a_server_is_asked_whether_it_is_there(home: Settings, server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE_KEY", "sk-on-no-page-0123456789")
    home.home.mkdir(parents=True)
    entry = "- name: {}\n  base_url: {}\n  model: m\n  key_env: MINE_KEY\n"
    home.endpoints_file.write_text(
        entry.format("here", server.base_url) + entry.format("gone", "http://127.0.0.1:9/v1")
    )
    app = open_page(PAGE, view="Models")
    captions = [caption.value for caption in app.caption]
    assert not app.exception and "here" in [heading.value for heading in app.subheader]
    assert len([caption for caption in captions if "nothing could be reached there" in caption]) == 1
    assert "sk-on-no-page" not in texts(app) + str(captions)


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
