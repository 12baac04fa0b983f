"""OpenAPI 3 descriptions and lists of tools, read from text. Nothing they name is ever contacted."""

import re
from collections.abc import Iterator
from typing import Any

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import InvalidInputError
from lamsim_core.tools.imported.definitions import read_tools
from lamsim_core.tools.imported.limits import MAX_NAME, MAX_RESULT_BYTES, MAX_SCHEMA_NODES, SHORT_DESCRIPTION
from lamsim_core.tools.imported.pointers import resolve, shown
from lamsim_core.tools.imported.reading import read_text
from lamsim_core.tools.imported.records import Definition, Definitions
from lamsim_core.tools.imported.schemas import read_parameters, read_schema

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
READING = {"get", "head"}
"""Methods that change nothing."""
_BODY = "body"


def read_definitions(text: str) -> Definitions:
    """The tools a text describes: OpenAPI 3 or a list of tools, in JSON or YAML.

    Raises:
        InvalidInputError: the text or a tool in it cannot be used; the message says why.
    """
    document = read_text(text)
    if isinstance(document, dict) and "paths" in document:
        return _read_openapi(document)
    if isinstance(document, dict) and "swagger" in document:
        raise InvalidInputError("Expected OpenAPI 3, got Swagger 2. Convert the file to OpenAPI 3 first.")
    if isinstance(document, dict) and "tools" in document:
        tools: Any = document["tools"]
    elif isinstance(document, dict) and ("name" in document or "function" in document):
        tools = [document]
    else:
        tools = document
    if not isinstance(tools, list):
        raise InvalidInputError(
            f"Expected an OpenAPI 3 description (with paths) or a list of tools, got {shown(tools)}. Choose another file."
        )
    return Definitions("tools", "", read_tools(tools))


def _read_openapi(document: dict[str, Any]) -> Definitions:
    version = document.get("openapi")
    if not str(version).startswith("3."):
        raise InvalidInputError(f"Expected OpenAPI 3 (openapi: 3.x.y), got {shown(version)}. Convert the file first.")
    found: dict[str, Definition] = {}
    for path, method, operation, shared in _operations(document):
        tool = _Operation(document, path, method, operation, shared).read()
        if tool.name in found:
            raise InvalidInputError(
                f"Two operations are named {tool.name!r}; names must differ. Give them an operationId each."
            )
        found[tool.name] = tool
    info = document.get("info")
    return Definitions("openapi", _short(info.get("title")) if isinstance(info, dict) else "", list(found.values()))


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], list[Any]]]:
    paths = document["paths"]
    if not isinstance(paths, dict):
        raise InvalidInputError(f"Expected paths to be an object, got {shown(paths)}. Correct the file.")
    for path, raw in paths.items():
        item = _followed(document, raw, f"Path {shown(path)}")
        for method in METHODS:
            if method in item:
                where = f"{method.upper()} {path[:80]}"
                yield path, method, _followed(document, item[method], where), _list(item.get("parameters"), where)


