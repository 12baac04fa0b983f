"""Hostile descriptions: each refused with a reason, quickly, with nothing written and nobody contacted."""

import contextlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError, LamsimError, NotFoundError
from lamsim_core.settings import Settings
from lamsim_core.tools.imported import Server, import_openapi, imported_categories, remove_import
from lamsim_core.tools.imported.folder import import_path
from lamsim_core.tools.imported.reading import read_text
from tests.tools.imported.sources import PETS, TOOLS, of, tools


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = of(a=schema)
    return schema


def fan(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, levels):
        defs[f"d{level}"] = of(**{f"p{i}": {"$ref": f"#/$defs/d{level - 1}"} for i in range(20)})
    return {**of(a={"$ref": f"#/$defs/d{levels - 1}"}), "$defs": defs}


def openapi(operation: dict[str, Any], path: str = "/a") -> str:
    return json.dumps({"openapi": "3.1.0", "paths": {path: {"get": operation}}})


HOSTILE: dict[str, tuple[str, str]] = {
    "remote reference": (tools(of(a={"$ref": "http://127.0.0.1:PORT/x.json"})), "leaves the document"),
    "remote reference, https": (tools({"$ref": "https://example.com/schema"}), "leaves the document"),
    "file reference": (tools(of(a={"$ref": "file:///etc/passwd"})), "leaves the document"),
    "relative file reference": (tools(of(a={"$ref": "../../../etc/passwd#/x"})), "leaves the document"),
    "reference that is a list": (tools(of(a={"$ref": ["#/a"]})), "must be text"),
    "reference to an anchor": (tools(of(a={"$ref": "#meta"})), "leaves the document"),
    "reference to nothing": (tools(of(a={"$ref": "#/$defs/nothing"})), "points to nothing"),
    "remote dynamic reference": (
        tools(of(a={"$dynamicRef": "http://127.0.0.1:PORT/#x"})),
        "changes what references mean",
    ),
    "base change": (tools({**of(), "$id": "http://127.0.0.1:PORT/base"}), "changes what references mean"),
    "nested base change": (
        tools(of(a={"$id": "http://127.0.0.1:PORT/base", "type": "string"})),
        "changes what references mean",
    ),
    "remote dialect": (tools({**of(), "$schema": "http://127.0.0.1:PORT/dialect"}), "only the dialects"),
    "vocabulary": (tools({**of(), "$vocabulary": {"http://127.0.0.1:PORT/v": True}}), "changes what references mean"),
    "cycle": (
        tools({**of(a={"$ref": "#/$defs/x"}), "$defs": {"x": {"items": {"$ref": "#/$defs/x"}}}}),
        "back to itself",
    ),
    "cycle of two": (
        tools({**of(a={"$ref": "#/$defs/x"}), "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}}),
        "back to itself",
    ),
    "cycle through an escape": (
        tools({**of(a={"$ref": "#/$defs/x"}), "$defs": {"x": {"items": {"$ref": "#/%24defs/x"}}}}),
        "back to itself",
    ),
    "cycle to the root": (tools(of(a={"$ref": "#"})), "back to itself"),
    "deep schema": (tools(deep(25)), "too large"),
    "deeper than the reader": (tools(deep(200)), "too large"),
    "depth bomb of brackets": ("[" * 100_000, "nested too deeply"),
    "depth bomb of YAML": ("- " * 5_000 + "a", "levels"),
    "depth bomb of YAML flow": ("a: " + "[" * 50_000, "levels"),
    "fan of references": (tools(fan(10)), "too large"),
    "ten megabytes": (json.dumps([{"name": "a", "description": "x" * 10_000_000}]), "at most 4,000,000 bytes"),
    "long text": (json.dumps([{"name": "a", "description": "x" * 100_000}]), "at most 50,000"),
    "long description": (json.dumps([{"name": "a", "description": "x" * 3_000}]), "at most 2,000"),
    "long description of a parameter": (tools(of(a={"description": "x" * 3_000})), "at most 2,000"),
    "key twice": ('[{"name": "a", "name": "b"}]', "stands twice"),
    "key twice in YAML": ("tools:\n- name: a\n  name: b\n", "stands twice"),
    "NaN": ('[{"name": "a", "parameters": {"minimum": NaN}}]', "NaN is not a number"),
    "infinity": ('[{"name": "a", "parameters": {"minimum": 1e999}}]', "not finite"),
    "infinity in YAML": ("tools: [{name: a, parameters: {minimum: .inf}}]", ".inf is not a number"),
    "endless number": ('[{"name": "a", "parameters": {"minimum": ' + "9" * 5_000 + "}}]", "too long"),
    "more than 64 bits": (tools(of(a={"minimum": 2**70})), "64 bits"),
    "true as parameters": (tools(True), "expected a schema"),
    "false as parameters": (tools(False), "expected a schema"),
    "true as a property": (tools(of(a=True)), "expected a schema"),
    "a list as parameters": (tools([]), "expected a schema"),
    "a text as parameters": (tools("object"), "expected a schema"),
    "parameters that are a list": (tools({"type": "array", "items": {}}), "object schema"),
    "parameters of two types": (tools({"type": ["object", "null"]}), "object schema"),
    "alternatives at the top": (tools({**of(a={}), "anyOf": [{"required": ["a"]}, {"required": []}]}), "at the top"),
    "huge enum": (tools(of(a={"enum": list(range(50_000))})), "at most 200"),
    "many properties": (tools(of(**{f"p{i}": {} for i in range(500)})), "at most 64"),
    "too many bytes": (tools(of(**{f"p{i}": {"description": "x" * 900} for i in range(60)})), "at most 24,000"),
    "many tools": (json.dumps([{"name": f"t{i}"} for i in range(1_000)]), "at most 200 tools"),
    "pattern with look-ahead": (tools(of(a={"pattern": "(?=(a+)+$)b"})), "look-around"),
    "pattern with back-reference": (tools(of(a={"pattern": r"(a+)+\1$"})), "look-around"),
    "pattern that explodes": (tools(of(a={"pattern": "((a{1,1000}){1,1000})"})), "look-around"),
    "pattern that is long": (tools(of(a={"pattern": "(a|b)?" * 500})), "at most 200 characters"),
    "pattern that is none": (tools(of(a={"pattern": "("})), "look-around"),
    "pattern as a key": (tools({**of(), "patternProperties": {"(?!x)y": {}}}), "look-around"),
    "unknown type": (tools(of(a={"type": "file"})), "not a schema"),
    "limit that is text": (tools(of(a={"minimum": "1"})), "not a schema"),
    "required but not there": (tools({**of(), "required": ["ghost"]}), "not among the properties"),
    "name that is a path": (tools(of(), "../../etc/passwd"), "letters, digits"),
    "name that is absolute": (tools(of(), "/etc/passwd"), "letters, digits"),
    "name of dots": (tools(of(), ".."), "letters, digits"),
    "name with a control character": (tools(of(), "a\u0007b"), "control character"),
    "name with an escape": ('[{"name": "a\\u001b[2J"}]', "control character"),
    "name with a null": ('[{"name": "a\\u0000"}]', "control character"),
    "name that is half a character": ('[{"name": "a\\ud800"}]', "control character"),
    "name that is empty": (tools(of(), ""), "letters, digits"),
    "name that is too long": (tools(of(), "a" * 65), "letters, digits"),
    "name that is a number": (tools(of(), 7), "letters, digits"),
    "name that is a list": (tools(of(), ["a"]), "letters, digits"),
    "name in other letters": (tools(of(), "найти"), "letters, digits"),
    "two tools of one name": (json.dumps([{"name": "a"}, {"name": "a"}]), "two tools named"),
    "two tools of one name once prefixed": (
        json.dumps([{"name": "a"}, {"name": "evil_a"}]),
        "two tools of this import",
    ),
    "parameter that is a path": (tools(of(**{"../x": {}})), "name of a parameter"),
    "parameter with a line break": (tools(of(**{"a\nb": {}})), "printable"),
    "mutates that is text": (tools(of(), mutates="no"), "true or false"),
    "aliases of YAML": ("a: &a [x, x]\nb: &b [*a, *a]\ntools: [*b]\n", "anchors and aliases"),
    "python tag of YAML": ("tools: !!python/object/apply:os.system ['true']\n", "tag"),
    "two documents": ("--- [1]\n--- [2]\n", "one document"),
    "a list as a key": ("? [a]\n: b\n", "cannot be a key"),
    "not JSON": ("[{", "Expected JSON"),
    "not YAML": ("a: b: c: [", "Expected JSON or YAML"),
    "binary": ("\x00\x01\x02", "Expected JSON or YAML"),
    "empty": ("", "one document"),
    "only a text": ("hello", "list of tools"),
    "an empty list": ("[]", "at least one tool"),
    "swagger 2": ('{"swagger": "2.0", "info": {}}', "Swagger 2"),
    "OpenAPI 2": ('{"openapi": "2.0", "paths": {}}', "Expected OpenAPI 3"),
    "OpenAPI without operations": ('{"openapi": "3.0.0", "paths": {}}', "at least one tool"),
    "paths that are a list": ('{"openapi": "3.0.0", "paths": []}', "expected paths".replace("expected", "Expected")),
    "remote parameter": (
        openapi({"operationId": "a", "parameters": [{"$ref": "http://127.0.0.1:PORT/p"}]}),
        "leaves the document",
    ),
    "remote response": (
        openapi({"operationId": "a", "responses": {"200": {"$ref": "other.yaml"}}}),
        "leaves the document",
    ),
    "remote schema of a response": (
        openapi(
            {
                "operationId": "a",
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "http://127.0.0.1:PORT/s"}}}}
                },
            }
        ),
        "leaves the document",
    ),
    "circular path item": ('{"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}}', "more than 8 times"),
    "operation without letters": (openapi({}, "/" + "a/" * 100), "operationId"),
    "parameters that clash": (
        openapi({"operationId": "a", "parameters": [{"name": n, "in": "query"} for n in ("x", "x!", "x?")]}),
        "no name of its own",
    ),
}


