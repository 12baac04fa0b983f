"""Foreign descriptions the tests import."""

import json
from typing import Any

PETS = """
openapi: 3.0.3
info: {title: Pet shop, version: "1"}
servers: [{url: "https://pets.example.com"}]
paths:
  /pets:
    parameters:
      - {$ref: "#/components/parameters/Trace"}
    get:
      operationId: listPets
      summary: List the pets.
      parameters:
        - {name: status, in: query, schema: {type: string, enum: [available, sold]}, description: Only these.}
        - {name: "filter[age]", in: query, schema: {type: integer, minimum: 0}}
        - {name: X-Token, in: header, required: true, schema: {type: string}}
      responses:
        200:
          description: fine
          content:
            application/json:
              schema: {type: array, items: {$ref: "#/components/schemas/Pet"}}
    post:
      operationId: addPet
      description: |
        Add a pet.

        A long essay follows.
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/NewPet"}}}
      responses: {"201": {description: made, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}
  /pets/{id}:
    put:
      operationId: replacePet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Change"}}}}
      responses: {default: {description: done}}
    get:
      parameters: [{name: petId, in: path, required: true, schema: {type: integer}}]
      responses:
        "200": {description: x, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
    delete:
      operationId: removePet
      parameters: [{name: petId, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: x, content: {application/json: {example: {removed: true}}}}}
components:
  parameters:
    Trace: {name: trace, in: query, schema: {type: boolean}}
  schemas:
    NewPet:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 1}
        born: {type: string, format: date, nullable: true}
        price: {type: number, minimum: 0, exclusiveMinimum: true}
    Change:
      allOf:
        - {$ref: "#/components/schemas/NewPet"}
        - {type: object, required: [id], properties: {id: {type: integer, readOnly: true}, status: {type: string}}}
    Pet:
      allOf:
        - {$ref: "#/components/schemas/NewPet"}
        - type: object
          required: [id]
          properties:
            id: {type: integer, readOnly: true}
            status: {type: string}
            parents: {type: array, items: {$ref: "#/components/schemas/Pet"}}
            owner: {type: object, properties: {mail: {type: string, format: email}, id: {type: string, format: uuid}}}
"""

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "find-room",
            "description": "Find a room.",
            "parameters": {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "title": "dropped",
                "$defs": {"Size": {"type": "integer", "minimum": 1, "description": "Seats."}},
                "properties": {
                    "size": {"$ref": "#/$defs/Size", "default": 4},
                    "words": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["size"],
            },
        },
    },
    {"name": "book", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": False}},
    {
        "name": "rooms_free",
        "description": "Whether one is free.",
        "annotations": {"readOnlyHint": True},
        "outputSchema": {"type": "object", "properties": {"free": {"type": "boolean"}}},
    },
]


def tools(schema: Any, name: Any = "look_up", **more: Any) -> str:
    """A list with one tool whose parameters are ``schema``."""
    return json.dumps([{"name": name, "description": "Looks up.", "parameters": schema, **more}])


def of(**properties: Any) -> dict[str, Any]:
    """An object schema."""
    return {"type": "object", "properties": properties}
