"""What OpenAPI descriptions and lists of tools become."""

import json
from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.settings import Settings
from lamsim_core.tools.imported import import_openapi, imported_categories, remove_import
from lamsim_core.tools.imported.openapi import read_definitions
from lamsim_core.tools.imported.reading import read_text
from tests.tools.imported.sources import PETS, TOOLS, of, tools


def parameters(settings: Settings, text: str) -> dict[str, Any]:
    category = import_openapi(settings, "pets", "Pets", text)
    return {name: spec.schema.parameters for name, spec in category.tools.items()}


def test_operations_become_tools(home: Settings) -> None:
    category = import_openapi(home, "pets", "Pet shop", PETS)
    assert [(t.name, t.mutates, t.schema.description) for t in category.tools.values()] == [
        ("pets_listPets", False, "List the pets."),
        ("pets_addPet", True, "Add a pet."),
        ("pets_get_pets_id", False, "Calls get_pets_id."),
        ("pets_replacePet", True, "Calls replacePet."),
        ("pets_removePet", True, "Calls removePet."),
    ]
    schemas: Any = {name: spec.schema.parameters for name, spec in category.tools.items()}
    assert list(schemas["pets_listPets"]["properties"]) == ["trace", "status", "filter_age"], "no headers, names mapped"
    assert schemas["pets_listPets"]["properties"]["status"]["description"] == "Only these."
    added = schemas["pets_addPet"]
    assert list(added["properties"]) == ["trace", "name", "born", "price"] and added["required"] == ["name"]
    assert added["properties"]["born"]["type"] == ["string", "null"]
    assert added["properties"]["price"]["exclusiveMinimum"] == 0 and added["additionalProperties"] is False
    replaced = schemas["pets_replacePet"]
    assert list(replaced["properties"]) == ["id", "name", "born", "price", "status"]
    assert replaced["required"] == ["id"], "the body may be left out, so nothing of it is required"


def test_a_clash_of_names_is_resolved_by_the_place(home: Settings) -> None:
    operation = {
        "operationId": "move",
        "parameters": [
            {"name": "id", "in": "path", "schema": {"type": "integer"}},
            {"name": "id", "in": "query", "schema": {"type": "string"}},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {**of(id={"type": "boolean"}), "required": ["id"]}}},
        },
    }
    found = parameters(home, json.dumps({"openapi": "3.1.0", "paths": {"/x/{id}": {"post": operation}}}))["pets_move"]
    assert {name: schema["type"] for name, schema in found["properties"].items()} == {
        "id": "integer",
        "query_id": "string",
        "body_id": "boolean",
    }
    assert found["required"] == ["id", "body_id"]


def test_a_body_that_is_no_object_is_one_parameter(home: Settings) -> None:
    operation = {"requestBody": {"content": {"text/plain": {"schema": {"type": "string"}}}}}
    found = parameters(home, json.dumps({"openapi": "3.1.0", "paths": {"/notes": {"post": operation}}}))
    assert found["pets_post_notes"]["properties"] == {"body": {"type": "string"}}


def test_lists_of_tools_in_every_shape(home: Settings) -> None:
    category = import_openapi(home, "rooms", "Rooms", json.dumps({"tools": TOOLS}))
    found = category.tools
    assert list(found) == ["rooms_find-room", "rooms_book", "rooms_free"]
    assert [spec.mutates for spec in found.values()] == [True, True, False]
    schema: Any = found["rooms_find-room"].schema.parameters
    assert schema["properties"]["size"] == {"type": "integer", "minimum": 1, "description": "Seats.", "default": 4}
    assert schema.keys() == {"type", "properties", "required", "additionalProperties"}
    faults = found["rooms_find-room"].validator.faults({"size": 2, "wrong": 1})
    assert [fault.name for fault in faults] == ["unknown"]
    assert read_definitions(json.dumps(TOOLS[1])).tools[0].name == "book", "one tool alone"


def test_explicit_openness_is_kept_and_references_beside_words_are_joined(home: Settings) -> None:
    schema = {
        **of(a={"$ref": "#/$defs/n", "minimum": 5}, b={"$ref": "#/$defs/n", "type": "string"}),
        "$defs": {"n": {"type": "integer"}},
        "additionalProperties": True,
    }
    found = parameters(home, tools(schema))["pets_look_up"]
    assert found["additionalProperties"] is True
    assert found["properties"]["a"] == {"type": "integer", "minimum": 5}
    assert found["properties"]["b"] == {"allOf": [{"type": "integer"}], "type": "string"}


def test_yaml_is_read_as_json_would_be() -> None:
    text = "a: yes\nb: 2020-01-01\nc: 0x10\nd: 1e3\ne: ~\nf: 'true'\n200: on\ng: 012\nh: true\ni:\nj: -7\n"
    assert read_text(text) == {
        "a": "yes", "b": "2020-01-01", "c": "0x10", "d": 1000.0, "e": None, "f": "true", "200": "on", "g": 12, "h": True,
        "i": None, "j": -7,
    }  # fmt: skip


def test_a_name_is_imported_once_until_it_is_removed(home: Settings) -> None:
    import_openapi(home, "pets", "Pets", PETS)
    with pytest.raises(InvalidInputError, match="already"):
        import_openapi(home, "pets", "Pets", PETS)
    assert list(imported_categories(home).categories) == ["pets"]
    remove_import(home, "pets")
    assert imported_categories(home) == ({}, ())
    with pytest.raises(NotFoundError):
        remove_import(home, "pets")
    import_openapi(home, "pets", "Others", json.dumps(TOOLS))
    assert imported_categories(home).categories["pets"].title == "Others"


def test_names_of_tools_are_nobody_elses(home: Settings) -> None:
    import_openapi(home, "aa", "A", tools(of(), "b_c"))
    with pytest.raises(InvalidInputError, match="there already"):
        import_openapi(home, "aa_b", "B", tools(of(), "c"))
    with pytest.raises(InvalidInputError, match="more than 64"):
        import_openapi(home, "long_name", "Long", tools(of(), "x" * 60))


def test_reading_an_import_loads_nothing_slow(home: Settings) -> None:
    import subprocess
    import sys

    from lamsim_core.settings import REPOSITORY

    code = (
        "import sys, lamsim_core.tools.imported, lamsim_core.shell.program\n"
        "print(sorted({'mcp', 'mcp_types', 'anyio', 'httpx2', 'jsonschema', 'starlette'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert found.stdout == "[]\n"