@pytest.fixture
def nobody() -> Any:
    """A port of this machine on which nothing may arrive."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arrived: list[Any] = []

        def wait() -> None:
            with contextlib.suppress(OSError):
                arrived.append(listener.accept())

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        assert arrived == [], "somebody was contacted"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(2)


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_descriptions_are_refused_with_a_reason(home: Settings, nobody: int, what: str) -> None:
    text, reason = HOSTILE[what]
    start = time.monotonic()
    with pytest.raises(InvalidInputError) as refusal:
        import_openapi(home, "evil", "Evil", text.replace("PORT", str(nobody)))
    assert time.monotonic() - start < 3.0
    message = str(refusal.value)
    assert reason in message and len(message) < 700 and message.isprintable()
    assert not list(home.home.rglob("*.json")) and not list(home.home.rglob("*.tmp"))


def test_references_that_are_only_data_are_never_followed(home: Settings, nobody: int) -> None:
    """Values and names may look like references; importing and calling contacts nobody all the same."""
    from lamsim_core.environment import Environment
    from lamsim_core.records import ToolCall
    from lamsim_core.tools.imported import world_of

    url = f"http://127.0.0.1:{nobody}/x"
    bait = {"$ref": url, "$id": url, "$schema": url, "$dynamicRef": url}
    nested = {"type": "object", "properties": {"$ref": {"type": "string"}, "$id": {"const": url}, "$schema": {}}}
    schema = of(a={"enum": [bait, [bait], 1]}, b={"const": bait}, c={"default": bait}, d={"examples": [bait]}, e=nested)
    category = import_openapi(home, "bait", "Bait", tools({**schema, "$defs": {"x": {"$ref": url}}, "x-more": bait}))
    environment = Environment(world_of(category, 0), category.tools)
    for arguments in ({"a": bait, "b": bait, "e": {"$ref": url, "$id": url}}, {"a": url, "b": 1, "e": bait}):
        environment.step(ToolCall(id="c", name="bait_look_up", arguments=arguments, raw=""))
    assert imported_categories(home).problems == ()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/mcp", "http://127.0.0.1.example.com/", "http://127.0.0.1@example.com/", "http://[::2]:80/",
        "http://0.0.0.0:80/", "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://localhost.example.com/",
        "ftp://127.0.0.1/", "file:///etc/passwd", "//127.0.0.1/", "127.0.0.1", "http://user@127.0.0.1/",
        "http://127.0.0.1\\@example.com/", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://127.0.0.1/ x",
        "http://127.0.0.1/#a", "http://127.0.0.1/\n", "http://LOCALHOST.:80/", "http://[::ffff:127.0.0.1]/", "", " ",
    ],
)  # fmt: skip
def test_servers_elsewhere_are_refused_before_anything_is_contacted(url: str) -> None:
    with pytest.raises(InvalidInputError):
        Server(url=url)


def test_a_server_is_either_a_command_or_a_url() -> None:
    for command, url in (((), None), (("a",), "http://127.0.0.1:1/"), (("",), None), (("a\0b",), None)):
        with pytest.raises(InvalidInputError):
            Server(command, url)
    assert Server(url="http://[::1]:8000/mcp").shown


@pytest.mark.parametrize(
    "name", ["calendar", "banking", "Pets", "a", "a" * 32, "../x", "a/b", "", "1a", "a-b", "a.json", "café", "a\n"]
)
def test_category_names_that_are_refused(home: Settings, name: str) -> None:
    with pytest.raises(InvalidInputError):
        import_openapi(home, name, "Pets", PETS)
    assert not home.home.exists()


def test_titles_that_are_refused(home: Settings) -> None:
    for title in ("", "  ", "x" * 61, "a\x1b[2J", "a\nb"):
        with pytest.raises(InvalidInputError):
            import_openapi(home, "pets", title, PETS)


names = st.one_of(st.text(max_size=40), st.from_regex(r"(\.\./|/|[a-z_0-9]|\\|%2e|\x00|\.){1,12}", fullmatch=True))


@examples(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names)
def test_no_name_escapes_the_folder(home: Settings, name: str) -> None:
    try:
        path = import_path(home, name)
    except NotFoundError:
        with pytest.raises(NotFoundError):
            remove_import(home, name)
        return
    assert path.parent == home.home / "tools" and path.resolve().parent == (home.home / "tools").resolve()


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names)
def test_imports_write_in_their_folder_only(home: Settings, name: str) -> None:
    try:
        import_openapi(home, name, "Rooms", json.dumps(TOOLS))
        remove_import(home, name)
    except LamsimError:
        pass
    found = {path.relative_to(home.home).as_posix() for path in home.home.rglob("*")} if home.home.exists() else set()
    assert found <= {"tools", "tools/.lock"}
    assert not list(Path(home.home.parent).glob("*.json"))


WORDS = [
    "type", "properties", "items", "required", "$ref", "$defs", "enum", "allOf", "anyOf", "minimum", "pattern",
    "name", "parameters", "tools", "openapi", "paths", "/a", "get", "post", "schema", "in", "requestBody", "content",
    "responses", "200", "description",
]  # fmt: skip
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=25,
)


@examples(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(value=json_values)
def test_whatever_is_read_is_imported_or_refused(home: Settings, value: Any) -> None:
    """Nothing but a refusal ever comes out."""
    for wrapped in (
        value,
        {"openapi": "3.0.0", "paths": value},
        {"openapi": "3.0.0", "paths": {"/a": {"post": value}}},
        [{"name": "a", "parameters": value, "outputSchema": value}],
    ):
        try:
            import_openapi(home, "pets", "Pets", json.dumps(wrapped))
        except InvalidInputError as refusal:
            assert len(str(refusal)) > 20
        else:
            assert imported_categories(home).problems == ()
            remove_import(home, "pets")


@examples(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.from_regex(r"([-:?\[\]{}!&*|>'\"%@`#, \na1]){0,40}", fullmatch=True)))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        canonical_json(read_text(text))
