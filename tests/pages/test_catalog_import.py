"""Catalog, Import: tools from elsewhere come in as data, can be tried, used in tasks of one's own, and removed."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.tasks import get_template, instantiate, load_templates
from lamsim_core.tools import every_category
from lamsim_core.tools.imported import import_openapi, imported_categories
from tests.pages.driving import open_page, texts
from tests.tools.imported.sources import PETS

PAGE = "8_Catalog.py"
TASK = """- id: pets.adopt
  say: ["Add a pet called {{ name }} to the shop, please.", "New pet: {{ name }}.", "We got {{ name }} today, so add it."]
  pick: {name: {choice: [Miso, Otto, Pebble, Kiwi, Bruno, Tofu, Luna, Juno, Pico, Suki]}}
  solve: [{call: pets_addPet, with: {name: "{{ name }}"}}]
  expect: {state: true}
"""


def import_text(app: AppTest, text: str, name: str = "pets", title: str = "Pet shop") -> AppTest:
    app.text_input(key="import_file.name").set_value(name)
    app.text_input(key="import_file.title").set_value(title)
    app.text_area(key="import_file.text").set_value(text)
    next(button for button in app.button if button.label == "Import the file").click()
    return app.run()


def test_a_file_is_imported_tried_and_removed(home: Settings) -> None:
    app = open_page(PAGE, view="Import")
    assert "Nothing yet." in texts(app)
    import_text(app, PETS)
    assert "5 tools imported" in app.success[0].value
    assert set(imported_categories(home).categories) == {"pets"}
    tools = open_page(PAGE, view="Tools")
    tools.selectbox(key="catalog_tools_category").set_value("pets").run()
    assert {"pets_listPets", "pets_addPet"} <= set(tools.dataframe[0].value["Tool"])
    assert all("imported" in kind for kind in tools.dataframe[0].value["Kind"])
    trial = open_page(PAGE, view="Tools", tool="pets.pets_addPet")
    (entry,) = [each for each in trial.text_input if each.key and each.key.endswith("-name")]
    entry.set_value("Miso")
    next(button for button in trial.button if button.label == "Call it").click().run()
    assert not trial.error and any("Miso" in str(table.value) for table in trial.dataframe)
    app = open_page(PAGE, view="Import")
    app.button(key="import_remove.pets").click().run()
    assert not imported_categories(home).categories
    assert set(open_page(PAGE, view="Categories").dataframe[0].value["Category"]) == {
        category.title for category in every_category().values()
    }


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("", "pets", "xpected"),
        ("not: [yaml", "pets", ""),
        (PETS, "banking", "banking"),
        (PETS, "../pets", "name"),
        (PETS.replace('{$ref: "#/components/schemas/NewPet"}', '{$ref: "http://127.0.0.1:9/x"}'), "pets", "http"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_a_sentence(home: Settings, text: str, name: str, told: str) -> None:
    app = import_text(open_page(PAGE, view="Import"), text, name)
    assert app.error and told in app.error[0].value.replace("\\", "")
    assert not app.success
    assert not list((home.home / "tools").glob("*.json"))


def test_a_damaged_file_is_told_and_can_be_lived_with(home: Settings) -> None:
    import_openapi(home, "pets", "Pet shop", PETS)
    path = home.home / "tools" / "pets.json"
    path.write_text(path.read_text().replace("Pet shop", "Pet shed"))
    app = open_page(PAGE, view="Import")
    assert "damaged" in app.error[0].value
    assert not open_page(PAGE, view="Tools").error


def test_a_task_of_ones_own_over_imported_tools(home: Settings) -> None:
    import_openapi(home, "pets", "Pet shop", PETS)
    app = open_page(PAGE, view="Task studio")
    app.text_area(key="studio_text").set_value(TASK).run()
    assert not app.error, app.error[0].value
    app.button(key="studio_save").click().run()
    assert "pets.adopt" in load_templates(home)
    task = instantiate(get_template("pets.adopt"), 0)
    shown = open_page(PAGE, view="Tasks", task="pets.adopt")
    assert task.instruction in texts(shown)
    simulate = open_page("1_Simulate.py", task="pets.adopt", seed="0")
    assert task.instruction in texts(simulate).replace("\\", "") and not simulate.error


def test_text_of_an_import_is_drawn_as_text(home: Settings) -> None:
    evil = "![x](http://127.0.0.1:9/a.png) <script>alert(1)</script> $x$"
    import_openapi(home, "pets", evil, PETS.replace("summary: List the pets.", f"summary: {json.dumps(evil)}"))
    for view, query in (("Import", {}), ("Categories", {}), ("Tools", {"tool": "pets.pets_listPets"})):
        app = open_page(PAGE, view=view, **query)
        assert not [
            element.value for element in (*app.markdown, *app.caption, *app.success) if "![x](" in element.value
        ]


@pytest.fixture
def server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.tools.imported.server", str(port)], cwd=REPOSITORY)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


def test_a_real_server_is_imported_recorded_and_replayed(home: Settings, server: str) -> None:
    app = open_page(PAGE, view="Import")
    app.text_input(key="import_server.name").set_value("bank")
    app.text_input(key="import_server.title").set_value("Bank")
    app.text_input(key="import_server.url").set_value(server)
    next(button for button in app.button if button.label == "Import from the server").click().run()
    assert not app.error and "imported" in app.success[0].value
    tool = open_page(PAGE, view="Tools", tool="bank.bank_get_rate")
    (entry,) = [each for each in tool.text_input if each.key and each.key.endswith("-currency")]
    entry.set_value("EUR")
    next(button for button in tool.button if button.label == "Call it").click().run()
    said = "".join(code.value for code in tool.code)
    assert "not recorded" in said
    tool.button(key="catalog_trial.bank.bank_get_rate.record").click().run()
    assert "not recorded" not in "".join(code.value for code in tool.code) and not tool.error
    assert "1 recorded call" in texts(open_page(PAGE, view="Import"))


def test_nothing_is_asked_elsewhere(home: Settings) -> None:
    app = open_page(PAGE, view="Import")
    app.text_input(key="import_server.name").set_value("bank")
    app.text_input(key="import_server.title").set_value("Bank")
    app.text_input(key="import_server.url").set_value("http://10.0.0.1/mcp")
    next(button for button in app.button if button.label == "Import from the server").click().run()
    assert "this machine only" in app.error[0].value
