"""Catalog, Import: tools from elsewhere come in as data, can be tried, used in tasks of one's own, and removed."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.explore.live import get_live
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.tasks import get_template, instantiate, load_templates
from lamsim_core.tools import categories, every_category
from lamsim_core.tools.imported import import_openapi, imported_categories
from lamsim_core.tools.imported.limits import MAX_TEXT_BYTES
from tests.pages.driving import open_page, texts
from tests.tools.imported.sources import PETS, of

PAGE = "8_Catalog.py"
TASK = """- id: pets.adopt
  say: ["Add a pet called {{ name }} to the shop, please.", "New pet: {{ name }}.", "We got {{ name }} today, so add it."]
  pick: {name: {choice: [Miso, Otto, Pebble, Kiwi, Bruno, Tofu, Luna, Juno, Pico, Suki]}}
  solve: [{call: pets_addPet, with: {name: "{{ name }}"}}]
  expect: {state: true}
"""
EVIL = "![x](http://127.0.0.1:9/a.png) <b>b</b> [y](http://127.0.0.1:9) $x$"
EVIL_LONG = f"{EVIL} :red[z] **bold** https://evil.test/auto \u202e"


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


def fill_file_form(app: AppTest, text: str, name: str = "pets", title: str = "Pet shop") -> AppTest:
    app.text_input(key="import_file.name").set_value(name)
    app.text_input(key="import_file.title").set_value(title)
    app.text_area(key="import_file.text").set_value(text)
    return app


def import_text(app: AppTest, text: str, name: str = "pets", title: str = "Pet shop") -> AppTest:
    return press(fill_file_form(app, text, name, title), "Import the file")


def import_server(app: AppTest, url: str) -> AppTest:
    app.text_input(key="import_server.name").set_value("bank")
    app.text_input(key="import_server.title").set_value("Bank")
    app.text_input(key="import_server.url").set_value(url)
    return press(app, "Import from the server")


def call(app: AppTest, **arguments: str) -> AppTest:
    """Fill the form of a tool and call it."""
    for name, value in arguments.items():
        (entry,) = [each for each in app.text_input if each.key and each.key.endswith(f"-{name}")]
        entry.set_value(value)
    return press(app, "Call it")


def codes(app: AppTest) -> str:
    return "".join(code.value for code in app.code)


def plain(app: AppTest) -> str:
    return texts(app).replace("\\", "").replace("\u2060", "")


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.home / "tools").glob("*.json"))


def test_a_file_is_imported_tried_and_removed(home: Settings) -> None:
    app = open_page(PAGE, view="Import")
    assert "Nothing yet." in texts(app)
    app.text_input(key="import_file.name").set_value("pets")
    app.text_input(key="import_file.title").set_value("Pet shop")
    app.file_uploader[0].upload("pets.yaml", PETS.encode())
    press(app, "Import the file")
    assert "5 tools imported, 3 of them change data" in app.success[0].value
    result = app.dataframe[0].value
    assert {tool: kind[0] for tool, kind in zip(result["Tool"], result["Kind"], strict=True)} == {
        "pets_listPets": "reads",
        "pets_addPet": "changes",
        "pets_get_pets_id": "reads",
        "pets_replacePet": "changes",
        "pets_removePet": "changes",
    }
    assert not app.text_input(key="import_file.name").value, "the form is empty again"
    assert "OpenAPI description" in plain(app) and "3 change data" in plain(app)
    assert set(imported_categories(home).categories) == {"pets"}
    trial = open_page(PAGE, view="Tools", tool="pets.pets_addPet")
    call(trial, name="Miso")
    assert not trial.error and any("Miso" in str(table.value) for table in trial.dataframe)
    app = open_page(PAGE, view="Import")
    app.button(key="import_remove.pets").click().run()
    assert not app.exception and not app.error and "Nothing yet." in texts(app)
    assert not files(home)


def test_imports_are_found_among_the_others_and_marked(home: Settings) -> None:
    import_openapi(home, "pets", "Banking", PETS)
    app = open_page(PAGE, view="Categories")
    table = app.dataframe[0].value
    assert list(table["Category"]) == [category.title for category in every_category().values()]
    assert [list(kind) for kind in table["For"]].count(["imported"]) == 1
    tools = open_page(PAGE, view="Tools")
    choice = tools.selectbox(key="catalog_tools_category")
    assert "Banking" in choice.options and "Banking (pets)" in choice.options, "no two options read the same"
    choice.set_value("pets").run()
    assert len(tools.dataframe[0].value) == 5
    assert all("imported" in kind for kind in tools.dataframe[0].value["Kind"])
    tools.text_input(key="catalog_tools").set_value("removepet").run()
    assert list(tools.dataframe[0].value["Tool"]) == ["pets_removePet"]
    assert "pets" not in categories()
    one = open_page(PAGE, view="Tools", tool="pets.pets_listPets")
    assert "imported" in texts(one)


def test_the_same_call_is_answered_the_same_from_its_world(home: Settings) -> None:
    import_openapi(home, "pets", "Pet shop", PETS)
    seen = []
    for _ in range(2):
        app = open_page(PAGE, view="Tools", tool="pets.pets_get_pets_id")
        next(each for each in app.number_input if each.key and each.key.endswith("-petId")).set_value(7)
        press(app, "Call it")
        seen.append(codes(app))
    assert seen[0] == seen[1] and '"petId": 7' in seen[0] and '"id": 7' in seen[0]
    assert "Record it" not in [button.label for button in app.button]


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("", "pets", "Expected a file or pasted text, got neither"),
        ("not: [yaml", "pets", "xpected"),
        ("just a sentence", "pets", "xpected"),
        ("[]", "pets", "at least one tool"),
        (PETS, "", "2 to 31"),
        (PETS, "banking", "banking"),
        (PETS, "../pets", "2 to 31"),
        (PETS.replace('{$ref: "#/components/schemas/NewPet"}', '{$ref: "http://127.0.0.1:9/x"}'), "pets", "http"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_a_sentence(home: Settings, text: str, name: str, told: str) -> None:
    app = import_text(open_page(PAGE, view="Import"), text, name)
    (error,) = app.error
    assert told in error.value.replace("\\", "").replace("\u2060", "")
    assert not app.success and not files(home)
    assert app.text_area(key="import_file.text").value == text, "what was entered stays"


@pytest.mark.parametrize(
    ("content", "pasted", "told"),
    [
        (PETS.encode(), PETS, "got both"),
        (b"\xff\xfe\x00", "", "UTF-8"),
        (b"[" + b" " * MAX_TEXT_BYTES + b"]", "", "at most 4,000,000 bytes"),
    ],
)
def test_files_that_are_refused(home: Settings, content: bytes, pasted: str, told: str) -> None:
    app = fill_file_form(open_page(PAGE, view="Import"), pasted)
    app.file_uploader[0].upload("pets.json", content)
    press(app, "Import the file")
    assert told in app.error[0].value.replace("\\", "") and not files(home)


def test_a_name_is_used_once(home: Settings) -> None:
    app = import_text(open_page(PAGE, view="Import"), PETS)
    import_text(app, PETS)
    assert "already" in app.error[0].value and files(home) == ["pets.json"]


def test_a_damaged_file_is_told_and_removed(home: Settings) -> None:
    import_openapi(home, "pets", "Pet shop", PETS)
    import_openapi(home, "farm", "Farm", PETS)
    path = home.home / "tools" / "pets.json"
    path.write_text(path.read_text().replace("Pet shop", "Pet shed"))
    (home.home / "tools" / "No Name.json").write_text("{}")
    for view in ("Categories", "Tools", "Tasks"):
        assert not open_page(PAGE, view=view).error
    app = open_page(PAGE, view="Import")
    told = [error.value.replace("\\", "") for error in app.error]
    assert len(told) == 2 and "no category can have this name" in told[0] and "pets.json is damaged" in told[1]
    keys = {button.key for button in app.button}
    assert "import_show.farm" in keys and "import_show.pets" not in keys
    app.button(key="import_remove.pets").click().run()
    assert not app.exception and len(app.error) == 1
    assert files(home) == ["No Name.json", "farm.json"]


def test_a_task_of_ones_own_over_imported_tools(home: Settings) -> None:
    import_openapi(home, "pets", "Pet shop", PETS)
    app = open_page(PAGE, view="Task studio")
    app.text_area(key="studio_text").set_value(TASK).run()
    assert not app.error, app.error[0].value
    assert {metric.label: metric.value for metric in app.metric}["Reference solution passes"] == "5 of 5"
    app.button(key="studio_save").click().run()
    assert "pets.adopt" in load_templates(home)
    task = instantiate(get_template("pets.adopt"), 0)
    listed = open_page(PAGE, view="Tasks")
    listed.selectbox(key="catalog_tasks_category").set_value("pets").run()
    assert list(listed.dataframe[0].value["Category"]) == ["Pet shop"]
    shown = open_page(PAGE, view="Tasks", task="pets.adopt")
    assert task.instruction in texts(shown)
    simulate = open_page("1_Simulate.py", task="pets.adopt", seed="0", policy="gold")
    assert task.instruction in plain(simulate) and not simulate.error
    press(simulate, "Run")
    given: Any = simulate.query_params["run"]
    run = get_live(given[0] if isinstance(given, list) else given)
    assert run is not None and run.wait(20)
    simulate.run()
    assert ":green-badge[:material/check_circle: Passed]" in texts(simulate) and not simulate.error


def test_a_task_over_an_import_that_is_gone_is_told_and_comes_back_with_it(home: Settings) -> None:
    import_openapi(home, "pets", "Pet shop", PETS)
    home.tasks.mkdir(parents=True)
    (home.tasks / "pets.adopt.yaml").write_text(TASK)
    assert "pets.adopt" in load_templates(home)
    app = open_page(PAGE, view="Import")
    assert "1 task of your own cannot be used" in texts(app)
    app.button(key="import_remove.pets").click().run()
    assert "pets.adopt" not in load_templates(home)
    simulate = AppTest.from_file(str(REPOSITORY / "app.py"), default_timeout=60)
    simulate.switch_page("pages/1_Simulate.py")
    simulate.session_state["simulate_category"] = "pets"
    simulate.session_state["simulate_task_pets"] = "pets.adopt"
    simulate.run()
    assert not simulate.exception and not simulate.error
    for view in ("Tasks", "Task studio", "Categories"):
        app = open_page(PAGE, view=view)
        assert not app.error
    assert "no category named 'pets'" in plain(open_page(PAGE, view="Task studio"))
    import_openapi(home, "pets", "Pet shop", PETS)
    assert "pets.adopt" in load_templates(home)


def raw(app: AppTest) -> list[str]:
    """What Streamlit would read as Markdown and is not as ``label`` makes it."""
    kinds = ("title", "subheader", "caption", "markdown", "info", "warning", "error", "success")
    drawn = [str(element.value) for kind in kinds for element in app.get(kind)]
    drawn += [
        str(getattr(each, "label", "")) for kind in ("button", "expander", "text_input") for each in app.get(kind)
    ]
    return [text for text in drawn if re.search(r"(?<!\\)!\[x|(?<!\\)<b|://|:red\[z|(?<!\\)\$x|\u202e", text)]


def test_text_of_an_import_is_drawn_as_text(home: Settings) -> None:
    schema = of(name={"type": "string", "description": EVIL_LONG}, kind={"type": "string", "enum": [EVIL]})
    source = json.dumps([{"name": "add", "description": EVIL_LONG, "parameters": schema, "mutates": True}])
    app = import_text(open_page(PAGE, view="Import"), source, title=EVIL[:60])
    assert app.success and not raw(app)
    task = TASK.replace("pets_addPet", "pets_add")
    home.tasks.mkdir(parents=True)
    (home.tasks / "pets.adopt.yaml").write_text(task)
    assert "pets.adopt" in load_templates(home)
    pages: list[dict[str, str]] = [
        {"view": "Import"},
        {"view": "Categories"},
        {"view": "Tools"},
        {"view": "Tools", "tool": "pets.pets_add"},
        {"view": "Tasks", "task": "pets.adopt"},
        {"view": "Task studio"},
    ]
    for query in pages:
        app = open_page(PAGE, **query)
        assert not app.error and not raw(app), query
    call(open_page(PAGE, view="Tools", tool="pets.pets_add"), name=EVIL)
    assert not raw(app)
    simulate = open_page("1_Simulate.py", task="pets.adopt")
    assert not simulate.error and not raw(simulate)


@pytest.fixture
def server() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.tools.imported.server", str(port)], cwd=REPOSITORY)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/mcp", process
    process.kill()
    process.wait()


def test_a_real_server_is_imported_recorded_and_replayed(
    home: Settings, server: tuple[str, "subprocess.Popen[bytes]"]
) -> None:
    url, process = server
    app = import_server(open_page(PAGE, view="Import"), url)
    assert not app.error and "4 tools imported, 2 of them change data" in app.success[0].value
    tool = call(open_page(PAGE, view="Tools", tool="bank.bank_get_rate"), currency="EUR")
    assert "not recorded" in codes(tool)
    press(tool, "Record it")
    assert "not recorded" not in codes(tool) and not tool.error
    assert "1.25" in codes(tool)
    call(tool, currency="XXX")
    press(tool, "Record it")
    assert "no such currency" in codes(tool)
    assert "Record it" not in [button.label for button in tool.button], "a recorded refusal is an answer"
    assert "2 recorded calls" in texts(open_page(PAGE, view="Import"))
    process.kill()
    process.wait()
    again = call(open_page(PAGE, view="Tools", tool="bank.bank_get_rate"), currency="EUR")
    assert "1.25" in codes(again) and not again.error
    call(again, currency="USD")
    press(again, "Record it")
    assert "could not be reached" in again.error[0].value


def test_a_server_that_is_started_by_a_command_is_recorded_from_the_shell(home: Settings) -> None:
    from lamsim_core.tools.imported.definitions import read_tools
    from lamsim_core.tools.imported.faces import _add

    listed = [{"name": "look", "inputSchema": of(what={"type": "string"}), "annotations": {"readOnlyHint": True}}]
    _add(home, "vault", "Vault", "Replays what an MCP server answered.", "mcp", read_tools(listed))
    app = call(open_page(PAGE, view="Tools", tool="vault.vault_look"), what="it's")
    assert "Record it" not in [button.label for button in app.button]
    assert "It was not recorded" in texts(app)
    assert 'import call vault vault_look --arguments \'{"what":"it\'"\'"\'s"}\' -- COMMAND' in codes(app)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "Expected the address"),
        ("http://10.0.0.1/mcp", "this machine only"),
        ("python server.py", "this machine only"),
        ("http://127.0.0.1:9/mcp", "could not be reached"),
    ],
)
def test_a_server_that_cannot_be_asked_is_told(home: Settings, url: str, told: str) -> None:
    app = import_server(open_page(PAGE, view="Import"), url)
    assert told in app.error[0].value.replace("\\", "") and not files(home)