class _Operation:
    """One operation on its way to a tool."""

    def __init__(
        self, document: dict[str, Any], path: str, method: str, operation: dict[str, Any], shared: list[Any]
    ) -> None:
        self.document = document
        self.operation = operation
        self.method = method
        self.where = f"{method.upper()} {path[:80]}"
        self.name = _name(operation.get("operationId"), method, path, self.where)
        self.given = [_followed(document, each, self.where) for each in shared]
        self.given += [_followed(document, each, self.where) for each in _list(operation.get("parameters"), self.where)]
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        self.looked_at = 0

    def read(self) -> Definition:
        parameters = {(each.get("in"), each.get("name")): each for each in self.given}
        for place in ("path", "query"):  # headers and cookies carry credentials, not what an agent decides
            for each in parameters.values():
                if each.get("in") == place:
                    self.add_parameter(place, each)
        self.add_body()
        schema = {"type": "object", "properties": self.properties, "required": self.required}
        answer, examples = self.answer()
        summary = _short(self.operation.get("summary")) or _short(self.operation.get("description"))
        return Definition(
            name=self.name,
            description=summary or f"Calls {self.name}.",
            parameters=read_parameters(schema, self.document, self.where),
            mutates=self.method not in READING,
            answer=answer,
            examples=examples,
        )

    def add(self, name: Any, place: str, schema: Any, required: bool) -> None:
        """Add a parameter; of two with one name the later gets its place in front: ``query_id``, ``body_id``."""
        if not isinstance(name, str):
            raise InvalidInputError(
                f"{self.where}: the name of a parameter must be text, got {shown(name)}. Correct it."
            )
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-")[:MAX_NAME]
        plain = plain if not plain or plain[0].isalpha() else f"_{plain}"[:MAX_NAME]
        own = f"{place}_{plain}" if plain in self.properties else plain
        if not plain or own in self.properties or len(own) > MAX_NAME:
            raise InvalidInputError(
                f"{self.where}: the parameter {shown(name)} of the {place} gets no name of its own (tried {own!r}). Rename it."
            )
        self.properties[own] = schema
        if required:
            self.required.append(own)

    def add_parameter(self, place: str, parameter: dict[str, Any]) -> None:
        content = parameter.get("content")
        schema = parameter.get(
            "schema", _media(content).get("schema", {"type": "string"}) if content else {"type": "string"}
        )
        told = _short(parameter.get("description"))
        if isinstance(schema, dict) and told and "description" not in schema:
            schema = {**schema, "description": told}
        self.add(parameter.get("name"), place, schema, place == "path" or parameter.get("required") is True)

    def add_body(self) -> None:
        if "requestBody" not in self.operation:
            return
        body = _followed(self.document, self.operation["requestBody"], self.where)
        schema = _media(body.get("content")).get("schema", {"type": "string"})
        properties, required, is_object = self.flattened(schema, 0)
        must = body.get("required") is True
        if not is_object:
            self.add(_BODY, _BODY, schema, must)
            return
        for name, each in properties.items():
            if not (isinstance(each, dict) and each.get("readOnly") is True):
                self.add(name, _BODY, each, must and name in required)

    def flattened(self, schema: Any, depth: int) -> tuple[dict[str, Any], list[Any], bool]:
        """Properties of an object schema, ``allOf`` and references merged; and whether it is one."""
        schema = _followed(self.document, schema, self.where)
        kind = schema.get("type")
        properties = schema.get("properties", {})
        self.looked_at += 1
        if depth > 5 or self.looked_at > MAX_SCHEMA_NODES:
            raise InvalidInputError(
                f"{self.where}: the body is made of too many parts (allOf). Write its properties out."
            )
        if {"anyOf", "oneOf"} & schema.keys() or not isinstance(properties, dict):
            return {}, [], False
        found, required = dict(properties), _list(schema.get("required"), self.where)
        is_object = bool(properties) and kind in (None, "object")
        for part in _list(schema.get("allOf"), self.where):
            more, also, one = self.flattened(part, depth + 1)
            if not one:
                return {}, [], False
            found, required, is_object = {**found, **more}, [*required, *also], True
        return found, required, is_object

    def answer(self) -> tuple[dict[str, Any] | None, tuple[Any, ...]]:
        """Schema and examples of what a success answers."""
        responses = self.operation.get("responses")
        if not isinstance(responses, dict):
            return None, ()
        good = [code for code in ("200", "201", "202", "203", "2XX", "default") if code in responses]
        for code in good:
            where = f"{self.where}, response {code}"
            media = _media(_followed(self.document, responses[code], where).get("content"))
            if not media:
                continue
            given = media.get("examples")
            named = (
                [_followed(self.document, each, where) for each in given.values()] if isinstance(given, dict) else []
            )
            examples = (
                [media["example"]] if "example" in media else [each["value"] for each in named if "value" in each]
            )
            schema = media.get("schema")
            read = None if schema is None else read_schema(schema, self.document, where, cut=True)
            return read, tuple(each for each in examples[:5] if len(canonical_json(each)) <= MAX_RESULT_BYTES)
        return None, ()


def _name(operation_id: Any, method: str, path: str, where: str) -> str:
    name = operation_id if isinstance(operation_id, str) and operation_id else f"{method}_{path.strip('/')}"
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")
    if not plain or len(plain) > MAX_NAME:
        raise InvalidInputError(
            f"{where}: an operation needs an operationId of 1 to {MAX_NAME} letters, digits and _; got {shown(name)}. Add one."
        )
    return plain


def _media(content: Any) -> dict[str, Any]:
    """JSON's entry of a ``content`` object, or the first there is."""
    if not isinstance(content, dict) or not content:
        return {}
    key = next((key for key in content if "json" in key), next(iter(content)))
    return content[key] if isinstance(content[key], dict) else {}


def _followed(document: dict[str, Any], value: Any, where: str) -> dict[str, Any]:
    """An object, or what its reference points to. Raises InvalidInputError when that is none."""
    for _ in range(8):
        if not isinstance(value, dict):
            raise InvalidInputError(f"{where}: expected an object, got {shown(value)}. Correct the file.")
        if "$ref" not in value:
            return value
        _, value = resolve(document, value["$ref"], where)
    raise InvalidInputError(f"{where}: a reference leads to a reference more than 8 times. Point to the thing itself.")


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInputError(f"{where}: expected a list, got {shown(value)}. Correct the file.")
    return value


def _short(text: Any) -> str:
    """The first paragraph of a description, shortened."""
    if not isinstance(text, str):
        return ""
    first = " ".join(text.strip().split("\n\n")[0].split())
    return first if len(first) <= SHORT_DESCRIPTION else first[: SHORT_DESCRIPTION - 2].rsplit(" ", 1)[0] + " …"
