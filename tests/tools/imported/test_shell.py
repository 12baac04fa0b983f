"""The commands about imports."""

import sys
from pathlib import Path

import pytest

from lamsim_core.settings import REPOSITORY, Settings
from tests.shell.conftest import Shell
from tests.shell.conftest import shell as shell
from tests.tools.imported.sources import PETS


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "pets.yaml"
    path.write_text(PETS)
    return str(path)


def test_a_description_from_import_to_removal(shell: Shell, file: str) -> None:
    assert "Nothing is imported yet." in shell("import", "list").out
    found = shell("import", "openapi", file, "--name", "pets", "--title", "Pet shop", "--json")
    assert found.code == 0 and found.json["tools"][0] == "pets_listPets"
    again = shell("import", "openapi", file, "--name", "pets", "--title", "Pet shop", "--json")
    assert again.code == 1 and again.json["kind"] == "InvalidInputError"
    (listed,) = shell("import", "list", "--json").json["imports"]
    assert (listed["name"], listed["source"], len(listed["tools"])) == ("pets", "openapi", 5)
    assert "Pet shop" in shell("import", "list").out
    called = shell("import", "call", "pets", "listPets", "--arguments", '{"status": "sold"}', "--json")
    assert called.code == 0 and called.json["how"] == "simulated" and called.json["content"][0]["status"] == "sold"
    assert (
        shell("import", "call", "pets", "listPets", "--arguments", '{"status": "sold"}', "--json").json == called.json
    )
    assert "sold" in shell("import", "call", "pets", "listPets", "--arguments", '{"status": "sold"}').out
    for wrong in ("[1]", "{", '{"status": "lost"}', '{"a": NaN}'):
        assert shell("import", "call", "pets", "listPets", "--arguments", wrong, "--json").code == 1
    assert shell("import", "remove", "pets").code == 0
    assert shell("import", "remove", "pets", "--json").json["kind"] == "NotFoundError"
    assert shell("import", "remove", "../pets", "--json").json["kind"] == "NotFoundError"


def test_files_that_cannot_be_read(shell: Shell, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none", binary, tmp_path):
        found = shell("import", "openapi", str(path), "--name", "pets", "--title", "P", "--json")
        assert found.code == 1 and found.json["error"]


def test_a_damaged_import_is_told(shell: Shell, file: str, home: Settings) -> None:
    shell("import", "openapi", file, "--name", "pets", "--title", "Pet shop")
    (home.home / "tools" / "pets.json").write_text("{}")
    found = shell("import", "list", "--json")
    assert found.code == 1 and found.json["imports"] == [] and "damaged" in found.json["problems"][0]
    assert shell("import", "remove", "pets").code == 0


def test_an_mcp_server_from_import_to_replay(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    server = ("--", sys.executable, "-m", "tests.tools.imported.server")
    found = shell("import", "mcp", "--name", "bank", "--title", "Bank", "--json", *server)
    assert found.code == 0 and "bank_spend" in found.json["tools"]
    amount = ("--arguments", '{"amount": 5}', "--json")
    assert "not recorded" in shell("import", "call", "bank", "spend", *amount).json["content"]["error"]
    recorded = shell("import", "call", "bank", "spend", *amount, *server)
    assert recorded.json == {"tool": "spend", "ok": True, "content": {"left": 95}, "how": "recorded"}
    replayed = shell("import", "call", "bank", "spend", *amount)
    assert replayed.json["how"] == "replayed" and replayed.json["content"] == {"left": 95}
    assert shell("import", "list", "--json").json["imports"][0]["recordings"] == 1
    elsewhere = shell("import", "mcp", "--name", "other", "--title", "O", "--url", "http://192.0.2.1/mcp", "--json")
    assert elsewhere.code == 1 and "this machine only" in elsewhere.json["error"]
    assert shell("import", "mcp", "--name", "other", "--title", "O", "--json").code == 1
