"""Entries of endpoints: which addresses and keys are taken, and what the registry makes of them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.models.endpoint_entry import Endpoint
from lamsim_core.models.registry import get_model, list_models, open_backend, reached
from lamsim_core.settings import Settings
from tests.models.endpoint_told import Told

SECRET = "sk-0123456789abcdefghij"


def own(settings: Settings, text: str) -> Settings:
    settings.endpoints_file.parent.mkdir(parents=True, exist_ok=True)
    settings.endpoints_file.write_text(text, encoding="utf-8")
    return settings


def entry(name: str, url: str, *more: str) -> str:
    return "\n".join([f"- name: {name}", f"  base_url: {url}", "  model: m", *(f"  {line}" for line in more)]) + "\n"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/v1",
        "http://localhost:11434/v1/",
        "https://[::1]:1/v1",
        "http://127.9.9.9/v1",
        "http://[::1]",
    ],
)
def test_addresses_of_this_machine_are_taken(url: str) -> None:
    endpoint = Endpoint(base_url=url, model="m")
    assert endpoint.is_local and not endpoint.base_url.endswith("/")


@pytest.mark.parametrize(
    ("url", "remote", "message"),
    [
        ("ftp://127.0.0.1/v1", False, "Expected an address"),
        ("file:///etc/passwd", True, "Expected an address"),
        ("127.0.0.1:8000/v1", False, "Expected an address"),
        ("http:///v1", False, "Expected an address"),
        (f"http://me:{SECRET}@127.0.0.1/v1", False, "Expected an address"),
        ("http://127.0.0.1@example.org/v1", True, "Expected an address"),
        (f"http://127.0.0.1/v1?key={SECRET}", False, "Expected an address"),
        ("http://127.0.0.1/v1#x", False, "Expected an address"),
        ("http://127.0.0.1:99999/v1", False, "Expected an address"),
        ("http://127.0.0.1 /v1", False, "Expected an address"),
        ("http://exämple.org/v1", True, "Expected an address"),
        ("http://example.org/v1", False, "remote: true"),
        ("http://192.168.0.7/v1", False, "remote: true"),
        ("http://0.0.0.0/v1", False, "remote: true"),
        ("http://127.0.0.1.example.org/v1", False, "remote: true"),
        ("http://localhost.example.org/v1", False, "remote: true"),
        ("http://2130706433/v1", False, "remote: true"),
    ],
)
def test_other_addresses_are_refused(url: str, remote: bool, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Endpoint(base_url=url, model="m", remote=remote)
    assert message in error.value.errors()[0]["msg"]


def test_another_machine_is_reached_only_when_the_entry_says_so_and_gets_a_key_only_over_https() -> None:
    assert not Endpoint(base_url="https://example.org/v1", model="m", remote=True, key_env="KEY").is_local
    assert Endpoint(base_url="http://192.168.0.7/v1", model="m", remote=True).key() is None
    with pytest.raises(ValidationError, match="only over https"):
        Endpoint(base_url="http://example.org/v1", model="m", remote=True, key_env="KEY")


@pytest.mark.parametrize("key_env", [SECRET, "key", "MY KEY", "1KEY", "", 5])
def test_a_key_in_place_of_a_variables_name_is_refused(key_env: object) -> None:
    with pytest.raises(ValidationError, match="NAME of an environment variable"):
        Endpoint.model_validate({"base_url": "http://127.0.0.1/v1", "model": "m", "key_env": key_env})


def test_own_endpoints_are_models(tiny: Settings, server: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    own(
        tiny,
        entry("here", server.base_url, "title: Mine")
        + entry("keyed", server.base_url, "key_env: MINE_KEY")
        + entry("tiny", server.base_url)
        + entry("twice", server.base_url)
        + entry("twice", server.base_url),
    )
    monkeypatch.delenv("MINE_KEY", raising=False)
    found = {model.name: model for model in list_models(tiny) if model.kind == "endpoint"}
    assert found["here"].available and found["here"].title == "Mine" and server.base_url in found["here"].source
    assert "MINE_KEY" in str(found["keyed"].why_not) and "set the environment variable" in str(found["keyed"].why_not)
    assert "already named" in str(found["tiny"].why_not) and "already named" in str(found["twice"].why_not)
    assert get_model(tiny, "tiny").kind == "local"
    assert (get_model(tiny, "tiny").needs_memory, get_model(tiny, "here").needs_memory) == (True, False)
    with pytest.raises(ModelError, match="MINE_KEY"):
        open_backend(tiny, "keyed")
    monkeypatch.setenv("MINE_KEY", SECRET)
    assert get_model(tiny, "keyed").available
    monkeypatch.setenv("MINE_KEY", f"{SECRET}\n")
    assert "characters no key has" in str(get_model(tiny, "keyed").why_not)
    backend = open_backend(tiny, "here")
    assert backend.info.name == "here"
    backend.close()


def test_the_server_is_asked_only_when_that_is_wanted(tiny: Settings, server: Told) -> None:
    own(tiny, entry("here", server.base_url) + entry("gone", "http://127.0.0.1:9/v1"))
    here, gone = (get_model(tiny, name) for name in ("here", "gone"))
    assert here.available and gone.available and server.seen()["all"] == []
    assert reached(here).available and reached(get_model(tiny, "tiny")).available
    assert not reached(gone).available and "nothing could be reached" in str(reached(gone).why_not)
    server.plan(key=SECRET)
    assert "refused the key" in str(reached(here).why_not)


def test_the_file_may_be_elsewhere(tiny: Settings, server: Told, tmp_path: Path) -> None:
    elsewhere = tiny.model_copy(update={"endpoints": str(tmp_path / "mine.yaml")})
    own(elsewhere, entry("here", server.base_url))
    assert get_model(elsewhere, "here").kind == "endpoint" and "here" not in {m.name for m in list_models(tiny)}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (entry("a", "http://127.0.0.1/v1") + entry("b", "http://example.org/v1"), 4, "remote: true"),
        (entry("a", "http://127.0.0.1/v1", f"api_key: {SECRET}"), 4, "api_key"),
        (entry("a", "http://127.0.0.1/v1", f"key_env: {SECRET}"), 4, "NAME of an environment variable"),
        (entry("a", f"http://:{SECRET}@127.0.0.1/v1"), 2, "Expected an address"),
        (entry("../a", "http://127.0.0.1/v1"), 1, "name"),
        (f"- key: '{SECRET}", 1, "not YAML"),
        (f"- !!python/object/apply:os.getenv [{SECRET}]", 1, "not YAML"),
        (f"{SECRET}", 1, "valid list"),
    ],
)
def test_a_broken_file_is_told_by_its_line_harms_nothing_else_and_is_not_repeated(
    tiny: Settings, text: str, line: int, message: str
) -> None:
    own(tiny, text)
    models = {model.name: model for model in list_models(tiny)}
    assert models["tiny"].available
    why_not = str(models["endpoints.yaml"].why_not)
    assert message in why_not and f"endpoints.yaml:{line}:" in why_not and SECRET not in why_not
    with pytest.raises(ModelError, match="not available"):
        open_backend(tiny, "endpoints.yaml")


def test_the_shipped_list_may_hold_endpoints(tiny: Settings, server: Told) -> None:
    path = tiny.data / "models.yaml"
    plain = path.read_text(encoding="utf-8").rstrip() + "\n"
    head = "- name: far\n  title: Far\n  kind: endpoint\n  source: x\n  licence: x\n  parameters: x\n  note: x\n"
    path.write_text(plain + head + f"  endpoint:\n    base_url: {server.base_url}\n    model: m\n", encoding="utf-8")
    assert reached(get_model(tiny, "far")).available
    for wrong in (
        head,
        head.replace("kind: endpoint", "kind: scripted") + "  endpoint: {base_url: 'http://[::1]', model: m}\n",
    ):
        path.write_text(plain + wrong, encoding="utf-8")
        with pytest.raises(InvalidInputError, match="where its server is"):
            list_models(tiny)
